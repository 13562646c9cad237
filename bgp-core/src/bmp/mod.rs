//! BMP: the protocol in which a router shows its sessions and RIBs to a monitoring station (RFC 7854, RFC 8671, RFC 9069).
//!
//! This module owns the format of the messages. It opens no connection and decides nothing: it appends messages to a buffer,
//! and returns views that borrow received octets. [`wire`](crate::wire) reads and writes the BGP messages inside.
//!
//! # Message format
//!
//! A router sends a stream of messages and receives none. Numbers are big-endian; widths below are in octets.
//!
//! ```text
//! ┌───┬────────┬──────┬────────────────────┬──────────┐
//! │ 3 │ length │ type │ (per-peer header)  │ body ... │ ...      the length includes everything
//! └───┴────────┴──────┴────────────────────┴──────────┘
//!   1   4        1      42
//!
//! type 0 Route Monitoring    per-peer header, one UPDATE
//!      1 Statistics Report   per-peer header, │ count │ TLVs │                               4, ..
//!      2 Peer Down           per-peer header, │ reason │ data │                              1, ..
//!      3 Peer Up             per-peer header, │ address │ port │ port │ OPEN │ OPEN │ TLVs │ 16, 2, 2, .., .., ..
//!      4 Initiation          TLVs
//!      5 Termination         TLVs
//!      6 Route Mirroring     per-peer header, TLVs
//!
//! TLV: │ type │ length │ value │                                                             2, 2, ..
//! ```
//!
//! The per-peer header says which peer and which of its RIBs a message is about:
//!
//! ```text
//! ┌──────┬───────┬───────────────┬─────────┬────┬────────────┬─────────┬──────────────┐
//! │ type │ flags │ distinguisher │ address │ AS │ identifier │ seconds │ microseconds │
//! └──────┴───────┴───────────────┴─────────┴────┴────────────┴─────────┴──────────────┘
//!   1      1       8               16        4    4            4         4
//! ```
//!
//! # Writing and reading
//!
//! ```
//! use std::time::Duration;
//!
//! use bgp_core::bmp::{BmpFrame, BmpMessage, InformationType, Initiation, PerPeerHeader, Tlvs};
//! use bgp_core::bmp::RouteMonitoring;
//! use bgp_core::wire::encode_end_of_rib;
//! use bgp_core::{AfiSafi, Asn, BgpIdentifier};
//! use bytes::BytesMut;
//!
//! let (mut information, mut stream) = (BytesMut::new(), BytesMut::new());
//! InformationType::SYS_NAME.encode("router", &mut information);
//! Initiation { information: Tlvs::read(&information).expect("whole TLVs") }.encode(&mut stream);
//!
//! let identifier = BgpIdentifier::new(192, 0, 2, 1);
//! let at = Duration::from_secs(1_700_000_000);
//! let peer = PerPeerHeader::new("192.0.2.1".parse()?, Asn(64_500), identifier, at).post_policy();
//! RouteMonitoring::encode_with(&peer, &mut stream, |out| {
//!     encode_end_of_rib(out, AfiSafi::IPV4_UNICAST);
//! });
//!
//! let first = BmpFrame::split(&stream)?.expect("a whole message");
//! let BmpMessage::Initiation(initiation) = first.decode()? else { panic!() };
//! assert_eq!(initiation.information.get(InformationType::SYS_NAME), Some(&b"router"[..]));
//!
//! let second = BmpFrame::split(&stream[first.as_bytes().len()..])?.expect("another message");
//! let BmpMessage::RouteMonitoring(monitored) = second.decode()? else { panic!() };
//! assert_eq!((monitored.peer, monitored.update.len()), (peer, 23));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod frame;
mod per_peer_header;
mod session;
mod tlv;

#[cfg(test)]
mod tests;

use bytes::{BufMut, BytesMut};

