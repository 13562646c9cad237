//! The tree against the map of the standard library.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::rib::differences::TreeDifferences;

fn entries(tree: &Tree<u32, u32>) -> Vec<(u32, u32)> {
    tree.iter().map(|(key, value)| (*key, *value)).collect()
}

fn expected(map: &BTreeMap<u32, u32>) -> Vec<(u32, u32)> {
    map.iter().map(|(key, value)| (*key, *value)).collect()
}

/// Runs of adjacent keys that are inserted or removed, so that nodes fill, split, shrink and are joined.
fn steps() -> impl Strategy<Value = Vec<(u32, u32, bool)>> {
    prop::collection::vec((0_u32..3_000, 1_u32..400, any::<bool>()), 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_any_changes_the_tree_has_the_entries_of_a_map(steps in steps()) {
        let (mut tree, mut map) = (Tree::default(), BTreeMap::new());
        for (value, (from, number, is_insertion)) in (0..).zip(steps) {
            for key in from..from + number {
                if is_insertion {
                    tree.insert(key, value);
                    map.insert(key, value);
                } else {
                    prop_assert_eq!(tree.remove(&key), map.remove(&key).is_some());
                }
            }

            prop_assert_eq!(tree.len(), map.len());
            prop_assert_eq!(tree.is_empty(), map.is_empty());
            prop_assert_eq!(entries(&tree), expected(&map));
            for key in [from, from + number, from / 2] {
                let found = tree.get(|known| known.cmp(&key)).map(|(_, value)| value);
                prop_assert_eq!(found, map.get(&key));
                let rest: Vec<_> = tree.iter_from(|known| *known < key).take(9).collect();
                prop_assert_eq!(tree.first_from(|known| *known < key), rest.first().copied());
                prop_assert_eq!(rest, map.range(key..).take(9).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn keys_visited_in_turn_have_the_entries_of_a_map(
        steps in steps(),
        scattered in prop::collection::vec((0_u32..3_000, 0_u32..3), 0..600),
        is_sorted in any::<bool>(),
    ) {
        // The value says what `visit` does: remove, add or leave.
        let runs = steps.into_iter().flat_map(|(from, number, is_insertion)| {
            (from..from + number).map(move |key| (key, u32::from(is_insertion)))
        });
        let mut visits: Vec<_> = scattered;
        if is_sorted {
            visits.sort_unstable();
        }
        visits.extend(runs);

        let (mut tree, mut map) = (Tree::default(), BTreeMap::new());
        for key in (0..1_500).step_by(3) {
            tree.insert(key, 7);
            map.insert(key, 7);
        }
        let (clone, before) = (tree.clone(), map.clone());
        let mut seen = Vec::new();
        tree.visit_all(visits.iter().copied(), |key, known, what| {
            seen.push((*key, known.as_deref().copied(), what));
            match (known, what) {
                (Some(_), 0) => Visited::Removed,
                (Some(known), 1) => {
                    *known += 1;
                    Visited::Stays
                }
                (None, 1) => Visited::Added(*key),
                _ => Visited::Stays,
            }
        });

        let mut expected_seen = Vec::new();
        for (key, what) in visits {
            let known = map.get(&key).copied();
            expected_seen.push((key, known, what));
            match (known, what) {
                (Some(_), 0) => drop(map.remove(&key)),
                (Some(known), 1) => drop(map.insert(key, known + 1)),
                (None, 1) => drop(map.insert(key, key)),
                _ => {}
            }
        }
        prop_assert_eq!(seen, expected_seen);
        prop_assert_eq!(tree.len(), map.len());
        prop_assert_eq!(entries(&tree), expected(&map));
        prop_assert_eq!(entries(&clone), expected(&before));
        for key in (0..3_400).step_by(7) {
            let found = tree.get(|known| known.cmp(&key)).map(|(_, value)| value);
            prop_assert_eq!(found, map.get(&key));
        }
    }

    #[test]
    fn a_clone_keeps_its_entries_and_the_differences_are_those_of_maps(steps in steps()) {
        let mut tree = Tree::default();
        for key in 0..2_000 {
            tree.insert(2 * key, 0);
        }
        let before = tree.clone();
        let old: BTreeMap<_, _> = entries(&before).into_iter().collect();
        let mut new = old.clone();
        for (value, (from, number, is_insertion)) in (1..).zip(steps) {
            for key in from..from + number {
                if is_insertion {
                    tree.insert(key, value);
                    new.insert(key, value);
                } else {
                    tree.remove(&key);
                    new.remove(&key);
                }
            }
        }
        prop_assert_eq!(entries(&before), expected(&old));

        let mut all: Vec<_> = old.keys().chain(new.keys()).copied().collect();
        all.sort_unstable();
        all.dedup();
        let differ: Vec<_> = all.into_iter().filter(|key| old.get(key) != new.get(key)).collect();
        let found: Vec<_> = TreeDifferences::new(&before, &tree)
            .filter(|(_, old, new)| old != new)
            .map(|(key, from, to)| {
                assert_eq!((from, to), (old.get(key), new.get(key)));
                *key
            })
            .collect();
        prop_assert_eq!(found, differ);
    }
}

#[test]
fn the_differences_of_a_clone_are_found_without_reading_the_rest() {
    let mut tree = Tree::default();
    for key in 0..100_000_u32 {
        tree.insert(key, 0);
    }
    let before = tree.clone();
    assert_eq!(TreeDifferences::new(&before, &tree).count(), 0);

    tree.insert(50_000, 1);
    assert!(TreeDifferences::new(&before, &tree).count() <= LEAF, "one leaf differs");
    assert_eq!(tree.change(&7, |value| Some(std::mem::replace(value, 2))), Some(Some(0)));
    assert_eq!(tree.change(&100_000, |value| Some(*value)), None);
    assert!(TreeDifferences::new(&before, &tree).count() <= 2 * LEAF, "two leaves differ");
}

#[test]
fn keys_in_order_fill_the_nodes() {
    let mut one_by_one = Tree::default();
    for key in 0..100 * LEAF {
        one_by_one.insert(key, 0_u8);
    }
    let mut in_turn = Tree::default();
    in_turn.visit_all((0..100 * LEAF).map(|key| (key, ())), |_, _, ()| Visited::Added(0_u8));
    for tree in [one_by_one, in_turn] {
        assert_eq!(full_leaves(&tree), 100);
    }
}

fn full_leaves(tree: &Tree<usize, u8>) -> usize {
    let mut iter = tree.iter();
    let mut full = 0;
    while iter.next_node().is_some_and(|node| match &**node {
        Node::Leaf(entries) => {
            full += usize::from(entries.len() == LEAF);
            true
        }
        Node::Inner(children) => {
            iter.stack.push(children.iter());
            true
        }
    }) {}
    full
}
