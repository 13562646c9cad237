//! The requests and reports of a [`Peer`](crate::peer::Peer) to its driver.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::fsm::{DownReason, Negotiated, StateKind};
use crate::rib::Nlri;
use crate::wire::PathAttributes;
use crate::{AfiSafi, Direction};

/// A request or a report. Outputs are handled in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Open a TCP connection to the peer, and call [`Peer::connected`](crate::peer::Peer::connected) or
    /// [`Peer::disconnected`](crate::peer::Peer::disconnected) with [`Direction::Outgoing`].
    Connect,
    /// Write the messages that [`Peer::poll_transmit`](crate::peer::Peer::poll_transmit) still returns for this connection,
    /// then close it or abandon the attempt to open it. The peer has forgotten it, so report nothing more about it.
    Close(Direction),
    /// The state of the peer changed. It is the state of the connection that is closest to a session.
    StateChange {
        /// The old state.
        from: StateKind,
        /// The new state.
        to: StateKind,
    },
    /// The session is up.
    Up(Box<Negotiated>),
    /// An Established session has ended.
    Down(DownReason),
    /// An attempt to establish a session failed. No routes are lost.
    Failed(DownReason),
    /// The number of prefixes of a family is near its limit, or has reached it (RFC 4486). Reported once, and again only
    /// after the number has fallen.
    PrefixWarning {
        /// The family.
        family: AfiSafi,
        /// The number of prefixes held.
        held: u32,
        /// The number of prefixes allowed.
        limit: u32,
    },
    /// The peer has announced all its routes of this family (End-of-RIB, RFC 4724, section 2).
    EndOfRib(AfiSafi),
    /// The peer asked for our routes of this family again (RFC 2918). They follow.
    RefreshRequested(AfiSafi),
    /// A whole message has arrived on this connection, also a malformed one. What it causes is reported after it. Only after
    /// [`Peer::report_messages`](crate::peer::Peer::report_messages).
    MessageReceived(Direction, Bytes),
    /// The Adj-RIB-In changed. Only with [`Import::Keep`](crate::peer::Import::Keep).
    Received(ReceivedRoutes),
}

/// The changes that UPDATEs, or the end of a session, made to the Adj-RIB-In. The removed routes were removed before the others
/// were added. Changes that were made together are in the order of prefixes, so that another table can make them as fast. A route
/// that changed several times is there as often, the last time last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a route comes or goes")]
pub struct ReceivedRoutes {
    /// New routes, and known routes with changed attributes.
    pub announced: Vec<(Nlri, Arc<PathAttributes>)>,
    /// Removed routes.
    pub withdrawn: Vec<Nlri>,
}

/// Both ends of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a connection has two ends")]
pub struct Endpoints {
    /// Our end. Its address is the next hop of routes that have none of their own.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
}

/// The reason to refuse a new connection, which has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionRefused {
    /// The peer is stopped.
    Stopped,
    /// The peer sent too many prefixes, and its sessions are paused.
    Paused,
    /// Connections to this peer are opened only by us.
    NotAwaited,
    /// The peer already has a connection of this direction.
    Busy,
    /// An earlier connection has just given way to this one. Handle [`Peer::poll_output`], which closes the earlier one,
    /// then offer this one again. A driver may also close it and wait for the peer's next attempt.
    ///
    /// [`Peer::poll_output`]: crate::peer::Peer::poll_output
    OfferAgain,
}

impl fmt::Display for ConnectionRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "the peer is stopped",
            Self::Paused => "the peer sent too many prefixes and its sessions are paused",
            Self::NotAwaited => "only we open connections to the peer",
            Self::Busy => "the peer already has a connection of this direction",
            Self::OfferAgain => "the earlier connection has to be closed first",
        })
    }
}

impl std::error::Error for ConnectionRefused {}
