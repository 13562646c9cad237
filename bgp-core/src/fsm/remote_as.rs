//! The AS expected of a peer.

use std::fmt;
use std::str::FromStr;

use crate::Asn;

/// The AS that the peer's OPEN has to name. Any other is refused with Bad Peer AS (RFC 4271, section 6.2).
///
/// ```
/// use bgp_core::Asn;
/// use bgp_core::fsm::RemoteAs;
/// assert!(RemoteAs::from(Asn(64635)).accepts(Asn(64636), Asn(64635)));
/// assert!(RemoteAs::External.accepts(Asn(64636), Asn(64635)));
/// assert!(!RemoteAs::Internal.accepts(Asn(64636), Asn(64635)));
/// assert!(RemoteAs::Between(Asn(64512), Asn(65534)).accepts(Asn(64636), Asn(64635)));
/// assert!(!RemoteAs::Between(Asn(64512), Asn(64534)).accepts(Asn(64636), Asn(64635)));
/// assert!(!RemoteAs::Any.accepts(Asn(64636), Asn(0)), "RFC 7607");
/// assert_eq!("external".parse(), Ok(RemoteAs::External));
/// assert_eq!("64512-65534".parse(), Ok(RemoteAs::Between(Asn(64512), Asn(65534))));
/// assert_eq!("1.10".parse(), Ok(RemoteAs::Number(Asn(65_546))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a peer is in a known AS, in ours, in another, in one of a range, or in any"
)]
pub enum RemoteAs {
    /// This AS.
    Number(Asn),
    /// Our AS: the session is internal.
    Internal,
    /// Any AS but ours: the session is external. The OPEN names the AS.
    External,
    /// One of a range of AS numbers, including the first and the last, such as a range of private numbers. The OPEN names
    /// the AS.
    Between(Asn, Asn),
    /// Any AS. The OPEN names it.
    Any,
}

impl RemoteAs {
    /// Returns true if a peer in AS `remote` is accepted when we are in AS `local`.
    #[must_use]
    pub fn accepts(self, local: Asn, remote: Asn) -> bool {
        let expected = match self {
            Self::Number(expected) => remote == expected,
            Self::Internal => remote == local,
            Self::External => remote != local,
            Self::Between(first, last) => (first..=last).contains(&remote),
            Self::Any => true,
        };
        expected && remote != Asn::ZERO
    }

    /// The only accepted number when we are in AS `local`. `None` if several are accepted.
    #[must_use]
    pub fn number(self, local: Asn) -> Option<Asn> {
        match self {
            Self::Number(asn) => Some(asn),
            Self::Internal => Some(local),
            Self::Between(first, last) => (first == last).then_some(first),
            Self::External | Self::Any => None,
        }
    }
}

impl From<Asn> for RemoteAs {
    fn from(asn: Asn) -> Self {
        Self::Number(asn)
    }
}

impl FromStr for RemoteAs {
    type Err = ParseRemoteAsError;

    /// Parses `internal`, `external`, `any`, a number in either form of [`Asn`], or a range such as `64512-65534`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "internal" => Ok(Self::Internal),
            "external" => Ok(Self::External),
            "any" => Ok(Self::Any),
            numbers => match numbers.split_once('-') {
                Some((first, last)) => Ok(Self::Between(parse_asn(first)?, parse_asn(last)?)),
                None => parse_asn(numbers).map(Self::Number),
            },
        }
    }
}

fn parse_asn(text: &str) -> Result<Asn, ParseRemoteAsError> {
    text.parse().map_err(|_| ParseRemoteAsError)
}

/// The error for a text that is neither an AS number nor one of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseRemoteAsError;

impl fmt::Display for ParseRemoteAsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an AS number, a range of AS numbers, internal, external or any")
    }
}

impl std::error::Error for ParseRemoteAsError {}

impl fmt::Display for RemoteAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(asn) => asn.fmt(f),
            Self::Internal => f.pad("internal"),
            Self::External => f.pad("external"),
            Self::Between(first, last) => write!(f, "{first}-{last}"),
            Self::Any => f.pad("any"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_expectation_accepts_its_numbers_and_no_others() {
        let local = Asn(64_636);
        // Our own AS, the one before it, two within the range, and 0, which is nobody's.
        let remotes = [64_636, 64_635, 64_512, 65_534, 65_535, 0].map(Asn);
        let range = RemoteAs::Between(Asn(64_512), Asn(65_534));
        for (expected, accepted) in [
            (RemoteAs::Number(Asn(64_635)), [false, true, false, false, false, false]),
            (RemoteAs::Number(Asn::ZERO), [false; 6]),
            (RemoteAs::Internal, [true, false, false, false, false, false]),
            (RemoteAs::External, [false, true, true, true, true, false]),
            (range, [true, true, true, true, false, false]),
            (RemoteAs::Any, [true, true, true, true, true, false]),
        ] {
            assert_eq!(
                remotes.map(|remote| expected.accepts(local, remote)),
                accepted,
                "{expected}"
            );
        }
        assert!(!RemoteAs::Internal.accepts(Asn::ZERO, Asn::ZERO));
    }

    #[test]
    fn a_single_number_is_known_in_advance_and_every_kind_reads_back() {
        for (text, number) in [
            ("64635", Some(64_635)),
            ("internal", Some(64_636)),
            ("external", None),
            ("any", None),
            ("64512-64512", Some(64_512)),
            ("64512-65534", None),
        ] {
            let expected: RemoteAs = text.parse().unwrap();
            assert_eq!(expected.number(Asn(64_636)), number.map(Asn), "{text}");
            assert_eq!(expected.to_string(), text);
        }
        let error = "64512-".parse::<RemoteAs>().unwrap_err();
        assert!(error.to_string().starts_with("expected an AS number"), "{error}");
    }
}
