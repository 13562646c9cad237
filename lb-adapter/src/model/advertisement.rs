//! How the addresses of pools become known outside.

use std::collections::BTreeSet;

use super::selector::any_or_none;
use super::{Community, IpFamily, LabelSelector, Labels, LargeCommunity, Pool};

/// How addresses are announced by BGP; several that pick one address give several routes, or one
/// route with all their communities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BgpAdvertisement {
    /// Unique in the configuration.
    pub name: String,
    /// The prefix length that an IPv4 address is announced as, at most 32.
    pub aggregation_length: u8,
    /// The prefix length that an IPv6 address is announced as, at most 128.
    pub aggregation_length_v6: u8,
    /// LOCAL_PREF for internal peers (RFC 4271 section 5.1.5); none, which stands for 100, when not configured or 0.
    pub local_pref: Option<u32>,
    /// COMMUNITIES (RFC 1997).
    pub communities: BTreeSet<Community>,
    /// LARGE_COMMUNITY (RFC 8092).
    pub large_communities: BTreeSet<LargeCommunity>,
    /// Whose addresses are announced.
    pub pools: PoolSelection,
    /// The nodes that announce: those that one of these selects, or all if there is none.
    pub node_selectors: Vec<LabelSelector>,
    /// The peers that are told, by name; all if there is none.
    pub peers: BTreeSet<String>,
    /// The Services that are announced: those that one of these selects by their labels, or all if
    /// there is none.
    pub service_selectors: Vec<LabelSelector>,
}

impl BgpAdvertisement {
    /// Host routes without attributes of all pools, from all nodes, to all peers.
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

    /// Whether it announces addresses of this pool.
    pub fn selects_pool(&self, pool: &Pool) -> bool {
        self.pools.selects(pool)
    }

    /// Whether a node with these labels announces.
    pub fn selects_node(&self, labels: &Labels) -> bool {
        any_or_none(&self.node_selectors, labels)
    }

    /// Whether the peer of this name is told.
    pub fn selects_peer(&self, name: &str) -> bool {
        self.peers.is_empty() || self.peers.contains(name)
    }

    /// Whether a Service with these labels is announced.
    pub fn selects_service(&self, labels: &Labels) -> bool {
        any_or_none(&self.service_selectors, labels)
    }
}

/// How addresses are answered for by ARP and NDP. FerroLB leaves that to others: it knows by it
/// which pools it need not announce.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct L2Advertisement {
    /// Unique in the configuration.
    pub name: String,
    /// Whose addresses are answered for.
    pub pools: PoolSelection,
    /// The nodes that answer: those that one of these selects, or all if there is none.
    pub node_selectors: Vec<LabelSelector>,
    /// The Services that it is for: those that one of these selects, or all if there is none.
    pub service_selectors: Vec<LabelSelector>,
    /// The interfaces to answer on; all if there is none.
    pub interfaces: Vec<String>,
}

impl L2Advertisement {
    /// For all pools, nodes and interfaces.
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

/// Which pools an advertisement is for: those named and those selected, or all if it says neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSelection {
    /// Pools by name. A name that no pool has selects nothing.
    pub names: BTreeSet<String>,
    /// Pools by their labels.
    pub selectors: Vec<LabelSelector>,
}

impl PoolSelection {
    /// The pool of this name and no other.
    pub fn only(name: impl Into<String>) -> Self {
        Self { names: BTreeSet::from([name.into()]), selectors: Vec::new() }
    }

    /// Whether it is for all pools, whatever they are.
    pub fn is_all(&self) -> bool {
        self.names.is_empty() && self.selectors.is_empty()
    }

    /// Whether it is for this pool.
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
    fn pools_are_picked_by_name_or_label_and_all_if_nothing_is_said() {
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
    fn peers_are_picked_by_name_and_all_if_none_is_named() {
        let mut advertisement = BgpAdvertisement::new("a");
        assert!(advertisement.selects_peer("tor1"));
        advertisement.peers.insert("tor2".to_owned());
        assert!(!advertisement.selects_peer("tor1"));
        assert!(advertisement.selects_peer("tor2"));
    }
}
