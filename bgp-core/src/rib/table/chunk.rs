//! [`Chunk`]: a run of a table's entries, in order.
//!
//! Owns the compact form of entries. The routes of a session without ADD-PATH all have the same path identifier, which is
//! stored once. An entry is then as small as a prefix and a pointer.

use std::slice;
use std::sync::Arc;

use crate::rib::key::Key;
use crate::rib::search::count_before;
use crate::wire::PathAttributes;

/// The number of entries in a full chunk: few enough that moving them on an insertion is cheap, many enough that the list of
/// chunks is short.
pub(super) const CHUNK: usize = if cfg!(test) { 16 } else { 128 };
/// The number of entries by which a chunk grows. Routes that come in no order leave chunks partly filled, so a chunk is not
/// allocated for more entries than it has soon.
const STEP: usize = CHUNK / 8;

/// Entries with distinct keys, in the order of keys.
#[derive(Clone, Debug)]
pub(super) struct Chunk<K: Key> {
    routes: Vec<(K::Bare, Arc<PathAttributes>)>,
    path_ids: PathIds,
}

/// The path identifiers of the entries of a chunk.
#[derive(Clone, Debug)]
enum PathIds {
    /// All entries have this one.
    Same(u32),
    /// As many as there are entries.
    Each(Vec<u32>),
}

impl<K: Key> Chunk<K> {
    /// A chunk with one entry, with room for `capacity` ones.
    pub(super) fn new(key: K, attributes: Arc<PathAttributes>, capacity: usize) -> Self {
        let mut routes = Vec::with_capacity(capacity);
        routes.push((key.bare(), attributes));
        Self { routes, path_ids: PathIds::Same(key.path_id()) }
    }

    pub(super) fn len(&self) -> usize {
        self.routes.len()
    }

    /// The key of an entry.
    #[inline]
    pub(super) fn key(&self, at: usize) -> Option<K> {
        Some(self.entry(at)?.0)
    }

    #[inline]
    pub(super) fn entry(&self, at: usize) -> Option<(K, &Arc<PathAttributes>)> {
        let (prefix, attributes) = self.routes.get(at)?;
        let path_id = match &self.path_ids {
            PathIds::Same(path_id) => *path_id,
            PathIds::Each(path_ids) => *path_ids.get(at)?,
        };
        Some((K::from_bare(*prefix, path_id), attributes))
    }

    /// The index of the entry, or else the index at which to insert it.
    #[inline]
    pub(super) fn find(&self, key: K) -> Result<usize, usize> {
        let (prefix, path_id) = (key.bare(), key.path_id());
        // A key that is appended in order is found without a search.
        if self.routes.last().is_some_and(|(last, _)| *last < prefix) {
            return Err(self.routes.len());
        }
        let first = count_before(&self.routes, |(other, _)| *other < prefix);
        match &self.path_ids {
            PathIds::Same(same) => match self.routes.get(first) {
                Some((other, _)) if *other == prefix => match same.cmp(&path_id) {
                    std::cmp::Ordering::Less => Err(first + 1),
                    std::cmp::Ordering::Equal => Ok(first),
                    std::cmp::Ordering::Greater => Err(first),
                },
                _ => Err(first),
            },
            PathIds::Each(path_ids) => {
                let paths = self.routes.get(first..).unwrap_or_default();
                let count = paths.partition_point(|(other, _)| *other == prefix);
                let path_ids = path_ids.get(first..first + count).unwrap_or_default();
                let found = path_ids.binary_search(&path_id);
                found.map(|at| first + at).map_err(|at| first + at)
            }
        }
    }

    /// The number of entries from an index on that another chunk has too, in the same order from another index on. Entries count
    /// that share their attributes. It may return less than there are, if the path identifiers are not all the same.
    pub(super) fn common(&self, at: usize, other: &Self, other_at: usize) -> usize {
        match (&self.path_ids, &other.path_ids) {
            (PathIds::Same(own), PathIds::Same(other)) if own == other => {}
            _ => return 0,
        }
        let own = self.routes.get(at..).unwrap_or_default();
        let others = other.routes.get(other_at..).unwrap_or_default();
        let pairs = own.iter().zip(others);
        pairs.take_while(|(own, other)| own.0 == other.0 && Arc::ptr_eq(&own.1, &other.1)).count()
    }

    /// Inserts an entry at the index that [`find`](Self::find) returned.
    pub(super) fn insert(&mut self, at: usize, key: K, attributes: Arc<PathAttributes>) {
        let path_id = key.path_id();
        if let PathIds::Same(same) = self.path_ids {
            if same != path_id {
                self.path_ids = PathIds::Each(vec![same; self.routes.len()]);
            }
        }
        if let PathIds::Each(path_ids) = &mut self.path_ids {
            make_room(path_ids);
            path_ids.insert(at, path_id);
        }
        make_room(&mut self.routes);
        self.routes.insert(at, (key.bare(), attributes));
    }

