//! What a router holds when all nodes have told it what they plan to, and how that differs from
//! what it does hold.
//!
//! Owns the comparison; where the router's real table comes from is the caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use bgp_core::wire::{ExtendedCommunity, Origin, PathAttributes};

use crate::model::{Asn, Community, IpFamily, LargeCommunity, Node, Peer};

use super::Plan;

/// All paths that a router has received, before it chooses among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterTable {
    routes: BTreeMap<IpNet, BTreeSet<RouterPath>>,
}

/// One way to a prefix, as the router received it. Next hop first, so that a set of them sorts by
/// it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterPath {
    /// NEXT_HOP.
    pub next_hop: IpAddr,
    /// AS_PATH, the nearest AS first.
    pub as_path: Vec<Asn>,
    /// LOCAL_PREF, if the session carried one.
    pub local_pref: Option<u32>,
    /// ORIGIN.
    pub origin: Origin,
    /// MULTI_EXIT_DISC, if there is one.
    pub med: Option<u32>,
    /// COMMUNITIES.
    pub communities: BTreeSet<Community>,
    /// LARGE_COMMUNITIES.
    pub large_communities: BTreeSet<LargeCommunity>,
    /// EXTENDED_COMMUNITIES.
    pub extended_communities: BTreeSet<ExtendedCommunity>,
}

impl RouterPath {
    /// A path through this next hop without attributes.
    pub fn through(next_hop: IpAddr) -> Self {
        Self::of(next_hop, &PathAttributes::default())
    }

    /// A path through this next hop with these attributes. Their own next hop does not count.
    pub fn of(next_hop: IpAddr, attributes: &PathAttributes) -> Self {
        let asns = attributes.as_path.segments.iter().flat_map(|segment| &segment.asns);
        Self {
            next_hop,
            as_path: asns.copied().collect(),
            local_pref: attributes.local_pref,
            origin: attributes.origin,
            med: attributes.med,
            communities: attributes.communities.iter().copied().collect(),
            large_communities: attributes.large_communities.iter().copied().collect(),
            extended_communities: attributes.extended_communities.iter().copied().collect(),
        }
    }
}

impl RouterTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path; one that is there already changes nothing.
    pub fn insert(&mut self, prefix: IpNet, path: RouterPath) {
        self.routes.entry(prefix).or_default().insert(path);
    }

    /// The prefixes in order, each with its paths.
    pub fn iter(&self) -> impl Iterator<Item = (&IpNet, &BTreeSet<RouterPath>)> {
        self.routes.iter()
    }

    /// How many prefixes it has.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// How `found` differs from this table, which is what it should be; nothing if it does not.
    pub fn diff(&self, found: &Self) -> Vec<Difference> {
        let prefixes: BTreeSet<_> = self.routes.keys().chain(found.routes.keys()).collect();
        let none = BTreeSet::new();
        let mut differences = Vec::new();
        for prefix in prefixes {
            let wanted = self.routes.get(prefix).unwrap_or(&none);
            let found = found.routes.get(prefix).unwrap_or(&none);
            compare(*prefix, wanted, found, &mut differences);
        }
        differences
    }
}

fn compare(
    prefix: IpNet,
    wanted: &BTreeSet<RouterPath>,
    found: &BTreeSet<RouterPath>,
    differences: &mut Vec<Difference>,
) {
    let mut unexpected: Vec<_> = found.difference(wanted).cloned().collect();
    for expected in wanted.difference(found).cloned() {
        let same = unexpected.iter().position(|path| path.next_hop == expected.next_hop);
        differences.push(match same {
            Some(at) => Difference::Other { prefix, expected, found: unexpected.remove(at) },
            None => Difference::Missing { prefix, expected },
        });
    }
    let surplus = unexpected.into_iter().map(|found| Difference::Unexpected { prefix, found });
    differences.extend(surplus);
}

