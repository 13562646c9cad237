//! [`Path`]: one peer's path to a prefix, with the properties of the peer that the decision process compares.

use std::net::IpAddr;
use std::sync::Arc;

use crate::wire::PathAttributes;
use crate::{Asn, BgpIdentifier, PeerType};

/// One peer's path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a path is the attributes that a peer has announced")]
pub struct Path<K> {
    /// The peer that announced it. All paths of a session share this.
    pub source: Arc<PathSource<K>>,
    /// The identifier among the peer's paths to the prefix (RFC 7911). It is 0 on a session with one path per prefix.
    pub path_id: u32,
    /// The path attributes, as received.
    pub attributes: Arc<PathAttributes>,
}

/// The peer that a path comes from, as the decision process sees it. `K` names a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271, section 9.1.2.2, compares these")]
pub struct PathSource<K> {
    /// The name of the peer.
    pub peer: K,
    /// The address of the peer.
    pub address: IpAddr,
    /// The AS of the peer. Only policies compare it.
    pub asn: Asn,
    /// The BGP Identifier of the peer.
    pub identifier: BgpIdentifier,
    /// Internal or external.
    pub peer_type: PeerType,
}

impl<K: Copy> Path<K> {
    /// The peer that announced it.
    #[must_use]
    pub fn peer(&self) -> K {
        self.source.peer
    }
}

impl<K: Copy + Eq> Path<K> {
    /// Returns true if this is the path of that peer with that identifier.
    pub(crate) fn is_of(&self, peer: K, path_id: u32) -> bool {
        self.path_id == path_id && self.source.peer == peer
    }

    /// Returns true if the paths are equal. Unchanged ones mostly share their parts, so that no comparison is needed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (Arc::ptr_eq(&self.source, &other.source) || self.source == other.source)
            && self.path_id == other.path_id
            && (Arc::ptr_eq(&self.attributes, &other.attributes)
                || self.attributes == other.attributes)
    }
}
