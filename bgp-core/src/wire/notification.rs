//! NOTIFICATION: the reason for the end of a session (RFC 4271 section 4.5, RFC 4486, 6608, 8538, 9003).

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::types::{Afi, AfiSafi, Safi};

use super::capability::Capability;
use super::header::{HEADER_LENGTH, MessageLimit, MessageType, message};

/// The maximum number of unsupported capabilities to print: a peer may list thousands.
const MOST_NAMED: usize = 8;

/// The error code of a NOTIFICATION.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ErrorCode(pub u8);

impl ErrorCode {
    /// Message Header Error.
    pub const MESSAGE_HEADER: Self = Self(1);
    /// OPEN Message Error.
    pub const OPEN_MESSAGE: Self = Self(2);
    /// UPDATE Message Error.
    pub const UPDATE_MESSAGE: Self = Self(3);
    /// Hold Timer Expired.
    pub const HOLD_TIMER_EXPIRED: Self = Self(4);
    /// Finite State Machine Error.
    pub const FSM: Self = Self(5);
    /// Cease.
    pub const CEASE: Self = Self(6);
    /// ROUTE-REFRESH Message Error (RFC 7313).
    pub const ROUTE_REFRESH: Self = Self(7);
    /// Send Hold Timer Expired (RFC 9687).
    pub const SEND_HOLD_TIMER_EXPIRED: Self = Self(8);
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::MESSAGE_HEADER => "Message header error",
            Self::OPEN_MESSAGE => "OPEN message error",
            Self::UPDATE_MESSAGE => "UPDATE message error",
            Self::HOLD_TIMER_EXPIRED => "Hold timer expired",
            Self::FSM => "Finite state machine error",
            Self::CEASE => "Cease",
            Self::ROUTE_REFRESH => "ROUTE-REFRESH message error",
            Self::SEND_HOLD_TIMER_EXPIRED => "Send hold timer expired",
            Self(code) => return write!(f, "error {code}"),
        })
    }
}

/// Declares the subcodes of one error code: a newtype with a constant and a phrase for each.
macro_rules! subcodes {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $constant:ident = $value:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub u8);

        impl $name {
            $($(#[$about])* pub const $constant: Self = Self($value);)+
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(Self::$constant => f.write_str($text),)+
                    Self(subcode) => write!(f, "subcode {subcode}"),
                }
            }
        }
    };
}

subcodes! {
    /// Subcodes of a Message Header Error (RFC 4271 section 6.1).
    HeaderSubcode {
        /// The marker was not all ones.
        CONNECTION_NOT_SYNCHRONIZED = 1, "connection not synchronized";
        /// The length is invalid.
        BAD_MESSAGE_LENGTH = 2, "bad message length";
        /// The type is unknown.
        BAD_MESSAGE_TYPE = 3, "bad message type";
    }
}

subcodes! {
    /// Subcodes of an OPEN Message Error (RFC 4271 section 6.2, RFC 5492, RFC 9234).
    OpenSubcode {
        /// Nothing more specific is defined.
        UNSPECIFIC = 0, "unspecific";
        /// The version is not supported.
        UNSUPPORTED_VERSION_NUMBER = 1, "unsupported version number";
        /// The AS number is not the configured one.
        BAD_PEER_AS = 2, "bad peer AS";
        /// The identifier is zero or our own.
        BAD_BGP_IDENTIFIER = 3, "bad BGP identifier";
        /// An optional parameter is unknown.
        UNSUPPORTED_OPTIONAL_PARAMETER = 4, "unsupported optional parameter";
        /// The hold time is 1 or 2 seconds, or too small for us.
        UNACCEPTABLE_HOLD_TIME = 6, "unacceptable hold time";
        /// A capability that we require is missing.
        UNSUPPORTED_CAPABILITY = 7, "unsupported capability";
        /// The roles of the two sides do not match (RFC 9234).
        ROLE_MISMATCH = 11, "role mismatch";
    }
}

