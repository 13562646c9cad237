//! Decides what a node announces to which peer, and says why for everything that it does not.
//!
//! ```text
//! for each Service:  service_routes  -> announcements, or the first gate that stopped it
//! for each peer:     the announcements of all Services, joined by prefix -> PlannedRoute
//! for a test or a lab: expected_router_table, what the router then holds from all nodes
//! ```
//!
//! Everything here is deterministic: no file, no clock, no network, and the same answer for the
//! same input in any order. A [`Plan`] is brought up to date Service by Service, and the work for one
//! does not grow with the number of the others: a route knows which Services it is for. What has been
//! told to a peer already is not known here.
//!
//! Reasons are not kept: [`service_routes`], which makes the routes, says them again when asked.

mod endpoints;
mod hints;
mod join;
mod own;
mod reason;
mod router;
mod scene;
mod service;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgp_core::rib::{Route, RouteSet};
use bgp_core::wire::PathAttributes;
use ipnet::IpNet;

use crate::compact;
use crate::intern::Interner;
use crate::model::{IpFamily, Peer, ServiceKey};

use join::{Maker, Part};

pub(crate) use endpoints::is_usable;
pub use endpoints::{Count, Endpoints};
pub use join::{Note, PlannedRoute, Preferred};
pub(crate) use own::is_read;
pub use own::{Complaint, Own, Why, Wishes};
pub use reason::{Gate, NotAnnounced, Reason};
pub use router::{Difference, RouterPath, RouterTable, expected_router_table, session_next_hop};
pub use scene::{Options, Probed, Scene, Subject};
pub use service::{Announcement, ServiceRoutes, service_routes};

/// What one node announces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The node, and what holds for all Services on it.
    pub scene: Scene,
    /// The peers that the node speaks to, in the order configured.
    pub peers: Vec<PeerPlan>,
    /// Where each Service is announced: positions in `peers`, and prefixes. Those that are announced
    /// nowhere are not in it.
    services: BTreeMap<ServiceKey, Box<[Changed]>>,
    /// What the parts of routes have in common.
    advertisements: Interner<[usize]>,
}

/// What a node announces to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerPlan {
    /// The peer, as it is configured.
    pub peer: Peer,
    /// The routes.
    pub routes: BTreeMap<IpNet, PlannedRoute>,
    /// The attributes of its routes.
    shared: Interner<PathAttributes>,
}

/// A route that has changed: the position of its peer in [`Plan::peers`], and its prefix.
pub type Changed = (usize, IpNet);

impl Plan {
    /// A node that announces nothing yet.
    pub fn new(scene: Scene) -> Self {
        let mut plan = Self {
            scene,
            peers: Vec::new(),
            services: BTreeMap::new(),
            advertisements: Interner::default(),
        };
        plan.peers = plan.peers_of(&mut BTreeMap::new());
        plan
    }

    /// Puts the node in another scene. Every Service is then to be updated, and those that are gone
    /// removed; until then it announces what it did.
    pub fn set_scene(&mut self, scene: Scene) {
        let before = std::mem::take(&mut self.peers);
        let mut before: BTreeMap<_, _> =
            before.into_iter().map(|plan| (plan.peer.name.clone(), plan)).collect();
        self.scene = scene;
        self.peers = self.peers_of(&mut before);
        let mut services: BTreeMap<ServiceKey, Vec<Changed>> = BTreeMap::new();
        for (at, peer) in self.peers.iter().enumerate() {
            for (prefix, route) in &peer.routes {
                for part in route.parts() {
                    services.entry(part.service.clone()).or_default().push((at, *prefix));
                }
            }
        }
        let boxed = |(key, routes): (_, Vec<Changed>)| (key, routes.into_boxed_slice());
        self.services = services.into_iter().map(boxed).collect();
    }

    /// The plans for the peers that the node speaks to, with the routes of those there were.
    fn peers_of(&self, before: &mut BTreeMap<String, PeerPlan>) -> Vec<PeerPlan> {
        let peers = self.scene.config.iter().flat_map(|config| &config.peers);
        let peers = peers.filter(|peer| peer.selects(&self.scene.node.labels));
        let plan = |peer: &Peer| match before.remove(&peer.name) {
            Some(plan) => PeerPlan { peer: peer.clone(), ..plan },
            None => PeerPlan {
                peer: peer.clone(),
                routes: BTreeMap::new(),
                shared: Interner::default(),
            },
        };
        peers.map(plan).collect()
    }

