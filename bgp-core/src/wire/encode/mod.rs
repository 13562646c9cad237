//! Encoding: the attribute block, the writer of an UPDATE, and functions that write attributes.
//!
//! Everything appends to a buffer of the caller. Attributes are encoded once for a group of routes
//! ([`AttributeBlock`]); then [`UpdateWriter`] fills as many messages as the prefixes need. Once the buffers have grown, a
//! message needs no allocation.

mod attributes;
mod block;
mod prefixes;
#[cfg(test)]
mod tests;
mod writer;

use bytes::{BufMut, BytesMut};

pub(super) use attributes::WriteCursor;
pub(crate) use attributes::is_typed;
pub use block::AttributeBlock;
pub(crate) use prefixes::PrefixRoom;
pub use writer::UpdateWriter;

use crate::types::AfiSafi;

use super::attribute::{AttributeCode, AttributeFlags};
use super::header::{HEADER_LENGTH, MessageType, message, patch_length};

/// The offset of the attributes in an UPDATE without withdrawn routes: after the header and two lengths.
const ATTRIBUTES_AT: usize = HEADER_LENGTH + 4;
/// The maximum length of one prefix: path identifier, length and IPv6 address, rounded up.
const LONGEST_PREFIX: usize = 32;

/// Appends an End-of-RIB for a family (RFC 4724 section 2).
pub fn encode_end_of_rib(out: &mut BytesMut, family: AfiSafi) {
    message(out, MessageType::Update, |out| {
        if family == AfiSafi::IPV4_UNICAST {
            out.put_slice(&[0; 4]);
            return;
        }
        out.put_slice(&[0, 0, 0, 6]);
        attribute(out, AttributeFlags::OPTIONAL, AttributeCode::MP_UNREACH_NLRI, |out| {
            put_family(out, family);
        });
    });
}

/// Appends a KEEPALIVE.
pub fn encode_keepalive(out: &mut BytesMut) {
    message(out, MessageType::Keepalive, |_| {});
}

/// Appends an attribute: writes the header, calls `value` to append the value, and patches the length, which has two octets
/// only if needed.
#[inline]
fn attribute(
    out: &mut BytesMut,
    flags: AttributeFlags,
    code: AttributeCode,
    value: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    let flags = flags.0 & !AttributeFlags::EXTENDED_LENGTH.0;
    out.put_slice(&[flags, code.0, 0]);
    value(out);
    close_attribute(out, start, out.len() - start - 3);
}

/// Patches the length of an attribute whose header of three octets is at `start`. A long value is moved by one octet.
#[inline]
fn close_attribute(out: &mut BytesMut, start: usize, length: usize) {
    match (u8::try_from(length), out.get_mut(start + 2)) {
        (Ok(short), Some(octet)) => *octet = short,
        _ => extend_length(out, start, length),
    }
}

#[cold]
fn extend_length(out: &mut BytesMut, start: usize, length: usize) {
    let end = start + 3 + length;
    out.put_u8(0);
    out.copy_within(start + 3..end, start + 4);
    if let Some(flags) = out.get_mut(start) {
        *flags |= AttributeFlags::EXTENDED_LENGTH.0;
    }
    patch_length(out, start + 2, length);
}

/// The number of octets that a buffer grows by at least: a constant number takes a few stores.
const STEP: usize = 128;

/// Grows a buffer to at least `length` octets.
#[inline(always)]
fn make_room(out: &mut BytesMut, length: usize) {
    let missing = length.saturating_sub(out.len());
    if missing == 0 {
        return;
    }

    if missing <= STEP {
        out.put_slice(&[0; STEP]);
    } else {
        out.resize(length, 0);
    }
}

fn put_family(out: &mut BytesMut, family: AfiSafi) {
    out.put_u16(family.afi.0);
    out.put_u8(family.safi.0);
}
