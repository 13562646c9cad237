//! The writer of one UPDATE.

use bytes::{BufMut, BytesMut};
use ipnet::IpNet;

use crate::types::{Afi, AfiSafi};
use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::context::WireContext;
use crate::wire::header::patch_length;
use crate::wire::nlri::AddressWidth;
use crate::wire::path_attributes::{NextHop, PathAttributes};

use super::attributes::{
    SMALL_ATTRIBUTES, SMALL_ROOM, SPARE, WriteCursor, are_small, most_octets, put_head, put_tail,
};
use super::block::{BEGINNING, NEXT_HOP};
use super::{
    ATTRIBUTES_AT, AttributeBlock, LONGEST_PREFIX, PrefixRoom, close_attribute, make_room,
};

/// Writes one UPDATE at the end of a buffer, within the session's message limit.
///
/// Push prefixes until one does not fit, finish, and start the next message with that one. A writer without prefixes, or
/// one that is dropped before [`finish`](Self::finish), leaves the buffer as it was: an UPDATE without prefixes would be an
/// End-of-RIB.
///
/// ```
/// use bgp_core::wire::{AttributeBlock, NextHop, PathAttributes, UpdateWriter, WireContext};
/// use bgp_core::{AfiSafi, IpNet};
/// use std::net::Ipv4Addr;
///
/// let (mut out, mut block, cx) = (Default::default(), AttributeBlock::new(), WireContext::default());
/// let prefixes = ["172.22.35.70/32".parse::<IpNet>()?, "200.1.154.64/26".parse()?];
/// block.encode(&PathAttributes::default(), cx);
/// let next_hop = NextHop::V4(Ipv4Addr::new(172, 22, 35, 26));
/// let mut prefixes = prefixes.into_iter().peekable();
/// while prefixes.peek().is_some() {
///     let mut update = UpdateWriter::reach(&mut out, AfiSafi::IPV4_UNICAST, &next_hop, &block, cx);
///     while prefixes.next_if(|prefix| update.push(*prefix)).is_some() {}
///     if update.finish() == 0 {
///         break; // the attributes alone fill a message
///     }
/// }
/// assert_eq!(out.len(), 19 + 4 + 4 + 3 + 7 + 5 + 5);
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct UpdateWriter<'b> {
    out: &'b mut BytesMut,
    field: NlriField<'b>,
    /// The address width of the family; `None` if its NLRI are not plain prefixes.
    width: Option<AddressWidth>,
    add_path: bool,
    /// The start of the message in the buffer.
    start: usize,
    /// The end of the octets written. The buffer is longer, with space for the next prefixes.
    end: usize,
    /// The limit for the end of the NLRI, so that the octets after them still fit.
    room_to: usize,
    prefixes: usize,
}

/// The field that has the NLRI, and the octets to write after them.
#[derive(Clone, Copy, Debug)]
enum NlriField<'b> {
    /// The NLRI field; everything before it is already written.
    Nlri,
    /// The withdrawn routes; their length is still to be patched.
    Withdrawn,
    /// An MP_REACH_NLRI, the first attribute; these attributes follow.
    MpReach(AttributeSource<'b>),
    /// An MP_UNREACH_NLRI, the only attribute.
    MpUnreach,
}

/// The attributes of a message: already encoded, or still to be encoded.
#[derive(Clone, Copy, Debug)]
enum AttributeSource<'b> {
    Block(&'b AttributeBlock),
    /// If `small` (see [`are_small`]), [`SMALL_ATTRIBUTES`] octets are reserved for the attributes.
    Owned {
        attributes: &'b PathAttributes,
        cx: WireContext,
        small: bool,
    },
}

/// The additional octet of an extended attribute length.
const EXTENDED_LENGTH_ROOM: usize = 1;
/// The offset of the withdrawn routes in an UPDATE: after the header and one length.
const WITHDRAWN_AT: usize = 21;

