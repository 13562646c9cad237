//! [`Table`]: routes in the order of prefixes, in chunks that clones share.
//!
//! Every RIB of this crate except the Loc-RIB consists of it. A clone costs nothing, and a change to a clone copies only one
//! chunk. So a hundred peers that should have the same million routes share one copy, and the difference between two
//! tables with a common origin is found without reading the chunks that they share.

use std::sync::Arc;

use crate::rib::key::Key;
use crate::wire::PathAttributes;

/// The number of routes in a full chunk: few enough that moving them on an insertion is cheap, many enough that the list of
/// chunks is short.
const CHUNK: usize = 256;
/// The number of routes below which a chunk is joined with an adjacent one, if both fit into one.
const SMALL: usize = CHUNK / 8;

/// Path attributes by prefix and path identifier.
#[derive(Clone, Debug)]
pub(crate) struct Table<K> {
    chunks: Arc<Vec<Chunk<K>>>,
    len: usize,
}

/// A run of entries. It is never empty.
#[derive(Clone, Debug)]
struct Chunk<K> {
    first: K,
    entries: Arc<Vec<Entry<K>>>,
}

#[derive(Clone, Debug)]
struct Entry<K> {
    key: K,
    attributes: Arc<PathAttributes>,
}

/// The position of an entry: the index of its chunk, and its index there.
type Position = (usize, usize);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0 }
    }
}

