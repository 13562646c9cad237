//! The routers and sessions of a lab, with their loopback addresses.
//!
//! A pure function of the plans and of the loopback addresses in use.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bgp_session::{BgpIdentifier, NextHop, PathAttributes, PeerConfig, RouteSet};
use ferrolb_node::sessions::{
    DesiredSession, RemotePeer, SessionConfig, SessionKey, with_session_parameters,
};
use lb_adapter::engine::{Engine, bgp_identifier};
use lb_adapter::model::{Asn, IpFamily, Peer};
use lb_adapter::planner::{PeerPlan, Plan, session_next_hop};

use super::loopback::{Endpoint, LoopbackAddresses};
use super::routers::{MAX_RETRY, MIN_RETRY, PeerSpec, RouterSpec};

/// The routers and sessions of the plans.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The routers, by their addresses in the configuration.
    pub(super) routers: BTreeMap<SocketAddr, RouterSpec>,
    /// The sessions, in the order of [`dialled_sessions`].
    pub(super) sessions: Vec<LabSession>,
}

/// One session.
#[derive(Clone, Debug)]
pub(super) struct LabSession {
    pub(super) key: SessionKey,
    /// The router, by its address in the configuration.
    pub(super) router: SocketAddr,
    /// The loopback address that the node dials from.
    pub(super) local: Ipv4Addr,
}

impl Layout {
    /// Lays out the routers and sessions of the plans, and frees unused loopback addresses.
    pub(super) fn new(engine: &Engine, loopback: &mut LoopbackAddresses) -> Self {
        let ends = endpoints(engine);
        loopback.retain(|known| ends.iter().any(|(router, node)| [router, node].contains(&known)));

        let mut layout = Self::default();
        for ((plan, peer_plan, address), (router, node)) in dialled_sessions(engine).zip(&ends) {
            let router = loopback.address(router);
            let local = loopback.address(node);
            layout.add(plan, &peer_plan.peer, address, router, local);
        }
        layout
    }

    fn add(
        &mut self,
        plan: &Plan,
        peer: &Peer,
        router: SocketAddr,
        router_loopback: Ipv4Addr,
        local: Ipv4Addr,
    ) {
        let spec = self.routers.entry(router).or_insert_with(|| RouterSpec {
            loopback: router_loopback,
            asn: router_asn(peer),
            identifier: router_identifier(router.ip(), router_loopback),
            peers: BTreeMap::new(),
        });
        spec.peers.insert(local, peer_spec(plan, peer));

        let key = SessionKey::new(plan.node(), &peer.name);
        self.sessions.push(LabSession { key, router, local });
    }
}

/// Returns both ends of each session: the router's and the node's. A router distinguishes its peers by their addresses, so
/// each session of a node with the same router has its own end.
fn endpoints(engine: &Engine) -> Vec<(Endpoint, Endpoint)> {
    let mut ends: Vec<(Endpoint, Endpoint)> = Vec::new();
    for (plan, _, router) in dialled_sessions(engine) {
        let router = Endpoint::Router(router);
        let mut nth = 0;
        loop {
            let node =
                Endpoint::Node { name: plan.node().to_owned(), address: main_address(plan), nth };
            let end = (router.clone(), node);
            if !ends.contains(&end) {
                ends.push(end);
                break;
            }
            nth += 1;
        }
    }
    ends
}

/// Returns the sessions whose peers have an address to dial.
pub(super) fn dialled_sessions(
    engine: &Engine,
) -> impl Iterator<Item = (&Plan, &PeerPlan, SocketAddr)> {
    let sessions = engine.sessions();
    sessions.filter_map(|(plan, peer)| Some((plan, peer, peer.peer.socket_address()?)))
}

/// Returns the first IPv4 address of a node, or else its first address.
fn main_address(plan: &Plan) -> Option<IpAddr> {
    let addresses = &plan.context.node.addresses;
    addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first()).copied()
}

/// Returns the node's side of a session with a router that listens at `listen_address`.
pub(super) fn desired_session(
    session: &LabSession,
    listen_address: SocketAddr,
    plan: &Plan,
    peer_plan: &PeerPlan,
) -> DesiredSession {
    let peer = &peer_plan.peer;
    // Everything but the address is as configured. BFD is left out, because it would take its port on the whole host.
    let config = PeerConfig::new(listen_address, router_asn(peer));
    let config = with_session_parameters(config, peer, None)
        .local_address(session.local.into())
        .idle_hold(MIN_RETRY, MAX_RETRY)
        .connect_retry(MAX_RETRY);

    let identifier = bgp_identifier(&plan.context.node, peer);
    let remote = RemotePeer::Address(config);
    let config = SessionConfig::new(peer.shown_asn(), identifier, remote);
    DesiredSession::new(config, routes(plan, peer_plan))
}

/// Returns the routes of a plan, with the next hops of a session between the addresses of the manifests instead of
/// loopback addresses. A route has no next hop if the node's address is unknown.
fn routes(plan: &Plan, peer_plan: &PeerPlan) -> RouteSet {
    let [ipv4, ipv6] = [IpFamily::Ipv4, IpFamily::Ipv6]
        .map(|family| session_next_hop(&plan.context.node, &peer_plan.peer, family));
    let mut last: Option<(Arc<PathAttributes>, Arc<PathAttributes>)> = None;

    peer_plan.route_set().filter_map(|prefix, attributes| {
        let next_hop = if prefix.addr().is_ipv6() { ipv6 } else { ipv4 };
        if attributes.next_hop.is_some() || next_hop.is_none() {
            return Some(Arc::clone(attributes));
        }

        // Most routes share their attributes with the one before.
        let next_hop = next_hop.map(NextHop::from);
        if let Some((original, changed)) = &last
            && Arc::ptr_eq(original, attributes)
            && changed.next_hop == next_hop
        {
            return Some(Arc::clone(changed));
        }

        let mut changed = PathAttributes::clone(attributes);
        changed.next_hop = next_hop;
        let changed = Arc::new(changed);
        last = Some((Arc::clone(attributes), Arc::clone(&changed)));
        Some(changed)
    })
}

fn peer_spec(plan: &Plan, peer: &Peer) -> PeerSpec {
    PeerSpec {
        node: plan.node().to_owned(),
        router_asn: router_asn(peer),
        node_asn: peer.shown_asn(),
        password: peer.password.as_ref().map(|password| password.reveal().to_owned()),
    }
}

/// Returns the AS of a router. If the peer may be in any AS but the node's, it is one for private use (RFC 6996).
fn router_asn(peer: &Peer) -> Asn {
    if let Some(asn) = peer.expected_asn() {
        return asn;
    }
    if peer.shown_asn() == Asn(64_512) { Asn(64_513) } else { Asn(64_512) }
}

fn router_identifier(address: IpAddr, loopback: Ipv4Addr) -> BgpIdentifier {
    match address {
        IpAddr::V4(address) => BgpIdentifier(address),
        IpAddr::V6(_) => BgpIdentifier(loopback),
    }
}
