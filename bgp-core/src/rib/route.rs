//! Routes to originate, and sets of them.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::wire::{Community, NextHop, Origin, PathAttributes};

/// A route: a prefix and its path attributes.
///
/// Made for originating: AS_PATH stays empty (the session prepends the local AS towards an external peer), and
/// without a next hop of its own the route is announced with the session's local address.
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
pub struct Route {
    prefix: IpNet,
    attributes: Arc<PathAttributes>,
}

impl Route {
    /// A route of our own to `prefix`, host bits cleared: ORIGIN IGP and nothing else.
    #[must_use]
    pub fn new(prefix: IpNet) -> Self {
        Self { prefix: prefix.trunc(), attributes: Arc::new(PathAttributes::default()) }
    }

    /// A route with attributes that may be shared with others.
    #[must_use]
    pub fn with_attributes(prefix: IpNet, attributes: Arc<PathAttributes>) -> Self {
        Self { prefix: prefix.trunc(), attributes }
    }

    /// Adds a community (RFC 1997); one that is there already is not added again.
    #[must_use]
    pub fn community(mut self, community: Community) -> Self {
        let communities = &mut Arc::make_mut(&mut self.attributes).communities;
        if !communities.contains(&community) {
            communities.push(community);
        }
        self
    }

    /// Sets MULTI_EXIT_DISC (RFC 4271, section 5.1.4).
    #[must_use]
    pub fn med(mut self, med: u32) -> Self {
        Arc::make_mut(&mut self.attributes).med = Some(med);
        self
    }

    /// Sets LOCAL_PREF (RFC 4271, section 5.1.5), which is sent to internal peers alone.
    #[must_use]
    pub fn local_pref(mut self, local_pref: u32) -> Self {
        Arc::make_mut(&mut self.attributes).local_pref = Some(local_pref);
        self
    }

    /// Sets the next hop, in place of the session's local address.
    #[must_use]
    pub fn next_hop(mut self, next_hop: IpAddr) -> Self {
        Arc::make_mut(&mut self.attributes).next_hop = Some(NextHop::from(next_hop));
        self
    }

    /// Sets ORIGIN (RFC 4271, section 5.1.1).
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        Arc::make_mut(&mut self.attributes).origin = origin;
        self
    }

    /// The prefix, without host bits.
    #[must_use]
    pub fn prefix(&self) -> IpNet {
        self.prefix
    }

    /// The path attributes.
    #[must_use]
    pub fn attributes(&self) -> &Arc<PathAttributes> {
        &self.attributes
    }
}

/// All routes that a peer should have: at most one for each prefix, in the order of prefixes.
///
/// Cheap to clone as far as attributes go, which are shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSet {
    routes: BTreeMap<IpNet, Arc<PathAttributes>>,
}

impl RouteSet {
    /// No routes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route, in place of one to the same prefix.
    pub fn insert(&mut self, route: Route) {
        self.routes.insert(route.prefix, route.attributes);
    }

    /// Removes the route to `prefix`, and says whether there was one.
    pub fn remove(&mut self, prefix: &IpNet) -> bool {
        self.routes.remove(&prefix.trunc()).is_some()
    }

    /// The attributes of the route to `prefix`.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Arc<PathAttributes>> {
        self.routes.get(&prefix.trunc())
    }

    /// How many routes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// The routes, in the order of prefixes.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { inner: self.routes.iter() }
    }
}

impl<const N: usize> From<[Route; N]> for RouteSet {
    fn from(routes: [Route; N]) -> Self {
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
    type Item = (&'a IpNet, &'a Arc<PathAttributes>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The routes of a [`RouteSet`], in the order of prefixes.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    inner: btree_map::Iter<'a, IpNet, Arc<PathAttributes>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a IpNet, &'a Arc<PathAttributes>);

    fn next(&mut self) -> Option<Self::Item> {
        self.inner.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
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
    fn a_community_given_twice_stands_once() {
        let community = Community::new(64635, 100);
        let route =
            Route::new("10.0.0.0/24".parse().unwrap()).community(community).community(community);
        assert_eq!(route.attributes().communities, [community]);
    }

    #[test]
    fn changing_a_clone_leaves_the_shared_attributes_alone() {
        let route = Route::new("10.0.0.0/24".parse().unwrap());
        let other = route.clone().local_pref(7);
        assert_eq!(route.attributes().local_pref, None);
        assert_eq!(other.attributes().local_pref, Some(7));
    }
}
