//! The output of `ferrolb explain`: the reasons why a Service is announced or not.
//!
//! ```text
//! type  class  sync  config  pool  address  node  peer  advertisement  endpoints  dataplane  drain  policy  session  sent
//! ```
//!
//! Owns the list of gates as a user sees it: the findings of each, the first that fails, and how to fix it. The planner
//! decides which one fails. This module decides nothing.

mod groups;
mod node;
mod peer;
mod summary;
mod text;

use crate::engine::Engine;
use crate::model::{ConfigFormat, ServiceKey};
use crate::planner::{Plan, Reason, RouteAnnotations};
use crate::recording::{Cluster, SessionStates};

pub use peer::{announced_prefixes, describe_attributes};
pub use text::{TextForm, indent_of, write_text};

/// The engine of a process or of a recording, with the states of the sessions.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "an explanation needs these two")]
pub struct ClusterState<'a> {
    /// The objects, the addresses and the plans.
    pub engine: &'a Engine,
    /// The known states of sessions.
    pub sessions: &'a SessionStates,
}

impl<'a> From<&'a Cluster> for ClusterState<'a> {
    fn from(cluster: &'a Cluster) -> Self {
        Self { engine: &cluster.engine, sessions: &cluster.sessions }
    }
}

/// The explanation of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// The namespace and name.
    pub service: String,
    /// The addresses.
    pub addresses: Vec<String>,
    /// The pool of the addresses.
    pub pool: Option<String>,
    /// The annotations without effect, with the reasons.
    pub invalid_annotations: Vec<String>,
    /// The nodes, by name.
    pub nodes: Vec<NodeExplanation>,
}

/// The explanation of a Service on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeExplanation {
    /// The node.
    pub node: String,
    /// True if the node announces the Service to a router. A session in an unknown state counts as up.
    pub announced: bool,
    /// The gates that concern all peers, in their order.
    pub gates: Vec<GateExplanation>,
    /// The node's peers.
    pub peers: Vec<PeerExplanation>,
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateExplanation {
    /// Its name.
    pub gate: &'static str,
    /// True if it passed. `None` for a gate that comes after a failed one.
    pub passed: Option<bool>,
    /// The values that it checked, or the reason why it failed.
    pub found: String,
    /// The way to fix it, if known.
    pub hint: Option<String>,
    /// The finding in words that hold for every node, if nodes can have it in common.
    common: Option<CommonFinding>,
}

/// The words for a finding without names and addresses of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CommonFinding {
    found: String,
    hint: Option<String>,
}

/// The explanation of a Service for one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerExplanation {
    /// The router, as `address:port`.
    pub peer: String,
    /// The gates that concern this peer, in their order.
    pub gates: Vec<GateExplanation>,
    /// The routes that the router gets, each with its attributes.
    pub routes: Vec<String>,
}

impl Explanation {
    /// Explains a Service. Returns `None` if it does not exist.
    pub fn of<'a>(cluster: impl Into<ClusterState<'a>>, key: &ServiceKey) -> Option<Self> {
        let cluster = cluster.into();
        let engine = cluster.engine;
        let service = engine.service_of(key)?;
        let state = engine.state_of(&service);
        let mut explanation = Self {
            service: key.to_string(),
            addresses: Vec::new(),
            pool: None,
            invalid_annotations: Vec::new(),
            nodes: engine.plans().map(|plan| node::explain(cluster, &state, plan)).collect(),
        };

        let Some(assignment) = engine.holding(key) else { return Some(explanation) };
        explanation.addresses = assignment.addresses.iter().map(ToString::to_string).collect();
        explanation.pool = Some(assignment.pool.to_string()).filter(|pool| !pool.is_empty());

        // Only the pool says which annotations are allowed.
        if let Some(pool) = engine.config().and_then(|config| config.pool(&assignment.pool)) {
            let invalid = RouteAnnotations::of(&service, pool).invalid;
            explanation.invalid_annotations = invalid.iter().map(ToString::to_string).collect();
        }
        Some(explanation)
    }

    /// Explains a Service on one node. Returns `None` if it does not exist.
    pub fn on_node<'a>(
        cluster: impl Into<ClusterState<'a>>,
        key: &ServiceKey,
        plan: &Plan,
    ) -> Option<NodeExplanation> {
        let cluster = cluster.into();
        let service = cluster.engine.service_of(key)?;
        let state = cluster.engine.state_of(&service);
        Some(node::explain(cluster, &state, plan))
    }

    /// Returns true if a node announces the Service.
    pub fn is_announced(&self) -> bool {
        self.nodes.iter().any(|node| node.announced)
    }
}

impl GateExplanation {
    fn passed(gate: &'static str, found: String) -> Self {
        Self { passed: Some(true), found, ..Self::unknown(gate) }
    }

    fn failed(reason: &Reason, format: ConfigFormat) -> Self {
        let common = reason.clone().for_any_node();
        Self {
            common: Some(CommonFinding { found: common.to_string(), hint: common.hint(format) }),
            gate: reason.gate().as_str(),
            passed: Some(false),
            found: reason.to_string(),
            hint: reason.hint(format),
        }
    }

    fn unknown(gate: &'static str) -> Self {
        Self { gate, passed: None, found: String::new(), hint: None, common: None }
    }
}

/// Returns the format of the configuration, whose words the hints use.
fn format_of(cluster: ClusterState<'_>) -> ConfigFormat {
    cluster.engine.config().map(|config| config.format).unwrap_or_default()
}
