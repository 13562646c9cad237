//! [`Listing`]: the public API of a library, one item a line, from what rustdoc knows of it.
//!
//! The crate `public-api` writes the lines. This module makes rustdoc's JSON, which stable Rust has only behind a switch.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use public_api::PublicApi;

/// The version of Rust whose standard library and rustdoc the listings in the repository show.
pub const RUST: &str = "1.95";

/// The public API of a library with all its features, without derived and blanket implementations.
#[derive(Debug)]
pub struct Listing {
    api: PublicApi,
}

impl Listing {
    /// Makes the listing of a library of this workspace. Builds its dependencies in Cargo's directory `target` if that has not
    /// been done.
    ///
    /// # Errors
    ///
    /// The library does not build, or rustdoc is of another version than [`RUST`].
    pub fn of(package: &str, target: &Path) -> Result<Self, ListingError> {
        let json = rustdoc_json(package, target)?;
        let builder = public_api::Builder::from_rustdoc_json(json)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(true);
        let api = builder.build().map_err(|error| ListingError(error.to_string()))?;
        Ok(Self { api })
    }

    /// The version of the Rust toolchain in use, such as `1.95`.
    ///
    /// # Errors
    ///
    /// There is no `rustc`.
    pub fn rust() -> Result<String, ListingError> {
        let output = run(Command::new("rustc").arg("--version"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split(' ').nth(1).and_then(|version| version.rsplit_once('.'));
        let (version, _) =
            version.ok_or_else(|| ListingError(format!("expected a version, found {text}")))?;
        Ok(version.to_owned())
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.api.items().try_for_each(|item| writeln!(f, "{item}"))
    }
}

/// Runs rustdoc, and returns the path of the file that it wrote.
fn rustdoc_json(package: &str, target: &Path) -> Result<PathBuf, ListingError> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().and_then(Path::parent).unwrap_or(here);

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root)
        .args(["rustdoc", "--locked", "--quiet", "--lib", "--all-features", "--package", package])
        .arg("--target-dir")
        .arg(target)
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        // The switch of the stable compiler. Only rustdoc sees it: build scripts would run again because of it.
        .env("RUSTDOC", here.join("rustdoc-unstable"));
    run(&mut cargo)?;

    Ok(target.join("doc").join(package.replace('-', "_")).with_extension("json"))
}

fn run(command: &mut Command) -> Result<Output, ListingError> {
    let described = format!("{command:?}");
    let failed = |error: io::Error| ListingError(format!("cannot run {described}: {error}"));
    let output = command.output().map_err(failed)?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(ListingError(format!("{described} failed: {text}")))
}

/// The reason why there is no listing.
#[derive(Debug)]
pub struct ListingError(String);

impl fmt::Display for ListingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ListingError {}
