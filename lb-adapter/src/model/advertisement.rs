//! Advertisements, which make the addresses of pools known outside the cluster.

use std::collections::BTreeSet;

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
    fn peers_are_selected_by_name_and_all_by_default() {
        let mut advertisement = BgpAdvertisement::new("a");
        assert!(advertisement.selects_peer("tor1"));
        advertisement.peers.insert("tor2".to_owned());
        assert!(!advertisement.selects_peer("tor1"));
        assert!(advertisement.selects_peer("tor2"));
    }
}
