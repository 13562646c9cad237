//! What a router must know: who will speak to it, and what it may hear.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use lb_adapter::engine::host_identifier;
use lb_adapter::manifest::Manifests;
use lb_adapter::model::{Asn, BfdProfile, Config, IpFamily, Node, Peer, Protocol};
use lb_adapter::recording::PASSWORD;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The peers that are one router; if there are none, all.
    pub(super) peers: &'a [String],
    pub(super) asn: Option<Asn>,
    pub(super) with_passwords: bool,
}

/// One router.
#[derive(Debug)]
pub(super) struct Router {
    /// Its addresses, IPv4 before IPv6.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) asn: Asn,
    /// Its BGP Identifier: its IPv4 address, or a number made of its IPv6 one.
    pub(super) identifier: Ipv4Addr,
    pub(super) neighbors: Vec<Neighbor>,
    /// What the nodes may announce, IPv4 before IPv6.
    pub(super) accepted: Vec<Accepted>,
    /// The nodes that a peer selects and that cannot speak to it, each with the reason.
    pub(super) left_out: Vec<String>,
}

/// A node, as the router meets it.
#[derive(Debug)]
pub(super) struct Neighbor {
    /// The node's name.
    pub(super) node: String,
    /// The node's name as the router's configuration has it, with the family if the router meets the node by both.
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// Where the node dials: one of the router's addresses, and its port.
    pub(super) router: IpAddr,
    pub(super) port: u16,
    pub(super) asn: Asn,
    /// What stands for the password, if there is one.
    pub(super) password: Option<String>,
    pub(super) hold_time: u64,
    pub(super) keepalive_time: u64,
    pub(super) multihop: bool,
    pub(super) bfd: Option<BfdProfile>,
    pub(super) graceful_restart: bool,
    /// The families of the routes.
    pub(super) families: Vec<IpFamily>,
}

/// Prefixes within a network, of these lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Accepted {
    pub(super) network: IpNet,
    pub(super) shortest: u8,
    pub(super) longest: u8,
}

impl Router {
    /// Whether a node is in another AS.
    pub(super) fn is_external(&self, neighbor: &Neighbor) -> bool {
        neighbor.asn != self.asn
    }

    /// What may be heard of this family.
    pub(super) fn accepted_of(&self, family: IpFamily) -> impl Iterator<Item = &Accepted> {
        self.accepted.iter().filter(move |it| IpFamily::of(it.network.addr()) == family)
    }

    /// The families of any session.
    pub(super) fn families(&self) -> Vec<IpFamily> {
        let all: BTreeSet<_> =
            self.neighbors.iter().flat_map(|neighbor| neighbor.families.iter().copied()).collect();
        all.into_iter().collect()
    }

    /// How many prefixes of a family one node may announce: as many as there can be, and of pools
    /// that are larger than any cluster so many that something must have gone wrong.
    pub(super) fn most(&self, family: IpFamily) -> u32 {
        let count =
            |it: &Accepted| 1_u32.checked_shl(u32::from(it.longest - it.network.prefix_len()));
        let sum = self
            .accepted_of(family)
            .fold(0_u32, |sum, it| sum.saturating_add(count(it).unwrap_or(u32::MAX)));
        sum.clamp(FEWEST, MOST)
    }

    /// Returns true if the nodes are in several ASes, so that the AS paths of their routes differ.
    pub(super) fn has_several_asns(&self) -> bool {
        let mut asns = self.neighbors.iter().map(|neighbor| neighbor.asn);
        let first = asns.next();
        asns.any(|asn| Some(asn) != first)
    }

    /// The ports other than BGP's that the nodes dial.
    pub(super) fn other_ports(&self) -> Vec<u16> {
        let ports: BTreeSet<_> = self.neighbors.iter().map(|neighbor| neighbor.port).collect();
        ports.into_iter().filter(|port| *port != Peer::DEFAULT_PORT).collect()
    }

