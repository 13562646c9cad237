//! Communities: standard (RFC 1997), large (RFC 8092), extended (RFC 4360, RFC 5668) and IPv6-extended (RFC 5701),
//! with the text formats that operators use.

mod extended;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

pub use extended::{ExtendedCommunity, Ipv6ExtendedCommunity};

/// A standard community (RFC 1997).
///
/// Its text format is `64635:100`; well-known communities have names:
///
/// ```
/// use bgp_core::wire::Community;
/// assert_eq!("64635:100".parse(), Ok(Community::new(64635, 100)));
/// assert_eq!(Community::NO_EXPORT.to_string(), "no-export");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community(pub u32);

impl Community {
    /// The community `asn:value`.
    #[must_use]
    pub const fn new(asn: u16, value: u16) -> Self {
        Self((asn as u32) << 16 | value as u32)
    }

    /// The upper half, by convention an AS number.
    #[must_use]
    pub const fn asn(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The lower half, with a meaning that the AS defines.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "only the lower half is wanted")]
    pub const fn value(self) -> u16 {
        self.0 as u16
    }

    /// The name of a well-known community.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(community, _)| *community == self).map(|(_, name)| *name)
    }
}

/// Declares the well-known communities with their names.
macro_rules! well_known {
    ($($(#[$doc:meta])* $constant:ident = $value:literal, $name:literal;)+) => {
        impl Community {
            $($(#[$doc])* pub const $constant: Self = Self($value);)+
        }

        const NAMES: &[(Community, &str)] = &[$((Community::$constant, $name),)+];
    };
}

well_known! {
    /// The session will be shut down soon: prefer other paths (RFC 8326).
    GRACEFUL_SHUTDOWN = 0xffff_0000, "graceful-shutdown";
    /// The route may be accepted by a route server's client (RFC 7611).
    ACCEPT_OWN = 0xffff_0001, "accept-own";
    /// From a draft: a filter for VPN routes was translated from IPv4.
    ROUTE_FILTER_TRANSLATED_V4 = 0xffff_0002, "route-filter-translated-v4";
    /// From a draft: a filter for IPv4 VPN routes.
    ROUTE_FILTER_V4 = 0xffff_0003, "route-filter-v4";
    /// From a draft: a filter for VPN routes was translated from IPv6.
    ROUTE_FILTER_TRANSLATED_V6 = 0xffff_0004, "route-filter-translated-v6";
    /// From a draft: a filter for IPv6 VPN routes.
    ROUTE_FILTER_V6 = 0xffff_0005, "route-filter-v6";
    /// The route is stale (RFC 9494).
    LLGR_STALE = 0xffff_0006, "llgr-stale";
    /// The route must not become stale (RFC 9494).
    NO_LLGR = 0xffff_0007, "no-llgr";
    /// From a draft: accept the route with the receiver's own next hop.
    ACCEPT_OWN_NEXT_HOP = 0xffff_0008, "accept-own-nexthop";
    /// The route is from a standby provider edge (RFC 9026).
    STANDBY_PE = 0xffff_0009, "standby-pe";
    /// Discard traffic to the prefix (RFC 7999).
    BLACKHOLE = 0xffff_029a, "blackhole";
    /// Do not advertise outside the AS or confederation (RFC 1997).
    NO_EXPORT = 0xffff_ff01, "no-export";
    /// Do not advertise to any peer (RFC 1997).
    NO_ADVERTISE = 0xffff_ff02, "no-advertise";
    /// Do not advertise to external peers, including those within the confederation (RFC 1997).
    NO_EXPORT_SUBCONFED = 0xffff_ff03, "no-export-subconfed";
    /// Do not advertise to bilateral peers (RFC 3765).
    NO_PEER = 0xffff_ff04, "no-peer";
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}:{}", self.asn(), self.value()),
        }
    }
}

impl FromStr for Community {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((community, _)) = NAMES.iter().find(|(_, name)| *name == text) {
            return Ok(*community);
        }

        let parts = text
            .split_once(':')
            .and_then(|(asn, value)| Some(Self::new(asn.parse().ok()?, value.parse().ok()?)));
        parts.ok_or(ParseCommunityError("a community such as `64635:100` or `no-export`"))
    }
}

impl From<(u16, u16)> for Community {
    fn from((asn, value): (u16, u16)) -> Self {
        Self::new(asn, value)
    }
}

