//! A stream gives the same messages in any pieces.

use bgp_core::AfiSafi;
use bgp_core::wire::{Frame, MessageLimit, encode_end_of_rib, encode_keepalive};
use bytes::{Buf, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategies::{notification, open};

/// Some consecutive messages.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let message = prop_oneof![
        open().prop_map(|open| encoded(|out| open.encode(out))),
        notification().prop_map(|notification| encoded(|out| notification.encode(out))),
        Just(encoded(encode_keepalive)),
        Just(encoded(|out| encode_end_of_rib(out, AfiSafi::IPV6_UNICAST))),
    ];
    (vec(message, 1..8), vec(any::<u8>(), 0..30)).prop_map(|(messages, tail)| {
        // Random octets may follow the last message.
        [messages.concat(), tail].concat()
    })
}

fn encoded(encode: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode(&mut out);
    out.to_vec()
}

/// Reads the messages of a stream that arrives in pieces, and the error that ends it, if any.
fn read(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, Option<String>) {
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match Frame::split(&buffer, MessageLimit::Standard) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    messages.push(frame.as_bytes().to_vec());
                    buffer.advance(frame.as_bytes().len());
                }
                Err(error) => return (messages, Some(error.to_string())),
            }
        }
    }
    (messages, None)
}

proptest! {
    #[test]
    fn splitting_the_stream_anywhere_gives_the_same_messages(
        stream in stream(),
        cuts in vec(any::<proptest::sample::Index>(), 0..10),
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.index(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[&stream]));
        let octets: Vec<_> = stream.chunks(1).collect();
        prop_assert_eq!(read(&octets), read(&[&stream]));
    }
}
