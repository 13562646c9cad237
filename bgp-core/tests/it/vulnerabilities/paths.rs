//! AS_PATHs: segments that must not be there, and paths longer than most implementations expected.

use bgp_core::policy::AsPathPattern;
use bgp_core::wire::Treatment::{None as Fine, TreatAsWithdraw as Taw};
use bgp_core::wire::{
    AttributeBlock, Frame, MessageLimit, PathAttributes, SegmentType, Update, UpdateWriter,
    WireContext,
};
use bgp_core::{AfiSafi, Asn, PeerType};
use bytes::BytesMut;

use super::{external, hex, internal, judge, update, update_of};

/// An UPDATE whose path has these octets.
fn with_path(path: &[u8]) -> Vec<u8> {
    let length = u16::try_from(path.len()).unwrap().to_be_bytes();
    let attributes = [hex("40010100 5002"), length.to_vec(), path.to_vec(), hex("400304ac16231a")];
    update_of(&attributes.concat(), &hex("08 0a"))
}

/// A path of `hops` four-octet numbers in segments of this type, each as long as it may be.
fn segments(kind: u8, hops: u32) -> Vec<u8> {
    let asns: Vec<_> = (0..hops).map(|hop| u32::MAX - hop % 1_000).collect();
    let mut path = Vec::new();
    for chunk in asns.chunks(255) {
        path.extend([kind, u8::try_from(chunk.len()).unwrap()]);
        path.extend(chunk.iter().flat_map(|asn| asn.to_be_bytes()));
    }
    path
}

fn attributes_of(octets: &[u8], cx: WireContext) -> PathAttributes {
    let frame = Frame::split(octets, MessageLimit::Extended).unwrap().unwrap();
    Update::decode(frame, cx).unwrap().to_attributes()
}

#[test]
fn a_wrong_segment_withdraws_the_routes() {
    for (number, path) in [
        // Types that do not exist, and those of confederations from another AS.
        ("CVE-2010-2949", "00 01 0000fc7c"),
        ("CVE-2010-2949", "05 01 0000fc7c"),
        ("CVE-2012-4097", "02 01 0000fc7c ff 01 0000fc7b"),
        ("CVE-2012-4098", "03 01 0000fc7c"),
        ("CVE-2012-4099", "04 01 0000fc7c 02 01 0000fc7b"),
        // Segments without numbers, with fewer than they say, and half a header.
        ("CVE-2012-4098", "02 00"),
        ("CVE-2012-4099", "02 ff 0000fc7c"),
        ("CVE-2012-4099", "02 01 0000fc7c 02"),
    ] {
        assert_eq!(judge(&with_path(&hex(path)), external()), Ok(Taw), "{number}: {path}");
    }
}

#[test]
fn a_path_of_any_length_is_read_printed_matched_and_sent_on() {
    // CVE-2009-0780 CVE-2009-1154 CVE-2009-1168 CVE-2009-1572 CVE-2009-2056 CVE-2013-1121 CVE-2014-0616 CVE-2017-16227
    // CVE-2018-17539 CVE-2020-1632 CVE-2023-44186 CVE-2026-49943: buffers, counters and lengths for shorter paths.
    let greedy: AsPathPattern = "^([0-9]+_?)+x$".parse().unwrap();
    for hops in [0, 1, 8, 254, 255, 256, 510, 1_000, 2_048, 2_049, 5_000, 16_000] {
        let octets = with_path(&segments(2, hops));
        let mut attributes = attributes_of(&octets, external());
        assert_eq!(judge(&octets, external()), Ok(Fine), "{hops}");
        assert_eq!(attributes.as_path.hop_count(), usize::try_from(hops).unwrap());
        let text = attributes.as_path.to_string();
        assert_eq!(text.split_whitespace().count(), usize::try_from(hops).unwrap());
        assert!(!greedy.matches(&attributes.as_path));

        // Sent on with our AS in front, to peers with AS numbers of four octets and of two, in long messages and short ones.
        attributes.as_path.prepend(Asn(64_636), 3);
        for four_octets in [true, false] {
            for extended in [true, false] {
                let cx = WireContext::new(PeerType::External)
                    .four_octet_as(four_octets)
                    .extended_messages(extended);
                let Some(sent) = sent_on(&attributes, cx) else {
                    assert!(hops >= 600, "{hops} hops fit");
                    continue;
                };
                assert!(sent.len() <= cx.limit().octets());
                assert_eq!(judge(&sent, cx), Ok(Fine), "{hops}, {four_octets}, {extended}");
                let received = attributes_of(&sent, cx).as_path;
                assert_eq!(received.to_string(), attributes.as_path.to_string(), "{hops}");
                assert!(received.segments.iter().all(|segment| segment.asns.len() <= 255));
            }
        }
    }
}

