//! TLVs: lists of values with their types, and the registries of these types.

use std::fmt;
use std::marker::PhantomData;

use bytes::{BufMut, BytesMut};

use crate::types::{Afi, AfiSafi, Safi};
use crate::wire::input::{Parsed, counted_by_two_octets, two_octets};

/// The type of a TLV, a number of one of IANA's registries.
pub trait TlvType: Copy + Eq + fmt::Debug + From<u16> {
    /// The number.
    fn number(self) -> u16;
}

macro_rules! tlv_type {
    (
        $(#[$doc:meta])*
        $name:ident { $( $(#[$constant_doc:meta])* $constant:ident = $number:literal, )* }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u16);

        impl $name {
            $( $(#[$constant_doc])* pub const $constant: Self = Self($number); )*
        }

        impl From<u16> for $name {
            fn from(number: u16) -> Self {
                Self(number)
            }
        }

        impl TlvType for $name {
            fn number(self) -> u16 {
                self.0
            }
        }
    };
}

tlv_type! {
    /// The type of a fact about the router or a session, as text (RFC 7854 section 4.4, RFC 9069 section 5.3).
    InformationType {
        /// Any text.
        STRING = 0,
        /// sysDescr of MIB-II: what the router is. Only in Initiation.
        SYS_DESCR = 1,
        /// sysName of MIB-II: the router's name. Only in Initiation.
        SYS_NAME = 2,
        /// The name of a VRF or table. Only for the Loc-RIB.
        VRF_TABLE_NAME = 3,
    }
}

tlv_type! {
    /// The type of a value in Termination (RFC 7854 section 4.5).
    TerminationType {
        /// Any text.
        STRING = 0,
        /// A [`TerminationReason`].
        REASON = 1,
    }
}

tlv_type! {
    /// The type of a value in Route Mirroring (RFC 7854 section 4.7).
    MirroringType {
        /// A message as it was received.
        BGP_MESSAGE = 0,
        /// A note of two octets: 0, the message before was faulty and its routes treated as withdrawn; 1, messages are missing.
        INFORMATION = 1,
    }
}

tlv_type! {
    /// The type of a statistic. A counter only grows, a gauge is a present number.
    StatisticType {
        /// Counter: prefixes rejected by the import policy.
        REJECTED_PREFIXES = 0,
        /// Counter: announcements of a known prefix.
        DUPLICATE_ANNOUNCEMENTS = 1,
        /// Counter: withdrawals of an unknown prefix.
        DUPLICATE_WITHDRAWALS = 2,
        /// Counter: UPDATEs invalid because of a loop in CLUSTER_LIST.
        CLUSTER_LIST_LOOPS = 3,
        /// Counter: UPDATEs invalid because of a loop in AS_PATH.
        AS_PATH_LOOPS = 4,
        /// Counter: UPDATEs invalid because of ORIGINATOR_ID.
        ORIGINATOR_ID_LOOPS = 5,
        /// Counter: UPDATEs invalid because of a loop in AS_CONFED_SEQUENCE or AS_CONFED_SET.
        CONFED_LOOPS = 6,
        /// Gauge: routes in the Adj-RIBs-In.
        ADJ_RIB_IN_ROUTES = 7,
        /// Gauge: routes in the Loc-RIB.
        LOC_RIB_ROUTES = 8,
        /// Gauge of a family: routes in the Adj-RIB-In.
        ADJ_RIB_IN_ROUTES_OF_FAMILY = 9,
        /// Gauge of a family: routes in the Loc-RIB.
        LOC_RIB_ROUTES_OF_FAMILY = 10,
        /// Counter: UPDATEs whose routes were treated as withdrawn (RFC 7606).
        TREATED_AS_WITHDRAWN_UPDATES = 11,
        /// Counter: prefixes that were treated as withdrawn (RFC 7606).
        TREATED_AS_WITHDRAWN_PREFIXES = 12,
        /// Counter: UPDATEs received twice.
        DUPLICATE_UPDATES = 13,
        /// Gauge: routes in the Adj-RIBs-Out before policy (RFC 8671).
        ADJ_RIB_OUT_PRE_POLICY_ROUTES = 14,
        /// Gauge: routes in the Adj-RIBs-Out after policy (RFC 8671).
        ADJ_RIB_OUT_POST_POLICY_ROUTES = 15,
        /// Gauge of a family: routes in the Adj-RIB-Out before policy (RFC 8671).
        ADJ_RIB_OUT_PRE_POLICY_ROUTES_OF_FAMILY = 16,
        /// Gauge of a family: routes in the Adj-RIB-Out after policy (RFC 8671).
        ADJ_RIB_OUT_POST_POLICY_ROUTES_OF_FAMILY = 17,
    }
}

/// The reason of a Termination (RFC 7854 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminationReason(pub u16);

impl TerminationReason {
    /// The operator closed the stream. The router may open another later.
    pub const ADMINISTRATIVELY_CLOSED: Self = Self(0);
    /// No reason is given.
    pub const UNSPECIFIED: Self = Self(1);
    /// The router lacks resources.
    pub const OUT_OF_RESOURCES: Self = Self(2);
    /// The station already has a stream of this router.
    pub const REDUNDANT_CONNECTION: Self = Self(3);
    /// The operator closed the stream for good.
    pub const PERMANENTLY_CLOSED: Self = Self(4);

    /// Appends the reason as a TLV.
    pub fn encode(self, out: &mut BytesMut) {
        put_tlv(TerminationType::REASON, &self.0.to_be_bytes(), out);
    }
}

impl InformationType {
    /// Appends a fact as a TLV. Text over 65,535 octets is cut.
    pub fn encode(self, text: &str, out: &mut BytesMut) {
        put_text(self, text, out);
    }
}

impl TerminationType {
    /// Appends a text as a TLV. Text over 65,535 octets is cut.
    pub fn encode(self, text: &str, out: &mut BytesMut) {
        put_text(self, text, out);
    }
}

impl MirroringType {
    /// Appends a value as a TLV. A value over 65,535 octets is cut.
    pub fn encode(self, value: &[u8], out: &mut BytesMut) {
        put_tlv(self, value, out);
    }
}

impl StatisticType {
    /// Appends a counter as a TLV.
    pub fn encode_counter(self, value: u32, out: &mut BytesMut) {
        put_tlv(self, &value.to_be_bytes(), out);
    }

    /// Appends a gauge as a TLV.
    pub fn encode_gauge(self, value: u64, out: &mut BytesMut) {
        put_tlv(self, &value.to_be_bytes(), out);
    }

    /// Appends a gauge of a family as a TLV.
    pub fn encode_family_gauge(self, family: AfiSafi, value: u64, out: &mut BytesMut) {
        out.put_u16(self.0);
        out.put_u16(11);
        out.put_u16(family.afi.0);
        out.put_u8(family.safi.0);
        out.put_u64(value);
    }
}

/// The value of a statistic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatisticValue {
    /// A counter or a gauge.
    Number(u64),
    /// A gauge of one family.
    OfFamily(AfiSafi, u64),
    /// A value of another length than these have.
    Other,
}

/// A type with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a type and a value")]
pub struct Tlv<'a, T> {
    /// The type.
    pub kind: T,
    /// The octets of the value.
    pub value: &'a [u8],
}

/// A list of TLVs to the end of a message. It is also its own iterator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlvs<'a, T> {
    octets: &'a [u8],
    kind: PhantomData<T>,
}

impl<'a, T: TlvType> Tlvs<'a, T> {
    /// No TLVs.
    #[must_use]
    pub const fn none() -> Self {
        Self { octets: &[], kind: PhantomData }
    }

    /// The TLVs in these octets, or `None` if the last one is incomplete.
    #[must_use]
    pub fn read(octets: &'a [u8]) -> Option<Self> {
        tlvs(octets).ok().map(|(_, tlvs)| tlvs)
    }

    /// The octets of the whole list.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    /// The value of the first TLV with this type.
    #[must_use]
    pub fn get(&self, kind: T) -> Option<&'a [u8]> {
        let mut tlvs = *self;
        tlvs.find(|tlv| tlv.kind == kind).map(|tlv| tlv.value)
    }
}

impl<'a, T: TlvType> Iterator for Tlvs<'a, T> {
    type Item = Tlv<'a, T>;

    fn next(&mut self) -> Option<Self::Item> {
        let (rest, tlv) = tlv(self.octets).ok()?;
        self.octets = rest;
        Some(tlv)
    }
}

impl Tlv<'_, StatisticType> {
    /// The number in the value: of four or eight octets, or after a family.
    #[must_use]
    pub fn statistic(&self) -> StatisticValue {
        if let Ok(value) = self.value.try_into() {
            return StatisticValue::Number(u64::from(u32::from_be_bytes(value)));
        }
        if let Ok(value) = self.value.try_into() {
            return StatisticValue::Number(u64::from_be_bytes(value));
        }
        match self.value.split_first_chunk() {
            Some(([high, low, safi], rest)) if rest.len() == 8 => {
                let family = AfiSafi::new(Afi(u16::from_be_bytes([*high, *low])), Safi(*safi));
                let value = rest.try_into().map_or(0, u64::from_be_bytes);
                StatisticValue::OfFamily(family, value)
            }
            _ => StatisticValue::Other,
        }
    }
}

/// Reads TLVs up to the end of the input.
pub(super) fn tlvs<T: TlvType>(input: &[u8]) -> Parsed<'_, Tlvs<'_, T>> {
    let mut rest = input;
    while !rest.is_empty() {
        (rest, _) = tlv::<T>(rest)?;
    }
    Ok((rest, Tlvs { octets: input, kind: PhantomData }))
}

fn tlv<T: TlvType>(input: &[u8]) -> Parsed<'_, Tlv<'_, T>> {
    let (input, kind) = two_octets(input)?;
    let (input, value) = counted_by_two_octets(input)?;
    Ok((input, Tlv { kind: kind.into(), value }))
}

/// Appends a text, cut at a character if it is too long.
fn put_text(kind: impl TlvType, text: &str, out: &mut BytesMut) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    put_tlv(kind, text.get(..end).unwrap_or_default().as_bytes(), out);
}

fn put_tlv(kind: impl TlvType, value: &[u8], out: &mut BytesMut) {
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.put_u16(kind.number());
    out.put_u16(length);
    out.put_slice(value.get(..usize::from(length)).unwrap_or(value));
}
