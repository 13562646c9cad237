//! Captures: any file is read to the end or to an error, and segments of a stream in any order, more than once or lost, have
//! no other messages than those that were sent.

use std::net::Ipv4Addr;

use ferrolb::commands::decode::{self, Context};
use ferrolb::output::OutputFormat;
use serde_json::Value;

use crate::decode::{judge_page, read_answers};
use crate::input::{Input, is_set};

/// Raw IP, without a link layer.
const RAW: u32 = 101;

/// The two ends of the connection.
pub const ENDS: [(Ipv4Addr, u16); 2] =
    [(Ipv4Addr::new(172, 22, 35, 25), 40_000), (Ipv4Addr::new(172, 22, 35, 1), 179)];

/// The first octet is the form. If it is 0, the rest is a file, possibly compressed. Otherwise the rest is a stream of
/// messages and what happens to its segments.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    if input.octet() == 0 {
        for format in [OutputFormat::Text, OutputFormat::Json] {
            let mut page = Vec::new();
            let _ = decode::capture(
                input.clone().rest(),
                &[179],
                &Context::default(),
                format,
                &mut page,
            );
            match format {
                OutputFormat::Json => drop(read_answers(&page)),
                _ => judge_page(&page),
            }
        }
        return;
    }
    judge_stream(&mut input);
}

/// Sends NOTIFICATIONs with chosen content in chosen segments.
fn judge_stream(input: &mut Input<'_>) {
    let bits = input.octet();
    let (has_start, is_complete) = (!is_set(bits, 0), is_set(bits, 1));
    let initial = input.four_octets();

    let mut sent = Vec::new();
    let mut stream = Vec::new();
    for _ in 0..=input.octet() % 16 {
        let length = usize::from(input.octet());
        // Without its upper bit, no octet of the content looks like a marker.
        let content: Vec<u8> = input.take(length).iter().map(|octet| octet & 0x7f).collect();
        stream.extend(message(3, &[&[6, 2][..], &content].concat()));
        sent.push(hex(&content));
    }

    let first = initial.wrapping_add(1);
    let mut packets = Vec::new();
    if has_start {
        packets.push(segment(0, initial, None, SYN, &[]));
    }
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        let (from, length, kind) = (input.two_octets(), input.octet(), input.octet());
        let from = usize::from(from) % stream.len();
        let end = (from + usize::from(length)).min(stream.len());
        let sequence = first.wrapping_add(u32::try_from(from).expect("a short stream"));
        // What was acknowledged may be given up, and then comes too late.
        let is_answer = kind % 8 == 7 && !is_complete;
        packets.push(if is_answer {
            segment(1, 1, Some(sequence), 0, &[])
        } else {
            segment(0, sequence, None, 0, &stream[from..end])
        });
    }
    if is_complete {
        packets.push(segment(0, first, None, 0, &stream));
    }

    let mut page = Vec::new();
    decode::capture(
        pcap(RAW, &packets).as_slice(),
        &[179],
        &Context::default(),
        OutputFormat::Json,
        &mut page,
    )
    .expect("this is a capture");
    judge_messages(&read_answers(&page), &sent, has_start && is_complete);
}

/// The messages are some of those that were sent, in their order, or all of them and nothing else.
fn judge_messages(answers: &[Value], sent: &[String], is_all: bool) {
    let mut rest = sent.iter();
    let mut messages = 0;
    for answer in answers {
        if answer.get("error").is_some() {
            assert!(!is_all, "{answer}");
            continue;
        }
        let content = answer["decoded"]["data"].as_str().expect("a NOTIFICATION");
        assert!(rest.any(|other| other == content), "{answer} was not sent here");
        messages += 1;
    }
    assert!(!is_all || messages == sent.len(), "{messages} of {} messages", sent.len());
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(19 + body.len()).expect("a short message");
    [&[0xff; 16][..], &length.to_be_bytes(), &[kind], body].concat()
}

/// The flag of a SYN.
pub const SYN: u8 = 0x02;

/// An IP packet with a segment from one of the [`ENDS`] to the other.
#[must_use]
pub fn segment(
    end: usize,
    sequence: u32,
    acknowledgment: Option<u32>,
    flags: u8,
    octets: &[u8],
) -> Vec<u8> {
    const ACK: u8 = 0x10;

    let ((from, from_port), (to, to_port)) = (ENDS[end], ENDS[1 - end]);
    let length = u16::try_from(40 + octets.len()).expect("a short packet").to_be_bytes();
    let mut packet = vec![0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, 6, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());

    packet.extend(from_port.to_be_bytes());
    packet.extend(to_port.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend(acknowledgment.unwrap_or_default().to_be_bytes());
    let flags = flags | if acknowledgment.is_some() { ACK } else { 0 };
    packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(octets);
    packet
}

/// A pcap file of packets.
#[must_use]
pub fn pcap(link_type: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for number in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0xffff, link_type] {
        file.extend(number.to_le_bytes());
    }
    for packet in packets {
        let length = u32::try_from(packet.len()).expect("a short packet");
        for number in [0x6000_0000, 0, length, length] {
            file.extend(number.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}
