//! The Loc-RIB against the plain rules.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::rib::PathSource;
use crate::wire::{AsPath, PathAttributes};
use crate::{Asn, BgpIdentifier, PeerType};

fn prefix() -> IpNet {
    "192.0.2.0/24".parse().expect("a prefix")
}

fn path(peer: u16, asn: u32, med: u32, local_pref: u32, internal: bool) -> Path<u16> {
    let attributes = PathAttributes {
        as_path: AsPath::sequence([Asn(asn)]),
        med: Some(med),
        local_pref: Some(local_pref),
        ..PathAttributes::default()
    };
    let [high, low] = peer.to_be_bytes();
    let address = Ipv4Addr::new(10, 0, high, low);
    let peer_type = if internal { PeerType::Internal } else { PeerType::External };
    let source = PathSource {
        peer,
        address: address.into(),
        asn: Asn(64_500),
        identifier: BgpIdentifier(address),
        peer_type,
    };
    Path { source: Arc::new(source), path_id: 0, attributes: Arc::new(attributes) }
}

/// The rules as RFC 4271 states them: each path is compared with each other one.
fn spread_over(paths: &BTreeMap<u16, Path<u16>>) -> Vec<u16> {
    let med = |path: &Path<u16>| path.attributes.med;
    let asn = |path: &Path<u16>| path.attributes.as_path.first_as();
    let mut left: Vec<_> = paths.values().collect();
    let most = left.iter().map(|path| path.attributes.local_pref).max();
    left.retain(|path| Some(path.attributes.local_pref) == most);
    let all = left.clone();
    left.retain(|path| !all.iter().any(|it| asn(it) == asn(path) && med(it) < med(path)));
    if left.iter().any(|path| path.source.peer_type == PeerType::External) {
        left.retain(|path| path.source.peer_type == PeerType::External);
    }
    left.iter().map(|path| path.peer()).collect()
}

/// The peers of the paths over which traffic may be spread, the best first.
fn chosen(rib: &LocRib<u16>) -> Vec<u16> {
    let destination = rib.get(&prefix());
    destination.into_iter().flat_map(Destination::multipath).map(Path::peer).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_any_changes_the_choice_is_that_of_the_rules(
        steps in prop::collection::vec(
            (0_u16..60, 0_u32..3, 0_u32..3, 100_u32..102, any::<bool>(), 0_u8..6),
            1..200,
        ),
    ) {
        let (mut rib, mut paths) = (LocRib::new(), BTreeMap::new());
        for (peer, asn, med, local_pref, internal, what) in steps {
            let (before, used) = (rib.clone(), spread_over(&paths));
            let known = paths.get(&peer).cloned();
            let change = if what < 2 {
                paths.remove(&peer);
                rib.remove(&Nlri { prefix: prefix(), path_id: 0 }, peer)
            } else {
                let path = path(peer, asn + 65_000, med, local_pref, internal);
                paths.insert(peer, path.clone());
                rib.insert(prefix(), path)
            };

            let expected = spread_over(&paths);
            prop_assert_eq!(chosen(&rib), expected.clone());
            prop_assert_eq!(rib.best(&prefix()).map(Path::peer), expected.first().copied());
            prop_assert_eq!(chosen(&before), used.clone());

            let is_same = known.as_ref() == paths.get(&peer);
            prop_assert_eq!(change == PathChange::None, is_same);
            prop_assert_eq!(rib.differences(&before).count(), usize::from(!is_same));
            if expected != used || !is_same && expected.contains(&peer) {
                prop_assert_eq!(change, PathChange::Best);
            }

            // All paths are listed once, and found by their peers.
            let listed: Vec<_> = rib.iter().flat_map(|(_, it)| it.iter()).collect();
            prop_assert_eq!(listed.len(), paths.len());
            for path in listed {
                prop_assert_eq!(Some(path), paths.get(&path.peer()));
            }
            let destination = rib.get(&prefix());
            prop_assert_eq!(destination.map_or(0, Destination::len), paths.len());
            let found = destination.and_then(|it| it.get(peer, 0));
            prop_assert_eq!(found, paths.get(&peer));
            let nlri = rib.paths_of(peer, None, 1).0;
            prop_assert_eq!(nlri.len(), usize::from(paths.contains_key(&peer)));
        }
    }

    #[test]
    fn the_best_of_some_paths_is_that_of_a_rib_without_the_others(
        all in prop::collection::vec(
            (0_u32..3, 0_u32..3, 100_u32..102, any::<bool>(), any::<bool>()), 1..40,
        ),
    ) {
        let (mut rib, mut some) = (LocRib::new(), LocRib::new());
        let mut allowed = Vec::new();
        for (peer, (asn, med, local_pref, internal, is_allowed)) in (0..).zip(all) {
            let path = path(peer, asn + 65_000, med, local_pref, internal);
            rib.insert(prefix(), path.clone());
            if is_allowed {
                some.insert(prefix(), path);
            }
            allowed.push(is_allowed);
        }
        let best = rib.get(&prefix()).unwrap().best_of(|it| allowed[usize::from(it.peer())]);
        prop_assert_eq!(best.map(Path::peer), some.best(&prefix()).map(Path::peer));
    }
}

