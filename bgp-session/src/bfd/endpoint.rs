//! [`Endpoint`]: between whom a session runs, and by which rules of the path.

use std::net::{IpAddr, SocketAddr};

use super::BfdProfile;
use crate::{PeerConfig, PeerId};

/// The addresses of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) peer: PeerId,
    /// Where the BGP session is from, if that is said.
    pub(super) local: Option<IpAddr>,
    pub(super) device: Option<String>,
    pub(super) hops: Hops,
}

/// How far the other end may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hops {
    /// On the link (RFC 5881).
    Single,
    /// Some hops away (RFC 5883).
    Multi {
        /// What must be left of a packet's time to live.
        minimum_ttl: u8,
    },
}

impl Endpoint {
    pub(crate) fn new(config: &PeerConfig, profile: &BfdProfile) -> Self {
        let hops = match config.is_multihop() || profile.multihop {
            true => Hops::Multi { minimum_ttl: profile.minimum_ttl },
            false => Hops::Single,
        };
        Self {
            peer: config.id(),
            local: config.transport.local_address,
            device: config.transport.device.clone(),
            hops,
        }
    }

    /// Where packets go.
    pub(super) fn remote(&self) -> SocketAddr {
        self.peer.with_port(self.hops.port())
    }
}

impl Hops {
    /// The port of RFC 5881 section 4, or of RFC 5883 section 5.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Single => 3_784,
            Self::Multi { .. } => 4_784,
        }
    }

    /// Whether a packet that has arrived with `ttl` can come from the other end.
    pub(super) fn admits(self, ttl: u8) -> bool {
        match self {
            Self::Single => ttl == 255,
            Self::Multi { minimum_ttl } => ttl >= minimum_ttl,
        }
    }
}
