//! [`ServiceExplanation`]: the gates between a Service and the routers, and the first one that is closed.
//!
//! The form is that of `ferrolb explain --output json`.

use serde::{Deserialize, Serialize};

/// The answer to `/v1/services/NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceExplanation {
    /// The Service, as NAMESPACE/NAME.
    pub service: String,
    /// The addresses.
    pub addresses: Vec<String>,
    /// The pool of the addresses.
    #[serde(default)]
    pub pool: Option<String>,
    /// The annotations without effect, with the reasons.
    pub complaints: Vec<String>,
    /// The nodes, by name.
    pub nodes: Vec<NodeExplanation>,
    /// True if a node announces the Service.
    pub announced: bool,
    /// The outcome in one sentence, such as `announced by 2 of 3 nodes`.
    pub summary: String,
}

/// The explanation of a Service on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeExplanation {
    /// The node.
    pub node: String,
    /// True if the node announces the Service to a router.
    pub announced: bool,
    /// The gates that concern all peers, in their order.
    pub gates: Vec<Gate>,
    /// The node's peers.
    pub peers: Vec<PeerExplanation>,
}

/// One gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gate {
    /// Its name.
    pub gate: String,
    /// True if it is open, false if it is closed. None for a gate behind a closed one.
    #[serde(default)]
    pub passed: Option<bool>,
    /// The values that it checked, or the reason why it is closed.
    pub found: String,
    /// The way to open it, if one is known.
    #[serde(rename = "mend", skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
}

/// The explanation of a Service for one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerExplanation {
    /// The router, as `address:port`.
    pub peer: String,
    /// The gates that concern this peer, in their order.
    pub gates: Vec<Gate>,
    /// The routes that the router gets, each with its attributes.
    pub routes: Vec<String>,
}