impl From<u32> for Community {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl From<Community> for u32 {
    fn from(community: Community) -> Self {
        community.0
    }
}

/// A large community (RFC 8092).
///
/// Its text format is `64496:1:2` (RFC 8092, section 5). The form `large:64496:1:2`, which some configurations use to tell it
/// from other communities, can be read as well.
///
/// ```
/// use bgp_core::wire::LargeCommunity;
/// assert_eq!("large:64496:1:2".parse(), Ok(LargeCommunity::new(64496, 1, 2)));
/// assert_eq!(LargeCommunity::new(64496, 1, 2).to_string(), "64496:1:2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 8092 section 3 has these fields")]
pub struct LargeCommunity {
    /// The AS that defines the meaning of the other two fields.
    pub global_administrator: u32,
    /// The first value.
    pub local_data_1: u32,
    /// The second value.
    pub local_data_2: u32,
}

impl LargeCommunity {
    /// Creates a community from its three numbers.
    #[must_use]
    pub const fn new(global_administrator: u32, local_data_1: u32, local_data_2: u32) -> Self {
        Self { global_administrator, local_data_1, local_data_2 }
    }
}

impl From<(u32, u32, u32)> for LargeCommunity {
    fn from((global_administrator, local_data_1, local_data_2): (u32, u32, u32)) -> Self {
        Self { global_administrator, local_data_1, local_data_2 }
    }
}

impl fmt::Display for LargeCommunity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { global_administrator, local_data_1, local_data_2 } = self;
        write!(f, "{global_administrator}:{local_data_1}:{local_data_2}")
    }
}

impl FromStr for LargeCommunity {
    type Err = ParseCommunityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.strip_prefix("large:").unwrap_or(text);
        let mut parts = numbers.split(':').map(str::parse);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(global)), Some(Ok(first)), Some(Ok(second)), None) => {
                Ok(Self::new(global, first, second))
            }
            _ => Err(ParseCommunityError("a large community such as `64635:1:2`")),
        }
    }
}

/// The maximum number of communities that are compared in pairs, which needs no memory. The routes of a table have fewer.
const COMPARED: usize = 64;

/// Large communities in order, without repetitions (RFC 8092 section 3).
///
/// Only a long list that is not in ascending order needs memory: a peer may send thousands, and the work must not grow with
/// the square of their number.
pub(super) fn without_repeated(
    communities: &[LargeCommunity],
) -> impl Iterator<Item = LargeCommunity> {
    let ascending = communities.is_sorted_by(|one, next| one < next);
    let mut seen = BTreeSet::new();

    let firsts = communities.iter().enumerate().filter(move |(at, community)| {
        if ascending {
            true
        } else if communities.len() <= COMPARED {
            !communities.iter().take(*at).any(|before| before == *community)
        } else {
            seen.insert(**community)
        }
    });

    firsts.map(|(_, community)| *community)
}

/// The text was not a community of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct ParseCommunityError(&'static str);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn communities_print_as_operators_write_them_and_read_back() {
        assert_eq!(Community::new(64_635, 100).to_string(), "64635:100");
        assert_eq!(Community(0xffff_029a).to_string(), "blackhole");
        for (community, name) in NAMES {
            assert_eq!(name.parse(), Ok(*community));
            assert_eq!(community.to_string(), *name);
        }
        // A well-known one may be written in numbers too.
        assert_eq!("65535:65281".parse(), Ok(Community::NO_EXPORT));
        for wrong in ["", "1", "1:2:3", "65536:1", "1:65536", "no_export", ":"] {
            assert!(wrong.parse::<Community>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn large_communities_print_as_three_numbers_and_read_with_a_prefix_too() {
        let community = LargeCommunity::new(4_200_000_000, 1, 2);
        assert_eq!(community.to_string(), "4200000000:1:2");
        assert_eq!("large:4200000000:1:2".parse(), Ok(community));
        assert_eq!("4200000000:1:2".parse(), Ok(community));
        for wrong in ["large:1:2", "1:2:3:4", "1:2:4294967296", "large:"] {
            assert!(wrong.parse::<LargeCommunity>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn repeated_large_communities_are_removed_from_short_and_long_lists() {
        let large = |numbers: &[u32]| {
            numbers.iter().map(|n| LargeCommunity::new(64_635, 1, *n)).collect::<Vec<_>>()
        };
        let distinct = |numbers: &[u32]| without_repeated(&large(numbers)).collect::<Vec<_>>();
        assert_eq!(distinct(&[]), []);
        assert_eq!(distinct(&[1, 2, 3]), large(&[1, 2, 3]));
        assert_eq!(distinct(&[2, 2]), large(&[2]));
        assert_eq!(distinct(&[3, 1, 3, 2, 1]), large(&[3, 1, 2]));
        for length in [COMPARED - 1, COMPARED, COMPARED + 1, 4 * COMPARED] {
            let length = u32::try_from(length).unwrap();
            // Each value twice but the last: down, then up again.
            let numbers: Vec<_> = (0..length).map(|n| n.abs_diff(length / 2)).collect();
            let mut expected = Vec::new();
            for number in &numbers {
                if !expected.contains(number) {
                    expected.push(*number);
                }
            }
            assert!(expected.len() < numbers.len());
            assert_eq!(distinct(&numbers), large(&expected), "{length}");
        }
    }
}
