//! Loc-RIB: the routes that the decision process has chosen from those of all peers (RFC 4271, section 3.2).
//!
//! The choice among many paths is made when it is read, not at each change: a prefix that a thousand peers announce may
//! change a thousand times before it is read once.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ipnet::IpNet;

use crate::rib::decision::rank;
use crate::rib::{Nlri, Path};

/// The routes of all peers, ranked by the decision process. `K` identifies a peer.
#[derive(Clone, Debug)]
pub struct LocRib<K> {
    prefixes: BTreeMap<IpNet, Destination<K>>,
}

/// The paths to one prefix.
#[derive(Clone, Debug)]
struct Destination<K> {
    /// The paths, the best first if the choice has been made.
    paths: Vec<Path<K>>,
    /// The number of paths over which traffic may be spread. `None`: the choice has not been made.
    equal: Option<usize>,
    /// The choice that was made for a reader, which cannot change `paths`.
    chosen: OnceLock<Box<Ranked<K>>>,
}

/// The ranked paths to one prefix.
#[derive(Clone, Debug)]
struct Ranked<K> {
    /// The paths, the best first.
    paths: Vec<Path<K>>,
    /// The number of paths over which traffic may be spread.
    equal: usize,
}

/// The largest number of paths among which the choice is made at each change.
const FEW: usize = 8;

impl<K> Default for LocRib<K> {
    fn default() -> Self {
        Self { prefixes: BTreeMap::new() }
    }
}

impl<K: Copy + Eq> LocRib<K> {
    /// An empty RIB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a peer's path to `prefix`. It replaces the peer's path with the same identifier.
    pub fn insert(&mut self, prefix: IpNet, path: Path<K>) {
        let destination = self.prefixes.entry(prefix).or_insert_with(|| Destination {
            paths: Vec::with_capacity(1),
            equal: None,
            chosen: OnceLock::new(),
        });
        destination.insert(path);
    }

    /// Makes every choice that is due. A reader makes it too, but has to copy the paths.
    pub fn choose(&mut self) {
        for destination in self.prefixes.values_mut() {
            destination.choose();
        }
    }

    /// Removes a peer's path. Returns true if there was one.
    pub fn remove(&mut self, nlri: &Nlri, peer: K) -> bool {
        let Some(destination) = self.prefixes.get_mut(&nlri.prefix) else { return false };
        let removed = destination.remove(|path| path.peer == peer && path.path_id == nlri.path_id);
        if destination.paths.is_empty() {
            self.prefixes.remove(&nlri.prefix);
        }
        removed
    }

    /// Removes every path of a peer. Returns true if there was one.
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
        self.prefixes.get(prefix)?.ranked().0.first()
    }

    /// The paths to `prefix` over which traffic may be spread: the best, and those that only a tie-break separates from it.
    #[must_use]
    pub fn multipath(&self, prefix: &IpNet) -> &[Path<K>] {
        let Some(destination) = self.prefixes.get(prefix) else { return &[] };
        let (paths, equal) = destination.ranked();
        paths.get(..equal).unwrap_or_default()
    }

    /// Every prefix with all its paths, the best first, and the number of those over which traffic may be spread.
    pub fn iter(&self) -> impl Iterator<Item = (&IpNet, &[Path<K>], usize)> {
        self.prefixes.iter().map(|(prefix, destination)| {
            let (paths, equal) = destination.ranked();
            (prefix, paths, equal)
        })
    }

    /// The number of prefixes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Returns true if there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }
}

impl<K: Copy + Eq> Destination<K> {
    fn insert(&mut self, path: Path<K>) {
        let id = (path.peer, path.path_id);
        match self.paths.iter_mut().find(|known| (known.peer, known.path_id) == id) {
            Some(known) => *known = path,
            None => self.paths.push(path),
        }
        self.changed();
    }

    fn remove(&mut self, which: impl Fn(&Path<K>) -> bool) -> bool {
        let before = self.paths.len();
        self.paths.retain(|known| !which(known));
        let removed = self.paths.len() < before;
        if removed {
            self.changed();
        }
        removed
    }

