//! NOTIFICATION: any octets read and print on one line; what we compose keeps to its limits.

use bgp_core::wire::{CeaseSubcode, Message, MessageType, Notification, WireContext};

use crate::input::Input;
use crate::judge::{decode, judge_notification, judge_text, message};

/// The input is what follows the header.
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
    judge_words(input);
}

/// The words of a shutdown come back as they were, or cut at a character.
fn judge_words(input: &[u8]) {
    let mut input = Input::new(input);
    let subcode = CeaseSubcode(input.octet() % 12);
    let words = String::from_utf8_lossy(input.rest());
    let cease = Notification::cease_with_message(subcode, &words);
    assert!(cease.data.len() <= 256);
    judge_notification(&cease);
    if let Some(text) = cease.message() {
        assert!(words.starts_with(text));
        assert!(text.len() == words.len() || (252..=255).contains(&text.len()));
    }
}
