//! The routes of one Service from one node, or the gate that stopped it.
//!
//! Owns the order in which the gates are checked. A pure function of one Service and one node: `route_builder` joins
//! the routes of several Services.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::allocator::{Assignment, NotServed, Refusal, check_served};
use crate::model::{BgpAdvertisement, Config, IpFamily, NextHopPolicy, Node, Peer, Pool, Protocol};

use super::node_context::{DataplaneStatus, NodeContext, ServiceInput};
use super::reason::{EXCLUDE_LABEL, NotAnnounced, Reason};
use super::service_attributes::ServiceAttributes;
use super::service_health::attributes_on_node;

/// The routes of one Service from one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceRoutes {
    /// The announced routes: one entry for each peer and prefix.
    pub(crate) announced: Vec<Announcement>,
    /// The reasons why other routes are not announced; see [`NotAnnounced`].
    pub(crate) not_announced: Vec<NotAnnounced>,
}

/// One route of one Service to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    /// The peer, as an index into [`Config::peers`].
    pub(crate) peer: usize,
    /// The prefix.
    pub(crate) prefix: IpNet,
    /// The advertisements that apply, as ascending indexes into [`Config::bgp_advertisements`].
    pub(crate) advertisements: Vec<usize>,
    /// The attributes that the Service itself adds.
    pub(crate) attributes: Option<Arc<ServiceAttributes>>,
}

/// Checks one Service against the gates of one node, and returns its routes.
pub(crate) fn service_routes(context: &NodeContext, input: &ServiceInput<'_>) -> ServiceRoutes {
    let mut routes = ServiceRoutes::default();
    let candidate = Candidate::admit(context, input, &mut routes);
    if let Err(reason) = candidate.and_then(|candidate| candidate.announce(&mut routes)) {
        routes.refuse(reason);
    }
    routes
}

impl ServiceRoutes {
    fn refuse(&mut self, reason: Reason) {
        self.not_announced.push(NotAnnounced { peer: None, reason });
    }

    fn refuse_for(&mut self, peer: &Peer, reason: Reason) {
        self.not_announced.push(NotAnnounced { peer: Some(peer.name.clone()), reason });
    }
}

/// A Service that has passed the gates from type to node, which concern no peer.
struct Candidate<'a> {
    context: &'a NodeContext,
    config: &'a Config,
    input: &'a ServiceInput<'a>,
    pool: &'a Pool,
    /// The addresses that have a next hop on the node.
    addresses: Vec<IpAddr>,
}

/// An advertisement with its index in the configuration.
type IndexedAdvertisement<'a> = (usize, &'a BgpAdvertisement);

impl<'a> Candidate<'a> {
    /// Checks the gates from type to node.
    fn admit(
        context: &'a NodeContext,
        input: &'a ServiceInput<'a>,
        routes: &mut ServiceRoutes,
    ) -> Result<Self, Reason> {
        match check_served(input.service, context.options.class.as_deref()) {
            Ok(()) => {}
            Err(NotServed::Type(type_)) => return Err(Reason::OtherType(type_)),
            Err(NotServed::Class { found, served }) => {
                return Err(Reason::OtherClass { found, served });
            }
        }
        if !context.synced {
            return Err(Reason::NotSynced);
        }
        let config = context.config.as_deref().ok_or(Reason::NoConfig)?;

        let assignment = match input.held {
            Ok(assignment) => assignment,
            Err(Some(refusal)) => return Err(Reason::Refused(refusal.clone())),
            Err(None) => return Err(Reason::NoAddress),
        };
        let Some(pool) = context.index.pool(config, &assignment.pool) else {
            return Err(without_pool(config, assignment));
        };
        let is_leaving = input.dataplane_status == Some(&DataplaneStatus::Leaving);
        check_node(&context.node, context.options.ignore_exclude_label || is_leaving)?;

        // One of two addresses may lack a next hop: the other is announced without it.
        let mut addresses = Vec::new();
        let mut without_next_hop = Vec::new();
        for address in &assignment.addresses {
            match check_next_hops(context, config, IpFamily::of(*address)) {
                Ok(()) => addresses.push(*address),
                Err(reason) => without_next_hop.push(reason),
            }
        }
        if addresses.is_empty() {
            return Err(without_next_hop.pop().unwrap_or(Reason::NoAddress));
        }
        for reason in without_next_hop {
            routes.refuse(reason);
        }

        Ok(Self { context, config, input, pool, addresses })
    }

    /// Checks the gates from peer on, and adds the routes.
    fn announce(self, routes: &mut ServiceRoutes) -> Result<(), Reason> {
        let peers = self.peers(routes)?;
        if peers.is_empty() {
            return Ok(());
        }
        let advertisements = self.advertisements()?;

        let attributes = attributes_on_node(self.context, self.input, self.pool)?;
        if self.context.draining {
            return Err(Reason::Draining { node: self.context.node.name.clone() });
        }
        let attributes = (!attributes.is_plain()).then(|| Arc::new(attributes));

        for (index, peer) in &peers {
            self.announce_to(*index, peer, &advertisements, attributes.as_ref(), routes);
        }

        // One of two addresses may be of a family that none of the sessions carries.
        if !routes.announced.is_empty() {
            for address in &self.addresses {
                let family = IpFamily::of(*address);
                let is_carried = peers
                    .iter()
                    .any(|(_, peer)| peer.carries(family) && selects_peer(&advertisements, peer));
                if !is_carried {
                    routes.refuse(Reason::CarriedByNone { address: *address });
                }
            }
        }
        Ok(())
    }