    /// Discards the choice after a change of the paths, and makes it again if there are few.
    fn changed(&mut self) {
        self.equal = None;
        self.chosen.take();
        if self.paths.len() <= FEW {
            self.choose();
        }
    }

    fn choose(&mut self) {
        if self.equal.is_some() {
            return;
        }
        self.equal = Some(match self.chosen.take() {
            Some(chosen) => {
                self.paths = chosen.paths;
                chosen.equal
            }
            None => rank(&mut self.paths),
        });
    }

    /// The paths, the best first, and the number of those over which traffic may be spread.
    fn ranked(&self) -> (&[Path<K>], usize) {
        if let Some(equal) = self.equal {
            return (&self.paths, equal);
        }
        let ranked = self.chosen.get_or_init(|| {
            let mut paths = self.paths.clone();
            let equal = rank(&mut paths);
            Box::new(Ranked { paths, equal })
        });
        (&ranked.paths, ranked.equal)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::rib::PathSource;
    use crate::wire::{AsPath, PathAttributes};
    use crate::{Asn, BgpIdentifier, PeerType};

    fn prefix() -> IpNet {
        "192.0.2.0/24".parse().expect("a prefix")
    }

    fn path(peer: u16, asn: u32, med: u32, local_pref: u32, internal: bool) -> Path<u16> {
        let attributes = PathAttributes {
            as_path: AsPath::sequence([Asn(asn)]),
            med: Some(med),
            local_pref: Some(local_pref),
            ..PathAttributes::default()
        };
        let [high, low] = peer.to_be_bytes();
        let address = Ipv4Addr::new(10, 0, high, low);
        let peer_type = if internal { PeerType::Internal } else { PeerType::External };
        let source =
            PathSource { address: address.into(), identifier: BgpIdentifier(address), peer_type };
        Path { peer, path_id: 0, source, attributes: Arc::new(attributes) }
    }

    /// The rules as RFC 4271 states them: each path is compared with each other one.
    fn spread_over(paths: &BTreeMap<u16, Path<u16>>) -> Vec<u16> {
        let med = |path: &Path<u16>| path.attributes.med;
        let asn = |path: &Path<u16>| path.attributes.as_path.first_as();
        let mut left: Vec<_> = paths.values().collect();
        let most = left.iter().map(|path| path.attributes.local_pref).max();
        left.retain(|path| Some(path.attributes.local_pref) == most);
        let all = left.clone();
        left.retain(|path| !all.iter().any(|it| asn(it) == asn(path) && med(it) < med(path)));
        if left.iter().any(|path| path.source.peer_type == PeerType::External) {
            left.retain(|path| path.source.peer_type == PeerType::External);
        }
        left.iter().map(|path| path.peer).collect()
    }

    proptest! {
        #[test]
        fn after_any_changes_the_choice_is_that_of_the_rules(
            steps in prop::collection::vec(
                (0_u16..40, 0_u32..3, 0_u32..3, 100_u32..102, any::<bool>(), 0_u8..6),
                1..120,
            ),
        ) {
            let (mut rib, mut paths) = (LocRib::new(), BTreeMap::new());
            for (peer, asn, med, local_pref, internal, what) in steps {
                match what {
                    0 => {
                        let nlri = Nlri { prefix: prefix(), path_id: 0 };
                        prop_assert_eq!(rib.remove(&nlri, peer), paths.remove(&peer).is_some());
                    }
                    1 => rib.choose(),
                    2 => drop(rib.best(&prefix()).cloned()),
                    _ => {
                        let path = path(peer, asn + 65_000, med, local_pref, internal);
                        paths.insert(peer, path.clone());
                        rib.insert(prefix(), path);
                    }
                }
            }

            // First a reader makes the choice, then `choose` has made it.
            for _ in 0..2 {
                let chosen: Vec<_> = rib.multipath(&prefix()).iter().map(|it| it.peer).collect();
                prop_assert_eq!(&chosen, &spread_over(&paths));
                prop_assert_eq!(rib.best(&prefix()).map(|it| it.peer), chosen.first().copied());
                let all = rib.iter().map(|(_, paths, _)| paths.len()).sum::<usize>();
                prop_assert_eq!(all, paths.len());
                rib.choose();
            }
        }
    }
}
