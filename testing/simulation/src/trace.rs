//! The trace of a world: one line for each thing that happens, with its time.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

/// A trace. Its digest is the same if and only if all lines are, but for accidents.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    digest: DefaultHasher,
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
        self.digest.write_u8(b'\n');

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

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(lines: &[(u64, &str)]) -> u64 {
        let mut trace = Trace::default();
        for (seconds, line) in lines {
            trace.add(Duration::from_secs(*seconds), format_args!("{line}"));
        }
        trace.digest()
    }

    #[test]
    fn every_line_and_their_order_count() {
        let one = digest(&[(0, "a"), (0, "b"), (1, "c")]);
        for other in [
            &[(0, "b"), (0, "a"), (1, "c")][..],
            &[(0, "a"), (1, "b"), (1, "c")],
            &[(0, "a"), (0, "b"), (1, "d")],
            &[(0, "a"), (0, "b")],
            &[(0, "a"), (0, "b"), (1, "c"), (1, "c")],
        ] {
            assert_ne!(digest(other), one, "{other:?}");
        }
    }
}
