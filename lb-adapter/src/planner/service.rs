//! What one Service contributes to what one node announces.
//!
//! Owns the walk through the gates. A pure function of one Service and the node: what other
//! Services do is joined elsewhere.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::allocator::{Assignment, NotServed, Refusal, check_served};
use crate::model::{BgpAdvertisement, Config, IpFamily, NextHopPolicy, Node, Peer, Pool, Protocol};

use super::own::Own;
use super::reason::{EXCLUDE_LABEL, NotAnnounced, Reason};
use super::scene::{Scene, Subject};

/// What one Service contributes on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceRoutes {
    /// What is announced, to whom: one entry for each peer and prefix.
    pub announced: Vec<Announcement>,
    /// What is not; see [`NotAnnounced`].
    pub not_announced: Vec<NotAnnounced>,
}

/// One route to one peer because of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announcement {
    /// The peer, as an index into [`Config::peers`].
    pub peer: usize,
    /// What is announced.
    pub prefix: IpNet,
    /// Because of which of [`Config::bgp_advertisements`], in their order.
    pub advertisements: Vec<usize>,
    /// What the Service itself adds.
    pub own: Option<Arc<Own>>,
}

/// Walks one Service through the gates of one node.
pub fn service_routes(scene: &Scene, subject: &Subject<'_>) -> ServiceRoutes {
    let mut routes = ServiceRoutes::default();
    let walk = Walk::begin(scene, subject, &mut routes);
    if let Err(reason) = walk.and_then(|walk| walk.announce(&mut routes)) {
        routes.not_announced.push(NotAnnounced { peer: None, reason });
    }
    routes
}

/// A Service that has passed the gates that concern no peer, from type to node.
struct Walk<'a> {
    scene: &'a Scene,
    config: &'a Config,
    subject: &'a Subject<'a>,
    pool: &'a Pool,
    /// Those of its addresses that the node can be the next hop for.
    addresses: Vec<IpAddr>,
    own: (Own, Result<(), Reason>),
}

impl<'a> Walk<'a> {
    fn begin(
        scene: &'a Scene,
        subject: &'a Subject<'a>,
        routes: &mut ServiceRoutes,
    ) -> Result<Self, Reason> {
        match check_served(subject.service, scene.options.class.as_deref()) {
            Ok(()) => {}
            Err(NotServed::Type(type_)) => return Err(Reason::OtherType(type_)),
            Err(NotServed::Class { found, served }) => {
                return Err(Reason::OtherClass { found, served });
            }
        }
        if !scene.synced {
            return Err(Reason::NotSynced);
        }
        let config = scene.config.as_deref().ok_or(Reason::NoConfig)?;
        let refused = |why: Option<&_>| {
            why.map_or(Reason::NoAddress, |why| Reason::Refused(Clone::clone(why)))
        };
        let assignment = subject.held.map_err(refused)?;
        let pool = config.pool(&assignment.pool);
        let pool = pool.ok_or_else(|| without_pool(config, assignment))?;
        check_node(&scene.node, scene.options.ignore_exclude_label)?;
        let mut addresses = Vec::new();
        let mut without = Vec::new();
        for address in &assignment.addresses {
            let family = IpFamily::of(*address);
            match can_be_next_hop(scene, config, family) {
                Ok(()) => addresses.push(*address),
                Err(reason) => without.push(reason),
            }
        }
        if addresses.is_empty() {
            return Err(without.pop().unwrap_or(Reason::NoAddress));
        }
        let told = without.into_iter().map(|reason| NotAnnounced { peer: None, reason });
        routes.not_announced.extend(told);
        let own = Own::of(subject, pool, &scene.node.name, scene.options.probing);
        Ok(Self { scene, config, subject, pool, addresses, own })
    }

