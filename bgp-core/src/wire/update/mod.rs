//! UPDATE: a view of a checked message (RFC 4271 section 4.3, RFC 4760, RFC 7606).
//!
//! [`Update::decode`] makes one pass over the attributes, judges each by the table in `attribute/rules.rs`, and records the
//! positions of the valid ones. `fast_path.rs` is the pass over a message without errors, `decode.rs` the pass that judges.
//! Everything else is read from the message on demand. That cannot fail, because the message was checked.

mod decode;
mod equality;
mod fast_path;
mod findings;
mod index;
mod mp;
mod owned;
mod routes;
#[cfg(test)]
pub(in crate::wire) mod tests;
mod to_attributes;
mod values;

use std::net::Ipv4Addr;

pub use findings::{Finding, Findings};
pub use mp::{MpReach, MpUnreach};
pub use owned::OwnedUpdate;
pub use routes::RoutePrefixes;
pub use values::ValueIter;

use crate::types::{AfiSafi, Asn, BgpIdentifier};

use super::attribute::rules::IndexSlot;
use super::attribute::{AsPathView, AttributeCode, AttributeView, Attributes};
use super::community::{Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity};
use super::context::WireContext;
use super::error::DecodeError;
use super::error_kind::Treatment;
use super::header::HEADER_LENGTH;
use super::input::{Parsed, counted_by_two_octets, octets};
use super::nlri::Ipv4Prefixes;
use super::path_attributes::{Aggregator, Origin, aigp_metric};

use index::AttributeIndex;

/// An UPDATE, borrowed from its receive buffer. It is `Copy` and owns nothing.
///
/// The getters skip attributes that RFC 7606 discards; [`findings`](Self::findings) lists the errors. To maintain a RIB,
/// apply [`unreachable`](Self::unreachable) first, then [`reachable`](Self::reachable) with
/// [`to_attributes_for`](Self::to_attributes_for). These already follow [`treatment`](Self::treatment).
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The complete message.
    octets: &'a [u8],
    metadata: UpdateMetadata,
}

/// The positions of the parts of a message and the verdict on it: an [`Update`] without the octets. Small enough to be
/// moved in a few instructions.
#[derive(Clone, Copy, Debug)]
struct UpdateMetadata {
    positions: Positions,
    cx: WireContext,
    /// The missing mandatory attributes, a bit for each code.
    missing: u8,
    /// True if the routes of the message are treated as withdrawn.
    withdraw: bool,
    treatment: Treatment,
    /// The first error with the strongest treatment.
    error: Option<DecodeError>,
}

impl UpdateMetadata {
    /// The metadata of a message without errors.
    #[inline(always)]
    const fn without_errors(positions: Positions, cx: WireContext) -> Self {
        let treatment = Treatment::None;
        Self { positions, cx, missing: 0, withdraw: false, treatment, error: None }
    }
}

/// The positions of the parts of a message: what the fast path finds out. The rest of the metadata stays in registers.
#[derive(Clone, Copy, Debug, Default)]
struct Positions {
    index: AttributeIndex,
    attributes_at: u16,
    nlri_at: u16,
}

impl<'a> Update<'a> {
    /// The treatment of the message by RFC 7606: the strongest that its errors require. It is never a session reset, which
    /// is an error of [`decode`](Self::decode).
    #[must_use]
    pub const fn treatment(&self) -> Treatment {
        self.metadata.treatment
    }

    /// The first error that requires this treatment.
    #[must_use]
    pub const fn error(&self) -> Option<DecodeError> {
        self.metadata.error
    }