pub use frame::{BMP_HEADER_LENGTH, BMP_VERSION, BmpError, BmpFrame, BmpMessageType};
pub use per_peer_header::{BmpPeerType, PER_PEER_HEADER_LENGTH, PeerFlags, PerPeerHeader};
pub use session::{PeerDown, PeerDownReason, PeerUp};
pub use tlv::{
    InformationType, MirroringType, StatisticType, StatisticValue, TerminationReason,
    TerminationType, Tlv, TlvType, Tlvs,
};

use crate::rib::Nlri;
use crate::wire::input::{Parsed, four_octets, octets, truncated};
use crate::wire::{Frame, HEADER_LENGTH, Message, Treatment, WireContext};

use frame::message;

/// The content of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BmpMessage<'a> {
    /// Routes of one of a peer's RIBs, or of the Loc-RIB.
    RouteMonitoring(RouteMonitoring<'a>),
    /// Counters and gauges.
    StatisticsReport(StatisticsReport<'a>),
    /// The end of a session.
    PeerDown(PeerDown<'a>),
    /// A session came up, or was up when the stream began.
    PeerUp(PeerUp<'a>),
    /// The first message of a stream.
    Initiation(Initiation<'a>),
    /// The last message of a stream.
    Termination(Termination<'a>),
    /// Messages as they were received, also faulty ones.
    RouteMirroring(RouteMirroring<'a>),
    /// A message of another type, which is not decoded: its octets after the common header.
    Other(&'a [u8]),
}

/// Route Monitoring: one UPDATE for one RIB (RFC 7854 section 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.6 has these parts")]
pub struct RouteMonitoring<'a> {
    /// The peer and the RIB.
    pub peer: PerPeerHeader,
    /// One whole message, an UPDATE unless the router is at fault. Its content is unchecked.
    pub update: &'a [u8],
}

/// Returns the routes of a received message if it is an UPDATE that is treated as a withdrawal (RFC 7606), and otherwise none. A station
/// that is shown their withdrawal needs to read nothing malformed.
pub fn treated_as_withdrawn(message: &[u8], cx: WireContext) -> impl Iterator<Item = Nlri> + '_ {
    let frame = Frame::split(message, cx.limit()).ok().flatten();
    let message = frame.and_then(|frame| Message::decode(frame, cx).ok());
    let routes = message.and_then(|message| match message {
        Message::Update(update) if update.treatment() == Treatment::TreatAsWithdraw => {
            Some(update.unreachable().with_path_ids())
        }
        _ => None,
    });

    let routes = routes.into_iter().flatten();
    routes.map(|(path_id, prefix)| Nlri { prefix, path_id: path_id.unwrap_or_default() })
}

/// Statistics Report: counters and gauges of a peer (RFC 7854 section 4.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.8 has these parts")]
pub struct StatisticsReport<'a> {
    /// The peer.
    pub peer: PerPeerHeader,
    /// The statistics. [`Tlv::statistic`] reads each.
    pub statistics: Tlvs<'a, StatisticType>,
}

/// Initiation: facts about the router (RFC 7854 section 4.3). sysDescr and sysName must be among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.3 has these parts")]
pub struct Initiation<'a> {
    /// The facts.
    pub information: Tlvs<'a, InformationType>,
}

/// Termination: why the router ends the stream (RFC 7854 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.5 has these parts")]
pub struct Termination<'a> {
    /// The reason and texts.
    pub information: Tlvs<'a, TerminationType>,
}

/// Route Mirroring: messages exactly as received (RFC 7854 section 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.7 has these parts")]
pub struct RouteMirroring<'a> {
    /// The peer.
    pub peer: PerPeerHeader,
    /// The messages, and notes about them.
    pub tlvs: Tlvs<'a, MirroringType>,
}

impl BmpMessage<'_> {
    /// Appends the message. One of another type is left out, because its type is unknown.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::RouteMonitoring(message) => message.encode(out),
            Self::StatisticsReport(message) => message.encode(out),
            Self::PeerDown(message) => message.encode(out),
            Self::PeerUp(message) => message.encode(out),
            Self::Initiation(message) => message.encode(out),
            Self::Termination(message) => message.encode(out),
            Self::RouteMirroring(message) => message.encode(out),
            Self::Other(_) => {}
        }
    }
}

