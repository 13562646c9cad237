//! OPEN: any octets are judged; an OPEN that was read can be written, and reads back the same.

use bgp_core::wire::{Message, MessageLimit, MessageType, Open, WireContext};
use bytes::BytesMut;

use crate::judge::{decode, message};

/// The input is the body of a message.
pub fn check(input: &[u8]) {
    let octets = message(MessageType::Open, input);
    let cx = WireContext::default();
    let Some(Message::Open(open)) = decode(&octets, cx) else { return };
    assert_eq!(open.version, Open::VERSION);
    assert!(open.identifier.is_valid() && !matches!(open.hold_time, 1 | 2));
    assert_eq!(open.asn, open.four_octet_as().unwrap_or_else(|| open.my_as.into()));

    let written = write(&open);
    let Some(Message::Open(back)) = decode(&written, cx) else {
        panic!("our own OPEN does not read back: {open:?}");
    };
    assert_eq!(back.capabilities, open.capabilities);
    assert_eq!(
        (back.asn, back.hold_time, back.identifier),
        (open.asn, open.hold_time, open.identifier)
    );
    assert_eq!(back.my_as, open.asn.to_two_octets());
    assert_eq!(write(&back), written, "writing is not a fixed point");
}

fn write(open: &Open) -> BytesMut {
    let mut out = BytesMut::new();
    open.encode(&mut out);
    assert!(out.len() <= MessageLimit::Standard.octets(), "an OPEN of {} octets", out.len());
    out
}
