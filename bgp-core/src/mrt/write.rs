//! Records to write: the counterpart of the views, for four-octet AS numbers (RFC 6396, RFC 8050).
//!
//! Each function appends one whole record to a buffer. A time is the time since 1970.

use std::net::IpAddr;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use ipnet::IpNet;

use crate::fsm::StateKind;
use crate::types::{AfiSafi, BgpIdentifier, PeerType};
use crate::wire::{
    AttributeCode, AttributeFlags, NextHop, PathAttributes, UpdateWriter, WireContext,
};

use super::table::{FOUR_OCTET_PEER, IPV6_PEER};
use super::{BGP4MP, BGP4MP_ET, RecordedMessage, StateChange, TABLE_DUMP_V2, TablePeer};

/// The precision of the time in a record of a message or a state change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6396 defines these two types")]
pub enum Precision {
    /// Seconds: BGP4MP, which every reader knows.
    Seconds,
    /// Microseconds: BGP4MP_ET.
    #[default]
    Microseconds,
}

impl RecordedMessage<'_> {
    /// Appends the message as a record: BGP4MP_MESSAGE_AS4, or the subtype for a sent message, for path identifiers or for
    /// two-octet AS numbers in the message. An AS that does not fit into two octets becomes AS_TRANS then.
    pub fn encode(&self, at: Duration, precision: Precision, out: &mut BytesMut) {
        let subtype = match (self.four_octet_as, self.sent, self.add_path) {
            (false, false, false) => 1,
            (true, false, false) => 4,
            (false, true, false) => 6,
            (true, true, false) => 7,
            (false, false, true) => 8,
            (true, false, true) => 9,
            (false, true, true) => 10,
            (true, true, true) => 11,
        };
        session_record(at, precision, subtype, out, |out| {
            let Self { peer_as, local_as, interface, peer, local, .. } = *self;
            for asn in [peer_as, local_as] {
                if self.four_octet_as {
                    out.put_u32(asn.0);
                } else {
                    out.put_u16(asn.to_two_octets());
                }
            }
            put_ends(interface, peer, local, out);
            out.put_slice(self.octets);
        });
    }
}

impl StateChange {
    /// The number of a state (RFC 6396 section 4.4.1): see [`state`](Self::state).
    #[must_use]
    pub const fn number(state: StateKind) -> u16 {
        match state {
            StateKind::Idle => 1,
            StateKind::Connect => 2,
            StateKind::Active => 3,
            StateKind::OpenSent => 4,
            StateKind::OpenConfirm => 5,
            StateKind::Established => 6,
        }
    }

    /// Appends the state change as a record, BGP4MP_STATE_CHANGE_AS4.
    pub fn encode(&self, at: Duration, precision: Precision, out: &mut BytesMut) {
        session_record(at, precision, STATE_CHANGE_AS4, out, |out| {
            out.put_u32(self.peer_as.0);
            out.put_u32(self.local_as.0);
            put_ends(self.interface, self.peer, self.local, out);
            out.put_u16(self.old);
            out.put_u16(self.new);
        });
    }
}

/// The writer of a table dump: the peers first, then a record for each prefix.
///
/// ```
/// use std::time::Duration;
///
/// use bgp_core::mrt::{RecordContent, Records, TablePeer, TableWriter};
/// use bgp_core::wire::{NextHop, PathAttributes};
/// use bgp_core::{Asn, BgpIdentifier};
/// use bytes::BytesMut;
///
/// let identifier = BgpIdentifier::new(192, 0, 2, 1);
/// let peers = [TablePeer::new(identifier, "192.0.2.1".parse()?, Asn(64_500))];
/// let at = Duration::from_secs(1_700_000_000);
/// let mut attributes = PathAttributes::default();
/// attributes.next_hop = Some(NextHop::V4("192.0.2.1".parse()?));
///
/// let mut file = BytesMut::new();
/// let mut table = TableWriter::new(at, identifier, "", &peers, &mut file).expect("few peers");
/// let mut rib = table.prefix("203.0.113.0/24".parse()?, false, &mut file);
/// rib.push(0, 1, at, &attributes);
/// assert_eq!(rib.finish(), 1);
///
/// let records: Vec<_> = Records::new(&file).map(|record| record.content()).collect();
/// assert!(matches!(records[0], Ok(RecordContent::PeerIndexTable(_))));
/// assert!(matches!(records[1], Ok(RecordContent::Rib(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TableWriter {
    at: Duration,
    sequence: u32,
    /// An UPDATE, from which the attributes of an entry are taken.
    scratch: BytesMut,
}

