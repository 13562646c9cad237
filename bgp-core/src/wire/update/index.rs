//! The positions of the attributes of an UPDATE.

use crate::wire::attribute::AttributeCode;
use crate::wire::attribute::rules::IndexSlot;

/// The position of the value of each known, valid attribute: its offset in the message in the lower half of a number, its
/// length in the upper half.
///
/// One number each, because entries are copied more often than they are read. A message has less than 65,536 octets, so
/// both fit. No value begins at offset 0, so 0 stands for an absent attribute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttributeIndex {
    values: [u32; IndexSlot::COUNT],
}

impl AttributeIndex {
    /// Records the position of a value. Ignores an attribute that has no slot.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "see above: both are below 65,536")]
    pub(super) fn set(&mut self, slot: IndexSlot, at: usize, length: usize) {
        if let Some(entry) = self.values.get_mut(slot.index()) {
            *entry = at as u32 | (length as u32) << 16;
        }
    }

    /// Returns true if the slot has a value.
    #[inline(always)]
    pub(super) fn has(&self, slot: IndexSlot) -> bool {
        self.values.get(slot.index()).is_some_and(|entry| *entry != 0)
    }

    /// Returns true if the attribute has a value.
    #[inline(always)]
    pub(super) fn has_code(&self, code: AttributeCode) -> bool {
        self.has(IndexSlot::of(code))
    }

    /// The value in `message`, which must be the message that was indexed.
    #[inline(always)]
    pub(super) fn get<'a>(&self, slot: IndexSlot, message: &'a [u8]) -> Option<&'a [u8]> {
        match self.values.get(slot.index())? {
            0 => None,
            entry => {
                let (at, length) = ((entry & 0xffff) as usize, (entry >> 16) as usize);
                message.get(at..at + length)
            }
        }
    }
}
