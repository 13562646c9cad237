//! The plan of a node: the routes to each of its peers.
//!
//! Owns which Service contributes to which route, and reports the routes that an update changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgp_core::rib::{Route, RouteSet};
use bgp_core::wire::PathAttributes;
use ipnet::IpNet;

use crate::compact;
use crate::model::Interner;
use crate::model::{IpFamily, Peer, ServiceKey};

use super::node_context::{NodeContext, ServiceInput};
use super::planned_route::{Contribution, PlannedRoute};
use super::route_builder::{AttributeWarning, RouteBuilder};
use super::service_routes::{Announcement, next_hop, service_routes};

/// The routes that one node announces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The node, and the state that is the same for all Services on it.
    pub context: NodeContext,
    /// The node's peers, in the order configured.
    pub peers: Vec<PeerPlan>,
    /// The position in `peers` of each peer of the configuration, if it is one of the node's.
    positions: Vec<Option<usize>>,
    /// The routes of each announced Service.
    services: BTreeMap<ServiceKey, Box<[RoutePosition]>>,
    /// The lists of advertisements that contributions have in common.
    advertisements: Interner<[usize]>,
}

/// The routes that a node announces to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerPlan {
    /// The peer, as configured.
    pub peer: Peer,
    /// The routes.
    pub routes: BTreeMap<IpNet, PlannedRoute>,
    /// The peer's name, shared by the keys of its routes.
    name: Arc<str>,
    /// The attributes that routes have in common.
    attributes: Interner<PathAttributes>,
}

/// The key of a route in a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RouteKey {
    /// The name of the peer.
    pub peer: Arc<str>,
    /// The prefix.
    pub prefix: IpNet,
}

/// A route in a plan, as the position of its peer in [`Plan::peers`] and its prefix. It takes less memory than a
/// [`RouteKey`], but is not valid outside of the plan, since positions change with the context.
type RoutePosition = (usize, IpNet);

impl Plan {
    /// Makes the plan of a node that announces nothing yet.
    pub fn new(context: NodeContext) -> Self {
        let (peers, positions) = peer_plans(&context, &mut BTreeMap::new());
        let (services, advertisements) = (BTreeMap::new(), Interner::default());
        Self { context, peers, positions, services, advertisements }
    }

