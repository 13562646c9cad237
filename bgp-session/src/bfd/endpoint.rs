//! [`Endpoint`]: the two ends of a session, and the rules for the path between them.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use bgp_core::{Asn, fsm::RemoteAs};

use super::BfdProfile;
use crate::{PeerConfig, PeerId, socket};

/// The addresses of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(super) peer: PeerId,
    /// The local address of the BGP session, if it is configured.
    pub(super) local: Option<IpAddr>,
    pub(super) device: Option<String>,
    pub(super) distance: Distance,
}

/// The distance to the other end, as far as the configuration fixes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distance {
    /// The configuration fixes it.
    Known(Hops),
    /// An internal peer may be on the link or some hops away. It is on the link if an interface has a network with its
    /// address; FRR decides the same way.
    ByNetworks {
        /// As in [`Hops::Multi`].
        minimum_ttl: u8,
    },
}

/// The distance to the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hops {
    /// On the link (RFC 5881).
    Single,
    /// Some hops away (RFC 5883).
    Multi {
        /// The least time to live that a packet must have left.
        minimum_ttl: u8,
    },
}

impl Endpoint {
    /// The session that a peer's configuration asks for; `asn` is the speaker's AS.
    pub(crate) fn new(config: &PeerConfig, profile: &BfdProfile, asn: Asn) -> Self {
        let BfdProfile { minimum_ttl, multihop, .. } = *profile;
        let local_asn = config.protocol.local_asn_of(asn);
        let internal =
            [RemoteAs::Internal, RemoteAs::Number(local_asn)].contains(&config.remote_as());

        let distance = if config.is_multihop() || multihop {
            Distance::Known(Hops::Multi { minimum_ttl })
        } else if internal && !config.is_on_link() {
            Distance::ByNetworks { minimum_ttl }
        } else {
            Distance::Known(Hops::Single)
        };
        Self {
            peer: config.id(),
            local: config.transport.local_address,
            device: config.transport.device.clone(),
            distance,
        }
    }

    /// The distance to the other end, considering the host's present networks.
    pub(super) fn hops(&self) -> io::Result<Hops> {
        match self.distance {
            Distance::Known(hops) => Ok(hops),
            Distance::ByNetworks { minimum_ttl } => {
                let on_link = socket::is_on_link(self.peer.address(), self.device.as_deref())?;
                Ok(if on_link { Hops::Single } else { Hops::Multi { minimum_ttl } })
            }
        }
    }

    /// The address and port to send packets to.
    pub(super) fn remote(&self, hops: Hops) -> SocketAddr {
        self.peer.with_port(hops.port())
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

    /// Returns true if a packet that arrived with `ttl` can come from the other end.
    pub(super) fn admits(self, ttl: u8) -> bool {
        match self {
            Self::Single => ttl == 255,
            Self::Multi { minimum_ttl } => ttl >= minimum_ttl,
        }
    }
}
