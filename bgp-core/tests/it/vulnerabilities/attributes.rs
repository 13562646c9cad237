//! Path attributes of UPDATEs, each beside valid ones and the prefix 10.0.0.0/8.

use bgp_core::wire::Treatment::{AttributeDiscard as Ad, None as Fine, TreatAsWithdraw as Taw};
use bgp_core::wire::{AttributeCode, Frame, MessageLimit, Treatment, Update, WireContext};
use bytes::BytesMut;

use super::{CORE, Verdict, external, hex, internal, judge, update, update_of};

/// The verdict on a route with the mandatory attributes and these.
fn with(attributes: &str, cx: WireContext) -> Verdict {
    judge(&update(&format!("{CORE}{attributes}"), "08 0a"), cx)
}

#[test]
fn a_malformed_attribute_costs_the_attribute_or_its_routes_and_never_the_session() {
    let cells: &[(&str, &str, Treatment)] = &[
        // AS4_PATH of no octets with the flags of August 2009, from a peer that must not send it.
        ("CVE-2009-2055", "e01100", Ad),
        ("CVE-2009-2049", "c01106 03010000fc7c", Ad),
        // Communities of three octets, extended ones of seven, and of none.
        ("CVE-2007-4826", "c00803 fc7c00", Taw),
        ("CVE-2010-1674", "c01007 0002fc7c000000", Taw),
        ("CVE-2010-1674", "c01000", Taw),
        // An extended community with an IPv6 address has 20 octets, not eight.
        ("CVE-2025-43972", "c01907 800c2001 0db800", Taw),
        ("CVE-2026-37461", "c01908 800c20010db80000", Taw),
        ("CVE-2026-37461", "c01913 000220010db8000000000000000000000001 00", Taw),
        // LOCAL_PREF of three octets.
        ("CVE-2012-1367", "400503 000000", Ad),
        // AIGP without its length, with a length below its header, and beyond its octets.
        ("CVE-2023-41359", "801a01 01", Ad),
        ("CVE-2023-41359", "801a02 0100", Ad),
        ("CVE-2026-7735", "801a03 01 0002", Ad),
        ("CVE-2026-7735", "801a0b 01 ffff 0000000000000064", Ad),
        // AGGREGATOR of AS 0 (RFC 7607).
        ("CVE-2024-47507", "c00708 00000000 0a000001", Ad),
        // Tunnel encapsulation: too short, a TLV beyond the attribute, a sub-TLV beyond its TLV.
        ("CVE-2023-38802", "c01703 000800", Taw),
        ("CVE-2024-30395", "c01704 0008 0004", Taw),
        ("CVE-2024-44070", "c01708 0008 0010 04 02 0000", Taw),
        ("CVE-2024-44070", "c01708 0008 0004 04 ff 0000", Taw),
        // Prefix-SID: a TLV without its length, and label indexes and ranges of other lengths.
        ("CVE-2023-31490", "c02802 01 00", Ad),
        ("CVE-2023-31490", "c02804 01 0007 00", Ad),
        ("CVE-2024-31948", "c02806 01 0003 000000", Ad),
        ("CVE-2024-31948", "c02807 03 0004 00000000", Ad),
        // SRv6 services: sub-TLVs that do not fit, and one of an unknown type.
        ("CVE-2026-7734", "c02803 05 0000", Taw),
        ("CVE-2026-7734", "c02808 05 0005 00 01 0001 00", Taw),
        ("CVE-2026-7734", "c02807 05 0004 00 02 0000", Fine),
        // ONLY_TO_CUSTOMER of 1,024 octets and of none, as seen at exchange points in October 2025.
        ("bird 2.0.8", "d0230400", Taw),
        ("bird 2.0.8", "c02300", Taw),
        // AS_PATHLIMIT, attribute 25 and attribute 21 as in 2023, with any value; 99 and 255 are not known to anyone.
        ("CVE-2010-1675", "c01502 0aff", Fine),
        ("CVE-2023-40457", "c01500", Fine),
        ("CVE-2023-40457", "c01901 00", Taw),
        ("CVE-2019-5892", "c0ff02 0000", Fine),
        ("CVE-2013-6051", "e0e300", Fine),
        // A next hop characteristic whose length is just below its attribute.
        ("CVE-2026-37459", "c0270c 0001010400000000 0001fffc", Fine),
        // BGP-LS: a TLV that exceeds the attribute.
        ("CVE-2023-41376", "801d05 0400 00ff 00", Ad),
        // Attributes that exceed the attributes of their message, with lengths of one octet and of two.
        ("CVE-2023-38283", "c00804 fc7c", Taw),
        ("CVE-2026-42285", "c008ff fc7b0064", Taw),
        ("CVE-2026-37462", "d008fffe fc7b0064", Taw),
        ("CVE-2018-14342", "d0ffffff", Taw),
        ("CVE-2017-7701", "d008 0005 fc7b0064", Taw),
        ("CVE-2017-12991", "c0", Taw),
        ("CVE-2017-12994", "c010", Taw),
        ("CVE-2017-13046", "d010 00", Taw),
    ];
    for (number, attribute, expected) in cells {
        assert_eq!(with(attribute, external()), Ok(*expected), "{number}: {attribute}");
    }
}

