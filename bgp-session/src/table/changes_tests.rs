//! The stream of changes against the table.

use std::{collections::BTreeMap, future::poll_fn, pin::pin, task::Poll};

use bgp_core::{
    Asn, BgpIdentifier, PeerType,
    peer::ReceivedRoutes,
    rib::{Nlri, PathSource},
    wire::{AsPath, PathAttributes},
};
use proptest::prelude::*;

use super::*;
use crate::{
    PeerId,
    table::{PendingRoutes, Table},
};

fn prefix(n: u8) -> IpNet {
    format!("10.0.{n}.0/24").parse().unwrap()
}

/// The changes of peer `peer`: prefixes with the lengths of their AS paths; 0: withdrawn.
fn change(table: &Table, peer: u8, routes: &[(u8, u32)]) {
    let id = PeerId::from([192, 0, 2, peer]);
    let source = PathSource {
        peer: id,
        address: id.address(),
        asn: Asn(64_500),
        identifier: BgpIdentifier::new(192, 0, 2, peer),
        peer_type: PeerType::External,
    };
    let mut received = ReceivedRoutes::default();
    for (n, hops) in routes {
        let nlri = Nlri::from(prefix(*n));
        if *hops == 0 {
            received.withdrawn.push(nlri);
        } else {
            let as_path = AsPath::sequence((0..*hops).map(|hop| Asn(64_500 + hop)));
            let attributes = PathAttributes { as_path, ..PathAttributes::default() };
            received.announced.push((nlri, Arc::new(attributes)));
        }
    }
    let mut pending = PendingRoutes::new(Arc::new(source), received);
    table.apply(&mut pending, usize::MAX);
}

/// What the updates that are there say, in short.
fn read(changes: &mut RouteChanges) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(update) = changes.try_next() {
        all.push(match update {
            RouteUpdate::Table(table) => format!("table {} of {}", table.version(), table.len()),
            RouteUpdate::Change(it) => {
                let best =
                    it.paths.best().map_or_else(|| "none".into(), |best| best.peer.to_string());
                let mark = if it.is_best_changed { "" } else { " as before" };
                format!("{} {} {best}{mark}", it.version, it.prefix)
            }
        });
    }
    all
}

#[tokio::test]
async fn a_reader_gets_the_table_and_then_each_change_of_a_prefix() {
    let table = Table::new(1, 100);
    change(&table, 1, &[(1, 1), (2, 1)]);
    let mut changes = table.changes();
    assert_eq!(read(&mut changes), ["table 2 of 2"]);

    change(&table, 2, &[(1, 2), (2, 0), (3, 1)]);
    change(&table, 1, &[(1, 1)]);
    assert_eq!(
        read(&mut changes),
        ["3 10.0.1.0/24 192.0.2.1 as before", "4 10.0.3.0/24 192.0.2.2"],
        "neither a route that is repeated is a change, nor one withdrawn that was not there"
    );
    change(&table, 1, &[(1, 0)]);
    change(&table, 2, &[(1, 0)]);
    assert_eq!(read(&mut changes), ["5 10.0.1.0/24 192.0.2.2", "6 10.0.1.0/24 none"]);
}

#[tokio::test]
async fn a_reader_that_falls_behind_gets_the_table_again_and_another_does_not() {
    let table = Table::new(1, 3);
    let (mut quick, mut slow) = (table.changes(), table.changes());
    assert_eq!(
        (read(&mut quick), read(&mut slow)),
        (vec!["table 0 of 0".into()], vec!["table 0 of 0".into()])
    );

    for n in 1..=4 {
        change(&table, 1, &[(n, 1)]);
        assert_eq!(read(&mut quick), [format!("{n} 10.0.{n}.0/24 192.0.2.1")]);
    }
    assert_eq!(read(&mut slow), ["table 4 of 4"]);

    // Exactly as many changes as are kept.
    change(&table, 2, &[(5, 1), (6, 1), (7, 1)]);
    assert_eq!(read(&mut slow).len(), 3);
    // Nothing is kept for readers that are too far behind, or gone.
    change(&table, 2, &[(1, 1), (2, 1), (3, 1), (4, 1)]);
    assert!(!lock(&table.state).log.is_read());
    assert_eq!(read(&mut slow), ["table 11 of 7"]);
    drop((quick, slow));
    assert!(!lock(&table.state).log.is_read());
}

