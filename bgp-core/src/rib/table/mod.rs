//! [`Table`]: routes in the order of prefixes, in chunks that clones share.
//!
//! Every RIB of this crate except the Loc-RIB consists of it. A clone costs nothing, and a change to a clone copies only one
//! chunk and the list of the chunks around it. So a hundred peers that should have the same million routes share one copy,
//! and the difference between two tables with a common origin is found without reading what they share.
//!
//! `chunk.rs` stores entries, `iter.rs` reads tables, `cursor.rs` skips parts of them, `differences.rs`
//! compares them, and `hidden.rs` leaves entries out.

mod chunk;
mod cursor;
mod differences;
mod hidden;
mod iter;

use std::sync::Arc;

use self::chunk::{CHUNK, Chunk};
use self::hidden::{Hidden, hide_alike};
use crate::rib::key::Key;
use crate::rib::search::count_before;
use crate::wire::PathAttributes;

pub(crate) use self::cursor::Cursor;
pub(crate) use self::differences::{Differences, FirstPathChange, FirstPathChanges, differences};
pub(crate) use self::iter::{TableIter, same};

/// The number of chunks in a full group.
const GROUP: usize = if cfg!(test) { 8 } else { 128 };

/// Path attributes by prefix and path identifier.
#[derive(Clone, Debug)]
pub(crate) struct Table<K: Key> {
    groups: Arc<Vec<Node<K, Group<K>>>>,
    len: usize,
    hidden: Option<Hidden>,
}

/// A run of chunks. It is never empty.
type Group<K> = Vec<Node<K, Chunk<K>>>;

/// A group or a chunk, with the first key in it. It is never empty.
#[derive(Debug)]
struct Node<K, T> {
    first: K,
    below: Arc<T>,
}

impl<K: Copy, T> Clone for Node<K, T> {
    fn clone(&self) -> Self {
        Self { first: self.first, below: Arc::clone(&self.below) }
    }
}

/// The position of an entry.
#[derive(Clone, Copy, Debug)]
struct Position {
    group: usize,
    /// The index of the chunk in its group.
    chunk: usize,
    /// The index of the entry in its chunk.
    at: usize,
}

impl<K: Key> Default for Table<K> {
    fn default() -> Self {
        Self { groups: Arc::default(), len: 0, hidden: None }
    }
}

