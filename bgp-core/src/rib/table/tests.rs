//! Tests of tables: they are maps, and changes do not affect their clones.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};
use proptest::prelude::*;

use super::differences::Walk;
use super::*;
use crate::rib::key::Key4;

fn key(n: u16) -> Key4 {
    let address = Ipv4Addr::from(0x0a00_0000 + u32::from(n / 2));
    let prefix: IpNet = Ipv4Net::new_assert(address, 32).into();
    Key4::new(prefix, u32::from(n % 2)).expect("of IPv4")
}

fn attributes(med: u16) -> Arc<PathAttributes> {
    Arc::new(PathAttributes { med: Some(med.into()), ..PathAttributes::default() })
}

fn chunks(table: &Table<Key4>) -> usize {
    table.groups.iter().map(|group| group.below.len()).sum()
}

proptest! {
    #[test]
    fn a_table_is_a_map_and_changes_do_not_affect_its_clones(
        first in prop::collection::vec((0_u16..2_000, any::<bool>()), 0..3_000),
        sorted in any::<bool>(),
        then in prop::collection::vec((0_u16..2_000, any::<bool>()), 0..1_500),
    ) {
        let (mut table, mut model) = (Table::default(), BTreeMap::new());
        let apply = |table: &mut Table<Key4>, model: &mut BTreeMap<_, _>, n, med| {
            let (got, expected) = match med {
                Some(med) => {
                    let attributes = attributes(med);
                    let got = table.insert(key(n), Arc::clone(&attributes));
                    (got, model.insert(key(n), attributes))
                }
                None => (table.remove(key(n)), model.remove(&key(n))),
            };
            prop_assert_eq!(got, expected);
            prop_assert_eq!(table.len(), model.len());
            Ok(())
        };

        let mut first = first;
        if sorted {
            first.sort_unstable();
        }
        for (n, insert) in first {
            apply(&mut table, &mut model, n, (insert || sorted).then_some(1))?;
        }

        let (old, before) = (table.clone(), model.clone());
        for (n, insert) in then {
            apply(&mut table, &mut model, n, insert.then_some(n % 3))?;
        }

        prop_assert!(old.iter().map(|(k, a)| (k, a.clone())).eq(before.clone()), "the clone changed");
        prop_assert!(table.iter().map(|(k, a)| (k, a.clone())).eq(model.clone()));
        for (place, key, _) in table.places() {
            prop_assert_eq!(table.at(place).map(|at| at.0), Some(key));
            prop_assert_eq!(table.place_of(key), Some(place));
        }

        for n in (0..2_000).step_by(250) {
            let rest = table.starting_at(key(n));
            let (least, most) = rest.size_hint();
            let count = rest.count();
            prop_assert_eq!(count, model.range(key(n)..).count());
            prop_assert!(least <= count && Some(count) <= most);
        }
        prop_assert_eq!(table.iter().size_hint(), (model.len(), Some(model.len())));

        let mut expected = BTreeMap::new();
        for n in 0..2_000 {
            let (a, b) = (before.get(&key(n)), model.get(&key(n)));
            prop_assert_eq!(table.get(key(n)), b);
            if a != b {
                expected.insert(key(n), (a.cloned(), b.cloned()));
            }
        }

        let mut found = BTreeMap::new();
        differences(&old, &table, |key, (a, b)| {
            found.insert(key, (a.cloned(), b.cloned()));
            true
        });
        prop_assert_eq!(found, expected);
        prop_assert_eq!(first_changes(&old, &table), first_changes_by_search(&old, &table));
        prop_assert_eq!(first_changes(&table, &old), first_changes_by_search(&table, &old));

        for n in (0..2_000).step_by(2) {
            let first = model.range(key(n)..=key(n + 1)).next().map(|(k, a)| (*k, a));
            prop_assert_eq!(table.first_of(key(n + 1)), first);
        }
    }

    #[test]
    fn changes_in_turn_are_those_of_one_by_one(
        first in prop::collection::vec(0_u16..2_000, 0..2_000),
        is_first_sorted in any::<bool>(),
        then in prop::collection::vec((0_u16..2_000, any::<bool>()), 0..1_500),
        sorted in 0_usize..1_500,
    ) {
        let (mut first, mut then) = (first, then);
        if is_first_sorted {
            first.sort_unstable();
        }
        let sorted = sorted.min(then.len());
        then[..sorted].sort_unstable();

        let (mut one_by_one, mut in_turn) = (Table::default(), Table::default());
        in_turn.change_all(
            first.iter().map(|n| (key(*n), Some(attributes(9)), *n)),
            |_, _, _| {},
        );
        for n in &first {
            one_by_one.insert(key(*n), attributes(9));
        }
        prop_assert!(in_turn == one_by_one);
        check_lists(&in_turn);

        let before = in_turn.clone();
        let mut expected = Vec::new();
        for (n, inserts) in &then {
            let old = match inserts {
                true => one_by_one.insert(key(*n), attributes(n % 3)),
                false => one_by_one.remove(key(*n)),
            };
            expected.push((key(*n), *n, old));
        }
        let mut changed = Vec::new();
        let changes = then.iter().map(|(n, inserts)| {
            (key(*n), inserts.then(|| attributes(n % 3)), *n)
        });
        in_turn.change_all(changes, |key, n, old| changed.push((key, n, old)));

        prop_assert_eq!(changed, expected);
        prop_assert_eq!(in_turn.len(), one_by_one.len());
        prop_assert!(in_turn.iter().eq(one_by_one.iter()));
        prop_assert!(before.iter().all(|(_, it)| it.med == Some(9)), "the clone changed");
        check_lists(&in_turn);
    }

    #[test]
    fn a_table_that_hides_a_path_identifier_is_one_without_those_entries(
        first in prop::collection::vec(0_u16..2_000, 0..2_000),
        then in prop::collection::vec((0_u16..2_000, any::<bool>()), 0..500),
    ) {
        let hiding = |table: &Table<Key4>| {
            let is_hidden = |key: Key4| key.path_id() == 1;
            let count = table.iter().filter(|(key, _)| is_hidden(*key)).count();
            let visible = table.filter_map(|key, it| (!is_hidden(key)).then(|| Arc::clone(it)));
            (table.hiding(1, !0, count), visible)
        };

        let mut table = Table::default();
        for n in first {
            table.insert(key(n), attributes(0));
        }
        let (before, expected_before) = hiding(&table);
        for (n, insert) in then {
            if insert { table.insert(key(n), attributes(n)); } else { table.remove(key(n)); }
        }
        let (after, expected_after) = hiding(&table);

        prop_assert_eq!(after.len(), expected_after.len());
        prop_assert!(after.iter().eq(expected_after.iter()));
        prop_assert!(after.places().all(|(at, key, _)| after.at(at).is_some_and(|it| it.0 == key)));
        for n in 0..2_000 {
            prop_assert_eq!(after.get(key(n)), expected_after.get(key(n)));
            prop_assert_eq!(after.first_of(key(n)), expected_after.first_of(key(n)));
        }
        let found = |old: &Table<Key4>, new: &Table<Key4>| {
            let mut found = BTreeMap::new();
            differences(old, new, |key, (a, b)| {
                found.insert(key, (a.cloned(), b.cloned()));
                true
            });
            found
        };
        prop_assert_eq!(found(&before, &after), found(&expected_before, &expected_after));
        prop_assert_eq!(found(&table, &after), found(&table, &expected_after));
        prop_assert_eq!(first_changes(&before, &after), first_changes_by_search(&before, &after));
        prop_assert_eq!(first_changes(&table, &after), first_changes_by_search(&table, &after));
    }
}

