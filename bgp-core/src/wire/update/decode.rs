//! Decoding: the one pass over the attributes of an UPDATE, with a verdict for each.
//!
//! What is right costs little here: the state of the pass stays in registers, and whatever is about an error is a call
//! that is not made.

use crate::types::AfiSafi;
use crate::wire::attribute::rules::AttributeRule;
use crate::wire::attribute::{AttributeCode, AttributeView};
use crate::wire::context::WireContext;
use crate::wire::error::{DecodeError, ErrorKind, Treatment};
use crate::wire::frame::{Frame, HEADER_LENGTH};
use crate::wire::input::{Parsed, counted_by_two_octets, octets};
use crate::wire::nlri::{self, AddressWidth};

use super::index::AttributeIndex;
use super::{MANDATORY, Update, UpdateMetadata, WITHDRAWN_AT, bit, fast_path, missing_codes, mp};

impl<'a> Update<'a> {
    /// Reads and judges the body of an UPDATE.
    ///
    /// # Errors
    ///
    /// What ends the session (RFC 4271 section 6.3 as revised by RFC 7606): lengths or prefixes that cannot be, an
    /// attribute that says it is well-known and is not, an MP attribute that cannot be read.
    #[inline]
    pub fn decode(frame: Frame<'a>, cx: WireContext) -> Result<Self, DecodeError> {
        let mut update = Self { octets: frame.as_bytes(), metadata: UpdateMetadata::new(cx) };
        if fast_path::read(update.octets, &mut update.metadata).is_none() {
            update = Self::judge(update.octets, cx)?;
        }
        Ok(update)
    }

    /// The same of a message in which there is something to judge.
    #[inline(never)]
    pub(super) fn judge(octets: &'a [u8], cx: WireContext) -> Result<Self, DecodeError> {
        let Ok((nlri, (withdrawn, attributes))) = sections(octets) else {
            return Err(DecodeError::new(ErrorKind::AttributeList, HEADER_LENGTH));
        };
        let attributes_at = HEADER_LENGTH + 4 + withdrawn.len();
        let nlri_at = attributes_at + attributes.len();
        check_prefixes(withdrawn, WITHDRAWN_AT, cx)?;
        check_prefixes(nlri, nlri_at, cx)?;
        let mut verdict = MessageVerdict::new(attributes, attributes_at, cx);
        let mut index = AttributeIndex::default();
        let mut judged = JudgedAttributes::new(attributes, cx);
        while let Some(step) = judged.step() {
            match step.verdict {
                Ok(value) => {
                    let at = nlri_at - judged.rest.len() - value.len();
                    index.set(AttributeRule::of(step.code).slot, at, value.len());
                }
                Err(kind) => verdict = verdict.with(kind, step.code, step.at)?,
            }
        }
        let missing = MANDATORY & !judged.first_codes();
        let MessageVerdict { withdraw, treatment, error, .. } = verdict;
        let (attributes_at, nlri_at) = (offset_u16(attributes_at), offset_u16(nlri_at));
        let metadata = UpdateMetadata {
            index,
            attributes_at,
            nlri_at,
            cx,
            missing,
            withdraw,
            treatment,
            error,
        };
        Self { octets, metadata }.conclude()
    }

    /// Missing attributes (RFC 7606 section 3 d), and the rule of its section 5.2: an error beyond a discard, in a message
    /// that names no reachable route, may have hidden the routes that it was about.
    fn conclude(mut self) -> Result<Self, DecodeError> {
        let classic = !self.nlri_field().is_empty();
        let mp = self.mp_reach().is_some_and(|reach| !reach.nlri_octets().is_empty());
        let wanted = match (classic, mp) {
            (true, _) => MANDATORY,
            (false, true) => MANDATORY & !bit(AttributeCode::NEXT_HOP),
            (false, false) => 0,
        };
        self.metadata.missing &= wanted;
        let mut verdict = MessageVerdict::of(&self);
        for code in missing_codes(self.metadata.missing) {
            verdict = verdict.with(ErrorKind::MissingAttribute, code, verdict.attributes.len())?;
        }
        let MessageVerdict { withdraw, treatment, error, .. } = verdict;
        self.metadata = UpdateMetadata { withdraw, treatment, error, ..self.metadata };
        let reachable = classic || mp || treatment == Treatment::AfiSafiDisable;
        match error {
            Some(error) if withdraw && !reachable => Err(error),
            _ => Ok(self),
        }
    }
}

/// Withdrawn routes and attributes; the NLRI are the rest.
#[inline]
pub(super) fn sections(message: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    let (body, _header) = octets(message, HEADER_LENGTH)?;
    let (body, withdrawn) = counted_by_two_octets(body)?;
    let (nlri, attributes) = counted_by_two_octets(body)?;
    Ok((nlri, (withdrawn, attributes)))
}

/// What is below 65,536 in two octets: a place in a message.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "no message is longer than 65,535 octets")]
pub(super) const fn offset_u16(at: usize) -> u16 {
    at as u16
}

#[inline]
fn check_prefixes(field: &[u8], at: usize, cx: WireContext) -> Result<(), DecodeError> {
    nlri::check(field, AddressWidth::V4, cx.has_add_path(AfiSafi::IPV4_UNICAST))
        .map_err(|inside| DecodeError::new(ErrorKind::Prefix, at + inside))
}