impl<'b> UpdateWriter<'b> {
    /// Starts an UPDATE that announces routes with these attributes.
    ///
    /// IPv4 unicast with an IPv4 next hop uses the NLRI field and NEXT_HOP; anything else uses an MP_REACH_NLRI, which is the
    /// first attribute (RFC 7606 section 5.1).
    #[inline]
    #[must_use]
    pub fn reach(
        out: &'b mut BytesMut,
        family: AfiSafi,
        next_hop: &NextHop,
        block: &'b AttributeBlock,
        cx: WireContext,
    ) -> Self {
        let start = out.len();

        match next_hop {
            NextHop::V4(address) if family == AfiSafi::IPV4_UNICAST => {
                let end = block.put_message(out, *address);
                Self::new(out, NlriField::Nlri, family, cx, start, end, cx.limit().octets())
            }
            _ => {
                let end = put_mp_reach(out, family, next_hop);
                let field = NlriField::MpReach(AttributeSource::Block(block));
                let limit = cx.limit().octets().saturating_sub(block.len() + EXTENDED_LENGTH_ROOM);
                Self::new(out, field, family, cx, start, end, limit)
            }
        }
    }

    /// Starts an UPDATE that announces routes, like [`reach`](Self::reach), but encodes the attributes directly into the
    /// message. This is faster if no other message has these attributes; for several messages, encode an
    /// [`AttributeBlock`] once.
    #[inline]
    #[must_use]
    pub fn reach_with(
        out: &'b mut BytesMut,
        family: AfiSafi,
        next_hop: &NextHop,
        attributes: &'b PathAttributes,
        cx: WireContext,
    ) -> Self {
        let start = out.len();

        match next_hop {
            NextHop::V4(address) if family == AfiSafi::IPV4_UNICAST => {
                let written = put_message(out, address.octets(), attributes, cx);
                // Truncated attributes must not be sent.
                let (end, limit) = written.map_or((start, 0), |end| (end, cx.limit().octets()));
                Self::new(out, NlriField::Nlri, family, cx, start, end, limit)
            }
            _ => {
                let end = put_mp_reach(out, family, next_hop);
                let small = are_small(attributes, cx);
                let field = NlriField::MpReach(AttributeSource::Owned { attributes, cx, small });
                // The estimate may be too high: the exact number is counted when it matters.
                let after =
                    if small { SMALL_ATTRIBUTES } else { most_octets_of_all(attributes, cx) };
                let limit = cx.limit().octets().saturating_sub(after + EXTENDED_LENGTH_ROOM);
                Self::new(out, field, family, cx, start, end, limit)
            }
        }
    }

    /// Starts an UPDATE that withdraws routes.
    ///
    /// IPv4 unicast uses the withdrawn routes field, any other family an MP_UNREACH_NLRI.
    #[must_use]
    pub fn unreach(out: &'b mut BytesMut, family: AfiSafi, cx: WireContext) -> Self {
        let (start, limit) = (out.len(), cx.limit().octets());
        out.put_slice(&BEGINNING);
        if family == AfiSafi::IPV4_UNICAST {
            let end = start + WITHDRAWN_AT;
            return Self::new(out, NlriField::Withdrawn, family, cx, start, end, limit - 2);
        }
        out.put_slice(&mp_header(AttributeCode::MP_UNREACH_NLRI, family));
        let end = out.len();
        Self::new(out, NlriField::MpUnreach, family, cx, start, end, limit - EXTENDED_LENGTH_ROOM)
    }

    /// Creates a writer. `limit` is the maximum number of octets up to the end of the NLRI.
    #[inline(always)]
    fn new(
        out: &'b mut BytesMut,
        field: NlriField<'b>,
        family: AfiSafi,
        cx: WireContext,
        start: usize,
        end: usize,
        limit: usize,
    ) -> Self {
        let (width, add_path) = (AddressWidth::of(family), cx.has_add_path(family));
        Self { out, field, width, add_path, start, end, room_to: start + limit, prefixes: 0 }
    }

