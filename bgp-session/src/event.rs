//! [`Event`]: the changes at the speaker's peers, in order, for logs and reactions.
//!
//! A slow reader may miss events, and learns how many. The present facts are in a peer's
//! [`PeerStatus`](crate::PeerStatus).

use std::{fmt, sync::Arc};

use bgp_core::{
    AfiSafi,
    fsm::{DownReason, Negotiated, StateKind},
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{DrainStage, PeerId, Updated, bfd};

/// A change at a peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The peer.
    pub peer: PeerId,
    /// The change.
    pub kind: EventKind,
}

/// The kinds of changes at a peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The peer was added to the speaker.
    Added,
    /// The session is Established with these values.
    Up(Arc<Negotiated>),
    /// The session ended. Both sides drop the routes that were announced over it, unless graceful restart keeps them.
    Down(DownReason),
    /// An attempt to get a session failed.
    Failed(DownReason),
    /// The state machine entered another state.
    StateChange {
        /// The state before.
        from: StateKind,
        /// The state after.
        to: StateKind,
    },
    /// The peer's BFD session changed its state.
    Bfd(bfd::Transition),
    /// The routes that cannot be sent on the session have changed: [`PeerHandle::unsendable`] lists them, with the reasons.
    ///
    /// [`PeerHandle::unsendable`]: crate::PeerHandle::unsendable
    Unsendable {
        /// The number of such routes now.
        routes: usize,
    },
    /// The peer has announced all its routes of this family (End-of-RIB, RFC 4724): its part of the Loc-RIB is complete.
    EndOfRib(AfiSafi),
    /// Received routes changed, see [`Speaker::loc_rib`](crate::Speaker::loc_rib). Only from peers
    /// with [`Import::Keep`](crate::Import::Keep).
    RoutesChanged {
        /// The number of new and replaced routes.
        announced: usize,
        /// The number of withdrawn routes.
        withdrawn: usize,
    },
    /// The peer has sent so many prefixes of a family that its limit is near, or reached (RFC 4486). Reported once, and
    /// again only after the number has fallen.
    PrefixWarning {
        /// The family.
        family: AfiSafi,
        /// The number of prefixes that are kept.
        held: u32,
        /// The limit.
        limit: u32,
    },
    /// A [drain](crate::Speaker::drain) of the speaker reached this stage at the peer. The changed routes are sent as soon as
    /// the peer accepts them.
    Draining(DrainStage),
    /// The peer asked for our routes of this family again (RFC 2918).
    RefreshRequested(AfiSafi),
    /// A handle acted on the peer, as an operator does.
    Operator(OperatorAction),
    /// The peer's configuration was [changed in place](crate::PeerHandle::update).
    Updated(Arc<Updated>),
    /// The peer's session has ended for good and its connections are closed.
    Removed,
}

/// An action of an operator on one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OperatorAction {
    /// [`PeerHandle::disable`](crate::PeerHandle::disable), with this text.
    Disable(String),
    /// [`PeerHandle::enable`](crate::PeerHandle::enable).
    Enable,
    /// [`PeerHandle::reset`](crate::PeerHandle::reset), with this text.
    Reset(String),
    /// [`PeerHandle::refresh`](crate::PeerHandle::refresh): the peer is asked for its routes of this family.
    Refresh(AfiSafi),
    /// [`PeerHandle::resend`](crate::PeerHandle::resend): the peer gets our routes of this family again.
    Resend(AfiSafi),
}

/// A reader of a speaker's events, from the moment of [`Speaker::events`](crate::Speaker::events).
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: broadcast::Receiver<Event>,
}

impl Events {
    /// Waits for the next event. Returns `None` when the speaker is gone. May be dropped at any time without
    /// loss.
    ///
    /// # Errors
    ///
    /// [`Missed`] if the oldest events were dropped because they were not read in time. The next call returns the
    /// oldest one that is left. Read the peers' status to catch up.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        match self.receiver.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(events)) => Some(Err(Missed { events })),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The number of events that a slow reader has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// The number of events.
    pub events: u64,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events were missed, expected a reader that keeps up", self.events)
    }
}

impl std::error::Error for Missed {}
