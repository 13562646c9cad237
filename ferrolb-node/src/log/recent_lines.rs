//! [`RecentLines`]: the last lines of the log, for a support bundle.
//!
//! Owns the bounds in lines and octets. It formats nothing.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferrolb_api::LogLines;

/// The most lines that are kept.
const MOST_LINES: usize = 4_096;
/// The most octets that are kept. A line of the log has some 150.
const MOST_OCTETS: usize = 1 << 20;

/// The last lines of the log, bounded in number and size. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct RecentLines {
    shared: Arc<Mutex<Lines>>,
}

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Box<str>>,
    octets: usize,
    dropped: u64,
}

impl RecentLines {
    /// Returns a writer that appends lines.
    pub fn writer(&self) -> RecentLinesWriter {
        RecentLinesWriter { lines: self.clone(), last: Vec::new() }
    }

    /// Returns a copy of the lines.
    pub fn read(&self) -> LogLines {
        let kept = self.lock();
        let lines = kept.lines.iter().map(|line| line.as_ref().to_owned()).collect();
        LogLines { lines, dropped: kept.dropped }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn push(&mut self, line: &str) {
        self.octets += line.len();
        self.lines.push_back(line.into());
        while self.lines.len() > MOST_LINES || self.octets > MOST_OCTETS {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.octets -= oldest.len();
            self.dropped += 1;
        }
    }
}

/// A writer that appends to [`RecentLines`]. A line counts when it ends, or when the writer is dropped.
#[derive(Debug)]
pub struct RecentLinesWriter {
    lines: RecentLines,
    /// The beginning of a line that has not ended.
    last: Vec<u8>,
}

impl RecentLinesWriter {
    fn end_line(&mut self) {
        self.lines.lock().push(&String::from_utf8_lossy(&self.last));
        self.last.clear();
    }
}

impl io::Write for RecentLinesWriter {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for part in octets.split_inclusive(|octet| *octet == b'\n') {
            let line = part.strip_suffix(b"\n");
            self.last.extend_from_slice(line.unwrap_or(part));
            if line.is_some() {
                self.end_line();
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for RecentLinesWriter {
    fn drop(&mut self) {
        if !self.last.is_empty() {
            self.end_line();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_last_lines_are_kept_within_bounds_and_the_others_counted() {
        let recent = RecentLines::default();
        let mut writer = recent.writer();
        for number in 0..MOST_LINES + 3 {
            writeln!(writer, "line {number}").unwrap();
        }
        let read = recent.read();
        assert_eq!((read.lines.len(), read.dropped), (MOST_LINES, 3));
        assert_eq!(read.lines[0], "line 3");

        let long = "x".repeat(MOST_OCTETS / 2);
        writer.write_all(format!("{long}\nlast\n").as_bytes()).unwrap();
        writer.write_all(format!("{long}\n").as_bytes()).unwrap();
        let read = recent.read();
        let kept: usize = read.lines.iter().map(String::len).sum();
        assert!(kept <= MOST_OCTETS, "{kept} octets");
        assert_eq!(read.lines[read.lines.len() - 2..], ["last".to_owned(), long]);
        assert_eq!(read.lines.len() as u64 + read.dropped, MOST_LINES as u64 + 6);
    }

    #[test]
    fn a_line_that_is_too_long_is_counted_as_dropped() {
        let recent = RecentLines::default();
        recent.writer().write_all(&vec![b'x'; MOST_OCTETS + 1]).unwrap();
        assert_eq!(recent.read(), LogLines { lines: Vec::new(), dropped: 1 });
    }
}