    /// The gates from peer on.
    fn announce(self, routes: &mut ServiceRoutes) -> Result<(), Reason> {
        let peers = self.peers(routes)?;
        if peers.is_empty() {
            return Ok(());
        }
        let advertisements = self.advertisements()?;
        let service = self.subject.service;
        let policy = service.external_traffic_policy;
        let node = &self.scene.node.name;
        self.subject.endpoints.check(policy, node)?;
        let (own, healthy) = &self.own;
        healthy.clone()?;
        if self.scene.draining {
            return Err(Reason::Draining { node: node.clone() });
        }
        let own = (!own.is_plain()).then(|| Arc::new(own.clone()));
        let mut carried = vec![false; self.addresses.len()];
        for (index, peer) in peers {
            let for_peer: Vec<_> =
                advertisements.iter().filter(|(_, it)| it.selects_peer(&peer.name)).collect();
            let stopped = |reason| NotAnnounced { peer: Some(peer.name.clone()), reason };
            if for_peer.is_empty() {
                let pool = self.pool.name.clone();
                let reason = Reason::NotForPeer { pool, peer: peer.name.clone() };
                routes.not_announced.push(stopped(reason));
                continue;
            }
            let before = routes.announced.len();
            let mut without_next_hop = false;
            for (address, carried) in self.addresses.iter().zip(&mut carried) {
                let family = IpFamily::of(*address);
                if !peer.carries(family) {
                    continue;
                }
                *carried = true;
                if let Err(reason) = next_hop(self.scene, peer, family) {
                    routes.not_announced.push(stopped(reason));
                    without_next_hop = true;
                    continue;
                }
                for (prefix, advertisements) in prefixes(*address, &for_peer) {
                    let own = own.clone();
                    let peer = index;
                    routes.announced.push(Announcement { peer, prefix, advertisements, own });
                }
            }
            if routes.announced.len() == before && !without_next_hop {
                let family = IpFamily::of(self.addresses[0]);
                let reason = Reason::NotCarried { peer: peer.name.clone(), family };
                routes.not_announced.push(stopped(reason));
            }
        }
        if !routes.announced.is_empty() {
            let lost = self.addresses.iter().zip(carried).filter(|(_, carried)| !carried);
            let reason = |(address, _): (&IpAddr, _)| Reason::CarriedByNone { address: *address };
            let told = lost.map(reason).map(|reason| NotAnnounced { peer: None, reason });
            routes.not_announced.extend(told);
        }
        Ok(())
    }

    /// The peers that the node speaks to.
    fn peers(&self, routes: &mut ServiceRoutes) -> Result<Vec<(usize, &'a Peer)>, Reason> {
        let all = self.config.peers.iter().enumerate();
        let (peers, others): (Vec<_>, Vec<_>) =
            all.partition(|(_, peer)| peer.selects(&self.scene.node.labels));
        if !peers.is_empty() {
            return Ok(peers);
        }
        let mut reasons = others.iter().map(|(_, peer)| {
            let (peer, node) = (peer.name.clone(), self.scene.node.name.clone());
            NotAnnounced { peer: Some(peer.clone()), reason: Reason::PeerNotForNode { peer, node } }
        });
        let Some(first) = reasons.next() else { return Err(Reason::NoPeers) };
        routes.not_announced.push(first);
        routes.not_announced.extend(reasons);
        Ok(peers)
    }

    /// The advertisements that apply, to whichever peers.
    fn advertisements(&self) -> Result<Vec<(usize, &'a BgpAdvertisement)>, Reason> {
        let pool = self.pool.name.clone();
        if self.pool.protocol == Protocol::Layer2 {
            return Err(Reason::Layer2(pool));
        }
        let all = self.config.bgp_advertisements.iter().enumerate();
        let mut all = all.filter(|(_, it)| it.selects_pool(self.pool)).peekable();
        if all.peek().is_none() {
            return Err(Reason::NoAdvertisement(pool));
        }

        let node = &self.scene.node;
        let (from_node, not_from_node): (Vec<_>, Vec<_>) =
            all.partition(|(_, it)| it.selects_node(&node.labels));
        if from_node.is_empty() {
            return Err(Reason::NotFromNode { pool, node: node.name.clone() });
        }

        let (found, not_for_service): (Vec<_>, Vec<_>) = from_node
            .into_iter()
            .partition(|(_, it)| it.selects_service(&self.subject.service.labels));
        if found.is_empty() && not_from_node.is_empty() {
            return Err(Reason::NotForService(pool));
        }
        if found.is_empty() {
            let [not_from_node, not_for_service] =
                [not_from_node, not_for_service].map(|advertisements| {
                    advertisements.iter().map(|(_, it)| it.name.clone()).collect()
                });
            let node = node.name.clone();
            return Err(Reason::NoneApplies { pool, node, not_from_node, not_for_service });
        }

        match conflicting(&found, &self.addresses) {
            Some(names) => Err(Reason::Conflicting { names }),
            None => Ok(found),
        }
    }
}

/// Returns why the addresses that a Service holds are not announced if the configuration does not have their pool.
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
    let name = || node.name.clone();
    if node.network_unavailable {
        return Err(Reason::NetworkUnavailable { node: name() });
    }
    if !node.ready {
        return Err(Reason::NodeNotReady { node: name() });
    }
    if !ignore_exclude_label && node.labels.contains_key(EXCLUDE_LABEL) {
        return Err(Reason::NodeExcluded { node: name() });
    }
    Ok(())
}

