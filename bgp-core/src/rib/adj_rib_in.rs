//! Adj-RIB-In: the routes received from one peer (RFC 4271, section 3.2).

use std::sync::Arc;

use ipnet::IpNet;

use crate::AfiSafi;
use crate::rib::gathered::{Gathered, KeyChange};
use crate::rib::key::{Key, Key4, Key6};
use crate::rib::table::{Table, TableIter};
use crate::rib::{Nlri, RouteIter, RouteSet};
use crate::wire::PathAttributes;

/// The routes received from one peer and still valid.
///
/// Some of them may be stale, because the peer restarts (RFC 4724) or repeats all its routes (RFC 7313). They are dropped if
/// the peer does not announce them again.
#[derive(Clone, Debug, Default)]
pub struct AdjRibIn {
    v4: FamilyRoutes<Key4>,
    v6: FamilyRoutes<Key6>,
}

/// A route that the peer has announced, as it passed the import rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct InRoute {
    /// The prefix.
    pub prefix: IpNet,
    /// The identifier among the peer's paths to the prefix (RFC 7911). It is 0 on a session with one path per prefix.
    pub path_id: u32,
    /// True if the route is dropped unless the peer announces it again.
    pub is_stale: bool,
    /// The path attributes.
    pub attributes: Arc<PathAttributes>,
}

/// Some routes of an Adj-RIB-In, IPv4 before IPv6, in the order of prefixes and path identifiers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct InPage {
    /// The routes.
    pub routes: Vec<InRoute>,
    /// The start of the next page; `None` if this is the last.
    pub next: Option<Nlri>,
}

/// The routes of one family.
#[derive(Clone, Debug)]
struct FamilyRoutes<K: Key> {
    routes: Table<K>,
    /// The stale ones among them.
    stale: Table<K>,
}

/// Routes with their new attributes, and removed routes.
pub(crate) type Changed = (Vec<(Nlri, Arc<PathAttributes>)>, Vec<Nlri>);

impl AdjRibIn {
    /// An empty RIB.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a route, which is then not stale. Returns true if that changed anything.
    pub fn announce(&mut self, nlri: Nlri, attributes: &Arc<PathAttributes>) -> bool {
        let Nlri { prefix, path_id } = nlri;
        if let Some(key) = Key4::new(prefix, path_id) {
            return self.v4.announce(key, attributes);
        }
        Key6::new(prefix, path_id).is_some_and(|key| self.v6.announce(key, attributes))
    }

    /// Adds or replaces a route that is stale. Returns true if that changed anything but the mark.
    pub(crate) fn announce_stale(&mut self, nlri: Nlri, attributes: &Arc<PathAttributes>) -> bool {
        let Nlri { prefix, path_id } = nlri;
        if let Some(key) = Key4::new(prefix, path_id) {
            return self.v4.announce_stale(key, attributes);
        }
        Key6::new(prefix, path_id).is_some_and(|key| self.v6.announce_stale(key, attributes))
    }

    /// Removes a route. Returns true if there was one.
    pub fn withdraw(&mut self, nlri: &Nlri) -> bool {
        let Nlri { prefix, path_id } = *nlri;
        if let Some(key) = Key4::new(prefix, path_id) {
            return self.v4.withdraw(key);
        }
        Key6::new(prefix, path_id).is_some_and(|key| self.v6.withdraw(key))
    }

    /// Makes the first of the gathered changes, at most `most` of them. Returns the changed and the removed routes.
    pub(crate) fn apply(&mut self, gathered: &mut Gathered, most: usize) -> Changed {
        let mut changed = Changed::default();
        gathered.sort();
        let v4 = std::iter::from_fn(|| gathered.next4());
        let made = self.v4.apply(v4.take(most), &mut changed);
        let v6 = std::iter::from_fn(|| gathered.next6());
        self.v6.apply(v6.take(most - made), &mut changed);
        gathered.end_if_empty();
        changed
    }

    /// Removes and returns all routes.
    pub fn clear(&mut self) -> Vec<Nlri> {
        let Self { v4, v6 } = std::mem::take(self);
        v4.routes.iter().map(nlri).chain(v6.routes.iter().map(nlri)).collect()
    }

