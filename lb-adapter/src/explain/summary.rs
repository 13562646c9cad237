//! The summary of an explanation: how many nodes announce the Service, or why none does.
//!
//! Owns the sentence. The explanations of the nodes have the facts.

use std::collections::BTreeSet;

use super::peer::SENT;
use super::{Explanation, NodeExplanation};

impl Explanation {
    /// Returns the summary: `announced by 2 of 3 nodes to 2 routers`, or `not announced` with the reason, if it is the same
    /// on all nodes.
    pub fn summary(&self) -> String {
        if !self.is_announced() {
            return format!("not announced: {}", self.common_reason());
        }

        let announcing = self.nodes.iter().filter(|node| node.announced);
        let mut routers = BTreeSet::new();
        for peer in announcing.clone().flat_map(|node| &node.peers) {
            if !peer.routes.is_empty() {
                routers.insert(peer.peer.as_str());
            }
        }
        format!(
            "announced by {} of {} to {}",
            announcing.count(),
            counted(self.nodes.len(), "node"),
            counted(routers.len(), "router")
        )
    }

    /// Returns the reason why no node announces the Service.
    fn common_reason(&self) -> String {
        let reasons: BTreeSet<_> =
            self.nodes.iter().map(|node| reasons(node, self.nodes.len() == 1)).collect();
        let mut reasons = reasons.into_iter();

        match (reasons.next(), reasons.next()) {
            (None, _) => "there is no Node".to_owned(),
            (Some(reason), None) if !reason.is_empty() => reason,
            _ => format!("the reasons differ between {}", counted(self.nodes.len(), "node")),
        }
    }
}

/// Returns the reasons why a node does not announce the Service, with its name if the explanation is only about this node.
fn reasons(node: &NodeExplanation, with_name: bool) -> String {
    let of_peers = node.peers.iter().flat_map(|peer| &peer.gates);
    let mut reasons = Vec::new();
    for gate in node.gates.iter().chain(of_peers) {
        let found = if with_name { &gate.found } else { gate.common_found() };
        let stops = gate.passed == Some(false) || (gate.passed.is_none() && gate.gate == SENT);
        if stops && !found.is_empty() && !reasons.contains(&found) {
            reasons.push(found);
        }
    }
    reasons.join("; ")
}

/// Returns `1 node` or `2 nodes`.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}
