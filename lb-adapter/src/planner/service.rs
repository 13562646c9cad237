//! What one Service contributes to what one node announces.
//!
//! Owns the walk through the gates. A pure function of one Service and the node: what other
//! Services do is joined elsewhere.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::allocator::{NotOurs, Outcome, ours};
use crate::model::{
    BgpAdvertisement, Community, Config, IpFamily, LargeCommunity, Node, Peer, Pool, Protocol,
    Service,
};

use super::endpoints::Endpoints;
use super::reason::{EXCLUDE_LABEL, NotAnnounced, Reason};

/// What routes are planned from, besides Services and nodes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// Peers and pools.
    pub config: &'a Config,
    /// The addresses that Services hold, and why some hold none.
    pub allocation: &'a Outcome,
    /// Where the Services' pods are.
    pub endpoints: &'a Endpoints<'a>,
    /// The `loadBalancerClass` that is served; none is Services without one.
    pub class: Option<&'a str>,
    /// What the routes name as their next hop.
    pub next_hop: NextHopPolicy,
}

impl<'a> Context<'a> {
    /// Services without a class, and the session's own address as next hop.
    pub fn new(config: &'a Config, allocation: &'a Outcome, endpoints: &'a Endpoints<'a>) -> Self {
        let next_hop = NextHopPolicy::SessionAddress;
        Self { config, allocation, endpoints, class: None, next_hop }
    }
}

/// What routes name as their next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NextHopPolicy {
    /// The address that the session itself uses, which need not be known here.
    #[default]
    SessionAddress,
    /// The node's first address of the prefix's family, for sessions that run between other
    /// addresses than the traffic.
    NodeAddress,
}

/// What one Service contributes on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceRoutes {
    /// What is announced, to whom.
    pub announcements: Vec<Announcement>,
    /// What is not; see [`NotAnnounced`].
    pub not_announced: Vec<NotAnnounced>,
}

/// One route to one peer because of one Service and one advertisement of its pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement {
    /// The peer's name.
    pub peer: String,
    /// What is announced.
    pub prefix: IpNet,
    /// Where its attributes come from.
    pub source: Source,
    /// The next hop, if it is not the session's own address.
    pub next_hop: Option<IpAddr>,
    /// The configured LOCAL_PREF, to whatever kind of peer.
    pub local_pref: Option<u32>,
    /// The configured COMMUNITIES.
    pub communities: BTreeSet<Community>,
    /// The configured LARGE_COMMUNITY.
    pub large_communities: BTreeSet<LargeCommunity>,
}

/// An advertisement of a pool; their order decides between contradicting attributes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Source {
    /// The pool's name.
    pub pool: String,
    /// Which of its advertisements, counted from 0.
    pub advertisement: usize,
}

/// Walks one Service through the gates of one node.
pub fn service_routes(context: &Context<'_>, node: &Node, service: &Service) -> ServiceRoutes {
    let mut routes = ServiceRoutes::default();
    match addresses_to_announce(context, node, service) {
        Ok(found) => announce(context, node, service, &found, &mut routes),
        Err(reason) => routes.not_announced.push(NotAnnounced { peer: None, reason }),
    }
    routes
}

/// Addresses with their next hops, and their pool.
struct Found<'a> {
    addresses: Vec<(IpAddr, Option<IpAddr>)>,
    pool: &'a Pool,
}

/// The gates that concern no peer: type to node.
fn addresses_to_announce<'a>(
    context: &Context<'a>,
    node: &Node,
    service: &Service,
) -> Result<Found<'a>, Reason> {
    match ours(service, context.class) {
        Ok(()) => {}
        Err(NotOurs::Type(type_)) => return Err(Reason::OtherType(type_)),
        Err(NotOurs::Class { found, served }) => return Err(Reason::OtherClass { found, served }),
    }
    let Some(assignment) = context.allocation.assignments.get(&service.key) else {
        let refusal = context.allocation.refusals.get(&service.key);
        return Err(refusal.map_or(Reason::NoAddress, |why| Reason::Refused(why.clone())));
    };
    let Some(pool) = context.config.pool(&assignment.pool) else {
        return Err(Reason::PoolGone(assignment.pool.clone()));
    };
    if node.labels.contains_key(EXCLUDE_LABEL) {
        return Err(Reason::NodeExcluded { node: node.name.clone() });
    }
    let with_next_hop = |address: &IpAddr| match context.next_hop {
        NextHopPolicy::SessionAddress => Ok((*address, None)),
        NextHopPolicy::NodeAddress => {
            let family = IpFamily::of(*address);
            let next_hop = node.addresses.iter().find(|own| IpFamily::of(**own) == family);
            match next_hop {
                Some(next_hop) => Ok((*address, Some(*next_hop))),
                None => Err(Reason::NoNextHop { node: node.name.clone(), family }),
            }
        }
    };
    let addresses = assignment.addresses.iter().map(with_next_hop).collect::<Result<_, _>>()?;
    Ok(Found { addresses, pool })
}

/// The gates from peer to endpoints.
fn announce(
    context: &Context<'_>,
    node: &Node,
    service: &Service,
    found: &Found<'_>,
    routes: &mut ServiceRoutes,
) {
    let (peers, others): (Vec<&Peer>, Vec<_>) =
        context.config.peers.iter().partition(|peer| peer.selects(&node.labels));
    for peer in &others {
        let (peer, node) = (peer.name.clone(), node.name.clone());
        let reason = Reason::PeerNotForNode { peer: peer.clone(), node };
        routes.not_announced.push(NotAnnounced { peer: Some(peer), reason });
    }
    let advertisements: Vec<_> = context
        .config
        .advertisements_of(found.pool)
        .filter(|it| it.selects_node(&node.labels) && it.selects_service(&service.labels))
        .collect();
    let for_all = if peers.is_empty() {
        others.is_empty().then_some(Reason::NoPeers)
    } else if found.pool.protocol == Protocol::Layer2 {
        Some(Reason::Layer2(found.pool.name.clone()))
    } else if advertisements.is_empty() {
        Some(Reason::NoAdvertisement(found.pool.name.clone()))
    } else {
        context.endpoints.check(service, &node.name).err()
    };
    if let Some(reason) = for_all {
        routes.not_announced.push(NotAnnounced { peer: None, reason });
        return;
    }
    for peer in peers {
        let for_peer = advertisements.iter().enumerate().filter(|it| it.1.selects_peer(&peer.name));
        for (index, advertisement) in for_peer {
            let source = Source { pool: found.pool.name.clone(), advertisement: index };
            for (address, next_hop) in &found.addresses {
                routes.announcements.push(Announcement {
                    peer: peer.name.clone(),
                    prefix: aggregate(*address, advertisement),
                    source: source.clone(),
                    next_hop: *next_hop,
                    local_pref: advertisement.local_pref,
                    communities: advertisement.communities.clone(),
                    large_communities: advertisement.large_communities.clone(),
                });
            }
        }
    }
}

/// The prefix that an address is announced as.
fn aggregate(address: IpAddr, advertisement: &BgpAdvertisement) -> IpNet {
    let length = advertisement.aggregation_length_for(IpFamily::of(address));
    // No length is too long after validation; if one were, the host route would be the safe thing.
    IpNet::new(address, length).map_or_else(|_| address.into(), |prefix| prefix.trunc())
}
