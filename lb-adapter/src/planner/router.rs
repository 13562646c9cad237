//! What a router holds when all nodes have told it what they plan to, and how that differs from
//! what it does hold.
//!
//! Owns the comparison; where the router's real table comes from is the caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::model::{Asn, Community, IpFamily};

use super::Plan;

/// All paths that a router has received, before it chooses among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterTable {
    routes: BTreeMap<IpNet, BTreeSet<RouterPath>>,
}

/// One way to a prefix, as the router received it. Next hop first, so that a set of them sorts by
/// it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct RouterPath {
    /// NEXT_HOP.
    pub next_hop: IpAddr,
    /// AS_PATH, the nearest AS first.
    pub as_path: Vec<Asn>,
    /// LOCAL_PREF, if the session carried one.
    pub local_pref: Option<u32>,
    /// COMMUNITIES.
    pub communities: BTreeSet<Community>,
}

impl RouterPath {
    /// A path through this next hop without attributes.
    pub fn through(next_hop: IpAddr) -> Self {
        Self { next_hop, as_path: Vec::new(), local_pref: None, communities: BTreeSet::new() }
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
/// A session is taken to start at the node's first address of the family, where its plan leaves the
/// next hop to the session; a node without such an address contributes nothing for that prefix.
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
                let own = || plan.scene.node.addresses.iter().find(|a| IpFamily::of(**a) == family);
                let next_hop = route.next_hop().or_else(|| own().copied());
                let Some(next_hop) = next_hop else { continue };
                let prepended = &route.attributes().as_path.segments;
                let prepended = prepended.iter().flat_map(|segment| &segment.asns).copied();
                let path = RouterPath {
                    next_hop,
                    as_path: own_asn.into_iter().chain(prepended).collect(),
                    local_pref: route.local_pref(),
                    communities: route.communities().iter().copied().collect(),
                };
                table.insert(*prefix, path);
            }
        }
    }
    table
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
        if !self.communities.is_empty() {
            write!(f, ", COMMUNITIES {}", words(&self.communities))?;
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
