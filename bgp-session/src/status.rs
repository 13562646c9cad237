//! [`PeerStatus`]: the latest facts about one peer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bgp_core::{
    Direction,
    fsm::{DownReason, Negotiated, RemoteAs, StateKind},
    peer::{Endpoints, LastMessages, PeerStats, PeerTimer, RunningTimer},
    rib::Relay,
};

use crate::{DrainStage, PeerId, bfd, clock};

/// The facts about a peer at one moment. A late reader sees the latest facts, and misses those in between.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStatus {
    /// The peer.
    pub peer: PeerId,
    /// The AS expected of the peer.
    pub remote_as: RemoteAs,
    /// The way in which the routes of other peers are [relayed](crate::PeerConfig::relay) to this one, if they are.
    pub relay: Option<Relay>,
    /// True if a handle has [disabled](crate::PeerHandle::disable) the peer.
    pub disabled: bool,
    /// The text with which the peer was disabled, while it is; empty for none. The peer's operator got it only if there was a
    /// session: [`LastMessages::notification_sent`] says when.
    pub disabled_message: String,
    /// The stage of the speaker's [drain](crate::Speaker::drain) at this peer.
    pub drain: DrainStage,
    /// The state of the peer's state machine; with two connections, the more advanced one.
    pub state: StateKind,
    /// The time when that state was entered. In [`StateKind::Established`] the session's uptime counts from here.
    pub since: Instant,
    /// The values that both sides agreed on, while the session is Established.
    pub negotiated: Option<Arc<Negotiated>>,
    /// The ends of the Established session's connection.
    pub endpoints: Option<Endpoints>,
    /// The direction of that connection: [outgoing](Direction::Outgoing) if we opened it.
    pub direction: Option<Direction>,
    /// The last OPEN and the last NOTIFICATION in each direction, with their times. They outlive the session. As up to date as
    /// `stats`.
    pub messages: LastMessages,
    /// The timers that run, each with its deadline. As up to date as `stats`.
    pub timers: Vec<RunningTimer>,
    /// The number of attempts to connect that have failed since the operator started the peer last (ConnectRetryCounter of
    /// RFC 4271). As up to date as `stats`.
    pub connect_retry_counter: u32,
    /// The reason of the last session's end, if one has ended.
    pub last_down: Option<DownReason>,
    /// The time when it ended.
    pub down_since: Option<Instant>,
    /// The reason of the last failure to get a session, since a session last came up.
    pub last_failure: Option<DownReason>,
    /// The time of that failure.
    pub last_failure_at: Option<Instant>,
    /// The more informative of the two reasons above. If TCP ends a connection, that does not replace the reason of an earlier
    /// NOTIFICATION: a router that has shut a session down (RFC 9003) or refused it closes the next connections without one.
    /// The end of a session always replaces it.
    pub last_error: Option<DownReason>,
    /// The time of that error.
    pub last_error_at: Option<Instant>,
    /// The state of the peer's BFD session, if it has one; [`PeerHandle::bfd`](crate::PeerHandle::bfd) returns
    /// the rest.
    pub bfd: Option<bfd::State>,
    /// The latest time at which the next session is tried, if a failure that BFD has found holds it off
    /// ([`BfdProfile::hold`](bfd::BfdProfile::hold)).
    pub bfd_hold_until: Option<Instant>,
    /// The counters. They are updated with every event of the peer, but a new value alone does not count as a change of the
    /// status.
    pub stats: PeerStats,
    /// Octets composed for the peer that its connections have not taken yet. Their number stays high if the peer does not
    /// read. As up to date as `stats`.
    pub octets_waiting: usize,
    /// The number of routes that the peer should have, after the export policy; [`PeerHandle::adj_rib_out`] lists them. As up
    /// to date as `stats`. The client of a route server also counts the route that it would get if the best one were its own.
    ///
    /// [`PeerHandle::adj_rib_out`]: crate::PeerHandle::adj_rib_out
    pub routes: usize,
    /// True if routes wait to be announced or withdrawn. As up to date as `stats`.
    pub routes_pending: bool,
    /// The number of routes that the session cannot carry; [`PeerHandle::unsendable`] lists them, with the reasons. 0 while
    /// no session is up.
    ///
    /// [`PeerHandle::unsendable`]: crate::PeerHandle::unsendable
    pub unsendable: usize,
    /// The number of the peer's routes that are kept, with [`Import::Keep`](crate::Import::Keep). As up to date as `stats`.
    pub prefixes_held: usize,
}

impl PeerStatus {
    /// Returns true if routes are being exchanged.
    pub fn is_established(&self) -> bool {
        matches!(self.state, StateKind::Established)
    }

    /// The time for which the session has been up.
    pub fn uptime(&self) -> Option<Duration> {
        self.is_established().then(|| clock::now().saturating_duration_since(self.since))
    }

    /// The time for which the peer has been in its state.
    pub fn time_in_state(&self) -> Duration {
        clock::now().saturating_duration_since(self.since)
    }

    /// The time that a timer has left, if it runs.
    pub fn time_left(&self, timer: PeerTimer) -> Option<Duration> {
        let running = self.timers.iter().find(|running| running.timer == timer)?;
        Some(running.left(clock::now()))
    }

    /// The reason why there is no session, or why there was none before this one, in words for an operator: the
    /// [more informative](Self::last_error) error, followed by the latest failure if that is another.
    pub fn reason(&self) -> Option<String> {
        let error = self.last_error.as_ref()?;
        match &self.last_failure {
            Some(failure) if failure != error => Some(format!("{error}; since then: {failure}")),
            _ => Some(error.to_string()),
        }
    }
}
