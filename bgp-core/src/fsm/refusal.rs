//! Why a peer's OPEN is refused: with what was expected, for our operator, and the NOTIFICATION, for the peer's.

use std::fmt;

use bytes::Bytes;

use crate::fsm::RemoteAs;
use crate::wire::{Notification, OpenSubcode, Role};
use crate::{AfiSafi, Asn, BgpIdentifier};

/// What is wrong with an OPEN that is well-formed (RFC 4271, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The peer is of another AS.
    WrongAs {
        /// Which AS was configured.
        expected: RemoteAs,
        /// Which one we are in.
        local: Asn,
        /// Which one the OPEN names.
        received: Asn,
    },
    /// An internal peer has our own BGP Identifier (RFC 6286, section 2.2).
    OwnIdentifier(BgpIdentifier),
    /// No address family is common to both ends (RFC 5492, section 5).
    NoCommonFamily {
        /// Ours.
        ours: Vec<AfiSafi>,
        /// The peer's.
        theirs: Vec<AfiSafi>,
    },
    /// The roles of both ends do not fit each other (RFC 9234, section 4.2).
    RoleMismatch {
        /// What we are to the peer.
        ours: Role,
        /// What it says it is to us.
        theirs: Role,
    },
    /// The peer names no role, and strict mode wants one (RFC 9234, section 4.2).
    RoleMissing {
        /// What we are to the peer.
        ours: Role,
    },
}

impl Refusal {
    /// What the peer is told.
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
            Self::WrongAs { expected, local, received } => match expected {
                RemoteAs::Number(expected) => {
                    write!(f, "the peer is of AS {received}, expected AS {expected}")
                }
                RemoteAs::Internal => {
                    write!(f, "the peer is of AS {received}, expected ours, AS {local}")
                }
                RemoteAs::Between(first, last) => {
                    write!(f, "the peer is of AS {received}, expected one of AS {first} to {last}")
                }
                RemoteAs::External if received == local => {
                    write!(f, "the peer is of our AS {received}, expected another one")
                }
                RemoteAs::External | RemoteAs::Any => {
                    write!(f, "the peer is of AS {received}, expected a usable number")
                }
            },
            Self::OwnIdentifier(identifier) => write!(
                f,
                "the peer has our BGP identifier {identifier}, expected one that is unique in the AS"
            ),
            Self::NoCommonFamily { ours, theirs } => {
                f.write_str("the peer has none of our address families: it offers ")?;
                list(f, theirs)?;
                f.write_str(", expected ")?;
                list(f, ours)
            }
            Self::RoleMismatch { ours, theirs } => write!(
                f,
                "the peer's role is {theirs}, which does not fit ours, {ours} (RFC 9234)"
            ),
            Self::RoleMissing { ours } => match *ours {
                Role::CUSTOMER => f.write_str(
                    "the peer names no role (RFC 9234), expected provider, since we are its customer",
                ),
                ours => write!(
                    f,
                    "the peer names no role (RFC 9234), expected one that fits ours, {ours}"
                ),
            },
        }
    }
}

impl std::error::Error for Refusal {}

fn list(f: &mut fmt::Formatter<'_>, families: &[AfiSafi]) -> fmt::Result {
    for (n, family) in families.iter().enumerate() {
        let separator = if n == 0 { "" } else { " and " };
        write!(f, "{separator}{family}")?;
    }
    if families.is_empty() { f.write_str("none") } else { Ok(()) }
}

/// The capabilities that the peer lacks, in the form that they have in an OPEN (RFC 5492, section 5).
fn capabilities(families: &[AfiSafi]) -> Bytes {
    let mut data = Vec::with_capacity(6 * families.len());
    for family in families {
        data.extend_from_slice(&[1, 4]);
        data.extend_from_slice(&family.afi.0.to_be_bytes());
        data.extend_from_slice(&[0, family.safi.0]);
    }
    Bytes::from(data)
}