    /// Makes the plan of a node with all of its Services, in any order.
    pub fn of<'a>(
        context: NodeContext,
        services: impl IntoIterator<Item = ServiceInput<'a>>,
    ) -> Self {
        let mut plan = Self::new(context);
        for input in services {
            plan.update(&input);
        }
        plan
    }

    /// Replaces the context of the node.
    ///
    /// The caller must then update every Service, and remove those that are gone. Until then the node announces its
    /// former routes.
    pub(crate) fn set_context(&mut self, context: NodeContext) {
        let mut before = BTreeMap::new();
        for peer_plan in std::mem::take(&mut self.peers) {
            before.insert(peer_plan.peer.name.clone(), peer_plan);
        }
        (self.peers, self.positions) = peer_plans(&context, &mut before);
        self.context = context;

        // The positions of the peers have changed.
        let mut services: BTreeMap<ServiceKey, Vec<RoutePosition>> = BTreeMap::new();
        for (position, peer_plan) in self.peers.iter().enumerate() {
            for (prefix, route) in &peer_plan.routes {
                for service in route.services() {
                    services.entry(service.clone()).or_default().push((position, *prefix));
                }
            }
        }
        self.services =
            services.into_iter().map(|(key, routes)| (key, routes.into_boxed_slice())).collect();
    }

    /// Returns the name of the node.
    pub fn node(&self) -> &str {
        &self.context.node.name
    }

    /// Returns the Services that are announced to at least one peer.
    pub fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys()
    }

    /// Returns the plan for the peer of this name.
    pub fn peer(&self, name: &str) -> Option<&PeerPlan> {
        self.peers.iter().find(|peer_plan| *peer_plan.name == *name)
    }

    /// Returns true if a Service is announced to at least one peer.
    pub fn is_announced(&self, key: &ServiceKey) -> bool {
        self.services.contains_key(key)
    }

    /// Returns the routes of a Service: the peer and the prefix of each.
    pub fn announced(&self, key: &ServiceKey) -> impl Iterator<Item = (&PeerPlan, IpNet)> {
        let routes = self.services.get(key).map_or(&[][..], |routes| routes);
        routes.iter().filter_map(|(position, prefix)| Some((self.peers.get(*position)?, *prefix)))
    }

    /// Returns true if the node announces a prefix to the peer at this position for another Service, without a lower
    /// preference.
    pub(crate) fn is_announced_for_another(
        &self,
        peer: usize,
        prefix: IpNet,
        service: &ServiceKey,
    ) -> bool {
        let Some(Some(position)) = self.positions.get(peer) else { return false };
        let Some(plan) = self.peers.get(*position) else { return false };
        let Some(route) = plan.routes.get(&prefix) else { return false };
        !route.is_depreferenced() && route.services().any(|other| other != service)
    }

    /// Returns the warnings about the routes to a peer.
    pub fn warnings(&self, peer_plan: &PeerPlan) -> BTreeSet<AttributeWarning> {
        let Some(config) = self.context.config.as_deref() else { return BTreeSet::new() };
        let builder = RouteBuilder { config, peer: &peer_plan.peer, next_hop: None };
        let routes = peer_plan.routes.iter();
        routes.flat_map(|(prefix, route)| builder.warnings(*prefix, route)).collect()
    }

    /// Adds or updates a Service, and returns the routes that changed.
    pub fn update(&mut self, input: &ServiceInput<'_>) -> BTreeSet<RouteKey> {
        let key = &input.service.key;
        let announced = service_routes(&self.context, input).announced;
        let before = self.services.remove(key).unwrap_or_default();

        let mut now = Vec::with_capacity(announced.len());
        let mut changed = BTreeSet::new();
        for announcement in announced {
            let Some(route) = self.position_of(&announcement) else { continue };
            // Two addresses of the Service may lie in one aggregate. The announcements to a peer follow each other.
            let mut to_peer = now.iter().rev().take_while(|(position, _)| *position == route.0);
            if to_peer.any(|other| *other == route) {
                continue;
            }
            now.push(route);
            if self.add_contribution(route, key, announcement) {
                changed.extend(self.key_of(route));
            }
        }

        if *before != *now {
            let kept: BTreeSet<_> = now.iter().copied().collect();
            for route in before {
                if !kept.contains(&route) && self.remove_contribution(route, key) {
                    changed.extend(self.key_of(route));
                }
            }
        }
        if !now.is_empty() {
            self.services.insert(key.clone(), now.into_boxed_slice());
        }
        changed
    }

    /// Removes a Service, and returns the routes that changed.
    pub fn remove(&mut self, key: &ServiceKey) -> BTreeSet<RouteKey> {
        let mut changed = BTreeSet::new();
        for route in self.services.remove(key).unwrap_or_default() {
            if self.remove_contribution(route, key) {
                changed.extend(self.key_of(route));
            }
        }
        changed
    }

    /// Frees memory after many Services were updated at once.
    pub(crate) fn pack(&mut self) {
        compact::pack(&mut self.services);
        for peer_plan in &mut self.peers {
            compact::pack(&mut peer_plan.routes);
        }
    }

    fn key_of(&self, (position, prefix): RoutePosition) -> Option<RouteKey> {
        let peer = Arc::clone(&self.peers.get(position)?.name);
        Some(RouteKey { peer, prefix })
    }

    /// Returns the position of the announced route. An announcement names its peer by the index in the configuration.
    fn position_of(&self, announcement: &Announcement) -> Option<RoutePosition> {
        let position = *self.positions.get(announcement.peer)?;
        Some((position?, announcement.prefix))
    }

    /// Adds or replaces the contribution of a Service to a route. Returns true if the route changed.
    fn add_contribution(
        &mut self,
        (position, prefix): RoutePosition,
        service: &ServiceKey,
        announcement: Announcement,
    ) -> bool {
        let mut contribution = Contribution {
            service: service.clone(),
            advertisements: self.advertisements.intern(announcement.advertisements),
            attributes: announcement.attributes,
        };
        let Some(peer_plan) = self.peers.get_mut(position) else { return false };

        let mut is_new = false;
        match peer_plan.routes.get_mut(&prefix) {
            Some(route) => {
                keep_bandwidth_if_close(route, &mut contribution);
                route.insert(contribution);
            }
            None => {
                is_new = true;
                let attributes = peer_plan.attributes.intern(PathAttributes::default());
                peer_plan.routes.insert(prefix, PlannedRoute::of(contribution, attributes));
            }
        }
        self.rebuild_attributes((position, prefix)) || is_new
    }

    /// Removes the contribution of a Service to a route. Returns true if the route changed.
    fn remove_contribution(
        &mut self,
        (position, prefix): RoutePosition,
        service: &ServiceKey,
    ) -> bool {
        let Some(peer_plan) = self.peers.get_mut(position) else { return false };
        let Some(route) = peer_plan.routes.get_mut(&prefix) else { return false };

        route.remove(service);
        if route.is_empty() {
            peer_plan.routes.remove(&prefix);
            return true;
        }
        self.rebuild_attributes((position, prefix))
    }

    /// Rebuilds the attributes of a route. Returns true if they changed.
    fn rebuild_attributes(&mut self, (position, prefix): RoutePosition) -> bool {
        let Some(config) = &self.context.config else { return false };
        let Some(peer_plan) = self.peers.get_mut(position) else { return false };
        let Some(route) = peer_plan.routes.get_mut(&prefix) else { return false };

        let peer = &peer_plan.peer;
        let next_hop = next_hop(&self.context, peer, IpFamily::of(prefix.addr()));
        let builder = RouteBuilder { config, peer, next_hop: next_hop.ok().flatten() };
        let attributes = builder.attributes(route);

        if **route.attributes() == attributes {
            return false;
        }
        route.set_attributes(peer_plan.attributes.intern(attributes));
        true
    }
}

