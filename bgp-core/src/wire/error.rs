//! Errors in messages: kind, position, and the NOTIFICATION for the peer.
//!
//! [`ErrorKind`] is the error; [`Treatment`] is the consequence for the message by RFC 7606. One table, in
//! `attribute/rules.rs`, maps kinds to treatments.

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::attribute::{AttributeCode, AttributeView};
use super::frame::HEADER_LENGTH;
use super::notification::{ErrorCode, Notification, UpdateSubcode};

/// The treatment of a message with an error, weakest first (RFC 7606 section 2).
///
/// If there are several errors, the strongest treatment applies, which compares as the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7606 defines these four")]
pub enum Treatment {
    /// There was no error.
    #[default]
    None,
    /// The attribute is discarded; the rest of the UPDATE is used.
    AttributeDiscard,
    /// All routes of the UPDATE are treated as withdrawn.
    TreatAsWithdraw,
    /// The session continues without the address family.
    AfiSafiDisable,
    /// The session ends with a NOTIFICATION.
    SessionReset,
}

impl fmt::Display for Treatment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "ok",
            Self::AttributeDiscard => "attribute-discard",
            Self::TreatAsWithdraw => "treat-as-withdraw",
            Self::AfiSafiDisable => "afi-safi-disable",
            Self::SessionReset => "session-reset",
        })
    }
}

/// The kind of an error in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The marker is not all ones (RFC 4271 section 6.1).
    Marker,
    /// The length is below 19, above the limit, or impossible for the type (RFC 4271 section 6.1).
    MessageLength,
    /// The message type is unknown (RFC 4271 section 6.1).
    MessageType,
    /// The OPEN's version is not 4 (RFC 4271 section 6.2).
    OpenVersion,
    /// The OPEN's AS is 0 (RFC 7607).
    OpenAs,
    /// The OPEN's hold time is 1 or 2 seconds (RFC 4271 section 6.2).
    OpenHoldTime,
    /// The OPEN's identifier is 0 (RFC 6286).
    OpenIdentifier,
    /// The OPEN has an optional parameter that is not "capabilities" (RFC 4271 section 6.2).
    OpenParameter,
    /// The OPEN's parameters or capabilities overrun each other.
    OpenStructure,
    /// The withdrawn routes or the attributes of an UPDATE exceed the message (RFC 4271 section 6.3).
    AttributeList,
    /// An attribute exceeds the attributes of its UPDATE (RFC 7606 section 4).
    AttributeOverrun,
    /// An unknown attribute is marked as well-known (RFC 4271 section 6.3).
    UnknownWellKnown,
    /// A well-known mandatory attribute is missing (RFC 7606 section 3 d).
    MissingAttribute,
    /// The Optional or the Transitive flag is wrong (RFC 7606 section 3 c).
    AttributeFlags,
    /// The attribute has an invalid length.
    AttributeLength,
    /// The attribute occurs a second time (RFC 7606 section 3 g).
    RepeatedAttribute,
    /// The attribute does not belong on this kind of session, and was not read.
    UnexpectedAttribute,
    /// The ORIGIN is none of IGP, EGP and INCOMPLETE (RFC 7606 section 7.1).
    Origin,
    /// The AS_PATH's segments are wrong, or it holds AS 0 (RFC 7606 section 7.2, RFC 7607).
    AsPath,
    /// The next hop of an MP_REACH_NLRI has a length that is invalid for the family (RFC 7606 section 7.11).
    MpNextHop,
    /// The value of an optional attribute is malformed (RFC 4271 section 6.3).
    AttributeValue,
    /// An SRv6 service TLV is malformed (RFC 9252 section 7).
    Srv6Service,
    /// A prefix is longer than its address, or overruns the field (RFC 7606 section 5.3).
    Prefix,
    /// A BoRR or EoRR, a ROUTE-REFRESH that marks a beginning or an end, has a wrong length (RFC 7313 section 5).
    RouteRefreshLength,
}

