//! A node of the cluster.

use std::net::IpAddr;

use super::Labels;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Unique in the cluster.
    pub name: String,
    /// The labels.
    pub labels: Labels,
    /// The addresses: those of type InternalIP in the order of the status, then the others.
    pub addresses: Vec<IpAddr>,
    /// True if the condition Ready is true or absent.
    pub ready: bool,
    /// True if the condition NetworkUnavailable is true.
    pub network_unavailable: bool,
}

impl Node {
    /// Makes a node without labels, addresses and conditions.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            labels: Labels::new(),
            addresses: Vec::new(),
            ready: true,
            network_unavailable: false,
        }
    }
}
