//! Loc-RIB: the routes that the decision process has chosen from those of all peers (RFC 4271, section 3.2).

use std::iter::Peekable;

use ipnet::IpNet;

use crate::rib::differences::TreeDifferences;
use crate::rib::key::{Bare, Bare4, Bare6};
use crate::rib::tree::{Tree, TreeIter, Visited};
use crate::rib::{Destination, Nlri, Path, PathChange};

/// The routes of all peers, ranked by the decision process. `K` names a peer.
///
/// A clone is a snapshot: it shares the routes, and costs the same for any number of them. The cost of a change grows with the
/// logarithm of the number of prefixes, and of the number of paths to the prefix.
#[derive(Clone, Debug)]
pub struct LocRib<K> {
    v4: Tree<Bare4, Destination<K>>,
    v6: Tree<Bare6, Destination<K>>,
}

impl<K> Default for LocRib<K> {
    fn default() -> Self {
        Self { v4: Tree::default(), v6: Tree::default() }
    }
}

impl<K: Copy + Ord> LocRib<K> {
    /// An empty RIB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a peer's path to `prefix`. It replaces the peer's path with the same identifier.
    pub fn insert(&mut self, prefix: IpNet, path: Path<K>) -> PathChange {
        match Bare::new(prefix) {
            Bare::V4(prefix) => insert(&mut self.v4, prefix, path),
            Bare::V6(prefix) => insert(&mut self.v6, prefix, path),
        }
    }

    /// Removes a peer's path.
    pub fn remove(&mut self, nlri: &Nlri, peer: K) -> PathChange {
        match Bare::new(nlri.prefix) {
            Bare::V4(prefix) => remove(&mut self.v4, prefix, peer, nlri.path_id),
            Bare::V6(prefix) => remove(&mut self.v6, prefix, peer, nlri.path_id),
        }
    }

    /// Adds paths to prefixes, as [`insert`](Self::insert) does, and calls `changed` after each of them. Many paths in the order
    /// of prefixes take far less time so.
    pub fn insert_all(
        &mut self,
        paths: impl IntoIterator<Item = (IpNet, Path<K>)>,
        mut changed: impl FnMut(IpNet, PathChange, Option<&Destination<K>>),
    ) {
        self.visit_all(paths.into_iter(), |prefix, known, path| match known {
            Some(destination) => {
                let change = destination.insert(path);
                changed(prefix, change, Some(destination));
                Visited::Stays
            }
            None => {
                let destination = Destination::new(path);
                changed(prefix, PathChange::Best, Some(&destination));
                Visited::Added(destination)
            }
        });
    }

    /// Removes paths of a peer, as [`remove`](Self::remove) does, and calls `changed` after each of them.
    pub fn remove_all(
        &mut self,
        routes: impl IntoIterator<Item = Nlri>,
        peer: K,
        mut changed: impl FnMut(IpNet, PathChange, Option<&Destination<K>>),
    ) {
        let routes = routes.into_iter().map(|Nlri { prefix, path_id }| (prefix, path_id));
        self.visit_all(routes, |prefix, known, path_id| {
            let Some(destination) = known else {
                changed(prefix, PathChange::None, None);
                return Visited::Stays;
            };
            match destination.remove(peer, path_id) {
                Some(change) => {
                    changed(prefix, change, Some(destination));
                    Visited::Stays
                }
                None => {
                    changed(prefix, PathChange::Best, None);
                    Visited::Removed
                }
            }
        });
    }

    /// Visits prefixes with their destinations; see [`Tree::visit_all`].
    fn visit_all<T>(
        &mut self,
        visits: impl Iterator<Item = (IpNet, T)>,
        mut visit: impl FnMut(IpNet, Option<&mut Destination<K>>, T) -> Visited<Destination<K>>,
    ) {
        let mut visits = visits.map(|(prefix, with)| (Bare::new(prefix), with)).peekable();

        while visits.peek().is_some() {
            let v4 = of_one_family(&mut visits, |bare| match bare {
                Bare::V4(prefix) => Some(*prefix),
                Bare::V6(_) => None,
            });
            self.v4.visit_all(v4, |prefix, known, with| visit(prefix.net(), known, with));

            let v6 = of_one_family(&mut visits, |bare| match bare {
                Bare::V4(_) => None,
                Bare::V6(prefix) => Some(*prefix),
            });
            self.v6.visit_all(v6, |prefix, known, with| visit(prefix.net(), known, with));
        }
    }

    /// Finds paths of a peer from `from` on, or from the first prefix. Searches at most `most` prefixes, and returns at most
    /// `most` paths with the place at which to go on; `None` if there are no more.
    ///
    /// This is for a peer whose routes are not known otherwise. Its [`AdjRibIn`](super::AdjRibIn) finds them without those of
    /// other peers.
    #[must_use]
    pub fn paths_of(&self, peer: K, from: Option<Nlri>, most: usize) -> (Vec<Nlri>, Option<Nlri>) {
        let mut found = Vec::new();
        let mut destinations = match from {
            Some(from) => self.iter_from(from.prefix),
            None => self.iter(),
        };

        for (prefix, destination) in destinations.by_ref().take(most) {
            let first_id = match from {
                Some(from) if from.prefix.trunc() == prefix => from.path_id,
                _ => 0,
            };
            // One more than there is room for, which is where to go on.
            let room = (most - found.len()).saturating_add(1);
            let ids = destination.ids_of(peer, first_id, room).into_iter();
            found.extend(ids.map(|path_id| Nlri { prefix, path_id }));
            if found.len() > most {
                let next = found.pop();
                return (found, next);
            }
        }
        (found, destinations.next().map(|(prefix, _)| prefix.into()))
    }

