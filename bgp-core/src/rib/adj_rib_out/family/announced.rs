//! The times at which the routes of a family were announced, from all places where they are kept.

use std::sync::Arc;

use super::Family;
use crate::rib::adj_rib_out::replay::{Replay, session_key, session_path};
use crate::rib::adj_rib_out::times::{Seconds, Times};
use crate::rib::key::Key;
use crate::rib::table::{Table, differences};
use crate::wire::PathAttributes;

/// The share of the routes, one in this number, up to which times are set one by one and not all anew.
const FEW: usize = if cfg!(test) { 2 } else { 8 };

/// A key with the attributes of its new route, or without any if its route is gone.
type KeyChange<K> = (K, Option<Arc<PathAttributes>>);

impl<K: Key> Family<K> {
    /// The times when the replay is over, so that none are left in it or in `differing`.
    pub(super) fn times_after_replay(&mut self) -> Times<K> {
        let Some(replay) = &self.replay else { return std::mem::take(&mut self.times) };
        if let Some(time) = replay.time_of_all().filter(|_| self.differing.is_empty()) {
            return Times::same(time);
        }
        if replay.announcements_len() + self.differing.len() > self.desired.len() / FEW {
            return Times::collect(self.times_so_far());
        }
        self.take_times()
    }

    /// The times of the desired routes so far, from all places where they are kept.
    fn take_times(&mut self) -> Times<K> {
        let mut times = std::mem::take(&mut self.times);
        let replay = self.replay.as_ref();
        let replayed = replay.map(|replay| replay.announcements(self.several_paths));
        // The differing keys come last, because a replay passes over them.
        let single = self.differing.iter().map(|(key, single)| (*key, single.since));
        for (key, time) in replayed.into_iter().flatten().chain(single) {
            if session_path(&self.desired, key, self.several_paths).is_some() {
                times.set_paths(&self.desired, key, self.several_paths, time);
            }
        }
        times
    }

    /// The times of the routes that are going to be the desired ones. Those that are new get the current time.
    pub(super) fn times_for(&mut self, routes: &Table<K>) -> Times<K> {
        let is_quiet = self.replay.is_none() && self.differing.is_empty();
        if is_quiet && (self.times.are_same() || self.has_keys_of(routes)) {
            return std::mem::take(&mut self.times);
        }

        if let Some(changes) = self.few_key_changes(routes) {
            let mut times = self.take_times();
            let mut table = self.desired.clone();
            for (key, attributes) in changes {
                if let Some(attributes) = attributes {
                    table.insert(key, attributes);
                    times.added(&table, key);
                    times.set(&table, key, self.now);
                } else {
                    times.removing(&table, key);
                    table.remove(key);
                }
            }
            return times;
        }

        let mut known = self.times_so_far().peekable();
        let times = routes.iter().map(|(key, _)| {
            while known.next_if(|(other, _)| *other < key).is_some() {}
            let known = known.next_if(|(other, _)| *other == key);
            (key, known.map_or(self.now, |(_, time)| time))
        });
        Times::collect(times)
    }

    /// Returns true if the desired routes have the same keys as these.
    fn has_keys_of(&self, routes: &Table<K>) -> bool {
        self.desired.len() == routes.len() && self.key_changes(routes, 0).is_some()
    }

    /// The keys that these routes have in addition to the desired ones, with their attributes, and those that they lack. `None` if
    /// they are many, or if a replay has announced many routes.
    fn few_key_changes(&self, routes: &Table<K>) -> Option<Vec<KeyChange<K>>> {
        let announced = self.replay.as_ref().map_or(0, Replay::announced_len);
        let few = self.desired.len() / FEW;
        self.key_changes(routes, few.checked_sub(announced + self.differing.len())?)
    }

    /// The same, or `None` if there are more than `most`.
    fn key_changes(&self, routes: &Table<K>, most: usize) -> Option<Vec<KeyChange<K>>> {
        let mut changes = Vec::new();
        differences(&self.desired, routes, |key, (old, new)| {
            if old.is_none() || new.is_none() {
                changes.push((key, new.cloned()));
            }
            changes.len() <= most
        });
        (changes.len() <= most).then_some(changes)
    }

    /// The desired routes with the times at which they were announced last.
    fn times_so_far(&self) -> impl Iterator<Item = (K, Seconds)> {
        let replay = self.replay.as_ref();
        let replayed = replay.map(|replay| replay.announced(self.several_paths));
        let mut replayed = replayed.into_iter().flatten().peekable();

        self.times.iter(&self.desired).map(move |(key, before)| {
            let session_key = session_key(key, self.several_paths);
            while replayed.next_if(|(other, _)| *other < session_key).is_some() {}
            // The other paths to the prefix share it.
            let replayed = replayed.peek().filter(|(other, _)| *other == session_key);

            let single = self.differing.get(&session_key);
            let time = match (single, replayed) {
                (Some(single), _) => single.since,
                (None, Some((_, time))) => *time,
                (None, None) => before,
            };
            (key, time)
        })
    }
}
