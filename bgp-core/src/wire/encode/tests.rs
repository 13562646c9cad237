//! What is written, by octets and by reading it back.

use bytes::BytesMut;
use ipnet::IpNet;

use crate::types::{AfiSafi, Asn, BgpIdentifier, PeerType};
use crate::wire::update::tests::{external, hex, update};
use crate::wire::{
    Aggregator, AsPath, AttributeBlock, AttributeCode, AttributeFlags, Capability, Community,
    Frame, LargeCommunity, Message, MessageLimit, NextHop, Open, PathAttributes, RawAttribute,
    RouteRefresh, UpdateWriter, WireContext, encode_end_of_rib, encode_keepalive,
};

fn attributes() -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(64_636)]),
        local_pref: Some(100),
        communities: vec![Community::new(64_635, 100)],
        ..PathAttributes::default()
    }
}

/// Encodes as many UPDATEs as the prefixes need.
fn reach(
    family: AfiSafi,
    next_hop: &str,
    attributes: &PathAttributes,
    prefixes: &[IpNet],
    cx: WireContext,
) -> BytesMut {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    block.encode(attributes, cx);
    let next_hop = NextHop::from(next_hop.parse::<std::net::IpAddr>().unwrap());
    let mut rest = prefixes;
    while !rest.is_empty() {
        let mut writer = UpdateWriter::reach(&mut out, family, &next_hop, &block, cx);
        let fitted = rest.iter().take_while(|prefix| writer.push(**prefix)).count();
        assert_eq!(writer.finish(), fitted);
        if fitted == 0 {
            break;
        }
        rest = &rest[fitted..];
    }
    out
}

/// The messages of a stream.
fn frames(mut octets: &[u8], limit: MessageLimit) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    while let Some(frame) = Frame::split(octets, limit).unwrap() {
        octets = &octets[frame.as_bytes().len()..];
        frames.push(frame);
    }
    assert!(octets.is_empty());
    frames
}

#[test]
fn ipv4_routes_with_an_ipv4_next_hop_use_the_nlri_field_and_next_hop() {
    let prefixes = ["172.22.35.70/32".parse().unwrap(), "200.1.154.77/26".parse().unwrap()];
    let out = reach(AfiSafi::IPV4_UNICAST, "172.22.35.26", &attributes(), &prefixes, external());
    let core = "40010100 40020602 01 0000fc7c 400304 ac16231a c00804 fc7b0064";
    assert_eq!(out, update("", core, "20 ac162346 1a c8019a40"));
}

#[test]
fn local_pref_goes_to_internal_peers_only() {
    let prefixes = ["10.0.0.0/8".parse().unwrap()];
    let internal = WireContext::new(PeerType::Internal).four_octet_as(true);
    let out = reach(AfiSafi::IPV4_UNICAST, "10.0.0.1", &attributes(), &prefixes, internal);
    let core = "40010100 40020602 01 0000fc7c 400304 0a000001 400504 00000064 c00804 fc7b0064";
    assert_eq!(out, update("", core, "08 0a"));
}

#[test]
fn ipv6_routes_and_ipv6_next_hops_put_mp_reach_first() {
    let mp = "800e1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8";
    let core = "40010100 40020602 01 0000fc7c c00804 fc7b0064";
    let prefixes = ["2001:db8::/32".parse().unwrap()];
    let out = reach(AfiSafi::IPV6_UNICAST, "2001:db8::1", &attributes(), &prefixes, external());
    assert_eq!(out, update("", &format!("{mp}{core}"), ""));

    let mp = "800e17 0001 01 10 20010db8000000000000000000000001 00 08 0a";
    let prefixes = ["10.0.0.0/8".parse().unwrap()];
    let out = reach(AfiSafi::IPV4_UNICAST, "2001:db8::1", &attributes(), &prefixes, external());
    assert_eq!(out, update("", &format!("{mp}{core}"), ""));
}

#[test]
fn a_peer_with_two_octets_gets_as_trans_and_the_as4_attributes() {
    let attributes = PathAttributes {
        as_path: AsPath::sequence([Asn(64_636), Asn(70_000)]),
        aggregator: Some(Aggregator { asn: Asn(70_000), address: [10, 0, 0, 9].into() }),
        ..PathAttributes::default()
    };
    let cx = WireContext::default();
    let prefixes = ["10.0.0.0/8".parse().unwrap()];
    let out = reach(AfiSafi::IPV4_UNICAST, "10.0.0.1", &attributes, &prefixes, cx);
    let core = "40010100 400206 0202 fc7c 5ba0 400304 0a000001 c00706 5ba0 0a000009
                c0110a 0202 0000fc7c 00011170 c01208 00011170 0a000009";
    assert_eq!(out, update("", core, "08 0a"));
    let frame = frames(&out, MessageLimit::Standard)[0];
    let Ok(Message::Update(update)) = Message::decode(frame, cx) else { panic!("no UPDATE") };
    let read = update.to_attributes();
    assert_eq!((read.as_path, read.aggregator), (attributes.as_path, attributes.aggregator));
}