subcodes! {
    /// Subcodes of an UPDATE Message Error (RFC 4271 section 6.3).
    UpdateSubcode {
        /// Lengths do not match, or an attribute occurs twice.
        MALFORMED_ATTRIBUTE_LIST = 1, "malformed attribute list";
        /// An attribute claims to be well-known and is not.
        UNRECOGNIZED_WELL_KNOWN_ATTRIBUTE = 2, "unrecognized well-known attribute";
        /// A mandatory attribute is missing.
        MISSING_WELL_KNOWN_ATTRIBUTE = 3, "missing well-known attribute";
        /// The flags of an attribute conflict with its type.
        ATTRIBUTE_FLAGS_ERROR = 4, "attribute flags error";
        /// The length of an attribute conflicts with its type.
        ATTRIBUTE_LENGTH_ERROR = 5, "attribute length error";
        /// The ORIGIN is undefined.
        INVALID_ORIGIN = 6, "invalid ORIGIN attribute";
        /// The NEXT_HOP is not an address.
        INVALID_NEXT_HOP = 8, "invalid NEXT_HOP attribute";
        /// The value of an optional attribute is wrong.
        OPTIONAL_ATTRIBUTE_ERROR = 9, "optional attribute error";
        /// A prefix is wrong.
        INVALID_NETWORK_FIELD = 10, "invalid network field";
        /// The AS_PATH is wrong.
        MALFORMED_AS_PATH = 11, "malformed AS_PATH";
    }
}

subcodes! {
    /// Subcodes of a Finite State Machine Error (RFC 6608).
    FsmSubcode {
        /// Nothing more specific is defined.
        UNSPECIFIED = 0, "unspecified";
        /// A message that is not allowed in OpenSent.
        UNEXPECTED_IN_OPEN_SENT = 1, "unexpected message in OpenSent";
        /// A message that is not allowed in OpenConfirm.
        UNEXPECTED_IN_OPEN_CONFIRM = 2, "unexpected message in OpenConfirm";
        /// A message that is not allowed in Established.
        UNEXPECTED_IN_ESTABLISHED = 3, "unexpected message in Established";
    }
}

subcodes! {
    /// Subcodes of a Cease (RFC 4486, RFC 8538, RFC 9384).
    CeaseSubcode {
        /// The peer sent more prefixes than allowed.
        MAXIMUM_PREFIXES_REACHED = 1, "maximum number of prefixes reached";
        /// An operator ended the session; may carry a message (RFC 9003).
        ADMINISTRATIVE_SHUTDOWN = 2, "administrative shutdown";
        /// The peer was removed from the configuration.
        PEER_DECONFIGURED = 3, "peer de-configured";
        /// An operator resets the session; may carry a message (RFC 9003).
        ADMINISTRATIVE_RESET = 4, "administrative reset";
        /// The speaker refuses the connection.
        CONNECTION_REJECTED = 5, "connection rejected";
        /// A configuration change requires a new session.
        OTHER_CONFIGURATION_CHANGE = 6, "other configuration change";
        /// The other connection of a collision was kept.
        CONNECTION_COLLISION_RESOLUTION = 7, "connection collision resolution";
        /// The speaker lacks memory or another resource.
        OUT_OF_RESOURCES = 8, "out of resources";
        /// The session ends without graceful restart; the actual reason is in the data (RFC 8538).
        HARD_RESET = 9, "hard reset";
        /// BFD detected that the peer is down (RFC 9384).
        BFD_DOWN = 10, "BFD down";
    }
}

/// A NOTIFICATION message, which ends the session.
///
/// Its [`Display`](fmt::Display) is for people, such as `Cease: administrative shutdown: "maintenance"`. Text from the peer
/// is escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 4271 section 4.5 has these three fields")]
pub struct Notification {
    /// The kind of error.
    pub code: ErrorCode,
    /// The specific error; its meaning depends on the code.
    pub subcode: u8,
    /// Details of the error; their format depends on code and subcode.
    #[cfg_attr(feature = "serde", serde(with = "crate::serialize::hex"))]
    pub data: Bytes,
}

impl Notification {
    /// Creates a notification from its three parts.
    #[must_use]
    pub const fn new(code: ErrorCode, subcode: u8, data: Bytes) -> Self {
        Self { code, subcode, data }
    }

