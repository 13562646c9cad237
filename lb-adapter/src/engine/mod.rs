//! From objects to what each node should announce: the one path that every way of running shares.
//!
//! ```text
//! a Change, or all Manifests  --->  rows  --->  Allocator  --->  a Plan for each node
//! ```
//!
//! Owns what is known, and brings addresses and plans up to date with each change of it: the work for
//! one changed Service does not grow with the number of the others. It reads and writes no file and
//! opens no session.

mod label;
mod packed;
mod pools;
#[cfg(test)]
mod pools_tests;
mod probe_target;
mod rows;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator::{Allocator, Changes, Event, EventReason, HeldAddresses, check_served};
use crate::manifest::Manifests;
use crate::model::{Config, EndpointSlice, Namespace, Node, Service, ServiceKey};
use crate::planner::{self, Changed, Complaint, Endpoints, Plan, Probed, Scene, Subject, Wishes};

use pools::Strays;
use rows::Rows;
use view::holding;

pub use label::{identifier, peer_label};
pub use probe_target::ProbeTarget;

/// Turns objects into addresses and plans.
#[derive(Debug, Default)]
pub struct Engine {
    options: planner::Options,
    /// The one node that is planned for; all if none is named.
    node: Option<String>,
    rows: Rows,
    config: Option<Arc<Config>>,
    /// The same with the pools that are gone but whose addresses are still held. Plans are made of it.
    planned: Option<Arc<Config>>,
    strays: Strays,
    synced: bool,
    allocator: Allocator,
    plans: BTreeMap<String, Plan>,
    probed: BTreeMap<(String, ServiceKey), Probed>,
    /// What has been said of annotations.
    complaints: BTreeMap<ServiceKey, Vec<Complaint>>,
    /// What was told of a status that a Service cannot keep.
    told: Vec<Event>,
    /// What is remembered of Services that are not known yet.
    remembered: HeldAddresses,
}

/// One thing that happened in the cluster.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// A valid configuration takes effect. Where it has no pool, Services keep what they hold until
    /// [`Change::GracePeriodOver`].
    Config(Arc<Config>),
    /// The grace period for addresses of pools that are gone is over. If there still is no pool, they are released.
    GracePeriodOver,
    /// A Service is new or has changed. With a status, that is what it holds from now on; without
    /// one it holds what it did.
    Service {
        /// The Service.
        service: Box<Service>,
        /// The addresses of its status, as written.
        status: Option<Vec<String>>,
    },
    /// A Service is gone.
    ServiceGone(ServiceKey),
    /// An EndpointSlice is new or has changed.
    Slice(EndpointSlice),
    /// An EndpointSlice is gone.
    SliceGone {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// An Endpoints object is new or has changed. It counts for a Service without slices.
    Endpoints(EndpointSlice),
    /// An Endpoints object, which has its Service's name, is gone.
    EndpointsGone(ServiceKey),
    /// A Node is new or has changed.
    Node(Node),
    /// A Node is gone.
    NodeGone(String),
    /// A Namespace is new or has changed.
    Namespace(Namespace),
    /// A Namespace is gone.
    NamespaceGone(String),
    /// All objects are known that there were at the start: from now on addresses are given out.
    Synced,
    /// A node has probed a Service, or does so no more.
    Probed {
        /// The node.
        node: String,
        /// The Service.
        service: ServiceKey,
        /// What it found.
        found: Option<Probed>,
    },
}

/// What followed from one change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Effects {
    /// What there is to tell about it.
    pub events: Vec<Event>,
    /// The Services whose addresses are no longer those they held: whose status is to be written.
    pub written: BTreeSet<ServiceKey>,
    /// The routes that are others now, by node, with the positions of the peers in its plan as it
    /// is now. Of peers, nodes and routes that went with a node or a configuration nothing is said:
    /// after such a change the plan is to be taken as a whole.
    pub routes: BTreeMap<String, BTreeSet<Changed>>,
    /// The Services that were planned anew one by one. After a change of a node or of the configuration all were.
    pub planned: BTreeSet<ServiceKey>,
}

impl Engine {
    /// For these nodes, or for all of them if none is named. Nothing is known yet, and nothing is
    /// given out before [`Change::Config`] and [`Change::Synced`].
    pub fn new(options: planner::Options, node: Option<String>) -> Self {
        let allocator = options.class.clone().map_or_else(Allocator::new, Allocator::for_class);
        let allocator = if options.follows { allocator.observing() } else { allocator };
        Self { options, node, allocator, ..Self::default() }
    }

