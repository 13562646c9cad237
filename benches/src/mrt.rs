//! MRT files (RFC 6396, RFC 8050): what collectors record.
//!
//! It owns the format, whole and uncompressed, and borrows everything. What is in a BGP message it doesn't look at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What is wrong with an MRT file, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MrtError {
    /// Octets of the file before the record that is wrong.
    pub offset: usize,
    /// Whether the file ends inside the record; else its inside is not as its type says.
    pub cut: bool,
}

impl std::fmt::Display for MrtError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.cut { "ends inside" } else { "cannot be read in" };
        write!(f, "the file {what} the MRT record at offset {}", self.offset)
    }
}

impl std::error::Error for MrtError {}

/// A record.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Seconds since 1970.
    pub timestamp: u32,
    /// What it holds.
    pub entry: Entry<'a>,
}

/// What a record holds.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Entry<'a> {
    /// A message that was received or sent: BGP4MP, BGP4MP_ET.
    Message(Message<'a>),
    /// The peers that RIB entries refer to by number: TABLE_DUMP_V2.
    Peers(PeerTable<'a>),
    /// A prefix and the routes to it: TABLE_DUMP_V2.
    Rib(Rib<'a>),
    /// A change of state, or a type that this module doesn't read.
    Other {
        /// The type.
        kind: u16,
        /// The subtype.
        subtype: u16,
    },
}

/// A whole BGP message and the session that it was seen on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Message<'a> {
    /// The AS of the peer.
    pub peer_as: u32,
    /// The address of the peer.
    pub peer: IpAddr,
    /// The AS of the collector.
    pub local_as: u32,
    /// AS numbers in the message have four octets.
    pub four_octet_as: bool,
    /// The message was sent by the collector.
    pub sent: bool,
    /// Prefixes in the message have path identifiers (RFC 8050).
    pub add_path: bool,
    /// The message, header included.
    pub octets: &'a [u8],
}

/// The peers of a table dump.
#[derive(Clone, Copy, Debug)]
pub struct PeerTable<'a> {
    octets: &'a [u8],
}

/// A peer of a table dump.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TablePeer {
    /// Its address.
    pub address: IpAddr,
    /// Its AS.
    pub asn: u32,
}

/// A prefix of a table dump, with the routes to it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Rib<'a> {
    /// The prefix.
    pub prefix: IpNet,
    /// Routes have path identifiers (RFC 8050).
    pub add_path: bool,
    entries: &'a [u8],
}

/// A route of a table dump.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RibEntry<'a> {
    /// Which of the peers has it.
    pub peer: u16,
    /// The identifier of the path, where there are some.
    pub path_id: Option<u32>,
    /// Its attributes as in an UPDATE, AS numbers of four octets; of an MP_REACH_NLRI only the next hop with its length
    /// (RFC 6396 section 4.3.4).
    pub attributes: &'a [u8],
}

/// The records of a file, the first error last.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    file: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Begins at the start of a file, uncompressed.
    #[must_use]
    pub const fn new(file: &'a [u8]) -> Self {
        Self { file, rest: file }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, MrtError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.file.len() - self.rest.len();
        let mut input = Input(self.rest);
        let Some(raw) = Raw::read(&mut input) else {
            self.rest = &[];
            return Some(Err(MrtError { offset, cut: true }));
        };
        self.rest = input.0;
        let entry = entry(raw.kind, raw.subtype, raw.body);
        let record = entry.map(|entry| Record { timestamp: raw.timestamp, entry });
        Some(record.ok_or(MrtError { offset, cut: false }))
    }
}

impl PeerTable<'_> {
    /// The peers in the order of their numbers.
    pub fn peers(&self) -> impl Iterator<Item = TablePeer> {
        let mut input = Input(self.octets);
        std::iter::from_fn(move || {
            let kind = input.u8()?;
            input.take(4)?;
            let address = input.address(if kind & 1 == 0 { 1 } else { 2 })?;
            let asn = if kind & 2 == 0 { input.u16()?.into() } else { input.u32()? };
            Some(TablePeer { address, asn })
        })
    }
}

