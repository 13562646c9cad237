//! The routes of a family that were advertised to the peer, computed from the desired ones and the differences.

use std::sync::Arc;

use super::Family;
use crate::rib::adj_rib_out::replay::set_session_path;
use crate::rib::key::Key;
use crate::rib::table::Table;

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

    /// The advertised routes, as a table for [`session_path`](crate::rib::adj_rib_out::replay::session_path). It shares with the
    /// desired routes what the peer has of them, and takes time in proportion to the rest.
    pub(super) fn advertised_by_key(&self) -> Table<K> {
        if !self.up {
            return Table::default();
        }
        let mut advertised = match &self.replay {
            Some(replay) => replay.advertised_routes(self.several_paths),
            None => self.desired.clone(),
        };
        for (key, state) in &self.differing {
            let attributes = state.attributes.as_ref();
            set_session_path(&mut advertised, *key, self.several_paths, attributes);
        }
        advertised
    }
}
