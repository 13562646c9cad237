//! The messages in MRT files, plain or compressed. The routes of a table become the UPDATEs that would announce them.
//!
//! `bgp_session::mrt` owns the format of the records.

use std::io::{self, Read};
use std::net::IpAddr;

use bgp_session::Asn;
use bgp_session::mrt::{RECORD_HEADER_LENGTH, Record, RecordContent, RibRecord, Sessions};
use bgp_session::wire::WireContext;
use bytes::BytesMut;

use super::compressed::{ReadEnd, read_up_to};
use super::location::Location;

/// One message of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundMessage<'a> {
    /// The time of the record, and the session.
    pub(super) location: Location,
    /// The message with its header.
    pub(super) octets: &'a [u8],
    /// The context for decoding it.
    pub(super) context: WireContext,
}

/// The parts of a file that are not messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedRecords {
    /// The number of records of types without messages: changes of state, tables of peers.
    pub other_records: u64,
    /// The number of records whose content does not match their length, and of routes whose attributes fit no message.
    pub malformed_records: u64,
    /// True if the file ends within a record.
    pub cut: bool,
}

/// Calls `each` with every message of a file.
///
/// # Errors
///
/// The errors of `each` and of reading. A file that ends within a record, or within its compression, is no error.
pub(super) fn read(
    mut input: impl Read,
    each: impl FnMut(FoundMessage<'_>) -> io::Result<()>,
) -> io::Result<SkippedRecords> {
    let mut file = MrtFile {
        each,
        sessions: Sessions::new(),
        peers: Vec::new(),
        message: BytesMut::new(),
        skipped: SkippedRecords::default(),
    };

    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let end = read_up_to(&mut input, RECORD_HEADER_LENGTH as u64, &mut buffer)?;
        if let Some(length) = Record::length(&buffer) {
            read_up_to(&mut input, length - RECORD_HEADER_LENGTH as u64, &mut buffer)?;
        }

        let Some(record) = Record::split(&buffer) else {
            file.skipped.cut = !buffer.is_empty() || end == ReadEnd::Truncated;
            return Ok(file.skipped);
        };
        file.record(&record)?;
    }
}

/// A file that is being read.
struct MrtFile<F> {
    each: F,
    sessions: Sessions,
    /// The peers of the table, by their numbers.
    peers: Vec<(IpAddr, Asn)>,
    /// The buffer for the UPDATE of a route.
    message: BytesMut,
    skipped: SkippedRecords,
}

impl<F: FnMut(FoundMessage<'_>) -> io::Result<()>> MrtFile<F> {
    fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        match record.content() {
            Ok(RecordContent::Message(recorded)) => (self.each)(FoundMessage {
                location: Location::Record {
                    timestamp: record.timestamp(),
                    microseconds: record.microseconds(),
                    peer: Some((recorded.peer, recorded.peer_as)),
                    sent: recorded.sent,
                },
                octets: recorded.octets,
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
            (self.each)(FoundMessage {
                location: Location::Record { timestamp, microseconds: None, peer, sent: false },
                octets: &self.message,
                context: rib.context(),
            })?;
        }
        Ok(())
    }
}
