//! NOTIFICATION: any octets decode and print on one line; the messages that we compose keep to their limits.

use bgp_core::wire::{CeaseSubcode, Message, MessageType, Notification, WireContext};

use crate::input::Input;
use crate::judge::{decode, judge_notification, judge_text, message};

/// The input is the body of a message.
pub fn check(input: &[u8]) {
    let octets = message(MessageType::Notification, input);
    let cx = WireContext::default().extended_messages(true);
    let Some(Message::Notification(notification)) = decode(&octets, cx) else { return };
    assert_eq!([notification.code.0, notification.subcode], octets[19..21]);
    assert_eq!(notification.data, octets[21..]);
    judge_notification(&notification);

    if let Some(text) = notification.message() {
        assert!(!text.is_empty() && text.len() <= 255);
    }

    let reset = Notification::hard_reset(&notification);
    assert_eq!(reset.inner(), Some(notification));
    judge_text(&reset.to_string());

    judge_message(input);
}

/// The message of a shutdown reads back unchanged, or truncated at a character.
fn judge_message(input: &[u8]) {
    let mut input = Input::new(input);
    let subcode = CeaseSubcode(input.octet() % 12);
    let message = String::from_utf8_lossy(input.rest());
    let cease = Notification::cease_with_message(subcode, &message);
    assert!(cease.data.len() <= 256);
    judge_notification(&cease);
    if let Some(text) = cease.message() {
        assert!(message.starts_with(text));
        assert!(text.len() == message.len() || (252..=255).contains(&text.len()));
    }
}
