//! [`Path`]: one peer's path to a prefix, with the properties of the peer that the decision process compares.

use std::net::IpAddr;
use std::sync::Arc;

use crate::wire::PathAttributes;
use crate::{BgpIdentifier, PeerType};

/// One peer's path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a path is the attributes that a peer has announced")]
pub struct Path<K> {
    /// The peer that announced it.
    pub peer: K,
    /// The identifier among the peer's paths to the prefix (RFC 7911). It is 0 on a session with one path per prefix.
    pub path_id: u32,
    /// The peer's properties that the decision process compares.
    pub source: PathSource,
    /// The path attributes, as received.
    pub attributes: Arc<PathAttributes>,
}

/// The peer that a path comes from, as the decision process sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271, section 9.1.2.2, compares these")]
pub struct PathSource {
    /// The address of the peer.
    pub address: IpAddr,
    /// The BGP Identifier of the peer.
    pub identifier: BgpIdentifier,
    /// Internal or external.
    pub peer_type: PeerType,
}
