//! The nodes of an explanation, in groups with the same outcome.
//!
//! Owns the comparison of outcomes, and the gates of a group in words that hold for all of its nodes. Decides nothing about
//! a Service.

use std::collections::BTreeMap;

use super::{GateExplanation, NodeExplanation, PeerExplanation};
use crate::planner::Gate;

/// Nodes with the same outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeGroup<'a> {
    /// The nodes, by name. There is at least one.
    pub(super) nodes: Vec<&'a NodeExplanation>,
}

/// The part of a node's explanation that makes an outcome: not the values that let a gate pass.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Outcome<'a> {
    announced: bool,
    gates: Vec<(&'static str, Option<bool>, &'a str)>,
    peers: Vec<PeerOutcome<'a>>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PeerOutcome<'a> {
    peer: &'a str,
    gates: Vec<(&'static str, Option<bool>, &'a str)>,
}

/// Returns the nodes in groups, in the order of the first node of each.
pub(super) fn groups(nodes: &[NodeExplanation]) -> Vec<NodeGroup<'_>> {
    let (mut groups, mut positions) = (Vec::new(), BTreeMap::new());
    for node in nodes {
        let position = *positions.entry(Outcome::of(node)).or_insert(groups.len());
        match groups.get_mut(position) {
            None => groups.push(NodeGroup { nodes: vec![node] }),
            Some(group) => group.nodes.push(node),
        }
    }
    groups
}

impl<'a> Outcome<'a> {
    fn of(node: &'a NodeExplanation) -> Self {
        let gates = node.gates.iter().map(|gate| match gate.passed {
            Some(true) => (gate.gate, gate.passed, ""),
            _ => (gate.gate, gate.passed, gate.common_found()),
        });
        Self {
            announced: node.announced,
            gates: gates.collect(),
            peers: node.peers.iter().map(PeerOutcome::of).collect(),
        }
    }
}

impl<'a> PeerOutcome<'a> {
    /// Returns the outcome for a peer. The values count too: they are the state of the session and the routes.
    fn of(peer: &'a PeerExplanation) -> Self {
        let gates = peer.gates.iter().map(|gate| (gate.gate, gate.passed, gate.common_found()));
        Self { peer: &peer.peer, gates: gates.collect() }
    }
}

impl NodeGroup<'_> {
    /// Returns the names of the nodes.
    pub(super) fn names(&self) -> String {
        let names: Vec<_> = self.nodes.iter().map(|node| node.node.as_str()).collect();
        names.join(", ")
    }

    /// Returns true if the nodes announce the Service.
    pub(super) fn is_announced(&self) -> bool {
        self.nodes.iter().any(|node| node.announced)
    }

    /// Returns the gates that concern all peers.
    pub(super) fn gates(&self) -> Vec<GateExplanation> {
        let mut gates = Vec::new();
        for (position, gate) in self.first_gates().iter().enumerate() {
            gates.push(match gate.passed {
                Some(true) if !self.is_single() => {
                    GateExplanation { found: self.findings(position, gate.gate), ..gate.clone() }
                }
                _ => self.in_common_words(gate),
            });
        }
        gates
    }

    /// Returns the node's peers.
    pub(super) fn peers(&self) -> Vec<PeerExplanation> {
        let mut peers = Vec::new();
        for peer in self.nodes.first().map_or(&[][..], |node| &node.peers) {
            let gates = peer.gates.iter().map(|gate| self.in_common_words(gate));
            peers.push(PeerExplanation { gates: gates.collect(), ..peer.clone() });
        }
        peers
    }

    fn is_single(&self) -> bool {
        self.nodes.len() == 1
    }

    fn first_gates(&self) -> &[GateExplanation] {
        self.nodes.first().map_or(&[], |node| &node.gates)
    }

    fn in_common_words(&self, gate: &GateExplanation) -> GateExplanation {
        match &gate.common {
            Some(common) if !self.is_single() => GateExplanation {
                found: common.found.clone(),
                hint: common.hint.clone(),
                ..gate.clone()
            },
            _ => gate.clone(),
        }
    }

    /// Returns the different values that let the nodes pass a gate.
    fn findings(&self, position: usize, gate: &str) -> String {
        // The names of the nodes are in the heading.
        if gate == Gate::Node.as_str() {
            return String::new();
        }

        let mut findings: Vec<&str> = Vec::new();
        for node in &self.nodes {
            let Some(gate) = node.gates.get(position) else { continue };
            if findings.contains(&gate.found.as_str()) {
                continue;
            }
            if findings.len() == MAX_FINDINGS {
                findings.push("..");
                break;
            }
            findings.push(&gate.found);
        }
        findings.join("; ")
    }
}

impl GateExplanation {
    /// Returns what was found, in words that hold for every node with the same reason.
    pub(super) fn common_found(&self) -> &str {
        self.common.as_ref().map_or(&self.found, |common| &common.found)
    }
}

/// The most values of a gate that are listed for a group.
const MAX_FINDINGS: usize = 3;
