//! MRT files (RFC 6396, RFC 8050), plain or compressed: the messages in them, and their RIB entries as the UPDATEs that
//! would have brought them.

use std::io::{self, BufRead, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp_session::wire::WireContext;
use bgp_session::{AfiSafi, PeerType};

/// One message of a file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Seconds since 1970.
    pub(super) timestamp: u32,
    /// Who sent it, where the file says so.
    pub(super) peer: Option<(IpAddr, u32)>,
    /// The message with its header.
    pub(super) message: Vec<u8>,
    /// How to read it.
    pub(super) context: WireContext,
}

/// What of a file is no message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Records of types that carry no message: changes of state, tables of peers.
    pub other_records: u64,
    /// Records whose content does not fit their length.
    pub malformed_records: u64,
    /// The file ends within a record.
    pub cut: bool,
}

/// Reads plain text, gzip or bzip2, by the first octets.
///
/// # Errors
///
/// What reading says.
pub(super) fn decompressed<'a>(mut input: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let start = input.fill_buf()?;
    Ok(if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(input))
    } else if start.starts_with(b"BZh") {
        Box::new(bzip2::bufread::MultiBzDecoder::new(input))
    } else {
        Box::new(input)
    })
}

/// Gives every message of a file to `each`.
///
/// # Errors
///
/// What `each` or the reading says; a file that ends within a record, or within its compression, is no error.
pub(super) fn read(
    mut input: impl Read,
    mut each: impl FnMut(Entry) -> io::Result<()>,
) -> io::Result<Skipped> {
    let mut skipped = Skipped::default();
    let mut peers = Vec::new();
    while let Some(record) = record(&mut input, &mut skipped)? {
        let mut fields = Fields(&record.body);
        let entries = match (record.kind, record.subtype) {
            (BGP4MP | BGP4MP_ET, subtype) => {
                if record.kind == BGP4MP_ET && fields.take(4).is_none() {
                    None
                } else {
                    bgp4mp(record.timestamp, subtype, fields)
                }
            }
            (TABLE_DUMP_V2, PEER_INDEX_TABLE) => peer_index(fields).map(|table| {
                peers = table;
                Vec::new()
            }),
            (TABLE_DUMP_V2, subtype) => rib(record.timestamp, subtype, fields, &peers),
            _ => Some(Vec::new()),
        };
        match entries {
            None => skipped.malformed_records += 1,
            Some(entries) if entries.is_empty() => skipped.other_records += 1,
            Some(entries) => entries.into_iter().try_for_each(&mut each)?,
        }
    }
    Ok(skipped)
}

struct Record {
    timestamp: u32,
    kind: u16,
    subtype: u16,
    body: Vec<u8>,
}

fn record(input: &mut impl Read, skipped: &mut Skipped) -> io::Result<Option<Record>> {
    let mut header = Vec::with_capacity(12);
    let ended = read_up_to(input, 12, &mut header)?;
    let mut fields = Fields(&header);
    let (Some(timestamp), Some(kind), Some(subtype), Some(length)) =
        (fields.u32(), fields.u16(), fields.u16(), fields.u32())
    else {
        skipped.cut = !header.is_empty() || ended == Ended::Within;
        return Ok(None);
    };
    let mut body = Vec::new();
    read_up_to(input, u64::from(length), &mut body)?;
    if u32::try_from(body.len()).ok() != Some(length) {
        skipped.cut = true;
        return Ok(None);
    }
    Ok(Some(Record { timestamp, kind, subtype, body }))
}

#[derive(PartialEq, Eq)]
enum Ended {
    Properly,
    Within,
}

/// Compression that is cut says so by an error; for us the file ends there.
fn read_up_to(input: &mut impl Read, length: u64, buffer: &mut Vec<u8>) -> io::Result<Ended> {
    match input.by_ref().take(length).read_to_end(buffer) {
        Ok(_) => Ok(Ended::Properly),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Ended::Within),
        Err(error) => Err(error),
    }
}

/// A BGP4MP record (RFC 6396 section 4.4, RFC 8050 section 3).
fn bgp4mp(timestamp: u32, subtype: u16, mut fields: Fields<'_>) -> Option<Vec<Entry>> {
    let (asn4, add_path) = match subtype {
        1 | 6 => (false, false),
        4 | 7 => (true, false),
        8 | 10 => (false, true),
        9 | 11 => (true, true),
        _ => return Some(Vec::new()),
    };
    let mut asn = || if asn4 { fields.u32() } else { fields.u16().map(u32::from) };
    let (peer_asn, local_asn) = (asn()?, asn()?);
    let _interface = fields.u16()?;
    let ipv6 = fields.u16()? == 2;
    let peer = fields.address(ipv6)?;
    let _local = fields.address(ipv6)?;
    let peer_type = if peer_asn == local_asn { PeerType::Internal } else { PeerType::External };
    let mut context = context(peer_type).four_octet_as(asn4);
    if add_path {
        for family in FAMILIES {
            context = context.add_path(family, true);
        }
    }
    let (peer, message) = (Some((peer, peer_asn)), fields.0.to_vec());
    Some(vec![Entry { timestamp, peer, message, context }])
}