    /// Returns the lines of the comment that comes before everything else. `about_ports` follows each port of
    /// [`other_ports`](Self::other_ports): what the system needs in order to listen there.
    pub(super) fn heading(&self, comment: &str, about_ports: &str) -> String {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let addresses = addresses.join(" and ");
        let nodes: BTreeSet<_> = self.neighbors.iter().map(|neighbor| &neighbor.node).collect();
        let counted =
            if nodes.len() == 1 { "1 node".to_owned() } else { format!("{} nodes", nodes.len()) };

        let mut text = format!(
            "{comment} router {addresses}, AS {}: {counted}. Made by ferrolb router-config.\n",
            self.asn
        );

        for why in &self.left_out {
            text.push_str(&format!("{comment} Left out: {why}.\n"));
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
}

/// The routers that there are.
///
/// # Errors
///
/// What the files do not say: a sentence.
pub(super) fn of(manifests: &Manifests, wanted: &Wanted<'_>) -> Result<Vec<Router>, String> {
    let config = &manifests.config;
    if manifests.nodes.is_empty() {
        return Err("expected Nodes, whose addresses the routers must know, found none".to_owned());
    }

    let mut routers: Vec<(Router, BTreeSet<&str>)> = Vec::new();
    for peer in wanted_peers(config, wanted)? {
        let Some(address) = peer.address.ip() else {
            if !wanted.peers.is_empty() {
                return Err(format!(
                    "peer {} is at an interface: the router's side is its own interface",
                    peer.name
                ));
            }
            // Told by `at_interfaces`.
            continue;
        };
        let asn = peer.expected_asn().or(wanted.asn);
        let asn = asn.ok_or_else(|| {
            format!("peer {} is in any external AS: say which with --asn", peer.name)
        })?;

        let known = routers.iter().position(|(it, _)| it.addresses == [address] && it.asn == asn);
        let at = known.unwrap_or(routers.len());
        if known.is_none() {
            routers.push((Router::new(address, asn), BTreeSet::new()));
        }
        let (router, nodes) = &mut routers[at];
        nodes.extend(router.meet(manifests, peer, address, wanted));
        router.accepted.extend(accepted(config, peer));
    }

    let mut routers = match wanted.peers.len() {
        0 | 1 => join_families(routers),
        _ => vec![join_all(routers)?],
    };
    routers.iter_mut().for_each(Router::finish);
    routers.sort_by(|a, b| a.addresses.cmp(&b.addresses));
    Ok(routers)
}

/// The peers that were asked for, in the order configured.
fn wanted_peers<'a>(config: &'a Config, wanted: &Wanted<'_>) -> Result<Vec<&'a Peer>, String> {
    for name in wanted.peers {
        if !config.peers.iter().any(|peer| peer.name == *name) {
            let known: Vec<_> = config.peers.iter().map(|peer| peer.name.as_str()).collect();
            return Err(format!("no peer is named {name:?}, expected one of {}", known.join(", ")));
        }
    }
    let is_wanted = |peer: &&Peer| wanted.peers.is_empty() || wanted.peers.contains(&peer.name);
    Ok(config.peers.iter().filter(is_wanted).collect())
}

/// Joins an IPv4 and an IPv6 address of one AS that the same nodes speak to: they are one router. Where a family has
/// several addresses, nothing says which of them belong together.
fn join_families(routers: Vec<(Router, BTreeSet<&str>)>) -> Vec<Router> {
    let mut groups: BTreeMap<(Asn, BTreeSet<&str>), Vec<Router>> = BTreeMap::new();
    for (router, nodes) in routers {
        groups.entry((router.asn, nodes)).or_default().push(router);
    }

    let mut joined = Vec::new();
    for group in groups.into_values() {
        let addresses = group.iter().flat_map(|it| &it.addresses);
        let families: BTreeSet<_> = addresses.map(|it| IpFamily::of(*it)).collect();
        if group.len() == 2 && families.len() == 2 {
            joined.extend(group.into_iter().reduce(Router::join));
        } else {
            joined.extend(group);
        }
    }
    joined
}

/// Joins the peers that were named together.
fn join_all(routers: Vec<(Router, BTreeSet<&str>)>) -> Result<Router, String> {
    let asns: BTreeSet<_> = routers.iter().map(|(router, _)| router.asn).collect();
    if asns.len() > 1 {
        let asns: Vec<_> = asns.iter().map(ToString::to_string).collect();
        return Err(format!("the peers of one router are in one AS, found {}", asns.join(" and ")));
    }
    let joined = routers.into_iter().map(|(router, _)| router).reduce(Router::join);
    joined.ok_or_else(|| "no peer has an address".to_owned())
}

impl Router {
    fn new(address: IpAddr, asn: Asn) -> Self {
        Self {
            addresses: vec![address],
            asn,
            identifier: identifier(address),
            neighbors: Vec::new(),
            accepted: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Takes in the nodes of a peer, and returns their names.
    fn meet<'a>(
        &mut self,
        manifests: &'a Manifests,
        peer: &Peer,
        address: IpAddr,
        wanted: &Wanted<'_>,
    ) -> Vec<&'a str> {
        let selected: Vec<&Node> =
            manifests.nodes.iter().filter(|node| peer.selects(&node.labels)).collect();
        if selected.is_empty() {
            self.left_out.push(format!("peer {}, whose node selectors select no Node", peer.name));
        }

        for node in &selected {
            let Some(neighbor) = neighbor(&manifests.config, node, peer, address, wanted) else {
                let family = IpFamily::of(address);
                self.left_out.push(format!(
                    "{}, which has no {family} address of type InternalIP to reach {address} from",
                    node.name
                ));
                continue;
            };

            let is_same =
                |it: &Neighbor| it.address == neighbor.address && it.router == neighbor.router;
            if !self.neighbors.iter().any(is_same) {
                self.neighbors.push(neighbor);
            }
        }
        selected.into_iter().map(|node| node.name.as_str()).collect()
    }

    fn join(mut self, other: Self) -> Self {
        self.addresses.extend(other.addresses);
        self.neighbors.extend(other.neighbors);
        self.accepted.extend(other.accepted);
        self.left_out.extend(other.left_out);
        self
    }

    /// Sorts, and gives every neighbor a name of its own.
    fn finish(&mut self) {
        self.addresses.sort_unstable();
        self.addresses.dedup();
        self.identifier = self.addresses.first().copied().map_or(self.identifier, identifier);
        self.accepted.sort_unstable();
        self.accepted.dedup();
        let mut known = BTreeSet::new();
        self.left_out.retain(|why| known.insert(why.clone()));

        // A node that the router meets by both families gets the family into its name; what is still the same, a number.
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for neighbor in &self.neighbors {
            *count.entry(plain(&neighbor.node)).or_default() += 1;
        }
        let mut given = BTreeSet::new();
        for neighbor in &mut self.neighbors {
            let mut name = neighbor.node.clone();
            if count.get(&plain(&name)).is_some_and(|count| *count > 1) {
                let family = IpFamily::of(neighbor.router).to_string().to_lowercase();
                name = format!("{name}-{family}");
            }
            let wanted = name.clone();
            let mut number = 1;
            while !given.insert(plain(&name)) {
                number += 1;
                name = format!("{wanted}-{number}");
            }
            neighbor.name = name;
        }
    }
}

/// A name as BIRD has it, the narrowest of all systems: names that differ elsewhere may be the same there.
pub(super) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// The peers of which nothing is known that a router must know.
pub(super) fn at_interfaces(config: &Config) -> impl Iterator<Item = &Peer> {
    config.peers.iter().filter(|peer| peer.address.ip().is_none())
}

fn identifier(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        // The last 32 bits of an address are seldom those of another router of the AS.
        IpAddr::V6(address) => {
            let [.., a, b, c, d] = address.octets();
            host_identifier([a, b, c, d])
        }
    }
}

/// A node without an address of the router's family cannot speak to it.
fn neighbor(
    config: &Config,
    node: &Node,
    peer: &Peer,
    router: IpAddr,
    wanted: &Wanted<'_>,
) -> Option<Neighbor> {
    let family = IpFamily::of(router);
    let own = || node.addresses.iter().copied().find(|it| IpFamily::of(*it) == family);
    let password = peer.password.as_ref().map(|password| match wanted.with_passwords {
        true => password.reveal().to_owned(),
        false => PASSWORD.to_owned(),
    });
    let families = [IpFamily::Ipv4, IpFamily::Ipv6];
    let hold_time = peer.hold_time.as_secs();

    Some(Neighbor {
        node: node.name.clone(),
        name: node.name.clone(),
        address: peer.source_address.or_else(own)?,
        router,
        port: peer.port,
        asn: peer.shown_asn(),
        password: password.or_else(|| peer.password_secret.as_ref().map(|_| PASSWORD.to_owned())),
        hold_time,
        keepalive_time: peer.keepalive_time.map_or(hold_time / 3, |time| time.as_secs()),
        multihop: peer.ebgp_multihop,
        bfd: peer.bfd_profile.as_ref().and_then(|name| config.bfd_profile(name)).cloned(),
        graceful_restart: peer.graceful_restart,
        families: families.into_iter().filter(|family| peer.carries(*family)).collect(),
    })
}

/// What may be announced to a peer: the pieces of the pools, at the lengths of their advertisements.
fn accepted(config: &Config, peer: &Peer) -> Vec<Accepted> {
    let mut lengths: BTreeMap<IpNet, (u8, u8)> = BTreeMap::new();
    for pool in config.pools.iter().filter(|pool| pool.protocol == Protocol::Bgp) {
        let told = config.advertisements_of(pool).filter(|it| it.selects_peer(&peer.name));
        for advertisement in told {
            for range in pool.ranges.iter().filter(|range| peer.carries(range.family())) {
                let length = advertisement.aggregation_length_for(range.family());
                for piece in range.prefixes() {
                    // An aggregate may be wider than the pieces of a range.
                    let network = match IpNet::new(piece.addr(), length.min(piece.prefix_len())) {
                        Ok(network) => network.trunc(),
                        Err(_) => piece,
                    };
                    let (shortest, longest) = lengths.entry(network).or_insert((length, length));
                    (*shortest, *longest) = ((*shortest).min(length), (*longest).max(length));
                }
            }
        }
    }
    let accepted = lengths.into_iter();
    accepted.map(|(network, (shortest, longest))| Accepted { network, shortest, longest }).collect()
}

const FEWEST: u32 = 10;
const MOST: u32 = 10_000;
