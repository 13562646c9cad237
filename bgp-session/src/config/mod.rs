//! [`PeerConfig`]: everything that can be configured of one peer.
//!
//! It has a part for the protocol, a [`ProtocolConfig`], and a part for the sockets, a [`TransportConfig`]. All of its
//! setters are here, by topic:
//!
//! * `session`: the two ends, the connection, and the timers;
//! * `capabilities`: what our OPEN offers;
//! * `routes`: policies, next hops and limits;
//! * `transport` and `authentication`: the options of the sockets, and the keys that sign segments.
//!
//! `check` refuses values that make no sense, when the peer is added or changed and not before. `update` compares two
//! configurations.
//! Nothing here opens a socket or runs a session.

use std::{net::SocketAddr, sync::Arc};

use bgp_core::{
    Asn, BgpIdentifier,
    fsm::RemoteAs,
    peer::{ConfigChange, PeerSettings},
};

use crate::{PeerAddress, PeerId, bfd::BfdProfile};

mod authentication;
mod capabilities;
mod check;
mod protocol;
mod routes;
mod session;
mod transport;
mod update;

pub use authentication::{AoAlgorithm, AoKey, Password};
pub use update::Updated;

pub(crate) use transport::TransportConfig;
pub(crate) use update::{ResetPolicy, changes};

use protocol::ProtocolConfig;

/// The configuration of one peer: how to reach it, and what to agree on with it.
///
/// ```
/// use std::time::Duration;
/// use bgp_session::{Asn, PeerConfig};
///
/// let router: std::net::IpAddr = "192.0.2.1".parse()?;
/// let config = PeerConfig::new(router, Asn(64_500))
///     .hold_time(Duration::from_secs(30))
///     .password("s3cret");
/// # let _ = config;
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// Two configurations are equal when nothing needs to change between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    pub(crate) address: PeerAddress,
    pub(crate) protocol: ProtocolConfig,
    pub(crate) transport: TransportConfig,
    pub(crate) bfd: Option<BfdProfile>,
    /// The name of the peer in the log.
    pub(crate) name: Option<Arc<str>>,
}

impl PeerConfig {
    /// A peer at `address` (an IP address, or a socket address when its port is not 179) whose AS
    /// is `remote_as`: a number, or one of [`RemoteAs`]. Everything else has the defaults that the methods below name.
    pub fn new(address: impl Into<PeerAddress>, remote_as: impl Into<RemoteAs>) -> Self {
        Self {
            address: address.into(),
            protocol: ProtocolConfig::new(remote_as.into()),
            transport: TransportConfig::default(),
            bfd: None,
            name: None,
        }
    }

    /// Sets the TCP port to dial. Default: 179, or the one in the address.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.address = PeerAddress::new(self.address.id(), port);
        self
    }

    /// Sets the name that the peer's log lines have beside the address. Default: none.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Monitors the peer with BFD (RFC 5880); see [`bfd`](crate::bfd) for the effect. Default: no BFD.
    #[must_use]
    pub fn bfd(mut self, profile: BfdProfile) -> Self {
        self.bfd = Some(profile);
        self
    }

    /// The peer's name within a speaker.
    pub fn id(&self) -> PeerId {
        self.address.id()
    }

    /// The address and port to dial.
    pub fn address(&self) -> SocketAddr {
        self.address.socket_addr()
    }

    /// The AS expected of the peer.
    pub fn remote_as(&self) -> RemoteAs {
        self.protocol.remote_as()
    }

    /// The values in which `new` differs, each with the time when it takes effect, as
    /// [`PeerHandle::update`](crate::PeerHandle::update) would report them. The address is not among them, because a
    /// different address means a different peer. A value that only one of the two configurations sets counts as changed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bgp_session::{Asn, PeerConfig, TakesEffect};
    ///
    /// let router: std::net::IpAddr = "192.0.2.1".parse()?;
    /// let before = PeerConfig::new(router, Asn(64_500));
    /// let after = before.clone().hold_time(Duration::from_secs(30)).password("s3cret");
    /// let changes: Vec<_> =
    ///     before.changes(&after).iter().map(|change| (change.field, change.takes_effect)).collect();
    /// assert_eq!(changes, [("hold_time", TakesEffect::NextSession), ("password", TakesEffect::Reset)]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn changes(&self, new: &Self) -> Vec<ConfigChange> {
        // Any speaker will do, as long as it is the same for both.
        let (asn, identifier) = (Asn::ZERO, BgpIdentifier::new(0, 0, 0, 0));
        let old_settings = self.settings(asn, identifier, 0);
        let new_settings = new.settings(asn, identifier, 0);

        changes((self, &old_settings), (new, &new_settings))
    }

    /// The core's settings for a peer of the speaker with this AS and identifier. `jitter_seed` is for a peer whose
    /// configuration names none.
    pub(crate) fn settings(
        &self,
        asn: Asn,
        identifier: BgpIdentifier,
        jitter_seed: u64,
    ) -> PeerSettings {
        self.protocol.for_speaker(asn, identifier, jitter_seed)
    }

    /// A copy for the peer at another address, on the same port.
    pub(crate) fn at(&self, peer: PeerId) -> Self {
        Self { address: PeerAddress::new(peer, self.address.port()), ..self.clone() }
    }
}
