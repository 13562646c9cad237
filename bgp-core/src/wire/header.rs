//! The header of every message (RFC 4271 section 4.1): the message types and limits, and the functions that write a header.
//!
//! `frame.rs` reads and checks it.

use std::fmt;

use bytes::{BufMut, BytesMut};

/// The length of the fixed header: marker, length and type.
pub const HEADER_LENGTH: usize = 19;

/// The maximum length of the messages that a peer may send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4271 and RFC 8654 define these two")]
pub enum MessageLimit {
    /// 4,096 octets (RFC 4271 section 4.1).
    #[default]
    Standard,
    /// 65,535 octets, if both sides have the Extended Message capability. The limit of an OPEN or a KEEPALIVE stays at
    /// 4,096 (RFC 8654 section 4).
    Extended,
}

impl MessageLimit {
    /// The limit in octets, including the header.
    #[must_use]
    pub const fn octets(self) -> usize {
        self.length() as usize
    }

    /// The limit as the length field of a header.
    #[inline]
    pub(super) const fn length(self) -> u16 {
        match self {
            Self::Standard => 4_096,
            Self::Extended => u16::MAX,
        }
    }
}

/// The type of a message (RFC 4271 section 4.1, RFC 2918).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MessageType {
    /// Type 1.
    Open,
    /// Type 2.
    Update,
    /// Type 3.
    Notification,
    /// Type 4.
    Keepalive,
    /// Type 5 (RFC 2918).
    RouteRefresh,
}

impl MessageType {
    /// The type with a number on the wire, if there is one.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Open,
            2 => Self::Update,
            3 => Self::Notification,
            4 => Self::Keepalive,
            5 => Self::RouteRefresh,
            _ => return None,
        })
    }

    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Update => 2,
            Self::Notification => 3,
            Self::Keepalive => 4,
            Self::RouteRefresh => 5,
        }
    }
}

impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "OPEN",
            Self::Update => "UPDATE",
            Self::Notification => "NOTIFICATION",
            Self::Keepalive => "KEEPALIVE",
            Self::RouteRefresh => "ROUTE-REFRESH",
        })
    }
}

/// Appends a message: writes the header, calls `body` to append the rest, and patches the length.
pub(super) fn message(out: &mut BytesMut, kind: MessageType, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    put_header(out, kind);
    body(out);
    let length = out.len() - start;
    patch_length(out, start + 16, length);
}

/// Appends a header, with its length left open.
fn put_header(out: &mut BytesMut, kind: MessageType) {
    out.put_slice(&header(kind));
}

pub(super) const fn header(kind: MessageType) -> [u8; HEADER_LENGTH] {
    let mut header = [0xff; HEADER_LENGTH];
    let [.., high, low, code] = &mut header;
    (*high, *low, *code) = (0, 0, kind.code());
    header
}

/// Writes a length of two octets at an offset within `out`. A length that does not fit becomes the maximum: the writer
/// never sends such a message.
#[inline]
pub(super) fn patch_length(out: &mut [u8], at: usize, length: usize) {
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    if let Some(octets) = out.get_mut(at..at + 2) {
        octets.copy_from_slice(&length.to_be_bytes());
    }
}
