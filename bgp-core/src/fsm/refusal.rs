//! The reasons to refuse a peer's OPEN: a text with the expected value for our operator, and a NOTIFICATION for the
//! peer's.

use std::fmt;

use bytes::Bytes;

use crate::fsm::RemoteAs;
use crate::wire::{Notification, OpenSubcode, Role};
use crate::{AfiSafi, Asn, BgpIdentifier};

/// The reason to refuse a well-formed OPEN (RFC 4271, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Refusal {
    /// The peer is in another AS.
    WrongAs {
        /// The configured AS.
        expected: RemoteAs,
        /// Our AS.
        local: Asn,
        /// The AS that the OPEN names.
        received: Asn,
    },
    /// An internal peer has our own BGP Identifier (RFC 6286, section 2.2).
    OwnIdentifier(BgpIdentifier),
    /// No address family is common to both ends (RFC 5492, section 5).
    NoCommonFamily {
        /// Our families.
        ours: Vec<AfiSafi>,
        /// The peer's families.
        theirs: Vec<AfiSafi>,
    },
    /// The roles of both ends do not fit each other (RFC 9234, section 4.2).
    RoleMismatch {
        /// Our role towards the peer.
        ours: Role,
        /// The peer's role towards us.
        theirs: Role,
    },
    /// The peer names no role, and strict mode requires one (RFC 9234, section 4.2).
    RoleMissing {
        /// Our role towards the peer.
        ours: Role,
    },
}

impl Refusal {
    /// The NOTIFICATION to send to the peer.
    #[must_use]
    pub fn notification(&self) -> Notification {
        let (subcode, data) = match self {
            Self::WrongAs { .. } => (OpenSubcode::BAD_PEER_AS, Bytes::new()),
            Self::OwnIdentifier(_) => (OpenSubcode::BAD_BGP_IDENTIFIER, Bytes::new()),
            Self::NoCommonFamily { ours, .. } => {
                (OpenSubcode::UNSUPPORTED_CAPABILITY, capabilities(ours))
            }
            Self::RoleMismatch { .. } | Self::RoleMissing { .. } => {
                (OpenSubcode::ROLE_MISMATCH, Bytes::new())
            }
        };
        Notification::open_error(subcode, data)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAs { expected, local, received } => {
                write_wrong_as(f, *expected, *local, *received)
            }
            Self::OwnIdentifier(identifier) => write!(
                f,
                "the peer has our BGP identifier {identifier}, expected one that is unique in the AS"
            ),
            Self::NoCommonFamily { ours, theirs } => {
                f.write_str("the peer has none of our address families: it offers ")?;
                write_families(f, theirs)?;
                f.write_str(", expected ")?;
                write_families(f, ours)
            }
            Self::RoleMismatch { ours, theirs } => {
                write!(f, "the peer's role is {theirs}, which does not fit ours, {ours} (RFC 9234)")
            }
            Self::RoleMissing { ours: Role::CUSTOMER } => f.write_str(
                "the peer names no role (RFC 9234), expected provider, since we are its customer",
            ),
            Self::RoleMissing { ours } => {
                write!(f, "the peer names no role (RFC 9234), expected one that fits ours, {ours}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

fn write_wrong_as(
    f: &mut fmt::Formatter<'_>,
    expected: RemoteAs,
    local: Asn,
    received: Asn,
) -> fmt::Result {
    write!(f, "the peer is in AS {received}, expected ")?;
    match expected {
        RemoteAs::Number(expected) => write!(f, "AS {expected}"),
        RemoteAs::Internal => write!(f, "ours, AS {local}"),
        RemoteAs::Between(first, last) => write!(f, "one of AS {first} to {last}"),
        RemoteAs::External if received == local => f.write_str("an AS other than ours"),
        RemoteAs::External | RemoteAs::Any => f.write_str("a usable number"),
    }
}

fn write_families(f: &mut fmt::Formatter<'_>, families: &[AfiSafi]) -> fmt::Result {
    for (n, family) in families.iter().enumerate() {
        let separator = if n == 0 { "" } else { " and " };
        write!(f, "{separator}{family}")?;
    }
    if families.is_empty() { f.write_str("none") } else { Ok(()) }
}

/// The capabilities that the peer lacks, encoded as in an OPEN (RFC 5492, section 5).
fn capabilities(families: &[AfiSafi]) -> Bytes {
    let mut data = Vec::with_capacity(6 * families.len());
    for family in families {
        data.extend_from_slice(&[1, 4]);
        data.extend_from_slice(&family.afi.0.to_be_bytes());
        data.extend_from_slice(&[0, family.safi.0]);
    }
    Bytes::from(data)
}
