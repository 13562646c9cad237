//! What a [`Peer`](crate::peer::Peer) asks of its driver, and reports.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::fsm::{DownReason, Negotiated, StateKind};
use crate::rib::Nlri;
use crate::wire::PathAttributes;
use crate::{AfiSafi, Direction};

/// Something to do or to know, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Open a TCP connection to the peer, and answer with [`Peer::connected`](crate::peer::Peer::connected) or
    /// [`Peer::disconnected`](crate::peer::Peer::disconnected), [`Direction::Outgoing`].
    Connect,
    /// Write what [`Peer::poll_transmit`](crate::peer::Peer::poll_transmit) still has for this connection, then
    /// close it, or give up the attempt to make it. The peer has forgotten it: report nothing of it any more.
    Close(Direction),
    /// The state of the peer, which is that of the connection nearest to a session, changed.
    StateChange {
        /// Before.
        from: StateKind,
        /// After.
        to: StateKind,
    },
    /// The session is up.
    Up(Box<Negotiated>),
    /// The session that was up has ended.
    Down(DownReason),
    /// An attempt to get a session failed; nothing was lost.
    Failed(DownReason),
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
    /// The peer has announced all its routes of this family (End-of-RIB, RFC 4724, section 2).
    EndOfRib(AfiSafi),
    /// The Adj-RIB-In changed; only with [`Import::Keep`](crate::peer::Import::Keep).
    Received(ReceivedRoutes),
}

/// What one UPDATE, or the end of a session, changed in the Adj-RIB-In.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a route comes or goes")]
pub struct ReceivedRoutes {
    /// New routes, and known ones with other attributes.
    pub announced: Vec<(Nlri, Arc<PathAttributes>)>,
    /// Routes that are no more.
    pub withdrawn: Vec<Nlri>,
}

/// Both ends of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a connection has two ends")]
pub struct Endpoints {
    /// Our end: its address is the next hop of routes that have none of their own.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
}

/// A connection that is not wanted: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The peer is stopped.
    Stopped,
    /// The peer sent too many prefixes, and is left alone for a time.
    Paused,
    /// Only we open connections to this peer.
    NotAwaited,
    /// There is a connection of this direction already.
    Busy,
    /// The connection before it has just been given up for it: do what [`Peer::poll_output`] says, which closes
    /// that one, then offer this one again. To close it too does no harm but the time until the peer's next.
    ///
    /// [`Peer::poll_output`]: crate::peer::Peer::poll_output
    OfferAgain,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "the peer is stopped",
            Self::Paused => "the peer sent too many prefixes and is left alone for a time",
            Self::NotAwaited => "only we open connections to the peer",
            Self::Busy => "the peer has a connection of this direction already",
            Self::OfferAgain => "the connection before it has to be closed first",
        })
    }
}

impl std::error::Error for Refused {}
