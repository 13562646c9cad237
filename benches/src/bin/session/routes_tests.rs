//! Tests of the tables.

use std::collections::BTreeSet;

use bgp_core::wire::{Frame, MessageLimit, Update};

use super::*;

const ORIGIN: Origin =
    Origin { asn: Asn(100_001), next_hop: IpAddr::V4(Ipv4Addr::new(10, 77, 128, 1)) };
const ORIGIN_V6: Origin =
    Origin { next_hop: IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1)), ..ORIGIN };

/// The numbers of the announced and withdrawn prefixes of a stream, and the number of its messages.
fn read(table: Table, octets: &[u8]) -> (Vec<usize>, Vec<usize>, usize) {
    let (mut announced, mut withdrawn, mut messages, mut at) = (Vec::new(), Vec::new(), 0, 0);
    while let Some(frame) = Frame::split(&octets[at..], MessageLimit::Standard).unwrap() {
        let update = Update::decode(frame, context()).unwrap();
        announced.extend(update.reachable().map(|prefix| table.number(prefix).unwrap()));
        withdrawn.extend(update.unreachable().map(|prefix| table.number(prefix).unwrap()));
        at += frame.as_bytes().len();
        messages += 1;
    }
    assert_eq!(at, octets.len(), "the stream ends with a message");
    (announced, withdrawn, messages)
}

#[test]
fn a_sorted_stream_announces_each_prefix_once_in_order() {
    for (table, origin) in [
        (Table::new(5_003, 0), ORIGIN),
        (Table::new(5_003, 5), ORIGIN),
        (Table::new(5_003, 0).ipv6(), ORIGIN_V6),
        (Table::new(5_003, 5).ipv6(), ORIGIN_V6),
    ] {
        let octets = table.announcements(origin, Order::Sorted);
        let (announced, withdrawn, messages) = read(table, &octets);
        assert_eq!(announced, (0..5_003).collect::<Vec<_>>(), "{}", table.label());
        assert!(withdrawn.is_empty());
        assert_eq!(messages > 1_000, table.per_set == 5, "{messages} messages");
    }
}

#[test]
fn a_shuffled_stream_has_the_same_prefixes_and_is_the_same_each_time() {
    let table = Table::new(5_003, 5);
    let octets = table.announcements(ORIGIN, Order::Shuffled);
    assert_eq!(octets, table.announcements(ORIGIN, Order::Shuffled));
    let (announced, ..) = read(table, &octets);
    assert!(!announced.is_sorted());
    let sorted: BTreeSet<_> = announced.iter().copied().collect();
    assert_eq!((announced.len(), sorted.len()), (5_003, 5_003));
}

#[test]
fn the_parts_of_a_table_are_the_table() {
    let table = Table::new(5_000, 5);
    let [first, second] = [0..2_000, 2_000..5_000]
        .map(|part| read(table, &table.announcements_of(ORIGIN, Order::Sorted, part)).0);
    assert_eq!([first, second].concat(), (0..5_000).collect::<Vec<_>>());
}

#[test]
fn withdrawals_cover_the_table() {
    for table in [Table::new(5_003, 5), Table::new(5_003, 5).ipv6()] {
        let (announced, withdrawn, _) = read(table, &table.withdrawals());
        assert!(announced.is_empty());
        assert_eq!(withdrawn, (0..5_003).collect::<Vec<_>>());
    }
}

#[test]
fn own_routes_are_those_of_the_stream() {
    let table = Table::new(1_000, 5);
    let routes = table.routes();
    let octets = table.announcements(ORIGIN, Order::Sorted);
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, context()).unwrap();
    assert_eq!(routes.len(), 1_000);
    for prefix in update.reachable() {
        assert_eq!(
            routes.get(&prefix).unwrap().communities,
            update.communities().collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_prefix_outside_the_table_has_no_number() {
    let table = Table::new(10, 0);
    for outside in ["20.0.10.0/24", "19.255.255.0/24", "20.0.1.0/25", "2400::/48"] {
        assert_eq!(table.number(outside.parse().unwrap()), None, "{outside}");
    }
    assert_eq!(table.number("20.0.9.0/24".parse().unwrap()), Some(9));
}

#[test]
fn a_change_differs_from_the_one_before() {
    let table = Table::new(10, 5);
    assert_ne!(table.change(ORIGIN, 1), table.change(ORIGIN, 2));
    assert_eq!(read(table, &table.change(ORIGIN, 1)).0, [5]);
}