    /// Adds the routes to one peer, at this index of the configuration.
    fn announce_to(
        &self,
        index: usize,
        peer: &Peer,
        advertisements: &[IndexedAdvertisement<'_>],
        attributes: Option<&Arc<ServiceAttributes>>,
        routes: &mut ServiceRoutes,
    ) {
        if !selects_peer(advertisements, peer) {
            let (pool, name) = (self.pool.name.clone(), peer.name.clone());
            routes.refuse_for(peer, Reason::NotForPeer { pool, peer: name });
            return;
        }

        let mut is_carried = false;
        for address in &self.addresses {
            let family = IpFamily::of(*address);
            if !peer.carries(family) {
                continue;
            }
            is_carried = true;

            if let Err(reason) = next_hop(self.context, peer, family) {
                routes.refuse_for(peer, reason);
                continue;
            }
            for (prefix, advertisements) in prefixes(*address, peer, advertisements) {
                let attributes = attributes.cloned();
                routes.announced.push(Announcement {
                    peer: index,
                    prefix,
                    advertisements,
                    attributes,
                });
            }
        }

        if !is_carried {
            let family = IpFamily::of(self.addresses[0]);
            routes.refuse_for(peer, Reason::NotCarried { peer: peer.name.clone(), family });
        }
    }

    /// Returns the peers of the node. If there are none, adds a reason for each configured peer.
    fn peers(&self, routes: &mut ServiceRoutes) -> Result<Vec<(usize, &'a Peer)>, Reason> {
        if self.config.peers.is_empty() {
            return Err(Reason::NoPeers);
        }

        let node = &self.context.node;
        let all = self.config.peers.iter().enumerate();
        let (peers, others): (Vec<_>, Vec<_>) =
            all.partition(|(_, peer)| peer.selects(&node.labels));
        if peers.is_empty() {
            for (_, peer) in others {
                let (name, node) = (peer.name.clone(), node.name.clone());
                routes.refuse_for(peer, Reason::PeerNotForNode { peer: name, node });
            }
        }
        Ok(peers)
    }

    /// Returns the advertisements that apply to the Service on the node, for any peer.
    fn advertisements(&self) -> Result<Vec<IndexedAdvertisement<'a>>, Reason> {
        let pool = self.pool.name.clone();
        if self.pool.protocol == Protocol::Layer2 {
            return Err(Reason::Layer2(pool));
        }
        let of_pool = self.context.index.advertisements_of(self.config, self.pool);
        if of_pool.is_empty() {
            return Err(Reason::NoAdvertisement(pool));
        }

        let node = &self.context.node;
        let (from_node, not_from_node): (Vec<_>, Vec<_>) = of_pool
            .into_iter()
            .partition(|(_, advertisement)| advertisement.selects_node(&node.labels));
        if from_node.is_empty() {
            return Err(Reason::NotFromNode { pool, node: node.name.clone() });
        }

        let labels = &self.input.service.labels;
        let (applicable, not_for_service): (Vec<_>, Vec<_>) = from_node
            .into_iter()
            .partition(|(_, advertisement)| advertisement.selects_service(labels));
        if applicable.is_empty() && not_from_node.is_empty() {
            return Err(Reason::NotForService(pool));
        }
        if applicable.is_empty() {
            return Err(Reason::NoneApplies {
                pool,
                node: node.name.clone(),
                not_from_node: names(&not_from_node),
                not_for_service: names(&not_for_service),
            });
        }

        match conflicting(&applicable, &self.addresses) {
            Some(names) => Err(Reason::Conflicting { names }),
            None => Ok(applicable),
        }
    }
}

