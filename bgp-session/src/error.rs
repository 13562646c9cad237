//! [`SpeakerError`]: the errors of calls to a speaker or a handle.
//!
//! A problem between two routers is not an error of a call. It is a [`DownReason`](crate::DownReason) in the peer's status
//! and events.

use std::{io, net::SocketAddr};

use bgp_core::{AfiSafi, peer::RefreshError};
use ipnet::IpNet;

use crate::PeerId;

/// A request to a [`Speaker`](crate::Speaker) or a [`PeerHandle`](crate::PeerHandle) that failed. The text names the value
/// in question and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakerError {
    /// The address to listen on could not be bound.
    #[error("cannot listen on {address}, expected a free local address: {source}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// One value of the speaker itself makes no sense.
    #[error("{field} is {value}, expected {expected}")]
    Speaker {
        /// The name of the builder's argument.
        field: &'static str,
        /// The refused value.
        value: String,
        /// A description of the accepted values.
        expected: &'static str,
    },
    /// One value of a [`PeerConfig`](crate::PeerConfig) makes no sense.
    #[error("peer {peer}: {field} is {value}, expected {expected}")]
    PeerConfig {
        /// The peer that the configuration is for.
        peer: PeerId,
        /// The name of the builder method.
        field: &'static str,
        /// The refused value.
        value: String,
        /// A description of the accepted values.
        expected: &'static str,
    },
    /// The speaker has a peer with this address already.
    ///
    /// An incoming connection belongs to the peer with its source address, so there is one peer per address.
    #[error("peer {peer} exists already, expected an address that no other peer has")]
    PeerExists {
        /// The address in question.
        peer: PeerId,
    },
    /// The speaker has a range with this prefix already.
    #[error("the range {prefix} exists already, expected a prefix that no other range has")]
    RangeExists {
        /// The prefix in question.
        prefix: IpNet,
    },
    /// The listening socket refused the peer's password (RFC 2385) or keys (RFC 5925).
    #[error("peer {peer}: the listener {listener} cannot set the peer's authentication: {source}")]
    Password {
        /// The peer with this authentication.
        peer: PeerId,
        /// The listening socket's address.
        listener: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The system does not support an option of the peer's sockets, or refuses its value.
    #[error("peer {peer}: the system refuses an option of the peer's sockets: {source}")]
    Socket {
        /// The peer whose socket it is.
        peer: PeerId,
        /// The system's error.
        source: io::Error,
    },
    /// The search for a neighbour on an interface is impossible.
    #[error("interface {interface}: {source}")]
    Interface {
        /// The interface's name.
        interface: String,
        /// The system's error.
        source: io::Error,
    },
    /// Routes of the peer's session cannot be sent again.
    #[error("peer {peer}: {family} cannot be refreshed: {source}")]
    Refresh {
        /// The peer.
        peer: PeerId,
        /// The family of the routes.
        family: AfiSafi,
        /// The reason.
        source: RefreshError,
    },
    /// The peer is disabled, so that it has no session.
    #[error("peer {peer} is disabled, expected one that is enabled")]
    PeerDisabled {
        /// The peer.
        peer: PeerId,
    },
    /// The peer's session has been ended for good by `shutdown`, here or through another handle.
    #[error("peer {peer} has been shut down, expected a peer that is still configured")]
    PeerShutDown {
        /// The peer that was shut down.
        peer: PeerId,
    },
    /// The speaker has been shut down.
    #[error("the speaker has been shut down, expected a running one")]
    SpeakerShutDown,
}