#[tokio::test]
async fn a_reader_waits_for_a_change_and_a_dropped_wait_loses_none() {
    let table = Table::new(1, 100);
    let mut changes = table.changes();
    assert!(matches!(changes.next().await, Some(RouteUpdate::Table(_))));
    for n in 1..=3 {
        {
            let mut waiting = pin!(changes.next());
            let polled = poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
            assert!(polled, "there is no change yet");
            change(&table, 1, &[(n, 1)]);
        }
        let update = changes.next().await;
        let Some(RouteUpdate::Change(change)) = update else { panic!("{update:?}") };
        assert_eq!(change.prefix, prefix(n));
    }

    change(&table, 1, &[(1, 0)]);
    drop(table);
    let last = changes.next().await;
    assert!(matches!(&last, Some(RouteUpdate::Change(it)) if it.is_withdrawn()), "{last:?}");
    assert!(changes.next().await.is_none(), "the speaker is gone");
}

#[tokio::test]
async fn the_routes_of_a_peer_are_removed_in_slices() {
    let table = Table::new(1, 1);
    let prefixes: Vec<_> = (0..2_500_u32).map(|n| std::net::Ipv4Addr::from(n << 12)).collect();
    for peer in [1, 2] {
        let id = PeerId::from([192, 0, 2, peer]);
        let source = PathSource {
            peer: id,
            address: id.address(),
            asn: Asn(64_500),
            identifier: BgpIdentifier::new(192, 0, 2, peer),
            peer_type: PeerType::External,
        };
        let attributes = Arc::new(PathAttributes::default());
        let routes = prefixes.iter().skip(usize::from(peer)).map(|address| {
            let prefix = IpNet::new((*address).into(), 20).unwrap();
            (Nlri::from(prefix), Arc::clone(&attributes))
        });
        let received = ReceivedRoutes { announced: routes.collect(), withdrawn: Vec::new() };
        table.apply(&mut PendingRoutes::new(Arc::new(source), received), usize::MAX);
    }

    let (mut from, mut slices) = (None, 0);
    loop {
        slices += 1;
        from = table.clear_some([192, 0, 2, 1].into(), from);
        if from.is_none() {
            break;
        }
    }
    assert_eq!((slices, table.snapshot().len()), (3, 2_498));
    let left = table.snapshot();
    assert!(left.iter().all(|(_, paths)| paths.len() == 1), "those of the other peer are left");
}

proptest! {
    #[test]
    fn whoever_follows_the_updates_knows_the_table(
        capacity in 1_usize..40,
        steps in prop::collection::vec((0_u8..30, 0_u8..12, 0_u32..3, any::<bool>()), 1..200),
    ) {
        let table = Table::new(1, capacity);
        let mut changes = table.changes();
        let (mut version, mut known) = (0, BTreeMap::new());
        let mut before = LocRibSnapshot::default();
        for (peer, n, hops, is_read) in steps {
            change(&table, peer, &[(n, hops)]);
            if !is_read {
                continue;
            }

            while let Some(update) = changes.try_next() {
                match update {
                    RouteUpdate::Table(table) => {
                        prop_assert!(table.version() >= version);
                        version = table.version();
                        known = table.iter().collect();
                    }
                    RouteUpdate::Change(change) => {
                        version += 1;
                        prop_assert_eq!(change.version, version);
                        if change.is_withdrawn() {
                            known.remove(&change.prefix);
                        } else {
                            known.insert(change.prefix, change.paths);
                        }
                    }
                }
            }
            let now = table.snapshot();
            prop_assert_eq!(version, now.version());
            prop_assert_eq!(&known, &now.iter().collect());

            for (prefix, paths) in now.differences(&before) {
                prop_assert_ne!(&paths, &before.paths(&prefix));
                prop_assert_eq!(paths, now.paths(&prefix));
            }
            before = now;
        }
    }
}