    /// Remembers what Services hold that are yet to come: it counts before their status.
    #[must_use]
    pub fn remembering(mut self, held: HeldAddresses) -> Self {
        self.remembered = held;
        self
    }

    /// Takes in one change.
    pub fn apply(&mut self, change: Change) -> Effects {
        let mut effects = Effects::default();
        match change {
            Change::Config(config) => {
                self.set_config(config);
                self.everything(&mut effects);
            }
            Change::GracePeriodOver => {
                if self.end_grace_period() {
                    self.everything(&mut effects);
                }
            }
            Change::Service { service, status } => self.service(*service, status, &mut effects),
            Change::ServiceGone(key) => {
                self.rows.remove_service(&key);
                self.complaints.remove(&key);
                self.probed.retain(|(_, service), _| *service != key);
                if self.is_ready() {
                    let changes = self.allocator.remove(&key);
                    self.settle(changes, [key], &mut effects);
                }
            }
            Change::Slice(slice) => {
                let touched = self.rows.put_slice(slice);
                self.replan(&touched, &mut effects);
            }
            Change::SliceGone { namespace, name } => {
                let touched = self.rows.remove_slice(&namespace, &name).into_iter().collect();
                self.replan(&touched, &mut effects);
            }
            Change::Endpoints(object) => {
                self.rows.put_object(&object.service, Some(&object.endpoints));
                self.replan(&BTreeSet::from([object.service]), &mut effects);
            }
            Change::EndpointsGone(key) => {
                self.rows.put_object(&key, None);
                self.replan(&BTreeSet::from([key]), &mut effects);
            }
            Change::Node(node) => {
                let name = node.name.clone();
                self.rows.nodes.insert(name.clone(), node);
                self.plan_node(&name, &mut effects);
            }
            Change::NodeGone(name) => {
                self.rows.nodes.remove(&name);
                self.plans.remove(&name);
                self.probed.retain(|(node, _), _| *node != name);
            }
            Change::Namespace(namespace) => {
                let name = namespace.name.clone();
                self.rows.namespaces.insert(name.clone(), namespace);
                self.namespace(&name, &mut effects);
            }
            Change::NamespaceGone(name) => {
                self.rows.namespaces.remove(&name);
                self.namespace(&name, &mut effects);
            }
            Change::Synced => {
                self.synced = true;
                self.everything(&mut effects);
            }
            Change::Probed { node, service, found } => {
                let place = (node, service.clone());
                match found {
                    Some(found) => drop(self.probed.insert(place, found)),
                    None => drop(self.probed.remove(&place)),
                }
                self.replan(&BTreeSet::from([service]), &mut effects);
            }
        }
        if self.options.follows {
            // Whoever gives addresses out writes and tells.
            effects.events.clear();
            effects.written.clear();
        }
        effects
    }

    /// Takes in all objects at once, as files have them, in place of those that were known. A
    /// Service that was known holds what it did, whatever its manifest's status says.
    pub fn load(&mut self, manifests: Manifests) -> Effects {
        let Manifests { config, services, slices, nodes, namespaces, .. } = manifests;
        let known = self.rows.take_services();
        let mut by_status = BTreeSet::new();
        for mut service in services {
            let key = service.key.clone();
            let remembered = known.get(&key).map(|packed| packed.status_addresses());
            let remembered = remembered.filter(|status| !status.is_empty());
            let remembered =
                remembered.or_else(|| self.remembered.remove(&key).map(|it| texts(&it)));
            match remembered {
                Some(status) => service.status_addresses = status,
                None => drop(by_status.insert(key)),
            }
            self.rows.put_service(service);
        }
        self.rows.clear_endpoints();
        slices.into_iter().for_each(|slice| drop(self.rows.put_slice(slice)));
        self.rows.nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        let named = |namespace: Namespace| (namespace.name.clone(), namespace);
        self.rows.namespaces = namespaces.into_iter().map(named).collect();
        self.remembered.clear();
        self.set_config(Arc::new(config));
        self.synced = true;
        let mut effects = Effects::default();
        self.everything(&mut effects);
        self.tell_once(&by_status, &mut effects.events);
        effects
    }

