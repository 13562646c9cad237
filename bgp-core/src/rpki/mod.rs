//! Origin validation with the RPKI (RFC 6811): which AS may originate a prefix.
//!
//! A cache validates ROAs and passes the results on as VRPs (validated ROA payloads). [`VrpTable`] holds them, and
//! [`VrpTable::validate`] compares a route with them. What an invalid route deserves is a matter of the
//! [`policy`](crate::policy). Caches speak the RTR protocol (RFC 8210): [`RtrClient`] is its state machine and [`Pdu`] its
//! codec, both without I/O.

mod client;
mod output;
mod pdu;
mod vrp_change;
mod vrp_table;

use std::fmt;

use ipnet::IpNet;

use crate::Asn;
use crate::wire::{AsPath, SegmentType};

pub use self::client::RtrClient;
pub use self::output::{RtrFailure, RtrOutput, RtrState};
pub use self::pdu::{DecodedPdu, Pdu, PduError, RtrErrorCode, RtrTimers};
pub use self::vrp_change::VrpChange;
pub use self::vrp_table::VrpTable;

/// A validated ROA payload: an AS may originate a prefix, and longer ones inside it up to a length (RFC 6811, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 6811 section 2 has these fields")]
pub struct Vrp {
    /// The prefix.
    pub prefix: IpNet,
    /// The longest length of a prefix that the AS may originate.
    pub max_length: u8,
    /// The AS. AS 0 means that no AS may originate these prefixes (RFC 6483, section 4).
    pub asn: Asn,
}

impl Vrp {
    /// A VRP for this prefix, without its host bits, and for no longer prefix.
    #[must_use]
    pub fn new(prefix: IpNet, asn: Asn) -> Self {
        Self { prefix: prefix.trunc(), max_length: prefix.prefix_len(), asn }
    }

    /// Includes longer prefixes up to this length.
    #[must_use]
    pub fn max_length(mut self, length: u8) -> Self {
        self.max_length = length;
        self
    }
}

impl fmt::Display for Vrp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} le {} AS {}", self.prefix, self.max_length, self.asn)
    }
}

/// The result of origin validation (RFC 6811, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[expect(clippy::exhaustive_enums, reason = "RFC 6811 section 2 defines these three")]
pub enum Validity {
    /// A VRP allows the AS to originate the prefix.
    Valid,
    /// No VRP covers the prefix.
    NotFound,
    /// VRPs cover the prefix, and none of them allows the AS to originate it.
    Invalid,
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Valid => "valid",
            Self::NotFound => "not-found",
            Self::Invalid => "invalid",
        })
    }
}

/// The route origin AS of a path (RFC 6811, section 2): the last AS of a final sequence, or our own for an empty path and one
/// that ends in our confederation. `None` if the path ends with a set: no VRP allows such a route.
#[must_use]
pub fn route_origin(path: &AsPath, local_asn: Asn) -> Option<Asn> {
    let Some(last) = path.segments.last() else { return Some(local_asn) };
    match last.kind {
        SegmentType::Sequence => last.asns.last().copied(),
        SegmentType::ConfedSequence | SegmentType::ConfedSet => Some(local_asn),
        SegmentType::Set => None,
    }
}
