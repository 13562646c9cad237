//! [`SessionLog`]: the log lines that tell the life of a peer's session: attempt, up, down, the reasons in between, and BFD.
//!
//! Owns which of them an operator sees, and how often. While there is no session, each reason is logged once. A session that goes up
//! and down has its lines at a bounded rate. What is left out here is in the events and the status.

use std::{
    mem,
    time::{Duration, Instant},
};

use bgp_core::{
    Direction,
    fsm::{DownReason, Negotiated, StateKind, Timer},
    peer::{Peer, PeerTimer},
};

use tracing::field::debug;

use crate::{bfd::Transition, clock};

/// The state of a peer's log.
#[derive(Default)]
pub(super) struct SessionLog {
    /// The time of the last session's end, or of the first attempt.
    down_since: Option<Instant>,
    up_since: Option<Instant>,
    /// True if the attempt to connect has been logged since then.
    is_attempt_logged: bool,
    failed_attempts: u32,
    /// The reasons for which there was no session since then, as far as they have been logged.
    reasons: Vec<DownReason>,
    /// The line to write once the timers are known.
    pending: Option<PendingLine>,
    session_pace: Pace,
    bfd_pace: Pace,
}

enum PendingLine {
    Down { reason: DownReason, uptime: Option<Duration> },
    Failed(DownReason),
}

/// The most different reasons that are logged while there is no session. A peer can put any text into them.
const MOST_REASONS: usize = 8;

impl SessionLog {
    /// Logs the first attempt to get a session.
    pub(super) fn state_change(&mut self, from: StateKind, to: StateKind) {
        tracing::debug!(%from, %to, "state changed");
        if self.is_attempt_logged || from != StateKind::Idle {
            return;
        }

        self.is_attempt_logged = true;
        self.down_since.get_or_insert_with(clock::now);
        let Some(Room { left_out }) = self.session_pace.take() else { return };
        match to {
            StateKind::Active => tracing::info!(left_out, "waiting for the peer to connect"),
            _ => tracing::info!(left_out, "connecting"),
        }
    }

    /// Forgets the reasons that have been logged, because the operator tries again.
    pub(super) fn restarted(&mut self) {
        self.is_attempt_logged = false;
        self.reasons.clear();
    }

    pub(super) fn up(&mut self, negotiated: &Negotiated) {
        let now = clock::now();
        let down_for = self.down_since.take().map(|since| rounded(now - since));
        let failed_attempts = mem::take(&mut self.failed_attempts);
        self.up_since = Some(now);
        self.restarted();
        self.is_attempt_logged = true;

        let Some(Room { left_out }) = self.session_pace.take() else { return };
        let families: Vec<_> = negotiated.families.iter().map(ToString::to_string).collect();
        tracing::info!(
            remote_identifier = %negotiated.remote_identifier,
            remote_as = %negotiated.remote_asn,
            hold_time = ?negotiated.hold_time,
            keepalive_time = ?negotiated.keepalive_time,
            families = families.join(" "),
            extensions = extensions(negotiated).join(" "),
            down_for = down_for.map(debug),
            failed_attempts,
            left_out,
            "session up"
        );
    }

    pub(super) fn down(&mut self, reason: &DownReason) {
        let now = clock::now();
        let uptime = self.up_since.take().map(|since| rounded(now - since));
        self.down_since = Some(now);
        self.restarted();
        self.pending = Some(PendingLine::Down { reason: reason.clone(), uptime });
    }

    pub(super) fn failed(&mut self, reason: &DownReason) {
        self.down_since.get_or_insert_with(clock::now);
        self.failed_attempts = self.failed_attempts.saturating_add(1);

        let is_known = self.reasons.contains(reason);
        if is_known || self.reasons.len() >= MOST_REASONS {
            tracing::debug!(%reason, "no session");
            return;
        }
        self.reasons.push(reason.clone());
        self.pending = Some(PendingLine::Failed(reason.clone()));
    }

    pub(super) fn bfd(&mut self, transition: &Transition) {
        let Transition { from, to, diagnostic, .. } = transition;
        let Some(Room { left_out }) = self.bfd_pace.take() else { return };
        if transition.is_failure() {
            tracing::warn!(%from, %to, %diagnostic, left_out, "BFD");
        } else {
            tracing::info!(%from, %to, %diagnostic, left_out, "BFD");
        }
    }