impl<'a> Rib<'a> {
    /// The routes in the order recorded.
    pub fn entries(&self) -> impl Iterator<Item = RibEntry<'a>> + use<'a> {
        let mut input = Input(self.entries);
        let add_path = self.add_path;
        std::iter::from_fn(move || {
            let peer = input.u16()?;
            input.take(4)?;
            let path_id = if add_path { Some(input.u32()?) } else { None };
            let length = input.u16()?;
            Some(RibEntry { peer, path_id, attributes: input.take(length.into())? })
        })
    }
}

/// The body of a record, and what its header says.
struct Raw<'a> {
    timestamp: u32,
    kind: u16,
    subtype: u16,
    body: Input<'a>,
}

impl<'a> Raw<'a> {
    fn read(input: &mut Input<'a>) -> Option<Self> {
        let (timestamp, kind, subtype) = (input.u32()?, input.u16()?, input.u16()?);
        let length = usize::try_from(input.u32()?).ok()?;
        Some(Self { timestamp, kind, subtype, body: Input(input.take(length)?) })
    }
}

fn entry(kind: u16, subtype: u16, mut body: Input<'_>) -> Option<Entry<'_>> {
    Some(match (kind, subtype) {
        (TABLE_DUMP_V2, 1) => {
            body.take(4)?;
            let name = body.u16()?;
            body.take(name.into())?;
            body.u16()?;
            Entry::Peers(PeerTable { octets: body.0 })
        }
        (TABLE_DUMP_V2, 2 | 4 | 8 | 10) => Entry::Rib(rib(subtype, body)?),
        (BGP4MP, 1 | 4 | 6..=11) => Entry::Message(message(subtype, body)?),
        (BGP4MP_ET, 1 | 4 | 6..=11) => {
            // The microseconds.
            body.take(4)?;
            Entry::Message(message(subtype, body)?)
        }
        _ => Entry::Other { kind, subtype },
    })
}

fn rib(subtype: u16, mut body: Input<'_>) -> Option<Rib<'_>> {
    let _sequence = body.u32()?;
    let length = body.u8()?;
    let octets = body.take(length.div_ceil(8).into())?;
    let prefix = if matches!(subtype, 2 | 8) {
        let address = Ipv4Addr::from(leading::<4>(octets)?);
        IpNet::V4(Ipv4Net::new(address, length).ok()?.trunc())
    } else {
        let address = Ipv6Addr::from(leading::<16>(octets)?);
        IpNet::V6(Ipv6Net::new(address, length).ok()?.trunc())
    };
    let _count = body.u16()?;
    Some(Rib { prefix, add_path: subtype >= 8, entries: body.0 })
}

fn message(subtype: u16, mut body: Input<'_>) -> Option<Message<'_>> {
    let four_octet_as = matches!(subtype, 4 | 7 | 9 | 11);
    let mut asn = || if four_octet_as { body.u32() } else { body.u16().map(u32::from) };
    let (peer_as, local_as) = (asn()?, asn()?);
    let _interface = body.u16()?;
    let family = body.u16()?;
    let peer = body.address(family)?;
    let _local = body.address(family)?;
    Some(Message {
        peer_as,
        peer,
        local_as,
        four_octet_as,
        sent: matches!(subtype, 6 | 7 | 10 | 11),
        add_path: subtype >= 8,
        octets: body.0,
    })
}

/// Octets at the start of an array of zeroes.
fn leading<const N: usize>(octets: &[u8]) -> Option<[u8; N]> {
    let mut all = [0; N];
    all.get_mut(..octets.len())?.copy_from_slice(octets);
    Some(all)
}

/// What is still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// An address of AFI 1 or 2.
    fn address(&mut self, family: u16) -> Option<IpAddr> {
        Some(match family {
            1 => IpAddr::V4(self.array::<4>()?.into()),
            2 => IpAddr::V6(self.array::<16>()?.into()),
            _ => return None,
        })
    }
}

const TABLE_DUMP_V2: u16 = 13;
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;