#[test]
fn removing_an_internal_path_may_bring_back_one_that_its_med_eliminated() {
    let mut rib = LocRib::new();
    // More paths than are ranked again at each change.
    for peer in 100..130 {
        rib.insert(prefix(), path(peer, 65_000, 9, 99, false));
    }
    rib.insert(prefix(), path(1, 65_001, 5, 100, true));
    rib.insert(prefix(), path(2, 65_001, 10, 100, false));
    rib.insert(prefix(), path(3, 65_002, 10, 100, false));
    assert_eq!(chosen(&rib), [3]);
    let nlri = Nlri { prefix: prefix(), path_id: 0 };
    assert_eq!(rib.remove(&nlri, 1), PathChange::Best);
    assert_eq!(chosen(&rib), [2, 3]);
    assert_eq!(rib.remove(&nlri, 115), PathChange::Others);
}

#[test]
fn a_peer_has_a_path_for_each_identifier() {
    let mut rib = LocRib::new();
    for path_id in 0..40 {
        rib.insert(prefix(), Path { path_id, ..path(7, 65_001, 0, 100, false) });
        rib.insert(prefix(), Path { path_id, ..path(8, 65_001, 0, 100, false) });
    }
    rib.insert("198.51.100.0/24".parse().unwrap(), path(7, 65_001, 0, 100, false));

    let (mut from, mut sizes) = (None, Vec::new());
    loop {
        let (found, next) = rib.paths_of(7, from, 15);
        sizes.push(found.len());
        for nlri in found {
            assert_eq!(rib.remove(&nlri, 7), PathChange::Best);
        }
        if next.is_none() {
            break;
        }
        from = next;
    }
    assert_eq!(sizes, [15, 15, 11], "a prefix with many paths takes several steps");
    assert_eq!(rib.get(&prefix()).map(Destination::len), Some(40));
    assert!(rib.paths_of(7, None, 10).0.is_empty());
}

#[test]
fn prefixes_are_listed_in_order_from_any_place() {
    let mut rib = LocRib::new();
    let prefixes = ["10.0.0.0/8", "10.0.0.0/9", "192.0.2.0/24", "::/0", "2001:db8::/32"];
    for prefix in prefixes.iter().rev() {
        rib.insert(prefix.parse().unwrap(), path(1, 65_001, 0, 100, false));
    }
    let from = |from: &str| -> Vec<String> {
        rib.iter_from(from.parse().unwrap()).map(|(prefix, _)| prefix.to_string()).collect()
    };
    for (at, prefix) in prefixes.iter().enumerate() {
        assert_eq!(from(prefix), prefixes[at..]);
    }
    assert_eq!(from("11.0.0.0/8"), prefixes[2..]);
    assert_eq!(from("224.0.0.0/4"), prefixes[3..]);
    assert_eq!(rib.len(), prefixes.len());

    let nlri = |prefix: &str| Nlri::from(prefix.parse::<IpNet>().unwrap());
    let (found, next) = rib.paths_of(1, Some(nlri("10.0.0.0/9")), 2);
    assert_eq!((found.len(), next), (2, Some(nlri("::/0"))));
}

proptest! {
    #[test]
    fn many_paths_change_a_rib_as_they_do_one_by_one(
        inserted in prop::collection::vec((0_u8..40, 0_u16..3, 0_u32..3), 0..300),
        removed in prop::collection::vec(0_u8..40, 0..100),
        is_sorted in any::<bool>(),
    ) {
        let prefix = |n: u8| -> IpNet {
            let text = if n < 20 { format!("10.0.{n}.0/24") } else { format!("2001:db8:{n}::/48") };
            text.parse().expect("a prefix")
        };
        let (mut inserted, mut removed) = (inserted, removed);
        if is_sorted {
            inserted.sort_unstable();
            removed.sort_unstable();
        }
        let paths: Vec<_> = inserted
            .into_iter()
            .map(|(n, peer, med)| (prefix(n), path(peer, 64_600, med, 100, false)))
            .collect();
        let routes: Vec<Nlri> = removed.into_iter().map(|n| prefix(n).into()).collect();

        let mut one_by_one = LocRib::new();
        let mut expected = Vec::new();
        for (prefix, path) in &paths {
            let change = one_by_one.insert(*prefix, path.clone());
            expected.push((*prefix, change, one_by_one.get(prefix).cloned()));
        }
        for nlri in &routes {
            let change = one_by_one.remove(nlri, 1);
            expected.push((nlri.prefix, change, one_by_one.get(&nlri.prefix).cloned()));
        }

        let mut rib = LocRib::new();
        let mut changes = Vec::new();
        let mut changed = |prefix, change, paths: Option<&Destination<u16>>| {
            changes.push((prefix, change, paths.cloned()));
        };
        rib.insert_all(paths, &mut changed);
        rib.remove_all(routes, 1, &mut changed);

        prop_assert_eq!(changes, expected);
        prop_assert_eq!(rib.len(), one_by_one.len());
        prop_assert!(rib.iter().eq(one_by_one.iter()));
    }
}
