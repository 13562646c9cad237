//! The fast path: one pass over a message without errors, which is nearly every message.
//!
//! It reports no errors. At the first irregularity it gives up, and `decode.rs` judges the message from the beginning. So
//! the registers hold only valid values, and the check of an attribute is its row of the table in `attribute/rules.rs`,
//! compiled into the loop.

use crate::types::AfiSafi;
use crate::wire::attribute::rules::{AttributeRule, IndexSlot};
use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::context::WireContext;
use crate::wire::header::HEADER_LENGTH;
use crate::wire::nlri::{self, AddressWidth};

use super::index::AttributeIndex;
use super::{Positions, offset_u16, sections};

/// Records the position of every field of a message without errors. `positions` must be empty.
///
/// Returns `None` if the message has any irregularity; `positions` are then unspecified.
pub(super) fn read(octets: &[u8], cx: WireContext, positions: &mut Positions) -> Option<()> {
    let (nlri, (withdrawn, attributes)) = match octets.get(HEADER_LENGTH..)? {
        // Nothing is withdrawn, as in most messages.
        [0, 0, high, low, body @ ..] => {
            let length = u16::from_be_bytes([*high, *low]);
            let (attributes, nlri) = body.split_at_checked(length.into())?;
            (nlri, (&[][..], attributes))
        }
        _ => sections(octets).ok()?,
    };
    let attributes_at = HEADER_LENGTH + 4 + withdrawn.len();
    let nlri_at = attributes_at + attributes.len();
    let add_path = cx.has_add_path(AfiSafi::IPV4_UNICAST);

    if !withdrawn.is_empty() {
        nlri::check(withdrawn, AddressWidth::V4, add_path).ok()?;
    }
    nlri::check(nlri, AddressWidth::V4, add_path).ok()?;

    (positions.attributes_at, positions.nlri_at) = (offset_u16(attributes_at), offset_u16(nlri_at));
    let index = &mut positions.index;
    attributes_up_to(octets.get(..nlri_at)?, attributes_at, cx, index)?;

    // The mandatory attributes must be present if there are routes that need them.
    let has_path = index.has_code(AttributeCode::ORIGIN) && index.has_code(AttributeCode::AS_PATH);
    if has_path && (nlri.is_empty() || index.has_code(AttributeCode::NEXT_HOP)) {
        return Some(());
    }
    (nlri.is_empty() && !index.has_code(AttributeCode::MP_REACH_NLRI)).then_some(())
}

/// Reads the attributes from offset `start` up to the end of `octets`.
#[inline(always)]
fn attributes_up_to(
    octets: &[u8],
    start: usize,
    cx: WireContext,
    index: &mut AttributeIndex,
) -> Option<()> {
    let mut next = beginning(octets, start, cx, index);
    let mut seen = 0;
    while next < octets.len() {
        let (flags, code, at, length) = header(octets, next)?;
        next = at + length;
        let value = octets.get(at..next)?;

        match code {
            AttributeCode::ORIGIN => take::<1>(flags, value, at, cx, index)?,
            AttributeCode::AS_PATH => take_rare::<2>(flags, value, at, cx, index)?,
            AttributeCode::NEXT_HOP => take::<3>(flags, value, at, cx, index)?,
            AttributeCode::MULTI_EXIT_DISC => take::<4>(flags, value, at, cx, index)?,
            AttributeCode::LOCAL_PREF => take::<5>(flags, value, at, cx, index)?,
            AttributeCode::ATOMIC_AGGREGATE => take::<6>(flags, value, at, cx, index)?,
            AttributeCode::AGGREGATOR => take_rare::<7>(flags, value, at, cx, index)?,
            AttributeCode::COMMUNITIES => take::<8>(flags, value, at, cx, index)?,
            AttributeCode::MP_REACH_NLRI => {
                take::<14>(flags, value, at, cx, index)?;
                // If it comes first, as it should (RFC 7606 section 5.1), the common beginning follows it.
                if !index.has(const { IndexSlot::of(AttributeCode::ORIGIN) })
                    && !index.has(const { IndexSlot::of(AttributeCode::AS_PATH) })
                    && !index.has(const { IndexSlot::of(AttributeCode::NEXT_HOP) })
                {
                    next = beginning(octets, next, cx, index);
                }
            }
            AttributeCode::MP_UNREACH_NLRI => take::<15>(flags, value, at, cx, index)?,
            AttributeCode::EXTENDED_COMMUNITIES => take::<16>(flags, value, at, cx, index)?,
            AttributeCode::LARGE_COMMUNITIES => take::<32>(flags, value, at, cx, index)?,
            _ => {
                seen = take_other(flags, code, value, cx, seen)?;
                index.set(AttributeRule::of(code).slot, at, value.len());
            }
        }
    }
    Some(())
}

/// Reads the header of an attribute: flags, code, offset and length of the value.
#[inline(always)]
fn header(octets: &[u8], start: usize) -> Option<(AttributeFlags, AttributeCode, usize, usize)> {
    let [flags, code, length] = *octets.get(start..start + 3)?.first_chunk()?;
    let (flags, code) = (AttributeFlags(flags), AttributeCode(code));

    if flags.contains(AttributeFlags::EXTENDED_LENGTH) {
        let low = *octets.get(start + 3)?;
        return Some((flags, code, start + 4, u16::from_be_bytes([length, low]).into()));
    }
    Some((flags, code, start + 3, length.into()))
}