    /// The Services that are announced to somebody.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys()
    }

    /// The names of the peers that a Service is announced to.
    pub fn peers_of_service(&self, key: &ServiceKey) -> impl Iterator<Item = &str> {
        let routes = self.services.get(key).map_or(&[][..], |routes| routes);
        routes.iter().filter_map(|(at, _)| Some(self.peers.get(*at)?.peer.name.as_str()))
    }

    /// A node with all of its Services, in any order.
    pub fn of<'a>(scene: Scene, services: impl IntoIterator<Item = Subject<'a>>) -> Self {
        let mut plan = Self::new(scene);
        services.into_iter().for_each(|subject| drop(plan.update(&subject)));
        plan
    }

    /// The name of the node.
    pub fn node(&self) -> &str {
        &self.scene.node.name
    }

    /// Takes in a Service that is new, or about which something has changed.
    pub fn update(&mut self, subject: &Subject<'_>) -> BTreeSet<Changed> {
        let Some(config) = self.scene.config.clone() else {
            return self.remove(&subject.service.key);
        };
        let announced = service_routes(&self.scene, subject).announced;
        let key = &subject.service.key;
        let before = self.services.remove(key).unwrap_or_default();
        let mut now = Vec::with_capacity(announced.len());
        let mut changed = BTreeSet::new();
        for announcement in announced {
            let peer = config.peers.get(announcement.peer);
            let at =
                peer.and_then(|peer| self.peers.iter().position(|it| it.peer.name == peer.name));
            let Some(at) = at else { continue };
            let prefix = announcement.prefix;
            if now.contains(&(at, prefix)) {
                continue;
            }
            now.push((at, prefix));
            let service = key.clone();
            let advertisements = self.advertisements.intern(announcement.advertisements);
            let mut part = Part { service, advertisements, own: announcement.own };
            self.settle_bandwidth(at, prefix, &mut part);
            if self.put(at, prefix, part) {
                changed.insert((at, prefix));
            }
        }
        for (at, prefix) in before.iter().filter(|it| !now.contains(it)) {
            if self.take(*at, prefix, key) {
                changed.insert((*at, *prefix));
            }
        }
        if !now.is_empty() {
            self.services.insert(key.clone(), now.into_boxed_slice());
        }
        changed
    }

    /// Makes the most of the memory, when many Services have been updated at once.
    pub(crate) fn pack(&mut self) {
        compact::pack(&mut self.services);
        self.peers.iter_mut().for_each(|peer| compact::pack(&mut peer.routes));
    }

    /// Forgets a Service.
    pub fn remove(&mut self, key: &ServiceKey) -> BTreeSet<Changed> {
        let before = self.services.remove(key).unwrap_or_default();
        let mut changed = BTreeSet::new();
        for (at, prefix) in before {
            if self.take(at, &prefix, key) {
                changed.insert((at, prefix));
            }
        }
        changed
    }

    /// The prefixes that a Service is announced with, and the positions of the peers that get them.
    pub fn announced(&self, key: &ServiceKey) -> &[Changed] {
        self.services.get(key).map_or(&[][..], |routes| routes)
    }

    /// What there is to say about the routes to a peer.
    pub fn notes(&self, peer: &PeerPlan) -> BTreeSet<Note> {
        let Some(config) = self.scene.config.as_deref() else { return BTreeSet::new() };
        let maker = Maker { config, peer: &peer.peer, next_hop: None };
        peer.routes.iter().flat_map(|(prefix, route)| maker.notes(*prefix, route)).collect()
    }

    /// A bandwidth that has moved by less than its hysteresis stays what the routers know.
    fn settle_bandwidth(&self, at: usize, prefix: IpNet, part: &mut Part) {
        let told = |part: &Part| part.own.as_deref()?.bandwidth;
        let route = self.peers.get(at).and_then(|peer| peer.routes.get(&prefix));
        let before = route.and_then(|route| told(route.part(&part.service)?));
        let (Some((before, _)), Some((now, hysteresis))) = (before, told(part)) else { return };
        let moved = u128::from(now.abs_diff(before)) * 100;
        let slight = before > 0 && now > 0 && moved < u128::from(before) * u128::from(hysteresis);
        if let (true, Some(own)) = (slight, &mut part.own) {
            Arc::make_mut(own).bandwidth = Some((before, hysteresis));
        }
    }

    /// Says whether the route is another one now.
    fn put(&mut self, at: usize, prefix: IpNet, part: Part) -> bool {
        let Some(peer) = self.peers.get_mut(at) else { return false };
        let mut is_new = false;
        match peer.routes.get_mut(&prefix) {
            Some(route) => route.put(part),
            None => {
                is_new = true;
                let attributes = peer.shared.intern(PathAttributes::default());
                peer.routes.insert(prefix, PlannedRoute::of(part, attributes));
            }
        }
        self.make(at, &prefix) || is_new
    }

    fn take(&mut self, at: usize, prefix: &IpNet, service: &ServiceKey) -> bool {
        let Some(peer) = self.peers.get_mut(at) else { return false };
        let Some(route) = peer.routes.get_mut(prefix) else { return false };
        if route.take(service) {
            return self.make(at, prefix);
        }
        peer.routes.remove(prefix);
        true
    }

    /// Makes the attributes of a route; says whether they are others.
    fn make(&mut self, at: usize, prefix: &IpNet) -> bool {
        let (Some(peer), Some(config)) = (self.peers.get_mut(at), &self.scene.config) else {
            return false;
        };
        let family = IpFamily::of(prefix.addr());
        let next_hop = service::next_hop(&self.scene, &peer.peer, family);
        let maker = Maker { config, peer: &peer.peer, next_hop: next_hop.ok().flatten() };
        let Some(route) = peer.routes.get_mut(prefix) else { return false };
        let attributes = maker.attributes(route);
        if **route.attributes() == attributes {
            return false;
        }
        route.set_attributes(peer.shared.intern(attributes));
        true
    }
}

impl PeerPlan {
    /// The routes as a session takes them. Equal attributes are one value, which all their routes
    /// share.
    pub fn route_set(&self) -> RouteSet {
        let route = |(prefix, route): (&IpNet, &PlannedRoute)| {
            Route::with_attributes(*prefix, Arc::clone(route.attributes()))
        };
        self.routes.iter().map(route).collect()
    }
}