    /// The best path to `prefix`.
    #[must_use]
    pub fn best(&self, prefix: &IpNet) -> Option<&Path<K>> {
        self.get(prefix)?.best()
    }
}

impl<K> LocRib<K> {
    /// The paths to `prefix`.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Destination<K>> {
        match Bare::new(*prefix) {
            Bare::V4(prefix) => self.v4.get(|known| known.cmp(&prefix)).map(|(_, found)| found),
            Bare::V6(prefix) => self.v6.get(|known| known.cmp(&prefix)).map(|(_, found)| found),
        }
    }

    /// Every prefix with its paths, in the order of prefixes, IPv4 before IPv6.
    #[must_use]
    pub fn iter(&self) -> LocRibIter<'_, K> {
        LocRibIter { v4: self.v4.iter(), v6: self.v6.iter() }
    }

    /// The prefixes from this one on, with their paths.
    #[must_use]
    pub fn iter_from(&self, from: IpNet) -> LocRibIter<'_, K> {
        match Bare::new(from) {
            Bare::V4(from) => {
                LocRibIter { v4: self.v4.iter_from(|known| *known < from), v6: self.v6.iter() }
            }
            Bare::V6(from) => {
                let v6 = self.v6.iter_from(|known| *known < from);
                LocRibIter { v4: TreeIter::default(), v6 }
            }
        }
    }

    /// The number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Returns true if there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

impl<K: Copy + Ord> LocRib<K> {
    /// The prefixes whose paths have changed since an older snapshot, in the order of prefixes. What the two share is skipped, so
    /// that the cost grows with the number of changes in between.
    #[must_use]
    pub fn differences<'a>(&'a self, older: &'a Self) -> LocRibDifferences<'a, K> {
        let v4 = TreeDifferences::new(&older.v4, &self.v4);
        LocRibDifferences { v4, v6: TreeDifferences::new(&older.v6, &self.v6) }
    }
}

fn insert<P: Copy + Ord, K: Copy + Ord>(
    tree: &mut Tree<P, Destination<K>>,
    prefix: P,
    path: Path<K>,
) -> PathChange {
    let mut change = PathChange::Best;
    tree.upsert(prefix, |known| match known {
        Some(destination) => {
            change = destination.insert(path);
            None
        }
        None => Some(Destination::new(path)),
    });
    change
}

fn remove<P: Copy + Ord, K: Copy + Ord>(
    tree: &mut Tree<P, Destination<K>>,
    prefix: P,
    peer: K,
    path_id: u32,
) -> PathChange {
    match tree.change(&prefix, |destination| destination.remove(peer, path_id)) {
        None => PathChange::None,
        Some(None) => PathChange::Best,
        Some(Some(change)) => change,
    }
}

impl<'a, K> IntoIterator for &'a LocRib<K> {
    type Item = (IpNet, &'a Destination<K>);
    type IntoIter = LocRibIter<'a, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The prefixes of a [`LocRib`] with their paths.
#[derive(Clone, Debug)]
pub struct LocRibIter<'a, K> {
    v4: TreeIter<'a, Bare4, Destination<K>>,
    v6: TreeIter<'a, Bare6, Destination<K>>,
}

impl<'a, K> Iterator for LocRibIter<'a, K> {
    type Item = (IpNet, &'a Destination<K>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((prefix, destination)) = self.v4.next() {
            return Some((prefix.net(), destination));
        }
        self.v6.next().map(|(prefix, destination)| (prefix.net(), destination))
    }
}

/// The prefixes at which two snapshots of a [`LocRib`] differ, with the paths in the older one and in the newer one.
#[derive(Clone, Debug)]
pub struct LocRibDifferences<'a, K> {
    v4: TreeDifferences<'a, Bare4, Destination<K>>,
    v6: TreeDifferences<'a, Bare6, Destination<K>>,
}

impl<'a, K: Copy + Ord> Iterator for LocRibDifferences<'a, K> {
    type Item = (IpNet, Option<&'a Destination<K>>, Option<&'a Destination<K>>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((prefix, old, new)) = self.v4.by_ref().find(|(_, old, new)| old != new) {
            return Some((prefix.net(), old, new));
        }
        let (prefix, old, new) = self.v6.by_ref().find(|(_, old, new)| old != new)?;
        Some((prefix.net(), old, new))
    }
}

/// Takes visits as long as their prefixes are of one family: those for which `of_family` returns one.
fn of_one_family<B, T>(
    visits: &mut Peekable<impl Iterator<Item = (Bare, T)>>,
    of_family: impl Fn(&Bare) -> Option<B>,
) -> impl Iterator<Item = (B, T)> {
    std::iter::from_fn(move || {
        let prefix = of_family(&visits.peek()?.0)?;
        let (_, with) = visits.next()?;
        Some((prefix, with))
    })
}

#[cfg(test)]
#[path = "loc_rib_tests.rs"]
mod tests;
