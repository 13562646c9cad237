//! The list of the errors in an UPDATE.

use crate::wire::attribute::{AttributeCode, AttributeView};
use crate::wire::error::DecodeError;
use crate::wire::error_kind::{ErrorKind, Treatment};

use super::decode::{JudgedAttributes, MessageVerdict};
use super::{Update, missing_codes};

/// An error in an UPDATE, with its treatment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding<'a> {
    /// The treatment by RFC 7606.
    pub treatment: Treatment,
    /// The error and its offset.
    pub error: DecodeError,
    /// The attribute, if it is present and complete.
    pub attribute: Option<AttributeView<'a>>,
}

/// An iterator over the errors in an UPDATE that do not end the session: first by offset, then the missing attributes.
#[derive(Clone, Debug)]
pub struct Findings<'a> {
    update: Update<'a>,
    judged: JudgedAttributes<'a>,
    missing: u8,
}

impl<'a> Findings<'a> {
    pub(super) fn new(update: Update<'a>) -> Self {
        let judged = JudgedAttributes::new(update.attributes_field(), update.metadata.cx);
        Self { update, judged, missing: update.metadata.missing }
    }

    fn finding(&self, kind: ErrorKind, code: AttributeCode, at: usize) -> Finding<'a> {
        let update = &self.update;
        let attributes = update.attributes_field();
        let attribute = attributes.get(at..).and_then(AttributeView::split);
        Finding {
            treatment: MessageVerdict::of(update).treatment_of(kind, code, at),
            error: DecodeError::of_attribute(kind, code, update.attributes_at() + at),
            attribute: attribute.map(|(attribute, _)| attribute),
        }
    }
}

impl<'a> Iterator for Findings<'a> {
    type Item = Finding<'a>;

    fn next(&mut self) -> Option<Finding<'a>> {
        while let Some(step) = self.judged.next_judged() {
            if let Err(kind) = step.verdict {
                return Some(self.finding(kind, step.code, step.at));
            }
        }

        let code = missing_codes(self.missing).next()?;
        self.missing &= !super::bit(code);
        Some(self.finding(ErrorKind::MissingAttribute, code, self.update.attributes_field().len()))
    }
}
