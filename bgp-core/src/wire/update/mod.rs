//! UPDATE: a view of a checked message (RFC 4271 section 4.3, RFC 4760, RFC 7606).
//!
//! [`Update::decode`] passes over the attributes once, judges each by the table in `attribute/rules.rs` and notes where
//! those stand that are right. Everything else is read from the message when it is asked for, and cannot fail: it was
//! checked.

mod findings;
mod items;
mod mp;
mod own;
mod routes;
#[cfg(test)]
pub(in crate::wire) mod tests;

use std::net::Ipv4Addr;

pub use findings::{Finding, Findings};
pub use items::Items;
pub use mp::{MpReach, MpUnreach};
pub use routes::RoutePrefixes;

use crate::types::{AfiSafi, Asn, BgpIdentifier};

use super::attribute::rules::{Rule, Slot};
use super::attribute::{AsPathView, AttributeCode, AttributeView, Attributes};
use super::community::{Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity};
use super::context::WireContext;
use super::error::{DecodeError, ErrorKind, Treatment};
use super::frame::{Frame, HEADER_LENGTH};
use super::input::{Parsed, counted_by_two_octets};
use super::nlri::{self, Bits, Ipv4Prefixes};
use super::path_attributes::{Aggregator, Origin};

use findings::Judged;

/// An UPDATE in the octets it was received in. It is `Copy` and owns nothing.
///
/// An attribute that RFC 7606 discards is as if it were not there; [`findings`](Self::findings) tells what was wrong.
/// Whoever keeps routes wants [`unreachable`](Self::unreachable) first, then [`reachable`](Self::reachable) with
/// [`to_attributes_for`](Self::to_attributes_for): they already obey [`treatment`](Self::treatment).
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    nlri: &'a [u8],
    /// Where each known attribute that is right begins in `attributes`, plus one; 0 where there is none.
    index: [u16; Slot::COUNT],
    cx: WireContext,
    /// Well-known mandatory attributes that are missing: a bit for each code.
    missing: u8,
    /// The routes of the message are taken as withdrawn.
    withdraw: bool,
    treatment: Treatment,
    /// The first error of the strongest treatment.
    error: Option<DecodeError>,
}

impl<'a> Update<'a> {
    /// Reads and judges the body of an UPDATE.
    ///
    /// # Errors
    ///
    /// What ends the session (RFC 4271 section 6.3 as revised by RFC 7606): lengths or prefixes that cannot be, an
    /// attribute that says it is well-known and is not, an MP attribute that cannot be read.
    #[inline]
    pub fn decode(frame: Frame<'a>, cx: WireContext) -> Result<Self, DecodeError> {
        let Ok((nlri, (withdrawn, attributes))) = sections(frame.body()) else {
            return Err(DecodeError::new(ErrorKind::AttributeList, HEADER_LENGTH));
        };
        let mut update = Self {
            withdrawn,
            attributes,
            nlri,
            index: [0; Slot::COUNT],
            cx,
            missing: 0,
            withdraw: false,
            treatment: Treatment::None,
            error: None,
        };
        update.check_prefixes(withdrawn, HEADER_LENGTH + 2)?;
        update.check_prefixes(nlri, update.attributes_at() + attributes.len())?;
        if !attributes.is_empty() || !nlri.is_empty() {
            update.judge_attributes()?;
        }
        Ok(update)
    }

    #[inline]
    fn check_prefixes(&self, field: &[u8], at: usize) -> Result<(), DecodeError> {
        nlri::check(field, Bits::V4, self.cx.has_add_path(AfiSafi::IPV4_UNICAST))
            .map_err(|inside| DecodeError::new(ErrorKind::Prefix, at + inside))
    }