    /// A Cease without data.
    #[must_use]
    pub const fn cease(subcode: CeaseSubcode) -> Self {
        Self::new(ErrorCode::CEASE, subcode.0, Bytes::new())
    }

    /// A Cease with a message for the operator of the peer (RFC 9003).
    ///
    /// A message of more than 255 octets is truncated at a character. Only administrative shutdown and reset have a message:
    /// it is left out for any other subcode.
    #[must_use]
    pub fn cease_with_message(subcode: CeaseSubcode, text: &str) -> Self {
        if !has_message(subcode) || text.is_empty() {
            return Self::cease(subcode);
        }

        let mut length = text.len().min(255);
        while !text.is_char_boundary(length) {
            length -= 1;
        }
        let message = text.get(..length).unwrap_or_default();

        let mut data = BytesMut::with_capacity(1 + message.len());
        data.put_u8(u8::try_from(message.len()).unwrap_or(0));
        data.put_slice(message.as_bytes());
        Self::new(ErrorCode::CEASE, subcode.0, data.freeze())
    }

    /// A Cease for more prefixes of `family` than `limit` (RFC 4486, section 4).
    #[must_use]
    pub fn maximum_prefixes(family: AfiSafi, limit: u32) -> Self {
        let mut data = BytesMut::with_capacity(7);
        data.put_u16(family.afi.0);
        data.put_u8(family.safi.0);
        data.put_u32(limit);
        Self::new(ErrorCode::CEASE, CeaseSubcode::MAXIMUM_PREFIXES_REACHED.0, data.freeze())
    }

    /// The family and the limit that the peer reports as exceeded (RFC 4486, section 4), if the NOTIFICATION has them.
    #[must_use]
    pub fn prefix_limit(&self) -> Option<(AfiSafi, u32)> {
        let reached = CeaseSubcode::MAXIMUM_PREFIXES_REACHED.0;
        match self.data.as_ref() {
            &[a, b, safi, c, d, e, f]
                if (self.code, self.subcode) == (ErrorCode::CEASE, reached) =>
            {
                let family = AfiSafi { afi: Afi(u16::from_be_bytes([a, b])), safi: Safi(safi) };
                Some((family, u32::from_be_bytes([c, d, e, f])))
            }
            _ => None,
        }
    }

    /// The capabilities listed in an Unsupported Capability error, in the format of an OPEN (RFC 5492, section 5). An
    /// incomplete capability at the end is left out.
    #[must_use]
    pub fn unsupported_capabilities(&self) -> Vec<Capability> {
        let unsupported = OpenSubcode::UNSUPPORTED_CAPABILITY.0;
        if (self.code, self.subcode) != (ErrorCode::OPEN_MESSAGE, unsupported) {
            return Vec::new();
        }

        let mut named = Vec::new();
        let mut rest = self.data.as_ref();
        while let [code, length, tail @ ..] = rest {
            let Some((value, next)) = tail.split_at_checked(usize::from(*length)) else { break };
            named.push(Capability::decode(*code, value));
            rest = next;
        }
        named
    }

    /// A Hard Reset with the actual reason in its data (RFC 8538 section 3.1).
    #[must_use]
    pub fn hard_reset(reason: &Self) -> Self {
        let mut data = BytesMut::with_capacity(2 + reason.data.len());
        data.put_slice(&[reason.code.0, reason.subcode]);
        data.put_slice(&reason.data);
        Self::new(ErrorCode::CEASE, CeaseSubcode::HARD_RESET.0, data.freeze())
    }

    /// Hold Timer Expired.
    #[must_use]
    pub const fn hold_timer_expired() -> Self {
        Self::new(ErrorCode::HOLD_TIMER_EXPIRED, 0, Bytes::new())
    }

    /// Send Hold Timer Expired (RFC 9687).
    #[must_use]
    pub const fn send_hold_timer_expired() -> Self {
        Self::new(ErrorCode::SEND_HOLD_TIMER_EXPIRED, 0, Bytes::new())
    }

    /// Finite State Machine Error without data. RFC 6608 allows the message type as data: see [`new`](Self::new).
    #[must_use]
    pub const fn fsm_error(subcode: FsmSubcode) -> Self {
        Self::new(ErrorCode::FSM, subcode.0, Bytes::new())
    }

