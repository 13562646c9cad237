//! A walk over many routes that have to be announced, grouped by attributes, and over those that have to be withdrawn before.
//!
//! The table of the walk does not change. So the progress of the walk tells what the peer has of a prefix, and each route
//! needs no record but its place, once.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rib::adj_rib_out::times::Seconds;
use crate::rib::key::Key;
use crate::rib::table::{Differences, FirstPathChange, FirstPathChanges, Table, same};
use crate::wire::PathAttributes;

/// The walk.
#[derive(Debug)]
pub(super) struct Replay<K: Key> {
    /// The advertised routes when the walk began.
    base: Table<K>,
    /// The advertised routes when it ends.
    target: Table<K>,
    /// The prefixes to withdraw, in order, and the number of those taken.
    withdrawals: Vec<K>,
    withdrawals_taken: usize,
    /// The places of routes in `target`, by group and prefix, and the number of those taken.
    order: Vec<u32>,
    taken: usize,
    /// The end of each group in `order`.
    ends: Vec<u32>,
    groups: Groups,
    /// True if routes are announced that the peer already has.
    pub(super) repeats: bool,
    /// The time at which the walk began.
    pub(super) since: Seconds,
    /// The progress by time: the number of routes taken by the end of each second in which some were.
    progress: Vec<(u32, Seconds)>,
}

/// The state of a key of `target` that was changed by nothing but the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The walk does not announce it, because the peer has it.
    Unchanged,
    /// The walk has yet to announce it.
    Ahead,
    /// The walk has announced it, at this time.
    Announced(Seconds),
}

/// The key under which advertised routes are recorded. For a session with one path per prefix, it is the prefix alone.
pub(super) fn session_key<K: Key>(key: K, several_paths: bool) -> K {
    if several_paths { key } else { key.with_path_id(0) }
}

/// The path that a session carries for a key: the path itself, or the first path to its prefix.
pub(super) fn session_path<K: Key>(
    table: &Table<K>,
    key: K,
    several_paths: bool,
) -> Option<&Arc<PathAttributes>> {
    if several_paths { table.get(key) } else { Some(table.first_of(key)?.1) }
}

/// A change of the path that a session carries for a [session key](session_key).
pub(super) struct SessionChange<'a, K> {
    pub(super) key: K,
    pub(super) old: Option<&'a Arc<PathAttributes>>,
    /// The new path, and its place in the new table.
    pub(super) new: Option<(&'a Arc<PathAttributes>, u32)>,
}

/// The [session keys](session_key) whose paths differ between two tables, in order.
pub(super) fn session_changes<'a, K: Key>(
    old: &'a Table<K>,
    new: &'a Table<K>,
    several_paths: bool,
) -> impl Iterator<Item = SessionChange<'a, K>> {
    let (all, first) = if several_paths {
        (Some(Differences::new(old, new)), None)
    } else {
        (None, Some(FirstPathChanges::new(old, new)))
    };
    let all = all.into_iter().flatten().map(move |(key, (old, after))| {
        let new = after.and_then(|after| Some((after, new.place_of(key)?)));
        SessionChange { key, old, new }
    });
    let first = first
        .into_iter()
        .flatten()
        .map(|FirstPathChange { key, old, new }| SessionChange { key, old, new });
    all.chain(first)
}

/// Makes a path the one that a session carries for a key, or leaves none.
pub(super) fn set_session_path<K: Key>(
    table: &mut Table<K>,
    key: K,
    several_paths: bool,
    attributes: Option<&Arc<PathAttributes>>,
) {
    if same(session_path(table, key, several_paths), attributes) {
        return;
    }
    if several_paths {
        table.remove(key);
    } else {
        table.remove_paths(key);
    }
    if let Some(attributes) = attributes {
        table.insert(key, Arc::clone(attributes));
    }
}

impl<K: Key> Replay<K> {
    /// A walk from the advertised routes to the desired ones. If it `repeats`, it announces unchanged routes again.
    pub(super) fn new(
        base: Table<K>,
        target: Table<K>,
        several_paths: bool,
        repeats: bool,
        since: Seconds,
    ) -> Self {
        let mut groups = GroupsBuilder::default();
        let mut selected: Vec<(u32, u32)> = Vec::new();
        let mut withdrawals = Vec::new();
        // A table that hides what it stores is compared, since a comparison skips that.
        let all = repeats || base.stores_nothing();
        if all {
            selected.reserve_exact(target.len());
            let mut before = None;
            for (place, key, attributes) in target.places() {
                let first = before.replace(key).is_none_or(|before: K| !before.same_prefix(key));
                if several_paths || first {
                    selected.push((groups.number(attributes), place));
                }
            }
        }

        // Without a base, nothing can be withdrawn and all is selected.
        if !base.stores_nothing() {
            for SessionChange { key, new, .. } in session_changes(&base, &target, several_paths) {
                match new {
                    Some((attributes, place)) if !all => {
                        selected.push((groups.number(attributes), place));
                    }
                    Some(_) => {}
                    None => withdrawals.push(key),
                }
            }
        }

        let (order, ends) = by_group(&selected, groups.count());
        Self {
            base,
            target,
            withdrawals,
            withdrawals_taken: 0,
            order,
            taken: 0,
            ends,
            groups: groups.groups,
            repeats,
            since,
            progress: Vec::new(),
        }
    }

