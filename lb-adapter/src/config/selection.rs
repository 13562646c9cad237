//! Selectors that select nothing among the objects of the files, so that they have no effect, or less than was meant.
//!
//! If the files have no object of a kind, nothing is reported about it: the cluster has some.

use std::collections::BTreeSet;

use super::lint::Lint;
use super::report::Place;
use crate::model::{BgpAdvertisement, LabelSelector, Labels, Peer, Service, ServiceType};
use crate::spelling::nearest;

/// The objects of a kind, by their labels.
struct Candidates<'a> {
    /// Their kind, in the plural.
    kind: &'static str,
    labels: Vec<&'a Labels>,
}

impl Candidates<'_> {
    /// Returns the positions of the selectors that select none of the objects; nothing if there are no objects.
    fn idle(&self, selectors: &[LabelSelector]) -> Vec<usize> {
        if self.labels.is_empty() {
            return Vec::new();
        }
        let selects = |it: &LabelSelector| self.labels.iter().any(|labels| it.matches(labels));
        let idle = selectors.iter().enumerate().filter(|(_, it)| !selects(it));
        idle.map(|(index, _)| index).collect()
    }
}

impl Lint<'_> {
    /// Warns of selectors that select nothing.
    pub(super) fn selections(&mut self) {
        let (draft, config, around) = (self.draft, self.config, self.around);
        let nodes = around.nodes.iter().map(|node| &node.labels).collect();
        let nodes = Candidates { kind: "Nodes", labels: nodes };
        let balanced = |service: &&Service| service.type_ == ServiceType::LoadBalancer;
        let services =
            around.services.iter().filter(balanced).map(|service| &service.labels).collect();
        let services = Candidates { kind: "Services", labels: services };
        let pools = config.pools.iter().map(|pool| &pool.labels).collect();
        let pools = Candidates { kind: "pools", labels: pools };

        for (it, advertisement) in draft.bgp_advertisements.iter().zip(&config.bgp_advertisements) {
            let place = &it.place;
            let (from, of) = (&advertisement.node_selectors, &advertisement.service_selectors);
            self.without_effect(place, ("nodeSelectors", "node selectors"), from, &nodes);
            self.without_effect(place, ("serviceSelectors", "service selectors"), of, &services);

            // An advertisement that selects no pool at all has a warning of its own.
            let selects = |pool| advertisement.selects_pool(pool);
            if !it.pools.is_empty() || config.pools.iter().any(selects) {
                let idle = pools.idle(&advertisement.pools.selectors);
                self.warn_of_each(place, "ipAddressPoolSelectors", &idle, &pools);
            }
            self.meets_no_peer(place, advertisement);
        }

        for (it, peer) in draft.peers.iter().zip(&config.peers) {
            let idle = nodes.idle(&peer.node_selectors);
            // A peer that no Node speaks to has a warning of its own.
            if idle.len() < peer.node_selectors.len() {
                self.warn_of_each(&it.place, "nodeSelectors", &idle, &nodes);
            }
        }
        self.allocations(&services);
    }

    /// Warns if none of an advertisement's selectors selects anything, or else of each that does not.
    fn without_effect(
        &mut self,
        place: &Place,
        (key, words): (&str, &str),
        selectors: &[LabelSelector],
        among: &Candidates<'_>,
    ) {
        let idle = among.idle(selectors);
        if !idle.is_empty() && idle.len() == selectors.len() {
            let message = format!("without effect: its {words} select none of the {}", among.kind);
            self.warn(place, message);
        } else {
            self.warn_of_each(place, key, &idle, among);
        }
    }

    /// Warns of the selectors at these positions of a list.
    fn warn_of_each(&mut self, place: &Place, key: &str, idle: &[usize], among: &Candidates<'_>) {
        for index in idle {
            self.warn(place, format!("{key}[{index}] selects none of the {}", among.kind));
        }
    }

    /// Warns of an advertisement from nodes that speak to none of its peers.
    fn meets_no_peer(&mut self, place: &Place, advertisement: &BgpAdvertisement) {
        let (config, around) = (self.config, self.around);
        let peers = config.peers.iter().filter(|peer| advertisement.selects_peer(&peer.name));
        // A peer that no Node speaks to has a warning of its own.
        let speaks = |peer: &&Peer| around.nodes.iter().any(|node| peer.selects(&node.labels));
        let peers: Vec<&Peer> = peers.filter(speaks).collect();
        let mut nodes =
            around.nodes.iter().filter(|node| advertisement.selects_node(&node.labels)).peekable();
        if !self.complete || peers.is_empty() || nodes.peek().is_none() {
            return;
        }

        if !nodes.any(|node| peers.iter().any(|peer| peer.selects(&node.labels))) {
            let message = "without effect: the Nodes that it selects speak to none of its peers";
            self.warn(place, message);
        }
    }

    /// Warns of pools for namespaces or Services that are not there.
    fn allocations(&mut self, services: &Candidates<'_>) {
        let (draft, around) = (self.draft, self.around);
        let known: BTreeSet<&str> = around.namespaces.iter().map(|it| it.name.as_str()).collect();
        let namespaces = around.namespaces.iter().map(|it| &it.labels).collect();
        let namespaces = Candidates { kind: "Namespaces", labels: namespaces };

        for it in &draft.pools {
            let Some(rule) = &it.pool.allocation else { continue };
            let unknown = |name: &&String| !known.is_empty() && !known.contains(name.as_str());
            for name in rule.namespaces.iter().filter(unknown) {
                let hint = nearest(name, known.iter().copied());
                let hint = hint.map_or_else(String::new, |it| format!(", did you mean {it:?}?"));
                self.warn(
                    &it.place,
                    format!(
                        "serviceAllocation: the namespace {name:?} is not among the Namespaces{hint}"
                    ),
                );
            }

            let idle = namespaces.idle(&rule.namespace_selectors);
            let key = "serviceAllocation: namespaceSelectors";
            self.warn_of_each(&it.place, key, &idle, &namespaces);
            let idle = services.idle(&rule.service_selectors);
            let key = "serviceAllocation: serviceSelectors";
            self.warn_of_each(&it.place, key, &idle, services);
        }
    }
}
