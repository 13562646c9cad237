//! [`LocRibSnapshot`]: the Loc-RIB at one moment.

use bgp_core::rib::{self, Destination, LocRib};
use ipnet::IpNet;

use super::{RoutePath, RoutePaths};
use crate::PeerId;

/// The Loc-RIB (RFC 4271 section 3.2) at one moment: every prefix with all usable paths to it.
///
/// It shares its routes with the speaker's table, and costs the same for any number of them. While it exists, the table copies
/// the parts that change.
#[derive(Clone, Debug, Default)]
pub struct LocRibSnapshot {
    pub(super) version: u64,
    pub(crate) rib: LocRib<PeerId>,
}

impl LocRibSnapshot {
    /// The number of changes that the table had seen, as in [`RouteChange::version`](crate::RouteChange::version).
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The paths to exactly this prefix; empty if no peer announces it.
    pub fn paths(&self, prefix: &IpNet) -> RoutePaths {
        RoutePaths(self.rib.get(prefix).cloned())
    }

    /// The best path to exactly this prefix.
    pub fn best(&self, prefix: &IpNet) -> Option<RoutePath> {
        self.paths(prefix).best()
    }

    /// Every prefix and its paths, in the order of prefixes.
    pub fn iter(&self) -> LocRibIter<'_> {
        LocRibIter { routes: self.rib.iter(), left: self.len() }
    }

    /// The prefixes whose paths differ from those in an older snapshot, with the paths in this one: none if the prefix is
    /// withdrawn. What both share is skipped, so that the cost grows with the number of changes in between.
    pub fn differences<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = (IpNet, RoutePaths)> {
        let differences = self.rib.differences(&older.rib);
        differences.map(|(prefix, _, paths)| (prefix, RoutePaths(paths.cloned())))
    }

    /// The number of prefixes.
    pub fn len(&self) -> usize {
        self.rib.len()
    }

    /// Returns true if there are no prefixes.
    pub fn is_empty(&self) -> bool {
        self.rib.is_empty()
    }
}

impl<'a> IntoIterator for &'a LocRibSnapshot {
    type Item = (IpNet, RoutePaths);
    type IntoIter = LocRibIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The prefixes of a [`LocRibSnapshot`] with their paths.
#[derive(Clone, Debug)]
pub struct LocRibIter<'a> {
    routes: rib::LocRibIter<'a, PeerId>,
    left: usize,
}

impl Iterator for LocRibIter<'_> {
    type Item = (IpNet, RoutePaths);

    fn next(&mut self) -> Option<Self::Item> {
        let (prefix, paths) = self.routes.next()?;
        self.left = self.left.saturating_sub(1);
        Some((prefix, RoutePaths(Some(Destination::clone(paths)))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for LocRibIter<'_> {}
