//! [`SpeakerError`]: the errors of calls to a speaker or a handle.
//!
//! A problem between two routers is not an error of a call. It is a [`DownReason`](crate::DownReason) in the peer's status
//! and events.

use std::{fmt, io, net::SocketAddr};

use bgp_core::{AfiSafi, peer::RefreshError};
use ipnet::IpNet;

use crate::PeerId;

/// A request to a [`Speaker`](crate::Speaker) or a [`PeerHandle`](crate::PeerHandle) that failed. The text names the value
/// in question and what was expected.
///
/// `{error}` does not include the cause, which is the error's [`source`](std::error::Error::source): a program that prints the
/// whole chain prints each cause once. `{error:#}` includes it:
///
/// ```
/// use bgp_session::{AfiSafi, PeerId, RefreshError, SpeakerError};
///
/// let error = SpeakerError::Refresh {
///     peer: "192.0.2.1".parse()?,
///     family: AfiSafi::IPV4_UNICAST,
///     source: RefreshError::NoSession,
/// };
/// assert_eq!(error.to_string(), "peer 192.0.2.1: ipv4-unicast cannot be refreshed");
/// assert_eq!(
///     format!("{error:#}"),
///     "peer 192.0.2.1: ipv4-unicast cannot be refreshed: no session is up"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpeakerError {
    /// The address to listen on could not be bound.
    #[error(fmt = write_listen)]
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
    #[error(fmt = write_password)]
    Password {
        /// The peer with this authentication.
        peer: PeerId,
        /// The listening socket's address.
        listener: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The system does not support an option of the peer's sockets, or refuses its value.
    #[error(fmt = write_socket)]
    Socket {
        /// The peer whose socket it is.
        peer: PeerId,
        /// The system's error.
        source: io::Error,
    },
    /// The search for a neighbour on an interface is impossible.
    #[error(fmt = write_interface)]
    Interface {
        /// The interface's name.
        interface: String,
        /// The system's error.
        source: io::Error,
    },
    /// Routes of the peer's session cannot be sent again.
    #[error(fmt = write_refresh)]
    Refresh {
        /// The peer.
        peer: PeerId,
        /// The family of the routes.
        family: AfiSafi,
        /// The reason.
        source: RefreshError,
    },
    /// The peer gets the [relayed](crate::PeerConfig::relay) routes of other peers, and no others.
    #[error("peer {peer} gets the routes of other peers, expected one that is given its routes")]
    PeerRelays {
        /// The peer.
        peer: PeerId,
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

fn write_listen(
    address: &SocketAddr,
    source: &io::Error,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "cannot listen on {address}, expected a free local address")?;
    write_cause(source, f)
}

fn write_password(
    peer: &PeerId,
    listener: &SocketAddr,
    source: &io::Error,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "peer {peer}: the listener {listener} cannot set the peer's authentication")?;
    write_cause(source, f)
}

fn write_socket(peer: &PeerId, source: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "peer {peer}: the system refuses an option of the peer's sockets")?;
    write_cause(source, f)
}

fn write_interface(interface: &str, source: &io::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "cannot look for a neighbour on the interface {interface}")?;
    write_cause(source, f)
}

fn write_refresh(
    peer: &PeerId,
    family: &AfiSafi,
    source: &RefreshError,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    write!(f, "peer {peer}: {family} cannot be refreshed")?;
    write_cause(source, f)
}

/// Writes the cause of an error, if the text is the only one that will be printed.
fn write_cause(source: &dyn fmt::Display, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if f.alternate() { write!(f, ": {source}") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn cause() -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, "not permitted")
    }

    #[test]
    fn a_chain_prints_each_cause_once() {
        let (peer, address) = (PeerId::from([192, 0, 2, 1]), "127.0.0.1:179".parse().unwrap());
        let (family, interface) = (AfiSafi::IPV4_UNICAST, "eth0".to_owned());
        let not_up = RefreshError::NoSession;
        for (error, cause) in [
            (SpeakerError::Listen { address, source: cause() }, "not permitted"),
            (SpeakerError::Password { peer, listener: address, source: cause() }, "not permitted"),
            (SpeakerError::Socket { peer, source: cause() }, "not permitted"),
            (SpeakerError::Interface { interface, source: cause() }, "not permitted"),
            (SpeakerError::Refresh { peer, family, source: not_up }, "no session is up"),
        ] {
            let mut chain = vec![error.to_string()];
            let mut next = error.source();
            while let Some(cause) = next {
                chain.push(cause.to_string());
                next = cause.source();
            }
            assert_eq!(chain.len(), 2, "{chain:?}");
            assert_eq!(chain.join(": ").matches(cause).count(), 1, "{chain:?}");
            assert_eq!(format!("{error:#}"), chain.join(": "));
        }
    }
}
