//! Written records read back unchanged.

use std::net::IpAddr;
use std::time::Duration;

use bytes::BytesMut;

use crate::fsm::StateKind;
use crate::wire::{
    AsPath, Community, Frame, LargeCommunity, Message, MessageLimit, NextHop, PathAttributes,
    encode_keepalive,
};
use crate::{Asn, BgpIdentifier};

use super::*;

const AT: Duration = Duration::new(1_700_000_000, 123_456_000);

fn ends(peer: &str, local: &str) -> ((IpAddr, Asn), (IpAddr, Asn)) {
    ((peer.parse().unwrap(), Asn(64_500)), (local.parse().unwrap(), Asn(4_200_000_000)))
}

#[test]
fn a_written_message_reads_back_with_any_subtype_and_precision() {
    let mut octets = BytesMut::new();
    encode_keepalive(&mut octets);
    for (peer, local) in [ends("192.0.2.1", "192.0.2.2"), ends("2001:db8::1", "2001:db8::2")] {
        for bits in 0..8 {
            let [four_octet_as, sent, add_path] = [1, 2, 4].map(|bit| bits & bit != 0);
            let mut message = RecordedMessage::new(peer, local, &octets);
            (message.four_octet_as, message.sent, message.add_path) =
                (four_octet_as, sent, add_path);

            let mut file = BytesMut::new();
            message.encode(AT, Precision::Seconds, &mut file);
            message.encode(AT, Precision::Microseconds, &mut file);

            if !four_octet_as {
                message.local_as = Asn(23_456);
            }
            let records: Vec<_> = Records::new(&file).collect();
            let times = records.iter().map(|record| (record.timestamp(), record.microseconds()));
            assert_eq!(
                times.collect::<Vec<_>>(),
                [(1_700_000_000, None), (1_700_000_000, Some(123_456))]
            );
            for record in records {
                assert_eq!(record.content(), Ok(RecordContent::Message(message)));
            }
        }
    }
}

#[test]
fn a_written_state_change_reads_back() {
    let (peer, local) = ends("192.0.2.1", "192.0.2.2");
    let change = StateChange::new(peer, local, StateKind::OpenConfirm, StateKind::Established);
    let mut file = BytesMut::new();
    change.encode(AT, Precision::Microseconds, &mut file);

    let record = Record::split(&file).unwrap();
    assert_eq!((record.kind(), record.subtype()), (17, 5));
    assert_eq!(record.content(), Ok(RecordContent::StateChange(change)));
    let states = [change.old, change.new].map(StateChange::state);
    assert_eq!(states, [Some(StateKind::OpenConfirm), Some(StateKind::Established)]);
}

/// Attributes with codes below and above those of the next hops.
fn attributes(next_hop: Option<NextHop>) -> PathAttributes {
    PathAttributes {
        as_path: AsPath::sequence([Asn(64_500), Asn(4_200_000_000)]),
        next_hop,
        med: Some(7),
        local_pref: Some(200),
        communities: vec![Community::new(64_500, 1)],
        large_communities: vec![LargeCommunity::new(64_500, 1, 2)],
        ..PathAttributes::default()
    }
}

