//! Owned path attributes, as stored in RIBs and encoded into messages.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use bytes::Bytes;

use crate::types::{Asn, BgpIdentifier};

use super::attribute::{AsPath, AttributeCode, AttributeFlags};
use super::community::{Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity};

/// The origin of a route (RFC 4271 section 5.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "RFC 4271 section 4.3 defines these three")]
pub enum Origin {
    /// Learned from an interior protocol of the originating AS.
    #[default]
    Igp,
    /// Learned from the historic protocol EGP.
    Egp,
    /// Learned by other means, such as redistribution.
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

impl FromStr for Origin {
    type Err = ParseAttributeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "igp" => Ok(Self::Igp),
            "egp" => Ok(Self::Egp),
            "incomplete" => Ok(Self::Incomplete),
            _ => Err(ParseAttributeError("`igp`, `egp` or `incomplete`")),
        }
    }
}

/// The next hop of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "addresses are of IPv4 or of IPv6")]
pub enum NextHop {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, with a link-local one if both speakers share a link (RFC 2545 section 3).
    V6 {
        /// The global address. A speaker without one writes its link-local address here, alone or twice, or the unspecified
        /// address.
        global: Ipv6Addr,
        /// The link-local address.
        link_local: Option<Ipv6Addr>,
    },
}

impl NextHop {
    /// The address to use: the global one, unless it is unspecified and there is a link-local one.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        match self {
            Self::V4(address) => IpAddr::V4(*address),
            Self::V6 { global, link_local: Some(link_local) } if global.is_unspecified() => {
                IpAddr::V6(*link_local)
            }
            Self::V6 { global, .. } => IpAddr::V6(*global),
        }
    }

    fn parse_pair(global: &str, link_local: &str) -> Option<Self> {
        let global = global.parse().ok()?;
        let link_local = Some(link_local.parse().ok()?);
        Some(Self::V6 { global, link_local })
    }

    /// The link-local address, from either field.
    #[must_use]
    pub const fn link_local(&self) -> Option<Ipv6Addr> {
        match self {
            Self::V6 { link_local: Some(address), .. } => Some(*address),
            Self::V6 { global, link_local: None } if global.is_unicast_link_local() => {
                Some(*global)
            }
            _ => None,
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => address.fmt(f),
            Self::V6 { global, link_local: None } => global.fmt(f),
            Self::V6 { global, link_local: Some(link_local) } => {
                write!(f, "{global} ({link_local})")
            }
        }
    }
}

impl FromStr for NextHop {
    type Err = ParseAttributeError;

    /// Reads the format that [`Display`](fmt::Display) writes: one address, or two IPv6 addresses, the second in
    /// parentheses.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let next_hop = match text.strip_suffix(')').and_then(|text| text.split_once(" (")) {
            Some((global, link_local)) => Self::parse_pair(global, link_local),
            None => text.parse::<IpAddr>().ok().map(Self::from),
        };
        next_hop.ok_or(ParseAttributeError("an address, or two such as `2001:db8::1 (fe80::1)`"))
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

/// The speaker that aggregated routes into this one (RFC 4271 section 5.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct Aggregator {
    /// The speaker's AS.
    pub asn: Asn,
    /// The speaker's address, by convention its identifier.
    pub address: Ipv4Addr,
}

impl fmt::Display for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.asn, self.address)
    }
}

impl FromStr for Aggregator {
    type Err = ParseAttributeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let aggregator = text.split_once(' ').and_then(|(asn, address)| {
            Some(Self { asn: asn.parse().ok()?, address: address.parse().ok()? })
        });
        aggregator.ok_or(ParseAttributeError("an AS and an address such as `65001 10.0.0.1`"))
    }
}

/// The text was not a value of the attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct ParseAttributeError(&'static str);

/// An attribute that is carried as octets, either unknown or without a typed form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.3 has these fields")]
pub struct RawAttribute {
    /// The type code. It must not be one that [`PathAttributes`] has a field for.
    pub code: AttributeCode,
    /// The flags. Encoding sets and clears the extended length flag.
    pub flags: AttributeFlags,
    /// The value.
    #[cfg_attr(feature = "serde", serde(with = "crate::serialize::hex"))]
    pub value: Bytes,
}

/// The attributes of a route. Equality, order and hash are by value, because routes with equal attributes share an UPDATE.
///
/// [`Default`] is a locally originated route: origin IGP, an empty path and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[expect(
    clippy::exhaustive_structs,
    reason = "routes are built by naming what they have, `..Default::default()` the rest"
)]
pub struct PathAttributes {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, with the AS numbers of AS4_PATH if the peer has two-octet AS numbers (RFC 6793 section 4.2.3).
    pub as_path: AsPath,
    /// NEXT_HOP, or the next hop of the MP_REACH_NLRI.
    pub next_hop: Option<NextHop>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF; not sent to external peers.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR, with the AS number of AS4_AGGREGATOR if there is one.
    pub aggregator: Option<Aggregator>,
    /// COMMUNITIES, in the order received.
    pub communities: Vec<Community>,
    /// EXTENDED_COMMUNITIES, in the order received.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// IPV6_EXTENDED_COMMUNITIES, in the order received.
    pub ipv6_extended_communities: Vec<Ipv6ExtendedCommunity>,
    /// LARGE_COMMUNITIES, in the order received.
    pub large_communities: Vec<LargeCommunity>,
    /// ORIGINATOR_ID; not sent to external peers.
    pub originator_id: Option<BgpIdentifier>,
    /// CLUSTER_LIST; not sent to external peers.
    pub cluster_list: Vec<BgpIdentifier>,
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub only_to_customer: Option<Asn>,
    /// All other attributes to pass on, ordered by code. Unknown optional transitive ones have Partial set; AIGP, Prefix-SID,
    /// tunnel encapsulation and similar ones are unchanged. Non-transitive ones are not sent to external peers.
    pub unknown: Vec<RawAttribute>,
}