/// The table of peers that RIB entries point into (RFC 6396 section 4.3.1).
fn peer_index(mut fields: Fields<'_>) -> Option<Vec<(IpAddr, u32)>> {
    fields.take(4)?;
    let name = fields.u16()?;
    fields.take(usize::from(name))?;
    let count = fields.u16()?;
    (0..count)
        .map(|_| {
            let [kind] = *fields.take(1)? else { return None };
            fields.take(4)?;
            let address = fields.address(kind & 1 != 0)?;
            let asn = if kind & 2 != 0 { fields.u32()? } else { fields.u16()?.into() };
            Some((address, asn))
        })
        .collect()
}

/// A record of RIB entries for one prefix (RFC 6396 section 4.3.2, RFC 8050 section 4).
fn rib(
    timestamp: u32,
    subtype: u16,
    mut fields: Fields<'_>,
    peers: &[(IpAddr, u32)],
) -> Option<Vec<Entry>> {
    let (family, add_path) = match subtype {
        2 | 8 => (AfiSafi::IPV4_UNICAST, subtype == 8),
        4 | 10 => (AfiSafi::IPV6_UNICAST, subtype == 10),
        _ => return Some(Vec::new()),
    };
    let _sequence = fields.u32()?;
    let nlri = fields.0;
    let [bits] = *fields.take(1)? else { return None };
    fields.take(usize::from(bits).div_ceil(8))?;
    let nlri = nlri.get(..nlri.len() - fields.0.len())?;
    let count = fields.u16()?;
    (0..count)
        .map(|_| {
            let peer = peers.get(usize::from(fields.u16()?)).copied();
            let _originated = fields.u32()?;
            let path_id = if add_path { Some(fields.take(4)?) } else { None };
            let length = fields.u16()?;
            let attributes = fields.take(usize::from(length))?;
            // What stands in a RIB was accepted, LOCAL_PREF too: it is read as from an internal peer.
            let context = context(PeerType::Internal)
                .four_octet_as(true)
                .extended_messages(true)
                .add_path(family, add_path);
            let nlri = [path_id.unwrap_or_default(), nlri].concat();
            let message = update(family, &nlri, attributes)?;
            Some(Entry { timestamp, peer, message, context })
        })
        .collect()
}

/// The UPDATE of one RIB entry: its MP_REACH_NLRI, which holds the next hop alone, is made whole.
fn update(family: AfiSafi, nlri: &[u8], attributes: &[u8]) -> Option<Vec<u8>> {
    let classic = family == AfiSafi::IPV4_UNICAST;
    let mut whole = Vec::with_capacity(attributes.len() + nlri.len() + 16);
    let mut rest = Fields(attributes);
    while !rest.0.is_empty() {
        let start = rest.0;
        let [flags, code] = *rest.take(2)? else { return None };
        let extended = flags & 0x10 != 0;
        let length =
            if extended { rest.u16()?.into() } else { rest.take(1)?.first().copied()?.into() };
        let value = rest.take(length)?;
        if code != MP_REACH_NLRI || classic {
            whole.extend_from_slice(start.get(..start.len() - rest.0.len())?);
            continue;
        }
        // Some write the whole attribute all the same.
        let next_hop = match value.first() {
            Some(&counted) if usize::from(counted) + 1 == value.len() => value.get(1..)?,
            _ => value.get(4..)?.get(..usize::from(*value.get(3)?))?,
        };
        let length = u16::try_from(5 + next_hop.len() + nlri.len()).ok()?;
        whole.extend_from_slice(&[0x90, MP_REACH_NLRI]);
        whole.extend_from_slice(&length.to_be_bytes());
        whole.extend_from_slice(&family.afi.0.to_be_bytes());
        whole.extend_from_slice(&[family.safi.0, u8::try_from(next_hop.len()).ok()?]);
        whole.extend_from_slice(next_hop);
        whole.push(0);
        whole.extend_from_slice(nlri);
    }
    let nlri = if classic { nlri } else { &[] };
    let length = u16::try_from(23 + whole.len() + nlri.len()).ok()?.to_be_bytes();
    let attributes = u16::try_from(whole.len()).ok()?.to_be_bytes();
    Some([&[0xff; 16][..], &length, &[2, 0, 0], &attributes, &whole, nlri].concat())
}

fn context(peer: PeerType) -> WireContext {
    FAMILIES.into_iter().fold(WireContext::new(peer), |cx, family| cx.multiprotocol(family, true))
}

/// Octets not yet read.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn address(&mut self, ipv6: bool) -> Option<IpAddr> {
        if ipv6 {
            let octets: [u8; 16] = self.take(16)?.try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        } else {
            let octets: [u8; 4] = self.take(4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets).into())
        }
    }
}

const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;
const TABLE_DUMP_V2: u16 = 13;
const PEER_INDEX_TABLE: u16 = 1;
const MP_REACH_NLRI: u8 = 14;
const FAMILIES: [AfiSafi; 2] = [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST];