#[test]
fn a_removal_of_nothing_copies_no_chunk_that_a_clone_shares() {
    let mut table = Table::default();
    (0..2_000).step_by(2).for_each(|n| drop(table.insert(key(n), attributes(1))));
    let clone = table.clone();

    let absent = (1..2_000).step_by(2).map(|n| (key(n), None, ()));
    table.change_all(absent, |_, (), old| assert_eq!(old, None));
    assert!(table.is_same(&clone));
}

/// Asserts what holds for the lists of chunks after any changes.
fn check_lists(table: &Table<Key4>) {
    for group in table.groups.iter() {
        assert_eq!(Some(group.first), group.below.first().map(|chunk| chunk.first));
        assert!(group.below.len() <= GROUP);
        for chunk in group.below.iter() {
            assert_eq!(Some(chunk.first), chunk.below.key(0));
            assert!(chunk.below.len() <= CHUNK);
        }
    }
}

type FirstChange = (Key4, Option<Arc<PathAttributes>>, Option<(Arc<PathAttributes>, u32)>);

fn first_changes(old: &Table<Key4>, new: &Table<Key4>) -> Vec<FirstChange> {
    let changes = FirstPathChanges::new(old, new);
    let owned = |(it, place): (&Arc<PathAttributes>, u32)| (Arc::clone(it), place);
    changes.map(|change| (change.key, change.old.cloned(), change.new.map(owned))).collect()
}

