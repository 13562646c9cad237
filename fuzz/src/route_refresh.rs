//! ROUTE-REFRESH: any octets are judged; a message that was read can be written, and reads back the same.

use bgp_core::wire::{Message, MessageType};
use bytes::BytesMut;

use crate::input::Input;
use crate::judge::{decode, message};

/// The input has two octets of context and the body of a message.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let cx = input.context();
    let octets = message(MessageType::RouteRefresh, input.rest());
    let Some(Message::RouteRefresh(refresh)) = decode(&octets, cx) else { return };

    let mut out = BytesMut::new();
    refresh.encode(&mut out);
    assert_eq!(out.len(), 23);
    assert_eq!(out[19..], octets[19..23]);
    let Some(Message::RouteRefresh(back)) = decode(&out, cx) else {
        panic!("our own ROUTE-REFRESH does not read back: {refresh:?}");
    };
    assert_eq!(back, refresh);
}
