//! The one place where this crate reads a clock.
//!
//! It is tokio's clock, so that a test with paused time controls the core's timers too. The
//! standard library's clock would run on while tokio's stands still, and no deadline would ever
//! come; `clippy.toml` bans it.

use std::time::{Duration, Instant, SystemTime};

/// The present time, as the core takes it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The present time as the time since 1970, for messages to other programs. It is the system's, which someone may set, so
/// nothing here waits for it.
pub(crate) fn unix_time() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
