//! `/v1/nodes`: the matrix of nodes and routers.
//!
//! Owns the rows of the nodes that this process speaks for. A controller has the rows from what speakers report.

use ferrolb_api::{Node, NodeList, NodePeer};

use super::peers::{self, PeerFacts};
use super::process::leading_engine;
use super::{Process, Refused, status};

/// Returns the answer to `/v1/nodes`.
pub(super) fn list(process: &impl Process) -> Result<NodeList, Refused> {
    let engine = leading_engine(process)?;
    if let Some(nodes) = process.reported_nodes() {
        return Ok(NodeList { nodes });
    }

    let mut nodes: Vec<_> = engine
        .plans()
        .map(|plan| Node {
            name: plan.node().to_owned(),
            reported_at: None,
            silent: false,
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            drain: process.drain().stage,
            services: plan.services().count(),
            peers: Vec::new(),
            problems: Vec::new(),
        })
        .collect();
    for peer in peers::all(process, engine) {
        let Ok(at) = nodes.binary_search_by(|node| node.name.as_str().cmp(peer.node)) else {
            continue;
        };
        let Some(node) = nodes.get_mut(at) else { continue };
        node.peers.push(row(&peer));
        node.problems.extend(status::of_peer(&peer));
    }
    Ok(NodeList { nodes })
}

fn row(facts: &PeerFacts<'_>) -> NodePeer {
    let peer = facts.peer();
    let reason = peer.last_error.map(|error| error.text);
    NodePeer {
        name: peer.name,
        endpoint: peer.endpoint,
        state: peer.state,
        disabled: peer.disabled,
        state_seconds: peer.state_seconds,
        prefixes: peer.prefixes.sent,
        reason: reason.filter(|_| !facts.status.is_established()),
        bfd: peer.bfd.map(|bfd| bfd.state),
    }
}
