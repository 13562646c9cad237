//! BGP identifiers.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A BGP Identifier: four octets that identify a speaker within its AS (RFC 4271 section 4.2, RFC 6286).
///
/// It is written like an IPv4 address but need not be one. Identifiers are ordered as unsigned numbers, as collision
/// detection requires. Zero is not a valid identifier: see [`is_valid`](Self::is_valid).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BgpIdentifier(pub Ipv4Addr);

impl BgpIdentifier {
    /// The identifier written `a.b.c.d`.
    #[must_use]
    pub const fn new(a: u8, b: u8, c: u8, d: u8) -> Self {
        Self(Ipv4Addr::new(a, b, c, d))
    }

    /// Returns true if a speaker may use the identifier: any value except zero (RFC 6286 section 2.1).
    #[must_use]
    pub const fn is_valid(self) -> bool {
        !self.0.is_unspecified()
    }
}

impl fmt::Display for BgpIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BgpIdentifier {
    type Err = ParseBgpIdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| ParseBgpIdentifierError)
    }
}

impl From<Ipv4Addr> for BgpIdentifier {
    fn from(address: Ipv4Addr) -> Self {
        Self(address)
    }
}

impl From<u32> for BgpIdentifier {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl From<BgpIdentifier> for Ipv4Addr {
    fn from(identifier: BgpIdentifier) -> Self {
        identifier.0
    }
}

impl From<BgpIdentifier> for u32 {
    fn from(identifier: BgpIdentifier) -> Self {
        identifier.0.into()
    }
}

/// The text was not a BGP identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a BGP identifier of the form `a.b.c.d`")]
#[non_exhaustive]
pub struct ParseBgpIdentifierError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_compare_as_unsigned_numbers() {
        assert!(BgpIdentifier::new(200, 0, 0, 1) > BgpIdentifier::new(9, 255, 255, 255));
        assert!(!BgpIdentifier::new(0, 0, 0, 0).is_valid());
        assert_eq!("10.0.0.2".parse(), Ok(BgpIdentifier::new(10, 0, 0, 2)));
        assert_eq!("10.0.0".parse::<BgpIdentifier>(), Err(ParseBgpIdentifierError));
    }
}
