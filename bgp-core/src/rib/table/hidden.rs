//! [`Hidden`]: entries that a table does not have although they are in its chunks.
//!
//! A peer to which the routes of all peers are relayed has a table without its own, and shares every chunk with the others.

use std::sync::Arc;

use super::iter::TableIter;
use super::{Position, Table};
use crate::rib::key::Key;

/// The entries with a path identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// The path identifier, of which these bits count.
    path_id: u32,
    bits: u32,
    /// The number of the entries.
    count: usize,
}

impl Hidden {
    #[inline]
    pub(super) fn has<K: Key>(self, key: K) -> bool {
        key.path_id() & self.bits == self.path_id
    }

    pub(super) fn count(self) -> usize {
        self.count
    }
}

/// Returns true if two tables hide the same entries of the chunks that they share.
pub(super) fn hide_alike(one: Option<Hidden>, other: Option<Hidden>) -> bool {
    let rule = |hidden: Option<Hidden>| hidden.map(|hidden| (hidden.path_id, hidden.bits));
    rule(one) == rule(other)
}

impl<K: Key> Table<K> {
    /// The same table without the entries that have this path identifier in these bits, `count` of them. Both share all chunks.
    pub(crate) fn hiding(&self, path_id: u32, bits: u32, count: usize) -> Self {
        let groups = Arc::clone(&self.groups);
        Self { groups, len: self.len, hidden: Some(Hidden { path_id, bits, count }) }
    }

    /// Returns true if the table does not have an entry that is in its chunks.
    #[inline]
    pub(crate) fn hides(&self, key: K) -> bool {
        self.hidden.is_some_and(|hidden| hidden.has(key))
    }

    /// The entries from a position on, with the hidden ones.
    pub(super) fn stored_from(&self, place: Position) -> TableIter<'_, K> {
        TableIter::starting_at(self, place)
    }
}