#[test]
fn internal_attributes_are_judged_by_their_lengths_on_internal_sessions() {
    for (number, attribute, expected) in [
        ("CVE-2012-1367", "400503 000000", Taw),
        ("CVE-2012-1367", "400500", Taw),
        ("CVE-2018-5379", "800a00", Taw),
        ("CVE-2018-5379", "800a05 0a00000100", Taw),
        ("CVE-2018-5379", "800a04 0a000001 800a04 0a000002", Ad),
        ("CVE-2018-5379", "e0e301 00 e0e302 0000 800a04 0a000001", Ad),
    ] {
        assert_eq!(with(attribute, internal()), Ok(expected), "{number}: {attribute}");
    }
}

#[test]
fn next_hop_of_another_length_withdraws_the_routes() {
    for (number, next_hop) in [
        ("CVE-2026-30405", "400300"),
        ("CVE-2026-30405", "400303 ac1623"),
        ("CVE-2026-30405", "400310 20010db8000000000000000000000001"),
        ("CVE-2023-46565", "400305 7f00000100"),
    ] {
        let attributes = format!("40010100 40020602010000fc7c {next_hop}");
        assert_eq!(judge(&update(&attributes, "08 0a"), external()), Ok(Taw), "{number}");
    }
}

#[test]
fn routes_without_the_mandatory_attributes_are_withdrawn() {
    for (number, attributes) in [
        // No attributes at all, one that nobody knows, and an MP_UNREACH_NLRI.
        ("CVE-2023-41358", ""),
        ("CVE-2023-46753", "c0e302 0000"),
        ("CVE-2023-47234", "800f03 000201"),
        ("CVE-2023-47234", "800f03 000201 40010100"),
    ] {
        assert_eq!(judge(&update(attributes, "08 0a"), external()), Ok(Taw), "{number}");
    }
}

#[test]
fn a_malformed_attribute_beside_no_route_ends_the_session_in_order() {
    // RFC 7606 section 5.2: the routes may be in the part that cannot be read.
    for (number, attributes) in [
        ("CVE-2023-47235", "c00803 fc7c00 800f03 000201"),
        ("CVE-2023-47235", "800f03 000201 c01700"),
        ("CVE-2026-42285", "c00803 fc7c00"),
    ] {
        assert_eq!(judge(&update(attributes, ""), external()), Err((3, 5)), "{number}");
    }
}

#[test]
fn lengths_that_exceed_the_message_end_the_session() {
    for (number, body) in [
        // Withdrawn routes and attributes beyond the end, and the length of the attributes cut.
        ("CVE-2026-37462", "ffff 0000"),
        ("CVE-2026-37462", "0000 ffff"),
        ("CVE-2025-52949", "0000 0005 40010100"),
        ("CVE-2025-52949", "0003 18 0a 0000"),
    ] {
        let octets = super::message(2, &hex(body));
        assert_eq!(judge(&octets, external()), Err((3, 1)), "{number}: {body}");
    }
    // A withdrawn prefix that is longer than its field.
    let octets = super::message(2, &hex("0002 180a 0000"));
    assert_eq!(judge(&octets, external()), Err((3, 10)));
}

