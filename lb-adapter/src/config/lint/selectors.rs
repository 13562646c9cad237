//! Selectors that match none of the objects in the files, so that they have no effect, or less than intended.
//!
//! If the files have no object of a kind, there is no warning: the cluster probably has some.

use std::collections::BTreeSet;

use super::super::place::Place;
use super::linter::Linter;
use crate::model::{BgpAdvertisement, LabelSelector, Labels, Node, Peer, ServiceType};
use crate::spelling::nearest;

/// The objects of a kind, by their labels.
struct CandidateLabels<'a> {
    /// The kind, in the plural.
    kind: &'static str,
    labels: Vec<&'a Labels>,
}

impl<'a> CandidateLabels<'a> {
    fn new(kind: &'static str, labels: impl Iterator<Item = &'a Labels>) -> Self {
        Self { kind, labels: labels.collect() }
    }

    /// Returns the positions of the selectors that match none of the objects; nothing if there are no objects.
    fn unmatched(&self, selectors: &[LabelSelector]) -> Vec<usize> {
        let mut unmatched = Vec::new();
        for (index, selector) in selectors.iter().enumerate() {
            let matches = self.labels.iter().any(|labels| selector.matches(labels));
            if !matches && !self.labels.is_empty() {
                unmatched.push(index);
            }
        }
        unmatched
    }
}

/// Checks the selectors of all advertisements, peers and pools.
pub(super) fn check(linter: &mut Linter<'_>) {
    let cluster = linter.cluster;
    let nodes = CandidateLabels::new("Nodes", cluster.nodes.iter().map(|node| &node.labels));
    let load_balancers =
        cluster.services.iter().filter(|service| service.type_ == ServiceType::LoadBalancer);
    let services = CandidateLabels::new("Services", load_balancers.map(|service| &service.labels));

    check_advertisements(linter, &nodes, &services);
    check_peers(linter, &nodes);
    check_pools(linter, &services);
}

fn check_advertisements(
    linter: &mut Linter<'_>,
    nodes: &CandidateLabels<'_>,
    services: &CandidateLabels<'_>,
) {
    let (draft, config) = (linter.draft, linter.config);
    let pools = CandidateLabels::new("pools", config.pools.iter().map(|pool| &pool.labels));

    for (draft, advertisement) in draft.bgp_advertisements.iter().zip(&config.bgp_advertisements) {
        let place = &draft.place;
        let selectors = &advertisement.node_selectors;
        check_list(linter, place, ("nodeSelectors", "node selectors"), selectors, nodes);
        let selectors = &advertisement.service_selectors;
        check_list(linter, place, ("serviceSelectors", "service selectors"), selectors, services);

        // An advertisement that selects no pool at all has a warning of its own.
        let selects_some_pool = config.pools.iter().any(|pool| advertisement.selects_pool(pool));
        if !draft.pools.is_empty() || selects_some_pool {
            let unmatched = pools.unmatched(&advertisement.pools.selectors);
            warn_about_each(linter, place, "ipAddressPoolSelectors", &unmatched, &pools);
        }
        check_peers_of_nodes(linter, place, advertisement);
    }
}

fn check_peers(linter: &mut Linter<'_>, nodes: &CandidateLabels<'_>) {
    let (draft, config) = (linter.draft, linter.config);
    for (draft, peer) in draft.peers.iter().zip(&config.peers) {
        let unmatched = nodes.unmatched(&peer.node_selectors);
        // A peer that no Node speaks to has a warning of its own.
        if unmatched.len() < peer.node_selectors.len() {
            warn_about_each(linter, &draft.place, "nodeSelectors", &unmatched, nodes);
        }
    }
}

/// Warns if no selector of a list matches anything, or else about each selector that matches nothing.
fn check_list(
    linter: &mut Linter<'_>,
    place: &Place,
    (key, words): (&str, &str),
    selectors: &[LabelSelector],
    candidates: &CandidateLabels<'_>,
) {
    let unmatched = candidates.unmatched(selectors);
    if unmatched.is_empty() || unmatched.len() < selectors.len() {
        warn_about_each(linter, place, key, &unmatched, candidates);
        return;
    }
    let message = format!("no effect: its {words} match none of the {}", candidates.kind);
    linter.warn(place, message);
}

/// Warns about the selectors at these positions of a list.
fn warn_about_each(
    linter: &mut Linter<'_>,
    place: &Place,
    key: &str,
    unmatched: &[usize],
    candidates: &CandidateLabels<'_>,
) {
    for index in unmatched {
        linter.warn(place, format!("{key}[{index}] matches none of the {}", candidates.kind));
    }
}

/// Warns about an advertisement whose nodes speak to none of its peers.
fn check_peers_of_nodes(linter: &mut Linter<'_>, place: &Place, advertisement: &BgpAdvertisement) {
    let all_nodes = linter.cluster.nodes;
    let mut peers: Vec<&Peer> = Vec::new();
    for peer in &linter.config.peers {
        // A peer that no Node speaks to has a warning of its own.
        let has_nodes = all_nodes.iter().any(|node| peer.selects(&node.labels));
        if has_nodes && advertisement.selects_peer(&peer.name) {
            peers.push(peer);
        }
    }
    let nodes: Vec<&Node> =
        all_nodes.iter().filter(|node| advertisement.selects_node(&node.labels)).collect();
    if !linter.is_complete || peers.is_empty() || nodes.is_empty() {
        return;
    }

    if !nodes.iter().any(|node| peers.iter().any(|peer| peer.selects(&node.labels))) {
        let message = "no effect: the Nodes that it selects speak to none of its peers";
        linter.warn(place, message);
    }
}

/// Warns about pools for namespaces or Services that do not exist.
fn check_pools(linter: &mut Linter<'_>, services: &CandidateLabels<'_>) {
    let (draft, cluster) = (linter.draft, linter.cluster);
    let known: BTreeSet<&str> =
        cluster.namespaces.iter().map(|namespace| namespace.name.as_str()).collect();
    let namespaces = cluster.namespaces.iter().map(|namespace| &namespace.labels);
    let namespaces = CandidateLabels::new("Namespaces", namespaces);

    for draft in &draft.pools {
        let Some(allocation) = &draft.pool.allocation else { continue };
        for name in &allocation.namespaces {
            if known.is_empty() || known.contains(name.as_str()) {
                continue;
            }
            let mut message = format!("serviceAllocation: no Namespace is named {name:?}");
            if let Some(nearest) = nearest(name, known.iter().copied()) {
                message.push_str(&format!(", did you mean {nearest:?}?"));
            }
            linter.warn(&draft.place, message);
        }

        let unmatched = namespaces.unmatched(&allocation.namespace_selectors);
        let key = "serviceAllocation: namespaceSelectors";
        warn_about_each(linter, &draft.place, key, &unmatched, &namespaces);
        let unmatched = services.unmatched(&allocation.service_selectors);
        let key = "serviceAllocation: serviceSelectors";
        warn_about_each(linter, &draft.place, key, &unmatched, services);
    }
}
