//! The times at which the routes of a family were announced, as replays and single changes pass them on to [`Times`].

use super::Family;
use crate::rib::adj_rib_out::replay::session_path;
use crate::rib::adj_rib_out::times::Times;
use crate::rib::key::Key;
use crate::rib::table::Table;

impl<K: Key> Family<K> {
    /// Notes the times of a replay that is over, or is about to be replaced, and those of single changes.
    pub(super) fn note_times(&mut self) {
        let (table, several_paths) = (&self.desired, self.several_paths);
        if let Some(replay) = &self.replay {
            match replay.time_of_all() {
                Some(time) => self.times = Times::same(time),
                None => {
                    for (key, time) in replay.announcements(several_paths) {
                        self.times.set(table, several_paths, key, time);
                    }
                }
            }
        }

        // These come last, because a replay passes over them.
        for (key, single) in &self.differing {
            if session_path(table, *key, several_paths).is_some() {
                self.times.set(table, several_paths, *key, single.since);
            }
        }
    }

    /// Sets the times of the keys that were to be withdrawn, and need not be if these routes are the desired ones. They
    /// count from now on, because the times of withdrawn keys are not kept.
    pub(super) fn note_times_of_returning(&mut self, routes: &Table<K>) {
        let several_paths = self.several_paths;
        let replay = self.replay.iter();
        let of_replay = replay.flat_map(|replay| replay.withdrawals_from(None, several_paths));
        let gone = of_replay.map(|(key, _)| key).chain(self.unreach.iter().copied());
        for key in gone {
            if session_path(routes, key, several_paths).is_some() {
                self.times.set(routes, several_paths, key, self.now);
            }
        }
    }
}
