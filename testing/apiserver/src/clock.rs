//! The time of the server, in the format of the API.

use std::cell::Cell;

use jiff::Timestamp;

thread_local! {
    /// The source of the time on this thread.
    static SOURCE: Cell<fn() -> Timestamp> = const { Cell::new(Timestamp::now) };
}

/// Sets the source of the server's time for the requests that this thread handles. The default is the system's clock.
pub fn set_time_source(source: fn() -> Timestamp) {
    SOURCE.set(source);
}

/// The present time, as in `creationTimestamp`.
pub(crate) fn now() -> String {
    SOURCE.get()().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