impl TableWriter {
    /// Appends the PEER_INDEX_TABLE. Returns `None`, and appends nothing, if there are more than 65,535 peers or if the name
    /// of the view is longer than that.
    pub fn new(
        at: Duration,
        collector: BgpIdentifier,
        view: &str,
        peers: &[TablePeer],
        out: &mut BytesMut,
    ) -> Option<Self> {
        let count = u16::try_from(peers.len()).ok()?;
        let name_length = u16::try_from(view.len()).ok()?;
        record(at, TABLE_DUMP_V2, PEER_INDEX_TABLE, out, |out| {
            out.put_u32(collector.into());
            out.put_u16(name_length);
            out.put_slice(view.as_bytes());
            out.put_u16(count);
            for peer in peers {
                let kind = if peer.address.is_ipv6() { IPV6_PEER } else { 0 };
                out.put_u8(kind | FOUR_OCTET_PEER);
                out.put_u32(peer.identifier.into());
                put_address(peer.address, out);
                out.put_u32(peer.asn.0);
            }
        });
        Some(Self { at, sequence: 0, scratch: BytesMut::new() })
    }

    /// Starts the record of a prefix: RIB_IPV4_UNICAST or RIB_IPV6_UNICAST, with path identifiers if `add_path` is set
    /// (RFC 8050). It is part of the buffer once it is [finished](RibWriter::finish).
    pub fn prefix<'w>(
        &'w mut self,
        prefix: IpNet,
        add_path: bool,
        out: &'w mut BytesMut,
    ) -> RibWriter<'w> {
        let start = out.len();
        let subtype = match prefix {
            IpNet::V4(_) => RIB_IPV4_UNICAST,
            IpNet::V6(_) => RIB_IPV6_UNICAST,
        };
        let subtype = if add_path { subtype + ADD_PATH } else { subtype };

        put_header(self.at, TABLE_DUMP_V2, subtype, out);
        out.put_u32(self.sequence);
        put_prefix(prefix, out);
        let count_at = out.len();
        out.put_u16(0);
        RibWriter { table: self, out, add_path, start, count_at, count: 0 }
    }
}

/// The writer of the record of one prefix.
#[derive(Debug)]
pub struct RibWriter<'w> {
    table: &'w mut TableWriter,
    out: &'w mut BytesMut,
    add_path: bool,
    start: usize,
    count_at: usize,
    count: u16,
}

impl RibWriter<'_> {
    /// Adds the route of a peer, by its index among the peers, with the time when it was received. The path identifier counts
    /// only in a record with path identifiers.
    ///
    /// Returns false, and adds nothing, if the record has 65,535 entries or the attributes do not fit into one.
    pub fn push(
        &mut self,
        peer: u16,
        path_id: u32,
        originated: Duration,
        attributes: &PathAttributes,
    ) -> bool {
        let Some(count) = self.count.checked_add(1) else { return false };
        let Some(octets) = attribute_octets(attributes, &mut self.table.scratch) else {
            return false;
        };

        self.out.put_u16(peer);
        self.out.put_u32(seconds(originated));
        if self.add_path {
            self.out.put_u32(path_id);
        }
        let length_at = self.out.len();
        self.out.put_u16(0);
        octets.put(attributes.next_hop, self.out);

        let length = self.out.len() - length_at - 2;
        let Ok(length) = u16::try_from(length) else {
            let entry = if self.add_path { 10 } else { 6 };
            self.out.truncate(length_at - entry);
            return false;
        };
        patch(self.out, length_at, &length.to_be_bytes());
        self.count = count;
        true
    }

    /// Completes the record and returns the number of its routes. Without routes there is no record.
    pub fn finish(self) -> u16 {
        if self.count == 0 {
            self.out.truncate(self.start);
            return 0;
        }

        patch(self.out, self.count_at, &self.count.to_be_bytes());
        close(self.start, self.out);
        self.table.sequence = self.table.sequence.wrapping_add(1);
        self.count
    }
}

/// The attributes of an entry without the next hop, in ascending order of their codes.
struct EntryAttributes<'a>(&'a [u8]);

/// Encodes the attributes as for a session with four-octet AS numbers, and with LOCAL_PREF. `None` if they exceed a message.
fn attribute_octets<'a>(
    attributes: &PathAttributes,
    scratch: &'a mut BytesMut,
) -> Option<EntryAttributes<'a>> {
    let cx = WireContext::new(PeerType::Internal)
        .four_octet_as(true)
        .extended_messages(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true);

    scratch.clear();
    let any: NextHop = std::net::Ipv6Addr::UNSPECIFIED.into();
    let mut writer = UpdateWriter::reach_with(scratch, AfiSafi::IPV6_UNICAST, &any, attributes, cx);
    if !writer.push(IpNet::V6(ipnet::Ipv6Net::default())) {
        return None;
    }
    writer.finish();

    // Header, two lengths, and an MP_REACH_NLRI with one next hop and the prefix `::/0`: the first attribute.
    let mp_reach = 3 + 2 + 1 + 1 + 16 + 1 + 1;
    scratch.get(19 + 4 + mp_reach..).map(EntryAttributes)
}

