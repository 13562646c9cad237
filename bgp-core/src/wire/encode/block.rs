//! The attributes of a group of routes, encoded once.

use std::net::Ipv4Addr;

use bytes::{BufMut, BytesMut};

use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::context::WireContext;
use crate::wire::frame::MessageType;
use crate::wire::path_attributes::PathAttributes;

use super::attributes::{WriteCursor, most_octets, put_head, put_tail};
use super::{ATTRIBUTES_AT, LONGEST_PREFIX, header, patch_length};

/// The attributes of a group of routes as octets: all but the next hop, in ascending order of their codes.
///
/// It is scratch to be used again: [`encode`](Self::encode) replaces what is in it and keeps the memory.
#[derive(Clone, Debug, Default)]
pub struct AttributeBlock {
    /// A whole UPDATE of IPv4 unicast up to its NLRI, the next hop and its own length left open: such a message begins
    /// with one copy. Behind it are [`BEHIND`] octets and more that mean nothing, so that the copy makes room for the
    /// first prefixes too. Nothing before the first [`encode`](Self::encode).
    message: Vec<u8>,
    /// Where the attribute NEXT_HOP begins in it.
    next_hop_at: usize,
    /// Where the attributes end.
    end: usize,
}

/// What an UPDATE of IPv4 unicast with attributes begins with: the header, no withdrawn routes, two lengths left open.
pub(super) const BEGINNING: [u8; ATTRIBUTES_AT] = {
    let mut beginning = [0; ATTRIBUTES_AT];
    if let Some(start) = beginning.first_chunk_mut() {
        *start = header(MessageType::Update);
    }
    beginning
};
/// Octets of a message behind its attributes that are copied with it: room for two prefixes at least.
const BEHIND: usize = 2 * LONGEST_PREFIX;
/// The attribute NEXT_HOP, its address left open.
pub(super) const NEXT_HOP: [u8; 7] =
    [AttributeFlags::TRANSITIVE.0, AttributeCode::NEXT_HOP.0, 4, 0, 0, 0, 0];
/// Where in it the address is.
const ADDRESS_AT: usize = 3;

/// The UPDATE of a block in which nothing was encoded: without attributes but NEXT_HOP.
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
    /// ORIGIN and AS_PATH are always there. To an external peer LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and what is not
    /// transitive stay out (RFC 4271 section 5.1.5, RFC 4456 section 8); nothing is added that the attributes do not
    /// have, so that an internal peer's LOCAL_PREF is the caller's to set. A peer with AS numbers of two octets gets
    /// AS_TRANS and, where that loses something, AS4_PATH and AS4_AGGREGATOR (RFC 6793 section 4.2.2).
    pub fn encode(&mut self, attributes: &PathAttributes, cx: WireContext) {
        let room = ATTRIBUTES_AT + most_octets(attributes, cx) + NEXT_HOP.len() + BEHIND;
        if self.message.len() < room {
            self.message.resize(room, 0);
        }
        let octets = self.message.len();
        let mut place = WriteCursor(&mut self.message);
        let written = put(&mut place, attributes, cx);
        debug_assert!(written.is_some(), "more octets than there were to be at most");
        let left = place.0.len();
        // What is cut off is no message, and none is better.
        (self.next_hop_at, self.end) =
            written.map_or((0, 0), |tail| (octets - tail - NEXT_HOP.len(), octets - left));
        let length = self.end.saturating_sub(ATTRIBUTES_AT);
        patch_length(&mut self.message, ATTRIBUTES_AT - 2, length);
    }

    /// Octets in the block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end.saturating_sub(ATTRIBUTES_AT + NEXT_HOP.len())
    }

    /// Whether nothing was encoded yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Appends an UPDATE of IPv4 unicast up to its NLRI, its own length left open, and [`BEHIND`] octets more that mean
    /// nothing. Answers where the attributes end.
    #[inline(never)]
    pub(super) fn put_message(&self, out: &mut BytesMut, next_hop: Ipv4Addr) -> usize {
        let (message, address_at) = match self.message.get(..self.end + BEHIND) {
            Some(message) if self.end != 0 => (message, self.next_hop_at + ADDRESS_AT),
            _ => (&EMPTY[..], ATTRIBUTES_AT + ADDRESS_AT),
        };
        let start = out.len();
        out.put_slice(message);
        let place = out.get_mut(start + address_at..).and_then(<[u8]>::first_chunk_mut);
        if let Some(place) = place {
            *place = next_hop.octets();
        }
        out.len() - BEHIND
    }

    /// Appends the attributes without NEXT_HOP.
    pub(super) fn put_attributes(&self, out: &mut BytesMut) {
        let (head, tail) = (self.head(), self.tail());
        // A head that is short, as most are, is copied with octets behind it that the tail overwrites: a copy of constant
        // length is a small loads and stores.
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

    /// What stands before NEXT_HOP: ORIGIN and AS_PATH.
    fn head(&self) -> &[u8] {
        self.message.get(ATTRIBUTES_AT..self.next_hop_at).unwrap_or_default()
    }

    /// What stands after NEXT_HOP.
    fn tail(&self) -> &[u8] {
        self.message.get(self.next_hop_at + NEXT_HOP.len()..self.end).unwrap_or_default()
    }
}

/// See [`AttributeBlock::put_attributes`].
const SHORT: usize = 32;

/// Writes a message up to its NLRI, and answers how many octets were left after NEXT_HOP.
fn put(place: &mut WriteCursor<'_>, attributes: &PathAttributes, cx: WireContext) -> Option<usize> {
    place.put(BEGINNING)?;
    put_head(place, attributes, cx)?;
    place.put(NEXT_HOP)?;
    let left = place.0.len();
    put_tail(place, attributes, cx)?;
    Some(left)
}
