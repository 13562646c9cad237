//! [`Ranking`]: many paths to one prefix in an order from which the decision process reads its choice.
//!
//! "Better than" is no order among all paths, because MULTI_EXIT_DISC is compared only within one neighbouring AS. But among the
//! paths of one neighbouring AS it is, and among the best ones of each neighbouring AS too. So there are two orders: all
//! paths by neighbouring AS, and the best of each by the tie-breaks. The first of the latter is the best of all.

use std::cmp::Ordering;

use crate::rib::decision::Preference;
use crate::rib::tree::Tree;
use crate::rib::{Path, PathChange};

/// The paths to one prefix. A clone shares them.
#[derive(Clone, Debug)]
pub(super) struct Ranking<K> {
    /// All paths by the rules before MULTI_EXIT_DISC, by neighbouring AS, by MULTI_EXIT_DISC, and by the rules after it.
    paths: Tree<Ranked<K>, ()>,
    /// The first of `paths` for each neighbouring AS and result of the rules before MULTI_EXIT_DISC.
    best_by_as: Tree<BestOfAs<K>, ()>,
    /// All paths by peer and identifier.
    by_peer: Tree<PeerPath<K>, ()>,
}

/// A path with what the decision process compares.
#[derive(Clone, Debug)]
struct Ranked<K> {
    preference: Preference,
    path: Path<K>,
}

/// The best path of a neighbouring AS, in the order in which such paths are compared.
#[derive(Clone, Debug)]
struct BestOfAs<K>(Ranked<K>);

/// A path in the order of peers and identifiers.
#[derive(Clone, Debug)]
struct PeerPath<K>(Path<K>);

impl<K: Copy + Ord> Ranking<K> {
    pub(super) fn new(paths: Vec<Path<K>>) -> Self {
        let mut ranking =
            Self { paths: Tree::default(), best_by_as: Tree::default(), by_peer: Tree::default() };
        for path in paths {
            ranking.add(Ranked::new(path));
        }
        ranking
    }

    pub(super) fn get(&self, peer: K, path_id: u32) -> Option<&Path<K>> {
        let (known, ()) = self.by_peer.get(|known| known.compare(peer, path_id))?;
        Some(&known.0)
    }

    /// The identifiers of a peer's paths from `first` on, at most `most` of them, in order.
    pub(super) fn ids_of(&self, peer: K, first: u32, most: usize) -> Vec<u32> {
        let from = self.by_peer.iter_from(|known| known.compare(peer, first).is_lt());
        let own = from.map(|(known, ())| &known.0).take_while(|path| path.source.peer == peer);
        own.take(most).map(|path| path.path_id).collect()
    }

    pub(super) fn best(&self) -> Option<&Path<K>> {
        Some(&self.first()?.path)
    }

    /// The paths over which traffic may be spread, in the order of the tie-breaks.
    pub(super) fn multipath(&self) -> Vec<&Path<K>> {
        let Some(best) = self.first() else { return Vec::new() };
        let best_by_as = self.best_by_as.iter().map(|(of_as, ())| &of_as.0);
        let best_by_as = best_by_as.take_while(|of_as| of_as.preference.is_equal(&best.preference));

        let mut equal = Vec::new();
        for of_as in best_by_as {
            let from = self.paths.iter_from(|path| path < of_as).map(|(path, ())| path);
            let same = |path: &&Ranked<K>| path.preference.is_equal_in_as(&of_as.preference);
            equal.extend(from.take_while(same));
        }
        equal.sort_by(|a, b| a.compare_ties(b));
        equal.into_iter().map(|ranked| &ranked.path).collect()
    }

    /// All paths, first those over which traffic may be spread.
    pub(super) fn paths(&self) -> Vec<&Path<K>> {
        let mut paths = self.multipath();
        paths.reserve_exact(self.len() - paths.len());
        let Some(best) = self.first().map(|best| best.preference) else { return paths };

        // The lowest MULTI_EXIT_DISC is that of the first path of each neighbouring AS.
        let mut first_of_as: Option<Preference> = None;
        for (Ranked { preference, path }, ()) in self.paths.iter() {
            let lowest = first_of_as.filter(|first| first.is_same_as(preference));
            let lowest = *first_of_as.insert(lowest.unwrap_or(*preference));
            if !(preference.is_equal(&best) && preference.has_med_of(&lowest)) {
                paths.push(path);
            }
        }
        paths
    }

