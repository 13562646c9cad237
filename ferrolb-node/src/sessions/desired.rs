//! What a node's sessions should be, by its plan: how to reach each peer, from where, and what to announce.
//!
//! Shared by whatever speaks for a real node. Owns no session.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp_session::PeerConfig;

use super::source_address::SourceAddresses;
use super::{SessionKey, Terms, Wanted, remote};
use lb_adapter::engine::{Engine, bgp_identifier};
use lb_adapter::model::{IpFamily, Peer};
use lb_adapter::planner::{PeerPlan, Plan};

/// The sessions of every node that is planned for.
pub fn sessions(engine: &Engine, sources: &mut SourceAddresses) -> BTreeMap<SessionKey, Wanted> {
    let sessions = engine.sessions().map(|(plan, peer_plan)| {
        let key = SessionKey::new(plan.node(), &peer_plan.peer.name);
        (key, session(sources, plan, peer_plan))
    });
    sessions.collect()
}

fn session(sources: &mut SourceAddresses, plan: &Plan, peer_plan: &PeerPlan) -> Wanted {
    let peer = &peer_plan.peer;
    let address = peer.address.ip().filter(|_| peer.source_address.is_none());
    // Sessions of an interface run between its link-local addresses.
    let source = address.and_then(|it| sources.for_peer(&plan.context.node.addresses, it));
    Wanted::new(terms(plan, peer, source), peer_plan.route_set())
}

/// Returns the terms of a node's session with a peer. It is dialled from `source` if the configuration names no address.
pub fn terms(plan: &Plan, peer: &Peer, source: Option<IpAddr>) -> Terms {
    let configuration = plan.context.config.as_ref();
    let bfd = peer.bfd_profile.as_ref().zip(configuration);
    let bfd = bfd.and_then(|(name, configuration)| configuration.bfd_profile(name));
    let mut remote = remote(peer, bfd);
    if let Some(source) = source {
        remote = remote.config(|config| config.local_address(source));
    }
    if peer.dual_stack
        && let Some(address) = peer.address.ip()
    {
        remote = remote.config(|config| other_next_hop(config, plan, IpFamily::of(address)));
    }
    Terms::new(peer.shown_asn(), bgp_identifier(&plan.context.node, peer), remote)
}

/// The address of a session cannot be the next hop of routes of the other family: that is the node's then. IPv4 routes
/// without one have the session's IPv6 address all the same, where the router takes that (RFC 8950).
fn other_next_hop(config: PeerConfig, plan: &Plan, session: IpFamily) -> PeerConfig {
    let addresses = &plan.context.node.addresses;
    match addresses.iter().find(|address| IpFamily::of(**address) != session) {
        Some(IpAddr::V4(address)) => config.next_hop_ipv4(*address),
        Some(IpAddr::V6(address)) => config.next_hop_ipv6(*address),
        None => config,
    }
}
