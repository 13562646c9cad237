//! The path from objects to the plan of each node, shared by every way of running FerroLB.
//!
//! ```text
//! a Change, or all Manifests  --->  ServiceStore  --->  Allocator  --->  a Plan for each node
//! ```
//!
//! Owns the objects, and updates addresses and plans with each change of them. The work for one changed Service does not
//! grow with the number of the others. Must not read or write files, nor open sessions.

mod allocation;
mod bgp_identifier;
mod change;
mod dataplane_target;
mod observations;
mod packed_objects;
mod peer_label;
mod planning;
mod probe_target;
mod queries;
mod retired_pools;
#[cfg(test)]
mod retired_pools_tests;
mod service_store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator::{Allocator, Event, EventReason, HeldAddresses};
use crate::manifest::Manifests;
use crate::model::{Config, Service, ServiceKey};
use crate::planner::{ConfigIndex, InvalidAnnotation, Plan, PlannerOptions};

use observations::Observations;
use retired_pools::RetiredPools;
use service_store::ServiceStore;

pub use bgp_identifier::{bgp_identifier, host_identifier};
pub use change::{Change, Effects};
pub use dataplane_target::{DataplaneTarget, RouteDemand};
pub use peer_label::peer_label;
pub use probe_target::ProbeTarget;
pub(crate) use queries::ServiceState;

/// Turns objects into addresses and plans.
#[derive(Debug, Default)]
pub struct Engine {
    options: PlannerOptions,
    /// The only node to plan for; `None` plans for all nodes.
    only_node: Option<String>,
    store: ServiceStore,
    config: Option<Arc<Config>>,
    /// The configuration with the retired pools whose addresses are still held. Plans are made from it.
    effective_config: Option<Arc<Config>>,
    /// The index of that configuration.
    config_index: Arc<ConfigIndex>,
    retired_pools: RetiredPools,
    synced: bool,
    allocator: Allocator,
    plans: BTreeMap<String, Plan>,
    observations: Observations,
    /// The nodes that are being drained.
    draining: BTreeSet<String>,
    /// The annotations that were reported already.
    invalid_annotations: BTreeMap<ServiceKey, Vec<InvalidAnnotation>>,
    /// The Events about rejected statuses that the last load of files reported.
    reported_rejections: BTreeSet<Event>,
    /// The addresses of Services that have not been seen yet.
    remembered: HeldAddresses,
}

impl Engine {
    /// Makes an engine that plans for this node, or for all nodes. It starts without objects, and assigns no addresses
    /// before [`Change::Config`] and [`Change::Synced`].
    pub fn new(options: PlannerOptions, only_node: Option<String>) -> Self {
        let mut allocator = match &options.class {
            Some(class) => Allocator::for_class(class.clone()),
            None => Allocator::new(),
        };
        if options.follow_status {
            allocator = allocator.observing();
        }
        Self { options, only_node, allocator, ..Self::default() }
    }

    /// Sets the addresses of Services that are not known yet. They take precedence over the statuses in manifests, but
    /// not over the status of a [`Change::Service`].
    #[must_use]
    pub fn remembering(mut self, held: HeldAddresses) -> Self {
        self.remembered = held;
        self
    }

    /// Returns true once addresses are assigned.
    pub fn is_ready(&self) -> bool {
        self.synced && self.config.is_some()
    }

    /// Applies one change.
    pub fn apply(&mut self, change: Change) -> Effects {
        let mut effects = Effects::default();
        self.apply_to(change, &mut effects);

        // The process that assigns the addresses writes the statuses and reports the Events.
        if self.options.follow_status {
            effects.events.clear();
            effects.written.clear();
        }
        effects
    }