    /// Forgets everything but the objects, as a process that starts anew. There is no configuration
    /// until one takes effect.
    pub fn restart(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let synced = self.synced;
        *self = Self::new(self.options.clone(), self.node.take());
        (self.rows, self.synced) = (rows, synced);
        self.everything(&mut Effects::default());
    }

    /// Whether addresses are given out.
    pub fn is_ready(&self) -> bool {
        self.synced && self.config.is_some()
    }

    fn service(
        &mut self,
        mut service: Service,
        status: Option<Vec<String>>,
        effects: &mut Effects,
    ) {
        let before = || self.rows.status_addresses(&service.key);
        let remembered = || self.remembered.get(&service.key).map(|it| texts(it));
        let status = status.or_else(before).or_else(remembered);
        service.status_addresses = status.unwrap_or_default();
        let key = self.rows.put_service(service);
        if self.is_ready() {
            self.allocate(&key, effects);
        }
    }

    /// Gives one Service its address, and plans it.
    fn allocate(&mut self, key: &ServiceKey, effects: &mut Effects) {
        let held = self.held_by_status(key, effects);
        let Some(service) = self.rows.service(key) else { return };
        let changes = self.allocator.upsert(&service, &held);
        self.settle(changes, [key.clone()], effects);
    }

    /// What a Service holds by its status; a status with what is no address is no status.
    fn held_by_status(&mut self, key: &ServiceKey, effects: &mut Effects) -> Vec<IpAddr> {
        let written = self.rows.status_addresses(key).unwrap_or_default();
        if let Some(held) = addresses(&written) {
            return held;
        }
        self.rows.set_status_addresses(key, Vec::new());
        let class = self.options.class.as_deref();
        if self.rows.service(key).is_some_and(|service| check_served(&service, class).is_ok()) {
            let message = format!("took back {}: expected IP addresses", written.join(" and "));
            effects.written.insert(key.clone());
            let (service, reason) = (key.clone(), EventReason::ClearAssignment);
            effects.events.push(Event { service, reason, message });
        }
        Vec::new()
    }

    /// Gives all Services their addresses, and plans all nodes.
    fn everything(&mut self, effects: &mut Effects) {
        if let (true, Some(config)) = (self.synced, &self.config) {
            self.allocator.set_namespaces(self.rows.namespaces.values().cloned());
            let config = Arc::clone(config);
            let keys: Vec<_> = self.rows.service_keys().cloned().collect();
            let mut held = HeldAddresses::new();
            for key in &keys {
                held.insert(key.clone(), self.held_by_status(key, effects));
            }
            let services = self.rows.services();
            let changes = self.allocator.reconcile_changes(&config.pools, services, &held);
            self.write(changes, effects);
            keys.iter().for_each(|key| self.complain(key, effects));
        }
        let gone = |name: &String| !self.rows.nodes.contains_key(name);
        let gone: Vec<_> = self.plans.keys().filter(|name| gone(name)).cloned().collect();
        gone.iter().for_each(|name| drop(self.plans.remove(name)));
        self.rows.pack();
        let nodes: Vec<_> = self.rows.nodes.keys().cloned().collect();
        nodes.iter().for_each(|name| self.plan_node(name, effects));
    }

    /// The pools of some Services in a namespace may be others now.
    fn namespace(&mut self, name: &str, effects: &mut Effects) {
        self.allocator.set_namespaces(self.rows.namespaces.values().cloned());
        if !self.is_ready() || !self.allocator.uses_namespaces() {
            return;
        }
        let keys = self.rows.service_keys().filter(|key| *key.namespace == *name);
        let keys: Vec<_> = keys.cloned().collect();
        keys.iter().for_each(|key| self.allocate(key, effects));
    }

    /// What the allocator did: Services hold something else, and are planned anew.
    fn settle(
        &mut self,
        changes: Changes,
        touched: impl IntoIterator<Item = ServiceKey>,
        effects: &mut Effects,
    ) {
        let mut touched: BTreeSet<_> = touched.into_iter().collect();
        touched.extend(changes.services.iter().cloned());
        self.write(changes, effects);
        touched.iter().for_each(|key| self.complain(key, effects));
        self.replan(&touched, effects);
    }

    fn write(&mut self, changes: Changes, effects: &mut Effects) {
        if self.options.follows {
            // What a status says stays said: the next configuration may allow it.
            return;
        }
        for key in &changes.services {
            let assignment = self.allocator.assignment(key);
            let addresses = assignment.map(|it| texts(&it.addresses)).unwrap_or_default();
            self.rows.set_status_addresses(key, addresses);
        }
        effects.events.extend(changes.events);
        effects.written.extend(changes.services);
    }

