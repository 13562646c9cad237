//! Capabilities that an operator leaves out of the OPEN to a router that refuses them.

use std::fmt;
use std::str::FromStr;

/// A capability that is not offered to a peer, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum DisabledCapability {
    /// Every capability: the OPEN has no optional parameters.
    All,
    /// Routes of IPv4 (RFC 4760).
    Ipv4Unicast,
    /// Routes of IPv6 (RFC 4760).
    Ipv6Unicast,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh,
    /// IPv4 routes with IPv6 next hops (RFC 8950).
    ExtendedNextHop,
    /// Messages of up to 65,535 octets (RFC 8654).
    ExtendedMessage,
    /// AS numbers of four octets (RFC 6793).
    FourOctetAs,
    /// Route refreshes with a beginning and an end (RFC 7313).
    EnhancedRouteRefresh,
}

impl DisabledCapability {
    const NAMES: [(&'static str, Self); 8] = [
        ("all", Self::All),
        ("ipv4-unicast", Self::Ipv4Unicast),
        ("ipv6-unicast", Self::Ipv6Unicast),
        ("route-refresh", Self::RouteRefresh),
        ("extended-next-hop", Self::ExtendedNextHop),
        ("extended-message", Self::ExtendedMessage),
        ("four-octet-as", Self::FourOctetAs),
        ("enhanced-route-refresh", Self::EnhancedRouteRefresh),
    ];

    /// Every name, for people.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for DisabledCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, it)| it == self).map_or("", |(name, _)| *name);
        f.write_str(name)
    }
}

impl FromStr for DisabledCapability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, it)| *it).ok_or(())
    }
}
