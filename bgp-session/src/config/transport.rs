//! [`TransportConfig`]: the part of a peer's configuration that is for the sockets, and the setters of socket options.
//!
//! The keys that sign segments are set in `authentication`. The module `socket` applies all of it.

use std::{
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use super::{AoKey, Password};
use crate::PeerConfig;

/// The socket options of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransportConfig {
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) source_ports: Option<RangeInclusive<u16>>,
    pub(crate) device: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) ao_keys: Vec<AoKey>,
    pub(crate) reach: Reach,
    pub(crate) dscp: Option<u8>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
}

/// The distance to the peer, in terms of IP's time to live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The system's time to live.
    #[default]
    Anywhere,
    /// This time to live.
    Ttl(u8),
    /// This time to live, and several hops on the way.
    Multihop(u8),
    /// RFC 5082: a time to live of 255, and packets that have come further than this are dropped.
    Security {
        /// The distance in hops; 1: on the link.
        hops: u8,
    },
}

impl Reach {
    /// The time to live to send with; `None`: the system's.
    pub(crate) fn ttl(self) -> Option<u8> {
        match self {
            Self::Anywhere => None,
            Self::Ttl(ttl) | Self::Multihop(ttl) => Some(ttl),
            Self::Security { .. } => Some(255),
        }
    }

    /// The least time to live to accept; `None`: any.
    pub(crate) fn minimum_ttl(self) -> Option<u8> {
        match self {
            Self::Security { hops } => Some(255 - hops.saturating_sub(1)),
            Self::Anywhere | Self::Ttl(_) | Self::Multihop(_) => None,
        }
    }
}

impl PeerConfig {
    /// Sets the local address to dial from. Default: the one that the routing table selects.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.transport.local_address = Some(address.to_canonical());
        self
    }

    /// Sets the ports to dial from, for firewalls. They are tried in turn, each time starting with a different one. Default:
    /// the system's choice.
    #[must_use]
    pub fn source_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.transport.source_ports = Some(ports);
        self
    }

    /// Sets the interface, or the VRF, through which the peer is reached (`SO_BINDTODEVICE`), by its name. Connections
    /// from the peer's address through another interface are not the peer's. Linux only. Default: any.
    #[must_use]
    pub fn bind_device(mut self, name: impl Into<String>) -> Self {
        self.transport.device = Some(name.into());
        self
    }

    /// Sets the IP time to live (IPv6: hop limit) of our packets, 1 to 255; 1 keeps the session on the link.
    /// Default: the system's, also for an external peer, which may therefore be some hops away. To accept sessions from
    /// the link alone, use [`ttl_security`](Self::ttl_security), which is stronger.
    ///
    /// The last call of this, [`multihop`](Self::multihop) and [`ttl_security`](Self::ttl_security) wins.
    #[must_use]
    pub fn ttl(mut self, hops: u8) -> Self {
        self.transport.reach = Reach::Ttl(hops);
        self
    }

    /// Allows the peer to be up to this many hops away, 1 to 255 (`ebgp-multihop` of routers). This sets the time to live
    /// of our packets, and the kind of BFD (RFC 5883).
    #[must_use]
    pub fn multihop(mut self, hops: u8) -> Self {
        self.transport.reach = Reach::Multihop(hops);
        self
    }

    /// Enables the Generalized TTL Security Mechanism (RFC 5082) for a peer that is `hops` away, 1 on the link: our packets
    /// have a time to live of 255, and the system drops packets that have come further, on accepted connections
    /// too. The peer must enable it as well. Linux only.
    #[must_use]
    pub fn ttl_security(mut self, hops: u8) -> Self {
        self.transport.reach = Reach::Security { hops };
        self
    }

    /// Sets the Differentiated Services Code Point of our packets, 0 to 63. Default: 48, CS6, network control (RFC
    /// 4594 section 3.1).
    #[must_use]
    pub fn dscp(mut self, code_point: u8) -> Self {
        self.transport.dscp = Some(code_point);
        self
    }

    /// Closes a connection when the peer has acknowledged nothing for this long, not even TCP's keepalive probes
    /// (`TCP_USER_TIMEOUT`, RFC 5482). Linux only. Default: ten minutes of unanswered probes. The hold timer
    /// notices a half-open connection sooner; this is for sessions without one.
    #[must_use]
    pub fn user_timeout(mut self, time: Duration) -> Self {
        self.transport.user_timeout = Some(time);
        self
    }

    /// Sets the time to wait for an answer when dialling. Default: three fifths of
    /// [`connect_retry`](Self::connect_retry), so that a peer that never answers is reported as a failure.
    #[must_use]
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.transport.connect_timeout = Some(time);
        self
    }

    /// The time that an attempt to dial should wait for an answer.
    pub fn connect_limit(&self) -> Duration {
        let default = (self.protocol.settings.fsm.connect_retry_time / 5).saturating_mul(3);
        self.transport.connect_timeout.unwrap_or(default)
    }

    /// Returns true if the peer is configured to be some hops away.
    pub(crate) fn is_multihop(&self) -> bool {
        match self.transport.reach {
            Reach::Multihop(_) => true,
            Reach::Security { hops } => hops > 1,
            Reach::Anywhere | Reach::Ttl(_) => false,
        }
    }

    /// Returns true if the session cannot cross a router.
    pub(crate) fn is_on_link(&self) -> bool {
        let link_local = match self.address() {
            SocketAddr::V4(_) => false,
            SocketAddr::V6(v6) => v6.ip().is_unicast_link_local(),
        };
        link_local || matches!(self.transport.reach, Reach::Ttl(1) | Reach::Security { hops: 1 })
    }
}

impl TransportConfig {
    /// Returns true if some of the configured options exist on Linux only.
    pub(super) fn needs_linux(&self) -> bool {
        self.has_authentication()
            || self.device.is_some()
            || self.user_timeout.is_some()
            || self.reach.minimum_ttl().is_some()
    }
}
