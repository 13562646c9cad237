//! The stored counts, and what they are valid for.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::callgrind::Task;

/// The counts of the checked pieces of work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Baseline {
    /// What the counts depend on.
    pub(crate) toolchain: String,
    /// By name and size.
    instructions: BTreeMap<(String, usize), u64>,
}

impl Baseline {
    /// An empty baseline for this compiler and this system's library.
    pub(crate) fn new() -> Self {
        Self { toolchain: toolchain(), ..Self::default() }
    }

    /// Reads the stored baseline.
    pub(crate) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(PATH).map_err(|error| format!("{}: {error}", shown()))?;
        let mut baseline = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = match line.strip_prefix("for ") {
                Some(toolchain) => {
                    toolchain.clone_into(&mut baseline.toolchain);
                    Some(())
                }
                None => baseline.read_line(line),
            };
            read.ok_or_else(|| {
                format!("{}:{}: expected NAME | SIZE | INSTRUCTIONS", shown(), number + 1)
            })?;
        }
        Ok(baseline)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let mut cells = line.split('|').map(str::trim);
        let (name, size, instructions) = (cells.next()?, cells.next()?, cells.next()?);
        self.instructions.insert((name.to_owned(), size.parse().ok()?), instructions.parse().ok()?);
        cells.next().is_none().then_some(())
    }

    /// Writes the baseline.
    pub(crate) fn write(&self) -> Result<(), String> {
        let mut text = format!("{HEAD}\nfor {}\n\n", self.toolchain);
        for ((name, size), instructions) in &self.instructions {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} | {size} | {instructions}");
        }
        fs::write(PATH, text).map_err(|error| format!("{}: {error}", shown()))
    }

    pub(crate) fn insert(&mut self, (work, size): Task, instructions: u64) {
        self.instructions.insert((work.name.to_owned(), size), instructions);
    }

    pub(crate) fn get(&self, (work, size): Task) -> Option<u64> {
        self.instructions.get(&(work.name.to_owned(), size)).copied()
    }
}

/// What counts depend on: the compiler, the machine and the system's library.
fn toolchain() -> String {
    let library = Command::new("ldd").arg("--version").output().ok();
    let library = library.and_then(|output| String::from_utf8(output.stdout).ok());
    let version =
        library.as_deref().and_then(|text| text.lines().next()?.split_whitespace().last());
    let library =
        version.map_or_else(|| "unknown libc".to_owned(), |version| format!("libc {version}"));
    format!("{}, {} {}, {library}", env!("GROWTH_RUSTC"), env::consts::ARCH, env::consts::OS)
}

/// The path of the baseline in messages.
pub(crate) fn shown() -> &'static str {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.and_then(|root| Path::new(PATH).strip_prefix(root).ok()?.to_str()).unwrap_or(PATH)
}

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");

const HEAD: &str = "\
# Instructions of pieces of work, as callgrind counts them: NAME | SIZE | INSTRUCTIONS.
# `make instructions` compares them. After a change that is wanted, `make instructions ARGS=bless` writes them again.";
