//! [`LogLevel`]: the filter of the process's log, which an operator may change at run time.
//!
//! Knows the filter in force and the one of the start. The binary owns the words of a filter, and the log itself.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The filter of the log. Clones share it.
#[derive(Clone)]
pub struct LogLevel {
    shared: Arc<Shared>,
}

struct Shared {
    start: String,
    current: Mutex<String>,
    set: Box<SetFilter>,
}

/// Puts a filter in force. An error says what was expected, and nothing has changed.
type SetFilter = dyn Fn(&str) -> Result<(), String> + Send + Sync;

impl LogLevel {
    /// Returns the filter `start`, which is in force. `set` puts another one in force; its error says what was expected.
    pub fn new(
        start: impl Into<String>,
        set: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let start = start.into();
        let current = Mutex::new(start.clone());
        Self { shared: Arc::new(Shared { start, current, set: Box::new(set) }) }
    }

    /// Returns a filter that cannot be changed, for a program without a log of its own.
    pub fn fixed(filter: impl Into<String>) -> Self {
        Self::new(filter, |_| Err("the log of this process cannot be changed".to_owned()))
    }

    /// Returns the filter in force.
    pub fn current(&self) -> String {
        self.shared.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a filter in force, or the one of the start. Returns the filter before and the one in force now.
    ///
    /// # Errors
    ///
    /// The filter is not valid: the text says what was expected. The one before stays in force.
    pub fn set(&self, filter: Option<&str>) -> Result<(String, String), String> {
        let filter = filter.unwrap_or(&self.shared.start).to_owned();
        (self.shared.set)(&filter)?;
        let mut current = self.shared.current.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, filter.clone());
        Ok((before, filter))
    }
}

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogLevel").field(&self.current()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_refused_changes_nothing_and_none_restores_the_first() {
        let set = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&set);
        let level = LogLevel::new("info", move |filter| {
            if filter == "loud" {
                return Err("expected a level".to_owned());
            }
            seen.lock().unwrap().push(filter.to_owned());
            Ok(())
        });
        let other = level.clone();
        assert_eq!(level.set(Some("debug")), Ok(("info".to_owned(), "debug".to_owned())));
        assert_eq!(other.current(), "debug");
        assert_eq!(level.set(Some("loud")), Err("expected a level".to_owned()));
        assert_eq!(level.current(), "debug");
        assert_eq!(level.set(None), Ok(("debug".to_owned(), "info".to_owned())));
        assert_eq!(*set.lock().unwrap(), ["debug", "info"]);
    }
}
