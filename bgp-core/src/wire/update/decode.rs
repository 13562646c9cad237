//! Decoding: one pass over the attributes of an UPDATE, with a verdict for each.
//!
//! Valid attributes cost little: the state of the pass stays in registers, and all code about errors is in functions that
//! are not called for them.

use crate::types::AfiSafi;
use crate::wire::attribute::rules::AttributeRule;
use crate::wire::attribute::{AttributeCode, AttributeView};
use crate::wire::context::WireContext;
use crate::wire::error::DecodeError;
use crate::wire::error_kind::{ErrorKind, Treatment};
use crate::wire::frame::Frame;
use crate::wire::header::HEADER_LENGTH;
use crate::wire::nlri::{self, AddressWidth};

use super::index::AttributeIndex;
use super::{
    MANDATORY, Positions, Update, UpdateMetadata, WITHDRAWN_AT, bit, fast_path, missing_codes, mp,
    offset_u16, sections,
};

impl<'a> Update<'a> {
    /// Reads and judges the body of an UPDATE.
    ///
    /// # Errors
    ///
    /// The errors that end the session (RFC 4271 section 6.3 as revised by RFC 7606): impossible lengths or prefixes, an
    /// unknown attribute that is marked well-known, an unreadable MP attribute.
    #[inline]
    pub fn decode(frame: Frame<'a>, cx: WireContext) -> Result<Self, DecodeError> {
        let octets = frame.as_bytes();
        let mut positions = Positions::default();
        let metadata = match fast_path::read(octets, cx, &mut positions) {
            Some(()) => UpdateMetadata::without_errors(positions, cx),
            None => UpdateMetadata::judge(octets, cx)?,
        };
        Ok(Self { octets, metadata })
    }

    /// Decodes a message that the fast path gave up on.
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
        while let Some(attribute) = judged.next_judged() {
            match attribute.verdict {
                Ok(value) => {
                    let at = nlri_at - judged.rest.len() - value.len();
                    index.set(AttributeRule::of(attribute.code).slot, at, value.len());
                }
                Err(kind) => verdict = verdict.with(kind, attribute.code, attribute.at)?,
            }
        }

        let missing = MANDATORY & !judged.first_codes();
        let MessageVerdict { withdraw, treatment, error, .. } = verdict;
        let (attributes_at, nlri_at) = (offset_u16(attributes_at), offset_u16(nlri_at));
        let metadata = UpdateMetadata {
            positions: Positions { index, attributes_at, nlri_at },
            cx,
            missing,
            withdraw,
            treatment,
            error,
        };
        Self { octets, metadata }.conclude()
    }

    /// Completes the verdict: judges missing attributes (RFC 7606 section 3 d), and resets the session if an error worse
    /// than a discard may have hidden the routes it was about, because the message has no reachable route (section 5.2).
    fn conclude(mut self) -> Result<Self, DecodeError> {
        let has_nlri = !self.nlri_field().is_empty();
        let has_mp_nlri = self.mp_reach().is_some_and(|reach| !reach.nlri_octets().is_empty());
        let required = if has_nlri {
            MANDATORY
        } else if has_mp_nlri {
            MANDATORY & !bit(AttributeCode::NEXT_HOP)
        } else {
            0
        };
        self.metadata.missing &= required;

        let mut verdict = MessageVerdict::of(&self);
        for code in missing_codes(self.metadata.missing) {
            verdict = verdict.with(ErrorKind::MissingAttribute, code, verdict.attributes.len())?;
        }
        let MessageVerdict { withdraw, treatment, error, .. } = verdict;
        self.metadata = UpdateMetadata { withdraw, treatment, error, ..self.metadata };

        let reachable = has_nlri || has_mp_nlri || treatment == Treatment::AfiSafiDisable;
        match error {
            Some(error) if withdraw && !reachable => Err(error),
            _ => Ok(self),
        }
    }
}

impl UpdateMetadata {
    /// The metadata of a message that the fast path gave up on.
    #[cold]
    #[inline(never)]
    pub(super) fn judge(octets: &[u8], cx: WireContext) -> Result<Self, DecodeError> {
        Ok(Update::judge(octets, cx)?.metadata)
    }
}

#[inline]
fn check_prefixes(field: &[u8], at: usize, cx: WireContext) -> Result<(), DecodeError> {
    nlri::check(field, AddressWidth::V4, cx.has_add_path(AfiSafi::IPV4_UNICAST))
        .map_err(|inside| DecodeError::new(ErrorKind::Prefix, at + inside))
}

/// The attributes of a field, judged one after the other.
#[derive(Clone, Debug)]
pub(super) struct JudgedAttributes<'a> {
    octets: &'a [u8],
    rest: &'a [u8],
    cx: WireContext,
    /// A bit for each code below 64 that occurred.
    seen: u64,
    /// A bit for each code from 64 that occurred.
    seen_high: [u64; 3],
}

/// One attribute with its verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct JudgedAttribute<'a> {
    /// The offset of the attribute in the field.
    pub(super) at: usize,
    /// The type code.
    pub(super) code: AttributeCode,
    /// The value, or the error.
    pub(super) verdict: Result<&'a [u8], ErrorKind>,
}

impl<'a> JudgedAttributes<'a> {
    #[inline]
    pub(super) const fn new(octets: &'a [u8], cx: WireContext) -> Self {
        Self { octets, rest: octets, cx, seen: 0, seen_high: [0; 3] }
    }

    /// Judges the next attribute. One that exceeds the field is the last, because nothing after it can be found.
    pub(super) fn next_judged(&mut self) -> Option<JudgedAttribute<'a>> {
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

    /// A bit for each code below 8 that occurred.
    #[inline]
    const fn first_codes(&self) -> u8 {
        self.seen.to_le_bytes()[0]
    }

    /// Marks a code as seen. Returns true if it was not seen before.
    fn is_first(&mut self, code: AttributeCode) -> bool {
        let bit = 1 << (code.0 & 63);
        // Two fields instead of one array: this keeps the word of the common codes in a register.
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

/// The verdict on a message, from the errors found so far.
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

    /// The verdict on a decoded message.
    pub(super) fn of(update: &Update<'a>) -> Self {
        let UpdateMetadata { cx, withdraw, treatment, error, .. } = update.metadata;
        let (attributes, attributes_at) = (update.attributes_field(), update.attributes_at());
        Self { attributes, attributes_at, cx, withdraw, treatment, error }
    }

    /// Adds an error.
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

    /// The treatment from the table; AFI/SAFI disable instead of a reset if that is configured and the family is known.
    pub(super) fn treatment_of(
        &self,
        kind: ErrorKind,
        code: AttributeCode,
        at: usize,
    ) -> Treatment {
        let is_mp = matches!(code, AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI);
        let may_disable =
            is_mp && kind != ErrorKind::RepeatedAttribute && self.cx.may_disable_family();
        if may_disable && mp::family_at(self.attributes, at).is_some() {
            return Treatment::AfiSafiDisable;
        }

        AttributeRule::of(code).treatment(kind)
    }
}
