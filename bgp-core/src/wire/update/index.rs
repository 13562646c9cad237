//! Where the attributes of an UPDATE are.

use crate::wire::attribute::rules::IndexSlot;

/// Where the value of each known attribute that is right begins in the message, and its length in the upper half: one
/// number for each, since they are moved about more often than they are looked at. A message has less than 65,536 octets,
/// so that both fit; no value begins at 0, which stands for an attribute that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AttributeIndex {
    values: [u32; IndexSlot::COUNT],
}

impl AttributeIndex {
    /// Notes where a value is. One without a place in the index is not noted.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "see above: both are below 65,536")]
    pub(super) fn set(&mut self, slot: IndexSlot, at: usize, length: usize) {
        if let Some(entry) = self.values.get_mut(slot.index()) {
            *entry = at as u32 | (length as u32) << 16;
        }
    }

    /// Whether a value was noted.
    #[inline(always)]
    pub(super) fn has(&self, slot: IndexSlot) -> bool {
        self.values.get(slot.index()).is_some_and(|entry| *entry != 0)
    }

    /// The value, of the message that it was noted of.
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