/// Checks that there is a next hop for routes of a family to one of the node's peers that carry the family. If no peer
/// carries it, that is not a matter of next hops, and there is no error.
fn can_be_next_hop(scene: &Scene, config: &Config, family: IpFamily) -> Result<(), Reason> {
    let peers = config.peers.iter().filter(|peer| peer.selects(&scene.node.labels));
    let mut without = Ok(());

    for peer in peers.filter(|peer| peer.carries(family)) {
        match next_hop(scene, peer, family) {
            Ok(_) => return Ok(()),
            Err(reason) => without = Err(reason),
        }
    }
    without
}

/// The next hop of a node's routes of a family to a peer; none is the session's own address.
pub(super) fn next_hop(
    scene: &Scene,
    peer: &Peer,
    family: IpFamily,
) -> Result<Option<IpAddr>, Reason> {
    let node = &scene.node;
    let or_session = scene.options.or_session && peer.next_hop.is_none();
    let named = match named(peer.next_hop_or(&scene.options.next_hop), node, family) {
        Err(_) if or_session => None,
        named => named?,
    };

    // The address of an IPv4 session cannot be the next hop of IPv6 routes, so that the node needs one. The address of
    // an IPv6 session can be that of IPv4 routes (RFC 8950).
    let ipv4_session = peer.address.ip().is_some_and(|address| address.is_ipv4());
    let has_ipv6 = || node.addresses.iter().any(IpAddr::is_ipv6);
    if named.is_none() && family == IpFamily::Ipv6 && ipv4_session && !has_ipv6() {
        return Err(Reason::NoNextHop { node: node.name.clone(), family });
    }
    Ok(named)
}

fn named(policy: &NextHopPolicy, node: &Node, family: IpFamily) -> Result<Option<IpAddr>, Reason> {
    let of_family = |addresses: &[IpAddr]| {
        addresses.iter().copied().find(|address| IpFamily::of(*address) == family)
    };
    match policy {
        NextHopPolicy::SessionAddress => Ok(None),
        NextHopPolicy::NodeAddress => {
            let none = || Reason::NoNextHop { node: node.name.clone(), family };
            of_family(&node.addresses).map(Some).ok_or_else(none)
        }
        NextHopPolicy::Addresses(addresses) => Ok(of_family(addresses)),
    }
}

/// Two advertisements of one prefix to one peer with different local preferences, as far as only
/// the Service decides that both apply; others contradict in the configuration already.
fn conflicting(found: &[(usize, &BgpAdvertisement)], addresses: &[IpAddr]) -> Option<[String; 2]> {
    let mut pairs = found
        .iter()
        .enumerate()
        .flat_map(|(at, (_, a))| found[at + 1..].iter().map(move |(_, b)| (*a, *b)));
    let contradict = |(a, b): &(&BgpAdvertisement, &BgpAdvertisement)| {
        let selective = !a.service_selectors.is_empty() || !b.service_selectors.is_empty();
        let same_peers = a.peers.is_empty() || b.peers.is_empty() || !a.peers.is_disjoint(&b.peers);
        let same_prefix = |address: &IpAddr| aggregate(*address, a) == aggregate(*address, b);
        selective && same_peers && a.local_pref != b.local_pref && addresses.iter().any(same_prefix)
    };
    pairs.find(contradict).map(|(a, b)| [a.name.clone(), b.name.clone()])
}

/// The prefixes of an address, each with the advertisements that give it.
fn prefixes(
    address: IpAddr,
    advertisements: &[&(usize, &BgpAdvertisement)],
) -> Vec<(IpNet, Vec<usize>)> {
    let mut prefixes: Vec<(IpNet, Vec<usize>)> = Vec::with_capacity(1);
    for (index, advertisement) in advertisements {
        let prefix = aggregate(address, advertisement);
        match prefixes.iter_mut().find(|(known, _)| *known == prefix) {
            Some((_, indexes)) => indexes.push(*index),
            None => prefixes.push((prefix, vec![*index])),
        }
    }
    prefixes
}

/// The prefix that an address is announced as.
fn aggregate(address: IpAddr, advertisement: &BgpAdvertisement) -> IpNet {
    let length = advertisement.aggregation_length_for(IpFamily::of(address));
    // No length is too long after validation; if one were, the host route would be the safe thing.
    IpNet::new(address, length).map_or_else(|_| address.into(), |prefix| prefix.trunc())
}
