//! Iteration over a table.

use std::slice;
use std::sync::Arc;

use super::chunk::{Chunk, Entries};
use super::hidden::Hidden;
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

    /// Goes on with the chunks of the next group, if those of the last one are done.
    fn enter_group(&mut self) {
        if self.chunks.as_slice().is_empty() {
            if let Some(group) = self.groups.next() {
                self.chunks = group.below.iter();
            }
        }
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

/// Returns true if both have the same attributes, or both none. Routes of one origin mostly share them, so that no comparison
/// is needed.
pub(crate) fn same(a: Option<&Arc<PathAttributes>>, b: Option<&Arc<PathAttributes>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
        _ => false,
    }
}