    /// Adds a prefix with its host bits masked. On a session with path identifiers (RFC 7911) it gets the identifier 1.
    ///
    /// Returns false, and writes nothing, if the prefix does not fit or is of another family.
    #[inline]
    pub fn push(&mut self, prefix: IpNet) -> bool {
        self.push_with_path_id(prefix, 1)
    }

    /// Adds a prefix with a path identifier, which is left out if the session has none (RFC 7911).
    ///
    /// Returns false, and writes nothing, if the prefix does not fit or is of another family.
    #[inline]
    pub fn push_with_path_id(&mut self, prefix: IpNet, path_id: u32) -> bool {
        self.count_if_short(LONGEST_PREFIX);
        make_room(self.out, self.end + 2 * LONGEST_PREFIX);
        let to = self.out.len().min(self.room_to + LONGEST_PREFIX);
        let rest = self.out.get_mut(self.end..to).unwrap_or_default();
        let mut room = PrefixRoom::new(rest, self.width, self.add_path);
        let fits = room.push(prefix, path_id);
        let written = room.written();
        self.wrote(written);
        fits
    }

    /// Adds prefixes in order, up to the first that does not fit or is of another family. Returns their number. It writes
    /// the same octets as [`push`](Self::push), in one loop.
    #[inline]
    pub fn push_all(&mut self, prefixes: &[IpNet]) -> usize {
        let (octets, prefixes) = self.room(prefixes.len()).push_all(prefixes).written();
        self.wrote((octets, prefixes));
        prefixes
    }

    /// The space for up to `most` prefixes. After writing, pass [`written`](PrefixRoom::written) to
    /// [`wrote`](Self::wrote).
    #[inline(always)]
    pub(crate) fn room(&mut self, most: usize) -> PrefixRoom<'_> {
        self.room_of_octets(PrefixRoom::most_octets(most, self.width, self.add_path))
    }

    #[inline(always)]
    fn room_of_octets(&mut self, most: usize) -> PrefixRoom<'_> {
        self.count_if_short(most);
        let most = most.min(self.room_to.saturating_sub(self.end)) + LONGEST_PREFIX;
        make_room(self.out, self.end + most);
        let rest = self.out.get_mut(self.end..self.end + most).unwrap_or_default();
        PrefixRoom::new(rest, self.width, self.add_path)
    }

    /// Counts the remaining space exactly if the estimate is less than `octets`.
    #[inline(always)]
    fn count_if_short(&mut self, octets: usize) {
        if self.end + octets <= self.room_to {
            return;
        }
        if let NlriField::MpReach(AttributeSource::Owned { attributes, cx, small: small @ true }) =
            &mut self.field
        {
            self.room_to += left_over(attributes, *cx);
            *small = false;
        }
    }

    /// Adds the octets and prefixes that were written to the last [`room`](Self::room).
    #[inline(always)]
    pub(crate) fn wrote(&mut self, (octets, prefixes): (usize, usize)) {
        self.end += octets;
        self.prefixes += prefixes;
    }

    /// Adds NLRI as octets, for a family whose format this crate does not know.
    ///
    /// Returns false, and writes nothing, if they do not fit or if the family's NLRI are plain prefixes.
    pub fn push_opaque(&mut self, nlri: &[u8]) -> bool {
        self.count_if_short(nlri.len());
        if self.end + nlri.len() > self.room_to || self.width.is_some() {
            return false;
        }

        self.out.truncate(self.end);
        self.out.put_slice(nlri);
        self.end = self.out.len();
        self.prefixes += 1;
        true
    }

    /// Completes the message and returns the number of its prefixes. Without prefixes, the buffer is left as it was.
    #[inline(always)]
    pub fn finish(mut self) -> usize {
        let prefixes = self.prefixes;
        if prefixes != 0 {
            self.out.truncate(self.end);
            // Each function gets only what it needs, in registers. If one got the field, the compiler would keep the whole
            // writer in memory.
            match self.field {
                NlriField::Nlri => {}
                NlriField::Withdrawn => close_withdrawn(self.out, self.start),
                NlriField::MpReach(AttributeSource::Block(block)) => {
                    close_mp_reach_with_block(self.out, self.start, block);
                }
                NlriField::MpReach(AttributeSource::Owned { attributes, cx, small }) => {
                    close_mp_reach(self.out, self.start, attributes, cx, small);
                }
                NlriField::MpUnreach => close_mp_unreach(self.out, self.start),
            }
            let length = self.out.len() - self.start;
            patch_length(self.out, self.start + 16, length);

            // Keep the message when the writer is dropped.
            self.start = usize::MAX;
        }
        prefixes
    }
}

