//! [`Node`]: a row of the matrix of nodes and routers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{DrainStage, Problem};

/// The answer to `/v1/nodes`: the nodes that the process knows. A speaker knows its own, a controller all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeList {
    /// The nodes, by name.
    pub nodes: Vec<Node>,
}

/// A node and its sessions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Node {
    /// The name.
    pub name: String,
    /// The time at which the speaker reported this. None for a node that this process speaks for itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reported_at: Option<Timestamp>,
    /// True if the speaker has stopped reporting, so that its sessions are not known.
    pub silent: bool,
    /// The version of the speaker.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// The stage of the node's drain.
    pub drain: DrainStage,
    /// The number of Services that the node announces.
    pub services: usize,
    /// The peers.
    pub peers: Vec<NodePeer>,
    /// What an operator should look at.
    pub problems: Vec<Problem>,
}

/// A peer of a node, as far as the matrix shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodePeer {
    /// The name in the configuration.
    pub name: String,
    /// The address and port.
    pub endpoint: String,
    /// The state of RFC 4271.
    pub state: String,
    /// True if an operator has disabled the peer.
    pub disabled: bool,
    /// The time for which the peer has been in this state, if known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state_seconds: Option<f64>,
    /// The number of prefixes that the peer has.
    pub prefixes: usize,
    /// The reason why there is no session.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The state of the BFD session, if the peer has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bfd: Option<String>,
}
