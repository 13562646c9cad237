//! Selectors that select nothing among the objects of the files: what is said by them has no effect, or less than was
//! meant.
//!
//! Where the files have no object of a kind, nothing is said of it: the cluster has some.

use std::collections::BTreeSet;

use super::lint::Lint;
use super::nearest::nearest;
use super::report::Place;
use crate::model::{BgpAdvertisement, LabelSelector, Labels, Peer, Service, ServiceType};

impl Lint<'_> {
    /// Warns of advertisements for nobody.
    pub(super) fn selections(&mut self) {
        let (draft, config, around) = (self.draft, self.config, self.around);
        let nodes: Vec<&Labels> = around.nodes.iter().map(|node| &node.labels).collect();
        let balanced = |service: &&Service| service.type_ == ServiceType::LoadBalancer;
        let services: Vec<&Labels> =
            around.services.iter().filter(balanced).map(|service| &service.labels).collect();
        let pools: Vec<&Labels> = config.pools.iter().map(|pool| &pool.labels).collect();

        for (it, advertisement) in draft.bgp_advertisements.iter().zip(&config.bgp_advertisements) {
            let place = &it.place;
            self.select(place, "nodeSelectors", &advertisement.node_selectors, &nodes, "Nodes");
            let selectors = &advertisement.service_selectors;
            self.select(place, "serviceSelectors", selectors, &services, "Services");
            // Of one that selects no pool at all more is said elsewhere.
            let selects = |pool| advertisement.selects_pool(pool);
            if !it.pools.is_empty() || config.pools.iter().any(selects) {
                let selectors = &advertisement.pools.selectors;
                self.select_each(place, "ipAddressPoolSelectors", selectors, &pools, "pools");
            }
            self.meets_no_peer(place, advertisement);
        }
        for (it, peer) in draft.peers.iter().zip(&config.peers) {
            self.select_each(&it.place, "nodeSelectors", &peer.node_selectors, &nodes, "Nodes");
        }
        self.allocations(&services);
    }

    /// The selectors of an object, one of which must select something.
    fn select(
        &mut self,
        place: &Place,
        key: &str,
        selectors: &[LabelSelector],
        among: &[&Labels],
        kind: &str,
    ) {
        let some = selectors.iter().any(|it| among.iter().any(|labels| it.matches(labels)));
        if selectors.is_empty() || among.is_empty() || some {
            self.select_each(place, key, selectors, among, kind);
            return;
        }
        let of = match key {
            "nodeSelectors" => "node selectors",
            _ => "service selectors",
        };
        self.warn(place, format!("without effect: its {of} select none of the {kind}"));
    }

    /// Each of several selectors selects something; of a single one more is said elsewhere.
    fn select_each(
        &mut self,
        place: &Place,
        key: &str,
        selectors: &[LabelSelector],
        among: &[&Labels],
        kind: &str,
    ) {
        let selects = |it: &LabelSelector| among.iter().any(|labels| it.matches(labels));
        let alone = selectors.len() == 1 && key != "ipAddressPoolSelectors";
        if among.is_empty()
            || alone
            || (key != "ipAddressPoolSelectors" && !selectors.iter().any(selects))
        {
            return;
        }
        for (index, _) in selectors.iter().enumerate().filter(|(_, it)| !selects(it)) {
            self.warn(place, format!("{key}[{index}] selects none of the {kind}"));
        }
    }

    /// An advertisement from nodes that speak to none of its peers.
    fn meets_no_peer(&mut self, place: &Place, advertisement: &BgpAdvertisement) {
        let (config, around) = (self.config, self.around);
        let peers = config.peers.iter().filter(|peer| advertisement.selects_peer(&peer.name));
        // Of one that no Node speaks to there is a warning already.
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

    /// Pools for namespaces or Services that are not there.
    fn allocations(&mut self, services: &[&Labels]) {
        let (draft, around) = (self.draft, self.around);
        let known: BTreeSet<&str> = around.namespaces.iter().map(|it| it.name.as_str()).collect();
        let namespaces: Vec<&Labels> = around.namespaces.iter().map(|it| &it.labels).collect();
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
            for (key, selectors, among, kind) in [
                ("namespaceSelectors", &rule.namespace_selectors, &namespaces[..], "Namespaces"),
                ("serviceSelectors", &rule.service_selectors, services, "Services"),
            ] {
                let selects = |it: &LabelSelector| among.iter().any(|labels| it.matches(labels));
                let idle = selectors.iter().enumerate().filter(|(_, it)| !selects(it));
                for (index, _) in idle.filter(|_| !among.is_empty()) {
                    let message =
                        format!("serviceAllocation: {key}[{index}] selects none of the {kind}");
                    self.warn(&it.place, message);
                }
            }
        }
    }
}
