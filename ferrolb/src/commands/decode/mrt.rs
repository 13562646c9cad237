//! MRT files, plain or compressed: the messages in them, and the routes of tables as the UPDATEs that would have brought
//! them. The form of the records is `bgp_session::mrt`'s.

use std::io::{self, BufRead, Read};
use std::net::IpAddr;

use bgp_session::Asn;
use bgp_session::mrt::{RECORD_HEADER_LENGTH, Record, RecordContent, RibRecord, Sessions};
use bgp_session::wire::WireContext;
use bytes::BytesMut;

use super::place::Place;

/// One message of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// When it was recorded, and between whom.
    pub(super) place: Place,
    /// The message with its header.
    pub(super) message: &'a [u8],
    /// How to read it.
    pub(super) context: WireContext,
}

/// What of a file is no message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Records of types that carry no message: changes of state, tables of peers.
    pub other_records: u64,
    /// Records whose content does not fit their length, and routes whose attributes make no message.
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
    each: impl FnMut(Entry<'_>) -> io::Result<()>,
) -> io::Result<Skipped> {
    let mut file = File {
        each,
        sessions: Sessions::new(),
        peers: Vec::new(),
        message: BytesMut::new(),
        skipped: Skipped::default(),
    };
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let ended = read_up_to(&mut input, RECORD_HEADER_LENGTH as u64, &mut buffer)?;
        if let Some(length) = Record::length(&buffer) {
            read_up_to(&mut input, length - RECORD_HEADER_LENGTH as u64, &mut buffer)?;
        }
        let Some(record) = Record::split(&buffer) else {
            file.skipped.cut = !buffer.is_empty() || ended == Ended::Within;
            return Ok(file.skipped);
        };
        file.record(&record)?;
    }
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

/// A file as far as it is read.
struct File<F> {
    each: F,
    sessions: Sessions,
    /// The peers of the table, by their numbers.
    peers: Vec<(IpAddr, Asn)>,
    /// The UPDATE of a route, composed; used again for the next.
    message: BytesMut,
    skipped: Skipped,
}

impl<F: FnMut(Entry<'_>) -> io::Result<()>> File<F> {
    fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        match record.content() {
            Ok(RecordContent::Message(recorded)) => (self.each)(Entry {
                place: Place::Record {
                    timestamp: record.timestamp(),
                    microseconds: record.microseconds(),
                    peer: Some((recorded.peer, recorded.peer_as)),
                    sent: recorded.sent,
                },
                message: recorded.octets,
                context: self.sessions.context(&recorded),
            }),
            Ok(RecordContent::Rib(rib)) => self.rib(record.timestamp(), &rib),
            Ok(RecordContent::PeerIndexTable(table)) => {
                self.peers.clear();
                self.peers.extend(table.peers().map(|peer| (peer.address, peer.asn)));
                self.skipped.other_records += 1;
                Ok(())
            }
            Ok(_) => {
                self.skipped.other_records += 1;
                Ok(())
            }
            Err(_) => {
                self.skipped.malformed_records += 1;
                Ok(())
            }
        }
    }

    fn rib(&mut self, timestamp: u32, rib: &RibRecord<'_>) -> io::Result<()> {
        for entry in rib.entries() {
            self.message.clear();
            if !rib.encode_update(&entry, &mut self.message) {
                self.skipped.malformed_records += 1;
                continue;
            }
            let peer = self.peers.get(usize::from(entry.peer)).copied();
            (self.each)(Entry {
                place: Place::Record { timestamp, microseconds: None, peer, sent: false },
                message: &self.message,
                context: rib.context(),
            })?;
        }
        Ok(())
    }
}
