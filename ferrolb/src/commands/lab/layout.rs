//! Who speaks to whom in the lab, and from where to where.
//!
//! A pure function of the plans and of the loopback addresses given out already.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bgp_session::{BgpIdentifier, NextHop, PathAttributes, PeerConfig, RouteSet};

use super::loopback::{Endpoint, Loopback};
use super::routers::{LONGEST_REST, SHORTEST_REST, WantedPeer, WantedRouter};
use ferrolb_node::sessions::{
    DesiredSession, RemotePeer, SessionConfig, SessionKey, with_session_parameters,
};
use lb_adapter::engine::{Engine, bgp_identifier};
use lb_adapter::model::{Asn, IpFamily, Peer};
use lb_adapter::planner::{PeerPlan, Plan, session_next_hop};

/// The routers and sessions of the plans.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// By their addresses in the configuration.
    pub(super) routers: BTreeMap<SocketAddr, WantedRouter>,
    pub(super) links: Vec<Link>,
}

/// One session.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) key: SessionKey,
    /// The router, by its address in the configuration.
    pub(super) router: SocketAddr,
    /// Where the node dials from.
    pub(super) local: Ipv4Addr,
}

impl Layout {
    /// Lays out what the plans ask for, and frees the addresses of what they no longer do.
    pub(super) fn of(engine: &Engine, loopback: &mut Loopback) -> Self {
        let mut ends: Vec<(Endpoint, Endpoint)> = Vec::new();
        for (plan, _, router) in dialled(engine) {
            let router = Endpoint::Router(router);
            let end =
                |nth| Endpoint::Node { name: plan.node().to_owned(), address: own(plan), nth };
            let nth = (0..).find(|nth| !ends.contains(&(router.clone(), end(*nth))));
            ends.push((router, end(nth.unwrap_or(0))));
        }
        loopback.retain(|known| ends.iter().any(|(a, b)| [a, b].contains(&known)));
        let mut layout = Self::default();
        for ((plan, peer_plan, at), (router, node)) in dialled(engine).zip(&ends) {
            let peer = &peer_plan.peer;
            layout.add(plan, peer, at, [router, node].map(|end| loopback.address(end)));
        }
        layout
    }

    fn add(
        &mut self,
        plan: &Plan,
        peer: &Peer,
        router: SocketAddr,
        [at_router, local]: [Ipv4Addr; 2],
    ) {
        let wanted = self.routers.entry(router).or_insert_with(|| WantedRouter {
            loopback: at_router,
            asn: router_asn(peer),
            identifier: router_identifier(router.ip(), at_router),
            peers: BTreeMap::new(),
        });
        wanted.peers.insert(local, wanted_peer(plan, peer));
        let key = SessionKey::new(plan.node(), &peer.name);
        self.links.push(Link { key, router, local });
    }
}

/// The sessions whose peers have an address to be dialled.
pub(super) fn dialled(engine: &Engine) -> impl Iterator<Item = (&Plan, &PeerPlan, SocketAddr)> {
    let sessions = engine.sessions();
    sessions.filter_map(|(plan, peer)| Some((plan, peer, peer.peer.socket_address()?)))
}

/// The address that a node is known by.
fn own(plan: &Plan) -> Option<IpAddr> {
    let addresses = &plan.context.node.addresses;
    addresses.iter().find(|it| it.is_ipv4()).or_else(|| addresses.first()).copied()
}

/// The node's side of a link, to a router that listens at this address.
pub(super) fn wanted_session(
    link: &Link,
    listens_at: SocketAddr,
    plan: &Plan,
    peer_plan: &PeerPlan,
) -> DesiredSession {
    let peer = &peer_plan.peer;
    // As configured, but for where it is. BFD would need its port of the whole host.
    let config = with_session_parameters(PeerConfig::new(listens_at, router_asn(peer)), peer, None)
        .local_address(link.local.into())
        .idle_hold(SHORTEST_REST, LONGEST_REST)
        .connect_retry(LONGEST_REST);
    let (identifier, remote) =
        (bgp_identifier(&plan.context.node, peer), RemotePeer::Address(config));
    let terms = SessionConfig::new(peer.shown_asn(), identifier, remote);
    DesiredSession::new(terms, routes(plan, peer_plan))
}

/// Returns the routes of a plan with the next hops of a session between the addresses of the manifests, rather than on
/// loopback. A route stays without a next hop if the node's address is not known.
fn routes(plan: &Plan, peer_plan: &PeerPlan) -> RouteSet {
    let next_hop = |family| session_next_hop(&plan.context.node, &peer_plan.peer, family);
    let by_family = [IpFamily::Ipv4, IpFamily::Ipv6].map(next_hop);
    let mut last: Option<(Arc<PathAttributes>, Arc<PathAttributes>)> = None;

    peer_plan.route_set().filter_map(|prefix, attributes| {
        let own = by_family[usize::from(prefix.addr().is_ipv6())];
        if attributes.next_hop.is_some() || own.is_none() {
            return Some(Arc::clone(attributes));
        }
        // Most routes share their attributes with the one before.
        if let Some((_, changed)) = last.as_ref().filter(|(it, changed)| {
            Arc::ptr_eq(it, attributes) && changed.next_hop == own.map(NextHop::from)
        }) {
            return Some(Arc::clone(changed));
        }
        let mut changed = PathAttributes::clone(attributes);
        changed.next_hop = own.map(NextHop::from);
        let changed = Arc::new(changed);
        last = Some((Arc::clone(attributes), Arc::clone(&changed)));
        Some(changed)
    })
}

fn wanted_peer(plan: &Plan, peer: &Peer) -> WantedPeer {
    WantedPeer {
        node: plan.node().to_owned(),
        router_asn: router_asn(peer),
        node_asn: peer.shown_asn(),
        password: peer.password.as_ref().map(|password| password.reveal().to_owned()),
    }
}

/// The AS of a router; where any but the nodes' is right, one for private use (RFC 6996).
fn router_asn(peer: &Peer) -> Asn {
    let other = || if peer.shown_asn() == Asn(64_512) { Asn(64_513) } else { Asn(64_512) };
    peer.expected_asn().unwrap_or_else(other)
}

fn router_identifier(address: IpAddr, loopback: Ipv4Addr) -> BgpIdentifier {
    match address {
        IpAddr::V4(address) => BgpIdentifier(address),
        IpAddr::V6(_) => BgpIdentifier(loopback),
    }
}
