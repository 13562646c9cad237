//! The routers of a configuration, with the nodes that speak to them and the routes that they accept.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use lb_adapter::manifest::Manifests;
use lb_adapter::model::{Asn, Config, IpFamily, Node, Peer, Protocol};
use lb_adapter::recording::PASSWORD;

use super::router::{AcceptedRoutes, Neighbor, Router};

/// The routers to print.
#[derive(Clone, Copy, Debug)]
pub(super) struct RouterSelection<'a> {
    /// The peers that are one router; if empty, all peers.
    pub(super) peers: &'a [String],
    /// The AS for peers in any external AS.
    pub(super) asn: Option<Asn>,
    pub(super) with_passwords: bool,
}

/// A router with the names of its nodes, even of those that cannot speak to it.
type RouterWithNodes<'a> = (Router, BTreeSet<&'a str>);

/// Returns the selected routers.
///
/// # Errors
///
/// The information that the files lack.
pub(super) fn routers(
    manifests: &Manifests,
    selection: &RouterSelection<'_>,
) -> Result<Vec<Router>, String> {
    if manifests.nodes.is_empty() {
        return Err("expected Nodes, whose addresses the routers must know, found none".to_owned());
    }

    let mut routers: Vec<RouterWithNodes<'_>> = Vec::new();
    for peer in selected_peers(&manifests.config, selection)? {
        let Some(address) = peer.address.ip() else {
            if selection.peers.is_empty() {
                // The caller warns about `interface_peers`.
                continue;
            }
            return Err(format!(
                "peer {} is at an interface: the router's configuration must name an interface of the router",
                peer.name
            ));
        };
        let Some(asn) = peer.expected_asn().or(selection.asn) else {
            return Err(format!(
                "peer {} may be in any external AS: give its AS with --asn",
                peer.name
            ));
        };

        let known = routers
            .iter()
            .position(|(router, _)| router.addresses == [address] && router.asn == asn);
        let index = known.unwrap_or(routers.len());
        if known.is_none() {
            routers.push((Router::new(address, asn), BTreeSet::new()));
        }
        let (router, nodes) = &mut routers[index];
        nodes.extend(add_neighbors(router, manifests, peer, address, selection));
        router.accepted.extend(accepted_routes(&manifests.config, peer));
    }

    let mut routers = match selection.peers.len() {
        0 | 1 => join_families(routers),
        _ => vec![join_all(routers)?],
    };
    for router in &mut routers {
        router.finish();
    }
    routers.sort_by(|a, b| a.addresses.cmp(&b.addresses));
    Ok(routers)
}

/// Returns the peers at interfaces. Nothing is known about their routers.
pub(super) fn interface_peers(config: &Config) -> impl Iterator<Item = &Peer> {
    config.peers.iter().filter(|peer| peer.address.ip().is_none())
}

/// Returns the selected peers, in the order of the configuration.
fn selected_peers<'a>(
    config: &'a Config,
    selection: &RouterSelection<'_>,
) -> Result<Vec<&'a Peer>, String> {
    if selection.peers.is_empty() {
        return Ok(config.peers.iter().collect());
    }

    for name in selection.peers {
        if !config.peers.iter().any(|peer| peer.name == *name) {
            let names: Vec<_> = config.peers.iter().map(|peer| peer.name.as_str()).collect();
            return Err(format!("no peer is named {name:?}, expected one of {}", names.join(", ")));
        }
    }
    Ok(config.peers.iter().filter(|peer| selection.peers.contains(&peer.name)).collect())
}

/// Joins an IPv4 and an IPv6 address with the same AS and nodes: they are one router. If a family has several addresses,
/// nothing says which of them belong together.
fn join_families(routers: Vec<RouterWithNodes<'_>>) -> Vec<Router> {
    let mut groups: BTreeMap<(Asn, BTreeSet<&str>), Vec<Router>> = BTreeMap::new();
    for (router, nodes) in routers {
        groups.entry((router.asn, nodes)).or_default().push(router);
    }

    let mut joined = Vec::new();
    for group in groups.into_values() {
        let addresses = group.iter().flat_map(|router| &router.addresses);
        let families: BTreeSet<_> = addresses.map(|address| IpFamily::of(*address)).collect();
        if group.len() == 2 && families.len() == 2 {
            joined.extend(group.into_iter().reduce(Router::join));
        } else {
            joined.extend(group);
        }
    }
    joined
}