#[test]
fn an_attribute_that_calls_itself_well_known_ends_the_session_in_order() {
    // RFC 4271 section 6.3. A router that does not know the attribute must not have passed it on.
    for (number, attribute) in [
        ("CVE-2026-41642", "406300"),
        ("CVE-2026-41642", "00ff01 00"),
        ("CVE-2026-41642", "40f003 000000"),
    ] {
        assert_eq!(with(attribute, external()), Err((3, 2)), "{number}");
    }
}

#[test]
fn an_unknown_attribute_of_any_size_is_carried_and_marked_partial() {
    // CVE-2010-3035: attribute 99 of 3,000 octets, in August 2010.
    for size in [0, 255, 256, 3_000, 60_000] {
        let length = u16::try_from(size).unwrap().to_be_bytes();
        let attribute = [&[0xd0, 99], &length[..], &vec![7; size]].concat();
        let octets = update_of(&[hex(CORE), attribute].concat(), &hex("08 0a"));
        let frame = Frame::split(&octets, MessageLimit::Extended).unwrap().unwrap();
        let update = Update::decode(frame, external()).unwrap();
        assert_eq!(update.treatment(), Fine);

        let carried = update.to_attributes().unknown;
        let [attribute] = &carried[..] else { panic!("{carried:?}") };
        assert_eq!((attribute.code, attribute.value.len()), (AttributeCode(99), size));
        assert_eq!(attribute.flags.0, 0xe0);
    }
}

#[test]
fn sets_of_attributes_in_sets_take_no_stack() {
    // CVE-2018-16300: tcpdump descended into each ATTR_SET.
    let mut inner = hex("40010100");
    for _ in 0..7_000 {
        let length = u16::try_from(4 + inner.len()).unwrap().to_be_bytes();
        inner = [&[0xd0, 128], &length[..], &[0, 0, 0xfc, 0x7c], &inner].concat();
    }
    let octets = update_of(&[hex(CORE), inner].concat(), &hex("08 0a"));
    assert_eq!(judge(&octets, external()), Ok(Fine));

    let cut = octets.len() - 30;
    let mut octets = octets[..cut].to_vec();
    let (all, attributes) = (u16::try_from(cut).unwrap(), u16::try_from(cut - 23).unwrap());
    octets[16..18].copy_from_slice(&all.to_be_bytes());
    octets[21..23].copy_from_slice(&attributes.to_be_bytes());
    assert_eq!(judge(&octets, external()), Err((3, 1)), "the routes were in the part that is gone");
}

#[test]
fn only_octets_of_the_peer_are_sent_back_to_it() {
    // CVE-2018-5378 and CVE-2017-15865: a NOTIFICATION with octets of the process instead.
    for attributes in ["800f09 0001", "d00e ffff 0002", "4063ff 00", "40630a", "c00803 fc7c00"] {
        let octets = update(attributes, "");
        let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
        let error = Update::decode(frame, external()).unwrap_err();
        let mut sent = BytesMut::new();
        error.notification(&octets).encode(&mut sent);
        let data = &sent[21..];
        let is_theirs = data.is_empty() || octets.windows(data.len()).any(|part| part == data);
        assert!(is_theirs, "{attributes}: {data:x?}");
        assert!(data.len() <= hex(attributes).len(), "{attributes}: {data:x?}");
    }
}

#[test]
fn extended_communities_of_every_type_are_printed() {
    // CVE-2011-3327: the text of a community was longer than its buffer.
    for kind in 0..=255 {
        for subtype in [0, 1, 2, 4, 6, 8, 11, 255] {
            let value = format!("c01008 {kind:02x}{subtype:02x} ffffffffffff");
            let octets = update(&format!("{CORE}{value}"), "08 0a");
            let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
            let update = Update::decode(frame, external()).unwrap();
            assert_eq!(update.treatment(), Fine, "{value}");
            let text: Vec<_> =
                update.extended_communities().map(|community| community.to_string()).collect();
            assert!(text.len() == 1 && !text[0].is_empty() && text[0].len() < 64, "{text:?}");
        }
    }
}
