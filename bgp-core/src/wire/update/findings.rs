//! Passing over the attributes with a verdict for each; and the list of what was wrong.

use crate::wire::attribute::rules::Rule;
use crate::wire::attribute::{AttributeCode, AttributeView};
use crate::wire::context::WireContext;
use crate::wire::error::{DecodeError, ErrorKind, Treatment};

use super::{Update, missing_codes};

/// The attributes of a field one after the other, each judged. The one pass that decoding makes.
#[derive(Clone, Debug)]
pub(super) struct Judged<'a> {
    octets: &'a [u8],
    rest: &'a [u8],
    cx: WireContext,
    /// A bit for each code that occurred.
    seen: [u64; 4],
}

impl<'a> Judged<'a> {
    #[inline]
    pub(super) const fn new(octets: &'a [u8], cx: WireContext) -> Self {
        Self { octets, rest: octets, cx, seen: [0; 4] }
    }

    /// Where the next attribute begins, what it is, and what is wrong with it. One that exceeds the field is the last.
    #[inline]
    pub(super) fn step(&mut self) -> Option<(usize, AttributeCode, Result<(), ErrorKind>)> {
        if self.rest.is_empty() {
            return None;
        }
        let at = self.octets.len() - self.rest.len();
        let Ok((rest, attribute)) = AttributeView::parse(self.rest) else {
            return Some((at, self.overrun(), Err(ErrorKind::AttributeOverrun)));
        };
        self.rest = rest;
        let code = attribute.code;
        let verdict = if self.is_first(code) {
            Rule::of(code).judge(&attribute, self.cx)
        } else {
            Err(ErrorKind::RepeatedAttribute)
        };
        Some((at, code, verdict))
    }

    /// A bit for each of the codes below 8 that occurred.
    #[inline]
    pub(super) fn first_codes(&self) -> u8 {
        self.seen.first().map_or(0, |bits| bits.to_le_bytes()[0])
    }

    /// The code of an attribute that exceeds the field, after which nothing can be found.
    #[cold]
    fn overrun(&mut self) -> AttributeCode {
        let code = AttributeCode(self.rest.get(1).copied().unwrap_or(0));
        self.is_first(code);
        self.rest = &[];
        code
    }

    #[inline]
    fn is_first(&mut self, code: AttributeCode) -> bool {
        let Some(word) = self.seen.get_mut(usize::from(code.0 >> 6)) else { return false };
        let bit = 1 << (code.0 & 63);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}

/// One error in an UPDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding<'a> {
    /// What RFC 7606 makes of it.
    pub treatment: Treatment,
    /// What is wrong, and where.
    pub error: DecodeError,
    /// The attribute, where it is there and whole.
    pub attribute: Option<AttributeView<'a>>,
}

/// The errors in an UPDATE that do not end the session, in the order of their octets; then what is missing.
#[derive(Clone, Debug)]
pub struct Findings<'a> {
    update: Update<'a>,
    judged: Judged<'a>,
    missing: u8,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(update: Update<'a>) -> Self {
        let judged = Judged::new(update.attributes, update.cx);
        Self { update, judged, missing: update.missing }
    }

    fn finding(&self, kind: ErrorKind, code: AttributeCode, at: usize) -> Finding<'a> {
        let update = &self.update;
        let attribute = update.attributes.get(at..).and_then(AttributeView::split);
        Finding {
            treatment: update.treatment_of(kind, code, at),
            error: DecodeError::of_attribute(kind, code, update.attributes_at() + at),
            attribute: attribute.map(|(attribute, _)| attribute),
        }
    }
}

impl<'a> Iterator for Findings<'a> {
    type Item = Finding<'a>;

    fn next(&mut self) -> Option<Finding<'a>> {
        while let Some((at, code, verdict)) = self.judged.step() {
            if let Err(kind) = verdict {
                return Some(self.finding(kind, code, at));
            }
        }
        let code = missing_codes(self.missing).next()?;
        self.missing &= !super::bit(code);
        Some(self.finding(ErrorKind::MissingAttribute, code, self.update.attributes.len()))
    }
}
