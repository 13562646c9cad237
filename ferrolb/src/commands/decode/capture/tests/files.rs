//! The kinds of files and links.

use std::io::Write as _;

use super::packets::{ETHERNET, Packet, Segment, pcap, pcapng};
use super::streams::{Talk, context, keepalive, update};
use super::{Limits, read_file, try_read};
use crate::commands::decode::location::Location;
use crate::commands::decode::{Context, SkippedPackets, capture};
use crate::output::OutputFormat;

/// A connection with three messages of the client.
fn talk() -> (Talk, Vec<Vec<u8>>) {
    let mut talk = Talk::start();
    let messages = vec![keepalive(), update(context(), 1, 3), keepalive()];
    for message in &messages {
        talk.send(0, "", message);
    }
    (talk, messages)
}

#[test]
fn pcap_and_pcapng_in_both_byte_orders_have_the_same_messages_and_times() {
    let (talk, messages) = talk();
    let packets = talk.packets();
    let files = [pcap(ETHERNET, &packets), pcapng(1, &packets, false), pcapng(1, &packets, true)];
    for file in files {
        let outcome = read_file(&file);
        // The handshake has the first three packets.
        let locations: Vec<_> = outcome.locations.iter().map(ToString::to_string).collect();
        let ends = "from 172.22.35.25:40001 to 172.22.35.1:179";
        assert_eq!(
            locations,
            [3, 4, 5].map(|at| format!("packet {}, time 1600000000.00{at}000 {ends}", at + 1))
        );
        assert_eq!(outcome.skipped.warnings(&[179]), Vec::<String>::new());
        assert_eq!(outcome.messages(), messages);
    }
}

/// Runs the command on a file.
fn decoded(file: &[u8], ports: &[u16], format: OutputFormat) -> (String, SkippedPackets) {
    let mut output = Vec::new();
    let skipped = capture(file, ports, &Context::default(), format, &mut output).unwrap();
    (String::from_utf8(output).unwrap(), skipped)
}

#[test]
fn compressed_captures_are_read_like_plain_ones() {
    let (talk, _) = talk();
    let plain = pcapng(1, &talk.packets(), false);
    let expected = decoded(&plain, &[179], OutputFormat::Json);
    assert_eq!(expected.0.lines().count(), 3);

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&plain).unwrap();
    for file in [gzip.finish().unwrap(), bzip2.finish().unwrap()] {
        assert_eq!(decoded(&file, &[179], OutputFormat::Json), expected);
    }
}

#[test]
fn messages_are_written_as_in_other_inputs_with_their_packets() {
    let mut talk = Talk::start();
    talk.send(0, "", &keepalive());
    let file = pcap(ETHERNET, &talk.packets());

    let (text, _) = decoded(&file, &[179], OutputFormat::Text);
    let first = "# message 1, packet 4, time 1600000000.003000 from 172.22.35.25:40001 to \
                 172.22.35.1:179\nKEEPALIVE, 19 octets\n";
    assert!(text.starts_with(first), "{text}");
    assert!(text.ends_with("verdict: ok\n\n"), "{text}");

    let (line, _) = decoded(&file, &[179], OutputFormat::Json);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        line,
        serde_json::json!({
            "id": 1, "outcome": "ok", "notification": null, "decoded": {"type": "keepalive"},
            "packet": 4, "time": 1_600_000_000, "microseconds": 3_000,
            "from": "172.22.35.25", "from_port": 40001, "to": "172.22.35.1", "to_port": 179,
        })
    );
}

/// The same segments behind each kind of link.
fn links(segments: &[Segment]) -> Vec<(u32, Vec<Packet>)> {
    type Build = fn(&Segment) -> Vec<u8>;
    let kinds: [(u32, Build); 12] = [
        (1, |it| it.ethernet().octets),
        (1, |it| vlan(it, &[0x8100])),
        (1, |it| vlan(it, &[0x88a8, 0x8100])),
        (1, mpls),
        (113, |it| {
            [&[0, 0, 0, 1, 0, 6], &[2; 8][..], &it.ether_type().to_be_bytes(), &it.ip()].concat()
        }),
        (276, |it| [&it.ether_type().to_be_bytes()[..], &[0; 18], &it.ip()].concat()),
        (101, Segment::ip),
        (12, Segment::ip),
        (228, Segment::ip),
        (0, |it| [&[2, 0, 0, 0][..], &it.ip()].concat()),
        (108, |it| [&[0, 0, 0, 2][..], &it.ip()].concat()),
        (104, |it| [&[0x0f, 0][..], &it.ether_type().to_be_bytes(), &it.ip()].concat()),
    ];
    let packets = |build: Build| segments.iter().map(|it| Packet::of(build(it))).collect();
    kinds.into_iter().map(|(link_type, build)| (link_type, packets(build))).collect()
}

