//! The log lines of a test.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;

/// The log of this thread.
#[derive(Clone, Default)]
pub(super) struct TestLog(Arc<Mutex<Vec<u8>>>);

impl TestLog {
    /// Collects everything from now on, until the guard is dropped.
    pub(super) fn begin() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Returns the lines that have these words.
    pub(super) fn lines(&self, words: &str) -> Vec<String> {
        let octets = self.0.lock().unwrap();
        let text = std::str::from_utf8(&octets).unwrap();
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }

    /// Returns how many lines have these words.
    pub(super) fn count(&self, words: &str) -> usize {
        self.lines(words).len()
    }
}

impl Write for TestLog {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
