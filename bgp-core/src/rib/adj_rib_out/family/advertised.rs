//! The routes of a family that were advertised to the peer, computed from the desired ones and the differences.

use std::sync::Arc;

use super::Family;
use crate::rib::adj_rib_out::replay::{Replay, session_key};
use crate::rib::key::Key;
use crate::rib::table::Table;
use crate::wire::PathAttributes;

impl<K: Key> Family<K> {
    /// The advertised routes. On a session with one path per prefix, only the first path to each.
    pub(in crate::rib::adj_rib_out) fn advertised(&self) -> Table<K> {
        let advertised = self.advertised_by_key();
        if self.several_paths {
            return advertised;
        }

        let mut before = None;
        advertised.filter_map(|key, attributes| {
            let first = before.replace(key).is_none_or(|before: K| !before.same_prefix(key));
            first.then(|| Arc::clone(attributes))
        })
    }

    /// The advertised routes, as a table for [`session_path`](crate::rib::adj_rib_out::replay::session_path).
    pub(super) fn advertised_by_key(&self) -> Table<K> {
        if !self.up {
            return Table::default();
        }
        if self.replay.is_none() && self.differing.is_empty() {
            return self.desired.clone();
        }

        let mut advertised = Table::default();
        match &self.replay {
            Some(replay) => {
                for table in replay.tables() {
                    self.add_replayed(&mut advertised, replay, table);
                }
            }
            None => {
                for (key, attributes) in self.session_paths(&self.desired) {
                    advertised.insert(key, Arc::clone(attributes));
                }
            }
        }

        for (key, state) in &self.differing {
            if let Some(attributes) = &state.attributes {
                advertised.insert(*key, Arc::clone(attributes));
            }
        }
        advertised
    }

    /// Adds the keys of a replay's table with the attributes that the peer has of them so far.
    fn add_replayed(&self, advertised: &mut Table<K>, replay: &Replay<K>, table: &Table<K>) {
        for (key, _) in self.session_paths(table) {
            if let Some(attributes) = replay.advertised(key, self.several_paths) {
                advertised.insert(key, Arc::clone(attributes));
            }
        }
    }

    /// The paths of a table that the session carries, without those in `differing`.
    fn session_paths<'a>(
        &'a self,
        table: &'a Table<K>,
    ) -> impl Iterator<Item = (K, &'a Arc<PathAttributes>)> {
        let mut before = None;
        table.iter().filter_map(move |(key, attributes)| {
            let first = before.replace(key).is_none_or(|before: K| !before.same_prefix(key));
            if !self.several_paths && !first {
                return None;
            }

            let key = session_key(key, self.several_paths);
            (!self.differing.contains_key(&key)).then_some((key, attributes))
        })
    }
}
