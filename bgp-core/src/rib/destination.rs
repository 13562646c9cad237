//! [`Destination`]: the paths to one prefix, ranked by the decision process.
//!
//! Most prefixes have one path, or one from each of a few peers. Those are stored as compactly as possible and ranked again at
//! each change. Many paths are kept in order, so that a change costs no more than their logarithm.

use std::sync::Arc;

use crate::rib::Path;
use crate::rib::decision::rank;
use crate::rib::ranking::Ranking;

/// The paths to one prefix, the best first. `K` names a peer.
///
/// A clone shares the paths. There is always at least one.
#[derive(Clone, Debug)]
pub struct Destination<K>(Paths<K>);

#[derive(Clone, Debug)]
enum Paths<K> {
    One(Path<K>),
    /// Paths in the order of [`rank`], and the number of those over which traffic may be spread.
    Few(Arc<[Path<K>]>, u32),
    Many(Arc<Ranking<K>>),
}

/// The most paths that are ranked again at each change.
const FEW: usize = 16;
/// The number of paths below which many are few again.
const FEWER: usize = FEW / 2;

/// The effect of a change of one path on a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a change matters to the best paths, to others or to none"
)]
pub enum PathChange {
    /// Nothing has changed.
    None,
    /// Paths have changed that are not in use.
    Others,
    /// The best path has changed, or another one over which traffic may be spread.
    Best,
}

impl<K> Destination<K> {
    /// The only path of a new destination.
    pub(crate) fn new(path: Path<K>) -> Self {
        Self(Paths::One(path))
    }

    /// The number of paths.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always a path")]
    pub fn len(&self) -> usize {
        match &self.0 {
            Paths::One(_) => 1,
            Paths::Few(paths, _) => paths.len(),
            Paths::Many(ranking) => ranking.len(),
        }
    }
}

impl<K: Copy + Ord> Destination<K> {
    /// The best path.
    #[must_use]
    pub fn best(&self) -> Option<&Path<K>> {
        match &self.0 {
            Paths::One(path) => Some(path),
            Paths::Few(paths, _) => paths.first(),
            Paths::Many(ranking) => ranking.best(),
        }
    }

    /// The paths over which traffic may be spread: the best, and those that only a tie-break separates from it.
    pub fn multipath(&self) -> impl ExactSizeIterator<Item = &Path<K>> {
        match &self.0 {
            Paths::One(path) => PathIter::Slice(std::slice::from_ref(path).iter()),
            Paths::Few(paths, equal) => PathIter::Slice(first(paths, *equal).iter()),
            Paths::Many(ranking) => PathIter::List(ranking.multipath().into_iter()),
        }
    }

