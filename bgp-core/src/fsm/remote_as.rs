//! Which AS a peer may be of.

use std::fmt;
use std::str::FromStr;

use crate::Asn;

/// The AS that the peer's OPEN has to name; anything else is refused with Bad Peer AS (RFC 4271, section 6.2).
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
    reason = "a peer is of a known AS, of ours, of another, of a block, or of any"
)]
pub enum RemoteAs {
    /// This one.
    Number(Asn),
    /// Ours: the session is internal.
    Internal,
    /// Any but ours: the session is external, and the OPEN says with whom.
    External,
    /// One of these, the first and the last included, as for a block of private numbers; the OPEN says which.
    Between(Asn, Asn),
    /// Whichever the OPEN says.
    Any,
}

impl RemoteAs {
    /// Whether a peer of AS `remote` may be at the other end, where we are `local`.
    #[must_use]
    pub fn accepts(self, local: Asn, remote: Asn) -> bool {
        let wanted = match self {
            Self::Number(expected) => remote == expected,
            Self::Internal => remote == local,
            Self::External => remote != local,
            Self::Between(first, last) => (first..=last).contains(&remote),
            Self::Any => true,
        };
        wanted && remote != Asn::ZERO
    }

    /// The one number that is accepted, where we are `local`; `None` where several are.
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

    /// `internal`, `external`, `any`, a number in either form of [`Asn`], or a block of them as `64512-65534`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let asn = |text: &str| text.parse().map_err(|_| ParseRemoteAsError);
        match text {
            "internal" => Ok(Self::Internal),
            "external" => Ok(Self::External),
            "any" => Ok(Self::Any),
            numbers => match numbers.split_once('-') {
                Some((first, last)) => Ok(Self::Between(asn(first)?, asn(last)?)),
                None => asn(numbers).map(Self::Number),
            },
        }
    }
}

/// The text is neither an AS number nor one of the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseRemoteAsError;

impl fmt::Display for ParseRemoteAsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an AS number or a block of them, internal, external or any")
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