    /// OPEN Message Error.
    #[must_use]
    pub const fn open_error(subcode: OpenSubcode, data: Bytes) -> Self {
        Self::new(ErrorCode::OPEN_MESSAGE, subcode.0, data)
    }

    /// The message of an administrative shutdown or reset (RFC 9003), if there is one and it is UTF-8.
    ///
    /// It comes from the peer: escape it before printing, as [`Display`](fmt::Display) does.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        if self.code != ErrorCode::CEASE || !has_message(CeaseSubcode(self.subcode)) {
            return None;
        }

        let (length, text) = self.data.split_first()?;
        let text = text.get(..usize::from(*length))?;
        std::str::from_utf8(text).ok().filter(|text| !text.is_empty())
    }

    /// The actual reason in the data of a Hard Reset (RFC 8538).
    #[must_use]
    pub fn inner(&self) -> Option<Self> {
        if (self.code, self.subcode) != (ErrorCode::CEASE, CeaseSubcode::HARD_RESET.0) {
            return None;
        }
        match self.data.as_ref() {
            [code, subcode, ..] => {
                Some(Self::new(ErrorCode(*code), *subcode, self.data.slice(2..)))
            }
            _ => None,
        }
    }

    /// Appends the message. The data is truncated if the message would exceed 4,096 octets.
    pub fn encode(&self, out: &mut BytesMut) {
        let room = MessageLimit::Standard.octets() - HEADER_LENGTH - 2;
        let data = self.data.get(..room).unwrap_or(&self.data);
        message(out, MessageType::Notification, |out| {
            out.put_slice(&[self.code.0, self.subcode]);
            out.put_slice(data);
        });
    }

    /// Decodes the body, which has at least two octets in a valid frame.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let [code, subcode, data @ ..] = body else { return None };
        Some(Self::new(ErrorCode(*code), *subcode, Bytes::copy_from_slice(data)))
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        match self.code {
            ErrorCode::MESSAGE_HEADER => write!(f, ": {}", HeaderSubcode(self.subcode)),
            ErrorCode::OPEN_MESSAGE => write!(f, ": {}", OpenSubcode(self.subcode)),
            ErrorCode::UPDATE_MESSAGE => write!(f, ": {}", UpdateSubcode(self.subcode)),
            ErrorCode::FSM => write!(f, ": {}", FsmSubcode(self.subcode)),
            ErrorCode::CEASE => write!(f, ": {}", CeaseSubcode(self.subcode)),
            ErrorCode::ROUTE_REFRESH if self.subcode == 1 => {
                f.write_str(": invalid message length")
            }
            _ if self.subcode == 0 => Ok(()),
            _ => write!(f, ": subcode {}", self.subcode),
        }?;

        let unsupported = self.unsupported_capabilities();
        for (n, capability) in unsupported.iter().take(MOST_NAMED).enumerate() {
            write!(f, "{}{capability}", if n == 0 { ": " } else { ", " })?;
        }
        if let Some(more @ 1..) = unsupported.len().checked_sub(MOST_NAMED) {
            write!(f, ", and {more} more")?;
        }

        match (self.message(), self.inner()) {
            (Some(text), _) => write!(f, ": {text:?}"),
            // Do not follow a hard reset within a hard reset: the peer could nest them without limit.
            (None, Some(inner)) if inner.inner().is_none() => write!(f, " ({inner})"),
            _ => match self.prefix_limit() {
                Some((family, limit)) => write!(f, " ({family}, limit {limit})"),
                None => Ok(()),
            },
        }
    }
}

