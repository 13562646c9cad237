//! TABLE_DUMP_V2: the routes of a table (RFC 6396 section 4.3, RFC 8050 section 4).

use std::net::{IpAddr, Ipv4Addr};

use bytes::{BufMut, BytesMut};
use ipnet::IpNet;

use crate::types::{Afi, AfiSafi, Asn, BgpIdentifier, PeerType, Safi};
use crate::wire::input::{
    Parsed, counted_by_two_octets, four_octets, octet, octets, truncated, two_octets,
};
use crate::wire::{
    AttributeCode, AttributeFlags, AttributeView, Attributes, Prefixes, WireContext,
};

use super::{RecordContent, address};

/// The table of peers that the entries of a file refer to by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIndexTable<'a> {
    collector: BgpIdentifier,
    view: &'a [u8],
    count: u16,
    peers: &'a [u8],
}

/// A peer of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TablePeer {
    /// The identifier of the peer.
    pub identifier: BgpIdentifier,
    /// The address of the peer.
    pub address: IpAddr,
    /// The AS of the peer.
    pub asn: Asn,
}

/// A prefix and the routes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RibRecord<'a> {
    sequence: u32,
    family: AfiSafi,
    add_path: bool,
    nlri: &'a [u8],
    count: u16,
    entries: &'a [u8],
}

/// A route of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RibEntry<'a> {
    /// The peer with this route: its index in the [`PeerIndexTable`], from 0.
    pub peer: u16,
    /// The time when the route was received, in seconds since 1970.
    pub originated: u32,
    /// The path identifier, if the table has these.
    pub path_id: Option<u32>,
    /// The attributes as recorded: those of an UPDATE with four-octet AS numbers, except for MP_REACH_NLRI.
    pub attribute_octets: &'a [u8],
}

impl TablePeer {
    /// A peer with these values.
    #[must_use]
    pub const fn new(identifier: BgpIdentifier, address: IpAddr, asn: Asn) -> Self {
        Self { identifier, address, asn }
    }
}

impl<'a> PeerIndexTable<'a> {
    /// The identifier of the recording collector; often 0.
    #[must_use]
    pub const fn collector(&self) -> BgpIdentifier {
        self.collector
    }

    /// The octets of the name of the view; often empty.
    #[must_use]
    pub const fn view(&self) -> &'a [u8] {
        self.view
    }

    /// The peers in order of their numbers.
    #[must_use]
    pub const fn peers(&self) -> TablePeers<'a> {
        TablePeers { octets: self.peers, left: self.count }
    }
}

/// An iterator over the peers of a table in order of their numbers.
#[derive(Clone, Debug)]
pub struct TablePeers<'a> {
    octets: &'a [u8],
    left: u16,
}

impl Iterator for TablePeers<'_> {
    type Item = TablePeer;

    fn next(&mut self) -> Option<TablePeer> {
        self.left = self.left.checked_sub(1)?;
        let (rest, peer) = table_peer(self.octets).ok()?;
        self.octets = rest;
        Some(peer)
    }
}

impl<'a> RibRecord<'a> {
    /// The number of the record within its file, from 0.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }

    /// The family of the routes.
    #[must_use]
    pub const fn family(&self) -> AfiSafi {
        self.family
    }

    /// The prefix with its host bits masked; `None` for a family whose NLRI are carried as octets.
    #[must_use]
    pub fn prefix(&self) -> Option<IpNet> {
        Prefixes::new(self.family, self.nlri, false).next()
    }