impl<K: Key> Table<K> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn get(&self, key: K) -> Option<&Arc<PathAttributes>> {
        let (chunk, at) = self.find(key).ok()?;
        Some(&self.entry((chunk, at))?.attributes)
    }

    /// The path with the lowest identifier to the prefix of `key`.
    pub(crate) fn first_of(&self, key: K) -> Option<(K, &Arc<PathAttributes>)> {
        self.paths(key).next()
    }

    /// All paths to the prefix of `key`.
    pub(crate) fn paths(&self, key: K) -> impl Iterator<Item = (K, &Arc<PathAttributes>)> {
        let from = match self.find(key.with_path_id(0)) {
            Ok(place) | Err(place) => place,
        };
        self.iter_from(from).take_while(move |(found, _)| found.same_prefix(key))
    }

    /// Adds or replaces an entry. Returns the old attributes, if there were any.
    pub(crate) fn insert(
        &mut self,
        key: K,
        attributes: Arc<PathAttributes>,
    ) -> Option<Arc<PathAttributes>> {
        match self.find(key) {
            Ok(place) => {
                let entry = self.entry_mut(place)?;
                Some(std::mem::replace(&mut entry.attributes, attributes))
            }
            Err(place) => {
                self.insert_at(place, Entry { key, attributes });
                None
            }
        }
    }

    /// Does the same as [`insert`](Self::insert), but shares the attributes of the entry before it if they are equal.
    pub(crate) fn insert_shared(&mut self, key: K, attributes: Arc<PathAttributes>) {
        let (Ok(place) | Err(place)) = self.find(key);
        let before = place.1.checked_sub(1).and_then(|at| self.entry((place.0, at)));
        match before.map(|entry| &entry.attributes) {
            Some(known) if !Arc::ptr_eq(known, &attributes) && **known == *attributes => {
                let known = Arc::clone(known);
                self.insert(key, known);
            }
            _ => {
                self.insert(key, attributes);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<Arc<PathAttributes>> {
        let (chunk, at) = self.find(key).ok()?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let found = chunks.get_mut(chunk)?;
        let entries = Arc::make_mut(&mut found.entries);
        let removed = entries.remove(at);
        self.len -= 1;

        match entries.first() {
            None => {
                chunks.remove(chunk);
            }
            Some(first) => {
                found.first = first.key;
                if entries.len() < SMALL {
                    join(chunks, chunk);
                }
            }
        }
        Some(removed.attributes)
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
        self.iter_from((0, 0))
    }

    /// The entries from a key on.
    pub(crate) fn starting_at(&self, key: K) -> TableIter<'_, K> {
        let (Ok(place) | Err(place)) = self.find(key);
        self.iter_from(place)
    }

    /// The number of entries from one key up to another, which is not counted. The cost grows with the distance.
    pub(crate) fn distance(&self, from: K, to: K) -> usize {
        let (Ok(from) | Err(from)) = self.find(from);
        let (Ok(to) | Err(to)) = self.find(to);
        let chunks = self.chunks.get(from.0..to.0).unwrap_or_default();
        let between: usize = chunks.iter().map(|chunk| chunk.entries.len()).sum();
        (between + to.1).saturating_sub(from.1)
    }

    /// The key of the entry that is this number of places before a key, or of the first entry.
    pub(crate) fn step_back(&self, key: K, places: usize) -> Option<K> {
        let (Ok((mut chunk, mut at)) | Err((mut chunk, mut at))) = self.find(key);
        let mut left = places;
        while left > at && chunk > 0 {
            left -= at;
            chunk -= 1;
            at = self.chunks.get(chunk)?.entries.len();
        }
        Some(self.entry((chunk, at.saturating_sub(left)))?.key)
    }

    /// The entries with their places, for [`at`](Self::at).
    pub(crate) fn places(&self) -> impl Iterator<Item = (u32, K, &Arc<PathAttributes>)> {
        self.chunks.iter().zip((0_u32..).step_by(CHUNK)).flat_map(|(chunk, first)| {
            let entries = chunk.entries.iter().zip(first..);
            entries.map(|(entry, place)| (place, entry.key, &entry.attributes))
        })
    }

    /// The entry at one of [`places`](Self::places).
    #[inline]
    pub(crate) fn at(&self, place: u32) -> Option<(K, &Arc<PathAttributes>)> {
        let place = place as usize;
        let entry = self.entry((place / CHUNK, place % CHUNK))?;
        Some((entry.key, &entry.attributes))
    }

    /// Returns true if both share all chunks, so that no comparison is needed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
    }

    /// Replaces the attributes of each entry by those that `change` returns, or removes the entry. Chunks without a change stay
    /// shared.
    pub(crate) fn filter_map(
        &self,
        mut change: impl FnMut(K, &Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Self {
        let mut mapped = Self::default();
        for chunk in self.chunks.iter() {
            let mut entries = Vec::with_capacity(chunk.entries.len());
            let mut is_changed = false;
            for Entry { key, attributes } in chunk.entries.iter() {
                let new = change(*key, attributes);
                is_changed |= !new.as_ref().is_some_and(|new| Arc::ptr_eq(new, attributes));
                entries.extend(new.map(|attributes| Entry { key: *key, attributes }));
            }

            if is_changed {
                entries.shrink_to_fit();
                mapped.push_chunk(Arc::new(entries));
            } else {
                mapped.push_chunk(Arc::clone(&chunk.entries));
            }
        }
        mapped
    }

    fn push_chunk(&mut self, entries: Arc<Vec<Entry<K>>>) {
        if let Some(first) = entries.first().map(|entry| entry.key) {
            self.len += entries.len();
            Arc::make_mut(&mut self.chunks).push(Chunk { first, entries });
        }
    }

    /// The entries from this position on.
    fn iter_from(&self, (chunk, at): Position) -> TableIter<'_, K> {
        let mut chunks = self.chunks.get(chunk..).unwrap_or_default().iter();
        let entries = chunks.next().and_then(|chunk| chunk.entries.get(at..)).unwrap_or_default();
        TableIter { chunks, entries: entries.iter() }
    }

    #[inline]
    fn entry(&self, (chunk, at): Position) -> Option<&Entry<K>> {
        self.chunks.get(chunk)?.entries.get(at)
    }

    fn entry_mut(&mut self, (chunk, at): Position) -> Option<&mut Entry<K>> {
        let chunk = Arc::make_mut(&mut self.chunks).get_mut(chunk)?;
        Arc::make_mut(&mut chunk.entries).get_mut(at)
    }

    /// The position of the entry, or else the position at which to insert it. The latter is never the start of a chunk, except
    /// for the first chunk.
    fn find(&self, key: K) -> Result<Position, Position> {
        // A key that is appended in order is found without a search.
        let chunk = match self.chunks.last() {
            Some(last) if last.first <= key => self.chunks.len() - 1,
            _ => self.chunks.partition_point(|chunk| chunk.first <= key).saturating_sub(1),
        };

        let entries = self.chunks.get(chunk).map_or(&[][..], |chunk| chunk.entries.as_slice());
        if entries.last().is_some_and(|last| last.key < key) {
            return Err((chunk, entries.len()));
        }
        entries
            .binary_search_by(|entry| entry.key.cmp(&key))
            .map(|at| (chunk, at))
            .map_err(|at| (chunk, at))
    }

    fn insert_at(&mut self, (chunk, at): Position, entry: Entry<K>) {
        self.len += 1;
        let chunks = Arc::make_mut(&mut self.chunks);
        let last = chunk + 1 >= chunks.len();
        let Some(found) = chunks.get_mut(chunk) else {
            chunks.push(Chunk { first: entry.key, entries: Arc::new(vec![entry]) });
            return;
        };

        let key = entry.key;
        let entries = Arc::make_mut(&mut found.entries);
        if entries.len() < CHUNK {
            entries.insert(at, entry);
            found.first = found.first.min(key);
            return;
        }

        // The chunk is full. If the entry is appended in order, the chunk stays full. Otherwise it is split.
        let new = if last && at == entries.len() {
            let mut new = Vec::with_capacity(CHUNK);
            new.push(entry);
            new
        } else {
            let mut new = entries.split_off(CHUNK / 2);
            match at.checked_sub(entries.len()) {
                Some(at) if at > 0 => new.insert(at, entry),
                _ => entries.insert(at, entry),
            }
            found.first = found.first.min(key);
            new
        };

        if let Some(first) = new.first().map(|entry| entry.key) {
            chunks.insert(chunk + 1, Chunk { first, entries: Arc::new(new) });
        }
    }
}

/// Joins a small chunk with the next one, or with the one before it, if both fit into one.
fn join<K: Key>(chunks: &mut Vec<Chunk<K>>, small: usize) {
    let left = if has_room(chunks.get(small + 1)) {
        small
    } else if small > 0 && has_room(chunks.get(small - 1)) {
        small - 1
    } else {
        return;
    };

    let right = chunks.remove(left + 1);
    if let Some(chunk) = chunks.get_mut(left) {
        Arc::make_mut(&mut chunk.entries).extend(right.entries.iter().cloned());
    }
}

/// Returns true if a small chunk can be joined with this one.
fn has_room<K>(chunk: Option<&Chunk<K>>) -> bool {
    chunk.is_some_and(|chunk| chunk.entries.len() <= CHUNK / 2)
}

/// Tables are equal if their prefixes, identifiers and attributes are.
impl<K: Key> PartialEq for Table<K> {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || (self.len == other.len && self.iter().eq(other.iter()))
    }
}

