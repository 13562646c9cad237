//! MRT: the files in which collectors and daemons record what they hear (RFC 6396, RFC 8050).
//!
//! This module owns the form of the records and what they say about the sessions of a file. It reads no file and
//! uncompresses nothing: octets come in, views that borrow them go out. What is in a message is [`wire`](crate::wire)'s.
//!
//! # How a file looks
//!
//! A file is a row of records, often compressed as a whole. Numbers are big-endian; widths below are in octets.
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
//! A message of a session, or a change of its state. Subtypes 1, 4, 6 to 11 hold a message; 4, 5, 7, 9 and 11 have AS
//! numbers of four octets, here and in the message; 6, 7, 10 and 11 are messages that the recording side sent; 8 to 11
//! have path identifiers (RFC 8050). Subtypes 0 and 5 hold two states instead.
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
//! The routes of a table at one instant. Subtype 1, the PEER_INDEX_TABLE, comes first and says who the peers are; each of
//! the others has one prefix and the routes that peers have for it: 2 and 3 of IPv4 unicast and multicast, 4 and 5 of
//! IPv6, 6 of any family; 8 to 12 are the same with path identifiers (RFC 8050). In 12 these are looked for in the
//! entries, where all who write it put them, and not in the NLRI, where RFC 8050 section 4.3 has them.
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
//! The attributes are those of an UPDATE with AS numbers of four octets, but an MP_REACH_NLRI holds the next hop with its
//! length and nothing else. [`RibRecord::encode_update`] makes the UPDATE of an entry that would have brought it.
//!
//! # Reading
//!
//! ```
//! use bgp_core::mrt::{RecordContent, Records, Sessions};
//! use bgp_core::wire::{Frame, Message};
//!
//! // One record: a KEEPALIVE that 10.0.0.1, AS 65001, sent to 10.0.0.2, AS 65002.
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

mod bgp4mp;
mod sessions;
mod table;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use bgp4mp::{RecordedMessage, StateChange};
pub use sessions::Sessions;
pub use table::{PeerIndexTable, RibEntries, RibEntry, RibRecord, TablePeer, TablePeers};

use crate::wire::input::{Parsed, four_octets, octets, truncated, two_octets};

/// Octets of the header of every record.
pub const RECORD_HEADER_LENGTH: usize = 12;

/// One whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    octets: &'a [u8],
    timestamp: u32,
    kind: u16,
    subtype: u16,
    body: &'a [u8],
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordContent<'a> {
    /// A message of a session (BGP4MP).
    Message(RecordedMessage<'a>),
    /// A session went from one state to another (BGP4MP).
    StateChange(StateChange),
    /// The peers that entries refer to by number (TABLE_DUMP_V2).
    PeerIndexTable(PeerIndexTable<'a>),
    /// A prefix, and the routes to it (TABLE_DUMP_V2).
    Rib(RibRecord<'a>),
    /// Any other type or subtype, which is not read.
    Other,
}

/// What is in a record does not fit its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is in the MRT record of type {kind}, subtype {subtype} does not fit its length")]
#[non_exhaustive]
pub struct MrtError {
    /// The type of the record.
    pub kind: u16,
    /// Its subtype.
    pub subtype: u16,
}

impl<'a> Record<'a> {
    /// The first record of `buffer`, or `None` while it is not whole: see [`length`](Self::length). What follows it is not
    /// looked at.
    #[must_use]
    pub fn split(buffer: &'a [u8]) -> Option<Self> {
        let (rest, (timestamp, kind, subtype, body)) = record(buffer).ok()?;
        let octets = buffer.get(..buffer.len() - rest.len())?;
        Some(Self { octets, timestamp, kind, subtype, body })
    }

    /// How many octets the first record of `buffer` has with its header, where the header is there. The length is what the
    /// file says: up to 4 GiB and 12 octets, so that nobody should allocate it before it is read.
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

    /// Microseconds after the [`timestamp`](Self::timestamp), where the type has them.
    #[must_use]
    pub fn microseconds(&self) -> Option<u32> {
        if self.kind != BGP4MP_ET {
            return None;
        }
        four_octets(self.body).ok().map(|(_, microseconds)| microseconds)
    }

    /// The type of IANA's registry.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        self.kind
    }

    /// The subtype; its meaning depends on the type.
    #[must_use]
    pub const fn subtype(&self) -> u16 {
        self.subtype
    }

    /// What follows the header.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The whole record; its length is what a reader consumes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }

    /// What the record holds. Everything in it is checked now but the messages and attributes, so that its iterators
    /// cannot fail.
    ///
    /// # Errors
    ///
    /// Where its parts do not fill the record, or exceed it. The next record can be read all the same.
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

/// The records of a file, uncompressed, up to its end or to a record that is cut.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// Begins at the start of a file.
    #[must_use]
    pub const fn new(file: &'a [u8]) -> Self {
        Self { rest: file }
    }

    /// What is not read yet. Once the iterator has ended, these are the octets of a record that is cut.
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

/// Timestamp, type, subtype, length of the body.
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

/// An address of AFI 1 or 2.
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
