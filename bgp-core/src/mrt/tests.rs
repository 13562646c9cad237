//! Decoding of records, the UPDATEs of tables, and the use of OPENs.

use bytes::BytesMut;

use crate::fsm::StateKind;
use crate::types::{AfiSafi, Asn, PeerType};
use crate::wire::{
    AddPath, AddPathMode, Capability, Frame, Message, MessageLimit, Open, Update, WireContext,
};

use super::*;

/// The octets of hexadecimal digits.
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<_> = digits.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// A record of that type and subtype at second 7.
fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0, 0, 0, 7], &kind.to_be_bytes()[..], &subtype.to_be_bytes(), &length, body].concat()
}

fn content(octets: &[u8]) -> Result<RecordContent<'_>, MrtError> {
    Record::split(octets).unwrap().content()
}

const KEEPALIVE: &str = "ffffffffffffffffffffffffffffffff 0013 04";

#[test]
fn messages_of_all_eight_subtypes_have_their_contexts() {
    for (subtype, four, sent, add_path) in [
        (1, false, false, false),
        (4, true, false, false),
        (6, false, true, false),
        (7, true, true, false),
        (8, false, false, true),
        (9, true, false, true),
        (10, false, true, true),
        (11, true, true, true),
    ] {
        let asns = if four { "0000fde9 0000fdea" } else { "fde9 fdea" };
        let body = hex(&format!("{asns} 0003 0001 0a000001 0a000002 {KEEPALIVE}"));
        let octets = record(16, subtype, &body);
        let Ok(RecordContent::Message(message)) = content(&octets) else {
            panic!("subtype {subtype}")
        };
        assert_eq!((message.peer_as, message.local_as), (Asn(65_001), Asn(65_002)));
        assert_eq!((message.four_octet_as, message.sent), (four, sent), "subtype {subtype}");
        assert_eq!((message.add_path, message.interface), (add_path, 3));
        assert_eq!(message.peer.to_string(), "10.0.0.1");
        assert_eq!(message.local.to_string(), "10.0.0.2");
        assert_eq!(message.octets, hex(KEEPALIVE));
        let cx = message.context();
        assert_eq!(cx.peer_type(), PeerType::External);
        assert_eq!(cx.has_add_path(AfiSafi::IPV6_UNICAST), add_path);
    }
}

#[test]
fn the_extended_timestamp_precedes_the_body() {
    let body =
        hex(&format!("0001e240 0000fde9 0000fde9 0000 0002 {} {KEEPALIVE}", "20".repeat(32)));
    let octets = record(17, 4, &body);
    let read = Record::split(&octets).unwrap();
    assert_eq!((read.timestamp(), read.microseconds()), (7, Some(123_456)));
    let Ok(RecordContent::Message(message)) = read.content() else { panic!() };
    assert_eq!(message.context().peer_type(), PeerType::Internal);
    assert!(message.peer.is_ipv6());
    let before = record(16, 4, &body[4..]);
    assert_eq!(Record::split(&before).unwrap().microseconds(), None);
}

#[test]
fn a_state_change_has_two_states() {
    for (subtype, asns) in [(0, "fde9 fdea"), (5, "0000fde9 0000fdea")] {
        let octets =
            record(16, subtype, &hex(&format!("{asns} 0000 0001 0a000001 0a000002 0005 0006")));
        let Ok(RecordContent::StateChange(change)) = content(&octets) else { panic!("{subtype}") };
        assert_eq!(StateChange::state(change.old), Some(StateKind::OpenConfirm));
        assert_eq!(StateChange::state(change.new), Some(StateKind::Established));
        assert_eq!(StateChange::state(7), None);
    }
}