    fn apply_to(&mut self, change: Change, effects: &mut Effects) {
        match change {
            Change::Config(config) => {
                self.set_config(config);
                self.update_all(effects);
            }
            Change::GracePeriodOver => {
                if self.end_grace_period() {
                    self.update_all(effects);
                }
            }
            Change::Synced => {
                self.synced = true;
                self.update_all(effects);
            }

            Change::Service { service, status } => self.put_service(*service, status, effects),
            Change::ServiceGone(key) => self.remove_service(key, effects),

            Change::Slice(slice) => {
                let affected = self.store.put_slice(slice);
                self.replan(&affected, effects);
            }
            Change::SliceGone { namespace, name } => {
                let affected = self.store.remove_slice(&namespace, &name).into_iter().collect();
                self.replan(&affected, effects);
            }
            Change::Endpoints(object) => {
                self.store.put_endpoints_object(&object.service, Some(&object.endpoints));
                self.replan(&BTreeSet::from([object.service]), effects);
            }
            Change::EndpointsGone(key) => {
                self.store.put_endpoints_object(&key, None);
                self.replan(&BTreeSet::from([key]), effects);
            }

            Change::Node(node) => {
                // The kubelet reports its Node again every few minutes, mostly without a change that matters here.
                if self.store.nodes.get(&node.name) == Some(&node) {
                    return;
                }
                let name = node.name.clone();
                self.store.nodes.insert(name.clone(), node);
                self.plan_node(&name, effects);
            }
            Change::NodeGone(name) => {
                self.store.nodes.remove(&name);
                self.plans.remove(&name);
                self.observations.forget_node(&name);
            }
            Change::Probed { node, service, found } => {
                self.observations.set_probe(node, service.clone(), found);
                self.replan(&BTreeSet::from([service]), effects);
            }
            Change::Dataplane { node, service, found } => {
                self.observations.set_dataplane(node, service.clone(), found);
                self.replan(&BTreeSet::from([service]), effects);
            }

            Change::Namespace(namespace) => {
                let name = namespace.name.clone();
                self.store.namespaces.insert(name.clone(), namespace);
                self.update_namespace(&name, effects);
            }
            Change::NamespaceGone(name) => {
                self.store.namespaces.remove(&name);
                self.update_namespace(&name, effects);
            }
        }
    }

    /// Frees memory after many Services have changed one by one.
    pub fn pack(&mut self) {
        for plan in self.plans.values_mut() {
            plan.pack();
        }
        self.observations.pack();
    }

    /// Replaces all objects at once with those of files. A Service that was known keeps the addresses that it holds,
    /// whatever the status in its manifest says.
    pub fn load(&mut self, manifests: Manifests) -> Effects {
        let Manifests { config, services, slices, nodes, namespaces, .. } = manifests;

        let loaded_statuses = self.load_services(services);
        self.remembered.clear();
        self.store.clear_endpoints();
        for slice in slices {
            self.store.put_slice(slice);
        }
        self.store.nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        self.store.namespaces =
            namespaces.into_iter().map(|namespace| (namespace.name.clone(), namespace)).collect();

        self.set_config(Arc::new(config));
        self.synced = true;
        let mut effects = Effects::default();
        self.update_all(&mut effects);
        self.drop_repeated_rejections(&loaded_statuses, &mut effects.events);
        effects
    }

    /// Replaces all Services. Returns those whose addresses come from the status in their manifest.
    fn load_services(&mut self, services: Vec<Service>) -> BTreeSet<ServiceKey> {
        let known = self.store.take_services();

        let mut loaded_statuses = BTreeSet::new();
        for mut service in services {
            let key = &service.key;
            let known_status = known
                .get(key)
                .map(|packed| packed.status_addresses())
                .filter(|addresses| !addresses.is_empty());
            match known_status.or_else(|| Some(texts(self.remembered.get(key)?))) {
                Some(addresses) => service.status_addresses = addresses,
                None => {
                    loaded_statuses.insert(key.clone());
                }
            }
            self.store.put_service(service);
        }
        loaded_statuses
    }

    /// Drops the Events about rejected statuses that the last load reported too. Such a status stays in the files until
    /// an operator removes it, and is reported once.
    fn drop_repeated_rejections(
        &mut self,
        loaded_statuses: &BTreeSet<ServiceKey>,
        events: &mut Vec<Event>,
    ) {
        let rejections = events.iter().filter(|event| {
            let is_rejection =
                matches!(event.reason, EventReason::ClearAssignment | EventReason::NoLbIpsIpFamily);
            is_rejection && loaded_statuses.contains(&event.service)
        });
        let rejections = rejections.cloned().collect();

        let reported = std::mem::replace(&mut self.reported_rejections, rejections);
        events
            .retain(|event| !reported.contains(event) || !self.reported_rejections.contains(event));
    }

    /// Simulates a restart of the process: forgets everything but the objects. There is no configuration until one takes
    /// effect.
    pub fn restart(&mut self) {
        let store = std::mem::take(&mut self.store);
        let synced = self.synced;
        *self = Self::new(self.options.clone(), self.only_node.take());
        self.store = store;
        self.synced = synced;
        self.update_all(&mut Effects::default());
    }
}

/// Parses the addresses of a status. Returns `None` if one of them is not an IP address.
fn addresses(status: &[String]) -> Option<Vec<IpAddr>> {
    status.iter().map(|text| text.parse().ok()).collect()
}

fn texts(addresses: &[IpAddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}