fn vlan(segment: &Segment, tags: &[u16]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 42]);
    }
    frame.extend(segment.ether_type().to_be_bytes());
    frame.extend(segment.ip());
    frame
}

/// Behind two labels.
fn mpls(segment: &Segment) -> Vec<u8> {
    let labels = [0, 1, 0x00, 64, 0, 2, 0x01, 64];
    [&[2; 12][..], &[0x88, 0x47], &labels, &segment.ip()].concat()
}

#[test]
fn each_kind_of_link_has_the_same_messages() {
    let (talk, messages) = talk();
    for (link_type, packets) in links(&talk.segments) {
        let outcome = read_file(&pcap(link_type, &packets));
        assert_eq!(outcome.skipped.segments, 6, "link type {link_type}");
        assert_eq!(outcome.messages(), messages, "link type {link_type}");
    }
}

#[test]
fn ipv6_has_the_same_messages() {
    let mut talk = Talk::ipv6();
    talk.send(1, "", &update(context(), 1, 2));
    let packets: Vec<_> = talk.segments.iter().map(|it| Packet::of(it.ip())).collect();
    for file in [pcap(ETHERNET, &talk.packets()), pcap(229, &packets), pcapng(101, &packets, true)]
    {
        let outcome = read_file(&file);
        let Location::Packet { from, .. } = outcome.locations[0] else { panic!() };
        assert_eq!(from, talk.server);
        assert_eq!(outcome.messages(), [update(context(), 1, 2)]);
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    for file in [&b""[..], b"ffffffff", &[0; 100], b"\x0a\x0d\x0d\x0a\0\0\0\x05\x1a\x2b\x3c\x4d"] {
        let error = try_read(Limits::default(), file).err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{file:?}: {error}");
    }
    // A length that no packet has.
    let mut file = pcap(ETHERNET, &[Packet::of(vec![0; 60])]);
    file[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = try_read(Limits::default(), &file).err().unwrap();
    assert_eq!(
        error.to_string(),
        "packet of 4294967295 octets at octet 24: expected at most 16777216"
    );
}

#[test]
fn a_file_that_ends_within_a_packet_is_read_up_to_there() {
    let (talk, messages) = talk();
    let packets = talk.packets();
    for file in [pcap(ETHERNET, &packets), pcapng(1, &packets, true)] {
        // The last packet, the statistics after it, and a cut within them.
        for end in [file.len() - 30, file.len() - 1] {
            let outcome = read_file(&file[..end]);
            assert!(outcome.skipped.cut);
            let warnings = outcome.skipped.warnings(&[179]);
            assert_eq!(warnings, ["ends within a packet"]);
            let found = outcome.messages();
            assert_eq!(found, messages[..found.len()]);
            assert!(found.len() >= 2);
        }
    }
}

#[test]
fn packets_of_other_links_and_ports_are_counted() {
    let (talk, _) = talk();
    let outcome = read_file(&pcap(147, &talk.packets()));
    let warnings = outcome.skipped.warnings(&[179]);
    assert!(warnings[0].starts_with("6 packets have link type 147: expected "), "{warnings:?}");
    assert!(outcome.found.is_empty());

    let file = pcap(ETHERNET, &talk.packets());
    let (text, skipped) = decoded(&file, &[1179, 2179], OutputFormat::Text);
    assert_eq!(text, "");
    let expected = "none of the 6 packets is TCP with port 1179, 2179: use --port for another";
    assert_eq!(skipped.warnings(&[1179, 2179]), [expected]);
    // The port of either end counts.
    let (text, _) = decoded(&file, &[40_001], OutputFormat::Text);
    assert!(text.contains("# message 3"), "{text}");
}

#[test]
fn a_packet_of_an_interface_that_is_not_described_is_counted() {
    let (talk, _) = talk();
    let mut file = pcapng(1, &talk.packets(), false);
    // The first packet block follows the section header of 28 octets and the interface of 32.
    assert_eq!(file[60..64], 6_u32.to_le_bytes());
    file[68] = 9;
    assert_eq!(read_file(&file).skipped.malformed, 1);
}
