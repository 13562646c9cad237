//! Framing: complete messages split from a stream by their fixed header (RFC 4271 section 4.1).
//!
//! This module checks only the header.

use super::error::DecodeError;
use super::error_kind::ErrorKind;
use super::header::{HEADER_LENGTH, MessageLimit, MessageType};

/// The marker at the start of every message.
const MARKER: [u8; 16] = [0xff; 16];
/// The length of an empty UPDATE: the header and two lengths.
const LEAST_UPDATE: u16 = 23;

/// The message types in the order of their numbers from 1, each with its minimum and maximum length. The session may set a
/// lower limit.
const TYPES: [(MessageType, u16, u16); 5] = [
    (MessageType::Open, 29, 4_096),
    (MessageType::Update, LEAST_UPDATE, u16::MAX),
    (MessageType::Notification, 21, u16::MAX),
    (MessageType::Keepalive, 19, 19),
    (MessageType::RouteRefresh, 23, u16::MAX),
];

/// A complete message with a valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    octets: &'a [u8],
    kind: MessageType,
}

impl<'a> Frame<'a> {
    /// The first message of `buffer`, or `None` while it is incomplete. The octets after it are ignored.
    ///
    /// The header is checked as soon as it is complete: a message that is too long is refused before it arrives.
    ///
    /// # Errors
    ///
    /// RFC 4271 section 6.1: a marker that is not all ones, an invalid length, an unknown type.
    #[inline]
    pub fn split(buffer: &'a [u8], limit: MessageLimit) -> Result<Option<Self>, DecodeError> {
        let Some((marker, length, code)) = header(buffer) else { return Ok(None) };
        // Nearly every message is an UPDATE with a valid header, and complete.
        let is_update = code == MessageType::Update.code() && marker == MARKER;
        let is_valid_update = is_update && length >= LEAST_UPDATE && length <= limit.length();
        match buffer.get(..usize::from(length)) {
            Some(octets) if is_valid_update => Ok(Some(Self { octets, kind: MessageType::Update })),
            // Taken apart, because otherwise the compiler keeps the result of both arms in memory.
            _ => match Self::split_other(buffer, limit)? {
                Some(Self { octets, kind }) => Ok(Some(Self { octets, kind })),
                None => Ok(None),
            },
        }
    }

    /// The remaining cases of [`split`](Self::split): other message types, and errors in the header.
    #[inline(never)]
    fn split_other(buffer: &'a [u8], limit: MessageLimit) -> Result<Option<Self>, DecodeError> {
        let Some((marker, length, code)) = header(buffer) else { return Ok(None) };
        if marker != MARKER {
            return Err(DecodeError::new(ErrorKind::Marker, 0));
        }
        if usize::from(length) < HEADER_LENGTH || length > limit.length() {
            return Err(DecodeError::new(ErrorKind::MessageLength, 16));
        }

        let Some((kind, least, most)) = TYPES.get(usize::from(code.wrapping_sub(1))) else {
            return Err(DecodeError::new(ErrorKind::MessageType, 18));
        };
        if length < *least || length > *most {
            return Err(DecodeError::new(ErrorKind::MessageLength, 16));
        }
        Ok(buffer.get(..usize::from(length)).map(|octets| Self { octets, kind: *kind }))
    }

    /// The type of the message.
    #[must_use]
    pub const fn kind(&self) -> MessageType {
        self.kind
    }

    /// The octets after the header.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        match self.octets.split_at_checked(HEADER_LENGTH) {
            Some((_header, body)) => body,
            None => &[],
        }
    }

    /// The complete message. A reader consumes this many octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.octets
    }
}

/// Reads the header: marker, length and type.
#[inline]
fn header(input: &[u8]) -> Option<([u8; 16], u16, u8)> {
    let (marker, input) = input.split_first_chunk()?;
    let [high, low, code, ..] = input else { return None };
    Some((*marker, u16::from_be_bytes([*high, *low]), *code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(length: u16, code: u8) -> Vec<u8> {
        let mut octets = vec![0xff; 16];
        octets.extend(length.to_be_bytes());
        octets.push(code);
        octets
    }

    /// The result of `split` for a header with that length and type; `Ok` means that the header is valid.
    fn judge(length: u16, code: u8, limit: MessageLimit) -> Result<(), (u8, u8, Vec<u8>)> {
        let octets = header_of(length, code);
        Frame::split(&octets, limit).map(|_| ()).map_err(|error| {
            let notification = error.notification(&octets);
            (notification.code.0, notification.subcode, notification.data.to_vec())
        })
    }

    #[test]
    fn an_incomplete_header_needs_more_octets() {
        let keepalive = header_of(19, 4);
        for length in 0..19 {
            let cut = Frame::split(&keepalive[..length], MessageLimit::Standard);
            assert_eq!(cut, Ok(None), "{length} octets");
        }
    }

    #[test]
    fn only_the_first_message_is_split_and_the_next_may_be_invalid() {
        let mut octets = header_of(19, 4);
        octets.extend([0x00; 40]);
        let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
        assert_eq!(frame.kind(), MessageType::Keepalive);
        assert_eq!(frame.as_bytes().len(), 19);
        assert_eq!(frame.body(), []);
    }

    #[test]
    fn a_marker_with_one_zero_bit_is_connection_not_synchronized() {
        let mut octets = header_of(19, 4);
        octets[15] = 0xfe;
        let error = Frame::split(&octets, MessageLimit::Standard).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Marker);
        let notification = error.notification(&octets);
        assert_eq!((notification.code.0, notification.subcode), (1, 1));
        assert!(notification.data.is_empty());
    }

    #[test]
    fn each_type_has_a_minimum_length() {
        for (code, least) in [(1, 29), (2, 23), (3, 21), (4, 19), (5, 23)] {
            let refused = Err((1, 2, (least - 1u16).to_be_bytes().to_vec()));
            assert_eq!(judge(least, code, MessageLimit::Standard), Ok(()), "type {code}");
            assert_eq!(judge(least - 1, code, MessageLimit::Standard), refused, "type {code}");
        }
        assert_eq!(judge(20, 4, MessageLimit::Standard), Err((1, 2, vec![0, 20])));
    }

    #[test]
    fn extended_messages_leave_open_and_keepalive_at_4096() {
        for code in [2, 3, 5] {
            assert_eq!(judge(4_097, code, MessageLimit::Standard), Err((1, 2, vec![0x10, 0x01])));
            assert_eq!(judge(65_535, code, MessageLimit::Extended), Ok(()));
        }
        assert_eq!(judge(4_096, 1, MessageLimit::Extended), Ok(()));
        assert_eq!(judge(4_097, 1, MessageLimit::Extended), Err((1, 2, vec![0x10, 0x01])));
    }

    #[test]
    fn an_unknown_type_is_sent_back_unless_the_length_is_wrong() {
        assert_eq!(judge(19, 6, MessageLimit::Standard), Err((1, 3, vec![6])));
        assert_eq!(judge(19, 0, MessageLimit::Standard), Err((1, 3, vec![0])));
        assert_eq!(judge(18, 6, MessageLimit::Standard), Err((1, 2, vec![0, 18])));
    }
}
