//! Writing: helpers that patch lengths, the attribute block, and the writer of one UPDATE.
//!
//! Everything appends to a buffer of the caller. Attributes are encoded once for a group of routes
//! ([`AttributeBlock`]); then [`UpdateWriter`] fills as many messages as the prefixes need. Nothing is allocated per
//! message once the buffers have grown.

mod attributes;
mod block;
mod prefixes;
#[cfg(test)]
mod tests;
mod writer;

use bytes::{BufMut, BytesMut};

pub(super) use attributes::{WriteCursor, is_typed};
pub use block::AttributeBlock;
pub(crate) use prefixes::PrefixRoom;
pub use writer::UpdateWriter;

use crate::types::AfiSafi;

use super::attribute::{AttributeCode, AttributeFlags};
use super::frame::{HEADER_LENGTH, MessageType};

/// Where the attributes of an UPDATE without withdrawn routes begin: header, two lengths.
const ATTRIBUTES_AT: usize = HEADER_LENGTH + 4;
/// The most octets of one prefix: a path identifier, a length, an address of IPv6; and some to spare.
const LONGEST_PREFIX: usize = 32;

/// Appends the message that says that all routes of a family were sent (RFC 4724 section 2).
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

/// Appends a message: header, what `body` appends, then the length in its place.
pub(super) fn message(out: &mut BytesMut, kind: MessageType, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    put_header(out, kind);
    body(out);
    let length = out.len() - start;
    patch_length(out, start + 16, length);
}

/// Appends a header whose length is still to be patched.
fn put_header(out: &mut BytesMut, kind: MessageType) {
    out.put_slice(&header(kind));
}

const fn header(kind: MessageType) -> [u8; HEADER_LENGTH] {
    let mut header = [0xff; HEADER_LENGTH];
    let [.., high, low, code] = &mut header;
    (*high, *low, *code) = (0, 0, kind.code());
    header
}

/// Appends an attribute: header, what `value` appends, then the length, of two octets only where it needs them.
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

/// Writes the length of an attribute whose header of three octets is at `start`. A long one is moved by one octet.
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

/// Writes a length of two octets at a place that exists. One that does not fit becomes the greatest: the writer never
/// lets such a thing leave.
#[inline]
fn patch_length(out: &mut [u8], at: usize, length: usize) {
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    if let Some(octets) = out.get_mut(at..at + 2) {
        octets.copy_from_slice(&length.to_be_bytes());
    }
}

/// Octets that are made room for at once: a constant number is a small stores.
const STEP: usize = 128;

/// Makes a buffer at least so long.
#[inline(always)]
fn make_room(out: &mut BytesMut, length: usize) {
    let more = length.saturating_sub(out.len());
    if more == 0 {
    } else if more <= STEP {
        out.put_slice(&[0; STEP]);
    } else {
        out.resize(length, 0);
    }
}

fn put_family(out: &mut BytesMut, family: AfiSafi) {
    out.put_u16(family.afi.0);
    out.put_u8(family.safi.0);
}