/// The UPDATE that announces 10.0.0.0/8 with these attributes, if it fits a message.
fn sent_on(attributes: &PathAttributes, cx: WireContext) -> Option<BytesMut> {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    block.encode(attributes, cx);
    let next_hop = std::net::Ipv4Addr::new(192, 0, 2, 1).into();
    let mut writer = UpdateWriter::reach(&mut out, AfiSafi::IPV4_UNICAST, &next_hop, &block, cx);
    let fits = writer.push("10.0.0.0/8".parse().unwrap());
    (writer.finish() == 1 && fits).then_some(out)
}

#[test]
fn a_segment_of_255_numbers_is_sent_on_as_two() {
    // CVE-2025-20115: AS_CONFED_SEQUENCE with 255 numbers, and one more in front.
    for (kind, lengths) in [(2, vec![255, 1]), (3, vec![1, 255])] {
        let mut attributes = attributes_of(&with_path(&segments(kind, 255)), internal());
        attributes.as_path.prepend(Asn(64_636), 1);
        let sent = sent_on(&attributes, internal()).expect("a short path");
        assert_eq!(judge(&sent, internal()), Ok(Fine));

        let path = attributes_of(&sent, internal()).as_path;
        let segments: Vec<_> = path.segments.iter().map(|it| it.asns.len()).collect();
        assert_eq!((segments, path.first_as()), (lengths, Some(Asn(64_636))), "type {kind}");
    }
}

#[test]
fn a_set_of_many_numbers_is_matched_in_time() {
    // CVE-2013-1121.
    let path = attributes_of(&with_path(&segments(1, 255)), external()).as_path;
    assert_eq!((path.segments.len(), path.segments[0].kind), (1, SegmentType::Set));
    for pattern in ["^([0-9]+_?)+x$", "(_[0-9]+)*_(_[0-9]+)*x", "^(.*,)*x"] {
        let pattern: AsPathPattern = pattern.parse().unwrap();
        assert!(!pattern.matches(&path), "{pattern}");
    }
}

#[test]
fn as4_path_may_come_before_as_path_be_longer_or_hold_a_confederation() {
    let old = WireContext::new(PeerType::External);
    let next_hop = "400304ac16231a";
    for (number, attributes, path) in [
        // AS4_PATH first.
        ("CVE-2026-41643", "c01106 020100011170 40010100 40020402015ba0", "70000"),
        // Longer than AS_PATH: not used (RFC 6793 section 4.2.3).
        ("CVE-2026-41643", "40010100 40020402015ba0 c0110a 02020001117000011171", "23456"),
        // Without AS_PATH there is no path.
        ("CVE-2026-41643", "40010100 400200 c01106 020100011170", ""),
        // A confederation in AS4_PATH is left out (RFC 6793 section 6).
        (
            "CVE-2009-2049",
            "40010100 4002060202fc7c5ba0 c0110c 030100011171 020100011170",
            "64636 70000",
        ),
    ] {
        let octets = update(&format!("{attributes}{next_hop}"), "08 0a");
        assert_eq!(judge(&octets, old), Ok(Fine), "{number}");
        assert_eq!(attributes_of(&octets, old).as_path.to_string(), path, "{number}");
    }
}
