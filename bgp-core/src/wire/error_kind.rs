//! The kinds of errors in messages, and the consequences that RFC 7606 gives them.
//!
//! [`ErrorKind`] is the error; [`Treatment`] is the consequence for the message. One table, in `attribute/rules.rs`, maps
//! kinds to treatments.

use std::fmt;

use super::notification::{ErrorCode, UpdateSubcode};

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
    pub(super) const fn codes(self) -> (ErrorCode, u8) {
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
