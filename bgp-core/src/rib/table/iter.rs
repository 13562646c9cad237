//! Iteration over a table, and the differences between two tables without a look at what they share.

use std::slice;
use std::sync::Arc;

use super::chunk::{Chunk, Entries};
use super::hidden::{Hidden, hide_alike};
use super::{Group, Node, Position, Table};
use crate::rib::key::Key;
use crate::wire::PathAttributes;

/// An iterator over the entries, in order.
#[derive(Clone, Debug)]
pub(crate) struct TableIter<'a, K: Key> {
    groups: slice::Iter<'a, Node<K, Group<K>>>,
    chunks: slice::Iter<'a, Node<K, Chunk<K>>>,
    entries: Entries<'a, K>,
    /// The most entries that are left, and the least ones if `is_exact`. Counting those from a key on would take a look at all
    /// chunks.
    left: usize,
    is_exact: bool,
    hidden: Option<Hidden>,
}

impl<K: Key> Default for TableIter<'_, K> {
    fn default() -> Self {
        Self {
            groups: [].iter(),
            chunks: [].iter(),
            entries: Entries::default(),
            left: 0,
            is_exact: true,
            hidden: None,
        }
    }
}

impl<'a, K: Key> TableIter<'a, K> {
    /// All entries of a table but the hidden ones.
    pub(super) fn all(table: &'a Table<K>) -> Self {
        let groups = table.groups.iter();
        Self { groups, left: table.len(), hidden: table.hidden, ..Self::default() }
    }

    /// The same entries without the hidden ones.
    pub(super) fn hiding(self, hidden: Option<Hidden>) -> Self {
        Self { hidden, ..self }
    }

    /// The entries of a table from a position on, also the hidden ones.
    pub(super) fn starting_at(table: &'a Table<K>, place: Position) -> Self {
        let mut groups = table.groups.get(place.group..).unwrap_or_default().iter();
        let chunks = groups.next().and_then(|group| group.below.get(place.chunk..));
        let mut chunks = chunks.unwrap_or_default().iter();
        let entries = chunks.next().map(|chunk| chunk.below.entries(place.at)).unwrap_or_default();
        Self { groups, chunks, entries, left: table.len, is_exact: false, hidden: None }
    }

    /// Skips a whole group or chunk that both tables share, if both iterators are at the start of it. Returns true if it did. The
    /// size hints do not follow.
    fn skip_shared(&mut self, other: &mut Self) -> bool {
        let is_at_start = self.entries.is_empty() && other.entries.is_empty();
        if !is_at_start || !hide_alike(self.hidden, other.hidden) {
            return false;
        }
        if self.chunks.as_slice().is_empty() && other.chunks.as_slice().is_empty() {
            let shared = is_same(self.groups.as_slice(), other.groups.as_slice());
            if shared {
                self.groups.next();
                other.groups.next();
                return true;
            }
        }

        self.enter_group();
        other.enter_group();
        let shared = is_same(self.chunks.as_slice(), other.chunks.as_slice());
        if shared {
            self.chunks.next();
            other.chunks.next();
        }
        shared
    }

    /// Goes on with the chunks of the next group, if those of the last one are done.
    fn enter_group(&mut self) {
        if self.chunks.as_slice().is_empty() {
            if let Some(group) = self.groups.next() {
                self.chunks = group.below.iter();
            }
        }
    }

    /// The key of the next entry, after hidden ones before it.
    fn peek(&mut self) -> Option<K> {
        if let Some(hidden) = self.hidden {
            while self.peek_stored().is_some_and(|key| hidden.has(key)) {
                self.advance();
            }
        }
        self.peek_stored()
    }

    /// The next entry, hidden or not.
    #[inline]
    fn advance(&mut self) -> Option<(K, &'a Arc<PathAttributes>)> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(entry);
            }
            self.enter_group();
            self.entries = self.chunks.next()?.below.entries(0);
        }
    }

    fn peek_stored(&self) -> Option<K> {
        let chunk = || self.chunks.as_slice().first().map(|chunk| chunk.first);
        let group = || self.groups.as_slice().first().map(|group| group.first);
        self.entries.peek().or_else(chunk).or_else(group)
    }
}

impl<'a, K: Key> Iterator for TableIter<'a, K> {
    type Item = (K, &'a Arc<PathAttributes>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = self.advance()?;
            if !self.hidden.is_some_and(|hidden| hidden.has(entry.0)) {
                self.left = self.left.saturating_sub(1);
                return Some(entry);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let least = match self.hidden {
            _ if self.is_exact => self.left,
            None => self.entries.size_hint().0,
            Some(_) => 0,
        };
        (least, Some(self.left))
    }
}

/// Returns true if both begin with the same group or chunk.
fn is_same<K, T>(a: &[Node<K, T>], b: &[Node<K, T>]) -> bool {
    match (a.first(), b.first()) {
        (Some(a), Some(b)) => Arc::ptr_eq(&a.below, &b.below),
        _ => false,
    }
}

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

/// An iterator over the keys at which two tables differ, in order. Shared groups and chunks are skipped, so that two tables with
/// a common origin are compared in proportion to what has changed.
#[derive(Clone, Debug)]
pub(crate) struct Differences<'a, K: Key> {
    old: TableIter<'a, K>,
    new: TableIter<'a, K>,
}

impl<'a, K: Key> Differences<'a, K> {
    pub(crate) fn new(old: &'a Table<K>, new: &'a Table<K>) -> Self {
        if old.is_same(new) {
            return Self { old: TableIter::default(), new: TableIter::default() };
        }
        Self { old: old.iter(), new: new.iter() }
    }
}

impl<'a, K: Key> Iterator for Differences<'a, K> {
    type Item = (K, AttributesChange<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let Self { old, new } = self;
        loop {
            while old.skip_shared(new) {}

            let (key, change) = match (old.peek(), new.peek()) {
                (None, None) => return None,
                (Some(key), None) => (key, (old.next(), None)),
                (None, Some(key)) => (key, (None, new.next())),
                (Some(a), Some(b)) if a < b => (a, (old.next(), None)),
                (Some(a), Some(b)) if b < a => (b, (None, new.next())),
                (Some(key), Some(_)) => (key, (old.next(), new.next())),
            };
            let before = change.0.map(|(_, attributes)| attributes);
            let after = change.1.map(|(_, attributes)| attributes);

            if !same(before, after) {
                return Some((key, (before, after)));
            }
        }
    }
}

/// Returns true if both have the same attributes, or both none. Routes of one origin mostly share them, so that no comparison
/// is needed.
pub(crate) fn same(a: Option<&Arc<PathAttributes>>, b: Option<&Arc<PathAttributes>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
        _ => false,
    }
}
