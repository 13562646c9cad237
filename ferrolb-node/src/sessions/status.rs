//! The status of a session.

use std::time::{Duration, Instant};

use bgp_session::bfd::{BfdStatus, State};
use bgp_session::{DownReason, Notification, PeerStats, PeerStatus, StateKind, TransportError};

/// The status of a session.
#[derive(Clone, Debug, Default)]
pub struct SessionStatus {
    /// The status of the router; none while there is no router on the interface, or if the session could not be opened.
    pub peer: Option<PeerStatus>,
    /// The router's BFD session, if it has one.
    pub bfd: Option<BfdStatus>,
    /// The problem that prevents attempts to connect.
    pub problem: Option<String>,
    /// The text with which an operator has disabled the peer, empty for none; `None` if the peer is enabled.
    pub disabled: Option<String>,
    /// The time since when there is no session: its end, or the first attempt. None while it is Established.
    pub down_since: Option<Instant>,
}

impl SessionStatus {
    /// Returns the status of a session that could not be opened, for this reason.
    pub(super) fn not_opened(problem: String, since: Instant) -> Self {
        Self { problem: Some(problem), down_since: Some(since), ..Self::default() }
    }

    /// Returns true if the session is Established.
    pub fn is_established(&self) -> bool {
        self.peer.as_ref().is_some_and(PeerStatus::is_established)
    }

    /// Returns the time for which there has been no session: zero while it is Established.
    pub fn down_for(&self) -> Duration {
        let now = tokio::time::Instant::now().into_std();
        self.down_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Returns the agreed hold time while the session is up. Zero for none.
    pub fn hold_time(&self) -> Option<Duration> {
        Some(self.peer.as_ref()?.negotiated.as_ref()?.hold_time)
    }

    /// Returns true if an operator has disabled the peer, even while there is no router on its interface.
    pub fn is_disabled(&self) -> bool {
        self.disabled.is_some()
    }

    /// Returns the number of octets that the connections have not taken yet.
    pub fn octets_waiting(&self) -> usize {
        self.peer.as_ref().map_or(0, |peer| peer.octets_waiting)
    }

    /// Returns the number of routes that the session cannot carry.
    pub fn unsendable(&self) -> usize {
        self.peer.as_ref().map_or(0, |peer| peer.unsendable)
    }

    /// Returns the address families of the session, such as `ipv4-unicast`, while it is up.
    pub fn families(&self) -> Option<Vec<String>> {
        let negotiated = self.peer.as_ref()?.negotiated.as_ref()?;
        Some(negotiated.families.iter().map(ToString::to_string).collect())
    }

    /// Returns the state of RFC 4271, which is Idle without a router.
    pub fn state(&self) -> StateKind {
        self.peer.as_ref().map_or(StateKind::Idle, |peer| peer.state)
    }

    /// Returns the known problem that keeps the router's BFD session from coming up.
    pub fn bfd_problem(&self) -> Option<&str> {
        let bfd = self.bfd.as_ref().filter(|bfd| bfd.state != State::Up)?;
        bfd.problem.as_deref()
    }

    /// Returns the counters.
    pub fn stats(&self) -> PeerStats {
        self.peer.as_ref().map(|peer| peer.stats.clone()).unwrap_or_default()
    }

    /// Returns the reason why the last session ended.
    pub fn last_down(&self) -> Option<String> {
        Some(self.peer.as_ref()?.last_down.as_ref()?.to_string())
    }

    /// Returns the kind of reason why the last session ended: without the texts that the peer chooses, so that there are
    /// only so many.
    pub fn last_down_kind(&self) -> Option<String> {
        let reason = match self.peer.as_ref()?.last_down.as_ref()? {
            DownReason::Local(ended) => DownReason::Local(without_data(ended)),
            DownReason::Remote(ended) => DownReason::Remote(without_data(ended)),
            DownReason::Refused(refusal) => {
                DownReason::Local(without_data(&refusal.notification()))
            }
            DownReason::Transport(TransportError::Other(_)) => {
                return Some("another error of the connection".to_owned());
            }
            other => other.clone(),
        };
        Some(reason.to_string())
    }

    /// Returns the reason why there is no session. That is the problem that prevents attempts, or else the most telling
    /// error of a session or an attempt, followed by the latest failure.
    pub fn reason(&self) -> Option<String> {
        if self.problem.is_some() {
            return self.problem.clone();
        }

        self.peer.as_ref()?.reason()
    }

    /// Returns true if graceful restart was negotiated.
    pub(super) fn restarts_gracefully(&self) -> bool {
        let negotiated = self.peer.as_ref().and_then(|peer| peer.negotiated.as_ref());
        negotiated.is_some_and(|negotiated| negotiated.extensions.graceful_restart.is_some())
    }
}

fn without_data(notification: &Notification) -> Notification {
    let mut notification = notification.clone();
    notification.data.clear();
    notification
}

impl From<PeerStatus> for SessionStatus {
    fn from(peer: PeerStatus) -> Self {
        Self { peer: Some(peer), ..Self::default() }
    }
}