/// Returns the plans for the peers of a node, and the position among them of each peer of the configuration. A peer that had a
/// plan before keeps its routes.
fn peer_plans(
    context: &NodeContext,
    before: &mut BTreeMap<String, PeerPlan>,
) -> (Vec<PeerPlan>, Vec<Option<usize>>) {
    let (mut plans, mut positions) = (Vec::new(), Vec::new());
    for peer in context.config.iter().flat_map(|config| &config.peers) {
        let is_selected = peer.selects(&context.node.labels);
        positions.push(is_selected.then_some(plans.len()));
        if !is_selected {
            continue;
        }
        let peer = peer.clone();
        plans.push(match before.remove(&peer.name) {
            Some(plan) => PeerPlan { peer, ..plan },
            None => PeerPlan {
                name: Arc::from(peer.name.as_str()),
                peer,
                routes: BTreeMap::new(),
                attributes: Interner::default(),
            },
        });
    }
    (plans, positions)
}

/// Keeps the current bandwidth of a route if the new one differs by less than the hysteresis.
fn keep_bandwidth_if_close(route: &PlannedRoute, contribution: &mut Contribution) {
    let Some(former) = route.contribution_of(&contribution.service) else { return };
    let Some((before, _)) = bandwidth(former) else { return };
    let Some((now, hysteresis)) = bandwidth(contribution) else { return };

    let change = u128::from(now.abs_diff(before)) * 100;
    let is_close = before > 0 && now > 0 && change < u128::from(before) * u128::from(hysteresis);
    if is_close && let Some(attributes) = &mut contribution.attributes {
        Arc::make_mut(attributes).bandwidth = Some((before, hysteresis));
    }
}

fn bandwidth(contribution: &Contribution) -> Option<(u64, u8)> {
    contribution.attributes.as_deref()?.bandwidth
}

impl PeerPlan {
    /// Returns the routes for the session. Routes with equal attributes share one value.
    pub fn route_set(&self) -> RouteSet {
        self.routes
            .iter()
            .map(|(prefix, route)| Route::with_attributes(*prefix, Arc::clone(route.attributes())))
            .collect()
    }
}
