//! Routes to originate, and sets of routes.

use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::AfiSafi;
use crate::rib::key::{Key, Key4, Key6};
use crate::rib::table::{Table, TableIter};
use crate::wire::PathAttributes;

/// A route: a prefix and its path attributes.
///
/// It is meant to be originated: AS_PATH stays empty (the session prepends the local AS towards an external peer), and
/// without a next hop of its own the route is announced with the session's local address. Each attribute has a method that
/// sets it.
///
/// ```
/// use bgp_core::rib::Route;
/// use bgp_core::wire::Community;
///
/// let route = Route::new("172.22.35.70/32".parse()?).community(Community::new(64635, 100)).med(10);
/// assert_eq!(route.attributes().med, Some(10));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(from = "crate::serialize::RouteParts", into = "crate::serialize::RouteParts")
)]
pub struct Route {
    prefix: IpNet,
    path_id: u32,
    pub(super) attributes: Arc<PathAttributes>,
}

impl Route {
    /// The path identifier of a route without one.
    pub const DEFAULT_PATH_ID: u32 = 1;

    /// A route of our own to `prefix` without its host bits. It has ORIGIN IGP and no other attributes.
    #[must_use]
    pub fn new(prefix: IpNet) -> Self {
        Self::with_attributes(prefix, Arc::new(PathAttributes::default()))
    }

    /// A route with attributes that it may share with others.
    #[must_use]
    pub fn with_attributes(prefix: IpNet, attributes: Arc<PathAttributes>) -> Self {
        Self { prefix: prefix.trunc(), path_id: Self::DEFAULT_PATH_ID, attributes }
    }

    /// Makes it one of several paths to its prefix, distinguished by this identifier (RFC 7911). A peer that negotiated
    /// ADD-PATH gets all of them. Other peers get the path with the lowest identifier.
    #[must_use]
    pub fn path(mut self, path_id: u32) -> Self {
        self.path_id = path_id;
        self
    }

    /// The prefix, without host bits.
    #[must_use]
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// The path identifier.
    #[must_use]
    pub fn path_id(&self) -> u32 {
        self.path_id
    }

    /// The path attributes.
    #[must_use]
    pub fn attributes(&self) -> &Arc<PathAttributes> {
        &self.attributes
    }
}

impl From<IpNet> for Route {
    fn from(prefix: IpNet) -> Self {
        Self::new(prefix)
    }
}

impl From<Ipv4Net> for Route {
    fn from(prefix: Ipv4Net) -> Self {
        Self::new(prefix.into())
    }
}

impl From<Ipv6Net> for Route {
    fn from(prefix: Ipv6Net) -> Self {
        Self::new(prefix.into())
    }
}

/// All routes that a peer should have, in the order of prefixes, with at most one for each prefix and path identifier.
///
/// Clones are cheap: they share routes and attributes, and a change to a clone copies only the few hundred routes around it.
/// Peers that should have the same routes share one copy. If many routes have equal attributes, give them one `Arc`
/// ([`Route::with_attributes`]).
///
/// ```
/// use bgp_core::rib::{Route, RouteSet};
///
/// let mut routes = RouteSet::from([Route::new("172.22.35.70/32".parse()?)]);
/// let before = routes.clone();
/// routes.insert(Route::new("2001:db8::/64".parse()?).med(10));
/// assert_eq!((before.len(), routes.len()), (1, 2));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(from = "Vec<Route>"))]
pub struct RouteSet {
    pub(super) v4: Table<Key4>,
    pub(super) v6: Table<Key6>,
}

