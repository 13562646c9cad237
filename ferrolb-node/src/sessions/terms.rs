//! What a session is to be: with whom, on which terms, and what it announces.
//!
//! Turns a configured [`Peer`] into the terms that `bgp_session` knows. Opens nothing.

use std::fmt;
use std::net::SocketAddr;

use bgp_session::bfd::BfdProfile;
use bgp_session::{AfiSafi, Asn, BgpIdentifier, InterfacePeer, PeerConfig, RemoteAs, RouteSet};

use lb_adapter::model::{self, DisabledCapability, Peer, PeerAddress, PeerAsn};

/// Which session: a node's to a configured peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct SessionKey {
    /// The node's name.
    pub node: String,
    /// The peer's name.
    pub peer: String,
}

impl SessionKey {
    /// The session of this node with this peer.
    pub fn new(node: impl Into<String>, peer: impl Into<String>) -> Self {
        Self { node: node.into(), peer: peer.into() }
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.node, self.peer)
    }
}

/// With whom a session is, and what to agree with them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a peer has an address or is at the end of a link")]
pub enum Remote {
    /// The router at an address.
    Address(PeerConfig),
    /// Whichever router is at the other end of an interface.
    Interface(InterfacePeer),
}

impl Remote {
    /// Changes the terms.
    #[must_use]
    pub fn config(self, change: impl FnOnce(PeerConfig) -> PeerConfig) -> Self {
        match self {
            Self::Address(config) => Self::Address(change(config)),
            Self::Interface(peer) => Self::Interface(peer.config(change)),
        }
    }

    /// The terms; of a peer by interface the address is nobody's.
    pub fn terms(&self) -> &PeerConfig {
        match self {
            Self::Address(config) => config,
            Self::Interface(peer) => peer.terms(),
        }
    }

    /// Returns true if the other one is the same router, on any terms.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Address(one), Self::Address(other)) => one.id() == other.id(),
            (Self::Interface(one), Self::Interface(other)) => one.interface() == other.interface(),
            _ => false,
        }
    }
}

/// What is settled when a session is opened. Some of it can be changed while it is up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// The node's AS.
    pub asn: Asn,
    /// The node's BGP Identifier.
    pub identifier: BgpIdentifier,
    /// How to reach the peer, and what to agree with it.
    pub remote: Remote,
}

impl Terms {
    /// These terms.
    pub fn new(asn: Asn, identifier: BgpIdentifier, remote: Remote) -> Self {
        Self { asn, identifier, remote }
    }

    /// Returns the peer with AS and BGP Identifier as values of its own, so that they can be changed with the rest.
    pub(super) fn whole(&self) -> Remote {
        let (asn, identifier) = (self.asn, self.identifier);
        self.remote.clone().config(|config| config.local_asn(asn).identifier(identifier))
    }
}

/// A session as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// Its terms.
    pub terms: Terms,
    /// All that is announced over it.
    pub routes: RouteSet,
}

impl Wanted {
    /// A session of these terms that announces these routes.
    pub fn new(terms: Terms, routes: RouteSet) -> Self {
        Self { terms, routes }
    }
}

/// How to reach a peer and what to agree with it, as it is configured; where to dial from is left to the caller
/// unless the configuration says it.
pub fn remote(peer: &Peer, bfd: Option<&model::BfdProfile>) -> Remote {
    let remote_as = match peer.peer_asn {
        PeerAsn::Number(asn) => RemoteAs::Number(asn),
        PeerAsn::Internal => RemoteAs::Internal,
        PeerAsn::External => RemoteAs::External,
    };
    let remote = match &peer.address {
        PeerAddress::Ip(address) => {
            let address = SocketAddr::new(*address, peer.port);
            Remote::Address(PeerConfig::new(address, remote_as))
        }
        PeerAddress::Interface(name) => Remote::Interface(
            InterfacePeer::new(name, remote_as).config(|config| config.port(peer.port)),
        ),
    };
    remote.config(|config| agreed(config, peer, bfd))
}

/// What a peer's configuration says beyond who it is and where.
pub fn agreed(config: PeerConfig, peer: &Peer, bfd: Option<&model::BfdProfile>) -> PeerConfig {
    let mut config = config.hold_time(peer.hold_time);
    if let Some(time) = peer.keepalive_time {
        config = config.keepalive_time(time);
    }
    if let Some(time) = peer.connect_time {
        config = config.connect_retry(time);
    }
    if let Some(source) = peer.source_address {
        config = config.local_address(source);
    }
    if let Some(password) = &peer.password {
        config = config.password(password.reveal());
    }
    if peer.graceful_restart {
        // At every start: whether this process has been here before is not known for sure, and a router that never
        // heard of it learns no more than not to wait for our End-of-RIB (RFC 4724, section 4.2).
        config = config.graceful_restart().restarted();
    }
    config = without(config, &peer.without_capabilities);
    // What is at the other end of a link is one hop away.
    if peer.ebgp_multihop && peer.address.ip().is_some() {
        config = config.multihop(u8::MAX);
    }
    match bfd {
        Some(profile) => config.bfd(bfd_profile(profile)),
        None => config,
    }
}

/// Offers what is left.
fn without(config: PeerConfig, left_out: &[DisabledCapability]) -> PeerConfig {
    left_out.iter().fold(config, |config, it| match it {
        DisabledCapability::All => config.without_capabilities(),
        DisabledCapability::Ipv4Unicast => config.families([AfiSafi::IPV6_UNICAST]),
        DisabledCapability::Ipv6Unicast => config.families([AfiSafi::IPV4_UNICAST]),
        DisabledCapability::RouteRefresh => config.route_refresh(false),
        DisabledCapability::ExtendedNextHop => config.extended_next_hop(false),
        DisabledCapability::ExtendedMessage => config.extended_messages(false),
        DisabledCapability::FourOctetAs => config.two_octet_as(),
        DisabledCapability::EnhancedRouteRefresh => config.enhanced_refresh(false),
    })
}

fn bfd_profile(profile: &model::BfdProfile) -> BfdProfile {
    let bfd = BfdProfile::new()
        .receive_interval(profile.receive_interval)
        .transmit_interval(profile.transmit_interval)
        .multiplier(profile.detect_multiplier)
        .minimum_ttl(profile.minimum_ttl);
    if profile.passive_mode { bfd.passive() } else { bfd }
}
