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

/// The facts about a peer at one moment. A late reader sees the latest facts, and misses those in between.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStatus {
    /// The peer.
    pub peer: PeerId,
    /// The AS expected of the peer.
    pub remote_as: RemoteAs,
    /// True if a handle has [disabled](crate::PeerHandle::disable) the peer.
    pub disabled: bool,
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
    /// The reason of the last session's end, if one has ended.
    pub last_down: Option<DownReason>,
    /// The time when it ended.
    pub down_since: Option<Instant>,
    /// The reason of the last failure to get a session, since a session last came up.
    pub last_failure: Option<DownReason>,
    /// The more informative of the two reasons above. If TCP ends a connection, that does not replace the reason of an earlier
    /// NOTIFICATION: a router that has shut a session down (RFC 9003) or refused it closes the next connections without one.
    /// The end of a session always replaces it.
    pub last_error: Option<DownReason>,
    /// The state of the peer's BFD session, if it has one; [`PeerHandle::bfd`](crate::PeerHandle::bfd) returns
    /// the rest.
    pub bfd: Option<bfd::State>,
    /// The counters. They are updated with every event of the peer, but a new value alone does not count as a change of the
    /// status.
    pub stats: PeerStats,
    /// Octets composed for the peer that its connections have not taken yet. Their number stays high if the peer does not
    /// read. As up to date as `stats`.
    pub octets_waiting: usize,
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
}
