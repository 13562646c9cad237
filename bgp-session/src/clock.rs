//! The one place where this crate reads a clock.
//!
//! It is tokio's clock, so that a test with paused time controls the core's timers too. The
//! standard library's clock would run on while tokio's stands still, and no deadline would ever
//! come; `clippy.toml` bans it.

use std::time::Instant;

/// The present time, as the core takes it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
