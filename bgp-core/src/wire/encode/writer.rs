//! The writer of one UPDATE.

use std::net::Ipv6Addr;

use bytes::{BufMut, BytesMut};
use ipnet::IpNet;

use crate::types::{Afi, AfiSafi};
use crate::wire::attribute::{AttributeCode, AttributeFlags};
use crate::wire::context::WireContext;
use crate::wire::frame::MessageType;
use crate::wire::nlri::{self, Bits};
use crate::wire::path_attributes::NextHop;

use super::{AttributeBlock, close_attribute, patch_length, put_family, put_header};

/// Writes one UPDATE at the end of a buffer, never longer than the session allows.
///
/// Push prefixes until one does not fit, finish, and begin the next message with that one. A writer that got no prefix,
/// or that is dropped before [`finish`](Self::finish), leaves the buffer as it was: an UPDATE without prefixes would be
/// an End-of-RIB.
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
    form: Form<'b>,
    /// What the prefixes of the family are, where its NLRI are prefixes.
    bits: Option<Bits>,
    add_path: bool,
    /// Where the message begins.
    start: usize,
    /// Where what is written ends. The buffer is longer by room for the next prefixes.
    end: usize,
    /// Where the NLRI may end so that what follows them still fits.
    room_to: usize,
    prefixes: usize,
}

/// Where the NLRI stand, and what is still to be written after them.
#[derive(Clone, Copy, Debug)]
enum Form<'b> {
    /// The NLRI field; everything before it is written.
    Nlri,
    /// The withdrawn routes, whose length is patched.
    Withdrawn,
    /// An MP_REACH_NLRI whose header is at `at`; then this block.
    MpReach { at: usize, block: &'b AttributeBlock },
    /// An MP_UNREACH_NLRI whose header is at `at`.
    MpUnreach { at: usize },
}

/// Octets of an extended attribute length beyond the short one.
const EXTENDED_LENGTH_ROOM: usize = 1;
/// The most octets of one prefix: a path identifier, a length, an address of IPv6; and some to spare.
const LONGEST_PREFIX: usize = 32;
/// Where the withdrawn routes of an UPDATE begin: header, one length.
const WITHDRAWN_AT: usize = 21;

impl<'b> UpdateWriter<'b> {
    /// Begins an UPDATE that announces routes with these attributes.
    ///
    /// IPv4 unicast with an IPv4 next hop uses the classic NLRI field and NEXT_HOP; anything else an MP_REACH_NLRI,
    /// which stands first (RFC 7606 section 5.1).
    #[must_use]
    pub fn reach(
        out: &'b mut BytesMut,
        family: AfiSafi,
        next_hop: &NextHop,
        block: &'b AttributeBlock,
        cx: WireContext,
    ) -> Self {
        let start = out.len();
        let limit = start + cx.limit().octets();
        let (form, room_to) = match next_hop {
            NextHop::V4(address) if family == AfiSafi::IPV4_UNICAST => {
                let (message, address_at) = block.message();
                out.put_slice(message);
                let place = out.get_mut(start + address_at..).and_then(<[u8]>::first_chunk_mut);
                if let Some(place) = place {
                    *place = address.octets();
                }
                (Form::Nlri, limit)
            }
            _ => {
                put_header(out, MessageType::Update);
                out.put_slice(&[0; 4]);
                let at = out.len();
                put_mp_header(out, AttributeCode::MP_REACH_NLRI, family);
                put_next_hop(out, family, next_hop);
                out.put_u8(0);
                let room_to = limit.saturating_sub(block.len() + EXTENDED_LENGTH_ROOM);
                (Form::MpReach { at, block }, room_to)
            }
        };
        Self::new(out, form, family, cx, start, room_to)
    }