    /// The NLRI as recorded, without a path identifier.
    #[must_use]
    pub const fn nlri_octets(&self) -> &'a [u8] {
        self.nlri
    }

    /// The routes in the order recorded.
    #[must_use]
    pub const fn entries(&self) -> RibEntries<'a> {
        RibEntries { octets: self.entries, left: self.count, add_path: self.add_path }
    }

    /// The context for reading the messages that [`encode_update`](Self::encode_update) writes.
    ///
    /// Entries of a table may have a LOCAL_PREF, so they are read as from an internal peer. With a complete MP_REACH_NLRI they
    /// may exceed 4,096 octets.
    #[must_use]
    pub fn context(&self) -> WireContext {
        WireContext::new(PeerType::Internal)
            .four_octet_as(true)
            .extended_messages(true)
            .extended_next_hop(true)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true)
            .multiprotocol(self.family, true)
            .add_path(self.family, self.add_path)
    }

    /// Appends the UPDATE for an entry of this record, with the prefix and a complete MP_REACH_NLRI. The attributes keep their
    /// order and are not checked.
    ///
    /// Returns false, and writes nothing, if there is no valid message: the attributes are incomplete, or it would exceed
    /// 65,535 octets.
    #[must_use]
    pub fn encode_update(&self, entry: &RibEntry<'_>, out: &mut BytesMut) -> bool {
        let start = out.len();
        let written = self.write_update(entry, out);
        if written.is_none() {
            out.truncate(start);
        }
        written.is_some()
    }

    fn write_update(&self, entry: &RibEntry<'_>, out: &mut BytesMut) -> Option<()> {
        let start = out.len();
        out.put_bytes(0xff, 16);
        out.put_slice(&[0, 0, 2, 0, 0, 0, 0]);
        let attributes_at = out.len();

        let mut rest = entry.attribute_octets;
        let mut is_mp = false;
        while !rest.is_empty() {
            let (attribute, length) = AttributeView::split(rest)?;
            let (whole, after) = rest.split_at_checked(length)?;
            rest = after;
            if attribute.code == AttributeCode::MP_REACH_NLRI {
                is_mp = true;
                self.write_mp_reach(next_hop(attribute.value)?, entry.path_id, out)?;
            } else {
                out.put_slice(whole);
            }
        }
        let attributes = u16::try_from(out.len() - attributes_at).ok()?;

        // IPv4 unicast needs no MP_REACH_NLRI, unless its next hop is in one (RFC 8950).
        if !is_mp && self.family == AfiSafi::IPV4_UNICAST {
            self.write_nlri(entry.path_id, out);
        }

        let length = u16::try_from(out.len() - start).ok()?;
        out.get_mut(start + 16..start + 18)?.copy_from_slice(&length.to_be_bytes());
        out.get_mut(attributes_at - 2..attributes_at)?.copy_from_slice(&attributes.to_be_bytes());
        Some(())
    }

    fn write_mp_reach(
        &self,
        next_hop: &[u8],
        path_id: Option<u32>,
        out: &mut BytesMut,
    ) -> Option<()> {
        let flags = AttributeFlags::OPTIONAL.with(AttributeFlags::EXTENDED_LENGTH);
        out.put_slice(&[flags.0, AttributeCode::MP_REACH_NLRI.0]);
        let path_id_length = if path_id.is_some() { 4 } else { 0 };
        out.put_u16(u16::try_from(5 + next_hop.len() + path_id_length + self.nlri.len()).ok()?);

        out.put_u16(self.family.afi.0);
        out.put_slice(&[self.family.safi.0, u8::try_from(next_hop.len()).ok()?]);
        out.put_slice(next_hop);
        out.put_u8(0);
        self.write_nlri(path_id, out);
        Some(())
    }

    fn write_nlri(&self, path_id: Option<u32>, out: &mut BytesMut) {
        if let Some(path_id) = path_id {
            out.put_u32(path_id);
        }
        out.put_slice(self.nlri);
    }
}

/// An iterator over the routes of one record in the order recorded.
#[derive(Clone, Debug)]
pub struct RibEntries<'a> {
    octets: &'a [u8],
    left: u16,
    add_path: bool,
}

impl<'a> Iterator for RibEntries<'a> {
    type Item = RibEntry<'a>;

    fn next(&mut self) -> Option<RibEntry<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (rest, entry) = rib_entry(self.octets, self.add_path).ok()?;
        self.octets = rest;
        Some(entry)
    }
}

impl<'a> RibEntry<'a> {
    /// The attributes in order; see [`attribute_octets`](Self::attribute_octets).
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attribute_octets)
    }

    /// The octets of the next hop in MP_REACH_NLRI, in either of its recorded formats.
    #[must_use]
    pub fn mp_next_hop(&self) -> Option<&'a [u8]> {
        let mut attributes = self.attributes();
        let mp = attributes.find(|attribute| attribute.code == AttributeCode::MP_REACH_NLRI)?;
        next_hop(mp.value)
    }
}

/// The next hop of an MP_REACH_NLRI: after its length (RFC 6396 section 4.3.4), or after family and length, because some
/// writers record the whole attribute.
fn next_hop(value: &[u8]) -> Option<&[u8]> {
    match value {
        [length, next_hop @ ..] if usize::from(*length) == next_hop.len() => Some(next_hop),
        [_, _, _, length, rest @ ..] => rest.get(..usize::from(*length)),
        _ => None,
    }
}

pub(super) fn content(subtype: u16, body: &[u8]) -> Parsed<'_, RecordContent<'_>> {
    let (v4, v6) = (Afi::IPV4, Afi::IPV6);
    let family = match subtype {
        1 => return peer_index_table(body),
        2 | 8 => AfiSafi::new(v4, Safi::UNICAST),
        3 | 9 => AfiSafi::new(v4, Safi::MULTICAST),
        4 | 10 => AfiSafi::new(v6, Safi::UNICAST),
        5 | 11 => AfiSafi::new(v6, Safi::MULTICAST),
        6 | 12 => return generic(body, subtype == 12),
        _ => return Ok((&[], RecordContent::Other)),
    };
    let (input, sequence) = four_octets(body)?;
    rib(input, sequence, family, subtype >= 8)
}

