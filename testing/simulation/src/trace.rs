//! The trace of a world: one line for each thing that happens, with its time.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

/// A trace. Its digest is the same if and only if all lines are, but for accidents and for the order of lines with the same time:
/// `tokio::sync::watch` wakes several tasks in a random order.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Of everything before `time`.
    digest: DefaultHasher,
    time: Duration,
    /// The sum of the digests of the lines at `time`.
    moment: u64,
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
        if time != self.time {
            self.digest.write_u64(self.moment);
            (self.time, self.moment) = (time, 0);
        }
        let mut digest = DefaultHasher::new();
        digest.write(self.line.as_bytes());
        self.moment = self.moment.wrapping_add(digest.finish());

        if let Some(lines) = &mut self.lines {
            lines.push(self.line.clone());
        }
    }

    /// The digest of all lines so far.
    pub(crate) fn digest(&self) -> u64 {
        let mut digest = self.digest.clone();
        digest.write_u64(self.moment);
        digest.finish()
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
    fn only_the_order_of_lines_with_the_same_time_does_not_count() {
        let one = digest(&[(0, "a"), (0, "b"), (1, "c")]);
        assert_eq!(digest(&[(0, "b"), (0, "a"), (1, "c")]), one);
        for other in [
            &[(0, "a"), (1, "b"), (1, "c")][..],
            &[(0, "a"), (0, "b"), (1, "d")],
            &[(0, "a"), (0, "b")],
            &[(0, "a"), (0, "b"), (1, "c"), (1, "c")],
        ] {
            assert_ne!(digest(other), one, "{other:?}");
        }
    }
}
