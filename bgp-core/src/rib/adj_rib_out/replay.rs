//! A walk over many routes that are to be announced, grouped by attributes, and over those that are to be
//! withdrawn before.
//!
//! The table that is walked does not change. So what the peer has been told of a prefix is known from how far the
//! walk has come, and nothing is written down for each route but its place, once.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rib::key::Key;
use crate::rib::table::{Table, same};
use crate::wire::PathAttributes;

/// The walk.
#[derive(Debug)]
pub(super) struct Replay<K> {
    /// What the peer had been told when the walk began.
    base: Table<K>,
    /// What it will have been told when it ends.
    target: Table<K>,
    /// Prefixes to withdraw, in order, and how many of them have been taken.
    gone: Vec<K>,
    gone_taken: usize,
    /// Places of routes in `target`, by group and prefix, and how many of them have been taken.
    order: Vec<u32>,
    taken: usize,
    /// The end of each group in `order`.
    ends: Vec<u32>,
    groups: Groups,
    /// Whether routes are announced that the peer has been told already.
    pub(super) repeats: bool,
}

/// The key that what was told is known by: where a session has one path a prefix, the prefix alone.
pub(super) fn told_key<K: Key>(key: K, several_paths: bool) -> K {
    if several_paths { key } else { key.with_path_id(0) }
}

/// What a session is to be told of a key: the path, or where only one is told the first one.
pub(super) fn lookup<K: Key>(
    table: &Table<K>,
    key: K,
    several_paths: bool,
) -> Option<&Arc<PathAttributes>> {
    if several_paths {
        table.get(key)
    } else {
        table.first_of(key).map(|(_, attributes)| attributes)
    }
}

impl<K: Key> Replay<K> {
    /// From what was told to what should be. Where it `repeats`, what is told already is told again.
    pub(super) fn new(
        base: Table<K>,
        target: Table<K>,
        several_paths: bool,
        repeats: bool,
    ) -> Self {
        let mut groups = Groups::default();
        let mut selected: Vec<(u32, u32)> = Vec::with_capacity(target.len());
        let mut before = None;
        for (place, key, attributes) in target.places() {
            let first = before.replace(key).is_none_or(|before: K| !before.same_prefix(key));
            if !several_paths && !first {
                continue;
            }
            if repeats || !same(lookup(&base, key, several_paths), Some(attributes)) {
                selected.push((groups.number(attributes), place));
            }
        }
        let mut before = None;
        let mut gone = Vec::new();
        for (key, _) in base.iter() {
            let first = before.replace(key).is_none_or(|before: K| !before.same_prefix(key));
            if (several_paths || first) && lookup(&target, key, several_paths).is_none() {
                gone.push(told_key(key, several_paths));
            }
        }
        let (order, ends) = by_group(&selected, groups.count());
        Self { base, target, gone, gone_taken: 0, order, taken: 0, ends, groups, repeats }
    }

    /// What the peer has been told, so far, of a key that nothing but this walk concerns.
    pub(super) fn told(&self, key: K, several_paths: bool) -> Option<&Arc<PathAttributes>> {
        let before = || lookup(&self.base, key, several_paths);
        let Some(attributes) = lookup(&self.target, key, several_paths) else {
            let still_there = self.gone.get(self.gone_taken).is_some_and(|next| *next <= key);
            return if still_there { before() } else { None };
        };
        if self.has_passed(key, attributes, several_paths) { Some(attributes) } else { before() }
    }

    /// Whether the walk still has to say something of a key that the peer has been told of.
    pub(super) fn is_ahead(&self, key: K, several_paths: bool) -> bool {
        lookup(&self.target, key, several_paths)
            .is_none_or(|attributes| !self.has_passed(key, attributes, several_paths))
    }

    fn has_passed(&self, key: K, attributes: &Arc<PathAttributes>, several_paths: bool) -> bool {
        let Some((next, next_attributes)) = self.peek() else { return true };
        let (Some(group), Some(next_group)) =
            (self.groups.get(attributes), self.groups.get(next_attributes))
        else {
            // Of no group: it is not announced, since the peer has it.
            return true;
        };
        (group, key) < (next_group, told_key(next, several_paths))
    }

    /// The next route to announce.
    pub(super) fn peek(&self) -> Option<(K, &Arc<PathAttributes>)> {
        self.target.at(*self.order.get(self.taken)?)
    }

