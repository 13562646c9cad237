//! Advertisements, which make the addresses of pools known outside the cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::selector::matches_any_or_empty;
use super::{Community, IpFamily, LabelSelector, Labels, LargeCommunity, Pool};

/// A rule for announcing addresses by BGP. Several rules for one address give several routes, or one route with all their
/// communities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpAdvertisement {
    /// Unique in the configuration.
    pub name: String,
    /// The length of the prefix that is announced for an IPv4 address, at most 32.
    pub aggregation_length: u8,
    /// The length of the prefix that is announced for an IPv6 address, at most 128.
    pub aggregation_length_v6: u8,
    /// LOCAL_PREF for internal peers (RFC 4271 section 5.1.5). None, which stands for 100, if it is not configured or 0.
    pub local_pref: Option<u32>,
    /// COMMUNITIES (RFC 1997).
    pub communities: BTreeSet<Community>,
    /// LARGE_COMMUNITY (RFC 8092).
    pub large_communities: BTreeSet<LargeCommunity>,
    /// The pools whose addresses are announced.
    pub pools: PoolSelection,
    /// The nodes that announce: those selected by one of these, or all nodes if empty.
    pub node_selectors: Vec<LabelSelector>,
    /// The names of the peers that receive the routes; all peers if empty.
    pub peers: BTreeSet<String>,
    /// The Services that are announced: those selected by one of these, or all Services if empty.
    pub service_selectors: Vec<LabelSelector>,
}

impl BgpAdvertisement {
    /// Makes an advertisement of host routes without attributes, for all pools, nodes and peers.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            aggregation_length: IpFamily::Ipv4.bits(),
            aggregation_length_v6: IpFamily::Ipv6.bits(),
            local_pref: None,
            communities: BTreeSet::new(),
            large_communities: BTreeSet::new(),
            pools: PoolSelection::default(),
            node_selectors: Vec::new(),
            peers: BTreeSet::new(),
            service_selectors: Vec::new(),
        }
    }

    /// The prefix length for addresses of this family.
    pub fn aggregation_length_for(&self, family: IpFamily) -> u8 {
        match family {
            IpFamily::Ipv4 => self.aggregation_length,
            IpFamily::Ipv6 => self.aggregation_length_v6,
        }
    }

    /// Returns true if the advertisement announces addresses of this pool.
    pub(crate) fn selects_pool(&self, pool: &Pool) -> bool {
        self.pools.selects(pool)
    }

    /// Returns true if a node with these labels announces.
    pub fn selects_node(&self, labels: &Labels) -> bool {
        matches_any_or_empty(&self.node_selectors, labels)
    }

    /// Returns true if the peer with this name receives the routes.
    pub fn selects_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.contains(name)
    }

    /// Returns true if a Service with these labels is announced.
    pub(crate) fn selects_service(&self, labels: &Labels) -> bool {
        matches_any_or_empty(&self.service_selectors, labels)
    }
}

/// The advertisements of a configuration by the pools that they select. There may be thousands of both, so that not each is
/// compared with each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AdvertisementIndex {
    /// The indexes of advertisements that select pools only by name.
    by_pool: BTreeMap<String, Vec<usize>>,
    /// The indexes of the others: they select all pools, or some by their labels.
    others: Vec<usize>,
}

impl AdvertisementIndex {
    /// Makes the index of these advertisements.
    pub(crate) fn new(advertisements: &[BgpAdvertisement]) -> Self {
        let mut index = Self::default();
        for (position, advertisement) in advertisements.iter().enumerate() {
            let PoolSelection { names, selectors } = &advertisement.pools;
            if names.is_empty() || !selectors.is_empty() {
                index.others.push(position);
                continue;
            }
            for name in names {
                index.by_pool.entry(name.clone()).or_default().push(position);
            }
        }
        index
    }

    /// Returns the indexes of those that select a pool, in ascending order. `all` are the advertisements of the index.
    pub(crate) fn selecting(&self, pool: &Pool, all: &[BgpAdvertisement]) -> Vec<usize> {
        let named = self.by_pool.get(&pool.name).map_or(&[][..], Vec::as_slice);
        let mut selecting = named.to_vec();
        for position in &self.others {
            if all.get(*position).is_some_and(|advertisement| advertisement.selects_pool(pool)) {
                selecting.push(*position);
            }
        }
        selecting.sort_unstable();
        selecting
    }
}

