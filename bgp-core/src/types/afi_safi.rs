//! Address families (RFC 4760).

use std::fmt;
use std::str::FromStr;

/// An Address Family Identifier, from IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Afi(pub u16);

impl Afi {
    /// IPv4.
    pub const IPV4: Self = Self(1);
    /// IPv6.
    pub const IPV6: Self = Self(2);
    /// L2VPN, which includes EVPN.
    pub const L2VPN: Self = Self(25);
    /// BGP-LS.
    pub const LINK_STATE: Self = Self(16_388);
}

impl fmt::Display for Afi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IPV4 => f.write_str("ipv4"),
            Self::IPV6 => f.write_str("ipv6"),
            Self::L2VPN => f.write_str("l2vpn"),
            Self::LINK_STATE => f.write_str("link-state"),
            Self(number) => write!(f, "afi{number}"),
        }
    }
}

impl FromStr for Afi {
    type Err = ParseAfiSafiError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ipv4" => Ok(Self::IPV4),
            "ipv6" => Ok(Self::IPV6),
            "l2vpn" => Ok(Self::L2VPN),
            "link-state" => Ok(Self::LINK_STATE),
            other => number(other, "afi").map(Self),
        }
    }
}

/// A Subsequent Address Family Identifier, from IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Safi(pub u8);

impl Safi {
    /// Unicast forwarding.
    pub const UNICAST: Self = Self(1);
    /// Multicast forwarding.
    pub const MULTICAST: Self = Self(2);
    /// NLRI with MPLS labels (RFC 8277).
    pub const LABELED_UNICAST: Self = Self(4);
    /// EVPN (RFC 7432).
    pub const EVPN: Self = Self(70);
    /// VPN addresses with labels (RFC 4364).
    pub const VPN_UNICAST: Self = Self(128);
    /// Flow specification (RFC 8955).
    pub const FLOWSPEC: Self = Self(133);
}

impl fmt::Display for Safi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::UNICAST => f.write_str("unicast"),
            Self::MULTICAST => f.write_str("multicast"),
            Self::LABELED_UNICAST => f.write_str("labeled-unicast"),
            Self::EVPN => f.write_str("evpn"),
            Self::VPN_UNICAST => f.write_str("vpn-unicast"),
            Self::FLOWSPEC => f.write_str("flowspec"),
            Self(number) => write!(f, "safi{number}"),
        }
    }
}

impl FromStr for Safi {
    type Err = ParseAfiSafiError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "unicast" => Ok(Self::UNICAST),
            "multicast" => Ok(Self::MULTICAST),
            "labeled-unicast" => Ok(Self::LABELED_UNICAST),
            "evpn" => Ok(Self::EVPN),
            "vpn-unicast" => Ok(Self::VPN_UNICAST),
            "flowspec" => Ok(Self::FLOWSPEC),
            other => number(other, "safi").map(Self),
        }
    }
}

/// A kind of routes: an AFI and a SAFI.
///
/// Its text format is `ipv4-unicast`; numbers such as `1/1` can be read as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it will always be a pair")]
pub struct AfiSafi {
    /// The address family.
    pub afi: Afi,
    /// The use of the addresses.
    pub safi: Safi,
}

impl AfiSafi {
    /// IPv4 unicast, the default family of a session.
    pub const IPV4_UNICAST: Self = Self::new(Afi::IPV4, Safi::UNICAST);
    /// IPv6 unicast.
    pub const IPV6_UNICAST: Self = Self::new(Afi::IPV6, Safi::UNICAST);
    /// IPv4 multicast.
    pub const IPV4_MULTICAST: Self = Self::new(Afi::IPV4, Safi::MULTICAST);
    /// IPv6 multicast.
    pub const IPV6_MULTICAST: Self = Self::new(Afi::IPV6, Safi::MULTICAST);

    /// Creates the pair.
    #[must_use]
    pub const fn new(afi: Afi, safi: Safi) -> Self {
        Self { afi, safi }
    }
}

impl fmt::Display for AfiSafi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.afi, self.safi)
    }
}

impl FromStr for AfiSafi {
    type Err = ParseAfiSafiError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((afi, safi)) = text.split_once('/') {
            return Ok(Self::new(Afi(number(afi, "")?), Safi(number(safi, "")?)));
        }

        // `link-state` and some SAFIs contain a hyphen: try to split at each.
        text.match_indices('-')
            .filter_map(|(at, _)| Some((text.get(..at)?, text.get(at + 1..)?)))
            .find_map(|(afi, safi)| Some(Self::new(afi.parse().ok()?, safi.parse().ok()?)))
            .ok_or(ParseAfiSafiError)
    }
}

/// The text was not an address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address family such as `ipv4-unicast` or `1/1`")]
#[non_exhaustive]
pub struct ParseAfiSafiError;

fn number<T: FromStr>(text: &str, prefix: &str) -> Result<T, ParseAfiSafiError> {
    text.strip_prefix(prefix).and_then(|digits| digits.parse().ok()).ok_or(ParseAfiSafiError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_prints_by_name_and_reads_back() {
        for family in [
            AfiSafi::IPV4_UNICAST,
            AfiSafi::IPV6_MULTICAST,
            AfiSafi::new(Afi::L2VPN, Safi::EVPN),
            AfiSafi::new(Afi::LINK_STATE, Safi(71)),
            AfiSafi::new(Afi(7), Safi::LABELED_UNICAST),
        ] {
            assert_eq!(family.to_string().parse(), Ok(family), "{family}");
        }
        assert_eq!("2/1".parse(), Ok(AfiSafi::IPV6_UNICAST));
        assert_eq!("ipv4".parse::<AfiSafi>(), Err(ParseAfiSafiError));
        assert_eq!(AfiSafi::IPV4_UNICAST.to_string(), "ipv4-unicast");
    }
}