    /// Adds a path, or replaces the peer's path with the same identifier.
    pub(super) fn insert(&mut self, path: Path<K>) -> PathChange {
        let known = self.get(path.source.peer, path.path_id);
        if known.is_some_and(|known| known.is_same(&path)) {
            return PathChange::None;
        }

        let known = known.cloned().map(Ranked::new);
        let new = Ranked::new(path);
        let mattered = known.is_some_and(|known| {
            let mattered = self.matters(&known);
            self.take(&known);
            mattered
        });
        let matters = self.add(new);
        if mattered || matters { PathChange::Best } else { PathChange::Others }
    }

    pub(super) fn remove(&mut self, peer: K, path_id: u32) -> PathChange {
        let Some(known) = self.get(peer, path_id).cloned().map(Ranked::new) else {
            return PathChange::None;
        };
        let mattered = self.matters(&known);
        self.take(&known);
        if mattered { PathChange::Best } else { PathChange::Others }
    }

    fn first(&self) -> Option<&Ranked<K>> {
        Some(&self.best_by_as.first()?.0.0)
    }

    /// The best path of a neighbouring AS with this result of the rules before MULTI_EXIT_DISC.
    fn best_of_as(&self, preference: &Preference) -> Option<&Ranked<K>> {
        let (first, ()) =
            self.paths.first_from(|path| path.preference.is_of_as_before(preference))?;
        Some(first).filter(|first| first.preference.is_same_as(preference))
    }

    /// Returns true if the paths in use may depend on this one: it is as preferred as the best one by the rules before
    /// MULTI_EXIT_DISC, and no path of its neighbouring AS has a lower one.
    fn matters(&self, ranked: &Ranked<K>) -> bool {
        let own = &ranked.preference;
        self.first().is_some_and(|best| own.is_equal_before_med(&best.preference))
            && self.best_of_as(own).is_some_and(|best| own.has_med_of(&best.preference))
    }

    /// Adds a path that is not there. Returns true if it [matters](Self::matters).
    fn add(&mut self, ranked: Ranked<K>) -> bool {
        let known = self.best_of_as(&ranked.preference);
        let is_best = known.is_none_or(|known| ranked < *known);
        let has_lowest_med =
            known.is_none_or(|known| is_best || ranked.preference.has_med_of(&known.preference));
        if is_best {
            if let Some(known) = known.cloned() {
                self.best_by_as.remove(&BestOfAs(known));
            }
            self.best_by_as.insert(BestOfAs(ranked.clone()), ());
        }

        let matters = has_lowest_med
            && self
                .first()
                .is_some_and(|best| best.preference.is_equal_before_med(&ranked.preference));
        self.by_peer.insert(PeerPath(ranked.path.clone()), ());
        self.paths.insert(ranked, ());
        matters
    }

    /// Removes a path that is there.
    fn take(&mut self, ranked: &Ranked<K>) {
        self.paths.remove(ranked);
        self.by_peer.remove(&PeerPath(ranked.path.clone()));
        if self.best_by_as.remove(&BestOfAs(ranked.clone())) {
            if let Some(next) = self.best_of_as(&ranked.preference).cloned() {
                self.best_by_as.insert(BestOfAs(next), ());
            }
        }
    }
}

impl<K> Ranking<K> {
    pub(super) fn len(&self) -> usize {
        self.paths.len()
    }
}

impl<K: Copy + Ord> Ranked<K> {
    fn new(path: Path<K>) -> Self {
        Self { preference: Preference::of(&path), path }
    }

    /// Compares by the rules after MULTI_EXIT_DISC.
    fn compare_ties(&self, other: &Self) -> Ordering {
        let last = |it: &Self| (it.path.source.address, it.path.path_id, it.path.source.peer);
        self.preference.compare_ties(&other.preference).then_with(|| last(self).cmp(&last(other)))
    }
}

impl<K: Copy + Ord> Ord for Ranked<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (own, others) = (&self.preference, &other.preference);
        own.compare_within_as(others).then_with(|| self.compare_ties(other))
    }
}

impl<K: Copy + Ord> Ord for BestOfAs<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (own, others) = (&self.0.preference, &other.0.preference);
        own.compare_before_med(others).then_with(|| self.0.compare_ties(&other.0))
    }
}

impl<K: Copy + Ord> PeerPath<K> {
    fn compare(&self, peer: K, path_id: u32) -> Ordering {
        (self.0.source.peer, self.0.path_id).cmp(&(peer, path_id))
    }
}

impl<K: Copy + Ord> Ord for PeerPath<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other.0.source.peer, other.0.path_id)
    }
}

macro_rules! ordered {
    ($($type:ident),*) => {$(
        impl<K: Copy + Ord> PartialOrd for $type<K> {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl<K: Copy + Ord> PartialEq for $type<K> {
            fn eq(&self, other: &Self) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl<K: Copy + Ord> Eq for $type<K> {}
    )*};
}

ordered!(Ranked, BestOfAs, PeerPath);