    /// Begins an UPDATE that withdraws routes.
    ///
    /// IPv4 unicast uses the classic field, any other family an MP_UNREACH_NLRI.
    #[must_use]
    pub fn unreach(out: &'b mut BytesMut, family: AfiSafi, cx: WireContext) -> Self {
        let start = out.len();
        put_header(out, MessageType::Update);
        out.put_slice(&[0; 2]);
        let limit = start + cx.limit().octets();
        if family == AfiSafi::IPV4_UNICAST {
            return Self::new(out, Form::Withdrawn, family, cx, start, limit - 2);
        }
        out.put_slice(&[0; 2]);
        let at = out.len();
        put_mp_header(out, AttributeCode::MP_UNREACH_NLRI, family);
        let room_to = limit - EXTENDED_LENGTH_ROOM;
        Self::new(out, Form::MpUnreach { at }, family, cx, start, room_to)
    }

    fn new(
        out: &'b mut BytesMut,
        form: Form<'b>,
        family: AfiSafi,
        cx: WireContext,
        start: usize,
        room_to: usize,
    ) -> Self {
        let (bits, add_path) = (Bits::of(family), cx.has_add_path(family));
        let end = out.len();
        Self { out, form, bits, add_path, start, end, room_to, prefixes: 0 }
    }

    /// Adds a prefix, its host bits masked. On a session with path identifiers (RFC 7911) it gets the identifier 1.
    ///
    /// `false` where it does not fit or is not of the family: nothing was written.
    #[inline]
    pub fn push(&mut self, prefix: IpNet) -> bool {
        self.push_with_path_id(prefix, 1)
    }

    /// Adds a prefix with a path identifier, which is left out where the session has none (RFC 7911).
    ///
    /// `false` where it does not fit or is not of the family: nothing was written.
    #[inline]
    pub fn push_with_path_id(&mut self, prefix: IpNet, path_id: u32) -> bool {
        match (prefix, self.bits) {
            (IpNet::V4(prefix), Some(Bits::V4)) => {
                self.put(prefix.prefix_len(), nlri::octets_v4(prefix), path_id)
            }
            (IpNet::V6(prefix), Some(Bits::V6)) => {
                self.put(prefix.prefix_len(), nlri::octets_v6(prefix), path_id)
            }
            _ => false,
        }
    }

