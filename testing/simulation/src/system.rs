//! The wall clock and the random numbers, as the programs of a simulated thread see them.
//!
//! The programs and the API server ask their thread for both: `ferrolb_node::time_of_day` and `test_apiserver` for the time,
//! `fastrand` for random numbers.

use std::cell::Cell;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z, the time at which every world begins.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

thread_local! {
    /// The instant at which the world began.
    static BEGIN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// How far the clock of the running process is ahead, in seconds.
    static AHEAD: Cell<i64> = const { Cell::new(0) };
}

/// Seeds the random numbers of this thread.
pub(crate) fn seed(seed: u64) {
    fastrand::seed(seed);
}

/// Lets the wall clock of this thread begin now.
pub(crate) fn begin_clock() {
    BEGIN.set(Some(Instant::now()));
    ferrolb_node::set_time_of_day(|| time() + SignedDuration::from_secs(AHEAD.get()));
    test_apiserver::set_time_source(time);
}

/// Sets the clock of the running process ahead by this number of seconds. Returns how far it was ahead before.
pub(crate) fn set_ahead(seconds: i64) -> i64 {
    AHEAD.replace(seconds)
}

/// Returns the simulated time of the API server.
pub(crate) fn time() -> Timestamp {
    let elapsed = BEGIN.get().map(|begin| begin.elapsed()).unwrap_or_default();
    Timestamp::UNIX_EPOCH + EPOCH + elapsed
}
