//! Functions that several oracles share: messages around a body, and the checks of an error.

use bgp_core::wire::{
    DecodeError, ErrorCode, ErrorKind, Frame, HEADER_LENGTH, Message, MessageLimit, MessageType,
    Notification, WireContext,
};
use bytes::{BufMut, BytesMut};

/// A message of a type with a body, which is truncated to the maximum length of a message.
#[must_use]
pub fn message(kind: MessageType, body: &[u8]) -> Vec<u8> {
    let body = &body[..body.len().min(MessageLimit::Extended.octets() - HEADER_LENGTH)];
    let length = HEADER_LENGTH + body.len();
    let mut octets = Vec::with_capacity(length);
    octets.put_bytes(0xff, 16);
    octets.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
    octets.put_u8(kind.code());
    octets.put_slice(body);
    octets
}

/// Decodes one message; if that fails, the error must be valid.
#[must_use]
pub fn decode(octets: &[u8], cx: WireContext) -> Option<Message<'_>> {
    let frame = match Frame::split(octets, cx.limit()) {
        Ok(frame) => frame?,
        Err(error) => {
            judge_error(error, octets);
            return None;
        }
    };
    assert_eq!(frame.as_bytes(), octets, "the frame is the whole message");

    match Message::decode(frame, cx) {
        Ok(message) => {
            assert_eq!(message.kind(), frame.kind());
            Some(message)
        }
        Err(error) => {
            judge_error(error, octets);
            None
        }
    }
}

/// An error has an offset in its message, prints on one line, and only sends back octets that were received.
pub fn judge_error(error: DecodeError, message: &[u8]) {
    let offset = error.offset();
    assert!(offset <= message.len(), "{error}: beyond the {} octets", message.len());
    judge_text(&error.to_string());

    let notification = error.notification(message);
    let data = notification.data.as_ref();
    match error.kind() {
        // Our version, or the code of the attribute that the peer did not send.
        ErrorKind::OpenVersion => assert_eq!(data, [0, 4]),
        ErrorKind::MissingAttribute => assert_eq!(data, [error.attribute().map_or(0, |a| a.0)]),
        _ => assert!(occurs(data, message), "{error}: {data:02x?} was not received"),
    }
    judge_notification(&notification);
}

/// A NOTIFICATION prints on one line, fits a message and reads back, truncated if necessary.
pub fn judge_notification(notification: &Notification) {
    judge_text(&notification.to_string());

    let mut out = BytesMut::new();
    notification.encode(&mut out);
    let most = MessageLimit::Standard.octets();
    assert!(out.len() <= most, "a NOTIFICATION of {} octets", out.len());

    let Some(Message::Notification(back)) = decode(&out, WireContext::default()) else {
        panic!("our own NOTIFICATION does not read back: {notification:?}");
    };
    assert_eq!((back.code, back.subcode), (notification.code, notification.subcode));
    assert!(notification.data.starts_with(&back.data));
    assert!(back.data == notification.data || out.len() == most);
}

/// Text for people has one line, regardless of the octets from the peer.
pub fn judge_text(text: &str) {
    assert!(!text.is_empty());
    assert!(!text.contains(char::is_control), "{text:?} would break a line");
}

/// Returns true if `whole` contains `part`.
#[must_use]
pub fn occurs(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

/// A NOTIFICATION for an error in a message only sends back octets that the peer sent.
pub fn judge_echo(notification: &Notification, log: &[u8]) {
    let of_message = matches!(
        notification.code,
        ErrorCode::MESSAGE_HEADER | ErrorCode::UPDATE_MESSAGE | ErrorCode::ROUTE_REFRESH
    );
    // The code of a missing attribute was not sent by the peer.
    let missing = notification.code == ErrorCode::UPDATE_MESSAGE && notification.subcode == 3;
    if of_message && !missing {
        assert!(occurs(&notification.data, log), "{notification}: was not received");
    }
}