#[test]
fn records_are_read_up_to_an_incomplete_one() {
    let keepalive = hex(&format!("fde9 fdea 0000 0001 0a000001 0a000002 {KEEPALIVE}"));
    let first = record(16, 1, &keepalive);
    let file = [first.clone(), record(48, 2, b"unknown"), first[..20].to_vec()].concat();
    let mut records = Records::new(&file);
    assert!(matches!(
        records.next().map(|record| record.content()),
        Some(Ok(RecordContent::Message(_)))
    ));
    let other = records.next().unwrap();
    assert_eq!((other.kind(), other.subtype(), other.body()), (48, 2, &b"unknown"[..]));
    assert_eq!(other.content(), Ok(RecordContent::Other));
    assert_eq!(records.next(), None);
    assert_eq!(records.rest(), &first[..20]);
    assert_eq!(Record::length(records.rest()), Some(first.len() as u64));
    assert_eq!(Record::length(&first[..11]), None);
    let longest = hex("00000007 0010 0004 ffffffff");
    assert_eq!(Record::length(&longest), Some(0x1_0000_000b));
    assert_eq!(Record::split(&longest), None);
}

#[test]
fn content_that_does_not_match_its_length_is_an_error_of_that_record() {
    let entry = "0000 00000001 0004 40010100";
    for (kind, subtype, body) in [
        (16, 4, "0000fde9 0000fdea 0000 0001 0a000001 0a0000".to_owned()),
        (16, 4, format!("0000fde9 0000fdea 0000 0003 0a000001 0a000002 {KEEPALIVE}")),
        (16, 5, "0000fde9 0000fdea 0000 0001 0a000001 0a000002 0005".into()),
        (16, 5, "0000fde9 0000fdea 0000 0001 0a000001 0a000002 0005 0006 00".into()),
        (17, 4, "000000".into()),
        (13, 1, "0a000001 0005 61".into()),
        (13, 1, "0a000001 0000 0001 03 0a000001 0a000001 0000fde9".into()),
        (13, 2, format!("00000000 21 0a00000100 0001 {entry}")),
        (13, 2, format!("00000000 08 0a 0002 {entry}")),
        (13, 2, format!("00000000 08 0a 0001 {entry} 00")),
        (13, 4, "00000000 80 20 0000".into()),
        (13, 8, format!("00000000 08 0a 0001 {entry}")),
    ] {
        let octets = record(kind, subtype, &hex(&body));
        assert_eq!(content(&octets), Err(MrtError { kind, subtype }), "{body}");
    }
    let error = MrtError { kind: 13, subtype: 2 }.to_string();
    assert_eq!(
        error,
        "the content of the MRT record of type 13, subtype 2 does not match its length"
    );
}