impl ErrorKind {
    /// The code and subcode of the NOTIFICATION for this error (RFC 4271 section 6).
    const fn codes(self) -> (ErrorCode, u8) {
        let update = match self {
            Self::Marker => return (ErrorCode::MESSAGE_HEADER, 1),
            Self::MessageLength => return (ErrorCode::MESSAGE_HEADER, 2),
            Self::MessageType => return (ErrorCode::MESSAGE_HEADER, 3),
            Self::OpenStructure => return (ErrorCode::OPEN_MESSAGE, 0),
            Self::OpenVersion => return (ErrorCode::OPEN_MESSAGE, 1),
            Self::OpenAs => return (ErrorCode::OPEN_MESSAGE, 2),
            Self::OpenIdentifier => return (ErrorCode::OPEN_MESSAGE, 3),
            Self::OpenParameter => return (ErrorCode::OPEN_MESSAGE, 4),
            Self::OpenHoldTime => return (ErrorCode::OPEN_MESSAGE, 6),
            Self::RouteRefreshLength => return (ErrorCode::ROUTE_REFRESH, 1),
            Self::AttributeList | Self::AttributeOverrun | Self::RepeatedAttribute => {
                UpdateSubcode::MALFORMED_ATTRIBUTE_LIST
            }
            Self::UnknownWellKnown => UpdateSubcode::UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE,
            Self::MissingAttribute => UpdateSubcode::MISSING_WELL_KNOWN_ATTRIBUTE,
            Self::AttributeFlags => UpdateSubcode::ATTRIBUTE_FLAGS_ERROR,
            Self::AttributeLength => UpdateSubcode::ATTRIBUTE_LENGTH_ERROR,
            Self::Origin => UpdateSubcode::INVALID_ORIGIN,
            Self::AsPath => UpdateSubcode::MALFORMED_AS_PATH,
            Self::Prefix => UpdateSubcode::INVALID_NETWORK_FIELD,
            Self::MpNextHop
            | Self::AttributeValue
            | Self::Srv6Service
            | Self::UnexpectedAttribute => UpdateSubcode::OPTIONAL_ATTRIBUTE_ERROR,
        };

        (ErrorCode::UPDATE_MESSAGE, update.0)
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Marker => "the marker is not all ones",
            Self::MessageLength => "the message has a length that its type cannot have",
            Self::MessageType => "the message type is unknown",
            Self::OpenVersion => "the version is not 4",
            Self::OpenAs => "the AS number is 0",
            Self::OpenHoldTime => "the hold time is neither 0 nor at least 3 seconds",
            Self::OpenIdentifier => "the BGP identifier is 0",
            Self::OpenParameter => "an optional parameter other than capabilities",
            Self::OpenStructure => "the optional parameters do not fit their lengths",
            Self::AttributeList => "the withdrawn routes or the attributes exceed the message",
            Self::AttributeOverrun => "the attribute exceeds the attributes of its message",
            Self::UnknownWellKnown => "the attribute calls itself well-known and is not",
            Self::MissingAttribute => "the attribute is mandatory and missing",
            Self::AttributeFlags => "the attribute is wrongly flagged optional or transitive",
            Self::AttributeLength => "the attribute has a length that it cannot have",
            Self::RepeatedAttribute => "the attribute occurs a second time",
            Self::UnexpectedAttribute => "the attribute does not belong on this session",
            Self::Origin => "the origin is none of 0, 1 and 2",
            Self::AsPath => "the path has a wrong segment or holds AS 0",
            Self::MpNextHop => "the next hop has a length that its family cannot have",
            Self::AttributeValue => "the attribute's value is malformed",
            Self::Srv6Service => "an SRv6 service TLV is malformed",
            Self::Prefix => "a prefix is longer than its address or than its field",
            Self::RouteRefreshLength => "the route refresh has a wrong length",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

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