    #[inline]
    fn judge_attributes(&mut self) -> Result<(), DecodeError> {
        let mut judged = Judged::new(self.attributes, self.cx);
        while let Some((at, code, verdict)) = judged.step() {
            match verdict {
                Ok(()) => {
                    if let Some(entry) = self.index.get_mut(Rule::of(code).slot.index()) {
                        *entry = u16::try_from(at + 1).unwrap_or(0);
                    }
                }
                Err(kind) => self.note(kind, code, at)?,
            }
        }
        self.missing = self.missing_attributes(&judged);
        if self.missing != 0 || self.withdraw {
            self.conclude()?;
        }
        Ok(())
    }

    /// Which of ORIGIN, AS_PATH and NEXT_HOP the routes of the message lack (RFC 7606 section 3 d).
    #[inline]
    fn missing_attributes(&self, judged: &Judged<'_>) -> u8 {
        let mp = self.mp_reach().is_some_and(|reach| !reach.nlri_octets().is_empty());
        let wanted = match (self.nlri.is_empty(), mp) {
            (false, _) => MANDATORY,
            (true, true) => MANDATORY & !bit(AttributeCode::NEXT_HOP),
            (true, false) => 0,
        };
        wanted & !judged.first_codes()
    }

    /// Takes an error into the verdict.
    #[cold]
    fn note(&mut self, kind: ErrorKind, code: AttributeCode, at: usize) -> Result<(), DecodeError> {
        let error = DecodeError::of_attribute(kind, code, self.attributes_at() + at);
        let treatment = self.treatment_of(kind, code, at);
        if treatment == Treatment::SessionReset {
            return Err(error);
        }
        self.withdraw |= treatment == Treatment::TreatAsWithdraw;
        if treatment > self.treatment {
            self.treatment = treatment;
            self.error = Some(error);
        }
        Ok(())
    }

    /// The table's answer, with AFI/SAFI disable in place of a reset where that is configured and the family is known.
    fn treatment_of(&self, kind: ErrorKind, code: AttributeCode, at: usize) -> Treatment {
        let treatment = Rule::of(code).treatment(kind);
        let of_family =
            matches!(code, AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI)
                && kind != ErrorKind::RepeatedAttribute;
        if of_family && self.cx.may_disable_family() && self.family_at(at).is_some() {
            return Treatment::AfiSafiDisable;
        }
        treatment
    }

    /// Missing attributes, and the rule of RFC 7606 section 5.2: an error beyond a discard, in a message that names no
    /// reachable route, may have hidden the routes that it was about.
    #[cold]
    fn conclude(&mut self) -> Result<(), DecodeError> {
        let end = self.attributes.len();
        for code in missing_codes(self.missing) {
            self.note(ErrorKind::MissingAttribute, code, end)?;
        }
        let reachable = !self.nlri.is_empty()
            || self.treatment == Treatment::AfiSafiDisable
            || self.mp_reach().is_some_and(|reach| !reach.nlri_octets().is_empty());
        match self.error {
            Some(error) if self.withdraw && !reachable => Err(error),
            _ => Ok(()),
        }
    }

    /// What RFC 7606 makes of the message: the strongest of what its errors ask for, below a session reset, which is an
    /// error of [`decode`](Self::decode).
    #[must_use]
    pub const fn treatment(&self) -> Treatment {
        self.treatment
    }

    /// The first error of those that the treatment is for.
    #[must_use]
    pub const fn error(&self) -> Option<DecodeError> {
        self.error
    }

    /// Every error in the message in the order of its octets.
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

