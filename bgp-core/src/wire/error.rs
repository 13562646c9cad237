//! [`DecodeError`]: an error in a message, with its position and the NOTIFICATION for the peer.
//!
//! `error_kind.rs` lists the kinds of errors.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::attribute::{AttributeCode, AttributeView};
use super::error_kind::ErrorKind;
use super::header::HEADER_LENGTH;
use super::notification::{Notification, UpdateSubcode};

/// An error in a message: its kind, attribute and offset.
///
/// It is small and `Copy`: the data of the NOTIFICATION is copied from the message only by
/// [`notification`](Self::notification).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DecodeError {
    kind: ErrorKind,
    attribute: u8,
    offset: u16,
}

impl DecodeError {
    #[cold]
    pub(super) fn new(kind: ErrorKind, offset: usize) -> Self {
        Self::of_attribute(kind, AttributeCode(0), offset)
    }

    #[cold]
    pub(super) fn of_attribute(kind: ErrorKind, attribute: AttributeCode, offset: usize) -> Self {
        Self { kind, attribute: attribute.0, offset: u16::try_from(offset).unwrap_or(u16::MAX) }
    }

    /// The kind of error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The offset of the error from the start of the message (its marker). For an attribute it is that of its first octet,
    /// the flags; for a missing attribute it is the end of the attributes.
    #[must_use]
    pub fn offset(&self) -> usize {
        usize::from(self.offset)
    }

    /// The path attribute that the error is about, if any.
    #[must_use]
    pub fn attribute(&self) -> Option<AttributeCode> {
        let about_one = self.attribute != 0 || self.kind == ErrorKind::UnknownWellKnown;
        about_one.then_some(AttributeCode(self.attribute))
    }

    /// The NOTIFICATION that RFC 4271 section 6 requires.
    ///
    /// `message` is the message as received, with its header. The data field is copied from it, so that the peer only gets
    /// back octets that it sent.
    #[must_use]
    pub fn notification(&self, message: &[u8]) -> Notification {
        let (code, subcode) = self.kind.codes();
        let data = match self.kind {
            ErrorKind::MessageLength => cut(message, 16, 2),
            ErrorKind::MessageType => cut(message, 18, 1),
            ErrorKind::OpenVersion => Bytes::from_static(&[0x00, 0x04]),
            ErrorKind::MissingAttribute => Bytes::copy_from_slice(&[self.attribute]),
            ErrorKind::RouteRefreshLength => Bytes::copy_from_slice(message),
            ErrorKind::UnknownWellKnown
            | ErrorKind::AttributeFlags
            | ErrorKind::AttributeLength
            | ErrorKind::Origin
            | ErrorKind::MpNextHop
            | ErrorKind::AttributeValue
            | ErrorKind::Srv6Service
            | ErrorKind::UnexpectedAttribute => {
                Bytes::copy_from_slice(self.attribute_octets(message))
            }
            ErrorKind::Prefix | ErrorKind::AttributeOverrun if self.is_of_mp_attribute() => {
                Bytes::copy_from_slice(self.attribute_octets(message))
            }
            _ => Bytes::new(),
        };

        // RFC 4760 section 7: an MP attribute is refused as an optional attribute.
        let subcode = match self.kind {
            ErrorKind::Prefix | ErrorKind::AttributeLength | ErrorKind::AttributeOverrun
                if self.is_of_mp_attribute() =>
            {
                UpdateSubcode::OPTIONAL_ATTRIBUTE_ERROR.0
            }
            _ => subcode,
        };

        Notification::new(code, subcode, data)
    }

    const fn is_of_mp_attribute(&self) -> bool {
        matches!(
            AttributeCode(self.attribute),
            AttributeCode::MP_REACH_NLRI | AttributeCode::MP_UNREACH_NLRI
        )
    }

    /// The octets of the attribute that the error is about: flags, type, length and value, as far as they are in the message.
    /// Empty if the error is not about an attribute, or if the attribute is missing.
    ///
    /// `message` is the message as received, with its header.
    #[must_use]
    pub fn attribute_octets<'m>(&self, message: &'m [u8]) -> &'m [u8] {
        if self.attribute().is_none() {
            return &[];
        }

        let attributes = attributes_of(message).and_then(|range| {
            let tail = message.get(self.offset()..range.end)?;
            range.contains(&self.offset()).then_some(tail)
        });
        let tail = attributes.unwrap_or_default();
        let length = AttributeView::split(tail).map_or(tail.len(), |(_, length)| length);
        tail.get(..length).unwrap_or(tail)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.attribute() {
            Some(code) => write!(f, "{code}: {} (octet {})", self.kind, self.offset),
            None => write!(f, "{} (octet {})", self.kind, self.offset),
        }
    }
}

impl std::error::Error for DecodeError {}

fn cut(message: &[u8], from: usize, length: usize) -> Bytes {
    message.get(from..from + length).map_or_else(Bytes::new, Bytes::copy_from_slice)
}

/// The range of the attributes in an UPDATE.
fn attributes_of(message: &[u8]) -> Option<Range<usize>> {
    let withdrawn_end = HEADER_LENGTH + 2 + length_at(message, HEADER_LENGTH)?;
    let start = withdrawn_end + 2;
    Some(start..start + length_at(message, withdrawn_end)?)
}

/// Reads a length of two octets at an offset.
fn length_at(message: &[u8], at: usize) -> Option<usize> {
    let octets = message.get(at..)?.first_chunk()?;
    Some(usize::from(u16::from_be_bytes(*octets)))
}
