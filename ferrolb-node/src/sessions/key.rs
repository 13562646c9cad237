//! The identity of a session.

use std::fmt;

/// The key of a session: a node, and a configured peer of that node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct SessionKey {
    /// The node's name.
    pub node: String,
    /// The peer's name.
    pub peer: String,
}

impl SessionKey {
    /// Returns the key of this node's session with this peer.
    pub fn new(node: impl Into<String>, peer: impl Into<String>) -> Self {
        Self { node: node.into(), peer: peer.into() }
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.node, self.peer)
    }
}
