//! MRT: the format in which collectors and daemons record BGP messages and tables (RFC 6396, RFC 8050).
//!
//! This module owns the format of the records, and the session parameters that follow from a file. It does not open or
//! decompress files: it takes octets and returns views that borrow them, and appends records to a buffer.
//! [`wire`](crate::wire) decodes the messages.
//!
//! # File format
//!
//! A file is a sequence of records, often compressed as a whole. Numbers are big-endian; widths below are in octets.
//!
//! ```text
//! ┌───────────┬──────┬─────────┬────────┬──────────┐
//! │ timestamp │ type │ subtype │ length │ body ... │ ...        the length is that of the body
//! └───────────┴──────┴─────────┴────────┴──────────┘
//!   4           2      2         4
//! ```
//!
//! ## BGP4MP (type 16; 17 with microseconds before the body)
//!
//! A message or a state change of a session. Subtypes 1, 4 and 6 to 11 have a message; 4, 5, 7, 9 and 11 have four-octet AS
//! numbers, in the record and in the message; 6, 7, 10 and 11 are messages that the recording side sent; 8 to 11 have path
//! identifiers (RFC 8050). Subtypes 0 and 5 have two states instead.
//!
//! ```text
//! ┌─────────┬──────────┬───────────┬─────┬──────┬───────┬─────────────────────┐
//! │ peer AS │ local AS │ interface │ AFI │ peer │ local │ message, whole      │
//! └─────────┴──────────┴───────────┴─────┴──────┴───────┼───────────┬─────────┤
//!   2 or 4    2 or 4     2           2     4 or 16 each │ old state │ new ... │
//!                                                       └───────────┴─────────┘
//! ```
//!
//! ## TABLE_DUMP_V2 (type 13)
//!
//! The routes of a table at one instant. Subtype 1, the PEER_INDEX_TABLE, comes first and lists the peers. Each of the others
//! has one prefix and the routes of the peers to it: 2 and 3 for IPv4 unicast and multicast, 4 and 5 for IPv6, 6 for any
//! family; 8 to 12 are the same with path identifiers (RFC 8050). In subtype 12 these are read from the entries, where all
//! known writers put them, and not from the NLRI as in RFC 8050 section 4.3.
//!
//! ```text
//!      ┌───────────┬──────┬──────┬───────┬───────────────────────────────────────────────┐
//!  1   │ collector │ len  │ name │ count │ kind │ identifier │ address │ AS │ ...         │
//!      └───────────┴──────┴──────┴───────┴───────────────────────────────────────────────┘
//!        4           2             2       1      4            4 or 16   2 or 4
//!      ┌──────────┬────────┬───────┬──────────────────────────────────────────────────────┐
//!  2.. │ sequence │ prefix │ count │ peer │ originated │ (path id) │ len │ attributes │ ...│
//!      └──────────┴────────┴───────┴──────────────────────────────────────────────────────┘
//!        4          1 to 17  2       2      4            4           2
//! ```
//!
//! The attributes are those of an UPDATE with four-octet AS numbers, but an MP_REACH_NLRI only has the length of the next hop
//! and the next hop. [`RibRecord::encode_update`] reconstructs the UPDATE for an entry.
//!
//! # Reading
//!
//! ```
//! use bgp_core::mrt::{RecordContent, Records, Sessions};
//! use bgp_core::wire::{Frame, Message};
//!
//! // One record: a KEEPALIVE from 10.0.0.1, AS 65001, to 10.0.0.2, AS 65002.
//! let mut file = vec![0x65, 0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 39];
//! file.extend([0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea, 0, 0, 0, 1, 10, 0, 0, 1, 10, 0, 0, 2]);
//! file.extend([0xff; 16]);
//! file.extend([0, 19, 4]);
//!
//! let mut sessions = Sessions::new();
//! for record in Records::new(&file) {
//!     if let RecordContent::Message(recorded) = record.content()? {
//!         let cx = sessions.context(&recorded);
//!         let frame = Frame::split(recorded.octets, cx.limit())?.expect("a whole message");
//!         assert!(matches!(Message::decode(frame, cx)?, Message::Keepalive));
//!         assert_eq!(recorded.peer_as.to_string(), "65001");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Writing
//!
//! [`RecordedMessage::encode`] and [`StateChange::encode`] append a record of a session, [`TableWriter`] those of a table.
//! They write what other readers know: four-octet AS numbers wherever the message has them, IPv4 and IPv6 unicast.

mod bgp4mp;
mod sessions;
mod table;
#[cfg(test)]
mod tests;
mod write;
#[cfg(test)]
mod write_tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use bgp4mp::{RecordedMessage, StateChange};
pub use sessions::Sessions;
pub use table::{PeerIndexTable, RibEntries, RibEntry, RibRecord, TablePeer, TablePeers};
pub use write::{Precision, RibWriter, TableWriter};

use crate::wire::input::{Parsed, four_octets, octets, truncated, two_octets};

/// The length of the header of every record.
pub const RECORD_HEADER_LENGTH: usize = 12;

/// A complete record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    octets: &'a [u8],
    timestamp: u32,
    kind: u16,
    subtype: u16,
    body: &'a [u8],
}

