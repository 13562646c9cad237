//! The log lines of a test.
//!
//! Owns the collection of the lines of one thread. A test of a runtime with one thread sees those of all its tasks.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;
use tracing::subscriber::DefaultGuard;

/// The log of this thread.
#[derive(Clone, Debug, Default)]
pub struct TestLog(Arc<Mutex<Vec<u8>>>);

impl TestLog {
    /// Collects everything up to the level DEBUG from now on, until the guard is dropped.
    #[must_use]
    pub fn begin() -> (Self, DefaultGuard) {
        Self::begin_at(Level::DEBUG)
    }

    /// Collects everything up to this level from now on, until the guard is dropped.
    #[must_use]
    pub fn begin_at(level: Level) -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Returns the lines that have these words.
    #[must_use]
    pub fn lines(&self, words: &str) -> Vec<String> {
        let octets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&octets);
        text.lines().filter(|line| line.contains(words)).map(str::to_owned).collect()
    }

    /// Returns how many lines have these words.
    #[must_use]
    pub fn count(&self, words: &str) -> usize {
        self.lines(words).len()
    }
}

impl Write for TestLog {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
