//! Where two tables differ, without a look at the groups and chunks that they share.
//!
//! The walk goes over stored entries, hidden ones included, so that it meets shared chunks in step whatever a table hides.

use std::cmp::Ordering;
use std::sync::Arc;

use super::cursor::Cursor;
use super::hidden::hide_alike;
use super::{Position, Table, same};
use crate::rib::key::Key;
use crate::wire::PathAttributes;

/// The attributes of a key before and after a change.
pub(crate) type AttributesChange<'a> =
    (Option<&'a Arc<PathAttributes>>, Option<&'a Arc<PathAttributes>>);

/// Calls `each` for every key at which the tables differ, in order, until it returns false.
pub(crate) fn differences<'a, K: Key>(
    old: &'a Table<K>,
    new: &'a Table<K>,
    mut each: impl FnMut(K, AttributesChange<'a>) -> bool,
) {
    for (key, change) in Differences::new(old, new) {
        if !each(key, change) {
            return;
        }
    }
}

/// An iterator over the keys at which two tables differ, in order. Two tables with a common origin are compared in proportion to
/// what has changed.
#[derive(Clone, Debug)]
pub(crate) struct Differences<'a, K: Key> {
    walk: Walk<'a, K>,
}

impl<'a, K: Key> Differences<'a, K> {
    pub(crate) fn new(old: &'a Table<K>, new: &'a Table<K>) -> Self {
        Self { walk: Walk::new(old, new) }
    }
}

impl<'a, K: Key> Iterator for Differences<'a, K> {
    type Item = (K, AttributesChange<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.walk.skip();
            let Step { key, old, new } = self.walk.next()?;
            let new = new.map(|(attributes, _)| attributes);
            if !same(old, new) {
                return Some((key, (old, new)));
            }
        }
    }
}

/// A prefix whose first path differs between two tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FirstPathChange<'a, K> {
    /// The prefix, with the path identifier 0.
    pub(crate) key: K,
    /// The attributes of the old path.
    pub(crate) old: Option<&'a Arc<PathAttributes>>,
    /// Those of the new one, and its [place](Table::places).
    pub(crate) new: Option<(&'a Arc<PathAttributes>, u32)>,
}

/// An iterator over the prefixes whose first paths differ between two tables, in order.
#[derive(Clone, Debug)]
pub(crate) struct FirstPathChanges<'a, K: Key> {
    walk: Walk<'a, K>,
    last: Option<K>,
}

impl<'a, K: Key> FirstPathChanges<'a, K> {
    pub(crate) fn new(old: &'a Table<K>, new: &'a Table<K>) -> Self {
        Self { walk: Walk::new(old, new), last: None }
    }
}

impl<'a, K: Key> Iterator for FirstPathChanges<'a, K> {
    type Item = FirstPathChange<'a, K>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.walk.skip();
            let has_path_before = self.walk.is_next_within_prefix();
            let Step { key, old, new } = self.walk.next()?;
            let first = key.with_path_id(0);
            if self.last.replace(first) == Some(first) {
                continue;
            }

            let change = if has_path_before || self.walk.is_at_prefix(key) {
                self.walk.search_first_paths(first)
            } else {
                let new = new.and_then(|(it, position)| Some((it, position.place()?)));
                FirstPathChange { key: first, old, new }
            };
            if !same(change.old, change.new.map(|(attributes, _)| attributes)) {
                return Some(change);
            }
        }
    }
}

/// A key that one of the tables has in a chunk that they do not share.
pub(super) struct Step<'a, K> {
    key: K,
    old: Option<&'a Arc<PathAttributes>>,
    new: Option<(&'a Arc<PathAttributes>, Position)>,
}

/// A walk over the stored keys of two tables, in order, past most of those that have the same attributes in both.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a, K: Key> {
    old: Cursor<'a, K>,
    new: Cursor<'a, K>,
    /// True if the entries of shared chunks are the same, because the tables hide the same ones.
    hide_alike: bool,
}

impl<'a, K: Key> Walk<'a, K> {
    pub(super) fn new(old: &'a Table<K>, new: &'a Table<K>) -> Self {
        let hide_alike = hide_alike(old.hidden, new.hidden);
        let (mut old, mut new) = (Cursor::start(old), Cursor::start(new));
        if old.table.is_same(new.table) {
            old.end();
            new.end();
        }
        Self { old, new, hide_alike }
    }

    /// The next key. Without a call of [`skip`](Self::skip) before it, it may be one that both tables share.
    pub(super) fn next(&mut self) -> Option<Step<'a, K>> {
        let order = match (self.old.key(), self.new.key()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.cmp(&new),
        };

        let position = self.new.position;
        let old = if order.is_le() { self.old.take() } else { None };
        let new = if order.is_ge() { self.new.take() } else { None };
        let (key, _) = new.or(old)?;

        let visible = |table: &Table<K>, entry: Option<(K, &'a Arc<PathAttributes>)>| {
            entry.filter(|(key, _)| !table.hides(*key)).map(|(_, attributes)| attributes)
        };
        Some(Step {
            key,
            old: visible(self.old.table, old),
            new: visible(self.new.table, new).map(|attributes| (attributes, position)),
        })
    }

    /// Skips what both tables share.
    pub(super) fn skip(&mut self) {
        if !self.hide_alike {
            return;
        }
        let (old, new) = (&mut self.old, &mut self.new);
        while old.skip_shared_node(new) || old.skip_common_entries(new) {}
    }

    /// Returns true if the entry before the next one is a path to the same prefix.
    fn is_next_within_prefix(&self) -> bool {
        let key = match (self.old.key(), self.new.key()) {
            (Some(old), Some(new)) => old.min(new),
            (Some(key), None) | (None, Some(key)) => key,
            (None, None) => return false,
        };
        let is_same = |before: Option<K>| before.is_some_and(|before| before.same_prefix(key));
        is_same(self.old.key_before()) || is_same(self.new.key_before())
    }

    /// Returns true if the next entry of a table is a path to the prefix of this key.
    fn is_at_prefix(&self, key: K) -> bool {
        let is_same = |next: Option<K>| next.is_some_and(|next| next.same_prefix(key));
        is_same(self.old.key()) || is_same(self.new.key())
    }

    /// The first paths to a prefix in both tables, by a search.
    fn search_first_paths(&self, key: K) -> FirstPathChange<'a, K> {
        let old = self.old.table.first_of(key).map(|(_, attributes)| attributes);
        let new = self.new.table.first_of(key);
        let new = new.and_then(|(key, it)| Some((it, self.new.table.place_of(key)?)));
        FirstPathChange { key, old, new }
    }
}
