//! A stream gives the same messages in any pieces, and no message depends on the octets after it.

use bgp_core::wire::{DecodeError, Frame, MessageLimit, MessageType};

use crate::input::Input;
use crate::judge::judge_error;

/// The input has one octet for the limit, one for the number of pieces, the length of each piece, and the stream.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let limit =
        if input.octet() & 1 == 0 { MessageLimit::Standard } else { MessageLimit::Extended };
    let count = input.octet();
    let pieces = input.take(count.into());
    let stream = input.rest();

    let whole = read(&[stream], limit);
    assert_eq!(
        whole,
        read(&split(stream, pieces), limit),
        "in pieces, the stream reads differently"
    );
    let octets: Vec<_> = stream.chunks(1).collect();
    assert_eq!(whole, read(&octets, limit), "octet by octet, the stream reads differently");

    judge_each(&whole, stream, limit);
}

/// The result of reading a stream.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    messages: Vec<(MessageType, Vec<u8>)>,
    error: Option<DecodeError>,
    /// The octets of an incomplete message, or from the error on.
    left: usize,
}

/// Reads a stream in pieces, as `Peer` does.
fn read(pieces: &[&[u8]], limit: MessageLimit) -> Reading {
    let mut reading = Reading::default();
    let mut buffer = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);

        let mut used = 0;
        while reading.error.is_none() {
            match Frame::split(&buffer[used..], limit) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    used += frame.as_bytes().len();
                    reading.messages.push((frame.kind(), frame.as_bytes().to_vec()));
                }
                Err(error) => reading.error = Some(error),
            }
        }
        buffer.drain(..used);
    }
    reading.left = buffer.len();
    reading
}

/// Splits the stream into pieces of these lengths; the rest is the last piece.
fn split<'a>(mut stream: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = stream.split_at(usize::from(*length).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// The messages follow each other; each reads the same alone and before other octets; none is too long.
fn judge_each(reading: &Reading, stream: &[u8], limit: MessageLimit) {
    let mut at = 0;
    for (kind, octets) in &reading.messages {
        assert_eq!(&stream[at..at + octets.len()], octets);
        at += octets.len();

        let mut followed = octets.clone();
        followed.extend([0; 32]);
        for buffer in [octets, &followed] {
            let frame = Frame::split(buffer, limit).expect("it was valid").expect("it is complete");
            assert_eq!((frame.kind(), frame.as_bytes()), (*kind, octets.as_slice()));
            assert_eq!(frame.body(), &octets[19..]);
        }
        assert_eq!(Frame::split(&octets[..octets.len() - 1], limit), Ok(None));
    }

    let rest = &stream[at..];
    assert_eq!(reading.left, rest.len());
    match reading.error {
        Some(error) => {
            assert!(error.offset() < 19, "{error}: not in the header");
            judge_error(error, rest);
            // The header alone is enough for the verdict.
            assert_eq!(Frame::split(&rest[..19], limit), Err(error));
        }
        None => assert!(rest.len() < limit.octets(), "a complete message is not split"),
    }
}