/// Joins the peers that the arguments name.
fn join_all(routers: Vec<RouterWithNodes<'_>>) -> Result<Router, String> {
    let asns: BTreeSet<_> = routers.iter().map(|(router, _)| router.asn).collect();
    if asns.len() > 1 {
        let asns: Vec<_> = asns.iter().map(ToString::to_string).collect();
        return Err(format!(
            "expected the peers of one router in one AS, found {}",
            asns.join(" and ")
        ));
    }
    let joined = routers.into_iter().map(|(router, _)| router).reduce(Router::join);
    joined.ok_or_else(|| "no peer has an address".to_owned())
}

/// Adds the nodes of a peer to its router, and returns the names of all nodes that the peer selects.
fn add_neighbors<'a>(
    router: &mut Router,
    manifests: &'a Manifests,
    peer: &Peer,
    address: IpAddr,
    selection: &RouterSelection<'_>,
) -> Vec<&'a str> {
    let nodes: Vec<&Node> =
        manifests.nodes.iter().filter(|node| peer.selects(&node.labels)).collect();
    if nodes.is_empty() {
        router.left_out.push(format!("peer {}, whose node selectors select no Node", peer.name));
    }

    for node in &nodes {
        let Some(neighbor) = neighbor(&manifests.config, node, peer, address, selection) else {
            let family = IpFamily::of(address);
            router.left_out.push(format!(
                "{}, which has no {family} address of type InternalIP to reach {address} from",
                node.name
            ));
            continue;
        };

        let mut neighbors = router.neighbors.iter();
        let known = neighbors
            .find(|known| known.address == neighbor.address && known.router == neighbor.router);
        match known.map(|known| known.port) {
            None => router.neighbors.push(neighbor),
            Some(port) if port == neighbor.port => {}
            // A router tells its neighbors apart by their addresses.
            Some(port) => router.left_out.push(format!(
                "peer {} at port {}, since {} is a neighbor of {address} at port {port} already",
                peer.name, neighbor.port, node.name
            )),
        }
    }
    nodes.into_iter().map(|node| node.name.as_str()).collect()
}

/// Returns a node as a neighbor; `None` if it has no address of the router's family.
fn neighbor(
    config: &Config,
    node: &Node,
    peer: &Peer,
    router: IpAddr,
    selection: &RouterSelection<'_>,
) -> Option<Neighbor> {
    let family = IpFamily::of(router);
    let mut addresses = node.addresses.iter().copied();
    let node_address = addresses.find(|address| IpFamily::of(*address) == family);
    let address = peer.source_address.or(node_address)?;

    let password = match &peer.password {
        Some(password) if selection.with_passwords => Some(password.reveal().to_owned()),
        Some(_) => Some(PASSWORD.to_owned()),
        None => peer.password_secret.as_ref().map(|_| PASSWORD.to_owned()),
    };
    let hold_time = peer.hold_time.as_secs();
    let mut families = vec![IpFamily::Ipv4, IpFamily::Ipv6];
    families.retain(|family| peer.carries(*family));

    Some(Neighbor {
        node: node.name.clone(),
        name: node.name.clone(),
        address,
        router,
        port: peer.port,
        asn: peer.shown_asn(),
        password,
        hold_time,
        keepalive_time: peer.keepalive_time.map_or(hold_time / 3, |time| time.as_secs()),
        multihop: peer.ebgp_multihop,
        bfd: peer.bfd_profile.as_ref().and_then(|name| config.bfd_profile(name)).cloned(),
        graceful_restart: peer.graceful_restart,
        families,
    })
}

/// Returns the routes that nodes may announce to a peer: the networks of the pools, with the lengths of their
/// advertisements.
fn accepted_routes(config: &Config, peer: &Peer) -> Vec<AcceptedRoutes> {
    let mut by_network: BTreeMap<IpNet, AcceptedRoutes> = BTreeMap::new();
    for pool in config.pools.iter().filter(|pool| pool.protocol == Protocol::Bgp) {
        let advertisements = config.advertisements_of(pool);
        for advertisement in advertisements.filter(|it| it.selects_peer(&peer.name)) {
            for range in pool.ranges.iter().filter(|range| peer.carries(range.family())) {
                let length = advertisement.aggregation_length_for(range.family());
                for prefix in range.prefixes() {
                    let network = aggregate(prefix, length);
                    let routes = by_network.entry(network).or_insert(AcceptedRoutes {
                        network,
                        shortest: length,
                        longest: length,
                    });
                    routes.shortest = routes.shortest.min(length);
                    routes.longest = routes.longest.max(length);
                }
            }
        }
    }
    by_network.into_values().collect()
}

/// Returns the prefix, or the aggregate of this length if that is wider.
fn aggregate(prefix: IpNet, length: u8) -> IpNet {
    match IpNet::new(prefix.addr(), length.min(prefix.prefix_len())) {
        Ok(network) => network.trunc(),
        Err(_) => prefix,
    }
}