impl<K: Key> Eq for Table<K> {}

/// An iterator over the entries, in order.
#[derive(Clone, Debug)]
pub(crate) struct TableIter<'a, K> {
    chunks: std::slice::Iter<'a, Chunk<K>>,
    entries: std::slice::Iter<'a, Entry<K>>,
}

impl<K> Default for TableIter<'_, K> {
    fn default() -> Self {
        Self { chunks: [].iter(), entries: [].iter() }
    }
}

impl<K: Key> TableIter<'_, K> {
    /// Skips a whole chunk that both tables share, if both iterators are at the start of it. Returns true if it did.
    fn skip_shared(&mut self, other: &mut Self) -> bool {
        if !self.entries.as_slice().is_empty() || !other.entries.as_slice().is_empty() {
            return false;
        }
        match (self.chunks.as_slice().first(), other.chunks.as_slice().first()) {
            (Some(a), Some(b)) if Arc::ptr_eq(&a.entries, &b.entries) => {
                self.chunks.next();
                other.chunks.next();
                true
            }
            _ => false,
        }
    }

    fn peek(&self) -> Option<K> {
        match self.entries.as_slice().first() {
            Some(entry) => Some(entry.key),
            None => self.chunks.as_slice().first().map(|chunk| chunk.first),
        }
    }
}

impl<'a, K: Copy> Iterator for TableIter<'a, K> {
    type Item = (K, &'a Arc<PathAttributes>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some((entry.key, &entry.attributes));
            }
            self.entries = self.chunks.next()?.entries.iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest: usize = self.chunks.clone().map(|chunk| chunk.entries.len()).sum();
        let all = self.entries.len() + rest;
        (all, Some(all))
    }
}

/// The attributes of a key before and after a change.
pub(crate) type AttributesChange<'a> =
    (Option<&'a Arc<PathAttributes>>, Option<&'a Arc<PathAttributes>>);

/// Calls `each` for every key at which the tables differ, in order, until it returns false. Shared chunks are skipped.
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

/// An iterator over the keys at which two tables differ, in order. Shared chunks are skipped.
#[derive(Clone, Debug)]
pub(crate) struct Differences<'a, K> {
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

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
