//! A node of the cluster.

use std::net::IpAddr;

use super::Labels;

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Node {
    /// Unique in the cluster.
    pub name: String,
    /// What selectors see.
    pub labels: Labels,
    /// Its addresses: those of type InternalIP in the order given, then the others.
    pub addresses: Vec<IpAddr>,
    /// Whether it is ready: it says nothing, or its condition Ready is true.
    pub ready: bool,
    /// Whether its condition NetworkUnavailable is true.
    pub network_unavailable: bool,
}

impl Node {
    /// A node without labels and addresses, and without conditions.
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
