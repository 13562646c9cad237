//! The attribute block: the attributes of a group of routes, encoded once.

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::context::WireContext;
use crate::wire::header::{MessageType, header, patch_length};
use crate::wire::path_attributes::PathAttributes;

use super::attributes::{WriteCursor, most_octets, put_head, put_tail};
use super::{ATTRIBUTES_AT, LONGEST_PREFIX};

/// The encoded attributes of a group of routes, without the next hop, in ascending order of their codes.
///
/// A block is reusable: [`encode`](Self::encode) replaces its content and keeps the memory.
#[derive(Clone, Debug, Default)]
pub struct AttributeBlock {
    /// A complete UPDATE of IPv4 unicast up to its NLRI, with the next hop and the message length left open: writing such a
    /// message begins with one copy. It is followed by at least [`BEHIND`] filler octets, so that the copy makes room for
    /// the first prefixes too. Empty before the first [`encode`](Self::encode).
    message: Vec<u8>,
    /// The offset of the NEXT_HOP attribute in `message`.
    next_hop_at: usize,
    /// The end of the attributes in `message`.
    end: usize,
}

/// The beginning of an UPDATE of IPv4 unicast with attributes: header, no withdrawn routes, two lengths left open.
pub(super) const BEGINNING: [u8; ATTRIBUTES_AT] = {
    let mut beginning = [0; ATTRIBUTES_AT];
    if let Some(start) = beginning.first_chunk_mut() {
        *start = header(MessageType::Update);
    }
    beginning
};
/// The filler octets that are copied after the attributes of a message: space for at least two prefixes.
const BEHIND: usize = 2 * LONGEST_PREFIX;
/// The NEXT_HOP attribute, with its address left open.
pub(super) const NEXT_HOP: [u8; 7] =
    [AttributeFlags::TRANSITIVE.0, AttributeCode::NEXT_HOP.0, 4, 0, 0, 0, 0];
/// The offset of the address in [`NEXT_HOP`].
const ADDRESS_AT: usize = 3;

/// The UPDATE of an empty block: NEXT_HOP is its only attribute.
static EMPTY: [u8; ATTRIBUTES_AT + NEXT_HOP.len() + BEHIND] = {
    let mut message = [0; ATTRIBUTES_AT + NEXT_HOP.len() + BEHIND];
    if let Some((beginning, rest)) = message.split_first_chunk_mut() {
        *beginning = BEGINNING;
        if let Some(next_hop) = rest.first_chunk_mut() {
            *next_hop = NEXT_HOP;
        }
        let [.., length] = beginning;
        *length = 7;
    }
    message
};

impl AttributeBlock {
    /// An empty block, which allocates nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes the attributes for a session.
    ///
    /// ORIGIN and AS_PATH are always present. An external peer does not get LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and
    /// non-transitive attributes (RFC 4271 section 5.1.5, RFC 4456 section 8). Nothing else is added: the caller must set
    /// LOCAL_PREF for an internal peer. A peer with two-octet AS numbers gets AS_TRANS and, if that loses information,
    /// AS4_PATH and AS4_AGGREGATOR (RFC 6793 section 4.2.2).
    pub fn encode(&mut self, attributes: &PathAttributes, cx: WireContext) {
        let room = ATTRIBUTES_AT + most_octets(attributes, cx) + NEXT_HOP.len() + BEHIND;
        if self.message.len() < room {
            self.message.resize(room, 0);
        }

        let octets = self.message.len();
        let mut cursor = WriteCursor(&mut self.message);
        let written = put(&mut cursor, attributes, cx);
        debug_assert!(written.is_some(), "the attributes exceed their maximum length");
        let left = cursor.0.len();

        // A truncated message is useless: leave the block empty instead.
        (self.next_hop_at, self.end) =
            written.map_or((0, 0), |tail| (octets - tail - NEXT_HOP.len(), octets - left));
        let length = self.end.saturating_sub(ATTRIBUTES_AT);
        patch_length(&mut self.message, ATTRIBUTES_AT - 2, length);
    }

    /// The number of octets in the block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.saturating_sub(ATTRIBUTES_AT + NEXT_HOP.len())
    }

    /// Returns true before the first [`encode`](Self::encode).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Appends an UPDATE of IPv4 unicast up to its NLRI, with the message length left open, and [`BEHIND`] filler octets.
    /// Returns the offset of the end of the attributes.
    #[inline(never)]
    pub(super) fn put_message(&self, out: &mut BytesMut, next_hop: Ipv4Addr) -> usize {
        let (message, address_at) = match self.message.get(..self.end + BEHIND) {
            Some(message) if self.end != 0 => (message, self.next_hop_at + ADDRESS_AT),
            _ => (&EMPTY[..], ATTRIBUTES_AT + ADDRESS_AT),
        };

        let start = out.len();
        out.put_slice(message);
        let address = out.get_mut(start + address_at..).and_then(<[u8]>::first_chunk_mut);
        if let Some(address) = address {
            *address = next_hop.octets();
        }
        out.len() - BEHIND
    }

    /// Appends the attributes without NEXT_HOP.
    pub(super) fn put_attributes(&self, out: &mut BytesMut) {
        let (head, tail) = (self.head(), self.tail());

        // Most heads are short. Copy one with the octets behind it, and let the tail overwrite those: a copy of constant
        // length is a few loads and stores.
        let start = out.len();
        match self.message.get(ATTRIBUTES_AT..).and_then(<[u8]>::first_chunk::<SHORT>) {
            Some(short) if head.len() <= SHORT => {
                out.put_slice(short);
                out.truncate(start + head.len());
            }
            _ => out.put_slice(head),
        }
        out.put_slice(tail);
    }

    /// The attributes before NEXT_HOP: ORIGIN and AS_PATH.
    fn head(&self) -> &[u8] {
        self.message.get(ATTRIBUTES_AT..self.next_hop_at).unwrap_or_default()
    }

    /// The attributes after NEXT_HOP.
    fn tail(&self) -> &[u8] {
        self.message.get(self.next_hop_at + NEXT_HOP.len()..self.end).unwrap_or_default()
    }
}

/// The maximum length of a head that is copied whole: see [`AttributeBlock::put_attributes`].
const SHORT: usize = 32;

/// Writes a message up to its NLRI. Returns the number of octets that were left after NEXT_HOP.
fn put(
    cursor: &mut WriteCursor<'_>,
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<usize> {
    cursor.put(BEGINNING)?;
    put_head(cursor, attributes, cx)?;
    cursor.put(NEXT_HOP)?;
    let left = cursor.0.len();
    put_tail(cursor, attributes, cx)?;
    Some(left)
}