    /// Writes the line that waits for the timers, and the state of a session whose last lines were left out.
    pub(super) fn publish(&mut self, peer: &Peer) {
        match self.pending.take() {
            Some(PendingLine::Down { reason, uptime }) => {
                if let Some(Room { left_out }) = self.session_pace.take() {
                    let (uptime, retry_in) = (uptime.map(debug), retry_in(peer).map(debug));
                    tracing::warn!(%reason, uptime, retry_in, left_out, "session down");
                }
            }
            Some(PendingLine::Failed(reason)) => {
                if let Some(Room { left_out }) = self.session_pace.take() {
                    tracing::warn!(%reason, retry_in = retry_in(peer).map(debug), left_out, "no session");
                }
            }
            None if self.session_pace.has_left_out() => {
                let Some(Room { left_out }) = self.session_pace.take() else { return };
                tracing::info!(state = %peer.state(), left_out, "the session has been up and down");
            }
            None => {}
        }
    }
}

/// The time until the next attempt to connect, if one is due.
fn retry_in(peer: &Peer) -> Option<Duration> {
    let waits = |timer: PeerTimer| match timer {
        PeerTimer::Connection(Direction::Outgoing, timer) => {
            matches!(timer, Timer::IdleHold | Timer::ConnectRetry)
        }
        PeerTimer::PrefixLimitPause => true,
        _ => false,
    };
    let now = clock::now();
    let timers = peer.timers();
    let next =
        timers.into_iter().filter(|running| waits(running.timer)).map(|it| it.left(now)).max();
    next.map(rounded)
}

/// The names of the extensions that both ends have.
fn extensions(negotiated: &Negotiated) -> Vec<&'static str> {
    let extensions = &negotiated.extensions;
    let all = [
        ("route-refresh", negotiated.route_refresh),
        ("enhanced-refresh", extensions.enhanced_refresh),
        ("four-octet-as", negotiated.four_octet_as),
        ("extended-messages", extensions.extended_messages),
        ("extended-next-hop", extensions.extended_next_hop),
        ("graceful-restart", extensions.graceful_restart.is_some()),
        ("long-lived-graceful-restart", !extensions.long_lived.is_empty()),
        ("add-path-receive", !extensions.add_path_receive.is_empty()),
        ("add-path-send", !extensions.add_path_send.is_empty()),
    ];
    all.into_iter().filter(|(_, is_on)| *is_on).map(|(name, _)| name).collect()
}

/// Whole seconds, or milliseconds below ten of them.
fn rounded(time: Duration) -> Duration {
    if time < Duration::from_secs(10) {
        Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(time.as_secs())
    }
}

/// Limits lines that could come again and again: [`Pace::BURST`] at once, and then one each [`Pace::INTERVAL`].
#[derive(Debug, Default)]
struct Pace {
    /// The lines that count towards the burst.
    spent: u32,
    /// The time from which they are forgotten, one each interval.
    since: Option<Instant>,
    left_out: u64,
}

/// Room for a line.
#[derive(Debug, PartialEq, Eq)]
struct Room {
    /// The number of lines that were left out before it, if any.
    left_out: Option<u64>,
}

impl Pace {
    const BURST: u32 = 20;
    const INTERVAL: Duration = Duration::from_secs(600);

    /// Asks for room for a line. `None`: this one is left out.
    fn take(&mut self) -> Option<Room> {
        self.forget(clock::now());
        if self.spent >= Self::BURST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.spent += 1;
        let left_out = mem::take(&mut self.left_out);
        Some(Room { left_out: Some(left_out).filter(|count| *count > 0) })
    }

    /// Returns true if lines were left out, and there is room for one about that.
    fn has_left_out(&mut self) -> bool {
        if self.left_out == 0 {
            return false;
        }
        self.forget(clock::now());
        self.spent < Self::BURST
    }

    fn forget(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let intervals = now.saturating_duration_since(since).as_secs() / Self::INTERVAL.as_secs();
        let forgotten = u32::try_from(intervals).unwrap_or(u32::MAX);
        self.spent = self.spent.saturating_sub(forgotten);
        self.since = if self.spent == 0 {
            Some(now)
        } else {
            since.checked_add(Self::INTERVAL.saturating_mul(forgotten))
        };
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_come_at_a_bounded_rate_and_tell_how_many_were_left_out() {
        let mut pace = Pace::default();
        let burst = (0..100).filter(|_| pace.take().is_some()).count();
        assert_eq!(burst, 20);
        assert!(!pace.has_left_out(), "there is no room to say so yet");

        sleep(Duration::from_secs(601)).await;
        assert!(pace.has_left_out());
        assert_eq!(pace.take(), Some(Room { left_out: Some(80) }));
        assert_eq!(pace.take(), None);

        let mut lines = 0;
        for _ in 0..86_400 / 10 {
            sleep(Duration::from_secs(10)).await;
            lines += u32::from(pace.take().is_some());
        }
        assert_eq!(lines, 144, "one each ten minutes");

        sleep(Duration::from_secs(86_400)).await;
        assert_eq!((0..100).filter(|_| pace.take().is_some()).count(), 20);
    }
}