    /// The attributes that the peer has so far of a key that was changed by nothing but this walk.
    pub(super) fn advertised(&self, key: K, several_paths: bool) -> Option<&Arc<PathAttributes>> {
        let Some(attributes) = session_path(&self.target, key, several_paths) else {
            let is_withdrawn = self.next_withdrawal().is_none_or(|next| key < next);
            return if is_withdrawn { None } else { session_path(&self.base, key, several_paths) };
        };

        if self.has_passed(key, attributes, several_paths) {
            Some(attributes)
        } else {
            session_path(&self.base, key, several_paths)
        }
    }

    /// The advertised routes so far, without other changes than those of this walk. It is a table for [`session_path`].
    pub(super) fn advertised_routes(&self, several_paths: bool) -> Table<K> {
        let mut advertised = self.target.clone();
        for SessionChange { key, .. } in session_changes(&self.base, &self.target, several_paths) {
            let attributes = self.advertised(key, several_paths);
            set_session_path(&mut advertised, key, several_paths, attributes);
        }
        advertised
    }

    /// Returns true if the walk still has to announce or withdraw a key that the peer has.
    pub(super) fn is_ahead(&self, key: K, several_paths: bool) -> bool {
        session_path(&self.target, key, several_paths)
            .is_none_or(|attributes| !self.has_passed(key, attributes, several_paths))
    }

    /// Returns true if the walk has already passed a route of `target`.
    fn has_passed(&self, key: K, attributes: &Arc<PathAttributes>, several_paths: bool) -> bool {
        let Some((next, next_attributes)) = self.peek() else { return true };
        let (Some(group), Some(next_group)) =
            (self.groups.get(attributes), self.groups.get(next_attributes))
        else {
            // A route without a group is not announced, because the peer has it.
            return true;
        };
        (group, key) < (next_group, session_key(next, several_paths))
    }

    /// The next route to announce.
    pub(super) fn peek(&self) -> Option<(K, &Arc<PathAttributes>)> {
        self.target.at(*self.order.get(self.taken)?)
    }

    /// Passes the keys of the next group to `push`, until it returns false because no more fit.
    pub(super) fn take(&mut self, mut push: impl FnMut(K) -> bool) {
        let end = self.end_of_group();
        for place in self.order.get(self.taken..end).unwrap_or_default() {
            match self.target.at(*place) {
                Some((key, _)) if !push(key) => return,
                _ => self.taken += 1,
            }
        }
    }

    /// The keys that [`take`](Self::take) would pass on.
    pub(super) fn rest_of_group(&self) -> impl Iterator<Item = K> {
        let places = self.order.get(self.taken..self.end_of_group()).unwrap_or_default();
        places.iter().filter_map(|place| Some(self.target.at(*place)?.0))
    }

    /// The number of keys that [`take`](Self::take) would pass on.
    pub(super) fn rest_of_group_len(&self) -> usize {
        self.end_of_group().saturating_sub(self.taken)
    }

    fn end_of_group(&self) -> usize {
        let at = u32::try_from(self.taken).unwrap_or(u32::MAX);
        let end = self.ends.get(self.ends.partition_point(|end| *end <= at));
        end.map_or(self.order.len(), |end| *end as usize)
    }

    /// Notes the time at which the routes were taken that have been taken since the last call.
    pub(super) fn note_time(&mut self, now: Seconds) {
        let taken = u32::try_from(self.taken).unwrap_or(u32::MAX);
        match self.progress.last_mut() {
            Some((end, time)) if *time == now => *end = taken,
            _ => self.progress.push((taken, now)),
        }
    }

    /// The time at which every route of `target` was announced, if the walk has announced all of them at one time.
    pub(super) fn time_of_all(&self) -> Option<Seconds> {
        let announced_all = self.taken == self.order.len() && self.taken == self.target.len();
        match self.progress.as_slice() {
            [(_, time)] if announced_all => Some(*time),
            _ => None,
        }
    }

    /// The keys that the walk has announced, in the order of the walk, each with the time. They are
    /// [session keys](session_key).
    pub(super) fn announcements(&self, several_paths: bool) -> impl Iterator<Item = (K, Seconds)> {
        self.order.iter().enumerate().take(self.taken).filter_map(move |(at, place)| {
            let (key, _) = self.target.at(*place)?;
            Some((session_key(key, several_paths), self.time_at(at)))
        })
    }

    /// The state of a key of `target`. `several_paths`: as in [`new`](Self::new).
    pub(super) fn progress(&self, key: K, several_paths: bool) -> Progress {
        let attributes = session_path(&self.target, key, several_paths);
        let group = attributes.and_then(|attributes| self.groups.get(attributes));
        let Some(at) = group.and_then(|group| self.index(group as usize, key, several_paths))
        else {
            return Progress::Unchanged;
        };
        if at < self.taken { Progress::Announced(self.time_at(at)) } else { Progress::Ahead }
    }

