//! Decides what a node announces to which peer, and says why for everything that it does not.
//!
//! ```text
//! for each Service:  service_routes  -> announcements, or the first gate that stopped it
//! for each peer:     the announcements of all Services, joined by prefix -> PlannedRoute
//! for a test or a lab: expected_router_table, what the router then holds from all nodes
//! ```
//!
//! Everything here is a pure function: no file, no clock, no network, and the same answer for the
//! same input in any order. What has been told to a peer already is not known here; the whole plan
//! is handed to the session each time, which sends the difference.

mod endpoints;
mod join;
mod reason;
mod router;
mod service;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bgp_session::{NextHop, PathAttributes, Route, RouteSet};
use ipnet::IpNet;

use crate::model::{Asn, Community, LargeCommunity, Node, Peer, Service, ServiceKey};

use join::Joined;

pub use endpoints::Endpoints;
pub use join::{Note, Preferred};
pub use reason::{Gate, NotAnnounced, Reason};
pub use router::{Difference, RouterPath, RouterTable, expected_router_table};
pub use service::{Announcement, Context, NextHopPolicy, ServiceRoutes, Source, service_routes};

/// What one node announces, and what it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The node's name.
    pub node: String,
    /// The node's addresses, as the node has them.
    pub node_addresses: Vec<IpAddr>,
    /// The peers that the node speaks to, in the order configured.
    pub peers: Vec<PeerPlan>,
    /// Every Service there is.
    pub services: BTreeMap<ServiceKey, ServicePlan>,
}

/// What a node announces to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerPlan {
    /// The peer's name.
    pub peer: String,
    /// Where the peer listens.
    pub address: SocketAddr,
    /// The AS of the node.
    pub my_asn: Asn,
    /// The AS of the peer; `None` is any but the node's.
    pub peer_asn: Option<Asn>,
    /// The routes.
    pub routes: BTreeMap<IpNet, PlannedRoute>,
    /// What the configuration says that has no effect here, or contradicts itself.
    pub notes: BTreeSet<Note>,
}

impl PeerPlan {
    /// Whether the peer is in the node's own AS.
    pub fn is_internal(&self) -> bool {
        self.peer_asn == Some(self.my_asn)
    }

    /// The routes as a session takes them. Equal attributes are one value, which all their routes
    /// share.
    pub fn route_set(&self) -> RouteSet {
        let mut shared: BTreeMap<PathAttributes, Arc<PathAttributes>> = BTreeMap::new();
        let routes = self.routes.values().map(|route| {
            let attributes = route.attributes();
            let attributes =
                shared.entry(attributes).or_insert_with_key(|key| Arc::new(key.clone()));
            Route::with_attributes(route.prefix, Arc::clone(attributes))
        });
        routes.collect()
    }
}

/// One route as one peer is to have it. ORIGIN is IGP and there is no MULTI_EXIT_DISC; the AS_PATH
/// is the session's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedRoute {
    /// What is announced.
    pub prefix: IpNet,
    /// NEXT_HOP; `None` is the session's own address.
    pub next_hop: Option<IpAddr>,
    /// LOCAL_PREF: always there for an internal peer and 0 if nothing is configured, as with
    /// MetalLB; never for an external one (RFC 4271 section 5.1.5).
    pub local_pref: Option<u32>,
    /// COMMUNITIES (RFC 1997).
    pub communities: BTreeSet<Community>,
    /// LARGE_COMMUNITY (RFC 8092).
    pub large_communities: BTreeSet<LargeCommunity>,
    /// The Services that it is for.
    pub services: BTreeSet<ServiceKey>,
}

impl PlannedRoute {
    /// Everything but the prefix, as a session takes it.
    fn attributes(&self) -> PathAttributes {
        PathAttributes {
            next_hop: self.next_hop.map(NextHop::from),
            local_pref: self.local_pref,
            communities: self.communities.iter().copied().collect(),
            large_communities: self.large_communities.iter().copied().collect(),
            ..PathAttributes::default()
        }
    }
}

/// Where one Service is announced, and where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServicePlan {
    /// The Service's addresses.
    pub addresses: Vec<IpAddr>,
    /// Peer to prefixes.
    pub announced: BTreeMap<String, BTreeSet<IpNet>>,
    /// Why it is not announced, to one peer or to all others.
    pub not_announced: Vec<NotAnnounced>,
}

impl ServicePlan {
    /// The prefixes that a configured peer gets for the Service.
    ///
    /// # Errors
    ///
    /// Why there are none.
    pub fn at(&self, peer: &str) -> Result<&BTreeSet<IpNet>, Option<&Reason>> {
        if let Some(prefixes) = self.announced.get(peer) {
            return Ok(prefixes);
        }
        let of_peer = self.not_announced.iter().find(|it| it.peer.as_deref() == Some(peer));
        let of_all = || self.not_announced.iter().find(|it| it.peer.is_none());
        Err(of_peer.or_else(of_all).map(|it| &it.reason))
    }
}

/// What a node should announce, given these Services in any order.
pub fn plan<'a>(
    context: &Context<'_>,
    node: &Node,
    services: impl IntoIterator<Item = &'a Service>,
) -> Plan {
    let peers = context.config.peers.iter().filter(|peer| peer.selects(&node.labels));
    let mut joined: Vec<(&Peer, Joined)> = peers.map(|peer| (peer, Joined::default())).collect();
    let mut plans = BTreeMap::new();
    for service in services {
        let contribution = service_routes(context, node, service);
        let mut plan =
            ServicePlan { not_announced: contribution.not_announced, ..Default::default() };
        if let Some(assignment) = context.allocation.assignments.get(&service.key) {
            plan.addresses.clone_from(&assignment.addresses);
        }
        for announcement in contribution.announcements {
            let prefixes = plan.announced.entry(announcement.peer.clone()).or_default();
            prefixes.insert(announcement.prefix);
            let peer = joined.iter_mut().find(|(peer, _)| peer.name == announcement.peer);
            if let Some((_, joined)) = peer {
                joined.add(&service.key, announcement);
            }
        }
        plans.insert(service.key.clone(), plan);
    }
    let peers = joined.into_iter().filter_map(|(peer, joined)| peer_plan(peer, &joined)).collect();
    let (node, node_addresses) = (node.name.clone(), node.addresses.clone());
    Plan { node, node_addresses, peers, services: plans }
}

/// `None` for a peer whose address is not configured.
fn peer_plan(peer: &Peer, joined: &Joined) -> Option<PeerPlan> {
    let address = peer.socket_address()?;
    let mut plan = PeerPlan {
        peer: peer.name.clone(),
        address,
        my_asn: peer.shown_asn(),
        peer_asn: peer.expected_asn(),
        routes: BTreeMap::new(),
        notes: BTreeSet::new(),
    };
    (plan.routes, plan.notes) = joined.routes(peer);
    Some(plan)
}