    /// Gives the keys of the next group to `push`, until it answers that no more fit.
    pub(super) fn take(&mut self, mut push: impl FnMut(K) -> bool) {
        let end = self.end_of_group();
        for place in self.order.get(self.taken..end).unwrap_or_default() {
            match self.target.at(*place) {
                Some((key, _)) if !push(key) => return,
                _ => self.taken += 1,
            }
        }
    }

    /// What [`take`](Self::take) would give.
    pub(super) fn rest_of_group(&self) -> impl Iterator<Item = K> {
        let places = self.order.get(self.taken..self.end_of_group()).unwrap_or_default();
        places.iter().filter_map(|place| Some(self.target.at(*place)?.0))
    }

    /// How many keys [`take`](Self::take) would give.
    pub(super) fn rest_of_group_len(&self) -> usize {
        self.end_of_group().saturating_sub(self.taken)
    }

    fn end_of_group(&self) -> usize {
        let at = u32::try_from(self.taken).unwrap_or(u32::MAX);
        let end = self.ends.get(self.ends.partition_point(|end| *end <= at));
        end.map_or(self.order.len(), |end| *end as usize)
    }

    /// The next key to withdraw.
    pub(super) fn peek_gone(&self) -> Option<K> {
        self.gone.get(self.gone_taken).copied()
    }

    /// How many keys are to be withdrawn still.
    pub(super) fn gone_len(&self) -> usize {
        self.gone.len().saturating_sub(self.gone_taken)
    }

    /// Gives the keys to withdraw to `push`, until it answers that no more fit.
    pub(super) fn take_gone(&mut self, mut push: impl FnMut(K) -> bool) {
        while self.peek_gone().is_some_and(&mut push) {
            self.gone_taken += 1;
        }
    }

    /// Passes what is next as long as it is `settled` by other means.
    pub(super) fn pass(&mut self, settled: impl Fn(K) -> bool) {
        while self.peek_gone().is_some_and(&settled) {
            self.gone_taken += 1;
        }
        while self.peek().is_some_and(|(key, _)| settled(key)) {
            self.taken += 1;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.taken >= self.order.len() && self.gone_taken >= self.gone.len()
    }

    /// All keys of which the peer may have been told something.
    pub(super) fn tables(&self) -> [&Table<K>; 2] {
        [&self.base, &self.target]
    }
}

/// Sorts places by group and leaves each group in its order; returns them, and the end of each group.
fn by_group(selected: &[(u32, u32)], groups: usize) -> (Vec<u32>, Vec<u32>) {
    let mut ends = vec![0_u32; groups];
    let count = |ends: &mut Vec<u32>, group: u32| {
        let slot = ends.get_mut(group as usize)?;
        let value = *slot;
        *slot += 1;
        Some(value)
    };
    for (group, _) in selected {
        count(&mut ends, *group);
    }
    let mut sum = 0;
    for end in &mut ends {
        let start = sum;
        sum += *end;
        *end = start;
    }
    let mut order = vec![0; selected.len()];
    for (group, place) in selected {
        let slot = count(&mut ends, *group).and_then(|at| order.get_mut(at as usize));
        if let Some(slot) = slot {
            *slot = *place;
        }
    }
    (order, ends)
}

/// Numbers sets of attributes in the order in which they are first seen, equal ones alike.
#[derive(Debug, Default)]
struct Groups {
    /// By the address of what `target` keeps alive.
    numbers: BTreeMap<usize, u32>,
    values: BTreeMap<Group, u32>,
    last: Option<(usize, u32)>,
}

impl Groups {
    fn number(&mut self, attributes: &Arc<PathAttributes>) -> u32 {
        let address = address(attributes);
        // Neighbours mostly share their attributes.
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == address) {
            return number;
        }
        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number = *self
            .numbers
            .entry(address)
            .or_insert_with(|| *self.values.entry(Group(Arc::clone(attributes))).or_insert(next));
        self.last = Some((address, number));
        number
    }

    fn get(&self, attributes: &Arc<PathAttributes>) -> Option<u32> {
        self.numbers.get(&address(attributes)).copied()
    }

    fn count(&self) -> usize {
        self.values.len()
    }
}

fn address(attributes: &Arc<PathAttributes>) -> usize {
    Arc::as_ptr(attributes).addr()
}

/// Equal attributes, wherever they are: what can share an UPDATE.
#[derive(Clone, Debug)]
pub(super) struct Group(pub(super) Arc<PathAttributes>);

impl Ord for Group {
    fn cmp(&self, other: &Self) -> Ordering {
        // Routes of one origin mostly share their attributes outright: then nothing is compared.
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Group {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Group {}
