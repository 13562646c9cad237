//! [`PeerStatus`]: the latest facts about one peer.

use std::{sync::Arc, time::Instant};

use bgp_core::{
    Asn,
    fsm::{DownReason, Negotiated, StateKind},
    peer::{Endpoints, PeerStats},
};

use crate::PeerId;

/// What is known of a peer at one moment. It is a fact, never a backlog: who looks late sees the
/// latest.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Which peer.
    pub peer: PeerId,
    /// The AS expected of it.
    pub remote_asn: Asn,
    /// Where the peer's state machine stands; with two connections, the one that is further.
    pub state: StateKind,
    /// When that state was entered.
    pub since: Instant,
    /// What both sides agreed on, while the session is Established.
    pub negotiated: Option<Arc<Negotiated>>,
    /// The ends of the Established session's connection.
    pub endpoints: Option<Endpoints>,
    /// Why the last session ended, if one did.
    pub last_down: Option<DownReason>,
    /// Why the last attempt failed that never got to a session, since the last session came up.
    pub last_failure: Option<DownReason>,
    /// The counters. They are brought up to date with every event of the peer, but a new value
    /// alone wakes nobody who waits for a change.
    pub stats: PeerStats,
}

impl PeerStatus {
    /// Whether routes are being exchanged.
    pub fn is_established(&self) -> bool {
        matches!(self.state, StateKind::Established)
    }
}