impl Drop for UpdateWriter<'_> {
    #[inline]
    fn drop(&mut self) {
        self.out.truncate(self.start);
    }
}

/// The number of octets by which [`SMALL_ATTRIBUTES`] was too high an estimate.
#[cold]
#[inline(never)]
fn left_over(attributes: &PathAttributes, cx: WireContext) -> usize {
    SMALL_ATTRIBUTES.saturating_sub(most_octets(attributes, cx))
}

/// Writes the octets after the withdrawn routes and patches their length.
#[inline(never)]
fn close_withdrawn(out: &mut BytesMut, start: usize) {
    let length = out.len() - start - WITHDRAWN_AT;
    patch_length(out, start + WITHDRAWN_AT - 2, length);
    out.put_slice(&[0; 2]);
}

/// Closes an MP_REACH_NLRI and writes the attributes after it.
#[inline(never)]
fn close_mp_reach(
    out: &mut BytesMut,
    start: usize,
    attributes: &PathAttributes,
    cx: WireContext,
    small: bool,
) {
    close_mp(out, start, |out| put_attributes(out, attributes, cx, small));
}

/// The same as [`close_mp_reach`] with attributes that are already encoded.
#[inline(never)]
fn close_mp_reach_with_block(out: &mut BytesMut, start: usize, block: &AttributeBlock) {
    close_mp(out, start, |out| block.put_attributes(out));
}

/// Closes an MP_UNREACH_NLRI, the only attribute.
#[inline(never)]
fn close_mp_unreach(out: &mut BytesMut, start: usize) {
    close_mp(out, start, |_| {});
}

/// Closes an MP attribute, writes those after it by a function, and patches the length of them all.
#[inline(always)]
fn close_mp(out: &mut BytesMut, start: usize, others: impl FnOnce(&mut BytesMut)) {
    let at = start + ATTRIBUTES_AT;
    close_attribute(out, at, out.len() - at - 3);
    others(out);
    let length = out.len() - at;
    patch_length(out, at - 2, length);
}

/// Appends an UPDATE of IPv4 unicast up to its NLRI, with the message length left open, and filler octets as space for the
/// first prefix. Returns the offset of the end of the attributes.
#[inline(never)]
fn put_message(
    out: &mut BytesMut,
    next_hop: [u8; 4],
    attributes: &PathAttributes,
    cx: WireContext,
) -> Option<usize> {
    let start = out.len();
    if are_small(attributes, cx) {
        out.put_slice(&[0; SMALL_ROOM]);
    } else {
        let most = ATTRIBUTES_AT + NEXT_HOP.len() + most_octets_of_all(attributes, cx);
        make_room(out, start + most + LONGEST_PREFIX);
    }

    let message = out.get_mut(start..)?;
    let octets = message.len();
    let mut cursor = WriteCursor(message);
    cursor.put(BEGINNING)?;
    put_head(&mut cursor, attributes, cx)?;
    let (flags, code) = (AttributeFlags::TRANSITIVE, AttributeCode::NEXT_HOP);
    cursor.put_number(flags, code, u32::from_be_bytes(next_hop))?;
    put_tail(&mut cursor, attributes, cx)?;

    let end = start + octets - cursor.0.len();
    patch_length(out, start + ATTRIBUTES_AT - 2, end - start - ATTRIBUTES_AT);
    Some(end)
}

