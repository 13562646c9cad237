//! [`Timers`]: the two intervals that one end announces and uses.

use std::time::Duration;

use super::{BfdProfile, State};

/// Two intervals in microseconds, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timers {
    /// DesiredMinTxInterval.
    pub(super) tx: u32,
    /// RequiredMinRxInterval.
    pub(super) rx: u32,
}

impl Timers {
    /// The profile's intervals in a state: not faster than once a second before the session is up
    /// (RFC 5880 section 6.8.3).
    pub(super) fn desired(profile: &BfdProfile, state: State) -> Self {
        let tx = micros(profile.transmit_interval);
        let tx = if state == State::Up { tx } else { tx.max(SLOW) };
        Self { tx, rx: micros(profile.receive_interval) }
    }
}

fn micros(interval: Duration) -> u32 {
    interval.as_micros().try_into().unwrap_or(u32::MAX)
}

const SLOW: u32 = 1_000_000;
