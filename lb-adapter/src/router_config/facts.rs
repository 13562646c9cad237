//! What a router must know: who will speak to it, and what it may hear.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use crate::manifest::Manifests;
use crate::model::{Asn, BfdProfile, Config, IpFamily, Node, Peer, Protocol};
use crate::replay::PASSWORD;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) peer: Option<&'a str>,
    pub(super) asn: Option<Asn>,
    pub(super) with_passwords: bool,
}

/// One router.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) asn: Asn,
    /// Its BGP Identifier: its address, or for an IPv6 one a number made of it.
    pub(super) identifier: Ipv4Addr,
    pub(super) neighbors: Vec<Neighbor>,
    /// What the nodes may announce, IPv4 before IPv6.
    pub(super) accepted: Vec<Accepted>,
}

/// A node, as the router meets it.
#[derive(Debug)]
pub(super) struct Neighbor {
    /// The node's name.
    pub(super) name: String,
    pub(super) address: IpAddr,
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

    /// A comment's first line.
    pub(super) fn title(&self) -> String {
        format!("router {}, AS {}: {} nodes", self.address, self.asn, self.neighbors.len())
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
    let mut routers: BTreeMap<(IpAddr, u16), Router> = BTreeMap::new();
    let peers: Vec<&Peer> = config
        .peers
        .iter()
        .filter(|peer| wanted.peer.is_none_or(|name| name == peer.name))
        .collect();
    if let (true, Some(name)) = (peers.is_empty(), wanted.peer) {
        let known: Vec<_> = config.peers.iter().map(|peer| peer.name.as_str()).collect();
        return Err(format!("no peer is named {name:?}, expected one of {}", known.join(", ")));
    }
    for peer in peers {
        let Some(address) = peer.address.ip() else {
            if wanted.peer.is_some() {
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
        let router = routers.entry((address, peer.port)).or_insert_with(|| Router {
            address,
            port: peer.port,
            asn,
            identifier: identifier(address),
            neighbors: Vec::new(),
            accepted: Vec::new(),
        });
        for node in manifests.nodes.iter().filter(|node| peer.selects(&node.labels)) {
            let neighbor = neighbor(config, node, peer, address, wanted);
            let known = |neighbor: &Neighbor| {
                router.neighbors.iter().any(|other| other.address == neighbor.address)
            };
            let neighbor = neighbor.filter(|neighbor| !known(neighbor));
            router.neighbors.extend(neighbor);
        }
        let accepted: BTreeSet<_> = accepted(config, peer).into_iter().collect();
        router.accepted.extend(accepted);
        router.accepted.sort_unstable();
        router.accepted.dedup();
    }
    Ok(routers.into_values().collect())
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
            Ipv4Addr::new(a.max(1), b, c, d)
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
        name: node.name.clone(),
        address: peer.source_address.or_else(own)?,
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