impl PathAttributes {
    /// The metric of AIGP (RFC 7311), which is carried in [`unknown`](Self::unknown).
    #[must_use]
    pub fn aigp(&self) -> Option<u64> {
        let aigp = self.unknown.iter().find(|raw| raw.code == AttributeCode::AIGP)?;
        aigp_metric(&aigp.value)
    }

    /// Sets the metric of AIGP, or removes the attribute. Other TLVs in it are lost.
    pub fn set_aigp(&mut self, metric: Option<u64>) {
        self.unknown.retain(|raw| raw.code != AttributeCode::AIGP);
        let Some(metric) = metric else { return };

        let value = [&[AIGP_TLV, 0, AIGP_TLV_LENGTH][..], &metric.to_be_bytes()].concat();
        let at = self.unknown.partition_point(|raw| raw.code < AttributeCode::AIGP);
        let flags = AttributeFlags::OPTIONAL;
        let aigp = RawAttribute { code: AttributeCode::AIGP, flags, value: value.into() };
        self.unknown.insert(at, aigp);
    }
}

/// The metric of the first AIGP TLV in an AIGP value (RFC 7311 section 3).
pub(super) fn aigp_metric(value: &[u8]) -> Option<u64> {
    let mut rest = value;
    while let [kind, high, low, tail @ ..] = rest {
        if *kind == AIGP_TLV {
            return tail.first_chunk().map(|metric| u64::from_be_bytes(*metric));
        }
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        rest = rest.get(length.max(3)..)?;
    }
    None
}

const AIGP_TLV: u8 = 1;
/// The length of an AIGP TLV: type, length and metric.
const AIGP_TLV_LENGTH: u8 = 11;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_print_and_read_back() {
        for text in ["igp", "egp", "incomplete"] {
            assert_eq!(text.parse::<Origin>().map(|read| read.to_string()), Ok(text.to_owned()));
        }
        for text in ["10.0.0.1", "2001:db8::1", "2001:db8::1 (fe80::1)", ":: (fe80::1)"] {
            assert_eq!(text.parse::<NextHop>().map(|read| read.to_string()), Ok(text.to_owned()));
        }
        let text = "4200000000 10.0.0.1";
        assert_eq!(text.parse::<Aggregator>().map(|read| read.to_string()), Ok(text.to_owned()));
        assert!("IGP".parse::<Origin>().is_err());
        for wrong in ["", "10.0.0.1 (fe80::1)", "2001:db8::1 fe80::1", "2001:db8::1 (fe80::1"] {
            assert!(wrong.parse::<NextHop>().is_err(), "{wrong}");
        }
        let error = "65001".parse::<Aggregator>().unwrap_err().to_string();
        assert_eq!(error, "expected an AS and an address such as `65001 10.0.0.1`");
    }

    #[test]
    fn the_address_of_a_next_hop_is_usable() {
        let link_local: Ipv6Addr = "fe80::1".parse().unwrap();
        for (text, address, expected) in [
            ("10.0.0.1", "10.0.0.1", None),
            ("2001:db8::1", "2001:db8::1", None),
            ("2001:db8::1 (fe80::1)", "2001:db8::1", Some(link_local)),
            // The forms that speakers without a global address send.
            ("fe80::1", "fe80::1", Some(link_local)),
            ("fe80::1 (fe80::1)", "fe80::1", Some(link_local)),
            (":: (fe80::1)", "fe80::1", Some(link_local)),
        ] {
            let hop: NextHop = text.parse().unwrap();
            assert_eq!(hop.address().to_string(), address);
            assert_eq!(hop.link_local(), expected);
        }
    }

    #[test]
    fn the_metric_of_aigp_is_set_and_read_in_the_carried_attributes() {
        let mut attributes = PathAttributes::default();
        let raw = |code| RawAttribute {
            code: AttributeCode(code),
            flags: AttributeFlags(0xc0),
            value: Bytes::new(),
        };
        attributes.unknown = vec![raw(23), raw(40)];
        attributes.set_aigp(Some(7));
        attributes.set_aigp(Some(70_000));
        let codes: Vec<_> = attributes.unknown.iter().map(|raw| raw.code.0).collect();
        assert_eq!((attributes.aigp(), codes), (Some(70_000), vec![23, 26, 40]));
        attributes.set_aigp(None);
        assert_eq!((attributes.aigp(), attributes.unknown.len()), (None, 2));
        assert_eq!(aigp_metric(&[2, 0, 4, 9, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 5]), Some(5));
        for wrong in [&[1u8, 0, 11, 0][..], &[2, 0, 0, 1], &[2, 0, 9], &[]] {
            assert_eq!(aigp_metric(wrong), None, "{wrong:?}");
        }
    }
}
