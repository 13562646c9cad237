//! The owned form of a route's attributes: what RIBs keep and what is built to be sent.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use crate::types::{Asn, BgpIdentifier};

use super::attribute::{AsPath, AttributeCode, AttributeFlags};
use super::community::{Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity};

/// Where a route came from (RFC 4271 section 5.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4271 section 4.3 defines these three")]
pub enum Origin {
    /// From inside the originating AS.
    #[default]
    Igp,
    /// From the protocol EGP of old.
    Egp,
    /// By other means, as by redistribution.
    Incomplete,
}

impl Origin {
    pub(super) const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Igp,
            1 => Self::Egp,
            2 => Self::Incomplete,
            _ => return None,
        })
    }

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Igp => 0,
            Self::Egp => 1,
            Self::Incomplete => 2,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Igp => "igp",
            Self::Egp => "egp",
            Self::Incomplete => "incomplete",
        })
    }
}

/// Where to send packets for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "addresses are of IPv4 or of IPv6")]
pub enum NextHop {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, and the link-local one beside it where both speakers share a link (RFC 2545 section 3).
    V6 {
        /// The global address; the link-local one again where the speaker has no other.
        global: Ipv6Addr,
        /// The link-local address.
        link_local: Option<Ipv6Addr>,
    },
}

impl NextHop {
    /// The address; of two, the global one.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        match self {
            Self::V4(address) => IpAddr::V4(*address),
            Self::V6 { global, .. } => IpAddr::V6(*global),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V6 { global, link_local: Some(link_local) } => {
                write!(f, "{global} ({link_local})")
            }
            _ => self.address().fmt(f),
        }
    }
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(global) => Self::V6 { global, link_local: None },
        }
    }
}

impl From<Ipv4Addr> for NextHop {
    fn from(address: Ipv4Addr) -> Self {
        Self::V4(address)
    }
}

impl From<Ipv6Addr> for NextHop {
    fn from(global: Ipv6Addr) -> Self {
        Self::V6 { global, link_local: None }
    }
}

/// Who aggregated routes into this one (RFC 4271 section 5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct Aggregator {
    /// Its AS.
    pub asn: Asn,
    /// Its address, by convention its identifier.
    pub address: Ipv4Addr,
}

/// An attribute that is carried and not understood, or understood and carried as octets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct RawAttribute {
    /// Its type; the owned form must not have a field of its own for it.
    pub code: AttributeCode,
    /// Its flags. Extended length is set and cleared by encoding.
    pub flags: AttributeFlags,
    /// Its value.
    pub value: Bytes,
}

/// The attributes of a route. Equal ones share an UPDATE, so that equality, order and hash are by value.
///
/// [`Default`] is the route of a speaker itself: origin IGP, empty path, nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "routes are built by naming what they have, `..Default::default()` the rest"
)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, with the numbers of AS4_PATH where the peer has only two octets (RFC 6793 section 4.2.3).
    pub as_path: AsPath,
    /// NEXT_HOP, or that of the MP_REACH_NLRI.
    pub next_hop: Option<NextHop>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; left out of what is sent to an external peer.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR, with the number of AS4_AGGREGATOR where there is one.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, in the order received.
    pub communities: Vec<Community>,
    /// EXTENDED_COMMUNITIES, in the order received.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// IPV6_EXTENDED_COMMUNITIES, in the order received.
    pub ipv6_extended_communities: Vec<Ipv6ExtendedCommunity>,
    /// LARGE_COMMUNITIES, in the order received.
    pub large_communities: Vec<LargeCommunity>,
    /// ORIGINATOR_ID; left out of what is sent to an external peer.
    pub originator_id: Option<BgpIdentifier>,
    /// CLUSTER_LIST; left out of what is sent to an external peer.
    pub cluster_list: Vec<BgpIdentifier>,
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub only_to_customer: Option<Asn>,
    /// Every other attribute that is to be passed on, by code: optional transitive ones with Partial set, unless they
    /// are known; AIGP, Prefix-SID, tunnel encapsulation and the like as they came. What is not transitive is left out
    /// of what is sent to an external peer.
    pub unknown: Vec<RawAttribute>,
}
