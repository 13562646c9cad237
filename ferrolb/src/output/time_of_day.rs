//! The time of day, for events on a terminal.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the time of day in UTC, to the millisecond.
pub fn time_of_day() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = now.as_secs() % (24 * 60 * 60);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", now.subsec_millis())
}
