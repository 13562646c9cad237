//! The timers of one connection, as deadlines.
//!
//! Owns which timer is due when. Never reads a clock: whoever drives the machine asks for the earliest
//! deadline and waits.

use std::time::Instant;

/// The timers of RFC 4271, section 8.1.3, in the order in which two that expire together are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// HoldTimer: the peer has been silent for too long.
    Hold,
    /// KeepaliveTimer: it is our turn to say that we live.
    Keepalive,
    /// DelayOpenTimer: the peer had its chance to send the first OPEN.
    DelayOpen,
    /// ConnectRetryTimer: the attempt to connect has hung for too long.
    ConnectRetry,
    /// IdleHoldTimer: the pause after a failure is over.
    IdleHold,
}

impl Timer {
    /// Every timer, in the order of handling.
    pub const ALL: [Self; 5] =
        [Self::Hold, Self::Keepalive, Self::DelayOpen, Self::ConnectRetry, Self::IdleHold];
}

/// The deadline of each running timer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TimerTable {
    hold: Option<Instant>,
    keepalive: Option<Instant>,
    delay_open: Option<Instant>,
    connect_retry: Option<Instant>,
    idle_hold: Option<Instant>,
}

impl TimerTable {
    /// Starts or restarts `timer`.
    pub(super) fn start(&mut self, timer: Timer, deadline: Instant) {
        *self.slot(timer) = Some(deadline);
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
            Timer::Keepalive => &mut self.keepalive,
            Timer::DelayOpen => &mut self.delay_open,
            Timer::ConnectRetry => &mut self.connect_retry,
            Timer::IdleHold => &mut self.idle_hold,
        }
    }
}