    /// Says of annotations that have no effect that they have none, once.
    fn complain(&mut self, key: &ServiceKey, effects: &mut Effects) {
        let pool = || self.planned.as_deref()?.pool(&self.allocator.assignment(key)?.pool);
        let complaints = || Some(Wishes::of(&self.rows.service(key)?, pool()?).complaints);
        let Some(complaints) = complaints() else { return };
        let before = match complaints.is_empty() {
            true => self.complaints.remove(key),
            false => self.complaints.insert(key.clone(), complaints.clone()),
        };
        let before = before.unwrap_or_default();
        for complaint in complaints.iter().filter(|it| !before.contains(it)) {
            let (service, message) = (key.clone(), complaint.to_string());
            let reason = EventReason::InvalidAnnotation;
            effects.events.push(Event { service, reason, message });
        }
    }

    /// Plans some Services anew on all nodes.
    fn replan(&mut self, keys: &BTreeSet<ServiceKey>, effects: &mut Effects) {
        effects.planned.extend(keys.iter().cloned());
        for key in keys {
            let Self { rows, allocator, plans, probed, .. } = &mut *self;
            let Some(service) = rows.service(key) else {
                for (name, plan) in plans {
                    effects.note(name, plan.remove(key));
                }
                continue;
            };
            let endpoints = Endpoints::of(&service, rows.endpoints_of(key));
            for (name, plan) in plans {
                let mut subject = Subject::new(&service, holding(allocator, key), &endpoints);
                subject.probed = probed.get(&(name.clone(), key.clone()));
                effects.note(name, plan.update(&subject));
            }
        }
    }

    /// Plans all Services anew on one node.
    fn plan_node(&mut self, name: &str, effects: &mut Effects) {
        if self.node.as_deref().is_some_and(|only| only != name) {
            return;
        }
        let Self { rows, allocator, plans, probed, planned, synced, options, .. } = &mut *self;
        let Some(node) = rows.nodes.get(name) else { return };
        let scene = Scene {
            node: node.clone(),
            config: planned.clone(),
            synced: *synced,
            draining: false,
            options: options.clone(),
        };
        let plan = match plans.get_mut(name) {
            Some(plan) => {
                plan.set_scene(scene);
                plan
            }
            None => plans.entry(name.to_owned()).or_insert_with(|| Plan::new(scene)),
        };
        let gone = plan.services().filter(|key| !rows.has_service(key));
        let gone: Vec<_> = gone.cloned().collect();
        for key in gone {
            effects.note(name, plan.remove(&key));
        }
        for service in rows.services() {
            let key = &service.key;
            let endpoints = Endpoints::of(&service, rows.endpoints_of(key));
            let mut subject = Subject::new(&service, holding(allocator, key), &endpoints);
            subject.probed = probed.get(&(name.to_owned(), key.clone()));
            effects.note(name, plan.update(&subject));
        }
        plan.pack();
    }

    /// A status that cannot be kept stands in the files for as long as they are not mended, and is
    /// no news with each of their changes.
    fn tell_once(&mut self, by_status: &BTreeSet<ServiceKey>, events: &mut Vec<Event>) {
        let cleared = events.iter().filter(|event| {
            let lost = [EventReason::ClearAssignment, EventReason::NoLbIpsIpFamily];
            lost.contains(&event.reason) && by_status.contains(&event.service)
        });
        let told = std::mem::replace(&mut self.told, cleared.cloned().collect());
        events.retain(|event| !told.contains(event) || !self.told.contains(event));
    }
}

impl Effects {
    /// Adds what another change did after this one.
    pub fn extend(&mut self, more: Self) {
        self.events.extend(more.events);
        self.written.extend(more.written);
        more.routes.into_iter().for_each(|(node, changed)| self.note(&node, changed));
    }

    fn note(&mut self, node: &str, changed: BTreeSet<Changed>) {
        if !changed.is_empty() {
            self.routes.entry(node.to_owned()).or_default().extend(changed);
        }
    }
}

/// The addresses of a status; nothing if it has what is no address.
fn addresses(status: &[String]) -> Option<Vec<IpAddr>> {
    status.iter().map(|text| text.parse().ok()).collect()
}

fn texts(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
