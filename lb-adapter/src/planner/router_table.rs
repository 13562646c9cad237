//! The routes that a router holds once all nodes have announced their plans, and the differences to the routes that it
//! does hold.
//!
//! Owns the comparison. Must not know where the router's real table comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use bgp_core::wire::{ExtendedCommunity, Origin, PathAttributes};

use crate::model::{Asn, Community, IpFamily, LargeCommunity, Node, Peer};

use super::Plan;

/// All paths that a router has received, before best path selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterTable {
    routes: BTreeMap<IpNet, BTreeSet<RouterPath>>,
}

/// One path to a prefix, as the router received it. The next hop comes first, so that a set of paths sorts by it.
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
    /// Makes a path through this next hop without attributes.
    pub fn through(next_hop: IpAddr) -> Self {
        Self::of(next_hop, &PathAttributes::default())
    }

    /// Makes a path through this next hop with these attributes, whose own next hop is ignored.
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
    /// Makes an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path. A path that is there already changes nothing.
    pub fn insert(&mut self, prefix: IpNet, path: RouterPath) {
        self.routes.entry(prefix).or_default().insert(path);
    }

    /// Returns the prefixes in order, each with its paths.
    pub fn iter(&self) -> impl Iterator<Item = (&IpNet, &BTreeSet<RouterPath>)> {
        self.routes.iter()
    }

    /// Returns the number of prefixes.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Returns true if there is no prefix.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Returns the differences between this table, which is expected, and a table that was found.
    pub fn diff(&self, found: &Self) -> Vec<PathDifference> {
        let prefixes: BTreeSet<_> = self.routes.keys().chain(found.routes.keys()).collect();
        let none = BTreeSet::new();

        let mut differences = Vec::new();
        for prefix in prefixes {
            let expected = self.routes.get(prefix).unwrap_or(&none);
            let found = found.routes.get(prefix).unwrap_or(&none);
            compare(*prefix, expected, found, &mut differences);
        }
        differences
    }
}

fn compare(
    prefix: IpNet,
    expected: &BTreeSet<RouterPath>,
    found: &BTreeSet<RouterPath>,
    differences: &mut Vec<PathDifference>,
) {
    let mut unexpected: Vec<_> = found.difference(expected).cloned().collect();

    for expected in expected.difference(found).cloned() {
        let same_next_hop = unexpected.iter().position(|path| path.next_hop == expected.next_hop);
        differences.push(match same_next_hop {
            Some(at) => PathDifference::Other { prefix, expected, found: unexpected.remove(at) },
            None => PathDifference::Missing { prefix, expected },
        });
    }

    for found in unexpected {
        differences.push(PathDifference::Unexpected { prefix, found });
    }
}

/// Returns the table of the router at an address once every node has announced its whole plan.
///
/// If a plan leaves the next hop to the session, it is [`session_next_hop`]. A node without one contributes nothing
/// for that prefix.
pub fn expected_router_table<'a>(
    plans: impl IntoIterator<Item = &'a Plan>,
    router: SocketAddr,
) -> RouterTable {
    let mut table = RouterTable::new();
    for plan in plans {
        for peer_plan in &plan.peers {
            let peer = &peer_plan.peer;
            if peer.socket_address() != Some(router) {
                continue;
            }

            let own_asn = (!peer.is_internal()).then(|| peer.shown_asn());
            for (prefix, route) in &peer_plan.routes {
                let family = IpFamily::of(prefix.addr());
                let next_hop =
                    route.next_hop().or_else(|| session_next_hop(&plan.context.node, peer, family));
                let Some(next_hop) = next_hop else { continue };

                let mut path = RouterPath::of(next_hop, route.attributes());
                path.as_path.splice(0..0, own_asn);
                table.insert(*prefix, path);
            }
        }
    }
    table
}

/// Returns the next hop of a node's routes of a family to a peer, if the plan leaves it to the session.
///
/// Routes of the session's family have the local address of the session: the configured source address, or the
/// node's first address of that family. Routes of the other family have the node's first address of their own family. If
/// a node has no IPv4 address, IPv4 routes over an IPv6 session have the session's (RFC 8950).
pub fn session_next_hop(node: &Node, peer: &Peer, family: IpFamily) -> Option<IpAddr> {
    let session_family = peer.address.ip().map(IpFamily::of);
    let session_address = || peer.source_address.or_else(|| node_address(node, session_family?));

    match (session_family, family) {
        (Some(IpFamily::Ipv4), IpFamily::Ipv4) | (Some(IpFamily::Ipv6), IpFamily::Ipv6) => {
            session_address()
        }
        (Some(IpFamily::Ipv6), IpFamily::Ipv4) => {
            node_address(node, family).or_else(session_address)
        }
        _ => node_address(node, family),
    }
}

fn node_address(node: &Node, family: IpFamily) -> Option<IpAddr> {
    node.addresses.iter().copied().find(|address| IpFamily::of(*address) == family)
}

/// A difference between the expected and the actual table of a router.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathDifference {
    /// A path is missing.
    Missing {
        /// The prefix of the path.
        prefix: IpNet,
        /// The path that should be there.
        expected: RouterPath,
    },
    /// A path is there that should not be.
    Unexpected {
        /// The prefix of the path.
        prefix: IpNet,
        /// The path that is there.
        found: RouterPath,
    },
    /// A path has the right next hop and other attributes.
    Other {
        /// The prefix of the path.
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

impl fmt::Display for PathDifference {
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

/// Returns the values separated by spaces; `empty` if there are none.
fn words<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
    if texts.is_empty() { "empty".to_owned() } else { texts.join(" ") }
}