impl<K: Key> Table<K> {
    pub(crate) fn len(&self) -> usize {
        self.len.saturating_sub(self.hidden.map_or(0, Hidden::count))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if there are no entries, hidden or not.
    pub(crate) fn stores_nothing(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, key: K) -> Option<&Arc<PathAttributes>> {
        if self.hides(key) {
            return None;
        }
        let place = self.find(key).ok()?;
        Some(self.entry(place)?.1)
    }

    /// The path with the lowest identifier to the prefix of `key`.
    pub(crate) fn first_of(&self, key: K) -> Option<(K, &Arc<PathAttributes>)> {
        self.paths(key).next()
    }

    /// All paths to the prefix of `key`.
    pub(crate) fn paths(&self, key: K) -> impl Iterator<Item = (K, &Arc<PathAttributes>)> {
        let (Ok(place) | Err(place)) = self.find(key.with_path_id(0));
        let stored = self.stored_from(place).take_while(move |(found, _)| found.same_prefix(key));
        stored.filter(|(found, _)| !self.hides(*found))
    }

    /// Adds or replaces an entry. Returns the old attributes, if there were any.
    pub(crate) fn insert(
        &mut self,
        key: K,
        attributes: Arc<PathAttributes>,
    ) -> Option<Arc<PathAttributes>> {
        debug_assert!(!self.hides(key), "a hidden entry is not this table's");
        match self.find(key) {
            Ok(place) => self.chunk_mut(place)?.replace(place.at, attributes),
            Err(place) => {
                self.insert_at(place, key, attributes);
                None
            }
        }
    }

    /// Does the same as [`insert`](Self::insert), but shares the attributes of the entry before it if they are equal.
    pub(crate) fn insert_shared(&mut self, key: K, attributes: Arc<PathAttributes>) {
        let (Ok(place) | Err(place)) = self.find(key);
        let before = place.at.checked_sub(1).and_then(|at| self.entry(Position { at, ..place }));
        match before.map(|(_, attributes)| attributes) {
            Some(known) if !Arc::ptr_eq(known, &attributes) && **known == *attributes => {
                let known = Arc::clone(known);
                self.insert(key, known);
            }
            _ => {
                self.insert(key, attributes);
            }
        }
    }

    /// Makes changes in turn: inserts the attributes of a key, or removes the entry, and calls `changed` with what comes with the
    /// change and with the attributes before. A key that is in the same chunk as the one before, and after it, is found without
    /// another search of the table. So many keys in order cost far less than one by one.
    pub(crate) fn change_all<T>(
        &mut self,
        changes: impl Iterator<Item = (K, Option<Arc<PathAttributes>>, T)>,
        mut changed: impl FnMut(K, T, Option<Arc<PathAttributes>>),
    ) {
        let mut changes = changes.peekable();
        while let Some((first, new, _)) = changes.peek() {
            let mut before = *first;
            // A search first, so that a removal of nothing copies no shared chunk.
            if new.is_none() && self.find(before).is_err() {
                let Some((key, _, with)) = changes.next() else { return };
                changed(key, with, None);
                continue;
            }

            let mut is_first = true;
            let mut untidy = None;
            if let Some((place, chunk, end, len)) = self.chunk_of(before) {
                let begin = chunk.key(0);
                while let Some((key, attributes, with)) = changes.next_if(|(key, new, _)| {
                    let is_here = before <= *key && end.is_none_or(|end| *key < end);
                    is_here && (new.is_none() || chunk.has_room_for(*key))
                }) {
                    (before, is_first) = (key, false);
                    let old = match (chunk.find(key), attributes) {
                        (Ok(at), Some(attributes)) => chunk.replace(at, attributes),
                        (Err(at), Some(attributes)) => {
                            chunk.insert(at, key, attributes);
                            *len += 1;
                            None
                        }
                        (Ok(at), None) => {
                            *len -= 1;
                            Some(chunk.remove(at))
                        }
                        (Err(_), None) => None,
                    };
                    changed(key, with, old);
                }
                if chunk.key(0) != begin || chunk.len() < Chunk::<K>::SMALL {
                    untidy = Some(place);
                }
            }
            if let Some(place) = untidy {
                self.tidy(place);
            }

            // There is no room in the chunk, or the key belongs before the first one.
            let Some((key, attributes, with)) = changes.next_if(|_| is_first) else { continue };
            let old = match attributes {
                Some(attributes) => self.insert(key, attributes),
                None => self.remove(key),
            };
            changed(key, with, old);
        }
    }

    /// The chunk that a key is in or belongs to, with its position, if the key does not belong before the first one, the key at
    /// which the next chunk begins, and the number of entries of the table.
    fn chunk_of(&mut self, key: K) -> Option<(Position, &mut Chunk<K>, Option<K>, &mut usize)> {
        let group = last_not_after(&self.groups, key);
        let groups = Arc::make_mut(&mut self.groups);
        let next_group = groups.get(group + 1).map(|group| group.first);

        let chunks = &mut groups.get_mut(group)?.below;
        let at = last_not_after(chunks, key);
        let end = chunks.get(at + 1).map(|chunk| chunk.first).or(next_group);
        let chunk = Arc::make_mut(chunks).get_mut(at).filter(|chunk| chunk.first <= key)?;
        let place = Position { group, chunk: at, at: 0 };
        Some((place, Arc::make_mut(&mut chunk.below), end, &mut self.len))
    }

    /// Follows changes of the first entry of a chunk, and removals.
    fn tidy(&mut self, place: Position) {
        let groups = Arc::make_mut(&mut self.groups);
        if let Some(group) = groups.get_mut(place.group) {
            tidy(Arc::make_mut(&mut group.below), place.chunk);
            tidy(groups, place.group);
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<Arc<PathAttributes>> {
        debug_assert!(!self.hides(key), "a hidden entry is not this table's");
        let place = self.find(key).ok()?;
        let removed = self.chunk_mut(place)?.remove(place.at);
        self.len -= 1;
        self.tidy(place);
        Some(removed)
    }

    /// Removes all paths to the prefix of `key`. Returns true if there was one.
    pub(crate) fn remove_paths(&mut self, key: K) -> bool {
        let mut removed = false;
        while let Some((key, _)) = self.first_of(key) {
            removed |= self.remove(key).is_some();
        }
        removed
    }

    pub(crate) fn iter(&self) -> TableIter<'_, K> {
        TableIter::all(self)
    }

    /// The entries from a key on.
    pub(crate) fn starting_at(&self, key: K) -> TableIter<'_, K> {
        let (Ok(place) | Err(place)) = self.find(key);
        self.stored_from(place).hiding(self.hidden)
    }

    /// The entries with their places, for [`at`](Self::at).
    pub(crate) fn places(&self) -> impl Iterator<Item = (u32, K, &Arc<PathAttributes>)> {
        let groups = self.groups.iter().zip((0_u32..).step_by(GROUP * CHUNK));
        groups.flat_map(|(group, first)| {
            let chunks = group.below.iter().zip((first..).step_by(CHUNK));
            chunks.flat_map(|(chunk, first)| {
                let entries = chunk.below.entries(0).zip(first..);
                let visible = entries.filter(|((key, _), _)| !self.hides(*key));
                visible.map(|((key, attributes), place)| (place, key, attributes))
            })
        })
    }

    /// The place of a key among [`places`](Self::places).
    pub(crate) fn place_of(&self, key: K) -> Option<u32> {
        let found = self.find(key).ok().filter(|_| !self.hides(key));
        found?.place()
    }

    /// The entry at one of [`places`](Self::places). At any other place, it may be a hidden one.
    #[inline]
    pub(crate) fn at(&self, place: u32) -> Option<(K, &Arc<PathAttributes>)> {
        let place = place as usize;
        let (chunk, at) = (place / CHUNK, place % CHUNK);
        self.entry(Position { group: chunk / GROUP, chunk: chunk % GROUP, at })
    }

    /// Returns true if both share all chunks, so that no comparison is needed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.groups, &other.groups) && hide_alike(self.hidden, other.hidden)
    }

