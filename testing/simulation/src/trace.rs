//! The trace of a world: one line for each thing that happens, with its time.

use std::fmt::{self, Write as _};
use std::hash::Hasher as _;
use std::time::Duration;

/// A trace. Its digest is the same if and only if all lines are, but for accidents.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    digest: std::collections::hash_map::DefaultHasher,
    line: String,
    /// The lines, if they are kept.
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace that keeps its lines.
    pub(crate) fn with_lines() -> Self {
        Self { lines: Some(Vec::new()), ..Self::default() }
    }

    /// Adds a line.
    pub(crate) fn add(&mut self, time: Duration, line: fmt::Arguments<'_>) {
        self.line.clear();
        let _ = write!(self.line, "{:>11.6} {line}", time.as_secs_f64());
        self.digest.write(self.line.as_bytes());
        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    /// The digest of all lines so far.
    pub(crate) fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// The lines so far; none if they are not kept.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
