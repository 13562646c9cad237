//! [`RouteSetChanges`]: the routes in which two sets differ.

use std::sync::Arc;

use crate::rib::key::{Key, Key4, Key6};
use crate::rib::table::Differences;
use crate::rib::{Nlri, RouteSet};
use crate::wire::PathAttributes;

/// An iterator over the differences between two sets, in the order of prefixes: each route of the newer set that is new or has
/// other attributes, with its attributes, and each route that is gone, with `None`.
#[derive(Clone, Debug)]
pub struct RouteSetChanges<'a> {
    v4: Differences<'a, Key4>,
    v6: Differences<'a, Key6>,
}

impl RouteSet {
    /// The changes that lead from an older set to this one.
    ///
    /// Sets with a common origin share most of their routes, and those are skipped by the hundred.
    ///
    /// ```
    /// use bgp_core::rib::{Route, RouteSet};
    ///
    /// let mut routes = RouteSet::from([Route::new("192.0.2.0/24".parse()?)]);
    /// let before = routes.clone();
    /// routes.insert(Route::new("203.0.113.0/24".parse()?));
    /// routes.remove(&"192.0.2.0/24".parse()?);
    ///
    /// let changes = routes.changes_since(&before);
    /// let changes: Vec<_> = changes.map(|(nlri, new)| (nlri.prefix.to_string(), new.is_some())).collect();
    /// assert_eq!(changes, [("192.0.2.0/24".into(), false), ("203.0.113.0/24".into(), true)]);
    /// # Ok::<(), ipnet::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn changes_since<'a>(&'a self, older: &'a Self) -> RouteSetChanges<'a> {
        RouteSetChanges {
            v4: Differences::new(&older.v4, &self.v4),
            v6: Differences::new(&older.v6, &self.v6),
        }
    }
}

impl<'a> Iterator for RouteSetChanges<'a> {
    type Item = (Nlri, Option<&'a Arc<PathAttributes>>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((key, (_, new))) = self.v4.next() {
            return Some((Nlri { prefix: key.prefix(), path_id: key.path_id() }, new));
        }
        let (key, (_, new)) = self.v6.next()?;
        Some((Nlri { prefix: key.prefix(), path_id: key.path_id() }, new))
    }
}