fn first_changes_by_search(old: &Table<Key4>, new: &Table<Key4>) -> Vec<FirstChange> {
    let change = |n: u16| {
        let key = key(n).with_path_id(0);
        let old = old.first_of(key).map(|(_, it)| Arc::clone(it));
        let place = |key| new.place_of(key).expect("a place");
        let new = new.first_of(key).map(|(key, it)| (Arc::clone(it), place(key)));
        let is_same = old.as_ref() == new.as_ref().map(|(it, _)| it);
        (!is_same).then_some((key, old, new))
    };
    (0..2_000).step_by(2).filter_map(change).collect()
}

#[test]
fn a_comparison_reads_one_chunk_for_one_change_even_if_all_is_hidden() {
    let mut table = Table::default();
    for n in 0..4_096 {
        table.insert(key(n).with_path_id(1), attributes(0));
    }
    let before = table.clone();
    table.insert(key(2_000).with_path_id(1), attributes(1));

    for hides in [1, 2] {
        let (before, after) = (before.hiding(hides, !0, 0), table.hiding(hides, !0, 0));
        let mut walk = Walk::new(&before, &after);
        walk.skip();
        let mut steps = 0;
        while walk.next().is_some() {
            steps += 1;
            walk.skip();
        }
        assert_eq!(steps, 1, "hiding path {hides}");
    }
}

#[test]
fn chunks_are_full_after_appending_in_order_and_gone_when_empty() {
    let mut table = Table::default();
    for n in 0..4_096 {
        table.insert(key(n), attributes(0));
    }
    assert_eq!(chunks(&table), 4_096 / CHUNK);
    assert_eq!(table.groups.len(), 4_096 / CHUNK / GROUP);

    for n in (0..4_096).filter(|n| n % 64 != 0) {
        table.remove(key(n));
    }
    assert!(chunks(&table) <= 32, "{} chunks for 64 routes", chunks(&table));
    assert!(table.groups.len() <= 16, "{} groups for 64 routes", table.groups.len());

    assert!((0..4_096).step_by(64).all(|n| table.remove(key(n)).is_some()));
    assert!(table.is_empty() && table.groups.is_empty());
}

#[test]
fn a_change_to_a_clone_copies_one_chunk_and_the_list_of_its_group() {
    let mut table = Table::default();
    for n in 0..4_096 {
        table.insert(key(n), attributes(0));
    }
    let before = table.clone();
    table.insert(key(2_000), attributes(1));

    let groups = table.groups.iter().zip(before.groups.iter());
    let copied: Vec<_> = groups.filter(|(new, old)| !Arc::ptr_eq(&new.below, &old.below)).collect();
    let [(new, old)] = copied[..] else { panic!("{} groups were copied", copied.len()) };
    let chunks = new.below.iter().zip(old.below.iter());
    assert_eq!(chunks.filter(|(new, old)| !Arc::ptr_eq(&new.below, &old.below)).count(), 1);
}