#[test]
fn a_table_is_split_into_messages_that_fit() {
    let v4: Vec<IpNet> =
        (0..5_000u32).map(|n| format!("10.{}.{}.0/24", n >> 8, n & 255).parse().unwrap()).collect();
    let v6: Vec<IpNet> =
        (0..5_000).map(|n| format!("2001:db8:{n:x}::/48").parse().unwrap()).collect();
    for (cx, limit) in [
        (external(), MessageLimit::Standard),
        (external().extended_messages(true), MessageLimit::Extended),
    ] {
        for (family, next_hop, prefixes) in
            [(AfiSafi::IPV4_UNICAST, "10.0.0.1", &v4), (AfiSafi::IPV6_UNICAST, "2001:db8::1", &v6)]
        {
            let out = reach(family, next_hop, &attributes(), prefixes, cx);
            let mut read = Vec::new();
            let all = frames(&out, limit);
            for (at, frame) in all.iter().enumerate() {
                let Ok(Message::Update(update)) = Message::decode(*frame, cx) else { panic!() };
                read.extend(update.reachable());
                // Only the last message has space for another prefix.
                let room = limit.octets() - frame.as_bytes().len();
                assert!(at + 1 == all.len() || room < 8 + 1, "{room} octets left");
            }
            assert_eq!(&read, prefixes);
        }
    }
}

#[test]
fn directly_encoded_attributes_leave_no_space_unused() {
    let v6: Vec<IpNet> =
        (0..1_000).map(|n| format!("2001:db8:{n:x}::/48").parse().unwrap()).collect();
    let next_hop = "2001:db8::1".parse().unwrap();
    for communities in 0..40 {
        let attributes =
            PathAttributes { communities: vec![Community(1); communities], ..attributes() };
        let of_block = reach(AfiSafi::IPV6_UNICAST, "2001:db8::1", &attributes, &v6, external());
        let of_block = frames(&of_block, MessageLimit::Standard)[0].as_bytes().len();
        for at_once in [true, false] {
            let mut out = BytesMut::new();
            let family = AfiSafi::IPV6_UNICAST;
            let mut writer =
                UpdateWriter::reach_with(&mut out, family, &next_hop, &attributes, external());
            if at_once {
                writer.push_all(&v6);
            } else {
                v6.iter().take_while(|prefix| writer.push(**prefix)).count();
            }
            writer.finish();
            assert_eq!(out.len(), of_block, "{communities} communities");
        }
    }
}

#[test]
fn withdrawals_use_the_withdrawn_routes_field_or_mp_unreach() {
    let mut out = BytesMut::new();
    let mut writer = UpdateWriter::unreach(&mut out, AfiSafi::IPV4_UNICAST, external());
    assert!(writer.push("10.0.0.0/8".parse().unwrap()));
    assert_eq!(writer.finish(), 1);
    assert_eq!(out, update("08 0a", "", ""));
    out.clear();
    let mut writer = UpdateWriter::unreach(&mut out, AfiSafi::IPV6_UNICAST, external());
    assert!(writer.push("2001:db8::/32".parse().unwrap()));
    assert_eq!(writer.finish(), 1);
    assert_eq!(out, update("", "800f08 000201 20 20010db8", ""));
}

#[test]
fn the_default_route_alone_is_withdrawn_in_one_octet() {
    let mut out = BytesMut::new();
    let mut writer = UpdateWriter::unreach(&mut out, AfiSafi::IPV4_UNICAST, external());
    assert!(writer.push("0.0.0.0/0".parse().unwrap()));
    assert_eq!(writer.finish(), 1);
    assert_eq!(out, update("00", "", ""));
}

