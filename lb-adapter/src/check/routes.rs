//! Services that have an address but no route because of the configuration. The planner decides, as in a cluster.
//!
//! Nodes and pods that are not ready are not reported: they change from hour to hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::allocator::{Assignment, Outcome};
use crate::config::draft::Draft;
use crate::config::{Diagnostic, report};
use crate::manifest::{Manifests, ServicePlaces};
use crate::model::{
    BgpAdvertisement, Config, EndpointSlice, ExternalTrafficPolicy, IpFamily, Pool, Service,
    ServiceKey,
};
use crate::planner::{
    Gate, NodeContext, PlannerOptions, Reason, ServiceEndpoints, ServiceInput, service_routes,
};

/// Adds a warning for each Service that no node announces, and for endpoints on nodes that do not announce their Service.
pub(super) fn check(
    manifests: &Manifests,
    places: &ServicePlaces,
    outcome: &Outcome,
    options: &PlannerOptions,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let contexts = contexts(manifests, options);
    let mut slices: BTreeMap<&ServiceKey, Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in &manifests.slices {
        slices.entry(&slice.service).or_default().push(slice);
    }

    for service in &manifests.services {
        let (Some(assignment), Some(place)) =
            (outcome.assignments.get(&service.key), places.get(&service.key))
        else {
            continue;
        };

        let slices = slices.get(&service.key).into_iter().flatten();
        let endpoints = ServiceEndpoints::of(service, slices.flat_map(|slice| &slice.endpoints));
        if let Some(message) = missing_routes(&contexts, service, assignment, &endpoints) {
            let message = format!("Service {}: {message}", service.key);
            report::warning(diagnostics, &place.name, message);
        }
    }
}

fn contexts(manifests: &Manifests, options: &PlannerOptions) -> Vec<NodeContext> {
    let config = Arc::new(manifests.config.clone());
    let mut contexts = Vec::with_capacity(manifests.nodes.len());
    for node in &manifests.nodes {
        let mut context = NodeContext::new(node.clone(), Arc::clone(&config));
        context.options = options.clone();
        contexts.push(context);
    }
    contexts
}

/// Returns the warning for a Service that some or all Nodes do not announce because of the configuration.
fn missing_routes(
    contexts: &[NodeContext],
    service: &Service,
    assignment: &Assignment,
    endpoints: &ServiceEndpoints<'_>,
) -> Option<String> {
    let input = ServiceInput::new(service, Ok(assignment), endpoints);
    let mut stopped = Vec::new();
    for context in contexts {
        let routes = service_routes(context, &input);
        if !routes.announced.is_empty() {
            continue;
        }
        let Some(first) = routes.not_announced.into_iter().next() else { continue };
        if has_own_warning(&first.reason) {
            return None;
        }
        if is_permanent(&first.reason) {
            stopped.push((context.node.name.as_str(), first.reason));
        }
    }

    let (node, reason) = stopped.first()?;
    if stopped.len() == contexts.len() {
        return Some(format!("no Node announces it ({node}: {reason})"));
    }

    // With the policy Cluster, traffic reaches all endpoints through the other nodes.
    if service.external_traffic_policy != ExternalTrafficPolicy::Local {
        return None;
    }
    let (node, reason) = stopped.iter().find(|(node, _)| endpoints.on(node).usable > 0)?;
    Some(format!("no peer gets a route to its endpoints on {node}: {reason}"))
}

/// Returns true if a reason lasts until the configuration or a label changes.
fn is_permanent(reason: &Reason) -> bool {
    matches!(reason, Reason::NodeExcluded { .. })
        || matches!(reason.gate(), Gate::Peer | Gate::Advertisement | Gate::Policy)
}

/// Returns true if a reason concerns a pool or the whole configuration, for which there is a warning already.
fn has_own_warning(reason: &Reason) -> bool {
    matches!(reason, Reason::NoPeers | Reason::Layer2(_) | Reason::NoAdvertisement(_))
}

/// Adds a warning for each advertisement with an aggregate that attracts traffic to nodes without endpoints of a Service,
/// because the nodes announce the aggregate for another Service.
pub(super) fn check_aggregates(
    manifests: &Manifests,
    draft: &Draft,
    outcome: &Outcome,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let advertisements = draft.bgp_advertisements.iter().zip(&manifests.config.bgp_advertisements);
    for (drafted, advertisement) in advertisements {
        let lengths = [(&drafted.length, IpFamily::Ipv4), (&drafted.length_v6, IpFamily::Ipv6)];
        for (place, family) in lengths {
            let Some(place) = place else { continue };
            if advertisement.aggregation_length_for(family) >= family.bits() {
                continue;
            }

            let services = only_aggregated(manifests, outcome, advertisement, family);
            if let Some((service, aggregate)) = attracted(&services) {
                let message = format!(
                    "Service {} has externalTrafficPolicy Local, but a node without its endpoints attracts \
                     its traffic if it announces {aggregate} for another Service; add an \
                     advertisement of host routes",
                    service.key
                );
                report::warning(diagnostics, place, message);
            }
        }
    }
}

/// Returns the first Service with the policy Local that shares its aggregate with another Service.
fn attracted<'a>(services: &[(&'a Service, IpNet)]) -> Option<(&'a Service, IpNet)> {
    let mut users: BTreeMap<IpNet, usize> = BTreeMap::new();
    for (_, aggregate) in services {
        *users.entry(*aggregate).or_default() += 1;
    }

    let mut services = services.iter().copied();
    services.find(|(service, aggregate)| {
        service.external_traffic_policy == ExternalTrafficPolicy::Local
            && users.get(aggregate).is_some_and(|count| *count > 1)
    })
}

/// Returns the Services that are reached only through an advertisement's aggregates of a family, each with its aggregate.
fn only_aggregated<'a>(
    manifests: &'a Manifests,
    outcome: &Outcome,
    advertisement: &BgpAdvertisement,
    family: IpFamily,
) -> Vec<(&'a Service, IpNet)> {
    let config = &manifests.config;
    let length = advertisement.aggregation_length_for(family);
    let mut services = Vec::new();
    for service in &manifests.services {
        let Some(assignment) = outcome.assignments.get(&service.key) else { continue };
        let Some(pool) = config.pool(&assignment.pool) else { continue };
        let mut addresses = assignment.addresses.iter();
        let Some(address) = addresses.find(|it| IpFamily::of(**it) == family) else { continue };

        // A host route takes precedence over the aggregate.
        if !advertisement.selects_pool(pool) || has_host_route(config, service, pool, family) {
            continue;
        }
        if let Ok(route) = IpNet::new(*address, length) {
            services.push((service, route.trunc()));
        }
    }
    services
}

fn has_host_route(config: &Config, service: &Service, pool: &Pool, family: IpFamily) -> bool {
    config.advertisements_of(pool).any(|advertisement| {
        advertisement.aggregation_length_for(family) == family.bits()
            && advertisement.selects_service(&service.labels)
    })
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