    /// Writes a prefix of which all octets of the address are given.
    #[inline]
    fn put<const N: usize>(&mut self, length: u8, octets: [u8; N], path_id: u32) -> bool {
        let at = if self.add_path { self.end + 4 } else { self.end };
        let end = at + nlri::encoded_length(length);
        if end > self.room_to {
            return false;
        }
        if self.out.len() < at + N {
            self.make_room();
        }
        if self.add_path {
            let place = self.out.get_mut(self.end..).and_then(<[u8]>::first_chunk_mut);
            let Some(place) = place else { return false };
            *place = path_id.to_be_bytes();
        }
        let Some(place) = self.out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) else {
            return false;
        };
        *place = octets;
        self.end = end;
        self.prefixes += 1;
        true
    }

    /// Makes the buffer longer, by as much as there is already: room is asked for once for many prefixes.
    #[inline(never)]
    fn make_room(&mut self) {
        self.out.resize(self.end + (8 * self.prefixes).max(LONGEST_PREFIX), 0);
    }

    /// Adds prefixes in their order, up to the first that does not fit or is not of the family; says how many. It writes
    /// what [`push`](Self::push) would, in one loop.
    #[inline]
    pub fn push_all(&mut self, prefixes: &[IpNet]) -> usize {
        if self.add_path {
            return prefixes.iter().take_while(|prefix| self.push(**prefix)).count();
        }
        match self.bits {
            Some(Bits::V4) => self.put_all(prefixes, |prefix| match prefix {
                IpNet::V4(prefix) => Some((prefix.prefix_len(), nlri::octets_v4(*prefix))),
                IpNet::V6(_) => None,
            }),
            Some(Bits::V6) => self.put_all(prefixes, |prefix| match prefix {
                IpNet::V4(_) => None,
                IpNet::V6(prefix) => Some((prefix.prefix_len(), nlri::octets_v6(*prefix))),
            }),
            None => 0,
        }
    }

    /// The loop of [`push_all`](Self::push_all): room for all is made before it, and its state is its own.
    #[inline(always)]
    fn put_all<const N: usize>(
        &mut self,
        prefixes: &[IpNet],
        octets: impl Fn(&IpNet) -> Option<(u8, [u8; N])>,
    ) -> usize {
        let room = self.room_to.saturating_sub(self.end);
        let most = room.min(N * prefixes.len());
        // The last one may have octets behind it that do not count.
        self.out.resize(self.end + most.max(LONGEST_PREFIX) + N, 0);
        let mut rest = self.out.get_mut(self.end..).unwrap_or_default();
        let mut left = room;
        let mut count = 0;
        for prefix in prefixes {
            let Some((length, octets)) = octets(prefix) else { break };
            let used = nlri::encoded_length(length);
            let (Some(after), Some(place)) = (left.checked_sub(used), rest.first_chunk_mut())
            else {
                break;
            };
            *place = octets;
            let Some(next) = std::mem::take(&mut rest).get_mut(used..) else { break };
            (left, rest) = (after, next);
            count += 1;
        }
        self.end += room - left;
        self.prefixes += count;
        count
    }

    /// Adds NLRI of a family whose form this crate does not know, as octets.
    ///
    /// `false` where they do not fit, or where the family's NLRI are plain prefixes: nothing was written.
    pub fn push_opaque(&mut self, nlri: &[u8]) -> bool {
        if self.end + nlri.len() > self.room_to || self.bits.is_some() {
            return false;
        }
        self.out.put_slice(nlri);
        self.end = self.out.len();
        self.prefixes += 1;
        true
    }

    /// Completes the message and says how many prefixes it has. With none there is no message: the buffer is as before.
    #[inline]
    pub fn finish(mut self) -> usize {
        let prefixes = self.prefixes;
        if prefixes != 0 {
            self.out.truncate(self.end);
            if !matches!(self.form, Form::Nlri) {
                self.close();
            }
            patch_length(self.out, self.start + 16, self.out.len() - self.start);
            // What is written stays when the writer is dropped.
            self.start = usize::MAX;
        }
        prefixes
    }

    /// Writes what stands after the prefixes, and the lengths of what they stand in.
    #[inline(never)]
    fn close(&mut self) {
        let (out, start) = (&mut *self.out, self.start);
        match self.form {
            Form::Nlri => {}
            Form::Withdrawn => {
                let length = out.len() - start - WITHDRAWN_AT;
                patch_length(out, start + WITHDRAWN_AT - 2, length);
                out.put_slice(&[0; 2]);
            }
            Form::MpReach { at, block } => {
                close_attribute(out, at, out.len() - at - 3);
                out.put_slice(block.head());
                out.put_slice(block.tail());
                patch_length(out, at - 2, out.len() - at);
            }
            Form::MpUnreach { at } => {
                close_attribute(out, at, out.len() - at - 3);
                patch_length(out, at - 2, out.len() - at);
            }
        }
    }
}

impl Drop for UpdateWriter<'_> {
    #[inline]
    fn drop(&mut self) {
        self.out.truncate(self.start);
    }
}

fn put_mp_header(out: &mut BytesMut, code: AttributeCode, family: AfiSafi) {
    out.put_slice(&[AttributeFlags::OPTIONAL.0, code.0, 0]);
    put_family(out, family);
}

/// Appends the next hop of an MP_REACH_NLRI with its length (RFC 2545 section 3, RFC 8950 section 3). IPv6 routes have
/// no IPv4 next hops: such a one is sent as the IPv6 address that stands for it (RFC 4798 section 2).
fn put_next_hop(out: &mut BytesMut, family: AfiSafi, next_hop: &NextHop) {
    let put = |out: &mut BytesMut, addresses: &[Ipv6Addr]| {
        out.put_u8(if addresses.len() == 1 { 16 } else { 32 });
        addresses.iter().for_each(|address| out.put_slice(&address.octets()));
    };
    match next_hop {
        NextHop::V4(address) if family.afi == Afi::IPV6 => put(out, &[address.to_ipv6_mapped()]),
        NextHop::V4(address) => {
            out.put_u8(4);
            out.put_slice(&address.octets());
        }
        NextHop::V6 { global, link_local: None } => put(out, &[*global]),
        NextHop::V6 { global, link_local: Some(link_local) } => put(out, &[*global, *link_local]),
    }
}