/// Reads the common beginning of the attributes: ORIGIN, AS_PATH and NEXT_HOP, nearly always in this order and with the
/// same lengths.
///
/// Returns the offset after those that are as expected. The loop of [`attributes_up_to`] reads the rest.
#[inline(always)]
fn beginning(octets: &[u8], start: usize, cx: WireContext, index: &mut AttributeIndex) -> usize {
    let Some((at, length, count)) = origin_and_path(octets, start) else { return start };
    let is_valid = if cx.is_four_octet_as() {
        is_sequence::<4>(octets, at, length, count)
    } else {
        is_sequence::<2>(octets, at, length, count)
    };
    if !is_valid {
        return start;
    }
    index.set(const { IndexSlot::of(AttributeCode::ORIGIN) }, start + 3, 1);
    index.set(const { IndexSlot::of(AttributeCode::AS_PATH) }, at, length);
    let start = at + length;

    match octets.get(start..start + 7).and_then(<[u8]>::first_chunk) {
        Some(next_hop) if u32::from_be_bytes(*next_hop) >> 8 == 0x0040_0304 => {}
        _ => return start,
    }
    index.set(const { IndexSlot::of(AttributeCode::NEXT_HOP) }, start + 3, 4);
    start + 7
}

/// Reads a valid ORIGIN, the header of an AS_PATH, and the header of its first segment, which must be a sequence.
///
/// Returns the offset and length of the path, and the number of AS numbers in the segment.
#[inline(always)]
fn origin_and_path(octets: &[u8], start: usize) -> Option<(usize, usize, usize)> {
    /// ORIGIN with a value of 0, and an AS_PATH with its length left open: of one octet, then of two.
    const SHORT: u64 = u64::from_le_bytes([0x40, 1, 1, 0, 0x40, 2, 0, 2]);
    const EXTENDED: u64 = u64::from_le_bytes([0x40, 1, 1, 0, 0x50, 2, 0, 0]);
    const SHORT_MASK: u64 = u64::from_le_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0xff]);
    const EXTENDED_MASK: u64 = u64::from_le_bytes([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
    /// The number of bits before the value of ORIGIN.
    const ORIGIN_AT: u32 = 24;

    let octets = octets.get(start..start + 10)?;
    let word = u64::from_le_bytes(*octets.first_chunk()?);
    let [.., i, j] = octets else { return None };

    // The difference is the value of ORIGIN, at most 2, unless another octet differs as well.
    if (word & SHORT_MASK).wrapping_sub(SHORT).rotate_right(ORIGIN_AT) <= 2 {
        let length = (word >> 48) & 0xff;
        return Some((start + 7, length as usize, usize::from(*i)));
    }
    if (word & EXTENDED_MASK).wrapping_sub(EXTENDED).rotate_right(ORIGIN_AT) <= 2 && *i == 2 {
        let length = word.swap_bytes() & 0xffff;
        return Some((start + 8, length as usize, usize::from(*j)));
    }
    None
}

/// Returns true if a path whose first segment has `count` AS numbers of `WIDTH` octets has nothing else, and none of them
/// is 0.
#[inline(always)]
fn is_sequence<const WIDTH: usize>(octets: &[u8], at: usize, length: usize, count: usize) -> bool {
    if count == 0 || length != 2 + WIDTH * count {
        return false;
    }
    let Some(asns) = octets.get(at + 2..at + length) else { return false };
    for asn in asns.chunks_exact(WIDTH) {
        if asn == [0; WIDTH] {
            return false;
        }
    }
    true
}

/// Checks an attribute whose code, and so its row of the table, is known to the compiler.
#[inline(always)]
fn take<const CODE: u8>(
    flags: AttributeFlags,
    value: &[u8],
    at: usize,
    cx: WireContext,
    index: &mut AttributeIndex,
) -> Option<()> {
    let slot = const { IndexSlot::of(AttributeCode(CODE)) };
    if index.has(slot) || AttributeRule::judge_as::<CODE>(flags, value, cx).is_err() {
        return None;
    }
    index.set(slot, at, value.len());
    Some(())
}

/// Checks an attribute that is not often in this place. If its check were compiled into the loop, values that only it needs
/// would be computed for every message.
#[inline(always)]
fn take_rare<const CODE: u8>(
    flags: AttributeFlags,
    value: &[u8],
    at: usize,
    cx: WireContext,
    index: &mut AttributeIndex,
) -> Option<()> {
    let slot = const { IndexSlot::of(AttributeCode(CODE)) };
    if index.has(slot) || !is_valid::<CODE>(flags, value, cx) {
        return None;
    }
    index.set(slot, at, value.len());
    Some(())
}

#[inline(never)]
fn is_valid<const CODE: u8>(flags: AttributeFlags, value: &[u8], cx: WireContext) -> bool {
    AttributeRule::judge_as::<CODE>(flags, value, cx).is_ok()
}

/// Checks any other attribute. `seen` has a bit for each code below 64; the result includes this one.
#[inline(never)]
fn take_other(
    flags: AttributeFlags,
    code: AttributeCode,
    value: &[u8],
    cx: WireContext,
    seen: u64,
) -> Option<u64> {
    let bit = 1_u64.checked_shl(code.0.into())?;
    let first = seen & bit == 0;
    (first && AttributeRule::judge(flags, code, value, cx).is_ok()).then_some(seen | bit)
}