impl EntryAttributes<'_> {
    /// Appends them with the next hop in its place: NEXT_HOP, or an MP_REACH_NLRI with nothing but the next hop (RFC 6396
    /// section 4.3.4).
    fn put(&self, next_hop: Option<NextHop>, out: &mut BytesMut) {
        let (code, flags) = match next_hop {
            Some(NextHop::V4(_)) => (AttributeCode::NEXT_HOP, AttributeFlags::TRANSITIVE),
            _ => (AttributeCode::MP_REACH_NLRI, AttributeFlags::OPTIONAL),
        };
        let (before, after) =
            self.0.split_at_checked(self.end_below(code)).unwrap_or((self.0, &[]));

        out.put_slice(before);
        match next_hop {
            None => {}
            Some(NextHop::V4(address)) => {
                out.put_slice(&[flags.0, code.0, 4]);
                out.put_slice(&address.octets());
            }
            Some(NextHop::V6 { global, link_local }) => {
                let length = if link_local.is_some() { 32 } else { 16 };
                out.put_slice(&[flags.0, code.0, length + 1, length]);
                out.put_slice(&global.octets());
                if let Some(link_local) = link_local {
                    out.put_slice(&link_local.octets());
                }
            }
        }
        out.put_slice(after);
    }

    /// The number of octets of the attributes with lower codes.
    fn end_below(&self, code: AttributeCode) -> usize {
        let mut end = 0;
        while let Some((attribute, length)) =
            self.0.get(end..).and_then(crate::wire::AttributeView::split)
        {
            if attribute.code > code {
                break;
            }
            end += length;
        }
        end
    }
}

/// Appends a BGP4MP record.
fn session_record(
    at: Duration,
    precision: Precision,
    subtype: u16,
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut),
) {
    match precision {
        Precision::Seconds => record(at, BGP4MP, subtype, out, body),
        Precision::Microseconds => record(at, BGP4MP_ET, subtype, out, |out| {
            out.put_u32(at.subsec_micros());
            body(out);
        }),
    }
}

/// Appends a record: writes the header, calls `body` to append the rest, and patches the length.
fn record(
    at: Duration,
    kind: u16,
    subtype: u16,
    out: &mut BytesMut,
    body: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    put_header(at, kind, subtype, out);
    body(out);
    close(start, out);
}

fn put_header(at: Duration, kind: u16, subtype: u16, out: &mut BytesMut) {
    out.put_u32(seconds(at));
    out.put_u16(kind);
    out.put_u16(subtype);
    out.put_u32(0);
}

/// Patches the length of the record that began at `start`.
fn close(start: usize, out: &mut BytesMut) {
    let length = out.len().saturating_sub(start + super::RECORD_HEADER_LENGTH);
    patch(out, start + 8, &u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn patch(out: &mut BytesMut, at: usize, octets: &[u8]) {
    if let Some(place) = out.get_mut(at..at + octets.len()) {
        place.copy_from_slice(octets);
    }
}

/// Appends the part that all BGP4MP records have after the AS numbers.
fn put_ends(interface: u16, peer: IpAddr, local: IpAddr, out: &mut BytesMut) {
    out.put_u16(interface);
    // Both addresses have one family. An IPv4 address beside an IPv6 one is mapped.
    let is_ipv4 = peer.is_ipv4() && local.is_ipv4();
    out.put_u16(if is_ipv4 { 1 } else { 2 });
    for address in [peer, local] {
        match address {
            IpAddr::V4(address) if !is_ipv4 => out.put_slice(&address.to_ipv6_mapped().octets()),
            address => put_address(address, out),
        }
    }
}

fn put_address(address: IpAddr, out: &mut BytesMut) {
    match address {
        IpAddr::V4(address) => out.put_slice(&address.octets()),
        IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
}

fn put_prefix(prefix: IpNet, out: &mut BytesMut) {
    let length = prefix.prefix_len();
    out.put_u8(length);
    let octets = usize::from(length.div_ceil(8));
    match prefix.network() {
        IpAddr::V4(network) => out.put_slice(network.octets().get(..octets).unwrap_or_default()),
        IpAddr::V6(network) => out.put_slice(network.octets().get(..octets).unwrap_or_default()),
    }
}

/// The seconds of a time since 1970; the maximum if they do not fit.
fn seconds(at: Duration) -> u32 {
    u32::try_from(at.as_secs()).unwrap_or(u32::MAX)
}

const STATE_CHANGE_AS4: u16 = 5;
const PEER_INDEX_TABLE: u16 = 1;
const RIB_IPV4_UNICAST: u16 = 2;
const RIB_IPV6_UNICAST: u16 = 4;
/// The distance from a subtype of TABLE_DUMP_V2 to the one with path identifiers.
const ADD_PATH: u16 = 6;