impl RouteMonitoring<'_> {
    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        Self::encode_with(&self.peer, out, |out| out.put_slice(self.update));
    }

    /// Appends a message whose UPDATE `update` appends to the same buffer. If it appends nothing, neither does this.
    pub fn encode_with(
        peer: &PerPeerHeader,
        out: &mut BytesMut,
        update: impl FnOnce(&mut BytesMut),
    ) {
        let start = out.len();
        let mut is_empty = false;
        message(BmpMessageType::ROUTE_MONITORING, out, |out| {
            peer.encode(out);
            let before = out.len();
            update(out);
            is_empty = out.len() == before;
        });
        if is_empty {
            out.truncate(start);
        }
    }
}

impl StatisticsReport<'_> {
    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        message(BmpMessageType::STATISTICS_REPORT, out, |out| {
            self.peer.encode(out);
            out.put_u32(u32::try_from(self.statistics.count()).unwrap_or(u32::MAX));
            out.put_slice(self.statistics.as_bytes());
        });
    }
}

impl Initiation<'_> {
    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        message(BmpMessageType::INITIATION, out, |out| out.put_slice(self.information.as_bytes()));
    }
}

impl Termination<'_> {
    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        message(BmpMessageType::TERMINATION, out, |out| out.put_slice(self.information.as_bytes()));
    }

    /// The reason, if the router gave one.
    #[must_use]
    pub fn reason(&self) -> Option<TerminationReason> {
        let value = self.information.get(TerminationType::REASON)?;
        Some(TerminationReason(u16::from_be_bytes(value.try_into().ok()?)))
    }
}

impl RouteMirroring<'_> {
    /// Appends the message.
    pub fn encode(&self, out: &mut BytesMut) {
        message(BmpMessageType::ROUTE_MIRRORING, out, |out| {
            self.peer.encode(out);
            out.put_slice(self.tlvs.as_bytes());
        });
    }
}

/// Reads the content of a message after the common header.
fn content(kind: BmpMessageType, input: &[u8]) -> Parsed<'_, BmpMessage<'_>> {
    match kind {
        BmpMessageType::INITIATION => {
            let (input, information) = tlv::tlvs(input)?;
            return Ok((input, BmpMessage::Initiation(Initiation { information })));
        }
        BmpMessageType::TERMINATION => {
            let (input, information) = tlv::tlvs(input)?;
            return Ok((input, BmpMessage::Termination(Termination { information })));
        }
        kind if kind.0 > BmpMessageType::ROUTE_MIRRORING.0 => {
            return Ok((&[], BmpMessage::Other(input)));
        }
        _ => {}
    }

    let (input, peer) = per_peer_header::per_peer_header(input)?;
    match kind {
        BmpMessageType::ROUTE_MONITORING => {
            let (input, update) = bgp_message(input)?;
            Ok((input, BmpMessage::RouteMonitoring(RouteMonitoring { peer, update })))
        }
        BmpMessageType::STATISTICS_REPORT => {
            let (input, count) = four_octets(input)?;
            let (input, statistics) = tlv::tlvs(input)?;
            if statistics.count() as u64 != u64::from(count) {
                return Err(truncated());
            }
            Ok((input, BmpMessage::StatisticsReport(StatisticsReport { peer, statistics })))
        }
        BmpMessageType::PEER_DOWN => session::peer_down(peer, input),
        BmpMessageType::PEER_UP => session::peer_up(peer, input),
        _ => {
            let (input, tlvs) = tlv::tlvs(input)?;
            Ok((input, BmpMessage::RouteMirroring(RouteMirroring { peer, tlvs })))
        }
    }
}

/// Reads one BGP message of the length in its header. [`Frame`](crate::wire::Frame) checks the rest.
fn bgp_message(input: &[u8]) -> Parsed<'_, &[u8]> {
    let header = input.first_chunk::<HEADER_LENGTH>().ok_or_else(truncated)?;
    let [.., high, low, _] = header;
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length < HEADER_LENGTH {
        return Err(truncated());
    }
    octets(input, length)
}