/// The attributes of a field one after the other, each judged.
#[derive(Clone, Debug)]
pub(super) struct JudgedAttributes<'a> {
    octets: &'a [u8],
    rest: &'a [u8],
    cx: WireContext,
    /// A bit for each code below 64 that occurred.
    seen: u64,
    /// The same for all others.
    seen_high: [u64; 3],
}

/// One attribute with its verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct JudgedAttribute<'a> {
    /// Where it begins in the field.
    pub(super) at: usize,
    /// What it is.
    pub(super) code: AttributeCode,
    /// What is wrong with it; else its value.
    pub(super) verdict: Result<&'a [u8], ErrorKind>,
}

impl<'a> JudgedAttributes<'a> {
    #[inline]
    pub(super) const fn new(octets: &'a [u8], cx: WireContext) -> Self {
        Self { octets, rest: octets, cx, seen: 0, seen_high: [0; 3] }
    }

    /// The next attribute. One that exceeds the field is the last: after it nothing can be found.
    pub(super) fn step(&mut self) -> Option<JudgedAttribute<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.octets.len() - self.rest.len();
        let Some((attribute, rest)) = AttributeView::parse(self.rest) else {
            let code = code_of_overrun(self.rest);
            self.rest = &[];
            self.is_first(code);
            return Some(JudgedAttribute { at, code, verdict: Err(ErrorKind::AttributeOverrun) });
        };
        self.rest = rest;
        let code = attribute.code;
        let verdict = if self.is_first(code) {
            AttributeRule::judge(attribute.flags, code, attribute.value, self.cx)
                .map(|()| attribute.value)
        } else {
            Err(ErrorKind::RepeatedAttribute)
        };
        Some(JudgedAttribute { at, code, verdict })
    }

    /// A bit for each of the codes below 8 that occurred.
    #[inline]
    const fn first_codes(&self) -> u8 {
        self.seen.to_le_bytes()[0]
    }

    fn is_first(&mut self, code: AttributeCode) -> bool {
        let bit = 1 << (code.0 & 63);
        // Not one array of four words: this way the word of the usual codes stays in a register.
        if code.0 < 64 {
            let first = self.seen & bit == 0;
            self.seen |= bit;
            return first;
        }
        let (first, seen) = is_first_high(self.seen_high, code);
        self.seen_high = seen;
        first
    }
}

#[cold]
fn is_first_high(mut seen: [u64; 3], code: AttributeCode) -> (bool, [u64; 3]) {
    let bit = 1 << (code.0 & 63);
    let Some(word) = seen.get_mut(usize::from(code.0 >> 6) - 1) else { return (false, seen) };
    let first = *word & bit == 0;
    *word |= bit;
    (first, seen)
}

#[cold]
fn code_of_overrun(octets: &[u8]) -> AttributeCode {
    AttributeCode(octets.get(1).copied().unwrap_or(0))
}

/// What becomes of a message, as far as its errors are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageVerdict<'a> {
    attributes: &'a [u8],
    attributes_at: usize,
    cx: WireContext,
    withdraw: bool,
    treatment: Treatment,
    error: Option<DecodeError>,
}

impl<'a> MessageVerdict<'a> {
    #[inline]
    const fn new(attributes: &'a [u8], attributes_at: usize, cx: WireContext) -> Self {
        let treatment = Treatment::None;
        Self { attributes, attributes_at, cx, withdraw: false, treatment, error: None }
    }

    /// The verdict on a message.
    pub(super) fn of(update: &Update<'a>) -> Self {
        let UpdateMetadata { cx, withdraw, treatment, error, .. } = update.metadata;
        let (attributes, attributes_at) = (update.attributes_field(), update.attributes_at());
        Self { attributes, attributes_at, cx, withdraw, treatment, error }
    }

    /// Takes in an error.
    #[cold]
    fn with(self, kind: ErrorKind, code: AttributeCode, at: usize) -> Result<Self, DecodeError> {
        let error = DecodeError::of_attribute(kind, code, self.attributes_at + at);
        let treatment = self.treatment_of(kind, code, at);
        if treatment == Treatment::SessionReset {
            return Err(error);
        }
        let withdraw = self.withdraw || treatment == Treatment::TreatAsWithdraw;
        if treatment > self.treatment {
            return Ok(Self { withdraw, treatment, error: Some(error), ..self });
        }
        Ok(Self { withdraw, ..self })
    }

    /// The table's answer, with AFI/SAFI disable in place of a reset where that is configured and the family is known.
    pub(super) fn treatment_of(
        &self,
        kind: ErrorKind,
        code: AttributeCode,
        at: usize,
    ) -> Treatment {
        let treatment = AttributeRule::of(code).treatment(kind);
        let of_family =
            matches!(code, AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI)
                && kind != ErrorKind::RepeatedAttribute;
        let disables = of_family && self.cx.may_disable_family();
        if disables && mp::family_at(self.attributes, at).is_some() {
            return Treatment::AfiSafiDisable;
        }
        treatment
    }
}