#[test]
fn no_combination_of_attributes_and_prefixes_exceeds_the_limit_or_wastes_space() {
    let v6: Vec<IpNet> =
        (0..1_000).map(|n| format!("2001:db8:{n:x}::/48").parse().unwrap()).collect();
    for padding in 0..20 {
        let code = AttributeCode(200);
        let value = vec![0; padding].into();
        let unknown = vec![RawAttribute { code, flags: AttributeFlags(0xe0), value }];
        let attributes = PathAttributes { unknown, ..attributes() };
        let out = reach(AfiSafi::IPV6_UNICAST, "2001:db8::1", &attributes, &v6, external());
        let all = frames(&out, MessageLimit::Standard);
        assert!((4_090..=4_096).contains(&all[0].as_bytes().len()), "{padding}");
    }
}

#[test]
fn withdrawals_fill_a_message_to_the_last_octet() {
    for (family, longer, shorter) in [
        (AfiSafi::IPV4_UNICAST, "10.0.0.0/24", "0.0.0.0/0"),
        (AfiSafi::IPV6_UNICAST, "2001:db8::/48", "::/0"),
    ] {
        let mut out = BytesMut::new();
        let mut writer = UpdateWriter::unreach(&mut out, family, external());
        let (longer, shorter): (IpNet, IpNet) = (longer.parse().unwrap(), shorter.parse().unwrap());
        let mut count = 0;
        while writer.push(longer) || writer.push(shorter) {
            count += 1;
        }
        assert_eq!(writer.finish(), count);
        assert_eq!(out.len(), 4_096);
        let frame = frames(&out, MessageLimit::Standard)[0];
        let Ok(Message::Update(read)) = Message::decode(frame, external()) else {
            panic!("no UPDATE")
        };
        assert_eq!(read.unreachable().count(), count);
    }
}

#[test]
fn carried_attributes_are_sent_once_each_in_order_of_codes() {
    let raw = |code, flags, value: &'static [u8]| RawAttribute {
        code: AttributeCode(code),
        flags: AttributeFlags(flags),
        value: value.into(),
    };
    let unknown = vec![
        raw(6, 0xc0, b"typed"),
        raw(11, 0xe0, b"a"),
        raw(23, 0xc0, b"b"),
        raw(26, 0x90, b"c"),
        raw(33, 0xe0, b"d"),
        raw(255, 0xe0, b"e"),
    ];
    let large_communities = vec![LargeCommunity::new(1, 2, 3)];
    let attributes = PathAttributes { unknown, large_communities, ..attributes() };
    for (peer, expected) in [
        (PeerType::External, &[1, 2, 3, 8, 11, 23, 32, 33, 255][..]),
        (PeerType::Internal, &[1, 2, 3, 5, 8, 11, 23, 26, 32, 33, 255]),
    ] {
        let cx = WireContext::new(peer).four_octet_as(true);
        let prefixes = ["10.0.0.0/8".parse().unwrap()];
        let out = reach(AfiSafi::IPV4_UNICAST, "10.0.0.1", &attributes, &prefixes, cx);
        let frame = frames(&out, MessageLimit::Standard)[0];
        let Ok(Message::Update(read)) = Message::decode(frame, cx) else { panic!("no UPDATE") };
        let codes: Vec<_> = read.attributes().map(|attribute| attribute.code.0).collect();
        assert_eq!(codes, expected, "{peer}");
    }
}

#[test]
fn an_ipv4_next_hop_of_ipv6_routes_is_sent_mapped() {
    let prefixes = ["2001:db8::/32".parse().unwrap()];
    let out = reach(AfiSafi::IPV6_UNICAST, "10.0.0.1", &attributes(), &prefixes, external());
    let mp = "800e1a 0002 01 10 00000000000000000000ffff0a000001 00 20 20010db8";
    let core = "40010100 40020602 01 0000fc7c c00804 fc7b0064";
    assert_eq!(out, update("", &format!("{mp}{core}"), ""));
}

#[test]
fn a_path_of_many_hops_is_sent_in_segments_and_a_long_attribute_with_a_long_length() {
    let path = AsPath::sequence((1..=600).map(Asn));
    let attributes = PathAttributes { as_path: path, ..PathAttributes::default() };
    let prefixes = ["10.0.0.0/8".parse().unwrap()];
    let out = reach(AfiSafi::IPV4_UNICAST, "10.0.0.1", &attributes, &prefixes, external());
    let Ok(Message::Update(read)) =
        Message::decode(frames(&out, MessageLimit::Standard)[0], external())
    else {
        panic!("no UPDATE")
    };
    let path = read.as_path().unwrap();
    let lengths: Vec<_> = path.segments().map(|segment| segment.asns.len()).collect();
    assert_eq!(lengths, [255, 255, 90]);
    assert!(path.asns().eq((1..=600).map(Asn)));
    let flags: Vec<_> = read.attributes().map(|attribute| attribute.flags.0).collect();
    assert_eq!(flags, [0x40, 0x50, 0x40]);
}

