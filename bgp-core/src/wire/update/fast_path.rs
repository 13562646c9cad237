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
use super::{UpdateMetadata, offset_u16, sections};

/// Records the position of every field of a message without errors.
///
/// Returns `None` if the message has any irregularity; `metadata` is then in an unspecified state.
pub(super) fn read(octets: &[u8], metadata: &mut UpdateMetadata) -> Option<()> {
    let (nlri, (withdrawn, attributes)) = sections(octets).ok()?;
    let attributes_at = HEADER_LENGTH + 4 + withdrawn.len();
    let nlri_at = attributes_at + attributes.len();
    let cx = metadata.cx;
    let add_path = cx.has_add_path(AfiSafi::IPV4_UNICAST);

    if !withdrawn.is_empty() {
        nlri::check(withdrawn, AddressWidth::V4, add_path).ok()?;
    }
    nlri::check(nlri, AddressWidth::V4, add_path).ok()?;

    (metadata.attributes_at, metadata.nlri_at) = (offset_u16(attributes_at), offset_u16(nlri_at));
    let index = &mut metadata.index;
    attributes_up_to(octets.get(..nlri_at)?, attributes_at, cx, index)?;

    // The mandatory attributes must be present if there are routes that need them.
    let has_path = index.has_code(AttributeCode::ORIGIN) && index.has_code(AttributeCode::AS_PATH);
    let complete = if nlri.is_empty() {
        has_path || !index.has_code(AttributeCode::MP_REACH_NLRI)
    } else {
        has_path && index.has_code(AttributeCode::NEXT_HOP)
    };
    complete.then_some(())
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
            AttributeCode::AS_PATH => take::<2>(flags, value, at, cx, index)?,
            AttributeCode::NEXT_HOP => take::<3>(flags, value, at, cx, index)?,
            AttributeCode::MULTI_EXIT_DISC => take::<4>(flags, value, at, cx, index)?,
            AttributeCode::LOCAL_PREF => take::<5>(flags, value, at, cx, index)?,
            AttributeCode::ATOMIC_AGGREGATE => take::<6>(flags, value, at, cx, index)?,
            AttributeCode::AGGREGATOR => take::<7>(flags, value, at, cx, index)?,
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
    match octets.get(start..start + 4).and_then(<[u8]>::first_chunk) {
        Some(origin) if matches!(u32::from_be_bytes(*origin), 0x4001_0100..=0x4001_0102) => {}
        _ => return start,
    }
    index.set(const { IndexSlot::of(AttributeCode::ORIGIN) }, start + 3, 1);
    let start = start + 4;

    let (at, length) = match header(octets, start) {
        Some((flags, AttributeCode::AS_PATH, at, length)) if flags.0 & 0xc0 == 0x40 => (at, length),
        _ => return start,
    };
    match octets.get(at..at + length) {
        Some(path) if cx.is_four_octet_as() && is_sequence::<4>(path) => {}
        Some(path) if !cx.is_four_octet_as() && is_sequence::<2>(path) => {}
        _ => return start,
    }
    index.set(const { IndexSlot::of(AttributeCode::AS_PATH) }, at, length);
    let start = at + length;

    match octets.get(start..start + 7).and_then(<[u8]>::first_chunk) {
        Some(next_hop) if u32::from_be_bytes(*next_hop) >> 8 == 0x0040_0304 => {}
        _ => return start,
    }
    index.set(const { IndexSlot::of(AttributeCode::NEXT_HOP) }, start + 3, 4);
    start + 7
}

/// Returns true if a path is one sequence of AS numbers of `WIDTH` octets, none of them 0.
#[inline(always)]
fn is_sequence<const WIDTH: usize>(path: &[u8]) -> bool {
    let [2, count, asns @ ..] = path else { return false };
    if asns.is_empty() || asns.len() != WIDTH * usize::from(*count) {
        return false;
    }

    let mut rest = asns;
    while let Some((asn, after)) = rest.split_first_chunk::<WIDTH>() {
        if *asn == [0; WIDTH] {
            return false;
        }
        rest = after;
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