#[test]
fn the_routes_of_a_written_table_read_back_with_their_attributes() {
    let identifier = BgpIdentifier::new(192, 0, 2, 9);
    let peers = [
        TablePeer::new(identifier, "192.0.2.1".parse().unwrap(), Asn(64_500)),
        TablePeer::new(identifier, "2001:db8::1".parse().unwrap(), Asn(4_200_000_000)),
    ];
    let v4 = NextHop::V4("192.0.2.1".parse().unwrap());
    let global = "2001:db8::1".parse().unwrap();
    let link_local = NextHop::V6 { global, link_local: Some("fe80::1".parse().unwrap()) };
    let mut file = BytesMut::new();
    let mut table = TableWriter::new(AT, identifier, "view", &peers, &mut file).unwrap();
    let mut expected = Vec::new();
    for (prefix, next_hop) in [
        ("0.0.0.0/0", v4),
        ("203.0.113.128/25", v4),
        ("10.0.0.0/8", NextHop::from(global)),
        ("2001:db8::/33", global.into()),
        ("::/0", link_local),
    ] {
        for add_path in [false, true] {
            let prefix = prefix.parse().unwrap();
            let mut rib = table.prefix(prefix, add_path, &mut file);
            let attributes = attributes(Some(next_hop));
            assert!(rib.push(0, 7, AT, &attributes));
            assert!(rib.push(1, 8, Duration::ZERO, &attributes));
            assert_eq!(rib.finish(), 2);
            let ids = add_path.then_some([7, 8]);
            expected.push((prefix, attributes, ids));
        }
    }

    let mut records = Records::new(&file);
    let Ok(RecordContent::PeerIndexTable(index)) = records.next().unwrap().content() else {
        panic!("no peers");
    };
    assert_eq!((index.collector(), index.view()), (identifier, &b"view"[..]));
    assert!(index.peers().eq(peers));
    for (sequence, (prefix, attributes, ids)) in (0..).zip(expected) {
        let Ok(RecordContent::Rib(rib)) = records.next().unwrap().content() else { panic!() };
        assert_eq!((rib.sequence(), rib.prefix()), (sequence, Some(prefix)));

        let entries: Vec<_> = rib.entries().collect();
        let told: Vec<_> = entries.iter().map(|it| (it.peer, it.originated)).collect();
        assert_eq!(told, [(0, 1_700_000_000), (1, 0)]);
        assert_eq!(
            entries.iter().map(|it| it.path_id).collect::<Vec<_>>(),
            match ids {
                Some(ids) => ids.map(Some).to_vec(),
                None => vec![None; 2],
            }
        );

        let codes: Vec<_> = entries[0].attributes().map(|it| it.code).collect();
        assert!(codes.is_sorted(), "{codes:?}");
        let mut out = BytesMut::new();
        assert!(rib.encode_update(&entries[0], &mut out));
        let frame = Frame::split(&out, MessageLimit::Extended).unwrap().unwrap();
        let Ok(Message::Update(update)) = Message::decode(frame, rib.context()) else { panic!() };
        assert_eq!(update.error(), None);
        assert!(update.reachable().eq([prefix]));
        assert_eq!(update.to_attributes(), attributes);
    }
    assert_eq!(records.next(), None);
    assert!(records.rest().is_empty());
}

#[test]
fn a_prefix_without_routes_and_attributes_that_do_not_fit_leave_no_trace() {
    let mut file = BytesMut::new();
    let identifier = BgpIdentifier::new(192, 0, 2, 9);
    let mut table = TableWriter::new(AT, identifier, "", &[], &mut file).unwrap();
    let before = file.clone();

    let prefix = "203.0.113.0/24".parse().unwrap();
    assert_eq!(table.prefix(prefix, false, &mut file).finish(), 0);
    assert_eq!(file, before);

    let many = vec![Community::new(64_500, 1); 16_000];
    let large = vec![LargeCommunity::new(64_500, 1, 2); 130];
    let too_long =
        PathAttributes { communities: many, large_communities: large, ..attributes(None) };
    let mut rib = table.prefix(prefix, true, &mut file);
    assert!(!rib.push(0, 1, AT, &too_long));
    assert!(rib.push(0, 1, AT, &attributes(None)));
    assert_eq!(rib.finish(), 1);
    let last = Records::new(&file).last().unwrap();
    let Ok(RecordContent::Rib(rib)) = last.content() else { panic!() };
    assert_eq!(rib.sequence(), 0);
    assert_eq!(rib.entries().count(), 1);

    let peer = TablePeer::new(identifier, "192.0.2.1".parse().unwrap(), Asn(64_500));
    let mut other = BytesMut::new();
    assert!(TableWriter::new(AT, identifier, "", &vec![peer; 65_536], &mut other).is_none());
    assert!(other.is_empty());
}
