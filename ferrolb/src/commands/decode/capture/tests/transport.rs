//! What happens to segments on their way, and to those that the capture lacks.

use super::packets::{ETHERNET, Packet, Segment, pcap};
use super::streams::{Talk, cease, context, keepalive, update};
use super::{
    CaptureProblem, Found, Limits, StreamGap, gap, read_file, read_packets, skipped, try_read,
};

/// A message that is long enough to be cut in three.
fn long() -> Vec<u8> {
    update(context(), 0, 40)
}

fn message(octets: Vec<u8>) -> Found {
    Found::Message(octets)
}

#[test]
fn segments_in_any_order_and_more_than_once_are_one_stream() {
    let mut talk = Talk::start();
    let octets = [keepalive(), long(), keepalive()].concat();
    for part in octets.chunks(30) {
        talk.send(0, "", part);
    }
    let mut packets = talk.packets();
    packets[3..].reverse();
    packets.extend(packets.clone());
    assert_eq!(read_packets(&packets).messages(), [keepalive(), long(), keepalive()]);
}

#[test]
fn overlapping_segments_are_counted_once() {
    let mut talk = Talk::start();
    talk.send(1, "", &long());
    let whole = talk.segments.pop().unwrap();
    // From octets 0 to 40, 100 to 150, 20 to 110, and all again.
    for (from, to) in [(0, 40), (100, 150), (20, 110), (0, whole.octets.len())] {
        let offset = u32::try_from(from).unwrap();
        let sequence = whole.sequence.wrapping_add(offset);
        let octets = whole.octets[from..to].to_vec();
        talk.segments.push(Segment { sequence, octets, ..whole.clone() });
    }
    assert_eq!(read_packets(&talk.packets()).messages(), [long()]);
}

#[test]
fn a_lost_segment_is_a_gap_of_its_size_once_the_receiver_has_it() {
    let mut talk = Talk::start();
    talk.send(0, "", &keepalive());
    talk.send(0, "", &long()[..50]);
    // This segment is not in the capture.
    talk.send(0, "", &long()[50..90]);
    talk.segments.pop();
    talk.send(0, "", &[&long()[90..], &keepalive()].concat());

    let rest = long().len() as u64 - 90;
    let expected = [
        message(keepalive()),
        Found::Fragment(long()[..50].to_vec()),
        gap(40),
        skipped(rest),
        message(keepalive()),
    ];
    // At the end of the capture, it is certain.
    assert_eq!(read_packets(&talk.packets()).found, expected);

    // The other end acknowledges everything, and the connection goes on.
    for _ in 0..40 {
        talk.send(1, "", &keepalive());
    }
    let outcome = read_packets(&talk.packets());
    let answered: Vec<_> =
        outcome.found.iter().take_while(|found| **found != expected[1]).collect();
    assert!(answered.len() < 41, "the gap waits for the end of the capture");
    let rest: Vec<_> = outcome.found.iter().skip(answered.len()).take(4).cloned().collect();
    assert_eq!(rest, expected[1..]);
}

#[test]
fn octets_at_the_end_that_only_their_receiver_has_are_a_gap() {
    let mut talk = Talk::start();
    talk.send(0, "", &keepalive());
    talk.send(0, "", &long());
    talk.segments.pop();
    talk.send(1, "", &[]);
    let found = read_packets(&talk.packets()).found;
    assert_eq!(found, [message(keepalive()), gap(long().len() as u64)]);

    // A FIN is no octet of the stream.
    let mut talk = Talk::start();
    talk.send(0, "F", &keepalive()).send(1, "F", &[]).send(0, "", &[]);
    assert_eq!(read_packets(&talk.packets()).messages(), [keepalive()]);
    // Nor is one that the capture lacks.
    let mut talk = Talk::start();
    talk.send(0, "", &keepalive()).send(0, "F", &[]);
    talk.segments.pop();
    talk.send(1, "F", &[]);
    assert_eq!(read_packets(&talk.packets()).messages(), [keepalive()]);
}

