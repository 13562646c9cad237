//! What there is to see of an [`Engine`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::allocator::{Allocator, Assignment, HeldAddresses, Refusal, check_served};
use crate::model::{Config, Namespace, Node, Service, ServiceKey};
use crate::planner::{
    self, Endpoints, NotAnnounced, PeerPlan, Plan, Probed, Subject, Wishes, is_usable,
    service_routes,
};

use super::{Engine, ProbeTarget, addresses};

impl Engine {
    /// The configuration in force, if there is one.
    pub fn config(&self) -> Option<&Arc<Config>> {
        self.config.as_ref()
    }

    /// All Services, by namespace and name.
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.rows.services()
    }

    /// The names of all Services.
    pub fn service_keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.rows.service_keys()
    }

    /// The key of a Service as it is kept here, so that whoever keeps it too shares its names.
    pub fn key_of(&self, key: &ServiceKey) -> Option<&ServiceKey> {
        self.rows.key_of(key)
    }

    /// One Service.
    pub fn service_of(&self, key: &ServiceKey) -> Option<Service> {
        self.rows.service(key)
    }

    /// Whether there is such a Service.
    pub fn has_service(&self, key: &ServiceKey) -> bool {
        self.rows.has_service(key)
    }

    /// All EndpointSlices: namespace and name.
    pub fn slices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rows.slices()
    }

    /// All Namespaces, by name.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.rows.namespaces.values()
    }

    /// Whether there is such an EndpointSlice.
    pub fn has_slice(&self, namespace: &str, name: &str) -> bool {
        self.rows.has_slice(namespace, name)
    }

    /// Whether there is an Endpoints object of this name.
    pub fn has_endpoints(&self, key: &ServiceKey) -> bool {
        self.rows.has_object(key)
    }

    /// Whether there is such a Namespace.
    pub fn has_namespace(&self, name: &str) -> bool {
        self.rows.namespaces.contains_key(name)
    }

    /// All Nodes, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.rows.nodes.values()
    }

    /// What each node announces, by name; see [`Engine::new`] for which nodes.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> + Clone {
        self.plans.values()
    }

    /// What one node announces.
    pub fn plan(&self, node: &str) -> Option<&Plan> {
        self.plans.get(node)
    }

    /// Each plan for a peer, with its node's.
    pub fn sessions(&self) -> impl Iterator<Item = (&Plan, &PeerPlan)> {
        self.plans().flat_map(|plan| plan.peers.iter().map(move |peer| (plan, peer)))
    }

    /// What a Service holds: what it was given, or what its status says while none is given out.
    /// Nothing for a Service that is not served here.
    pub fn holding(&self, key: &ServiceKey) -> Option<Assignment> {
        if self.is_ready() {
            return self.allocator.assignment(key).cloned();
        }
        let service = self.rows.service(key)?;
        check_served(&service, self.options.class.as_deref()).ok()?;
        let addresses = addresses(&service.status_addresses).filter(|held| !held.is_empty())?;
        let pools = self.config.iter().flat_map(|config| &config.pools);
        let pool = pools.into_iter().find(|pool| pool.contains(addresses[0]));
        let pool = pool.map(|it| it.name.as_str()).unwrap_or_default().into();
        Some(Assignment { pool, addresses: addresses.into() })
    }

    /// Returns true if a Service holds addresses that are in none of the pools and are not taken back.
    pub fn is_stranded(&self, key: &ServiceKey) -> bool {
        self.is_ready() && self.allocator.is_stranded(key)
    }

    /// Why a Service was not given what it asks for.
    pub fn refusal(&self, key: &ServiceKey) -> Option<&Refusal> {
        self.allocator.refusal(key)
    }

    /// Why a Service is not announced by a node: to one peer, or to all others.
    pub fn not_announced(&self, plan: &Plan, key: &ServiceKey) -> Vec<NotAnnounced> {
        let judge = |subject: &Subject<'_>| service_routes(&plan.scene, subject).not_announced;
        self.with_subject(plan.node(), key, judge).unwrap_or_default()
    }

    /// Hands on a Service as a node's planner sees it.
    pub fn with_subject<T>(
        &self,
        node: &str,
        key: &ServiceKey,
        see: impl FnOnce(&Subject<'_>) -> T,
    ) -> Option<T> {
        let service = self.rows.service(key)?;
        let endpoints = Endpoints::of(&service, self.rows.endpoints_of(key));
        // This is shown to people, so the refusal comes with the explanation that is not kept.
        let refusal = self.allocator.explain_refusal(key);
        let held = self.allocator.assignment(key).ok_or(refusal.as_ref());
        let mut subject = Subject::new(&service, held, &endpoints);
        subject.probed = self.probed.get(&(node.to_owned(), key.clone()));
        Some(see(&subject))
    }

    /// What a node has found by probing Services, by their names.
    pub fn probed(&self, node: &str) -> impl Iterator<Item = (&ServiceKey, &Probed)> {
        let of = self.probed.iter().filter(move |((by, _), _)| by == node);
        of.map(|((_, service), found)| (service, found))
    }

    /// What a node should probe itself: of the Services that say so, the usable endpoints that run
    /// on it, as many as one try can see.
    pub fn probes(&self, node: &str) -> BTreeMap<ServiceKey, ProbeTarget> {
        // Most configurations have none, and then no Service needs to be looked at.
        let mut pools = self.planned.iter().flat_map(|config| &config.pools);
        if !pools.any(|pool| pool.health.probe.is_some() || pool.permissions.health) {
            return BTreeMap::new();
        }
        let target = |key: &ServiceKey| Some((key.clone(), self.probe(node, key)?));
        self.rows.service_keys().filter_map(target).collect()
    }

    /// What a node should probe of one Service; see [`Self::probes`].
    pub fn probe(&self, node: &str, key: &ServiceKey) -> Option<ProbeTarget> {
        let service = self.rows.service(key)?;
        let pool = self.planned.as_deref()?.pool(&self.allocator.assignment(key)?.pool)?;
        let health = Wishes::of(&service, pool).health;
        let here = self
            .rows
            .endpoints_of(key)
            .filter(|endpoint| endpoint.node_name == Some(node) && is_usable(&service, endpoint));
        // One that is in two slices is probed once.
        let mut seen = BTreeSet::new();
        let addresses = here.filter_map(|it| it.address).filter(|address| seen.insert(*address));
        let addresses: Vec<_> = addresses.take(PROBED).collect();
        let (probe, hold_down) = (health.probe?, health.hold_down);
        let announced = addresses.is_empty() && {
            let policy = service.external_traffic_policy;
            let endpoints = Endpoints::of(&service, self.rows.endpoints_of(key));
            let count = endpoints.counting(policy, node);
            let enough = health.min_ready.is_none_or(|it| it.is_met(count.ready, count.all));
            enough && endpoints.check(policy, node).is_ok()
        };
        Some(ProbeTarget { probe, hold_down, addresses, announced })
    }

    /// The `loadBalancerClass` and the like.
    pub fn options(&self) -> &planner::Options {
        &self.options
    }

    /// Which Service holds which address: what to remember.
    pub fn held(&self) -> HeldAddresses {
        let held = self.rows.service_keys().filter_map(|key| {
            let assignment = self.allocator.assignment(key)?;
            Some((key.clone(), assignment.addresses.to_vec()))
        });
        held.collect()
    }

    /// What is configured without effect, a sentence for each.
    pub fn notes(&self) -> BTreeSet<String> {
        let notes = self.sessions().flat_map(|(plan, peer)| plan.notes(peer));
        notes.map(|note| note.to_string()).collect()
    }
}

/// Endpoints of a Service that are tried, one after the other until one answers.
const PROBED: usize = 8;

/// What a Service was given, or why it was given nothing.
pub(super) fn holding<'a>(
    allocator: &'a Allocator,
    key: &ServiceKey,
) -> Result<&'a Assignment, Option<&'a Refusal>> {
    allocator.assignment(key).ok_or_else(|| allocator.refusal(key))
}