    /// All errors in the message, in the order of its octets.
    #[must_use]
    pub fn findings(&self) -> Findings<'a> {
        Findings::new(*self)
    }

    /// The attributes that RFC 7606 discards.
    pub fn discarded(&self) -> impl Iterator<Item = AttributeView<'a>> + use<'a> {
        self.findings()
            .filter(|finding| finding.treatment == Treatment::AttributeDiscard)
            .filter_map(|finding| finding.attribute)
    }

    /// The octets of the attribute that [`error`](Self::error) is about, including its header; `None` if it is missing.
    #[must_use]
    pub fn offending(&self) -> Option<&'a [u8]> {
        let at = self.metadata.error?.offset().checked_sub(self.attributes_at())?;
        let rest = self.attributes_field().get(at..).filter(|rest| !rest.is_empty())?;
        let length = AttributeView::split(rest).map_or(rest.len(), |(_, length)| length);
        rest.get(..length)
    }

    /// The family to disable, if that is the treatment.
    #[must_use]
    pub fn disabled_family(&self) -> Option<AfiSafi> {
        if self.metadata.treatment != Treatment::AfiSafiDisable {
            return None;
        }
        let at = self.metadata.error?.offset().checked_sub(self.attributes_at())?;
        mp::family_at(self.attributes_field(), at)
    }

    /// The family that this message ends, if it is an End-of-RIB (RFC 4724 section 2).
    #[must_use]
    pub fn end_of_rib(&self) -> Option<AfiSafi> {
        if !self.withdrawn_field().is_empty() || !self.nlri_field().is_empty() {
            return None;
        }
        if self.attributes_field().is_empty() {
            return Some(AfiSafi::IPV4_UNICAST);
        }

        // Any other family: an empty MP_UNREACH_NLRI as the only attribute.
        let unreach = self.mp_unreach().filter(|unreach| unreach.nlri_octets().is_empty())?;
        let (_, length) = AttributeView::split(self.attributes_field())?;
        (length == self.attributes_field().len()).then_some(unreach.family())
    }

    /// The context that was passed to [`decode`](Self::decode).
    #[must_use]
    pub const fn context(&self) -> WireContext {
        self.metadata.cx
    }

    /// The prefixes of the withdrawn routes field.
    #[inline]
    #[must_use]
    pub fn withdrawn(&self) -> Ipv4Prefixes<'a> {
        Ipv4Prefixes::new(
            self.withdrawn_field(),
            self.metadata.cx.has_add_path(AfiSafi::IPV4_UNICAST),
        )
    }

    /// The prefixes of the NLRI field, regardless of the treatment.
    #[inline]
    #[must_use]
    pub fn nlri(&self) -> Ipv4Prefixes<'a> {
        Ipv4Prefixes::new(self.nlri_field(), self.metadata.cx.has_add_path(AfiSafi::IPV4_UNICAST))
    }

    /// All attributes in the order sent, including discarded ones.
    #[inline]
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes_field())
    }

    /// The octets of all attributes. They can serve as a key: equal octets mean equal attributes.
    #[inline]
    #[must_use]
    pub fn attribute_octets(&self) -> &'a [u8] {
        self.attributes_field()
    }

    /// ORIGIN.
    #[inline]
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.fixed(AttributeCode::ORIGIN).and_then(|[code]| Origin::from_code(code))
    }

    /// AS_PATH as sent, with AS_TRANS for numbers that do not fit two octets. See also
    /// [`merged_as_path`](Self::merged_as_path).
    #[inline]
    #[must_use]
    pub fn as_path(&self) -> Option<AsPathView<'a>> {
        let octets = self.value(AttributeCode::AS_PATH)?;
        Some(AsPathView::new(octets, self.metadata.cx.is_four_octet_as()))
    }

    /// AS4_PATH, from a peer with two-octet AS numbers (RFC 6793).
    #[must_use]
    pub fn as4_path(&self) -> Option<AsPathView<'a>> {
        Some(AsPathView::new(self.value(AttributeCode::AS4_PATH)?, true))
    }

    /// NEXT_HOP, for the routes in the NLRI field.
    #[inline]
    #[must_use]
    pub fn next_hop(&self) -> Option<Ipv4Addr> {
        self.fixed::<4>(AttributeCode::NEXT_HOP).map(Ipv4Addr::from)
    }

    /// MULTI_EXIT_DISC.
    #[inline]
    #[must_use]
    pub fn med(&self) -> Option<u32> {
        self.fixed(AttributeCode::MULTI_EXIT_DISC).map(u32::from_be_bytes)
    }

    /// LOCAL_PREF, from an internal peer.
    #[inline]
    #[must_use]
    pub fn local_pref(&self) -> Option<u32> {
        self.fixed(AttributeCode::LOCAL_PREF).map(u32::from_be_bytes)
    }

    /// Returns true if ATOMIC_AGGREGATE is present.
    #[inline]
    #[must_use]
    pub fn atomic_aggregate(&self) -> bool {
        self.value(AttributeCode::ATOMIC_AGGREGATE).is_some()
    }

    /// AGGREGATOR as sent.
    #[must_use]
    pub fn aggregator(&self) -> Option<Aggregator> {
        let value = self.value(AttributeCode::AGGREGATOR)?;
        let (asn, address) = value.split_last_chunk::<4>()?;
        let asn = match asn {
            [a, b] => u16::from_be_bytes([*a, *b]).into(),
            [a, b, c, d] => Asn(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => return None,
        };
        Some(Aggregator { asn, address: (*address).into() })
    }

    /// AS4_AGGREGATOR, from a peer with two-octet AS numbers (RFC 6793).
    #[must_use]
    pub fn as4_aggregator(&self) -> Option<Aggregator> {
        let [a, b, c, d, address @ ..] = self.fixed::<8>(AttributeCode::AS4_AGGREGATOR)?;
        Some(Aggregator { asn: Asn(u32::from_be_bytes([a, b, c, d])), address: address.into() })
    }

    /// COMMUNITIES in the order sent; empty if the attribute is absent.
    #[inline]
    #[must_use]
    pub fn communities(&self) -> ValueIter<'a, Community> {
        self.values(AttributeCode::COMMUNITIES)
    }

    /// EXTENDED_COMMUNITIES in the order sent.
    #[inline]
    #[must_use]
    pub fn extended_communities(&self) -> ValueIter<'a, ExtendedCommunity> {
        self.values(AttributeCode::EXTENDED_COMMUNITIES)
    }

    /// IPV6_EXTENDED_COMMUNITIES in the order sent.
    #[inline]
    #[must_use]
    pub fn ipv6_extended_communities(&self) -> ValueIter<'a, Ipv6ExtendedCommunity> {
        self.values(AttributeCode::IPV6_EXTENDED_COMMUNITIES)
    }

    /// LARGE_COMMUNITIES in the order sent, including repeated ones.
    #[inline]
    #[must_use]
    pub fn large_communities(&self) -> ValueIter<'a, LargeCommunity> {
        self.values(AttributeCode::LARGE_COMMUNITIES)
    }

    /// ORIGINATOR_ID, from an internal peer.
    #[must_use]
    pub fn originator_id(&self) -> Option<BgpIdentifier> {
        self.fixed(AttributeCode::ORIGINATOR_ID).map(u32::from_be_bytes).map(Into::into)
    }

    /// CLUSTER_LIST, from an internal peer, the nearest first.
    #[must_use]
    pub fn cluster_list(&self) -> ValueIter<'a, BgpIdentifier> {
        self.values(AttributeCode::CLUSTER_LIST)
    }

    /// ONLY_TO_CUSTOMER (RFC 9234).
    #[must_use]
    pub fn only_to_customer(&self) -> Option<Asn> {
        self.fixed(AttributeCode::ONLY_TO_CUSTOMER).map(u32::from_be_bytes).map(Asn)
    }

    /// The metric of the first AIGP TLV in AIGP (RFC 7311).
    #[must_use]
    pub fn aigp(&self) -> Option<u64> {
        aigp_metric(self.value(AttributeCode::AIGP)?)
    }

    /// The value of a known, valid attribute.
    #[inline]
    fn value(&self, code: AttributeCode) -> Option<&'a [u8]> {
        self.metadata.positions.index.get(IndexSlot::of(code), self.octets)
    }

    #[inline]
    fn fixed<const N: usize>(&self, code: AttributeCode) -> Option<[u8; N]> {
        self.value(code)?.try_into().ok()
    }

    #[inline]
    fn values<T>(&self, code: AttributeCode) -> ValueIter<'a, T> {
        ValueIter::new(self.value(code).unwrap_or_default())
    }

    /// The offset of the attributes in the message.
    #[inline]
    const fn attributes_at(&self) -> usize {
        self.metadata.positions.attributes_at as usize
    }

    #[inline]
    fn withdrawn_field(&self) -> &'a [u8] {
        let end = self.attributes_at() - 2;
        if end == WITHDRAWN_AT {
            return &[];
        }
        self.octets.get(WITHDRAWN_AT..end).unwrap_or_default()
    }

    #[inline]
    fn attributes_field(&self) -> &'a [u8] {
        self.octets
            .get(self.attributes_at()..self.metadata.positions.nlri_at.into())
            .unwrap_or_default()
    }

    #[inline]
    fn nlri_field(&self) -> &'a [u8] {
        self.octets.get(self.metadata.positions.nlri_at.into()..).unwrap_or_default()
    }
}

/// The offset of the withdrawn routes: after the header and their length.
const WITHDRAWN_AT: usize = HEADER_LENGTH + 2;

/// Splits a message into withdrawn routes and attributes; the NLRI are the rest of the input.
#[inline]
fn sections(message: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    let (body, _header) = octets(message, HEADER_LENGTH)?;
    let (body, withdrawn) = counted_by_two_octets(body)?;
    let (nlri, attributes) = counted_by_two_octets(body)?;
    Ok((nlri, (withdrawn, attributes)))
}

/// An offset in a message as two octets.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "no message is longer than 65,535 octets")]
const fn offset_u16(at: usize) -> u16 {
    at as u16
}

const fn bit(code: AttributeCode) -> u8 {
    1 << code.0
}

/// The codes in a set with a bit for each code below 8.
fn missing_codes(missing: u8) -> impl Iterator<Item = AttributeCode> {
    (1..8).filter(move |code| missing & 1 << code != 0).map(AttributeCode)
}

const MANDATORY: u8 =
    bit(AttributeCode::ORIGIN) | bit(AttributeCode::AS_PATH) | bit(AttributeCode::NEXT_HOP);
