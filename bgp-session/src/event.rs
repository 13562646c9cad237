//! [`Event`]: what happened at the speaker's peers, in order, for logs and for those who react.
//!
//! Events are news and may be missed by a slow reader, who is told so. The truth is a peer's
//! [`PeerStatus`](crate::PeerStatus).

use std::{fmt, sync::Arc};

use bgp_core::{
    AfiSafi,
    fsm::{DownReason, Negotiated, StateKind},
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{DrainStage, PeerId, Updated, bfd};

/// Something happened at a peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// At which one.
    pub peer: PeerId,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The peer was added to the speaker.
    Added,
    /// The session is Established with these terms.
    Up(Arc<Negotiated>),
    /// The session ended; what was announced over it is void on both sides.
    Down(DownReason),
    /// An attempt to get a session failed. Nothing was lost.
    Failed(DownReason),
    /// The state machine moved on.
    StateChange {
        /// The state that it left.
        from: StateKind,
        /// The state that it entered.
        to: StateKind,
    },
    /// The peer's BFD session changed its state.
    Bfd(bfd::Transition),
    /// The routes that cannot be sent on the session have changed: [`PeerHandle::unsendable`] lists them, with the reasons.
    ///
    /// [`PeerHandle::unsendable`]: crate::PeerHandle::unsendable
    Unsendable {
        /// How many there are now.
        routes: usize,
    },
    /// The peer has announced all its routes of this family (End-of-RIB, RFC 4724): its part of the Loc-RIB is whole.
    EndOfRib(AfiSafi),
    /// Received routes changed, see [`Speaker::loc_rib`](crate::Speaker::loc_rib). Only from peers
    /// with [`Import::Keep`](crate::Import::Keep).
    RoutesChanged {
        /// How many routes came or were replaced.
        announced: usize,
        /// How many were taken back.
        withdrawn: usize,
    },
    /// The peer has sent so many prefixes of a family that its limit is near, or reached (RFC 4486). Said once, and
    /// again only after the number has fallen.
    PrefixWarning {
        /// The family.
        family: AfiSafi,
        /// How many are held.
        held: u32,
        /// How many there may be.
        limit: u32,
    },
    /// A [drain](crate::Speaker::drain) of the speaker came so far here. The routes go out from now on, as soon as the
    /// peer takes them.
    Draining(DrainStage),
    /// The peer's configuration was [changed in place](crate::PeerHandle::update).
    Updated(Arc<Updated>),
    /// The peer's session is over for good and its connections are closed.
    Removed,
}

/// A reader of a speaker's events, from the moment of [`Speaker::events`](crate::Speaker::events).
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: broadcast::Receiver<Event>,
}

impl Events {
    /// Waits for the next event; `None` when the speaker is gone. May be dropped at any time without
    /// loss.
    ///
    /// # Errors
    ///
    /// [`Missed`] when the oldest events were dropped because they were not read in time. Reading
    /// goes on with the oldest one that is left; look at the peers' status to catch up.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        match self.receiver.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(events)) => Some(Err(Missed { events })),
            Err(RecvError::Closed) => None,
        }
    }
}

/// That many events were lost to a slow reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// How many.
    pub events: u64,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events were missed, expected a reader that keeps up", self.events)
    }
}

impl std::error::Error for Missed {}
