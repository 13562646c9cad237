//! [`Cursor`]: a place in a table, from which it is read on, skipped in part, and compared with another one.

use std::sync::Arc;

use super::chunk::{CHUNK, Chunk};
use super::{GROUP, Node, Position, Table};
use crate::rib::key::Key;
use crate::wire::PathAttributes;

/// A place in a table, from which it is read on. It meets hidden entries too.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a, K: Key> {
    pub(super) table: &'a Table<K>,
    pub(super) position: Position,
    /// The chunk at the position, if an entry of it has been read.
    chunk: Option<&'a Chunk<K>>,
}

impl<'a, K: Key> Cursor<'a, K> {
    pub(crate) fn start(table: &'a Table<K>) -> Self {
        Self { table, position: Position { group: 0, chunk: 0, at: 0 }, chunk: None }
    }

    pub(crate) fn table(&self) -> &'a Table<K> {
        self.table
    }

    /// Moves behind the last entry.
    pub(super) fn end(&mut self) {
        self.position = Position { group: self.table.groups.len(), chunk: 0, at: 0 };
        self.chunk = None;
    }

    fn chunks(&self) -> &'a [Node<K, Chunk<K>>] {
        self.table.groups.get(self.position.group).map_or(&[], |group| group.below.as_slice())
    }

    /// The key of the next entry. The first one of a chunk is known without a look into it.
    #[inline]
    pub(crate) fn key(&self) -> Option<K> {
        match self.chunk {
            Some(chunk) => chunk.key(self.position.at),
            None => Some(self.chunks().get(self.position.chunk)?.first),
        }
    }

    /// The key of the entry before the next one.
    pub(super) fn key_before(&self) -> Option<K> {
        let Position { group, chunk, at } = self.position;
        let before = match (at.checked_sub(1), chunk.checked_sub(1)) {
            (Some(at), _) => Position { at, ..self.position },
            (None, Some(chunk)) => Position { group, chunk, at: CHUNK },
            (None, None) => {
                let group = group.checked_sub(1)?;
                let chunk = self.table.groups.get(group)?.below.len().checked_sub(1)?;
                Position { group, chunk, at: CHUNK }
            }
        };
        let chunk = self.table.chunk(before)?;
        chunk.key(before.at.min(chunk.len().checked_sub(1)?))
    }

    /// The next entry, behind which the cursor moves.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<(K, &'a Arc<PathAttributes>)> {
        let chunk = self.open()?;
        let entry = chunk.entry(self.position.at);
        self.advance(chunk, 1);
        entry
    }

    fn open(&mut self) -> Option<&'a Chunk<K>> {
        if self.chunk.is_none() {
            self.chunk = Some(&self.chunks().get(self.position.chunk)?.below);
        }
        self.chunk
    }

    /// Moves on by some entries of the open chunk.
    #[inline]
    fn advance(&mut self, chunk: &Chunk<K>, count: usize) {
        self.position.at += count;
        if self.position.at >= chunk.len() {
            self.next_chunk();
        }
    }

    fn next_chunk(&mut self) {
        self.chunk = None;
        self.position.at = 0;
        self.position.chunk += 1;
        if self.position.chunk >= self.chunks().len() {
            self.position.chunk = 0;
            self.position.group += 1;
        }
    }

    /// Moves on to the first entry whose key is at least this one. The cost grows with the number of chunks that are skipped.
    pub(crate) fn seek(&mut self, key: K) {
        while let Some(next) = self.first_of_next_chunk().filter(|next| *next <= key) {
            self.next_chunk();
            if next == key {
                return;
            }
        }

        let Some(chunk) = self.open() else { return };
        let (Ok(at) | Err(at)) = chunk.find(key);
        self.advance(chunk, at.saturating_sub(self.position.at));
    }

    fn first_of_next_chunk(&self) -> Option<K> {
        let Position { group, chunk, .. } = self.position;
        let next = self.chunks().get(chunk + 1).map(|node| node.first);
        next.or_else(|| Some(self.table.groups.get(group + 1)?.first))
    }

    /// Skips a whole group or chunk that both tables share, if both cursors are at the start of it. Returns true if it did.
    pub(super) fn skip_shared_node(&mut self, other: &mut Self) -> bool {
        if self.chunk.is_some() || other.chunk.is_some() {
            return false;
        }
        let group = |cursor: &Self| cursor.table.groups.get(cursor.position.group);
        let (Some(own), Some(others)) = (group(self), group(other)) else { return false };

        if (self.position.chunk, other.position.chunk) == (0, 0)
            && Arc::ptr_eq(&own.below, &others.below)
        {
            self.position.group += 1;
            other.position.group += 1;
            return true;
        }

        let chunk = own.below.get(self.position.chunk);
        let is_shared = match (chunk, others.below.get(other.position.chunk)) {
            (Some(own), Some(others)) => Arc::ptr_eq(&own.below, &others.below),
            _ => false,
        };
        if is_shared {
            self.next_chunk();
            other.next_chunk();
        }
        is_shared
    }

    /// Skips the entries that are the same in the chunks at both cursors. Returns true if a cursor is now at the end of its
    /// chunk.
    pub(super) fn skip_common_entries(&mut self, other: &mut Self) -> bool {
        if self.key() != other.key() {
            return false;
        }
        let (Some(own), Some(others)) = (self.open(), other.open()) else { return false };
        let count = own.common(self.position.at, others, other.position.at);
        self.advance(own, count);
        other.advance(others, count);
        self.chunk.is_none() || other.chunk.is_none()
    }
}

impl Position {
    /// The number of this position among [`Table::places`].
    pub(super) fn place(self) -> Option<u32> {
        u32::try_from((self.group * GROUP + self.chunk) * CHUNK + self.at).ok()
    }
}
