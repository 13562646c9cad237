//! `/protocols`, `/protocols/bgp` and `/protocols/short`.

use std::collections::BTreeMap;

use ferrolb_api::{Peer, Timestamp};
use serde::Serialize;

use super::{Meta, before, bird_time, has_nodes, protocol_name};

/// The answer to `/protocols` and `/protocols/bgp`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Protocols {
    api: Meta,
    ttl: Timestamp,
    protocols: BTreeMap<String, Protocol>,
}

/// The answer to `/protocols/short`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShortProtocols {
    api: Meta,
    ttl: Timestamp,
    protocols: BTreeMap<String, ShortProtocol>,
}

#[derive(Clone, Debug, Serialize)]
struct Protocol {
    protocol: String,
    bird_protocol: &'static str,
    table: &'static str,
    state: &'static str,
    state_changed: String,
    connection: String,
    bgp_state: String,
    description: String,
    neighbor_address: String,
    neighbor_as: u32,
    local_as: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    routes: RouteCounts,
}

#[derive(Clone, Debug, Serialize)]
struct RouteCounts {
    imported: usize,
    filtered: usize,
    exported: usize,
    preferred: usize,
}

#[derive(Clone, Debug, Serialize)]
struct ShortProtocol {
    proto: &'static str,
    table: &'static str,
    state: &'static str,
    since: String,
    info: String,
}

impl Protocols {
    /// Returns these peers as protocols of BIRD.
    pub(crate) fn of(status: &ferrolb_api::Status, peers: &[Peer]) -> Self {
        let has_nodes = has_nodes(peers);
        let protocols = peers.iter().map(|peer| {
            let name = protocol_name(peer, has_nodes);
            (name.clone(), protocol(name, peer, status.time))
        });
        Self { api: Meta::of(status), ttl: status.time, protocols: protocols.collect() }
    }
}

impl ShortProtocols {
    /// Returns these peers as protocols of BIRD, in short.
    pub(crate) fn of(status: &ferrolb_api::Status, peers: &[Peer]) -> Self {
        let has_nodes = has_nodes(peers);
        let protocols = peers.iter().map(|peer| {
            let short = ShortProtocol {
                proto: "BGP",
                table: TABLE,
                state: state(peer),
                since: since(peer, status.time),
                info: peer.state.clone(),
            };
            (protocol_name(peer, has_nodes), short)
        });
        Self { api: Meta::of(status), ttl: status.time, protocols: protocols.collect() }
    }
}

fn protocol(name: String, peer: &Peer, now: Timestamp) -> Protocol {
    Protocol {
        protocol: name,
        bird_protocol: "BGP",
        table: TABLE,
        state: state(peer),
        state_changed: since(peer, now),
        connection: peer.state.clone(),
        bgp_state: peer.state.clone(),
        description: format!("{} of node {}", peer.name, peer.node),
        neighbor_address: address(&peer.endpoint).to_owned(),
        neighbor_as: peer.asn.unwrap_or_default(),
        local_as: peer.local_asn,
        last_error: peer.last_error.as_ref().map(|error| error.text.clone()),
        routes: RouteCounts {
            imported: peer.received,
            filtered: 0,
            exported: peer.prefixes.sent,
            preferred: 0,
        },
    }
}

/// The name of the table that BIRD's protocols would have.
const TABLE: &str = "master";

/// Returns the state of BIRD's protocol: `up`, `start` while it has no session, or `down` if an operator has disabled it.
fn state(peer: &Peer) -> &'static str {
    match peer.state.as_str() {
        "Established" => "up",
        _ if peer.disabled => "down",
        _ => "start",
    }
}

fn since(peer: &Peer, now: Timestamp) -> String {
    bird_time(before(now, peer.state_seconds.unwrap_or_default()))
}

/// Returns the address of an endpoint such as `172.22.35.1:179`, `[fd00::1]:179` or `eth1:179`.
pub(super) fn address(endpoint: &str) -> &str {
    let address = endpoint.rsplit_once(':').map_or(endpoint, |(address, _)| address);
    address.trim_start_matches('[').trim_end_matches(']')
}
