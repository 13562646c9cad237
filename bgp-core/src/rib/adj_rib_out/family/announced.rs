//! The times at which the routes of a family were announced, from all places where they are kept.

use super::Family;
use crate::rib::adj_rib_out::replay::{session_key, session_path};
use crate::rib::adj_rib_out::times::{Seconds, Times};
use crate::rib::key::Key;
use crate::rib::table::{Table, differences};

/// The share of the routes, one in this number, up to which times are set one by one and not all anew.
const FEW: usize = if cfg!(test) { 2 } else { 8 };

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

        // The differing keys come last, because a replay passes over them.
        let mut times = std::mem::take(&mut self.times);
        let replayed = replay.announcements(self.several_paths);
        let single = self.differing.iter().map(|(key, single)| (*key, single.since));
        for (key, time) in replayed.chain(single) {
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
        let mut is_same = self.desired.len() == routes.len();
        differences(&self.desired, routes, |_, (old, new)| {
            is_same &= old.is_some() && new.is_some();
            is_same
        });
        is_same
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