    /// Replaces the attributes of each entry by those that `change` returns, or removes the entry. Chunks without a change stay
    /// shared.
    pub(crate) fn filter_map(
        &self,
        mut change: impl FnMut(K, &Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Self {
        let mut change = |key: K, attributes: &Arc<PathAttributes>| {
            if self.hides(key) { None } else { change(key, attributes) }
        };
        let mut mapped = Self::default();
        let mut groups = Vec::with_capacity(self.groups.len());
        for group in self.groups.iter() {
            let chunks = group.below.iter().filter_map(|chunk| {
                let below = chunk
                    .below
                    .filter_map(&mut change)
                    .map_or_else(|| Arc::clone(&chunk.below), Arc::new);
                let first = below.key(0)?;
                mapped.len += below.len();
                Some(Node { first, below })
            });
            let chunks: Vec<_> = chunks.collect();

            let is_shared = chunks.len() == group.below.len()
                && chunks
                    .iter()
                    .zip(group.below.iter())
                    .all(|(a, b)| Arc::ptr_eq(&a.below, &b.below));
            if is_shared {
                groups.push(group.clone());
            } else if let Some(first) = chunks.first().map(|chunk| chunk.first) {
                groups.push(Node { first, below: Arc::new(chunks) });
            }
        }
        mapped.groups = Arc::new(groups);
        mapped
    }

    #[inline]
    fn chunk(&self, place: Position) -> Option<&Chunk<K>> {
        Some(&self.groups.get(place.group)?.below.get(place.chunk)?.below)
    }

    #[inline]
    fn entry(&self, place: Position) -> Option<(K, &Arc<PathAttributes>)> {
        self.chunk(place)?.entry(place.at)
    }

    /// The chunk of a position, copied before if it is shared.
    fn chunk_mut(&mut self, place: Position) -> Option<&mut Chunk<K>> {
        let group = Arc::make_mut(&mut self.groups).get_mut(place.group)?;
        let chunk = Arc::make_mut(&mut group.below).get_mut(place.chunk)?;
        Some(Arc::make_mut(&mut chunk.below))
    }

    /// The position of the entry, or else the position at which to insert it. The latter is never the start of a chunk, except
    /// for the first chunk.
    #[inline]
    fn find(&self, key: K) -> Result<Position, Position> {
        let group = last_not_after(&self.groups, key);
        let chunks = self.groups.get(group).map_or(&[][..], |group| group.below.as_slice());
        let chunk = last_not_after(chunks, key);
        let Some(found) = chunks.get(chunk) else { return Err(Position { group, chunk, at: 0 }) };
        let place = |at| Position { group, chunk, at };
        found.below.find(key).map(place).map_err(place)
    }

    fn insert_at(&mut self, place: Position, key: K, attributes: Arc<PathAttributes>) {
        self.len += 1;
        let groups = Arc::make_mut(&mut self.groups);
        let last_group = place.group + 1 >= groups.len();
        let Some(group) = groups.get_mut(place.group) else {
            let chunk = Chunk::new(key, attributes, 1);
            let chunks = vec![Node { first: key, below: Arc::new(chunk) }];
            groups.push(Node { first: key, below: Arc::new(chunks) });
            return;
        };

        group.first = group.first.min(key);
        let chunks = Arc::make_mut(&mut group.below);
        let last = last_group && place.chunk + 1 >= chunks.len();
        let Some(node) = chunks.get_mut(place.chunk) else { return };
        node.first = node.first.min(key);
        let chunk = Arc::make_mut(&mut node.below);
        if chunk.len() < CHUNK {
            chunk.insert(place.at, key, attributes);
            return;
        }

        // The chunk is full. If the entry is appended in order, the chunk stays full. Otherwise it is split.
        let new = if last && place.at == chunk.len() {
            Chunk::new(key, attributes, CHUNK)
        } else {
            let mut new = chunk.split_off(CHUNK / 2);
            match place.at.checked_sub(chunk.len()) {
                Some(at) if at > 0 => new.insert(at, key, attributes),
                _ => chunk.insert(place.at, key, attributes),
            }
            new
        };
        let Some(first) = new.key(0) else { return };
        chunks.insert(place.chunk + 1, Node { first, below: Arc::new(new) });
        if chunks.len() <= GROUP {
            return;
        }

        // So is the group.
        let new = if last { chunks.split_off(GROUP) } else { chunks.split_off(GROUP / 2) };
        if let Some(first) = new.first().map(|chunk| chunk.first) {
            groups.insert(place.group + 1, Node { first, below: Arc::new(new) });
        }
    }
}

/// The index of the last node that does not begin after a key; 0 if there is none.
#[inline]
fn last_not_after<K: Key, T>(nodes: &[Node<K, T>], key: K) -> usize {
    // A key that is appended in order is found without a search.
    match nodes.last() {
        Some(last) if last.first <= key => nodes.len() - 1,
        _ => count_before(nodes, |node| node.first <= key).saturating_sub(1),
    }
}

/// A run of entries or of chunks that is part of a list.
trait Run<K>: Clone {
    /// The number of elements below which a run is joined with an adjacent one, if both fit into one.
    const SMALL: usize;
    /// The largest number of elements with which a run is joined with a small one.
    const ROOM: usize;

    fn count(&self) -> usize;
    fn first_key(&self) -> Option<K>;
    /// Adds the elements of the run that follows this one.
    fn join(&mut self, next: &Self);
}

impl<K: Key> Run<K> for Chunk<K> {
    const SMALL: usize = CHUNK / 8;
    const ROOM: usize = CHUNK / 2;

    fn count(&self) -> usize {
        self.len()
    }

    fn first_key(&self) -> Option<K> {
        self.key(0)
    }

    fn join(&mut self, next: &Self) {
        self.append(next);
    }
}

impl<K: Key> Run<K> for Group<K> {
    const SMALL: usize = GROUP / 4;
    const ROOM: usize = GROUP / 2;

    fn count(&self) -> usize {
        self.len()
    }

    fn first_key(&self) -> Option<K> {
        Some(self.first()?.first)
    }

    fn join(&mut self, next: &Self) {
        self.extend(next.iter().cloned());
    }
}

/// Follows a removal from a run of the list: removes the run if it is empty, and joins it with the next one or the one before
/// it if it is small and both fit into one.
fn tidy<K: Key, T: Run<K>>(list: &mut Vec<Node<K, T>>, at: usize) {
    let Some(node) = list.get_mut(at) else { return };
    let Some(first) = node.below.first_key() else {
        list.remove(at);
        return;
    };
    node.first = first;
    if node.below.count() >= T::SMALL {
        return;
    }

    let has_room = |at: usize| list.get(at).is_some_and(|node| node.below.count() <= T::ROOM);
    let left = if has_room(at + 1) {
        at
    } else if at > 0 && has_room(at - 1) {
        at - 1
    } else {
        return;
    };
    let right = list.remove(left + 1);
    if let Some(node) = list.get_mut(left) {
        Arc::make_mut(&mut node.below).join(&right.below);
    }
}

/// Tables are equal if their prefixes, identifiers and attributes are.
impl<K: Key> PartialEq for Table<K> {
    fn eq(&self, other: &Self) -> bool {
        let mut is_equal = self.len() == other.len();
        if is_equal {
            differences(self, other, |_, _| {
                is_equal = false;
                false
            });
        }
        is_equal
    }
}

impl<K: Key> Eq for Table<K> {}

#[cfg(test)]
mod tests;