#[test]
fn the_peers_of_a_table_have_addresses_and_as_numbers_of_either_width() {
    let octets = record(
        13,
        1,
        &hex("0a000009 0004 76696577 0003
              00 0a000001 0a000001 fde9
              02 0a000002 0a000002 00011170
              03 0a000003 20010db8000000000000000000000003 0000fdeb"),
    );
    let Ok(RecordContent::PeerIndexTable(table)) = content(&octets) else { panic!() };
    assert_eq!((table.collector().to_string(), table.view()), ("10.0.0.9".into(), &b"view"[..]));
    let peers: Vec<_> = table
        .peers()
        .map(|peer| format!("{} {} {}", peer.identifier, peer.address, peer.asn))
        .collect();
    assert_eq!(
        peers,
        ["10.0.0.1 10.0.0.1 65001", "10.0.0.2 10.0.0.2 70000", "10.0.0.3 2001:db8::3 65003"]
    );
}

/// The records of a table and, for each entry, its UPDATE as text.
fn updates(subtype: u16, body: &str) -> Vec<String> {
    let octets = record(13, subtype, &hex(body));
    let Ok(RecordContent::Rib(rib)) = content(&octets) else { panic!("{body}") };
    let mut told = Vec::new();
    for entry in rib.entries() {
        let mut out = BytesMut::new();
        assert!(rib.encode_update(&entry, &mut out), "{body}");
        let frame = Frame::split(&out, MessageLimit::Extended).unwrap().unwrap();
        assert_eq!(frame.as_bytes().len(), out.len());
        let update = Update::decode(frame, rib.context()).unwrap();
        let attributes = update.to_attributes();
        let routes: Vec<_> = update
            .reachable()
            .with_path_ids()
            .map(|(id, prefix)| match id {
                Some(id) => format!("{prefix} path {id}"),
                None => prefix.to_string(),
            })
            .collect();
        let hop = attributes.next_hop.map(|hop| hop.to_string()).unwrap_or_default();
        told.push(format!("{} {} via {hop}", update.treatment(), routes.join(" ")));
    }
    told
}

const CORE: &str = "40010100 40020602 01 0000fde9";

#[test]
fn an_entry_is_converted_to_an_update() {
    let v4 = format!("{CORE} 400304 0a000001 400504 000000c8");
    let v4_length = hex(&v4).len();
    assert_eq!(
        updates(2, &format!("00000005 18 c0a801 0001 0000 00000001 {v4_length:04x} {v4}")),
        ["ok 192.168.1.0/24 via 10.0.0.1"]
    );
    assert_eq!(
        updates(8, &format!("00000005 18 c0a801 0001 0000 00000001 0000002a {v4_length:04x} {v4}")),
        ["ok 192.168.1.0/24 path 42 via 10.0.0.1"]
    );
    // The next hop with its length, as specified; the whole attribute, as some write it; twice the length of one.
    let global = "20010db8000000000000000000000001";
    let link_local = "fe800000000000000000000000000001";
    for (attribute, hop) in [
        (format!("800e11 10 {global}"), "2001:db8::1"),
        (format!("800e1a 0002 01 10 {global} 00 20 20010db8"), "2001:db8::1"),
        (format!("800e21 20 {global} {link_local}"), "2001:db8::1 (fe80::1)"),
    ] {
        let v6 = format!("{CORE} {attribute}");
        let length = hex(&v6).len();
        let body = format!("00000000 20 20010db8 0001 0000 00000001 {length:04x} {v6}");
        assert_eq!(updates(4, &body), [format!("ok 2001:db8::/32 via {hop}")]);
        let body = format!("00000000 20 20010db8 0001 0000 00000001 00000007 {length:04x} {v6}");
        assert_eq!(updates(10, &body), [format!("ok 2001:db8::/32 path 7 via {hop}")]);
        // IPv4 routes with an IPv6 next hop (RFC 8950).
        let body = format!("00000000 08 0a 0001 0000 00000001 {length:04x} {v6}");
        assert_eq!(updates(2, &body), [format!("ok 10.0.0.0/8 via {hop}")]);
    }
}

#[test]
fn an_entry_without_a_valid_message_leaves_the_buffer_unchanged() {
    for attributes in ["40010100 4002", "800e05 20 20010db8", "800e00"] {
        let length = hex(attributes).len();
        let body = format!("00000000 08 0a 0001 0000 00000001 {length:04x} {attributes}");
        let octets = record(13, 2, &hex(&body));
        let Ok(RecordContent::Rib(rib)) = content(&octets) else { panic!("{attributes}") };
        let entry = rib.entries().next().unwrap();
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(!rib.encode_update(&entry, &mut out), "{attributes}");
        assert_eq!(out, &b"before"[..]);
    }
}

#[test]
fn nlri_of_other_families_are_carried_as_octets() {
    let labeled = "000a 01 0a0a 0a";
    for (family, nlri, read) in [
        ("0001 80", "70 000011 0000000100000001 0a0000".to_owned(), true),
        ("0019 46", format!("05 06 {labeled}"), true),
        ("0001 85", "03 010a0a".into(), true),
        ("0001 85", format!("f101 {}", "01".repeat(257)), true),
        ("4004 47", "0001 0000".into(), false),
    ] {
        let body = format!("00000001 {family} {nlri} 0001 0002 00000001 0004 40010100");
        let octets = record(13, 6, &hex(&body));
        match content(&octets) {
            Ok(RecordContent::Rib(rib)) if read => {
                assert_eq!(rib.nlri_octets(), hex(&nlri));
                assert_eq!((rib.prefix(), rib.sequence()), (None, 1));
                assert_eq!(rib.entries().map(|entry| entry.peer).collect::<Vec<_>>(), [2]);
            }
            Ok(RecordContent::Other) if !read => {}
            other => panic!("{family} {nlri}: {other:?}"),
        }
    }
}

/// A record of a message between 10.0.0.1, AS 65001, and 10.0.0.2, AS 65002, with four-octet AS numbers.
fn of_session(message: &[u8], sent: bool) -> Vec<u8> {
    let head = hex("0000fde9 0000fdea 0000 0001 0a000001 0a000002");
    record(16, if sent { 7 } else { 4 }, &[&head, message].concat())
}

fn open(mode: Option<AddPathMode>) -> BytesMut {
    let family = AfiSafi::IPV4_UNICAST;
    let add_path = mode.map(|mode| Capability::AddPath(vec![AddPath { family, mode }]));
    let capabilities = add_path.into_iter().chain([Capability::ExtendedMessage]).collect();
    let mut out = BytesMut::new();
    Open::new(Asn(65_001), 90, "10.0.0.1".parse().unwrap(), capabilities).encode(&mut out);
    out
}

/// The UPDATE that announces 172.17.0.0/24 with path identifier 2. Without path identifiers it cannot be read.
fn update_with_path_id() -> Vec<u8> {
    let body = format!("0000 0014 {CORE} 400304 0a000001 00000002 18 ac1100");
    let body = hex(&body);
    let length = u16::try_from(19 + body.len()).unwrap().to_be_bytes();
    [&[0xff; 16][..], &length, &[2], &body].concat()
}

fn contexts(records: &[Vec<u8>]) -> Vec<WireContext> {
    let mut sessions = Sessions::new();
    let of = |octets: &Vec<u8>| match content(octets) {
        Ok(RecordContent::Message(message)) => sessions.context(&message),
        other => panic!("{other:?}"),
    };
    records.iter().map(of).collect()
}

fn has_path_ids(records: &[Vec<u8>]) -> bool {
    contexts(records).last().unwrap().has_add_path(AfiSafi::IPV4_UNICAST)
}

#[test]
fn path_identifiers_that_are_not_in_the_records_are_inferred_from_opens() {
    let (send, receive) = (Some(AddPathMode::SEND), Some(AddPathMode::RECEIVE));
    let theirs = |mode| of_session(&open(mode), false);
    let ours = |mode| of_session(&open(mode), true);
    let update = of_session(&update_with_path_id(), false);
    let keepalive = of_session(&hex(KEEPALIVE), false);
    // No OPEN: the record alone counts.
    assert!(!has_path_ids(std::slice::from_ref(&update)));
    // Both sides agree, or they do not.
    assert!(has_path_ids(&[theirs(send), ours(receive), keepalive.clone()]));
    assert!(!has_path_ids(&[theirs(receive), ours(receive), update.clone()]));
    assert!(!has_path_ids(&[theirs(send), ours(None), update.clone()]));
    // Only the peer's OPEN is recorded: one UPDATE decides for all that follow.
    assert!(!has_path_ids(&[theirs(send), keepalive.clone()]));
    assert!(has_path_ids(&[theirs(send), update.clone()]));
    assert!(has_path_ids(&[theirs(send), update.clone(), keepalive.clone()]));
    assert!(!has_path_ids(&[theirs(receive), update.clone()]));
    // This does not affect the next session of the same peer.
    assert!(!has_path_ids(&[theirs(send), update.clone(), theirs(None), keepalive]));
    // Nor the other direction.
    assert!(has_path_ids(&[ours(send), of_session(&update_with_path_id(), true)]));
    assert!(!has_path_ids(&[theirs(send), of_session(&update_with_path_id(), true)]));
    let cx = contexts(&[theirs(None), update]);
    assert_eq!(cx[1].limit(), MessageLimit::Extended);
}

#[test]
fn the_test_update_cannot_be_read_without_path_identifiers() {
    let octets = update_with_path_id();
    let cx = WireContext::default().four_octet_as(true);
    let frame = Frame::split(&octets, cx.limit()).unwrap().unwrap();
    assert!(Message::decode(frame, cx).is_err());
    assert!(Message::decode(frame, cx.add_path(AfiSafi::IPV4_UNICAST, true)).is_ok());
}
