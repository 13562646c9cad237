//! The table of RFC 7606: for each attribute, the rules it must follow and the treatment of each violation.
//!
//! A row has the required flags and length of an attribute, the sessions on which it belongs, and the treatments of an
//! UPDATE that breaks these rules. `check.rs` checks an attribute by its row and returns an [`ErrorKind`]; the treatment
//! is looked up here.

use crate::types::PeerType;
use crate::wire::context::WireContext;
use crate::wire::error_kind::{ErrorKind, Treatment};

use super::{AttributeCode, AttributeFlags};

/// The two flags that are judged: Optional and Transitive.
const JUDGED_FLAGS: u8 = AttributeFlags::OPTIONAL.0 | AttributeFlags::TRANSITIVE.0;

/// The required flags of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum AttributeClass {
    /// Well-known: transitive and not optional.
    WellKnown,
    /// Optional transitive.
    Transitive,
    /// Optional non-transitive.
    NonTransitive,
    /// Not known to this crate: any optional attribute.
    Unknown,
}

/// The required length of an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LengthRule {
    Any,
    Exactly(u8),
    AtLeast(u8),
    /// A multiple, but not zero.
    Multiple(u8),
    /// An AS number of the session's width, and four octets.
    AsnAndAddress,
}

/// The sessions on which an attribute is read. On others it is discarded unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionScope {
    Everywhere,
    /// From internal peers.
    Internal,
    /// From peers whose AS numbers have two octets.
    TwoOctetAs,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct AttributeRule {
    pub(in crate::wire) class: AttributeClass,
    pub(super) length: LengthRule,
    pub(super) scope: SessionScope,
    /// The treatment if Optional or Transitive is wrong.
    flags_wrong: Treatment,
    /// The treatment if the length or the value is wrong.
    malformed: Treatment,
    /// The treatment if the attribute is repeated.
    repeated: Treatment,
    /// The slot in the index of an [`Update`](crate::wire::Update).
    pub(in crate::wire) slot: IndexSlot,
}

/// A slot in the index of an UPDATE's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) struct IndexSlot(u8);

impl IndexSlot {
    /// The number of slots.
    pub(in crate::wire) const COUNT: usize = 20;
    const NONE: Self = Self(u8::MAX);

    #[inline]
    pub(in crate::wire) const fn of(code: AttributeCode) -> Self {
        let slot = match code.0 {
            1..=10 => code.0 - 1,
            14..=18 => code.0 - 4,
            25 => 15,
            26 => 16,
            32 => 17,
            35 => 18,
            40 => 19,
            _ => return Self::NONE,
        };
        Self(slot)
    }

    #[inline]
    pub(in crate::wire) const fn index(self) -> usize {
        self.0 as usize
    }
}

use AttributeClass::{NonTransitive, Transitive, WellKnown};
use LengthRule::{Any, AsnAndAddress, AtLeast, Exactly, Multiple};
use SessionScope::{Everywhere, Internal, TwoOctetAs};
use Treatment::{AttributeDiscard as AD, SessionReset as RESET, TreatAsWithdraw as TAW};

type TableRow =
    (AttributeCode, AttributeClass, LengthRule, SessionScope, Treatment, Treatment, Treatment);