    /// All paths: first those of [`multipath`](Self::multipath) in their order, then the others.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Path<K>> {
        match &self.0 {
            Paths::One(path) => PathIter::Slice(std::slice::from_ref(path).iter()),
            Paths::Few(paths, _) => PathIter::Slice(paths.iter()),
            Paths::Many(ranking) => PathIter::List(ranking.paths().into_iter()),
        }
    }

    /// The path of a peer with an identifier.
    #[must_use]
    pub fn get(&self, peer: K, path_id: u32) -> Option<&Path<K>> {
        match &self.0 {
            Paths::One(path) => Some(path).filter(|path| path.is_of(peer, path_id)),
            Paths::Few(paths, _) => paths.iter().find(|path| path.is_of(peer, path_id)),
            Paths::Many(ranking) => ranking.get(peer, path_id),
        }
    }

    /// The best of the paths that are `allowed`, as if there were no others. A route server chooses so for each of its
    /// clients (RFC 7947, section 2.3.2.1). The cost grows with the number of paths.
    pub fn best_of(&self, mut allowed: impl FnMut(&Path<K>) -> bool) -> Option<&Path<K>> {
        let mut paths: Vec<&Path<K>> = self.iter().filter(|path| allowed(path)).collect();
        if paths.len() < self.len() {
            // A path that is not allowed may have had a lower MULTI_EXIT_DISC than another, so that all are compared again.
            rank(&mut paths);
        }
        paths.first().copied()
    }

    /// The identifiers of a peer's paths from `first` on, at most `most` of them, in order.
    pub(crate) fn ids_of(&self, peer: K, first: u32, most: usize) -> Vec<u32> {
        let few = match &self.0 {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Few(paths, _) => paths,
            Paths::Many(ranking) => return ranking.ids_of(peer, first, most),
        };

        let own = few.iter().filter(|path| path.source.peer == peer && path.path_id >= first);
        let mut ids: Vec<_> = own.map(|path| path.path_id).collect();
        ids.sort_unstable();
        ids.truncate(most);
        ids
    }

    /// Adds a path, or replaces the peer's path with the same identifier.
    pub(crate) fn insert(&mut self, path: Path<K>) -> PathChange {
        match &mut self.0 {
            Paths::One(known) if known.is_of(path.source.peer, path.path_id) => {
                if known.is_same(&path) {
                    return PathChange::None;
                }
                *known = path;
                PathChange::Best
            }
            Paths::Many(ranking) => Arc::make_mut(ranking).insert(path),
            Paths::One(_) | Paths::Few(..) => {
                let mut paths = self.few(1);
                let (peer, path_id) = (path.source.peer, path.path_id);
                match paths.iter_mut().find(|known| known.is_of(peer, path_id)) {
                    Some(known) if known.is_same(&path) => return PathChange::None,
                    Some(known) => *known = path,
                    None => paths.push(path),
                }
                self.rank_again(paths)
            }
        }
    }

    /// Removes a path. `None`: it was the only one, and nothing is left.
    pub(crate) fn remove(&mut self, peer: K, path_id: u32) -> Option<PathChange> {
        match &mut self.0 {
            Paths::One(known) if known.is_of(peer, path_id) => None,
            Paths::One(_) => Some(PathChange::None),
            Paths::Few(..) => {
                let mut paths = self.few(0);
                let before = paths.len();
                paths.retain(|known| !known.is_of(peer, path_id));
                if paths.len() == before {
                    return Some(PathChange::None);
                }
                Some(self.rank_again(paths))
            }
            Paths::Many(ranking) => {
                let change = Arc::make_mut(ranking).remove(peer, path_id);
                if ranking.len() < FEWER {
                    let paths = ranking.paths().into_iter().cloned().collect();
                    self.rank_again(paths);
                }
                Some(change)
            }
        }
    }

    /// A copy of few paths, with room for more.
    fn few(&self, more: usize) -> Vec<Path<K>> {
        let known = match &self.0 {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Few(paths, _) => paths,
            Paths::Many(_) => &[],
        };
        let mut paths = Vec::with_capacity(known.len() + more);
        paths.extend_from_slice(known);
        paths
    }

    /// Takes the paths in place of those that there were, at least one.
    fn rank_again(&mut self, mut paths: Vec<Path<K>>) -> PathChange {
        if paths.len() > FEW {
            let before = std::mem::replace(&mut self.0, Paths::Many(Arc::new(Ranking::new(paths))));
            return Self(before).compare(self);
        }

        let equal = rank(&mut paths);
        let after = match paths.len() {
            1 => paths.pop().map(Paths::One),
            _ => Some(Paths::Few(paths.into(), u32::try_from(equal).unwrap_or(u32::MAX))),
        };
        let Some(after) = after else { return PathChange::None };
        let before = std::mem::replace(&mut self.0, after);
        Self(before).compare(self)
    }

    /// The change from these paths to others.
    fn compare(&self, after: &Self) -> PathChange {
        let (before, after) = (self.multipath(), after.multipath());
        let same = before.len() == after.len() && before.zip(after).all(|(a, b)| a.is_same(b));
        if same { PathChange::Others } else { PathChange::Best }
    }
}

fn first<T>(items: &[T], number: u32) -> &[T] {
    items.get(..number as usize).unwrap_or(items)
}

/// Destinations are equal if their paths are, and their ranks.
impl<K: Copy + Ord> PartialEq for Destination<K> {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Paths::Few(a, _), Paths::Few(b, _)) if Arc::ptr_eq(a, b) => return true,
            (Paths::Many(a), Paths::Many(b)) if Arc::ptr_eq(a, b) => return true,
            _ => {}
        }
        self.len() == other.len() && self.iter().zip(other.iter()).all(|(a, b)| a.is_same(b))
    }
}

impl<K: Copy + Ord> Eq for Destination<K> {}

/// Paths in the order of their ranks.
enum PathIter<'a, K> {
    Slice(std::slice::Iter<'a, Path<K>>),
    List(std::vec::IntoIter<&'a Path<K>>),
}

impl<'a, K> Iterator for PathIter<'a, K> {
    type Item = &'a Path<K>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Slice(paths) => paths.next(),
            Self::List(paths) => paths.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Slice(paths) => paths.size_hint(),
            Self::List(paths) => paths.size_hint(),
        }
    }
}

impl<K> ExactSizeIterator for PathIter<'_, K> {}