fn names(advertisements: &[IndexedAdvertisement<'_>]) -> Vec<String> {
    advertisements.iter().map(|(_, advertisement)| advertisement.name.clone()).collect()
}

/// Returns true if one of the advertisements is for a peer.
fn selects_peer(advertisements: &[IndexedAdvertisement<'_>], peer: &Peer) -> bool {
    advertisements.iter().any(|(_, advertisement)| advertisement.selects_peer(&peer.name))
}

/// Returns the reason why the addresses of a Service are not announced if the configuration does not have their pool.
fn without_pool(config: &Config, held: &Assignment) -> Reason {
    if !held.pool.is_empty() {
        return Reason::PoolGone(held.pool.to_string());
    }
    match held.addresses.first() {
        Some(address) if !config.pools.is_empty() => Reason::Refused(Refusal::InNoPool(*address)),
        _ => Reason::Refused(Refusal::NoPools),
    }
}

fn check_node(node: &Node, ignore_exclude_label: bool) -> Result<(), Reason> {
    if node.network_unavailable {
        return Err(Reason::NetworkUnavailable { node: node.name.clone() });
    }
    if !node.ready {
        return Err(Reason::NodeNotReady { node: node.name.clone() });
    }
    if !ignore_exclude_label && node.labels.contains_key(EXCLUDE_LABEL) {
        return Err(Reason::NodeExcluded { node: node.name.clone() });
    }
    Ok(())
}

/// Checks that routes of a family have a next hop for at least one of the node's peers that carry the family. There is no
/// error if no peer carries it: a later gate reports that.
fn check_next_hops(context: &NodeContext, config: &Config, family: IpFamily) -> Result<(), Reason> {
    let peers = config.peers.iter().filter(|peer| peer.selects(&context.node.labels));

    let mut result = Ok(());
    for peer in peers.filter(|peer| peer.carries(family)) {
        match next_hop(context, peer, family) {
            Ok(_) => return Ok(()),
            Err(reason) => result = Err(reason),
        }
    }
    result
}

/// Returns the next hop of a node's routes of a family to a peer; `None` stands for the session's own address.
pub(super) fn next_hop(
    context: &NodeContext,
    peer: &Peer,
    family: IpFamily,
) -> Result<Option<IpAddr>, Reason> {
    let NodeContext { node, options, .. } = context;
    let or_session = options.or_session_address && peer.next_hop.is_none();
    let next_hop = match apply_policy(peer.next_hop_or(&options.next_hop), node, family) {
        Err(_) if or_session => None,
        result => result?,
    };

    // The address of an IPv4 session cannot be the next hop of IPv6 routes, so the node needs an IPv6 address. The
    // address of an IPv6 session can be the next hop of IPv4 routes (RFC 8950).
    if next_hop.is_none()
        && family == IpFamily::Ipv6
        && peer.address.ip().is_some_and(|address| address.is_ipv4())
        && !node.addresses.iter().any(IpAddr::is_ipv6)
    {
        return Err(Reason::NoNextHop { node: node.name.clone(), family });
    }
    Ok(next_hop)
}

fn apply_policy(
    policy: &NextHopPolicy,
    node: &Node,
    family: IpFamily,
) -> Result<Option<IpAddr>, Reason> {
    match policy {
        NextHopPolicy::SessionAddress => Ok(None),
        NextHopPolicy::NodeAddress => match first_of(family, &node.addresses) {
            Some(address) => Ok(Some(address)),
            None => Err(Reason::NoNextHop { node: node.name.clone(), family }),
        },
        NextHopPolicy::Addresses(addresses) => Ok(first_of(family, addresses)),
    }
}

fn first_of(family: IpFamily, addresses: &[IpAddr]) -> Option<IpAddr> {
    addresses.iter().copied().find(|address| IpFamily::of(*address) == family)
}

/// Returns the names of two advertisements that announce one prefix to one peer with different local preferences, if both
/// apply only because of their service selectors. Other contradictions are errors of the configuration.
fn conflicting(
    advertisements: &[IndexedAdvertisement<'_>],
    addresses: &[IpAddr],
) -> Option<[String; 2]> {
    for (position, (_, first)) in advertisements.iter().enumerate() {
        for (_, second) in &advertisements[position + 1..] {
            if contradict(first, second, addresses) {
                return Some([first.name.clone(), second.name.clone()]);
            }
        }
    }
    None
}

fn contradict(first: &BgpAdvertisement, second: &BgpAdvertisement, addresses: &[IpAddr]) -> bool {
    let depends_on_service =
        !first.service_selectors.is_empty() || !second.service_selectors.is_empty();
    if !depends_on_service || first.local_pref == second.local_pref {
        return false;
    }

    let have_common_peers = first.peers.is_empty()
        || second.peers.is_empty()
        || !first.peers.is_disjoint(&second.peers);
    have_common_peers
        && addresses.iter().any(|address| aggregate(*address, first) == aggregate(*address, second))
}

/// Returns the prefixes of an address for a peer, each with the advertisements that cause it.
fn prefixes(
    address: IpAddr,
    peer: &Peer,
    advertisements: &[IndexedAdvertisement<'_>],
) -> Vec<(IpNet, Vec<usize>)> {
    let mut prefixes: Vec<(IpNet, Vec<usize>)> = Vec::with_capacity(1);
    for (index, advertisement) in advertisements {
        if !advertisement.selects_peer(&peer.name) {
            continue;
        }
        let prefix = aggregate(address, advertisement);
        match prefixes.iter_mut().find(|(known, _)| *known == prefix) {
            Some((_, indexes)) => indexes.push(*index),
            None => prefixes.push((prefix, vec![*index])),
        }
    }
    prefixes
}

/// Returns the prefix that an advertisement announces for an address.
fn aggregate(address: IpAddr, advertisement: &BgpAdvertisement) -> IpNet {
    let length = advertisement.aggregation_length_for(IpFamily::of(address));
    // No length is too long after validation; if one were, the host route would be the safe choice.
    IpNet::new(address, length).map_or_else(|_| address.into(), |prefix| prefix.trunc())
}