/// Returns true if a Cease with the subcode may have a message (RFC 9003).
fn has_message(subcode: CeaseSubcode) -> bool {
    matches!(subcode, CeaseSubcode::ADMINISTRATIVE_SHUTDOWN | CeaseSubcode::ADMINISTRATIVE_RESET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_many_unsupported_capabilities_are_printed() {
        let subcode = OpenSubcode::UNSUPPORTED_CAPABILITY;
        let printed = |count: usize| {
            Notification::open_error(subcode, Bytes::from([2_u8, 0].repeat(count))).to_string()
        };
        let eight = printed(8);
        assert_eq!(eight.matches("route refresh").count(), 8);
        assert_eq!(printed(2_000), format!("{eight}, and 1992 more"));
    }

    #[test]
    fn a_cease_for_too_many_prefixes_has_the_family_and_the_limit() {
        let cease = Notification::maximum_prefixes(AfiSafi::IPV6_UNICAST, 70_000);
        assert_eq!(cease.data.as_ref(), [0, 2, 1, 0, 1, 0x11, 0x70]);
        assert_eq!(cease.prefix_limit(), Some((AfiSafi::IPV6_UNICAST, 70_000)));
        assert_eq!(
            cease.to_string(),
            "Cease: maximum number of prefixes reached (ipv6-unicast, limit 70000)"
        );
        let bare = Notification::cease(CeaseSubcode::MAXIMUM_PREFIXES_REACHED);
        assert_eq!(bare.prefix_limit(), None);
    }

    #[test]
    fn a_cease_with_a_message_reads_like_a_sentence() {
        let shutdown = CeaseSubcode::ADMINISTRATIVE_SHUTDOWN;
        let cease = Notification::cease_with_message(shutdown, "maintenance");
        assert_eq!(cease.data.as_ref(), b"\x0bmaintenance");
        assert_eq!(cease.to_string(), "Cease: administrative shutdown: \"maintenance\"");
        assert_eq!(cease.message(), Some("maintenance"));
    }

    #[test]
    fn a_message_from_the_peer_cannot_break_a_log_line() {
        let data = Bytes::from_static(b"\x05a\n\x1b[0");
        let cease = Notification::new(ErrorCode::CEASE, 2, data);
        assert_eq!(cease.to_string(), "Cease: administrative shutdown: \"a\\n\\u{1b}[0\"");
    }

    #[test]
    fn a_message_is_truncated_at_a_character_to_255_octets() {
        let text = "é".repeat(200);
        let cease = Notification::cease_with_message(CeaseSubcode::ADMINISTRATIVE_RESET, &text);
        assert_eq!(cease.data.len(), 255);
        assert_eq!(cease.data[0], 254);
        assert_eq!(cease.message().map(|text| text.chars().count()), Some(127));
    }

    #[test]
    fn a_message_with_a_wrong_length_or_invalid_utf8_is_ignored() {
        for data in [&b"\x09abc"[..], b"\x02\xff\xfe", b"\x00", b""] {
            let cease = Notification::new(ErrorCode::CEASE, 2, Bytes::copy_from_slice(data));
            assert_eq!(cease.message(), None, "{data:?}");
            assert_eq!(cease.to_string(), "Cease: administrative shutdown");
        }
        let other = Notification::cease_with_message(CeaseSubcode::OUT_OF_RESOURCES, "x");
        assert!(other.data.is_empty());
    }

    #[test]
    fn a_hard_reset_carries_its_reason() {
        let reason = Notification::hold_timer_expired();
        let reset = Notification::hard_reset(&reason);
        assert_eq!(reset.data.as_ref(), [4, 0]);
        assert_eq!(reset.inner(), Some(reason));
        assert_eq!(reset.to_string(), "Cease: hard reset (Hold timer expired)");
    }

    #[test]
    fn data_is_truncated_to_keep_the_message_within_4096_octets() {
        let data = Bytes::from(vec![7; 5_000]);
        let mut out = BytesMut::new();
        Notification::new(ErrorCode::ROUTE_REFRESH, 1, data).encode(&mut out);
        assert_eq!(out.len(), 4_096);
        assert_eq!(out[16..21], [0x10, 0x00, 3, 7, 1]);
    }

    #[test]
    fn unknown_codes_print_their_numbers() {
        let unknown = Notification::new(ErrorCode(77), 5, Bytes::new());
        assert_eq!(unknown.to_string(), "error 77: subcode 5");
        let unknown = Notification::cease(CeaseSubcode(99));
        assert_eq!(unknown.to_string(), "Cease: subcode 99");
    }
}
