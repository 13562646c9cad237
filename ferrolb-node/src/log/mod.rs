//! [`Log`]: the log of the process: the filter, which an operator may change at run time, and the last lines.
//!
//! Knows the filter in force and the one of the start. The binary owns the words of a filter, and writes the log.

mod recent_lines;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use recent_lines::{RecentLines, RecentLinesWriter};

/// The log of a process. Clones share it.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    start: String,
    current: Mutex<String>,
    set: Box<SetFilter>,
    recent: RecentLines,
}

/// Puts a filter in force. An error says what was expected, and nothing has changed.
type SetFilter = dyn Fn(&str) -> Result<(), String> + Send + Sync;

impl Log {
    /// Returns a log whose filter is `start`. `set` puts another one in force; its error says what was expected. `recent` gets
    /// every line.
    pub fn new(
        start: impl Into<String>,
        recent: RecentLines,
        set: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let start = start.into();
        let current = Mutex::new(start.clone());
        Self { shared: Arc::new(Shared { start, current, set: Box::new(set), recent }) }
    }

    /// Returns a log whose filter cannot be changed, and that keeps no lines: for a program without a log of its own.
    pub fn fixed(filter: impl Into<String>) -> Self {
        let refuse = |_: &str| Err("the log of this process cannot be changed".to_owned());
        Self::new(filter, RecentLines::default(), refuse)
    }

    /// Returns the filter in force.
    pub fn filter(&self) -> String {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a filter in force, or the one of the start. Returns the filter before and the one in force now.
    ///
    /// # Errors
    ///
    /// The filter is not valid: the text says what was expected. The one before stays in force.
    pub fn set_filter(&self, filter: Option<&str>) -> Result<(String, String), String> {
        let filter = filter.unwrap_or(&self.shared.start).to_owned();
        (self.shared.set)(&filter)?;
        let mut current = self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, filter.clone());
        Ok((before, filter))
    }

    /// Returns the last lines.
    pub fn recent(&self) -> &RecentLines {
        &self.shared.recent
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("filter", &self.filter()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_refused_changes_nothing_and_none_restores_the_first() {
        let set = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&set);
        let log = Log::new("info", RecentLines::default(), move |filter| {
            if filter == "loud" {
                return Err("expected a level".to_owned());
            }
            seen.lock().unwrap().push(filter.to_owned());
            Ok(())
        });
        let other = log.clone();
        assert_eq!(log.set_filter(Some("debug")), Ok(("info".to_owned(), "debug".to_owned())));
        assert_eq!(other.filter(), "debug");
        assert_eq!(log.set_filter(Some("loud")), Err("expected a level".to_owned()));
        assert_eq!(log.filter(), "debug");
        assert_eq!(log.set_filter(None), Ok(("debug".to_owned(), "info".to_owned())));
        assert_eq!(*set.lock().unwrap(), ["debug", "info"]);
    }
}