#[test]
fn a_writer_without_prefixes_leaves_nothing_behind() {
    let mut out = BytesMut::from(&b"before"[..]);
    let mut block = AttributeBlock::new();
    block.encode(&attributes(), external());
    let next_hop = NextHop::V4([10, 0, 0, 1].into());
    let mut writer =
        UpdateWriter::reach(&mut out, AfiSafi::IPV4_UNICAST, &next_hop, &block, external());
    assert!(!writer.push("2001:db8::/32".parse().unwrap()), "not of the family");
    assert_eq!(writer.finish(), 0);
    let mut writer = UpdateWriter::unreach(&mut out, AfiSafi::IPV4_UNICAST, external());
    assert!(writer.push("10.0.0.0/8".parse().unwrap()));
    drop(writer);
    assert_eq!(out, &b"before"[..]);
}

#[test]
fn attributes_that_fill_a_message_leave_no_space_for_a_prefix() {
    let large = PathAttributes { communities: vec![Community(1); 1_020], ..attributes() };
    for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
        let prefix = if family == AfiSafi::IPV4_UNICAST { "10.0.0.0/8" } else { "2001:db8::/32" };
        let out = reach(family, "2001:db8::1", &large, &[prefix.parse().unwrap()], external());
        assert!(out.is_empty());
        for next_hop in ["10.0.0.1", "2001:db8::1"] {
            let (mut out, next_hop) = (BytesMut::new(), next_hop.parse().unwrap());
            let mut writer =
                UpdateWriter::reach_with(&mut out, family, &next_hop, &large, external());
            assert!(!writer.push(prefix.parse().unwrap()));
            assert_eq!((writer.finish(), out.len()), (0, 0));
        }
    }
}

#[test]
fn an_open_reads_back_with_its_real_as() {
    let identifier = BgpIdentifier::new(10, 0, 0, 2);
    let capabilities = vec![
        Capability::Multiprotocol(AfiSafi::IPV4_UNICAST),
        Capability::RouteRefresh,
        Capability::FourOctetAs(Asn(70_000)),
    ];
    let open = Open::new(Asn(70_000), 90, identifier, capabilities);
    let mut out = BytesMut::new();
    open.encode(&mut out);
    let expected = "ffffffffffffffffffffffffffffffff 002d 01 04 5ba0 005a 0a000002
                    10 02 0e 0104 00010001 0200 4104 00011170";
    assert_eq!(out, hex(expected));
    let frame = frames(&out, MessageLimit::Standard)[0];
    let Ok(Message::Open(read)) = Message::decode(frame, external()) else { panic!("no OPEN") };
    assert_eq!(read, open);
    assert_eq!((read.asn, read.my_as), (Asn(70_000), 23_456));
}

#[test]
fn the_small_messages_have_their_octets() {
    let mut out = BytesMut::new();
    encode_keepalive(&mut out);
    assert_eq!(out, hex("ffffffffffffffffffffffffffffffff 0013 04"));
    out.clear();
    RouteRefresh::request(AfiSafi::IPV6_UNICAST).encode(&mut out);
    assert_eq!(out, hex("ffffffffffffffffffffffffffffffff 0017 05 0002 00 01"));
    out.clear();
    encode_end_of_rib(&mut out, AfiSafi::IPV4_UNICAST);
    assert_eq!(out, update("", "", ""));
    out.clear();
    encode_end_of_rib(&mut out, AfiSafi::IPV6_UNICAST);
    assert_eq!(out, update("", "800f03 000201", ""));
}

#[test]
fn repeated_large_communities_are_sent_once_in_their_order() {
    let large = [3, 1, 3, 2, 1].map(|n| LargeCommunity::new(64_635, 1, n)).to_vec();
    let attributes = PathAttributes { large_communities: large, ..PathAttributes::default() };
    let prefixes = ["10.0.0.0/8".parse().unwrap()];
    let out = reach(AfiSafi::IPV4_UNICAST, "10.0.0.1", &attributes, &prefixes, external());
    let communities =
        "0000fc7b 00000001 00000003 0000fc7b 00000001 00000001 0000fc7b 00000001 00000002";
    let core = format!("40010100 400200 400304 0a000001 c02024 {communities}");
    assert_eq!(out, update("", &core, "08 0a"));
}