    /// Returns true if a key can be inserted or replaced.
    pub(super) fn has_room_for(&self, key: K) -> bool {
        self.len() < CHUNK || self.find(key).is_ok()
    }

    /// Replaces the attributes of an entry, and returns the old ones.
    pub(super) fn replace(
        &mut self,
        at: usize,
        attributes: Arc<PathAttributes>,
    ) -> Option<Arc<PathAttributes>> {
        let (_, known) = self.routes.get_mut(at)?;
        Some(std::mem::replace(known, attributes))
    }

    /// Removes an entry, which must exist, and returns its attributes.
    pub(super) fn remove(&mut self, at: usize) -> Arc<PathAttributes> {
        if let PathIds::Each(path_ids) = &mut self.path_ids {
            path_ids.remove(at);
        }
        let (_, attributes) = self.routes.remove(at);
        if self.routes.capacity() >= self.routes.len() + 2 * STEP {
            self.routes.shrink_to(self.routes.len() + STEP);
        }
        attributes
    }

    /// Moves the entries from an index on into a new chunk.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let routes = self.routes.split_off(at);
        self.routes.shrink_to(self.routes.len() + STEP);
        let path_ids = match &mut self.path_ids {
            PathIds::Same(same) => PathIds::Same(*same),
            PathIds::Each(path_ids) => PathIds::Each(path_ids.split_off(at)),
        };
        Self { routes, path_ids }
    }

    /// Adds the entries of the chunk that follows this one.
    pub(super) fn append(&mut self, next: &Self) {
        match (&mut self.path_ids, &next.path_ids) {
            (PathIds::Same(same), PathIds::Same(other)) if same == other => {}
            _ => {
                let mut path_ids = self.path_ids.to_vec(self.routes.len());
                path_ids.append(&mut next.path_ids.to_vec(next.routes.len()));
                self.path_ids = PathIds::Each(path_ids);
            }
        }
        self.routes.extend(next.routes.iter().cloned());
    }

    /// The chunk with the attributes that `change` returns for each entry, without the entries for which it returns none. `None`
    /// if that is the same chunk.
    pub(super) fn filter_map(
        &self,
        mut change: impl FnMut(K, &Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Option<Self> {
        let mut routes = Vec::with_capacity(self.routes.len());
        let mut path_ids = Vec::new();
        let mut is_changed = false;
        for (key, attributes) in self.entries(0) {
            let new = change(key, attributes);
            is_changed |= !new.as_ref().is_some_and(|new| Arc::ptr_eq(new, attributes));
            if let Some(new) = new {
                routes.push((key.bare(), new));
                if let PathIds::Each(_) = self.path_ids {
                    path_ids.push(key.path_id());
                }
            }
        }

        let path_ids = match self.path_ids {
            PathIds::Same(same) => PathIds::Same(same),
            PathIds::Each(_) => PathIds::Each(path_ids),
        };
        routes.shrink_to_fit();
        is_changed.then_some(Self { routes, path_ids })
    }

    /// The entries from an index on.
    pub(super) fn entries(&self, from: usize) -> Entries<'_, K> {
        let routes = self.routes.get(from..).unwrap_or_default().iter();
        match &self.path_ids {
            PathIds::Same(same) => Entries { routes, path_ids: [].iter(), same: *same },
            PathIds::Each(path_ids) => {
                let path_ids = path_ids.get(from..).unwrap_or_default().iter();
                Entries { routes, path_ids, same: 0 }
            }
        }
    }
}

impl PathIds {
    fn to_vec(&self, len: usize) -> Vec<u32> {
        match self {
            Self::Same(same) => vec![*same; len],
            Self::Each(path_ids) => path_ids.clone(),
        }
    }
}

/// Makes room for one more value, and for few more than that.
fn make_room<T>(values: &mut Vec<T>) {
    if values.len() == values.capacity() {
        values.reserve_exact(STEP);
    }
}

/// An iterator over the entries of a chunk.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a, K: Key> {
    routes: slice::Iter<'a, (K::Bare, Arc<PathAttributes>)>,
    /// Empty if all entries have the same path identifier.
    path_ids: slice::Iter<'a, u32>,
    same: u32,
}

impl<K: Key> Default for Entries<'_, K> {
    fn default() -> Self {
        Self { routes: [].iter(), path_ids: [].iter(), same: 0 }
    }
}

impl<'a, K: Key> Iterator for Entries<'a, K> {
    type Item = (K, &'a Arc<PathAttributes>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (prefix, attributes) = self.routes.next()?;
        let path_id = self.path_ids.next().copied().unwrap_or(self.same);
        Some((K::from_bare(*prefix, path_id), attributes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.routes.size_hint()
    }
}
