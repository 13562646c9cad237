//! What can go wrong between an embedder and its speaker.
//!
//! This is about requests that can't be met. What goes wrong between two routers is not an error
//! of a call: it is a [`DownReason`](crate::DownReason) in the peer's status and events.

use std::{io, net::SocketAddr};

use ipnet::IpNet;

use crate::PeerId;

/// A request to a [`Speaker`](crate::Speaker) or a [`PeerHandle`](crate::PeerHandle) that was not
/// met. The text names what was asked for and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakerError {
    /// The address to listen on could not be bound.
    #[error("cannot listen on {address}, expected a free local address: {source}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// One value of the speaker itself makes no sense.
    #[error("{field} is {value}, expected {expected}")]
    Speaker {
        /// The name of the builder's argument.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// One value of a [`PeerConfig`](crate::PeerConfig) makes no sense.
    #[error("peer {peer}: {field} is {value}, expected {expected}")]
    PeerConfig {
        /// The peer it is for.
        peer: PeerId,
        /// The name of the builder method.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// The speaker has a live peer of that address already.
    ///
    /// An incoming connection is told from others by its source address alone, therefore there is
    /// one peer per address.
    #[error("peer {peer} exists already, expected an address that no other peer has")]
    PeerExists {
        /// The address in question.
        peer: PeerId,
    },
    /// The speaker has a range of peers of that prefix already.
    #[error("the range {prefix} exists already, expected a prefix that no other range has")]
    RangeExists {
        /// The prefix in question.
        prefix: IpNet,
    },
    /// The listening socket refused the peer's password (RFC 2385) or keys (RFC 5925).
    #[error(
        "peer {peer}: the listener {listener} doesn't take the peer's authentication: {source}"
    )]
    Password {
        /// The peer whose authentication it is.
        peer: PeerId,
        /// The listening socket's address.
        listener: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system has an option of the peer's sockets not, or refuses its value.
    #[error("peer {peer}: the system refuses an option of the peer's sockets: {source}")]
    Socket {
        /// The peer whose option it is.
        peer: PeerId,
        /// What the system said.
        source: io::Error,
    },
    /// A neighbour on an interface can't be looked for.
    #[error("interface {interface}: {source}")]
    Interface {
        /// The interface's name.
        interface: String,
        /// What the system said.
        source: io::Error,
    },
    /// The peer's session has been ended for good by `shutdown`, here or through another handle.
    #[error("peer {peer} has been shut down, expected a peer that is still configured")]
    PeerShutDown {
        /// The peer asked for.
        peer: PeerId,
    },
    /// The speaker has been shut down.
    #[error("the speaker has been shut down, expected a running one")]
    SpeakerShutDown,
}
