//! [`PeerStatus`]: the latest facts about one peer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bgp_core::{
    fsm::{DownReason, Negotiated, RemoteAs, StateKind},
    peer::{Endpoints, PeerStats},
};

use crate::{DrainStage, PeerId, bfd, clock};

/// What is known of a peer at one moment. It is a fact, never a backlog: who looks late sees the
/// latest.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Which peer.
    pub peer: PeerId,
    /// The AS expected of it.
    pub remote_as: RemoteAs,
    /// Whether handles have [disabled](crate::PeerHandle::disable) it.
    pub disabled: bool,
    /// How far a [drain](crate::Speaker::drain) of the speaker has come here.
    pub drain: DrainStage,
    /// Where the peer's state machine stands; with two connections, the one that is further.
    pub state: StateKind,
    /// When that state was entered: in [`StateKind::Established`] the session's uptime counts from here.
    pub since: Instant,
    /// What both sides agreed on, while the session is Established.
    pub negotiated: Option<Arc<Negotiated>>,
    /// The ends of the Established session's connection.
    pub endpoints: Option<Endpoints>,
    /// Why the last session ended, if one did.
    pub last_down: Option<DownReason>,
    /// When it ended.
    pub down_since: Option<Instant>,
    /// Why the last attempt failed that never got to a session, since the last session came up.
    pub last_failure: Option<DownReason>,
    /// The most telling of the two reasons above. A connection that TCP ended does not replace what a NOTIFICATION said
    /// before: a router that has shut a session down (RFC 9003) or refused it closes the next connections without one. The
    /// end of a session replaces it in any case.
    pub last_error: Option<DownReason>,
    /// The state of the peer's BFD session, if it has one; [`PeerHandle::bfd`](crate::PeerHandle::bfd) knows
    /// the rest.
    pub bfd: Option<bfd::State>,
    /// The counters. They are brought up to date with every event of the peer, but a new value
    /// alone wakes nobody who waits for a change.
    pub stats: PeerStats,
    /// Octets composed for the peer that its connections have not taken yet: they stay where the peer does not read. As up
    /// to date as `stats`.
    pub octets_waiting: usize,
    /// How many routes the peer should have that the session cannot carry; [`PeerHandle::unsendable`] lists them, with
    /// the reasons. 0 while no session is up.
    ///
    /// [`PeerHandle::unsendable`]: crate::PeerHandle::unsendable
    pub unsendable: usize,
    /// How many routes are held of the peer: [`Import::Keep`](crate::Import::Keep) only. As up to date as `stats`.
    pub prefixes_held: usize,
}

impl PeerStatus {
    /// Whether routes are being exchanged.
    pub fn is_established(&self) -> bool {
        matches!(self.state, StateKind::Established)
    }

    /// For how long the session has been up.
    pub fn uptime(&self) -> Option<Duration> {
        self.is_established().then(|| clock::now().saturating_duration_since(self.since))
    }
}