    /// The place of a key in `order`, if it is in this group.
    fn index(&self, group: usize, key: K, several_paths: bool) -> Option<usize> {
        let start = group.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let (start, end) = (start.unwrap_or_default() as usize, *self.ends.get(group)? as usize);
        let key = session_key(key, several_paths);
        let found = self.order.get(start..end)?.binary_search_by(|place| {
            let other = self.target.at(*place).map(|(other, _)| session_key(other, several_paths));
            other.cmp(&Some(key))
        });
        Some(start + found.ok()?)
    }

    fn time_at(&self, at: usize) -> Seconds {
        let later = self.progress.partition_point(|(end, _)| *end as usize <= at);
        let found = self.progress.get(later).or_else(|| self.progress.last());
        found.map_or(self.since, |(_, time)| *time)
    }

    /// The next key to withdraw.
    pub(super) fn next_withdrawal(&self) -> Option<K> {
        self.withdrawals.get(self.withdrawals_taken).copied()
    }

    /// The keys that still have to be withdrawn, in order, with the attributes that the peer has. `from`: the first to return.
    pub(super) fn withdrawals_from(
        &self,
        from: Option<K>,
        several_paths: bool,
    ) -> impl Iterator<Item = (K, Option<&Arc<PathAttributes>>)> {
        let left = self.withdrawals.get(self.withdrawals_taken..).unwrap_or_default();
        let first = left.partition_point(|key| from.is_some_and(|from| *key < from));
        let left = left.get(first..).unwrap_or_default().iter();
        left.map(move |key| (*key, session_path(&self.base, *key, several_paths)))
    }

    /// The number of keys that still have to be withdrawn.
    pub(super) fn withdrawals_len(&self) -> usize {
        self.withdrawals.len().saturating_sub(self.withdrawals_taken)
    }

    /// Passes the keys to withdraw to `push`, until it returns false because no more fit.
    pub(super) fn take_withdrawals(&mut self, mut push: impl FnMut(K) -> bool) {
        while self.next_withdrawal().is_some_and(&mut push) {
            self.withdrawals_taken += 1;
        }
    }

    /// Skips the next keys as long as they are `settled` by other means.
    pub(super) fn skip(&mut self, settled: impl Fn(K) -> bool) {
        while self.next_withdrawal().is_some_and(&settled) {
            self.withdrawals_taken += 1;
        }
        while self.peek().is_some_and(|(key, _)| settled(key)) {
            self.taken += 1;
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.taken >= self.order.len() && self.withdrawals_taken >= self.withdrawals.len()
    }
}

/// Sorts places by group and keeps their order in each group. Returns them, and the end of each group.
fn by_group(selected: &[(u32, u32)], groups: usize) -> (Vec<u32>, Vec<u32>) {
    // A counting sort: first the size of each group, then its start, which grows to its end as places are filled in.
    let mut ends = vec![0_u32; groups];
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

/// Increments the counter of a group, and returns its old value.
fn count(counters: &mut [u32], group: u32) -> Option<u32> {
    let counter = counters.get_mut(group as usize)?;
    let before = *counter;
    *counter += 1;
    Some(before)
}

/// Numbers for sets of attributes, in the order of their first occurrence. Equal sets have the same number.
#[derive(Debug, Default)]
struct Groups {
    /// The numbers by address. `target` keeps the attributes at these addresses alive.
    numbers: BTreeMap<usize, u32>,
}

impl Groups {
    fn get(&self, attributes: &Arc<PathAttributes>) -> Option<u32> {
        self.numbers.get(&address(attributes)).copied()
    }
}

/// Groups to which others are added.
#[derive(Default)]
struct GroupsBuilder {
    groups: Groups,
    values: BTreeMap<Group, u32>,
    last: Option<(usize, u32)>,
}

impl GroupsBuilder {
    fn number(&mut self, attributes: &Arc<PathAttributes>) -> u32 {
        let address = address(attributes);
        // Adjacent routes mostly share their attributes.
        if let Some((_, number)) = self.last.filter(|(last, _)| *last == address) {
            return number;
        }

        let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let number =
            *self.groups.numbers.entry(address).or_insert_with(|| {
                *self.values.entry(Group(Arc::clone(attributes))).or_insert(next)
            });
        self.last = Some((address, number));
        number
    }

    fn count(&self) -> usize {
        self.values.len()
    }
}

fn address(attributes: &Arc<PathAttributes>) -> usize {
    Arc::as_ptr(attributes).addr()
}

/// Attributes that are compared by value, so that routes with equal ones share an UPDATE.
#[derive(Clone, Debug)]
pub(super) struct Group(pub(super) Arc<PathAttributes>);

impl Ord for Group {
    fn cmp(&self, other: &Self) -> Ordering {
        // Routes of one origin mostly share their attributes. Then no comparison is needed.
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