    /// The octets of the attribute that [`error`](Self::error) is about, header included; none where it is missing.
    #[must_use]
    pub fn offending(&self) -> Option<&'a [u8]> {
        let at = self.error?.offset().checked_sub(self.attributes_at())?;
        let rest = self.attributes.get(at..).filter(|rest| !rest.is_empty())?;
        let length = AttributeView::split(rest).map_or(rest.len(), |(_, length)| length);
        rest.get(..length)
    }

    /// The family that is to be disabled, where that is the treatment.
    #[must_use]
    pub fn disabled_family(&self) -> Option<AfiSafi> {
        self.error.filter(|_| self.treatment == Treatment::AfiSafiDisable)?;
        let at = self.error?.offset().checked_sub(self.attributes_at())?;
        self.family_at(at)
    }

    /// The family of which this message says that all routes were sent (RFC 4724 section 2), if it is an End-of-RIB.
    #[must_use]
    pub fn end_of_rib(&self) -> Option<AfiSafi> {
        if !self.withdrawn.is_empty() || !self.nlri.is_empty() {
            return None;
        }
        if self.attributes.is_empty() {
            return Some(AfiSafi::IPV4_UNICAST);
        }
        let unreach = self.mp_unreach().filter(|unreach| unreach.nlri_octets().is_empty())?;
        let (_, length) = AttributeView::split(self.attributes)?;
        (length == self.attributes.len()).then_some(unreach.family())
    }

    /// What the session negotiated, as given to [`decode`](Self::decode).
    #[must_use]
    pub const fn context(&self) -> WireContext {
        self.cx
    }

    /// The prefixes of the withdrawn routes field.
    #[inline]
    #[must_use]
    pub fn withdrawn(&self) -> Ipv4Prefixes<'a> {
        Ipv4Prefixes::new(self.withdrawn, self.cx.has_add_path(AfiSafi::IPV4_UNICAST))
    }

    /// The prefixes of the NLRI field, whatever the treatment.
    #[inline]
    #[must_use]
    pub fn nlri(&self) -> Ipv4Prefixes<'a> {
        Ipv4Prefixes::new(self.nlri, self.cx.has_add_path(AfiSafi::IPV4_UNICAST))
    }

    /// All attributes in the order sent, discarded ones among them.
    #[inline]
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// The octets of all attributes: equal ones mean equal attributes, so that they may serve as a key.
    #[inline]
    #[must_use]
    pub const fn attribute_octets(&self) -> &'a [u8] {
        self.attributes
    }

    /// ORIGIN.
    #[inline]
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.fixed(AttributeCode::ORIGIN).and_then(|[code]| Origin::from_code(code))
    }

    /// AS_PATH as it was sent: with AS_TRANS where two octets do not hold a number. See also
    /// [`merged_as_path`](Self::merged_as_path).
    #[inline]
    #[must_use]
    pub fn as_path(&self) -> Option<AsPathView<'a>> {
        let octets = self.value(AttributeCode::AS_PATH)?;
        Some(AsPathView::new(octets, self.cx.is_four_octet_as()))
    }

    /// AS4_PATH, from a peer whose AS numbers have two octets (RFC 6793).
    #[must_use]
    pub fn as4_path(&self) -> Option<AsPathView<'a>> {
        Some(AsPathView::new(self.value(AttributeCode::AS4_PATH)?, true))
    }

    /// NEXT_HOP: of the routes in the NLRI field.
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

    /// Whether ATOMIC_AGGREGATE is there.
    #[inline]
    #[must_use]
    pub fn atomic_aggregate(&self) -> bool {
        self.value(AttributeCode::ATOMIC_AGGREGATE).is_some()
    }

    /// AGGREGATOR as it was sent.
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

    /// AS4_AGGREGATOR, from a peer whose AS numbers have two octets (RFC 6793).
    #[must_use]
    pub fn as4_aggregator(&self) -> Option<Aggregator> {
        let [a, b, c, d, address @ ..] = self.fixed::<8>(AttributeCode::AS4_AGGREGATOR)?;
        Some(Aggregator { asn: Asn(u32::from_be_bytes([a, b, c, d])), address: address.into() })
    }

    /// COMMUNITIES in the order sent; none where there is no such attribute.
    #[inline]
    #[must_use]
    pub fn communities(&self) -> Items<'a, Community> {
        self.items(AttributeCode::COMMUNITIES)
    }

    /// EXTENDED_COMMUNITIES in the order sent.
    #[inline]
    #[must_use]
    pub fn extended_communities(&self) -> Items<'a, ExtendedCommunity> {
        self.items(AttributeCode::EXTENDED_COMMUNITIES)
    }

    /// IPV6_EXTENDED_COMMUNITIES in the order sent.
    #[inline]
    #[must_use]
    pub fn ipv6_extended_communities(&self) -> Items<'a, Ipv6ExtendedCommunity> {
        self.items(AttributeCode::IPV6_EXTENDED_COMMUNITIES)
    }

    /// LARGE_COMMUNITIES in the order sent, repeated ones included.
    #[inline]
    #[must_use]
    pub fn large_communities(&self) -> Items<'a, LargeCommunity> {
        self.items(AttributeCode::LARGE_COMMUNITIES)
    }

    /// ORIGINATOR_ID, from an internal peer.
    #[must_use]
    pub fn originator_id(&self) -> Option<BgpIdentifier> {
        self.fixed(AttributeCode::ORIGINATOR_ID).map(u32::from_be_bytes).map(Into::into)
    }

    /// CLUSTER_LIST, from an internal peer, the nearest first.
    #[must_use]
    pub fn cluster_list(&self) -> Items<'a, BgpIdentifier> {
        self.items(AttributeCode::CLUSTER_LIST)
    }

    /// ONLY_TO_CUSTOMER (RFC 9234).
    #[must_use]
    pub fn only_to_customer(&self) -> Option<Asn> {
        self.fixed(AttributeCode::ONLY_TO_CUSTOMER).map(u32::from_be_bytes).map(Asn)
    }

    /// The metric of AIGP's first TLV of that kind (RFC 7311).
    #[must_use]
    pub fn aigp(&self) -> Option<u64> {
        let mut rest = self.value(AttributeCode::AIGP)?;
        while let [kind, high, low, tail @ ..] = rest {
            if *kind == 1 {
                return tail.first_chunk().map(|metric| u64::from_be_bytes(*metric));
            }
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            rest = rest.get(length..)?;
        }
        None
    }

    /// The value of a known attribute that is right.
    #[inline]
    fn value(&self, code: AttributeCode) -> Option<&'a [u8]> {
        let entry = *self.index.get(Slot::of(code).index())?;
        let at = usize::from(entry.checked_sub(1)?);
        let (_, attribute) = AttributeView::parse(self.attributes.get(at..)?).ok()?;
        Some(attribute.value)
    }

    #[inline]
    fn fixed<const N: usize>(&self, code: AttributeCode) -> Option<[u8; N]> {
        self.value(code)?.try_into().ok()
    }

    #[inline]
    fn items<T>(&self, code: AttributeCode) -> Items<'a, T> {
        Items::new(self.value(code).unwrap_or_default())
    }

    /// Where the attributes begin in the message.
    const fn attributes_at(&self) -> usize {
        HEADER_LENGTH + 4 + self.withdrawn.len()
    }

    /// The family that the MP attribute at that place begins with, as far as it is there.
    fn family_at(&self, at: usize) -> Option<AfiSafi> {
        let [flags, _, rest @ ..] = self.attributes.get(at..)? else { return None };
        let length = if flags & 0x10 == 0 { 1 } else { 2 };
        mp::family(rest.get(length..)?)
    }
}

/// Withdrawn routes and attributes; the NLRI are the rest.
#[inline]
fn sections(body: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    let (body, withdrawn) = counted_by_two_octets(body)?;
    let (nlri, attributes) = counted_by_two_octets(body)?;
    Ok((nlri, (withdrawn, attributes)))
}

const fn bit(code: AttributeCode) -> u8 {
    1 << code.0
}

/// The codes of a set of bits below 8.
fn missing_codes(missing: u8) -> impl Iterator<Item = AttributeCode> {
    (1..8).filter(move |code| missing & 1 << code != 0).map(AttributeCode)
}

const MANDATORY: u8 =
    bit(AttributeCode::ORIGIN) | bit(AttributeCode::AS_PATH) | bit(AttributeCode::NEXT_HOP);