#[test]
fn a_capture_that_begins_within_a_message_continues_with_the_next() {
    let mut talk = Talk::in_the_middle();
    let octets = [&long()[23..], &keepalive(), &long(), &[0xff; 3]].concat();
    for part in octets.chunks(17) {
        talk.send(0, "", part);
    }
    let found = read_packets(&talk.packets()).found;
    let skipped_octets = long().len() as u64 - 23;
    let rest = Found::Fragment(vec![0xff; 3]);
    assert_eq!(found, [skipped(skipped_octets), message(keepalive()), message(long()), rest]);

    // Some messages end with octets that look like the beginning of a marker.
    let mut talk = Talk::in_the_middle();
    talk.send(0, "", &[&[0xff; 20][..], &keepalive()].concat());
    let found = read_packets(&talk.packets()).found;
    assert_eq!(found, [skipped(20), message(keepalive())]);
}

#[test]
fn a_capture_without_any_message_of_a_stream_says_how_much_it_skips() {
    let mut talk = Talk::in_the_middle();
    talk.send(0, "", &[7; 1_000]).send(0, "", &[8; 1_000]);
    assert_eq!(read_packets(&talk.packets()).found, [skipped(2_000)]);
}

#[test]
fn a_header_with_an_error_is_a_message_and_the_stream_continues_at_the_next() {
    let mut talk = Talk::start();
    let mut wrong = keepalive();
    wrong[18] = 9;
    talk.send(0, "", &[&keepalive()[..], &wrong, &[1, 2, 3], &keepalive()].concat());
    let found = read_packets(&talk.packets()).found;
    assert_eq!(found, [message(keepalive()), message(wrong), skipped(22), message(keepalive())]);
}

#[test]
fn what_waits_for_a_missing_segment_is_bounded() {
    let limits = Limits { waiting: 4_000, ..Limits::default() };
    let mut talk = Talk::start();
    talk.send(0, "", &long());
    talk.segments.pop();
    for _ in 0..100 {
        talk.send(0, "", &long());
    }
    let outcome = try_read(limits, &pcap(ETHERNET, &talk.packets())).unwrap();
    let octets = Some(long().len() as u64);
    let early = StreamGap { octets, is_early: true };
    assert_eq!(outcome.found[0], Found::Problem(CaptureProblem::Gap(early)));
    let text = CaptureProblem::Gap(early).to_string();
    assert!(text.ends_with("for which too much data waits"), "{text}");
    assert_eq!(outcome.found[1..], vec![message(long()); 100]);
}

#[test]
fn connections_are_bounded_by_number_and_by_memory() {
    let talks = (0..20_u16).map(|number| {
        let mut talk = Talk::start();
        talk.client.set_port(40_000 + number);
        for segment in &mut talk.segments {
            let port = if segment.from.port() == 179 { &mut segment.to } else { &mut segment.from };
            port.set_port(40_000 + number);
        }
        talk.send(0, "", &long()[..60]);
        talk
    });
    let packets: Vec<Packet> = talks.flat_map(|talk| talk.packets()).collect();
    let file = pcap(ETHERNET, &packets);
    for limits in [
        Limits { connections: 5, ..Limits::default() },
        Limits { octets: 300, ..Limits::default() },
    ] {
        let outcome = try_read(limits, &file).unwrap();
        assert_eq!(outcome.skipped.given_up, 15);
        // Nothing is lost without a word.
        assert_eq!(outcome.found, vec![Found::Fragment(long()[..60].to_vec()); 20]);
    }
}

#[test]
fn fragments_and_short_packets_are_reported_and_leave_gaps() {
    let mut talk = Talk::start();
    talk.send(0, "", &long()).send(0, "", &keepalive());
    let mut packets = talk.packets();
    // A snap length of 100 octets: of the segment, 46 are in the capture.
    packets[3].octets.truncate(100);
    let outcome = read_packets(&packets);
    let missing = long().len() as u64 - 46;
    let beginning = Found::Fragment(long()[..46].to_vec());
    assert_eq!(outcome.found, [beginning, gap(missing), message(keepalive())]);
    assert_eq!(outcome.skipped.shortened, 1);

    // The same as two fragments of IPv4: the first has 66 octets of TCP, the second the rest.
    let mut packets = talk.packets();
    let whole = packets[3].octets.clone();
    let fragment = |bits: [u8; 2], octets: &[u8]| {
        let mut frame = whole[..34].to_vec();
        frame[16..18].copy_from_slice(&u16::try_from(20 + octets.len()).unwrap().to_be_bytes());
        frame[20..22].copy_from_slice(&bits);
        frame.extend(octets);
        Packet::of(frame)
    };
    let fragments = [fragment([0x20, 0], &whole[34..98]), fragment([0, 8], &whole[98..])];
    packets.splice(3..4, fragments);
    let outcome = read_packets(&packets);
    let missing = long().len() as u64 - 44;
    let beginning = Found::Fragment(long()[..44].to_vec());
    assert_eq!(outcome.found, [beginning, gap(missing), message(keepalive())]);
    assert_eq!(outcome.skipped.fragments, 2);
    let warnings = outcome.skipped.warnings(&[179]);
    assert_eq!(warnings, ["2 IP fragments of TCP segments, which are not put together"]);
}