/// A rule for announcing addresses by ARP and NDP. FerroLB leaves that to other programs; the rule shows which pools it
/// need not announce by BGP.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct L2Advertisement {
    /// Unique in the configuration.
    pub name: String,
    /// The pools whose addresses are announced.
    pub pools: PoolSelection,
    /// The nodes that announce: those selected by one of these, or all nodes if empty.
    pub node_selectors: Vec<LabelSelector>,
    /// The Services that are announced: those selected by one of these, or all Services if empty.
    pub service_selectors: Vec<LabelSelector>,
    /// The interfaces to announce on; all interfaces if empty.
    pub interfaces: Vec<String>,
}

impl L2Advertisement {
    /// Makes an advertisement for all pools, nodes and interfaces.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            pools: PoolSelection::default(),
            node_selectors: Vec::new(),
            service_selectors: Vec::new(),
            interfaces: Vec::new(),
        }
    }
}

/// The pools of an advertisement: those named and those selected, or all pools if both lists are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSelection {
    /// The names of pools. A name that no pool has selects nothing.
    pub names: BTreeSet<String>,
    /// The selectors of pools by their labels.
    pub selectors: Vec<LabelSelector>,
}

impl PoolSelection {
    /// Selects only the pool with this name.
    pub fn only(name: impl Into<String>) -> Self {
        Self { names: BTreeSet::from([name.into()]), selectors: Vec::new() }
    }

    /// Returns true if all pools are selected.
    pub(crate) fn is_all(&self) -> bool {
        self.names.is_empty() && self.selectors.is_empty()
    }

    /// Returns true if this pool is selected.
    pub fn selects(&self, pool: &Pool) -> bool {
        self.is_all()
            || self.names.contains(&pool.name)
            || self.selectors.iter().any(|selector| selector.matches(&pool.labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_selected_by_name_or_label_and_all_by_default() {
        let mut pool = Pool::new("a", Vec::new());
        pool.labels.insert("zone".to_owned(), "dmz".to_owned());
        assert!(PoolSelection::default().selects(&pool));
        assert!(PoolSelection::only("a").selects(&pool));
        let mut other = PoolSelection::only("b");
        assert!(!other.selects(&pool));
        let mut selector = LabelSelector::default();
        selector.match_labels.insert("zone".to_owned(), "dmz".to_owned());
        other.selectors.push(selector);
        assert!(other.selects(&pool));
    }

    #[test]
    fn an_index_finds_the_advertisements_that_select_a_pool() {
        let mut selector = LabelSelector::default();
        selector.match_labels.insert("zone".to_owned(), "dmz".to_owned());
        let selections = [
            PoolSelection::only("a"),
            PoolSelection::default(),
            PoolSelection { names: BTreeSet::new(), selectors: vec![selector.clone()] },
            PoolSelection { names: ["a", "b"].map(str::to_owned).into(), selectors: Vec::new() },
            PoolSelection { names: ["b"].map(str::to_owned).into(), selectors: vec![selector] },
            PoolSelection::only("gone"),
        ];
        let all = selections.map(|pools| BgpAdvertisement { pools, ..BgpAdvertisement::new("") });
        let index = AdvertisementIndex::new(&all);

        for name in ["a", "b", "c"] {
            for zone in ["dmz", "office"] {
                let mut pool = Pool::new(name, Vec::new());
                pool.labels.insert("zone".to_owned(), zone.to_owned());
                let selecting: Vec<_> =
                    (0..all.len()).filter(|position| all[*position].selects_pool(&pool)).collect();
                assert_eq!(index.selecting(&pool, &all), selecting, "{name} {zone}");
            }
        }
    }

    #[test]
    fn peers_are_selected_by_name_and_all_by_default() {
        let mut advertisement = BgpAdvertisement::new("a");
        assert!(advertisement.selects_peer("tor1"));
        advertisement.peers.insert("tor2".to_owned());
        assert!(!advertisement.selects_peer("tor1"));
        assert!(advertisement.selects_peer("tor2"));
    }
}