/// What the router at an address holds when every node has told it all of its plan.
///
/// Where a plan leaves the next hop to the session, that is [`session_next_hop`]; a node without one contributes nothing
/// for that prefix.
pub fn expected_router_table<'a>(
    plans: impl IntoIterator<Item = &'a Plan>,
    router: SocketAddr,
) -> RouterTable {
    let mut table = RouterTable::new();
    for plan in plans {
        let told = plan.peers.iter().filter(|it| it.peer.socket_address() == Some(router));
        for peer in told {
            let own_asn = (!peer.peer.is_internal()).then(|| peer.peer.shown_asn());
            for (prefix, route) in &peer.routes {
                let family = IpFamily::of(prefix.addr());
                let own = || session_next_hop(&plan.scene.node, &peer.peer, family);
                let Some(next_hop) = route.next_hop().or_else(own) else { continue };
                let mut path = RouterPath::of(next_hop, route.attributes());
                path.as_path.splice(0..0, own_asn);
                table.insert(*prefix, path);
            }
        }
    }
    table
}

/// The next hop of a node's routes of a family to a peer, where the plan leaves it to the session.
///
/// Routes of the session's family have the address that the session starts at: the configured source address, or the
/// node's first of that family. Routes of the other family have the node's first address of theirs. If a node has no
/// IPv4 address, IPv4 routes over an IPv6 session have the session's (RFC 8950).
pub fn session_next_hop(node: &Node, peer: &Peer, family: IpFamily) -> Option<IpAddr> {
    let own =
        |family| node.addresses.iter().copied().find(|address| IpFamily::of(*address) == family);
    let session = peer.address.ip().map(IpFamily::of);
    let local = || peer.source_address.or_else(|| own(session?));
    match (session, family) {
        (Some(IpFamily::Ipv4), IpFamily::Ipv4) | (Some(IpFamily::Ipv6), IpFamily::Ipv6) => local(),
        (Some(IpFamily::Ipv6), IpFamily::Ipv4) => own(family).or_else(local),
        _ => own(family),
    }
}

/// One way in which a router's table is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// A path is not there.
    Missing {
        /// Where to.
        prefix: IpNet,
        /// The path that should be there.
        expected: RouterPath,
    },
    /// A path is there that should not be.
    Unexpected {
        /// Where to.
        prefix: IpNet,
        /// The path that is there.
        found: RouterPath,
    },
    /// A path has the right next hop and other attributes.
    Other {
        /// Where to.
        prefix: IpNet,
        /// The path that should be there.
        expected: RouterPath,
        /// The path that is there.
        found: RouterPath,
    },
}

impl fmt::Display for RouterPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through {}, AS_PATH {}", self.next_hop, words(&self.as_path))?;
        if let Some(local_pref) = self.local_pref {
            write!(f, ", LOCAL_PREF {local_pref}")?;
        }
        if self.origin != Origin::default() {
            write!(f, ", ORIGIN {}", self.origin)?;
        }
        if let Some(med) = self.med {
            write!(f, ", MED {med}")?;
        }
        if !self.communities.is_empty() {
            write!(f, ", COMMUNITIES {}", words(&self.communities))?;
        }
        if !self.large_communities.is_empty() {
            write!(f, ", LARGE_COMMUNITIES {}", words(&self.large_communities))?;
        }
        if !self.extended_communities.is_empty() {
            write!(f, ", EXTENDED_COMMUNITIES {}", words(&self.extended_communities))?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { prefix, expected } => write!(f, "{prefix}: no path {expected}"),
            Self::Unexpected { prefix, found } => write!(f, "{prefix}: unexpected path {found}"),
            Self::Other { prefix, expected, found } => {
                write!(f, "{prefix}: expected a path {expected}; found one {found}")
            }
        }
    }
}

/// Values with blanks between them; `empty` for none.
fn words<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    if texts.is_empty() { "empty".to_owned() } else { texts.join(" ") }
}
