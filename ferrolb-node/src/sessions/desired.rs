//! The sessions that a node's plan asks for: each with its configuration and its routes.
//!
//! Every program that announces routes from a real node uses this. Opens no session.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_session::{PeerConfig, RouteSet};

use lb_adapter::engine::{Engine, bgp_identifier};
use lb_adapter::model::{IpFamily, Peer};
use lb_adapter::planner::{PeerPlan, Plan};

use super::config::SessionConfig;
use super::key::SessionKey;
use super::peer_config::remote_peer;
use super::source_address::SourceAddresses;

/// The desired configuration and routes of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DesiredSession {
    /// The configuration of the session.
    pub config: SessionConfig,
    /// All routes to announce over it.
    pub routes: RouteSet,
}

impl DesiredSession {
    /// Returns a session with this configuration that announces these routes.
    pub fn new(config: SessionConfig, routes: RouteSet) -> Self {
        Self { config, routes }
    }
}

/// Returns the desired sessions of every node that the engine plans for.
pub fn desired_sessions(
    engine: &Engine,
    sources: &mut SourceAddresses,
) -> BTreeMap<SessionKey, DesiredSession> {
    let mut sessions = BTreeMap::new();
    for (plan, peer_plan) in engine.sessions() {
        let key = SessionKey::new(plan.node(), &peer_plan.peer.name);
        sessions.insert(key, desired_session(plan, peer_plan, sources));
    }
    sessions
}

fn desired_session(
    plan: &Plan,
    peer_plan: &PeerPlan,
    sources: &mut SourceAddresses,
) -> DesiredSession {
    let peer = &peer_plan.peer;
    // The session of an interface runs between its link-local addresses.
    let source = match peer.address.ip() {
        Some(address) if peer.source_address.is_none() => {
            sources.for_peer(&plan.context.node.addresses, address)
        }
        _ => None,
    };
    DesiredSession::new(session_config(plan, peer, source), peer_plan.route_set())
}

/// Returns the configuration of a node's session with a peer. The node dials from `source` if the peer's configuration
/// names no address.
pub fn session_config(plan: &Plan, peer: &Peer, source: Option<IpAddr>) -> SessionConfig {
    let config = plan.context.config.as_ref();
    let bfd = peer.bfd_profile.as_ref().zip(config);
    let bfd = bfd.and_then(|(name, config)| config.bfd_profile(name));

    let mut remote = remote_peer(peer, bfd);
    if let Some(source) = source {
        remote = remote.map_config(|config| config.local_address(source));
    }
    if peer.dual_stack
        && let Some(address) = peer.address.ip()
    {
        remote = remote.map_config(|config| {
            with_next_hop_of_other_family(config, plan, IpFamily::of(address))
        });
    }
    SessionConfig::new(peer.shown_asn(), bgp_identifier(&plan.context.node, peer), remote)
}

/// Sets the next hop of the family that the session's addresses do not have: the node's address of that family. If the
/// node has no IPv4 address, IPv4 routes use the session's IPv6 address where the router accepts that (RFC 8950).
fn with_next_hop_of_other_family(config: PeerConfig, plan: &Plan, session: IpFamily) -> PeerConfig {
    let addresses = &plan.context.node.addresses;
    match addresses.iter().find(|address| IpFamily::of(**address) != session) {
        Some(IpAddr::V4(address)) => config.next_hop_ipv4(*address),
        Some(IpAddr::V6(address)) => config.next_hop_ipv6(*address),
        None => config,
    }
}