fn peer_index_table(body: &[u8]) -> Parsed<'_, RecordContent<'_>> {
    let (input, collector) = four_octets(body)?;
    let (input, view) = counted_by_two_octets(input)?;
    let (peers, count) = two_octets(input)?;
    let (rest, ()) = skip(peers, count, table_peer)?;
    let peers = peers.get(..peers.len() - rest.len()).ok_or_else(truncated)?;
    let table = PeerIndexTable { collector: collector.into(), view, count, peers };
    Ok((rest, RecordContent::PeerIndexTable(table)))
}

fn table_peer(input: &[u8]) -> Parsed<'_, TablePeer> {
    let (input, kind) = octet(input)?;
    let (input, identifier) = four_octets(input)?;
    let (input, address) = address(input, kind & IPV6_PEER != 0)?;
    let (input, asn) = if kind & FOUR_OCTET_PEER != 0 {
        four_octets(input)?
    } else {
        two_octets(input).map(|(input, asn)| (input, asn.into()))?
    };
    let identifier = BgpIdentifier(Ipv4Addr::from(identifier));
    Ok((input, TablePeer { identifier, address, asn: Asn(asn) }))
}

/// Reads a RIB_GENERIC record, which contains its family (RFC 6396 section 4.3.3).
fn generic(body: &[u8], add_path: bool) -> Parsed<'_, RecordContent<'_>> {
    let (input, sequence) = four_octets(body)?;
    let (input, afi) = two_octets(input)?;
    let (input, safi) = octet(input)?;
    rib(input, sequence, AfiSafi::new(Afi(afi), Safi(safi)), add_path)
}

fn rib(
    input: &[u8],
    sequence: u32,
    family: AfiSafi,
    add_path: bool,
) -> Parsed<'_, RecordContent<'_>> {
    let Some(length) = nlri_length(family, input) else { return Ok((&[], RecordContent::Other)) };
    let (input, nlri) = octets(input, length)?;
    if Prefixes::new(family, nlri, false).next().is_none() && is_of_prefixes(family) {
        return Err(truncated());
    }

    let (entries, count) = two_octets(input)?;
    let (rest, ()) = skip(entries, count, |input| rib_entry(input, add_path))?;
    let entries = entries.get(..entries.len() - rest.len()).ok_or_else(truncated)?;
    let rib = RibRecord { sequence, family, add_path, nlri, count, entries };
    Ok((rest, RecordContent::Rib(rib)))
}

fn rib_entry(input: &[u8], add_path: bool) -> Parsed<'_, RibEntry<'_>> {
    let (input, peer) = two_octets(input)?;
    let (input, originated) = four_octets(input)?;
    let (input, path_id) = if add_path {
        four_octets(input).map(|(input, path_id)| (input, Some(path_id)))?
    } else {
        (input, None)
    };
    let (input, attribute_octets) = counted_by_two_octets(input)?;
    Ok((input, RibEntry { peer, originated, path_id, attribute_octets }))
}

/// Skips `count` elements, and checks them.
fn skip<'a, T>(
    mut input: &'a [u8],
    count: u16,
    parse: impl Fn(&'a [u8]) -> Parsed<'a, T>,
) -> Parsed<'a, ()> {
    for _ in 0..count {
        (input, _) = parse(input)?;
    }
    Ok((input, ()))
}

fn is_of_prefixes(family: AfiSafi) -> bool {
    matches!(family.afi, Afi::IPV4 | Afi::IPV6)
        && matches!(family.safi, Safi::UNICAST | Safi::MULTICAST)
}

/// The length in octets of the first of some NLRI; `None` for an unknown family.
///
/// The NLRI of most families begin with their length in bits, those of EVPN with a type and the length in octets (RFC 7432
/// section 7), and those of flow specifications with the length in octets (RFC 8955 section 4.1).
fn nlri_length(family: AfiSafi, input: &[u8]) -> Option<usize> {
    match (family.safi, input) {
        (
            Safi::UNICAST | Safi::MULTICAST | Safi::LABELED_UNICAST | Safi::VPN_UNICAST,
            [bits, ..],
        ) if matches!(family.afi, Afi::IPV4 | Afi::IPV6) => Some(1 + usize::from(bits.div_ceil(8))),
        (Safi::EVPN, [_, octets, ..]) => Some(2 + usize::from(*octets)),
        (Safi::FLOWSPEC, [high @ 0xf0..=0xff, low, ..]) => {
            Some(2 + (usize::from(high & 0x0f) << 8 | usize::from(*low)))
        }
        (Safi::FLOWSPEC, [octets, ..]) => Some(1 + usize::from(*octets)),
        _ => None,
    }
}

/// The flags in the type of a peer (RFC 6396 section 4.3.1).
pub(super) const IPV6_PEER: u8 = 1;
pub(super) const FOUR_OCTET_PEER: u8 = 2;
