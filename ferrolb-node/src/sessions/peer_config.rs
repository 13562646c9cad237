//! Translates a configured [`Peer`] into the peer configuration of `bgp_session`.
//!
//! Pure functions. They open nothing, and do not choose the address to dial from.

use std::net::SocketAddr;

use bgp_session::bfd::BfdProfile;
use bgp_session::{AfiSafi, InterfacePeer, PeerConfig, RemoteAs};

use lb_adapter::model::{self, DisabledCapability, Peer, PeerAddress, PeerAsn};

use super::config::RemotePeer;

/// Returns the router of a configured peer, with the parameters of the session. The address to dial from is set only if
/// the configuration names one.
pub(super) fn remote_peer(peer: &Peer, bfd: Option<&model::BfdProfile>) -> RemotePeer {
    let remote_as = match peer.peer_asn {
        PeerAsn::Number(asn) => RemoteAs::Number(asn),
        PeerAsn::Internal => RemoteAs::Internal,
        PeerAsn::External => RemoteAs::External,
    };

    let remote = match &peer.address {
        PeerAddress::Ip(address) => {
            let address = SocketAddr::new(*address, peer.port);
            RemotePeer::Address(PeerConfig::new(address, remote_as))
        }
        PeerAddress::Interface(name) => RemotePeer::Interface(
            InterfacePeer::new(name, remote_as).config(|config| config.port(peer.port)),
        ),
    };
    remote.map_config(|config| with_session_parameters(config, peer, bfd))
}

/// Adds everything that a peer's configuration says about its session: timers, source address, password, capabilities,
/// hops and BFD.
pub fn with_session_parameters(
    config: PeerConfig,
    peer: &Peer,
    bfd: Option<&model::BfdProfile>,
) -> PeerConfig {
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
        // Set at every start, since this process does not know if it ran here before. To a router that has never had a
        // session with it, the bit only says not to wait for its End-of-RIB (RFC 4724, section 4.2).
        config = config.graceful_restart().restarted();
    }
    for capability in &peer.without_capabilities {
        config = without_capability(config, *capability);
    }

    // The router at the other end of a link is one hop away.
    if peer.ebgp_multihop && peer.address.ip().is_some() {
        config = config.multihop(u8::MAX);
    }
    match bfd {
        Some(profile) => config.bfd(bfd_profile(profile)),
        None => config,
    }
}

fn without_capability(config: PeerConfig, capability: DisabledCapability) -> PeerConfig {
    match capability {
        DisabledCapability::All => config.without_capabilities(),
        DisabledCapability::Ipv4Unicast => config.families([AfiSafi::IPV6_UNICAST]),
        DisabledCapability::Ipv6Unicast => config.families([AfiSafi::IPV4_UNICAST]),
        DisabledCapability::RouteRefresh => config.route_refresh(false),
        DisabledCapability::ExtendedNextHop => config.extended_next_hop(false),
        DisabledCapability::ExtendedMessage => config.extended_messages(false),
        DisabledCapability::FourOctetAs => config.two_octet_as(),
        DisabledCapability::EnhancedRouteRefresh => config.enhanced_refresh(false),
    }
}

fn bfd_profile(profile: &model::BfdProfile) -> BfdProfile {
    let bfd = BfdProfile::new()
        .receive_interval(profile.receive_interval)
        .transmit_interval(profile.transmit_interval)
        .multiplier(profile.detect_multiplier)
        .minimum_ttl(profile.minimum_ttl);
    if profile.passive_mode { bfd.passive() } else { bfd }
}
