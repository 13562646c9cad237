//! Peers without effect, and peers that some nodes cannot serve.

use std::net::IpAddr;

use super::super::advertised::AdvertisedPeers;
use super::super::place::Place;
use super::linter::Linter;
use crate::model::{IpFamily, NextHopPolicy, Node, Peer, PeerAddress, Protocol};

/// Checks all peers.
pub(super) fn check(linter: &mut Linter<'_>) {
    let (draft, config) = (linter.draft, linter.config);
    let advertised = AdvertisedPeers::new(config.bgp_advertisements.iter());

    for (draft, peer) in draft.peers.iter().zip(&config.peers) {
        let place = &draft.place;
        if linter.is_complete && !advertised.contains(&peer.name) {
            linter.warn(place, "unused peer: no advertisement selects it");
        }
        check_nodes(linter, place, peer);
        check_next_hop(linter, place, peer);
        check_second_family(linter, place, peer);
        check_session(linter, place, peer);
    }
    check_that_there_is_a_peer(linter);
}

/// Warns about a peer of no node, and about values that only one node can have.
fn check_nodes(linter: &mut Linter<'_>, place: &Place, peer: &Peer) {
    let nodes = linter.cluster.nodes;
    if !nodes.is_empty() && !nodes.iter().any(|node| peer.selects(&node.labels)) {
        linter.warn(place, "unused peer: its node selectors match none of the Nodes");
    }

    if has_one_node(peer, nodes) {
        return;
    }
    if peer.router_id.is_some() {
        let message = "all nodes of this peer have the same router ID, which routers refuse: remove \
                       it, or select a single node";
        linter.warn(place, message);
    }
    if peer.source_address.is_some() {
        let message = "only the node with the source address can reach this peer";
        linter.warn(place, message);
    }
}

fn check_next_hop(linter: &mut Linter<'_>, place: &Place, peer: &Peer) {
    let Some(NextHopPolicy::Addresses(addresses)) = &peer.next_hop else { return };

    if !has_one_node(peer, linter.cluster.nodes) {
        let message = "all nodes of this peer announce the same next hop, which gets all traffic: use \
                       node or session, or select a single node";
        linter.warn(place, message);
    }
    for address in addresses {
        let family = IpFamily::of(*address);
        if !peer.carries(family) {
            let message =
                format!("the next hop {address} has no effect: the peer carries no {family}");
            linter.warn(place, message);
        }
    }
}

/// Warns about a node without an IPv6 address for the IPv6 routes of a session over IPv4.
///
/// The routes of the family that a session does not run over have the node's address as the next hop. Without such an address,
/// IPv4 routes can still have that of the session, if the router accepts it (RFC 8950).
fn check_second_family(linter: &mut Linter<'_>, place: &Place, peer: &Peer) {
    let mut ranges = linter.config.pools.iter().flat_map(|pool| &pool.ranges);
    if !ranges.any(|range| range.family() == IpFamily::Ipv6) {
        return;
    }
    let runs_over_ipv4 = peer.address.ip().is_some_and(|ip| ip.is_ipv4());
    if !peer.dual_stack || !runs_over_ipv4 || has_ipv6_next_hop(peer) {
        return;
    }

    let mut without_address: Vec<&Node> = Vec::new();
    for node in linter.cluster.nodes {
        if peer.selects(&node.labels) && !node.addresses.iter().any(IpAddr::is_ipv6) {
            without_address.push(node);
        }
    }
    // The first by name, so that the order of the files does not matter.
    if let Some(node) = without_address.into_iter().min_by(|a, b| a.name.cmp(&b.name)) {
        let message =
            format!("Node {} has no IPv6 address to be the next hop of its IPv6 routes", node.name);
        linter.warn(place, message);
    }
}

fn has_ipv6_next_hop(peer: &Peer) -> bool {
    match &peer.next_hop {
        Some(NextHopPolicy::Addresses(addresses)) => addresses.iter().any(IpAddr::is_ipv6),
        _ => false,
    }
}

fn check_session(linter: &mut Linter<'_>, place: &Place, peer: &Peer) {
    if peer.hold_time.is_zero() && peer.bfd_profile.is_none() {
        let message = "a dead router goes unnoticed: there is neither a hold time nor BFD";
        linter.warn(place, message);
    }
    if peer.local_asn == Some(peer.my_asn) {
        let message = "the local AS number has no effect: it is the same as the nodes' own";
        linter.warn(place, message);
    }
    if peer.ebgp_multihop && matches!(peer.address, PeerAddress::Interface(_)) {
        let message = "multihop has no effect: a peer on an interface is one hop away";
        linter.warn(place, message);
    }
}

/// Returns true if only one known node has a session with a peer. A peer that selects a node by its host name counts as a peer
/// of a single node.
fn has_one_node(peer: &Peer, nodes: &[Node]) -> bool {
    if let [selector] = peer.node_selectors.as_slice()
        && selector.match_labels.contains_key("kubernetes.io/hostname")
    {
        return true;
    }
    nodes.iter().filter(|node| peer.selects(&node.labels)).count() == 1
}

fn check_that_there_is_a_peer(linter: &mut Linter<'_>) {
    let draft = linter.draft;
    if linter.is_complete
        && linter.config.peers.is_empty()
        && let Some(pool) = draft.pools.iter().find(|it| it.pool.protocol == Protocol::Bgp)
    {
        linter.warn(&pool.place, "no peer is configured, so nothing is announced");
    }
}