/// The content of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordContent<'a> {
    /// A message of a session (BGP4MP).
    Message(RecordedMessage<'a>),
    /// A state change of a session (BGP4MP).
    StateChange(StateChange),
    /// The peers that entries refer to by number (TABLE_DUMP_V2).
    PeerIndexTable(PeerIndexTable<'a>),
    /// A prefix and the routes to it (TABLE_DUMP_V2).
    Rib(RibRecord<'a>),
    /// Any other type or subtype, which is not decoded.
    Other,
}

/// The content of a record does not match its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the content of the MRT record of type {kind}, subtype {subtype} does not match its length"
)]
#[non_exhaustive]
pub struct MrtError {
    /// The type of the record.
    pub kind: u16,
    /// The subtype of the record.
    pub subtype: u16,
}

impl<'a> Record<'a> {
    /// The first record of `buffer`, or `None` while it is incomplete: see [`length`](Self::length). The octets after it are
    /// ignored.
    #[must_use]
    pub fn split(buffer: &'a [u8]) -> Option<Self> {
        let (rest, (timestamp, kind, subtype, body)) = record(buffer).ok()?;
        let octets = buffer.get(..buffer.len() - rest.len())?;
        Some(Self { octets, timestamp, kind, subtype, body })
    }

    /// The length of the first record of `buffer`, including its header; `None` while the header is incomplete.
    ///
    /// The length comes from the file and may be up to 4 GiB and 12 octets: do not allocate it before reading.
    #[must_use]
    pub fn length(buffer: &[u8]) -> Option<u64> {
        let (_, (.., length)) = header(buffer).ok()?;
        Some(RECORD_HEADER_LENGTH as u64 + u64::from(length))
    }

    /// Seconds since 1970.
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Microseconds after the [`timestamp`](Self::timestamp), if the type has them.
    #[must_use]
    pub fn microseconds(&self) -> Option<u32> {
        if self.kind != BGP4MP_ET {
            return None;
        }
        four_octets(self.body).ok().map(|(_, microseconds)| microseconds)
    }

    /// The type, from IANA's registry.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.kind
    }

    /// The subtype; its meaning depends on the type.
    #[must_use]
    pub const fn subtype(&self) -> u16 {
        self.subtype
    }

    /// The octets after the header.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The complete record. A reader consumes this many octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    /// The content of the record.
    ///
    /// Everything except messages and attributes is checked here, so the iterators of the content cannot fail.
    ///
    /// # Errors
    ///
    /// The parts of the record do not match its length. The next record can still be read.
    pub fn content(&self) -> Result<RecordContent<'a>, MrtError> {
        let read = match self.kind {
            BGP4MP => bgp4mp::content(self.subtype, self.body),
            BGP4MP_ET => four_octets(self.body)
                .and_then(|(body, _microseconds)| bgp4mp::content(self.subtype, body)),
            TABLE_DUMP_V2 => table::content(self.subtype, self.body),
            _ => Ok((&[][..], RecordContent::Other)),
        };

        match read {
            Ok(([], content)) => Ok(content),
            _ => Err(MrtError { kind: self.kind, subtype: self.subtype }),
        }
    }
}

/// An iterator over the records of a decompressed file, up to its end or to an incomplete record.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Creates an iterator from the content of a file.
    #[must_use]
    pub const fn new(file: &'a [u8]) -> Self {
        Self { rest: file }
    }

    /// The octets that are not read yet. After the end of the iterator, these are an incomplete record.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let record = Record::split(self.rest)?;
        self.rest = self.rest.get(record.octets.len()..)?;
        Some(record)
    }
}

impl std::iter::FusedIterator for Records<'_> {}

/// Reads the header: timestamp, type, subtype, length of the body.
fn header(input: &[u8]) -> Parsed<'_, (u32, u16, u16, u32)> {
    let (input, timestamp) = four_octets(input)?;
    let (input, kind) = two_octets(input)?;
    let (input, subtype) = two_octets(input)?;
    let (input, length) = four_octets(input)?;
    Ok((input, (timestamp, kind, subtype, length)))
}

fn record(input: &[u8]) -> Parsed<'_, (u32, u16, u16, &[u8])> {
    let (input, (timestamp, kind, subtype, length)) = header(input)?;
    let (input, body) = octets(input, usize::try_from(length).map_err(|_| truncated())?)?;
    Ok((input, (timestamp, kind, subtype, body)))
}

/// Reads an IPv4 or IPv6 address.
fn address(input: &[u8], ipv6: bool) -> Parsed<'_, IpAddr> {
    if ipv6 {
        let (address, rest) = input.split_first_chunk::<16>().ok_or_else(truncated)?;
        return Ok((rest, Ipv6Addr::from(*address).into()));
    }
    let (address, rest) = input.split_first_chunk::<4>().ok_or_else(truncated)?;
    Ok((rest, Ipv4Addr::from(*address).into()))
}

const TABLE_DUMP_V2: u16 = 13;
const BGP4MP: u16 = 16;
const BGP4MP_ET: u16 = 17;