impl RouteSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route. It replaces one with the same prefix and path identifier.
    pub fn insert(&mut self, route: Route) {
        let Route { prefix, path_id, attributes } = route;
        if let Some(key) = Key4::new(prefix, path_id) {
            self.v4.insert_shared(key, attributes);
        } else if let Some(key) = Key6::new(prefix, path_id) {
            self.v6.insert_shared(key, attributes);
        }
    }

    /// Removes every route to `prefix`. Returns true if there was one.
    pub fn remove(&mut self, prefix: &IpNet) -> bool {
        if let Some(key) = Key4::new(*prefix, 0) {
            return self.v4.remove_paths(key);
        }
        Key6::new(*prefix, 0).is_some_and(|key| self.v6.remove_paths(key))
    }

    /// Removes the route with this prefix and path identifier. Returns true if there was one.
    pub fn remove_path(&mut self, prefix: &IpNet, path_id: u32) -> bool {
        if let Some(key) = Key4::new(*prefix, path_id) {
            return self.v4.remove(key).is_some();
        }
        Key6::new(*prefix, path_id).is_some_and(|key| self.v6.remove(key).is_some())
    }

    /// The routes of the families that `keep` returns true for.
    pub(crate) fn of_families(&self, keep: impl Fn(AfiSafi) -> bool) -> Self {
        let (v4, v6) = (keep(AfiSafi::IPV4_UNICAST), keep(AfiSafi::IPV6_UNICAST));
        Self {
            v4: if v4 { self.v4.clone() } else { Table::default() },
            v6: if v6 { self.v6.clone() } else { Table::default() },
        }
    }

    /// The attributes of the route to `prefix`, or of the path with the lowest identifier if there are several.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Arc<PathAttributes>> {
        if let Some(key) = Key4::new(*prefix, 0) {
            return Some(self.v4.first_of(key)?.1);
        }
        Some(self.v6.first_of(Key6::new(*prefix, 0)?)?.1)
    }

    /// The number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Returns true if there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// The routes, in the order of prefixes.
    #[must_use]
    pub fn iter(&self) -> RouteIter<'_> {
        RouteIter::new(&self.v4, &self.v6)
    }

    /// The routes for which `change` returns attributes, with these attributes. If it returns the same `Arc`, both sets go on
    /// sharing the routes that they have in common.
    #[must_use]
    pub fn filter_map(
        &self,
        mut change: impl FnMut(IpNet, &Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Self {
        Self {
            v4: self.v4.filter_map(|key, attributes| change(key.prefix(), attributes)),
            v6: self.v6.filter_map(|key, attributes| change(key.prefix(), attributes)),
        }
    }
}

impl<const N: usize> From<[Route; N]> for RouteSet {
    fn from(routes: [Route; N]) -> Self {
        routes.into_iter().collect()
    }
}

impl From<Vec<Route>> for RouteSet {
    fn from(routes: Vec<Route>) -> Self {
        routes.into_iter().collect()
    }
}

impl FromIterator<Route> for RouteSet {
    fn from_iter<I: IntoIterator<Item = Route>>(routes: I) -> Self {
        let mut set = Self::new();
        set.extend(routes);
        set
    }
}

impl Extend<Route> for RouteSet {
    fn extend<I: IntoIterator<Item = Route>>(&mut self, routes: I) {
        for route in routes {
            self.insert(route);
        }
    }
}

impl<'a> IntoIterator for &'a RouteSet {
    type Item = (IpNet, &'a Arc<PathAttributes>);
    type IntoIter = RouteIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// An iterator over prefixes and attributes, in the order of prefixes. A prefix occurs once for each path to it.
#[derive(Clone, Debug, Default)]
pub struct RouteIter<'a> {
    v4: TableIter<'a, Key4>,
    v6: TableIter<'a, Key6>,
}

impl<'a> RouteIter<'a> {
    pub(super) fn new(v4: &'a Table<Key4>, v6: &'a Table<Key6>) -> Self {
        Self { v4: v4.iter(), v6: v6.iter() }
    }

    /// Adds the path identifier of each route, between prefix and attributes.
    pub fn with_path_ids(self) -> impl Iterator<Item = (IpNet, u32, &'a Arc<PathAttributes>)> {
        let v4 = self.v4.map(|(key, attributes)| (key.prefix(), key.path_id(), attributes));
        let v6 = self.v6.map(|(key, attributes)| (key.prefix(), key.path_id(), attributes));
        v4.chain(v6)
    }
}

impl<'a> Iterator for RouteIter<'a> {
    type Item = (IpNet, &'a Arc<PathAttributes>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((key, attributes)) = self.v4.next() {
            return Some((key.prefix(), attributes));
        }
        self.v6.next().map(|(key, attributes)| (key.prefix(), attributes))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let all = self.v4.size_hint().0 + self.v6.size_hint().0;
        (all, Some(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_bits_are_cleared_so_that_one_prefix_has_one_route() {
        let mut set = RouteSet::new();
        set.insert(Route::new("10.0.0.1/24".parse().unwrap()));
        set.insert(Route::new("10.0.0.9/24".parse().unwrap()).med(5));
        assert_eq!(set.len(), 1);
        assert_eq!(set.get(&"10.0.0.0/24".parse().unwrap()).unwrap().med, Some(5));
        assert!(set.remove(&"10.0.0.77/24".parse().unwrap()));
        assert!(set.is_empty());
    }

    #[test]
    fn several_paths_to_a_prefix_are_distinguished_by_their_identifiers() {
        let prefix = "10.0.0.0/24".parse().unwrap();
        let path = |id| Route::new(prefix).path(id).med(id);
        let mut set = RouteSet::from([path(7), path(3), path(5)]);
        assert_eq!(set.len(), 3);
        assert_eq!(set.get(&prefix).unwrap().med, Some(3));
        assert!(set.remove_path(&prefix, 3) && !set.remove_path(&prefix, 3));
        let left: Vec<_> = set.iter().with_path_ids().map(|(_, id, _)| id).collect();
        assert_eq!(left, [5, 7]);
        assert!(set.remove(&prefix) && set.is_empty());
    }

    #[test]
    fn equal_attributes_of_adjacent_routes_are_stored_once() {
        let routes =
            ["10.0.0.0/24", "10.0.1.0/24"].map(|prefix| Route::new(prefix.parse().unwrap()));
        let set = RouteSet::from(routes);
        let [first, second] = set.iter().map(|(_, attributes)| attributes).collect::<Vec<_>>()[..]
        else {
            panic!("two routes");
        };
        assert!(Arc::ptr_eq(first, second));
    }
}
