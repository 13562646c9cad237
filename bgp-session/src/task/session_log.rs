//! [`SessionLog`]: the log lines that tell the life of a peer's session: attempt, up, down, the reasons in between, and BFD.
//!
//! Owns which of them an operator sees, and how often. While there is no session, each reason is logged once. A session that goes up
//! and down has its lines at a bounded rate. What is left out here is in the events and the status.

use std::{
    mem,
    time::{Duration, Instant},
};

use bgp_core::{
    AfiSafi, Direction,
    fsm::{DownReason, Negotiated, StateKind, Timer},
    peer::{Peer, PeerTimer},
    rib::UnsendableRoute,
};

use tracing::field::debug;

use crate::{LogPace, LogRoom, bfd::Transition, clock};

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
    session_pace: LogPace,
    bfd_pace: LogPace,
    /// The problem of BFD that was logged last.
    bfd_problem: Option<String>,
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
        let Some(LogRoom { left_out, .. }) = self.session_pace.take() else { return };
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

        let Some(LogRoom { left_out, .. }) = self.session_pace.take() else { return };
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
        let Some(LogRoom { left_out, .. }) = self.bfd_pace.take() else { return };
        if transition.is_failure() {
            tracing::warn!(%from, %to, %diagnostic, left_out, "BFD");
        } else {
            tracing::info!(%from, %to, %diagnostic, left_out, "BFD");
        }
    }

    /// Logs the problem that keeps BFD from coming up, once for each change.
    pub(super) fn bfd_problem(&mut self, problem: Option<&str>) {
        if self.bfd_problem.as_deref() == problem {
            return;
        }
        self.bfd_problem = problem.map(str::to_owned);
        let Some(problem) = problem else { return };
        let Some(LogRoom { left_out, .. }) = self.bfd_pace.take() else { return };
        tracing::warn!(problem, left_out, "no BFD session");
    }

    /// Logs the first of the routes that the session cannot carry for a reason.
    pub(super) fn unsendable(&mut self, routes: usize, first: &UnsendableRoute) {
        let Some(LogRoom { left_out, .. }) = self.session_pace.take() else { return };
        let UnsendableRoute { prefix, why, .. } = first;
        tracing::warn!(routes, example = %prefix, %why, left_out, "routes cannot be sent");
    }

    pub(super) fn prefix_warning(&mut self, family: AfiSafi, held: u32, limit: u32) {
        let Some(LogRoom { left_out, .. }) = self.session_pace.take() else { return };
        tracing::warn!(%family, held, limit, left_out, "the peer sends many prefixes");
    }

    /// Writes the line that waits for the timers, and the state of a session whose last lines were left out.
    pub(super) fn publish(&mut self, peer: &Peer) {
        match self.pending.take() {
            Some(PendingLine::Down { reason, uptime }) => {
                if let Some(LogRoom { left_out, .. }) = self.session_pace.take() {
                    let (uptime, retry_in) = (uptime.map(debug), retry_in(peer).map(debug));
                    tracing::warn!(%reason, uptime, retry_in, left_out, "session down");
                }
            }
            Some(PendingLine::Failed(reason)) => {
                if let Some(LogRoom { left_out, .. }) = self.session_pace.take() {
                    tracing::warn!(%reason, retry_in = retry_in(peer).map(debug), left_out, "no session");
                }
            }
            None if self.session_pace.has_left_out() => {
                let Some(LogRoom { left_out, .. }) = self.session_pace.take() else { return };
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

#[cfg(test)]
mod tests {
    use test_log_lines::TestLog;
    use tokio::time::sleep;

    use super::*;
    use crate::bfd::{Diagnostic, State};

    #[tokio::test(start_paused = true)]
    async fn bfd_that_flaps_for_a_day_does_not_fill_the_log() {
        let (test_log, _guard) = TestLog::begin();
        let mut log = SessionLog::default();
        let transition = |from, to| Transition {
            from,
            to,
            diagnostic: Diagnostic::DETECTION_TIME_EXPIRED,
            remote_state: State::Down,
            remote_diagnostic: Diagnostic::NONE,
        };
        for _ in 0..86_400 / 2 {
            log.bfd(&transition(State::Up, State::Down));
            sleep(Duration::from_secs(1)).await;
            log.bfd(&transition(State::Down, State::Up));
            sleep(Duration::from_secs(1)).await;
        }
        let lines = test_log.count("BFD");
        assert!((100..=165).contains(&lines), "{lines}");
        assert!(test_log.lines("BFD")[..20].iter().any(|line| line.contains(" WARN ")));
    }

    #[tokio::test]
    async fn a_problem_of_bfd_is_logged_at_each_change() {
        let (test_log, _guard) = TestLog::begin();
        let mut log = SessionLog::default();
        for problem in [None, Some("in use"), Some("in use"), None, Some("in use"), Some("far")] {
            log.bfd_problem(problem);
        }
        assert_eq!(test_log.count("no BFD session"), 3);
    }
}