/// Appends the attributes of a message without NEXT_HOP. Passing `small` as false is always right.
#[inline(always)]
fn put_attributes(out: &mut BytesMut, attributes: &PathAttributes, cx: WireContext, small: bool) {
    let start = out.len();
    if small {
        out.put_slice(&[0; SMALL_ATTRIBUTES]);
    } else {
        make_room(out, start + most_octets_of_all(attributes, cx) + SPARE);
    }

    let mut cursor = WriteCursor(out.get_mut(start..).unwrap_or_default());
    let written = put_head(&mut cursor, attributes, cx);
    let written = written.and_then(|()| put_tail(&mut cursor, attributes, cx));
    debug_assert!(written.is_some(), "the attributes exceed their maximum length");

    let left = cursor.0.len();
    out.truncate(out.len() - left);
}

/// The maximum length of the attributes without NEXT_HOP; see [`most_octets`].
#[inline(never)]
fn most_octets_of_all(attributes: &PathAttributes, cx: WireContext) -> usize {
    most_octets(attributes, cx)
}

/// The maximum length of an UPDATE up to the NLRI of an MP_REACH_NLRI, with two IPv6 addresses, their length and a reserved
/// octet.
const MP_HEAD: usize = ATTRIBUTES_AT + 6 + 1 + 32 + 1;

/// Appends an UPDATE up to the NLRI of its MP_REACH_NLRI, with the lengths left open, and filler octets as space for the
/// first prefix. Returns the offset of the NLRI.
#[inline(never)]
fn put_mp_reach(out: &mut BytesMut, family: AfiSafi, next_hop: &NextHop) -> usize {
    let start = out.len();
    make_room(out, start + MP_HEAD + LONGEST_PREFIX);
    let room = out.len();
    let mut cursor = WriteCursor(out.get_mut(start..).unwrap_or_default());
    let written = put_mp_head(&mut cursor, family, next_hop);
    debug_assert!(written.is_some(), "the attributes exceed their maximum length");
    room - cursor.0.len()
}

/// Writes an UPDATE up to the NLRI of its MP_REACH_NLRI, with the lengths left open.
///
/// The next hop follows RFC 2545 section 3 and RFC 8950 section 3. IPv6 routes cannot have an IPv4 next hop: it is sent as
/// an IPv4-mapped IPv6 address (RFC 4798 section 2).
#[inline(always)]
fn put_mp_head(cursor: &mut WriteCursor<'_>, family: AfiSafi, next_hop: &NextHop) -> Option<()> {
    let mut beginning = [0; ATTRIBUTES_AT + 7];
    *beginning.first_chunk_mut()? = BEGINNING;
    let [.., a, b, c, d, e, f, length] = &mut beginning;
    [*a, *b, *c, *d, *e, *f] = mp_header(AttributeCode::MP_REACH_NLRI, family);

    let (global, link_local) = match next_hop {
        NextHop::V4(address) if family.afi != Afi::IPV6 => {
            *length = 4;
            cursor.put(beginning)?;
            cursor.put(address.octets())?;
            return cursor.put([0]);
        }
        NextHop::V4(address) => (address.to_ipv6_mapped(), None),
        NextHop::V6 { global, link_local } => (*global, *link_local),
    };

    *length = if link_local.is_some() { 32 } else { 16 };
    cursor.put(beginning)?;
    cursor.put(global.octets())?;
    if let Some(link_local) = link_local {
        cursor.put(link_local.octets())?;
    }
    cursor.put([0])
}

/// The beginning of an MP attribute: its header, with the length left open, and the family.
const fn mp_header(code: AttributeCode, family: AfiSafi) -> [u8; 6] {
    let [high, low] = family.afi.0.to_be_bytes();
    [AttributeFlags::OPTIONAL.0, code.0, 0, high, low, family.safi.0]
}
