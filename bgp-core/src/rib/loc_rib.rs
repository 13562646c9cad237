//! Loc-RIB: the routes that the decision process has chosen among all peers' (RFC 4271, section 3.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::rib::decision::rank;
use crate::rib::{Nlri, PathSource};
use crate::wire::PathAttributes;

/// The routes of all peers, with the choice made. `K` names a peer.
#[derive(Clone, Debug)]
pub struct LocRib<K> {
    prefixes: BTreeMap<IpNet, Destination<K>>,
}

/// One peer's path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a path is who told us what")]
pub struct Path<K> {
    /// The peer that it came from.
    pub peer: K,
    /// Which of the peer's paths to the prefix it is (RFC 7911); 0 where the session has one a prefix.
    pub path_id: u32,
    /// What the decision process asks of that peer.
    pub source: PathSource,
    /// The path attributes, as received.
    pub attributes: Arc<PathAttributes>,
}

/// The paths to one prefix, the best first.
#[derive(Clone, Debug)]
struct Destination<K> {
    paths: Vec<Path<K>>,
    /// How many of them traffic may be spread over.
    equal: usize,
}

impl<K> Default for LocRib<K> {
    fn default() -> Self {
        Self { prefixes: BTreeMap::new() }
    }
}

impl<K: Copy + Eq> LocRib<K> {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a peer's path to `prefix`, in place of the one with the same identifier that it gave before.
    pub fn insert(&mut self, prefix: IpNet, path: Path<K>) {
        let destination = self
            .prefixes
            .entry(prefix)
            .or_insert_with(|| Destination { paths: Vec::with_capacity(1), equal: 0 });
        destination.paths.retain(|known| (known.peer, known.path_id) != (path.peer, path.path_id));
        destination.paths.push(path);
        destination.equal = rank(&mut destination.paths);
    }

    /// Removes a peer's path, and says whether there was one.
    pub fn remove(&mut self, nlri: &Nlri, peer: K) -> bool {
        let Some(destination) = self.prefixes.get_mut(&nlri.prefix) else { return false };
        let removed = destination.remove(|path| path.peer == peer && path.path_id == nlri.path_id);
        if destination.paths.is_empty() {
            self.prefixes.remove(&nlri.prefix);
        }
        removed
    }

    /// Removes every path of a peer, and says whether there was one.
    pub fn clear_peer(&mut self, peer: K) -> bool {
        let mut removed = false;
        self.prefixes.retain(|_, destination| {
            removed |= destination.remove(|path| path.peer == peer);
            !destination.paths.is_empty()
        });
        removed
    }

    /// The best path to `prefix`.
    #[must_use]
    pub fn best(&self, prefix: &IpNet) -> Option<&Path<K>> {
        self.prefixes.get(prefix)?.paths.first()
    }

    /// The paths to `prefix` over which traffic may be spread: the best, and those that only a tie-break told
    /// from it.
    #[must_use]
    pub fn multipath(&self, prefix: &IpNet) -> &[Path<K>] {
        self.prefixes.get(prefix).map_or(&[], Destination::multipath)
    }

    /// Every prefix with all its paths, the best first, and how many of those traffic may be spread over.
    pub fn iter(&self) -> impl Iterator<Item = (&IpNet, &[Path<K>], usize)> {
        self.prefixes
            .iter()
            .map(|(prefix, destination)| (prefix, destination.paths.as_slice(), destination.equal))
    }

    /// How many prefixes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }
}

impl<K: Copy + Eq> Destination<K> {
    fn remove(&mut self, which: impl Fn(&Path<K>) -> bool) -> bool {
        let before = self.paths.len();
        self.paths.retain(|known| !which(known));
        let removed = self.paths.len() < before;
        if removed {
            self.equal = rank(&mut self.paths);
        }
        removed
    }
}

impl<K> Destination<K> {
    fn multipath(&self) -> &[Path<K>] {
        self.paths.get(..self.equal).unwrap_or_default()
    }
}
