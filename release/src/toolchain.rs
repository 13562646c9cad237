//! The libraries of the toolchain that a static binary contains besides the packages of `Cargo.lock`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::architecture::Architecture;
use crate::error::Error;

/// The versions of these libraries.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Toolchain {
    /// The version of Rust, whose standard library is linked.
    pub rust: String,
    /// The commit of that version.
    pub rust_commit: String,
    /// The version of glibc.
    pub glibc: String,
    /// The version of GCC, whose `libgcc` is linked.
    pub gcc: String,
    /// The folder of the toolchain.
    pub sysroot: PathBuf,
}

impl Toolchain {
    /// Asks the compilers.
    ///
    /// # Errors
    ///
    /// If one of them is missing.
    pub fn of(architecture: Architecture) -> Result<Self, Error> {
        let about = run("rustc", &["-vV"], "")?;
        let field = |name: &str| {
            let line = about.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.map(str::to_owned)
                .ok_or_else(|| Error::unexpected("rustc -vV", format!("no {name}")))
        };

        // The headers know the version of the library that they belong to.
        let compiler = architecture.compiler();
        let version = run(
            compiler,
            &["-E", "-P", "-include", "features.h", "-"],
            "__GLIBC__.__GLIBC_MINOR__\n",
        )?;
        let glibc = version.lines().last().unwrap_or_default().replace(' ', "");

        Ok(Self {
            rust: field("release")?,
            rust_commit: field("commit-hash")?,
            glibc,
            gcc: run(compiler, &["-dumpfullversion"], "")?,
            sysroot: run("rustc", &["--print", "sysroot"], "")?.into(),
        })
    }
}

/// What a program prints, without the space at the end.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, Error> {
    use std::io::Write as _;

    let failed = |message: String| Error::Command {
        command: format!("{program} {}", arguments.join(" ")),
        message,
    };
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(crate::workspace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }

    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let text = String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))?;
    Ok(text.trim_end().to_owned())
}
