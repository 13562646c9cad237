//! Autonomous System numbers.

use std::fmt;
use std::str::FromStr;

/// An Autonomous System number of four octets (RFC 6793).
///
/// It prints in "asplain" format (RFC 5396) and reads both `4200000000` and the dotted `64086.59904`.
///
/// ```
/// use bgp_core::Asn;
/// assert_eq!("1.10".parse::<Asn>()?, Asn(65_546));
/// assert_eq!(Asn(65_546).to_string(), "65546");
/// # Ok::<(), bgp_core::types::ParseAsnError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Asn(pub u32);

impl Asn {
    /// AS 0, which must not be used by a speaker or appear in a path (RFC 7607).
    pub const ZERO: Self = Self(0);
    /// AS_TRANS, which replaces a number that does not fit two octets (RFC 6793 section 9).
    pub const TRANS: Self = Self(23_456);

    /// The number in two octets, or AS_TRANS if it does not fit.
    #[must_use]
    pub fn to_two_octets(self) -> u16 {
        u16::try_from(self.0).unwrap_or(23_456)
    }

    /// Returns true if the number fits two octets.
    #[must_use]
    pub const fn fits_two_octets(self) -> bool {
        self.0 <= 0xffff
    }

    /// Returns true if the number is for private use (RFC 6996).
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self.0, 64_512..=65_534 | 4_200_000_000..=4_294_967_294)
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Asn {
    type Err = ParseAsnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = match text.split_once('.') {
            None => text.parse().ok(),
            Some((high, low)) => match (high.parse::<u16>(), low.parse::<u16>()) {
                (Ok(high), Ok(low)) => Some(u32::from(high) << 16 | u32::from(low)),
                _ => None,
            },
        };
        number.map(Self).ok_or(ParseAsnError)
    }
}

impl From<u16> for Asn {
    fn from(number: u16) -> Self {
        Self(number.into())
    }
}

impl From<u32> for Asn {
    fn from(number: u32) -> Self {
        Self(number)
    }
}

impl From<Asn> for u32 {
    fn from(asn: Asn) -> Self {
        asn.0
    }
}

/// The text was not an AS number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an AS number from 0 to 4294967295, or the form `high.low`")]
#[non_exhaustive]
pub struct ParseAsnError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_as_number_reads_plain_and_dotted_and_prints_plain() {
        assert_eq!("4200000000".parse(), Ok(Asn(4_200_000_000)));
        assert_eq!("0.65535".parse(), Ok(Asn(65_535)));
        assert_eq!("65536.1".parse::<Asn>(), Err(ParseAsnError));
        assert_eq!("4294967296".parse::<Asn>(), Err(ParseAsnError));
        assert_eq!("".parse::<Asn>(), Err(ParseAsnError));
        assert_eq!(Asn(4_200_000_000).to_string(), "4200000000");
    }

    #[test]
    fn a_number_over_two_octets_becomes_as_trans() {
        assert_eq!(Asn(65_535).to_two_octets(), 65_535);
        assert_eq!(Asn(65_536).to_two_octets(), 23_456);
        assert!(!Asn(65_536).fits_two_octets());
    }
}
