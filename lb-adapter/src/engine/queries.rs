//! The read-only queries of an [`Engine`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::allocator::{Assignment, HeldAddresses, Refusal, check_served};
use crate::model::{Config, Namespace, Node, Service, ServiceKey};
use crate::planner::{
    NotAnnounced, PeerPlan, Plan, PlannerOptions, ProbeStatus, RouteAnnotations, ServiceEndpoints,
    ServiceInput, is_usable, service_routes,
};

use super::{Engine, ProbeTarget, addresses};

impl Engine {
    /// Returns the options of the process.
    pub fn options(&self) -> &PlannerOptions {
        &self.options
    }

    /// Returns the configuration in force, if there is one.
    pub fn config(&self) -> Option<&Arc<Config>> {
        self.config.as_ref()
    }

    /// Returns all Services, by namespace and name.
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.store.services()
    }

    /// Returns the keys of all Services.
    pub fn service_keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.store.service_keys()
    }

    /// Returns the keys of all Services from this one on, whether or not there is such a Service.
    pub fn service_keys_from(&self, key: &ServiceKey) -> impl Iterator<Item = &ServiceKey> {
        self.store.service_keys_from(key)
    }

    /// Returns the engine's own copy of a Service's key. Clones of it share its memory.
    pub fn key_of(&self, key: &ServiceKey) -> Option<&ServiceKey> {
        self.store.key_of(key)
    }

    /// Returns one Service.
    pub fn service_of(&self, key: &ServiceKey) -> Option<Service> {
        self.store.service(key)
    }

    /// Returns true if the Service is known.
    pub fn has_service(&self, key: &ServiceKey) -> bool {
        self.store.has_service(key)
    }

    /// Returns the namespace and name of each EndpointSlice.
    pub fn slices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.store.slices()
    }

    /// Returns all Namespaces, by name.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.store.namespaces.values()
    }

    /// Returns true if the EndpointSlice is known.
    pub(crate) fn has_slice(&self, namespace: &str, name: &str) -> bool {
        self.store.has_slice(namespace, name)
    }

    /// Returns true if an Endpoints object of this name is known.
    pub(crate) fn has_endpoints_object(&self, key: &ServiceKey) -> bool {
        self.store.has_endpoints_object(key)
    }

    /// Returns true if the Namespace is known.
    pub(crate) fn has_namespace(&self, name: &str) -> bool {
        self.store.namespaces.contains_key(name)
    }

    /// Returns all Nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.store.nodes.values()
    }

    /// Returns the plans of all nodes that the engine plans for, by name.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> + Clone {
        self.plans.values()
    }

    /// Returns the plan of one node.
    pub fn plan(&self, node: &str) -> Option<&Plan> {
        self.plans.get(node)
    }

    /// Returns the plan of each session, with the plan of its node.
    pub fn sessions(&self) -> impl Iterator<Item = (&Plan, &PeerPlan)> {
        self.plans().flat_map(|plan| plan.peers.iter().map(move |peer| (plan, peer)))
    }

    /// Returns the addresses that a Service holds: the assigned ones, or, while none are assigned, those of its status.
    /// A Service that is not served here holds nothing.
    pub fn holding(&self, key: &ServiceKey) -> Option<Assignment> {
        if self.is_ready() {
            return self.allocator.assignment(key).cloned();
        }

        let service = self.store.service(key)?;
        check_served(&service, self.options.class.as_deref()).ok()?;
        let addresses = addresses(&service.status_addresses)?;
        let first = *addresses.first()?;
        let mut pools = self.config.iter().flat_map(|config| &config.pools);
        let pool = pools.find(|pool| pool.contains(first));
        let pool = pool.map_or("", |pool| pool.name.as_str());
        Some(Assignment { pool: pool.into(), addresses: addresses.into() })
    }

    /// Returns the addresses of all Services, to be remembered.
    pub fn held(&self) -> HeldAddresses {
        let mut held = HeldAddresses::new();
        for key in self.store.service_keys() {
            if let Some(assignment) = self.allocator.assignment(key) {
                held.insert(key.clone(), assignment.addresses.to_vec());
            }
        }
        held
    }

    /// Returns true if a Service keeps addresses that are in no pool.
    pub fn is_stranded(&self, key: &ServiceKey) -> bool {
        self.is_ready() && self.allocator.is_stranded(key)
    }

    /// Returns the reason why a Service was not assigned the addresses that it requests.
    pub fn refusal(&self, key: &ServiceKey) -> Option<&Refusal> {
        self.allocator.refusal(key)
    }

    /// Returns the same as [`refusal`](Self::refusal), with what an operator can do about it.
    pub fn explain_refusal(&self, key: &ServiceKey) -> Option<Refusal> {
        self.allocator.explain_refusal(key)
    }

    /// Returns true if a Service asks for an address and has none.
    pub fn is_pending(&self, key: &ServiceKey) -> bool {
        self.refusal(key).is_some() && self.holding(key).is_none()
    }

    /// Returns the reasons why a node does not announce a Service.
    pub fn not_announced(&self, plan: &Plan, key: &ServiceKey) -> Vec<NotAnnounced> {
        let Some(service) = self.store.service(key) else { return Vec::new() };
        let state = self.state_of(&service);
        service_routes(&plan.context, &state.input_on(plan.node())).not_announced
    }

    /// Returns the planner's input for a Service on any node. It is made once for all nodes, since counting the endpoints takes
    /// as long as there are endpoints.
    pub(crate) fn state_of<'a>(&'a self, service: &'a Service) -> ServiceState<'a> {
        ServiceState {
            engine: self,
            service,
            endpoints: ServiceEndpoints::of(service, self.store.endpoints_of(&service.key)),
            // Operators read this, so the refusal comes with the explanation that the allocator does not keep.
            refusal: self.allocator.explain_refusal(&service.key),
        }
    }

    /// Returns the probe results of a node, by Service.
    pub fn probe_statuses(&self, node: &str) -> impl Iterator<Item = (&ServiceKey, &ProbeStatus)> {
        self.observations.probes(node)
    }

    /// Returns the targets that a node should probe, by Service: usable endpoints on the node, at most as many as one
    /// attempt can reach.
    pub fn probe_targets(&self, node: &str) -> BTreeMap<ServiceKey, ProbeTarget> {
        // Most configurations have no probes, and then no Service needs to be looked at.
        let mut pools = self.effective_config.iter().flat_map(|config| &config.pools);
        if !pools.any(|pool| pool.health.probe.is_some() || pool.permissions.health) {
            return BTreeMap::new();
        }

        let mut targets = BTreeMap::new();
        for key in self.store.service_keys() {
            if let Some(target) = self.probe_target(node, key) {
                targets.insert(key.clone(), target);
            }
        }
        targets
    }

    /// Returns the target that a node should probe for one Service; see [`Self::probe_targets`].
    pub fn probe_target(&self, node: &str, key: &ServiceKey) -> Option<ProbeTarget> {
        let service = self.store.service(key)?;
        let assignment = self.allocator.assignment(key)?;
        let pool = self.effective_pool(&assignment.pool)?;
        let health = RouteAnnotations::of(&service, pool).health;
        let probe = health.probe?;

        // An endpoint that is in two slices is probed once.
        let mut known = BTreeSet::new();
        let addresses: Vec<_> = self
            .store
            .endpoints_of(key)
            .filter(|endpoint| endpoint.node_name == Some(node) && is_usable(&service, endpoint))
            .filter_map(|endpoint| endpoint.address)
            .filter(|address| known.insert(*address))
            .take(MAX_PROBED_ENDPOINTS)
            .collect();

        let announced = addresses.is_empty() && {
            let policy = service.external_traffic_policy;
            let endpoints = ServiceEndpoints::of(&service, self.store.endpoints_of(key));
            let count = endpoints.counting(policy, node);
            let has_enough = match health.min_ready {
                Some(least) => least.is_met(count.ready, count.all),
                None => true,
            };
            has_enough && endpoints.check(policy, node).is_ok()
        };
        Some(ProbeTarget { probe, hold_down: health.hold_down, addresses, announced })
    }

    /// Returns a sentence for each configured value that has no effect on a peer.
    pub fn attribute_warnings(&self) -> BTreeSet<String> {
        let warnings = self.sessions().flat_map(|(plan, peer)| plan.warnings(peer));
        warnings.map(|warning| warning.to_string()).collect()
    }
}

/// A Service, and what the planner knows of it on all nodes.
#[derive(Debug)]
pub(crate) struct ServiceState<'a> {
    engine: &'a Engine,
    pub(crate) service: &'a Service,
    endpoints: ServiceEndpoints<'a>,
    refusal: Option<Refusal>,
}

impl ServiceState<'_> {
    /// Returns the planner's input for a node.
    pub(crate) fn input_on(&self, node: &str) -> ServiceInput<'_> {
        let held = self.engine.allocator.assignment(&self.service.key);
        let held = held.ok_or(self.refusal.as_ref());
        let mut input = ServiceInput::new(self.service, held, &self.endpoints);
        self.engine.observations.add_to(&mut input, node);
        input
    }
}

/// The most endpoints of a Service that one attempt probes, one after the other, until one answers.
const MAX_PROBED_ENDPOINTS: usize = 8;