/// The rows, from RFC 7606 section 7 and later RFCs.
#[rustfmt::skip]
const TABLE: [TableRow; 25] = [
    // attribute                                class          length         read        flags  malformed repeated
    (AttributeCode::ORIGIN,                     WellKnown,     Exactly(1),    Everywhere, TAW,   TAW,   AD),
    (AttributeCode::AS_PATH,                    WellKnown,     Any,           Everywhere, TAW,   TAW,   AD),
    (AttributeCode::NEXT_HOP,                   WellKnown,     Exactly(4),    Everywhere, TAW,   TAW,   AD),
    (AttributeCode::MULTI_EXIT_DISC,            NonTransitive, Exactly(4),    Everywhere, TAW,   TAW,   AD),
    (AttributeCode::LOCAL_PREF,                 WellKnown,     Exactly(4),    Internal,   TAW,   TAW,   AD),
    (AttributeCode::ATOMIC_AGGREGATE,           WellKnown,     Exactly(0),    Everywhere, TAW,   AD,    AD),
    (AttributeCode::AGGREGATOR,                 Transitive,    AsnAndAddress, Everywhere, TAW,   AD,    AD),
    (AttributeCode::COMMUNITIES,                Transitive,    Multiple(4),   Everywhere, TAW,   TAW,   AD),
    (AttributeCode::ORIGINATOR_ID,              NonTransitive, Exactly(4),    Internal,   TAW,   TAW,   AD),
    (AttributeCode::CLUSTER_LIST,               NonTransitive, Multiple(4),   Internal,   TAW,   TAW,   AD),
    (AttributeCode::MP_REACH_NLRI,              NonTransitive, AtLeast(5),    Everywhere, RESET, RESET, RESET),
    (AttributeCode::MP_UNREACH_NLRI,            NonTransitive, AtLeast(3),    Everywhere, RESET, RESET, RESET),
    (AttributeCode::EXTENDED_COMMUNITIES,       Transitive,    Multiple(8),   Everywhere, TAW,   TAW,   AD),
    (AttributeCode::AS4_PATH,                   Transitive,    AtLeast(6),    TwoOctetAs, TAW,   AD,    AD),
    (AttributeCode::AS4_AGGREGATOR,             Transitive,    Exactly(8),    TwoOctetAs, TAW,   AD,    AD),
    (AttributeCode::PMSI_TUNNEL,                Transitive,    AtLeast(5),    Everywhere, TAW,   TAW,   AD),
    (AttributeCode::TUNNEL_ENCAPSULATION,       Transitive,    AtLeast(4),    Everywhere, TAW,   TAW,   AD),
    (AttributeCode::TRAFFIC_ENGINEERING,        NonTransitive, AtLeast(1),    Everywhere, TAW,   TAW,   AD),
    (AttributeCode::IPV6_EXTENDED_COMMUNITIES,  Transitive,    Multiple(20),  Everywhere, TAW,   TAW,   AD),
    (AttributeCode::AIGP,                       NonTransitive, AtLeast(3),    Everywhere, AD,    AD,    AD),
    (AttributeCode::BGP_LS,                     NonTransitive, AtLeast(4),    Everywhere, AD,    AD,    AD),
    (AttributeCode::LARGE_COMMUNITIES,          Transitive,    Multiple(12),  Everywhere, TAW,   TAW,   AD),
    (AttributeCode::ONLY_TO_CUSTOMER,           Transitive,    Exactly(4),    Everywhere, TAW,   TAW,   AD),
    (AttributeCode::PREFIX_SID,                 Transitive,    AtLeast(3),    Everywhere, TAW,   AD,    AD),
    (AttributeCode::ATTR_SET,                   Transitive,    AtLeast(4),    Everywhere, TAW,   TAW,   AD),
];

/// The row of all other codes: kept or dropped, never judged by value.
static UNKNOWN: AttributeRule = AttributeRule {
    class: AttributeClass::Unknown,
    length: Any,
    scope: Everywhere,
    flags_wrong: RESET,
    malformed: AD,
    repeated: AD,
    slot: IndexSlot::NONE,
};

/// The table indexed by code, so that a lookup is one load.
static RULES: [AttributeRule; 256] = ROWS;
/// The same table as a constant, for codes that the compiler knows.
pub(super) const ROWS: [AttributeRule; 256] = by_code();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which would refuse a bad index"
)]
const fn by_code() -> [AttributeRule; 256] {
    let mut rules = [UNKNOWN; 256];
    let mut row = 0;
    while row < TABLE.len() {
        let (code, class, length, scope, flags_wrong, malformed, repeated) = TABLE[row];
        let slot = IndexSlot::of(code);
        rules[code.0 as usize] =
            AttributeRule { class, length, scope, flags_wrong, malformed, repeated, slot };
        row += 1;
    }
    rules
}

impl AttributeRule {
    #[inline]
    pub(in crate::wire) fn of(code: AttributeCode) -> &'static Self {
        RULES.get(usize::from(code.0)).unwrap_or(&UNKNOWN)
    }

    /// The treatment of an UPDATE in which this attribute has the given error.
    #[cold]
    pub(in crate::wire) fn treatment(&self, kind: ErrorKind) -> Treatment {
        match kind {
            ErrorKind::UnexpectedAttribute => AD,
            ErrorKind::RepeatedAttribute => self.repeated,
            ErrorKind::AttributeFlags | ErrorKind::UnknownWellKnown => self.flags_wrong,
            // If the MP attribute is incomplete, its routes cannot be found (RFC 7606 section 3 j).
            ErrorKind::AttributeOverrun => self.malformed.max(TAW),
            ErrorKind::MissingAttribute | ErrorKind::Srv6Service => TAW,
            _ => self.malformed,
        }
    }
}

impl AttributeClass {
    #[inline(always)]
    pub(super) const fn allows(self, flags: AttributeFlags) -> bool {
        let expected = match self {
            Self::WellKnown => AttributeFlags::TRANSITIVE.0,
            Self::Transitive => JUDGED_FLAGS,
            Self::NonTransitive => AttributeFlags::OPTIONAL.0,
            Self::Unknown => return flags.contains(AttributeFlags::OPTIONAL),
        };
        flags.0 & JUDGED_FLAGS == expected
    }
}

impl LengthRule {
    #[inline(always)]
    pub(super) fn allows(self, length: usize, cx: WireContext) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(octets) => length == usize::from(octets),
            Self::AtLeast(octets) => length >= usize::from(octets),
            Self::Multiple(octets) => length != 0 && length % usize::from(octets) == 0,
            Self::AsnAndAddress => length == if cx.is_four_octet_as() { 8 } else { 6 },
        }
    }
}

impl SessionScope {
    #[inline(always)]
    pub(super) fn includes(self, cx: WireContext) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Internal => cx.peer_type() == PeerType::Internal,
            Self::TwoOctetAs => !cx.is_four_octet_as(),
        }
    }
}
