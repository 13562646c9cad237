//! The timers of one connection, as deadlines.
//!
//! Owns the deadline of each timer. Never reads a clock: the driver asks for the earliest deadline and waits for it.

use std::fmt;
use std::time::{Duration, Instant};

/// The timers of RFC 4271, section 8.1.3. Timers that expire together are handled in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Timer {
    /// HoldTimer: the peer has been silent for too long.
    Hold,
    /// SendHoldTimer (RFC 9687): the peer has not read anything for too long.
    SendHold,
    /// KeepaliveTimer: a KEEPALIVE is due.
    Keepalive,
    /// DelayOpenTimer: we have waited long enough for the peer to send the first OPEN.
    DelayOpen,
    /// ConnectRetryTimer: the attempt to connect has hung for too long.
    ConnectRetry,
    /// IdleHoldTimer: the pause after a failure is over.
    IdleHold,
}

impl Timer {
    /// Every timer, in the order of handling.
    pub const ALL: [Self; 6] = [
        Self::Hold,
        Self::SendHold,
        Self::Keepalive,
        Self::DelayOpen,
        Self::ConnectRetry,
        Self::IdleHold,
    ];
}

impl fmt::Display for Timer {
    /// Writes the name in the RFCs, such as `HoldTimer`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hold => "HoldTimer",
            Self::SendHold => "SendHoldTimer",
            Self::Keepalive => "KeepaliveTimer",
            Self::DelayOpen => "DelayOpenTimer",
            Self::ConnectRetry => "ConnectRetryTimer",
            Self::IdleHold => "IdleHoldTimer",
        })
    }
}

/// The longest delay that is counted, ten years. A configuration may hold longer ones that would overflow the clock.
const LONGEST_DELAY: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The time at which a delay of any length is over.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    now + delay.min(LONGEST_DELAY)
}

/// The deadline of each running timer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TimerTable {
    hold: Option<Instant>,
    send_hold: Option<Instant>,
    keepalive: Option<Instant>,
    delay_open: Option<Instant>,
    connect_retry: Option<Instant>,
    idle_hold: Option<Instant>,
}

impl TimerTable {
    /// Starts or restarts `timer`, to expire when `delay` has passed.
    pub(super) fn start(&mut self, timer: Timer, now: Instant, delay: Duration) {
        let least = match timer {
            // These restart when they expire. With no pause at all they would never stop expiring.
            Timer::ConnectRetry | Timer::Keepalive => Duration::from_millis(1),
            Timer::Hold | Timer::SendHold | Timer::DelayOpen | Timer::IdleHold => Duration::ZERO,
        };
        *self.slot(timer) = Some(after(now, delay.max(least)));
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        *self.slot(timer) = None;
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn deadline(&self, timer: Timer) -> Option<Instant> {
        match timer {
            Timer::Hold => self.hold,
            Timer::SendHold => self.send_hold,
            Timer::Keepalive => self.keepalive,
            Timer::DelayOpen => self.delay_open,
            Timer::ConnectRetry => self.connect_retry,
            Timer::IdleHold => self.idle_hold,
        }
    }

    pub(super) fn is_running(&self, timer: Timer) -> bool {
        self.deadline(timer).is_some()
    }

    /// The earliest deadline of all.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        Timer::ALL.iter().filter_map(|&timer| self.deadline(timer)).min()
    }

    /// Stops and names the first timer, in the fixed order, that has expired by `now`.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL
            .into_iter()
            .find(|&timer| self.deadline(timer).is_some_and(|deadline| deadline <= now))?;
        self.stop(timer);
        Some(timer)
    }

    fn slot(&mut self, timer: Timer) -> &mut Option<Instant> {
        match timer {
            Timer::Hold => &mut self.hold,
            Timer::SendHold => &mut self.send_hold,
            Timer::Keepalive => &mut self.keepalive,
            Timer::DelayOpen => &mut self.delay_open,
            Timer::ConnectRetry => &mut self.connect_retry,
            Timer::IdleHold => &mut self.idle_hold,
        }
    }
}
