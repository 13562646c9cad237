//! The part of a router's configuration that all systems share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use lb_adapter::engine::host_identifier;
use lb_adapter::model::{Asn, BfdProfile, IpFamily, Peer};

/// One router.
#[derive(Debug)]
pub(super) struct Router {
    /// The addresses, IPv4 before IPv6.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) asn: Asn,
    /// The BGP Identifier: the IPv4 address, or a number derived from the IPv6 address.
    pub(super) identifier: Ipv4Addr,
    pub(super) neighbors: Vec<Neighbor>,
    /// The routes that the nodes may announce, IPv4 before IPv6.
    pub(super) accepted: Vec<AcceptedRoutes>,
    /// The selected nodes that cannot speak to the router, and the peers that it cannot tell from others, with the reasons.
    pub(super) left_out: Vec<String>,
}

/// A node, as the router knows it.
#[derive(Debug)]
pub(super) struct Neighbor {
    /// The node's name.
    pub(super) node: String,
    /// The name in the router's configuration: the node's, with the family if the router has the node in both.
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// The address of the router that the node dials.
    pub(super) router: IpAddr,
    /// The port that the node dials.
    pub(super) port: u16,
    pub(super) asn: Asn,
    /// The password or a placeholder, if the peer has one.
    pub(super) password: Option<String>,
    pub(super) hold_time: u64,
    pub(super) keepalive_time: u64,
    pub(super) multihop: bool,
    pub(super) bfd: Option<BfdProfile>,
    pub(super) graceful_restart: bool,
    /// The families of the routes.
    pub(super) families: Vec<IpFamily>,
}

/// The prefixes within a network that have these lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AcceptedRoutes {
    pub(super) network: IpNet,
    pub(super) shortest: u8,
    pub(super) longest: u8,
}

impl AcceptedRoutes {
    /// Returns the number of prefixes of the longest length.
    fn count(&self) -> u32 {
        let bits = u32::from(self.longest - self.network.prefix_len());
        1_u32.checked_shl(bits).unwrap_or(u32::MAX)
    }
}

impl Neighbor {
    /// Returns the largest of the limits of its families, for systems with one limit.
    pub(super) fn prefix_limit(&self, router: &Router) -> u32 {
        self.families.iter().map(|family| router.prefix_limit(*family)).max().unwrap_or(0)
    }
}

impl Router {
    /// Returns a router without neighbors.
    pub(super) fn new(address: IpAddr, asn: Asn) -> Self {
        Self {
            addresses: vec![address],
            asn,
            identifier: identifier(address),
            neighbors: Vec::new(),
            accepted: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Returns true if the neighbor is in another AS.
    pub(super) fn is_external(&self, neighbor: &Neighbor) -> bool {
        neighbor.asn != self.asn
    }

    /// Returns the accepted routes of a family.
    pub(super) fn accepted_of(&self, family: IpFamily) -> impl Iterator<Item = &AcceptedRoutes> {
        self.accepted.iter().filter(move |routes| IpFamily::of(routes.network.addr()) == family)
    }

    /// Returns the families of all sessions.
    pub(super) fn families(&self) -> Vec<IpFamily> {
        let families = self.neighbors.iter().flat_map(|neighbor| &neighbor.families).copied();
        let families: BTreeSet<_> = families.collect();
        families.into_iter().collect()
    }

    /// Returns the limit for the prefixes of a family from one node: their possible number, but not more than any cluster
    /// has.
    pub(super) fn prefix_limit(&self, family: IpFamily) -> u32 {
        let mut sum = 0_u32;
        for routes in self.accepted_of(family) {
            sum = sum.saturating_add(routes.count());
        }
        sum.clamp(MIN_PREFIX_LIMIT, MAX_PREFIX_LIMIT)
    }

    /// Returns true if the nodes are in several ASes, so that the AS paths of their routes differ.
    pub(super) fn has_several_asns(&self) -> bool {
        let mut asns = self.neighbors.iter().map(|neighbor| neighbor.asn);
        let first = asns.next();
        asns.any(|asn| Some(asn) != first)
    }

    /// Returns the dialled ports other than BGP's.
    fn other_ports(&self) -> BTreeSet<u16> {
        let ports = self.neighbors.iter().map(|neighbor| neighbor.port);
        ports.filter(|port| *port != Peer::DEFAULT_PORT).collect()
    }

    /// Returns the comment at the start of the configuration. `about_ports` says what the system needs to listen on
    /// another port than BGP's; it follows each such port.
    pub(super) fn heading(&self, comment: &str, about_ports: &str) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let nodes: BTreeSet<_> = self.neighbors.iter().map(|neighbor| &neighbor.node).collect();
        let mut text = format!(
            "{comment} router {}, AS {}: {} node{}. Made by ferrolb router-config.\n",
            addresses.join(" and "),
            self.asn,
            nodes.len(),
            if nodes.len() == 1 { "" } else { "s" },
        );

        for reason in &self.left_out {
            text.push_str(&format!("{comment} Left out: {reason}.\n"));
        }
        if !about_ports.is_empty() {
            for port in self.other_ports() {
                text.push_str(&format!(
                    "{comment} The nodes dial port {port} (peerPort). {about_ports}\n"
                ));
            }
        }
        text
    }

    /// Adds the addresses, neighbors and routes of a router that turned out to be the same.
    pub(super) fn join(mut self, other: Self) -> Self {
        self.addresses.extend(other.addresses);
        self.neighbors.extend(other.neighbors);
        self.accepted.extend(other.accepted);
        self.left_out.extend(other.left_out);
        self
    }

    /// Sorts everything, removes duplicates, and gives each neighbor a name of its own.
    pub(super) fn finish(&mut self) {
        self.addresses.sort_unstable();
        self.addresses.dedup();
        self.identifier = self.addresses.first().copied().map_or(self.identifier, identifier);
        self.accepted.sort_unstable();
        self.accepted.dedup();

        let mut known = BTreeSet::new();
        self.left_out.retain(|reason| known.insert(reason.clone()));
        self.name_neighbors();
    }

    /// Adds the family to the name of a node that the router has in both families, and a number to names that are still
    /// the same.
    fn name_neighbors(&mut self) {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for neighbor in &self.neighbors {
            *counts.entry(bird_name(&neighbor.node)).or_default() += 1;
        }

        let mut used = BTreeSet::new();
        for neighbor in &mut self.neighbors {
            let mut name = neighbor.node.clone();
            if counts.get(&bird_name(&name)).is_some_and(|count| *count > 1) {
                let family = IpFamily::of(neighbor.router).to_string().to_lowercase();
                name = format!("{name}-{family}");
            }

            let base = name.clone();
            let mut number = 1;
            while !used.insert(bird_name(&name)) {
                number += 1;
                name = format!("{base}-{number}");
            }
            neighbor.name = name;
        }
    }
}

/// Returns a name in the characters of BIRD, which allows the fewest. Names that differ elsewhere may be the same there.
pub(super) fn bird_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn identifier(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        // Routers of one AS seldom share the last 32 bits of their addresses.
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            host_identifier([a, b, c, d])
        }
    }
}

const MIN_PREFIX_LIMIT: u32 = 10;
const MAX_PREFIX_LIMIT: u32 = 10_000;