/// A raw packet of IPv6 with extension headers.
fn ipv6(first: u8, rest: &[u8]) -> Packet {
    let [high, low] = u16::try_from(rest.len()).unwrap().to_be_bytes();
    let address = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    Packet::of([&[0x60, 0, 0, 0, high, low, first, 64][..], &address, &address, rest].concat())
}

#[test]
fn extension_headers_of_ipv6_are_read_and_incomplete_ones_do_no_harm() {
    const FRAGMENT: u8 = 44;
    const OPTIONS: u8 = 60;
    const TCP: u8 = 6;

    let tcp = [&[0, 179, 0x9c, 0x40][..], &[0; 8], &[0x50, 0x10, 0, 0, 0, 0, 0, 0], &keepalive()];
    let tcp = tcp.concat();
    let options = |next: u8| [next, 0, 1, 4, 0, 0, 0, 0];
    let fragment = |offset: u8| [TCP, 0, 0, offset, 0, 0, 0, 1];
    let packets = [
        ipv6(OPTIONS, &[&options(TCP)[..], &tcp].concat()),
        ipv6(OPTIONS, &[&options(FRAGMENT)[..], &fragment(8), &tcp].concat()),
        ipv6(OPTIONS, &options(OPTIONS)),
        ipv6(OPTIONS, &[&options(FRAGMENT)[..], &[TCP, 0, 0]].concat()),
        ipv6(FRAGMENT, &[TCP]),
        ipv6(0, &options(0)),
    ];
    let outcome = read_file(&pcap(101, &packets));
    assert_eq!(outcome.skipped.fragments, 1);
    assert_eq!(outcome.messages(), [keepalive()]);
}

#[test]
fn a_new_connection_with_the_same_ports_starts_again() {
    let mut talk = Talk::start();
    talk.send(0, "", &keepalive()).send(0, "", &long()[..30]).send(1, "R", &[]);
    let first = talk.segments.len();
    talk.next = [5, 900_000_000];
    talk.send(0, "S", &[]);
    talk.segments[first].acknowledgment = None;
    talk.send(1, "S", &[]).send(1, "", &keepalive()).send(0, "", &cease());
    let found = read_packets(&talk.packets()).found;
    assert_eq!(
        found,
        [
            message(keepalive()),
            Found::Fragment(long()[..30].to_vec()),
            message(keepalive()),
            message(cease())
        ]
    );
}

#[test]
fn sequence_numbers_far_behind_are_another_connection() {
    let mut talk = Talk::start();
    talk.send(0, "", &keepalive());
    talk.next[0] = talk.next[0].wrapping_sub(1 << 30);
    talk.send(0, "", &[&[1, 2, 3], &cease()[..]].concat());
    let found = read_packets(&talk.packets()).found;
    let restart = StreamGap { octets: None, is_early: false };
    assert_eq!(
        found,
        [
            message(keepalive()),
            Found::Problem(CaptureProblem::Gap(restart)),
            skipped(3),
            message(cease())
        ]
    );
}

#[test]
fn octets_with_a_syn_belong_to_the_stream() {
    let mut talk = Talk::in_the_middle();
    talk.send(0, "S", &keepalive()).send(0, "", &cease());
    assert_eq!(read_packets(&talk.packets()).messages(), [keepalive(), cease()]);
    // Programs that write captures may count the SYN as nothing.
    talk.segments[1].sequence = talk.segments[1].sequence.wrapping_sub(1);
    assert_eq!(read_packets(&talk.packets()).messages(), [keepalive(), cease()]);
}
