//! Where the attributes of an UPDATE are.

use std::ops::Range;

use crate::wire::attribute::rules::Slot;

/// Where the value of each known attribute that is right begins in the message, and its length. A message has less than
/// 65,536 octets, so that both fit; no value begins at 0, which stands for an attribute that is not there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Index {
    values: [u32; Slot::COUNT],
}

impl Index {
    /// Notes where a value is. One without a place in the index is not noted.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "see above: both are below 65,536")]
    pub(super) fn set(&mut self, slot: Slot, at: usize, length: usize) {
        if let Some(entry) = self.values.get_mut(slot.index()) {
            *entry = (at as u32) << 16 | length as u32;
        }
    }

    /// Where the value is.
    #[inline(always)]
    pub(super) fn get(&self, slot: Slot) -> Option<Range<usize>> {
        let entry = *self.values.get(slot.index())?;
        let at = (entry >> 16) as usize;
        (entry != 0).then_some(at..at + (entry & 0xffff) as usize)
    }
}
