//! [`RoutePaths`] and [`RoutePath`]: the paths to one prefix, as embedders see them.

use std::{fmt, sync::Arc, vec};

use bgp_core::{
    rib::{Destination, Path},
    wire::PathAttributes,
};

use crate::PeerId;

/// The paths to one prefix, ranked by the decision process. A clone shares them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RoutePaths(pub(crate) Option<Destination<PeerId>>);

/// One path to a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RoutePath {
    /// The peer that announced it.
    pub peer: PeerId,
    /// The path's identifier among the peer's paths to the prefix (RFC 7911); 0 where the session has one path to each.
    pub path_id: u32,
    /// The path attributes, as received.
    pub attributes: Arc<PathAttributes>,
    /// True if the decision process (RFC 4271 section 9.1.2) prefers this path to all others.
    pub best: bool,
    /// True if traffic may be spread over this path: it is the best one, or lost to the best one by a tie-break only.
    pub multipath: bool,
}

impl RoutePaths {
    /// The best path; `None` if there is none.
    pub fn best(&self) -> Option<RoutePath> {
        Some(listed(0, 1, self.0.as_ref()?.best()?))
    }

    /// The paths over which traffic may be spread, the best first.
    pub fn multipath(&self) -> RoutePathIter {
        let paths = self.0.iter().flat_map(Destination::multipath);
        let paths: Vec<_> =
            paths.enumerate().map(|(rank, path)| listed(rank, rank + 1, path)).collect();
        RoutePathIter { paths: paths.into_iter() }
    }

    /// All paths: first those over which traffic may be spread, the best first, then the others.
    pub fn iter(&self) -> RoutePathIter {
        let equal = self.0.as_ref().map_or(0, |destination| destination.multipath().len());
        let paths = self.0.iter().flat_map(Destination::iter);
        let paths: Vec<_> =
            paths.enumerate().map(|(rank, path)| listed(rank, equal, path)).collect();
        RoutePathIter { paths: paths.into_iter() }
    }

    /// The number of paths.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, Destination::len)
    }

    /// Returns true if there is no path.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

fn listed(rank: usize, equal: usize, path: &Path<PeerId>) -> RoutePath {
    RoutePath {
        peer: path.peer(),
        path_id: path.path_id,
        attributes: Arc::clone(&path.attributes),
        best: rank == 0,
        multipath: rank < equal,
    }
}

impl fmt::Debug for RoutePaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RoutePaths {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl IntoIterator for &RoutePaths {
    type Item = RoutePath;
    type IntoIter = RoutePathIter;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for RoutePaths {
    type Item = RoutePath;
    type IntoIter = RoutePathIter;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Some paths to a prefix, the best first.
#[derive(Clone, Debug)]
pub struct RoutePathIter {
    paths: vec::IntoIter<RoutePath>,
}

impl Iterator for RoutePathIter {
    type Item = RoutePath;

    fn next(&mut self) -> Option<Self::Item> {
        self.paths.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.paths.size_hint()
    }
}

impl ExactSizeIterator for RoutePathIter {}
