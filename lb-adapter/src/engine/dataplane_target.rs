//! The Services whose dataplane a node observes.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::IpAddr;

use crate::model::{DataplaneGate, ExternalTrafficPolicy, Service, ServiceKey, TransportProtocol};
use crate::planner::{
    DataplaneStatus, Plan, Reason, ServiceEndpoints, ServiceInput, service_routes,
};

use super::Engine;

/// A Service whose routes from a node depend on the node's dataplane.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DataplaneTarget {
    /// The gate of the Service's pool, never [`DataplaneGate::Off`].
    pub gate: DataplaneGate,
    /// `spec.externalTrafficPolicy`.
    pub policy: ExternalTrafficPolicy,
    /// `spec.healthCheckNodePort`.
    pub health_check_node_port: Option<u16>,
    /// The addresses of the Service.
    pub addresses: Vec<IpAddr>,
    /// The first TCP port of the Service, if it has one.
    pub tcp_port: Option<u16>,
    /// Some of the endpoints on other nodes. They may be addresses of these nodes, if the pods use the network of their host.
    pub remote_endpoints: Vec<IpAddr>,
    /// The routes that the node should have, by the API.
    pub demand: RouteDemand,
    /// True if other nodes have usable endpoints, or may forward to this node's.
    pub has_other_nodes: bool,
    /// A hash of the endpoints and ports that the dataplane forwards to from this node. It differs after a change.
    pub fingerprint: u64,
    /// True if the node announces all prefixes of the Service already, for other Services. To hold the Service back would
    /// not keep traffic away.
    pub shares_routes: bool,
}

impl DataplaneTarget {
    /// Makes the target of a Service without ports and addresses, with the gate [`DataplaneGate::Auto`].
    pub fn new(policy: ExternalTrafficPolicy, demand: RouteDemand) -> Self {
        Self {
            gate: DataplaneGate::Auto,
            policy,
            health_check_node_port: None,
            addresses: Vec::new(),
            tcp_port: None,
            remote_endpoints: Vec::new(),
            demand,
            has_other_nodes: false,
            fingerprint: 0,
            shares_routes: false,
        }
    }
}

/// The routes of a Service that a node should have if its dataplane is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum RouteDemand {
    /// None, for a reason other than the endpoints, or because no endpoint is usable anywhere.
    #[default]
    None,
    /// None, since other nodes are to serve: the usable endpoints are there and the policy is Local, or this node has the label
    /// that excludes it from load balancing.
    Elsewhere,
    /// All, but the endpoints that count are terminating and take no more connections soon.
    Terminating,
    /// All.
    Serving,
}

impl Engine {
    /// Returns the targets of a node's dataplane gate, by Service.
    pub fn dataplane_targets(
        &self,
        node: &str,
    ) -> impl Iterator<Item = (&ServiceKey, DataplaneTarget)> {
        self.store
            .service_keys()
            .filter_map(move |key| Some((key, self.dataplane_target(node, key)?)))
    }

    /// Returns the target of a node's dataplane gate for one Service. There is none if the Service has no address, or if
    /// the gate of its pool is off.
    pub fn dataplane_target(&self, node: &str, key: &ServiceKey) -> Option<DataplaneTarget> {
        self.options.dataplane_gate?;
        let plan = self.plans.get(node)?;
        let assignment = self.allocator.assignment(key)?;
        let pool = self.effective_pool(&assignment.pool)?;
        let gate = self.options.dataplane_gate_of(pool);
        if gate == DataplaneGate::Off {
            return None;
        }

        let service = self.store.service(key)?;
        let endpoints = ServiceEndpoints::of(&service, self.store.endpoints_of(key));
        let mut input = ServiceInput::new(&service, Ok(assignment), &endpoints);
        self.observations.add_to(&mut input, node);
        input.dataplane_status = Some(&DataplaneStatus::Ready);
        let (demand, shares_routes) = demand(plan, &input);

        let mut tcp_ports =
            service.ports.iter().filter(|entry| entry.protocol == TransportProtocol::Tcp);
        Some(DataplaneTarget {
            gate,
            policy: service.external_traffic_policy,
            health_check_node_port: service.health_check_node_port,
            addresses: assignment.addresses.to_vec(),
            tcp_port: tcp_ports.next().map(|entry| entry.port),
            remote_endpoints: self.remote_endpoints(node, key),
            demand,
            has_other_nodes: service.external_traffic_policy == ExternalTrafficPolicy::Cluster
                || endpoints.are_usable_beside(node),
            fingerprint: self.fingerprint(node, &service),
            shares_routes,
        })
    }

    fn remote_endpoints(&self, node: &str, key: &ServiceKey) -> Vec<IpAddr> {
        let endpoints = self.store.endpoints_of(key);
        let remote = endpoints.filter(|endpoint| endpoint.node_name != Some(node));
        remote.filter_map(|endpoint| endpoint.address).take(MAX_REMOTE_ENDPOINTS).collect()
    }

    /// Returns the state of a node's dataplane for one Service.
    pub fn dataplane_status(&self, node: &str, key: &ServiceKey) -> Option<&DataplaneStatus> {
        self.observations.dataplane_status(node, key)
    }

    /// Returns a hash of what the dataplane of a node forwards to.
    fn fingerprint(&self, node: &str, service: &Service) -> u64 {
        let policy = service.external_traffic_policy;
        let mut hasher = DefaultHasher::new();
        (policy, &service.ports).hash(&mut hasher);
        for endpoint in self.store.endpoints_of(&service.key) {
            if policy == ExternalTrafficPolicy::Local && endpoint.node_name != Some(node) {
                continue;
            }
            let conditions = (endpoint.ready, endpoint.serving, endpoint.terminating);
            (endpoint.address, endpoint.node_name, conditions).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The number of endpoints on other nodes that a target has.
const MAX_REMOTE_ENDPOINTS: usize = 4;

/// Returns the routes that a node should have, and true if it announces all of them already for other Services.
fn demand(plan: &Plan, input: &ServiceInput<'_>) -> (RouteDemand, bool) {
    let routes = service_routes(&plan.context, input);
    if routes.announced.is_empty() {
        let is_elsewhere = routes.not_announced.iter().any(|missing| match &missing.reason {
            Reason::NoneLocal { elsewhere, .. } => !elsewhere.is_empty(),
            Reason::NodeExcluded { .. } => true,
            _ => false,
        });
        let demand = if is_elsewhere { RouteDemand::Elsewhere } else { RouteDemand::None };
        return (demand, false);
    }

    let policy = input.service.external_traffic_policy;
    let ready = input.endpoints.counting(policy, plan.node()).ready;
    let demand = if ready == 0 { RouteDemand::Terminating } else { RouteDemand::Serving };

    let shares_routes = routes.announced.iter().all(|announcement| {
        plan.is_announced_for_another(announcement.peer, announcement.prefix, &input.service.key)
    });
    (demand, shares_routes)
}

#[cfg(test)]
#[path = "dataplane_target_tests.rs"]
mod tests;