    /// Removes and returns all routes of a family.
    pub fn clear_family(&mut self, family: AfiSafi) -> Vec<Nlri> {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.clear(),
            AfiSafi::IPV6_UNICAST => self.v6.clear(),
            _ => Vec::new(),
        }
    }

    /// Marks every route of the family as stale.
    pub fn mark_stale(&mut self, family: AfiSafi) {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.stale = self.v4.routes.clone(),
            AfiSafi::IPV6_UNICAST => self.v6.stale = self.v6.routes.clone(),
            _ => {}
        }
    }

    /// Removes and returns the routes of the family that are still stale.
    pub fn remove_stale(&mut self, family: AfiSafi) -> Vec<Nlri> {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.remove_stale(),
            AfiSafi::IPV6_UNICAST => self.v6.remove_stale(),
            _ => Vec::new(),
        }
    }

    /// Changes the attributes of the family's stale routes, or removes the routes for which `change` returns `None`. The others
    /// stay stale. Returns the changed and the removed routes.
    pub(crate) fn change_stale(
        &mut self,
        family: AfiSafi,
        change: impl FnMut(&Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Changed {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.change_stale(change),
            AfiSafi::IPV6_UNICAST => self.v6.change_stale(change),
            _ => Default::default(),
        }
    }

    /// The number of stale routes of the family.
    #[must_use]
    pub fn stale(&self, family: AfiSafi) -> usize {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.stale.len(),
            AfiSafi::IPV6_UNICAST => self.v6.stale.len(),
            _ => 0,
        }
    }

    /// The attributes of the route to `prefix`, or of the path with the lowest identifier if there are several.
    #[must_use]
    pub fn get(&self, prefix: &IpNet) -> Option<&Arc<PathAttributes>> {
        if let Some(key) = Key4::new(*prefix, 0) {
            return Some(self.v4.routes.first_of(key)?.1);
        }
        Some(self.v6.routes.first_of(Key6::new(*prefix, 0)?)?.1)
    }

    /// The routes in the order of prefixes. A prefix occurs once for each path to it.
    #[must_use]
    pub fn iter(&self) -> RouteIter<'_> {
        RouteIter::new(&self.v4.routes, &self.v6.routes)
    }

    /// All routes as they are now. The set shares them with this RIB, so that taking it costs nothing.
    #[must_use]
    pub fn routes(&self) -> RouteSet {
        RouteSet { v4: self.v4.routes.clone(), v6: self.v6.routes.clone() }
    }

    /// The routes from a prefix on, or from the first one.
    ///
    /// A page has at most `most` routes, at least one unless there are no more, and making it takes time in proportion to
    /// that number. Between two pages routes may change, so that the pages together are no snapshot.
    #[must_use]
    pub fn page(&self, from: Option<Nlri>, most: usize) -> InPage {
        let (v4, v6) = (&self.v4.routes, &self.v6.routes);
        let (v4, v6) = match from {
            None => (v4.iter(), v6.iter()),
            Some(Nlri { prefix, path_id }) => {
                match (Key4::new(prefix, path_id), Key6::new(prefix, path_id)) {
                    (Some(key), _) => (v4.starting_at(key), v6.iter()),
                    (None, Some(key)) => (TableIter::default(), v6.starting_at(key)),
                    (None, None) => return InPage::default(),
                }
            }
        };

        let v4 = v4.map(|(key, attributes)| self.v4.listed(key, attributes));
        let v6 = v6.map(|(key, attributes)| self.v6.listed(key, attributes));
        let mut listed = v4.chain(v6);
        let routes = listed.by_ref().take(most.max(1)).collect();
        let next = listed.next().map(|route| Nlri { prefix: route.prefix, path_id: route.path_id });
        InPage { routes, next }
    }

    /// The number of routes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.routes.len() + self.v6.routes.len()
    }

    /// The number of routes of `family`.
    #[must_use]
    pub fn len_of(&self, family: AfiSafi) -> usize {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.routes.len(),
            AfiSafi::IPV6_UNICAST => self.v6.routes.len(),
            _ => 0,
        }
    }

    /// Returns true if there are no routes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> IntoIterator for &'a AdjRibIn {
    type Item = (IpNet, &'a Arc<PathAttributes>);
    type IntoIter = RouteIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: Key> Default for FamilyRoutes<K> {
    fn default() -> Self {
        Self { routes: Table::default(), stale: Table::default() }
    }
}

impl<K: Key> FamilyRoutes<K> {
    fn announce(&mut self, key: K, attributes: &Arc<PathAttributes>) -> bool {
        if !self.stale.is_empty() {
            self.stale.remove(key);
        }
        let before = self.routes.insert(key, Arc::clone(attributes));
        before.is_none_or(|before| before != *attributes)
    }

    fn announce_stale(&mut self, key: K, attributes: &Arc<PathAttributes>) -> bool {
        let is_changed = self.announce(key, attributes);
        self.stale.insert(key, Arc::clone(attributes));
        is_changed
    }

    /// Makes changes, and returns their number.
    fn apply(
        &mut self,
        changes: impl Iterator<Item = KeyChange<K>>,
        (announced, withdrawn): &mut Changed,
    ) -> usize {
        let Self { routes, stale } = self;
        let mut number = 0;
        let changes = changes.map(|(key, attributes)| {
            if !stale.is_empty() {
                stale.remove(key);
            }
            number += 1;
            let [kept, reported] = attributes.map_or([None, None], |twice| twice.map(Some));
            (key, kept, reported)
        });
        routes.change_all(changes, |key, reported, before| match (reported, before) {
            (Some(new), before) if before.as_ref() != Some(&new) => {
                announced.push((nlri((key, ())), new));
            }
            (None, Some(_)) => withdrawn.push(nlri((key, ()))),
            _ => {}
        });
        number
    }

    fn withdraw(&mut self, key: K) -> bool {
        if !self.stale.is_empty() {
            self.stale.remove(key);
        }
        self.routes.remove(key).is_some()
    }

    fn listed(&self, key: K, attributes: &Arc<PathAttributes>) -> InRoute {
        InRoute {
            prefix: key.prefix(),
            path_id: key.path_id(),
            is_stale: self.stale.get(key).is_some(),
            attributes: Arc::clone(attributes),
        }
    }

    fn clear(&mut self) -> Vec<Nlri> {
        std::mem::take(self).routes.iter().map(nlri).collect()
    }

    fn remove_stale(&mut self) -> Vec<Nlri> {
        let stale = std::mem::take(&mut self.stale);
        for (key, _) in stale.iter() {
            self.routes.remove(key);
        }
        stale.iter().map(nlri).collect()
    }

    fn change_stale(
        &mut self,
        mut change: impl FnMut(&Arc<PathAttributes>) -> Option<Arc<PathAttributes>>,
    ) -> Changed {
        let (mut announced, mut withdrawn) = Changed::default();
        let before = std::mem::take(&mut self.stale);

        for (key, attributes) in before.iter() {
            let Some(new) = change(attributes) else {
                self.routes.remove(key);
                withdrawn.push(nlri((key, ())));
                continue;
            };

            if new != *attributes {
                announced.push((nlri((key, ())), Arc::clone(&new)));
                self.routes.insert(key, Arc::clone(&new));
            }
            self.stale.insert(key, new);
        }
        (announced, withdrawn)
    }
}

fn nlri<K: Key, T>((key, _): (K, T)) -> Nlri {
    Nlri { prefix: key.prefix(), path_id: key.path_id() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All routes, in pages of this size, as text.
    fn listed(rib: &AdjRibIn, size: usize) -> Vec<String> {
        let (mut listed, mut from) = (Vec::new(), None);
        loop {
            let page = rib.page(from, size);
            assert!(page.routes.len() <= size && (!page.routes.is_empty() || rib.is_empty()));
            listed.extend(page.routes.iter().map(|route| {
                let InRoute { prefix, path_id, is_stale, attributes } = route;
                let stale = if *is_stale { " stale" } else { "" };
                format!("{prefix} {path_id} {}{stale}", attributes.med.unwrap_or_default())
            }));
            match page.next {
                Some(next) => from = Some(next),
                None => return listed,
            }
        }
    }

    #[test]
    fn pages_of_any_size_have_each_route_once_in_order() {
        let mut rib = AdjRibIn::new();
        assert_eq!(listed(&rib, 3), [""; 0]);
        let routes = [
            ("10.0.0.0/8", 0),
            ("10.0.0.0/9", 1),
            ("10.0.0.0/9", 7),
            ("192.0.2.0/24", 0),
            ("::/0", 0),
            ("2001:db8::/32", 2),
        ];
        for ((prefix, path_id), med) in routes.iter().zip(0..) {
            let nlri = Nlri { prefix: prefix.parse().unwrap(), path_id: *path_id };
            let attributes = PathAttributes { med: Some(med), ..PathAttributes::default() };
            assert!(rib.announce(nlri, &Arc::new(attributes)));
        }

        let expected = [
            "10.0.0.0/8 0 0",
            "10.0.0.0/9 1 1",
            "10.0.0.0/9 7 2",
            "192.0.2.0/24 0 3",
            "::/0 0 4",
            "2001:db8::/32 2 5",
        ];
        for size in 1..=routes.len() + 1 {
            assert_eq!(listed(&rib, size), expected, "{size}");
        }

        // A start between two routes, and one behind the last.
        let page = |from: &str| rib.page(Some(from.parse::<IpNet>().unwrap().into()), 1);
        assert_eq!(page("172.16.0.0/12").routes[0].prefix.to_string(), "192.0.2.0/24");
        assert_eq!(page("224.0.0.0/4").routes[0].prefix.to_string(), "::/0");
        assert_eq!(page("ff00::/8"), InPage::default());
    }

    #[test]
    fn the_changes_between_two_states_lead_from_one_to_the_other() {
        let mut rib = AdjRibIn::new();
        let attributes = |med| Arc::new(PathAttributes { med, ..PathAttributes::default() });
        let nlri = |n: u32| Nlri {
            prefix: IpNet::new(std::net::IpAddr::from((n << 8).to_be_bytes()), 24).unwrap(),
            path_id: 0,
        };
        let v6 = Nlri { prefix: "2001:db8::/32".parse().unwrap(), path_id: 7 };
        for n in 0..2_000 {
            rib.announce(nlri(n), &attributes(None));
        }
        rib.announce(v6, &attributes(None));
        let before = rib.routes();
        assert_eq!(before.changes_since(&before).count(), 0);
        assert_eq!(before.changes_since(&RouteSet::new()).count(), 2_001);

        rib.withdraw(&nlri(5));
        rib.announce(nlri(700), &attributes(Some(1)));
        rib.announce(nlri(3_000), &attributes(Some(2)));
        rib.withdraw(&v6);
        // One route that is announced again as it was.
        rib.announce(nlri(900), &attributes(None));

        let after = rib.routes();
        let changes: Vec<_> =
            after.changes_since(&before).map(|(at, new)| (at, new.map(|new| new.med))).collect();
        let expected =
            [(nlri(5), None), (nlri(700), Some(Some(1))), (nlri(3_000), Some(Some(2))), (v6, None)];
        assert_eq!(changes, expected);
    }

    #[test]
    fn stale_routes_are_listed_so_until_they_are_announced_again() {
        let mut rib = AdjRibIn::new();
        let attributes = Arc::new(PathAttributes::default());
        let nlri = |text: &str| Nlri::from(text.parse::<IpNet>().unwrap());
        for prefix in ["10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32"] {
            rib.announce(nlri(prefix), &attributes);
        }
        rib.mark_stale(AfiSafi::IPV4_UNICAST);
        rib.announce(nlri("10.0.0.0/8"), &attributes);
        let expected = ["10.0.0.0/8 0 0", "192.0.2.0/24 0 0 stale", "2001:db8::/32 0 0"];
        assert_eq!(listed(&rib, 2), expected);
    }
}
