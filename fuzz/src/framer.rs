//! A stream gives the same messages however it is cut, and no message depends on what follows it.

use bgp_core::wire::{DecodeError, Frame, MessageLimit, MessageType};

use crate::input::Input;
use crate::judge::judge_error;

/// One octet for the limit, one for the number of cuts, the length of each piece, then the stream.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let limit =
        if input.octet() & 1 == 0 { MessageLimit::Standard } else { MessageLimit::Extended };
    let count = input.octet();
    let pieces = input.take(count.into());
    let stream = input.rest();
    let whole = read(&[stream], limit);
    assert_eq!(whole, read(&cut(stream, pieces), limit), "cut, the stream reads otherwise");
    let octets: Vec<_> = stream.chunks(1).collect();
    assert_eq!(whole, read(&octets, limit), "octet by octet, the stream reads otherwise");
    judge_each(&whole, stream, limit);
}

/// What a stream came to.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    messages: Vec<(MessageType, Vec<u8>)>,
    error: Option<DecodeError>,
    /// Octets that are no whole message yet, or that begin with the error.
    left: usize,
}

/// Reads a stream that arrives in these pieces, as `Peer` does.
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

/// The stream in pieces of these lengths; what is left over is the last piece.
fn cut<'a>(mut stream: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = stream.split_at(usize::from(*length).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces
}

/// Messages stand one after the other; each is the same alone and before nonsense; none is too long.
fn judge_each(reading: &Reading, stream: &[u8], limit: MessageLimit) {
    let mut at = 0;
    for (kind, octets) in &reading.messages {
        assert_eq!(&stream[at..at + octets.len()], octets);
        at += octets.len();
        let mut followed = octets.clone();
        followed.extend([0; 32]);
        for buffer in [octets, &followed] {
            let frame = Frame::split(buffer, limit).expect("it was in order").expect("it is whole");
            assert_eq!((frame.kind(), frame.as_bytes()), (*kind, octets.as_slice()));
            assert_eq!(frame.body(), &octets[19..]);
        }
        assert_eq!(Frame::split(&octets[..octets.len() - 1], limit), Ok(None));
    }
    let rest = &stream[at..];
    assert_eq!(reading.left, rest.len());
    match reading.error {
        Some(error) => {
            assert!(error.offset() < 19, "{error}: the header ends before");
            judge_error(error, rest);
            // The header alone is enough for the verdict.
            assert_eq!(Frame::split(&rest[..19], limit), Err(error));
        }
        None => assert!(rest.len() < limit.octets(), "a whole message is not taken"),
    }
}
