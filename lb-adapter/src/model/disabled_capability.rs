//! Capabilities that an operator disables for a router that cannot handle them.

use std::fmt;
use std::str::FromStr;

/// A capability that the OPEN to a peer does not offer, or all capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum DisabledCapability {
    /// All capabilities: the OPEN has no optional parameters.
    All,
    /// IPv4 unicast routes (RFC 4760).
    Ipv4Unicast,
    /// IPv6 unicast routes (RFC 4760).
    Ipv6Unicast,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh,
    /// IPv4 routes with IPv6 next hops (RFC 8950).
    ExtendedNextHop,
    /// Messages of up to 65,535 octets (RFC 8654).
    ExtendedMessage,
    /// Four-octet AS numbers (RFC 6793).
    FourOctetAs,
    /// Enhanced route refresh, with markers at the beginning and the end (RFC 7313).
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

    /// The names of all capabilities, for error messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for DisabledCapability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = Self::NAMES.iter().find(|(_, capability)| capability == self);
        f.write_str(entry.map_or("", |(name, _)| *name))
    }
}

impl FromStr for DisabledCapability {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let entry = Self::NAMES.iter().find(|(name, _)| *name == text);
        entry.map(|(_, capability)| *capability).ok_or(())
    }
}
