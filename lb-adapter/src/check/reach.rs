//! Services that would have an address but no route, as far as the configuration decides that. The planner decides, as in
//! a cluster.
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
    BgpAdvertisement, EndpointSlice, ExternalTrafficPolicy, IpFamily, Service, ServiceKey,
};
use crate::planner::{
    Gate, NodeContext, PlannerOptions, Reason, ServiceEndpoints, ServiceInput, service_routes,
};

/// Adds a warning for each Service that no node announces, and for endpoints whose nodes do not announce it.
pub(super) fn judge(
    manifests: &Manifests,
    places: &ServicePlaces,
    outcome: &Outcome,
    options: &PlannerOptions,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let config = Arc::new(manifests.config.clone());
    let scenes = manifests.nodes.iter().map(|node| {
        let mut scene = NodeContext::new(node.clone(), Arc::clone(&config));
        scene.options = options.clone();
        scene
    });
    let scenes: Vec<NodeContext> = scenes.collect();
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
        if let Some(message) = unheard(&scenes, service, assignment, &endpoints) {
            report::warning(
                diagnostics,
                &place.name,
                format!("Service {}: {message}", service.key),
            );
        }
    }
}

/// Returns the warning for a Service that some or all Nodes do not announce because of the configuration.
fn unheard(
    scenes: &[NodeContext],
    service: &Service,
    assignment: &Assignment,
    endpoints: &ServiceEndpoints<'_>,
) -> Option<String> {
    let subject = ServiceInput::new(service, Ok(assignment), endpoints);
    let local = service.external_traffic_policy == ExternalTrafficPolicy::Local;
    let mut stopped = Vec::new();
    for scene in scenes {
        let node = scene.node.name.as_str();
        let routes = service_routes(scene, &subject);
        let reason = routes.not_announced.into_iter().next().map(|it| it.reason);
        match reason.filter(|_| routes.announced.is_empty()) {
            Some(reason) if is_settled(&reason) => stopped.push((node, reason)),
            Some(reason) if has_own_warning(&reason) => return None,
            _ => {}
        }
    }

    let (first, reason) = stopped.first()?;
    if stopped.len() == scenes.len() {
        return Some(format!("no Node announces it ({first}: {reason})"));
    }

    let without: Vec<_> =
        stopped.iter().filter(|(node, _)| local && endpoints.on(node).usable > 0).collect();
    let (node, reason) = without.first()?;
    Some(format!("no peer hears of its endpoints on {node}: {reason}"))
}

/// Returns true if a reason stays until the configuration or a label changes.
fn is_settled(reason: &Reason) -> bool {
    match reason {
        Reason::NodeExcluded { .. } => true,
        _ if has_own_warning(reason) => false,
        reason => matches!(reason.gate(), Gate::Peer | Gate::Advertisement | Gate::Policy),
    }
}

/// Returns true if a reason concerns a pool or the whole configuration, for which there is a warning already.
fn has_own_warning(reason: &Reason) -> bool {
    matches!(reason, Reason::NoPeers | Reason::Layer2(_) | Reason::NoAdvertisement(_))
}

/// Adds a warning for each advertisement whose aggregates attract traffic to nodes without endpoints of the Service: they
/// announce the aggregate for another Service.
pub(super) fn aggregates(
    manifests: &Manifests,
    draft: &Draft,
    outcome: &Outcome,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let advertisements = draft.bgp_advertisements.iter().zip(&manifests.config.bgp_advertisements);
    for (drafted, advertisement) in advertisements {
        let lengths = [(&drafted.length, IpFamily::Ipv4), (&drafted.length_v6, IpFamily::Ipv6)];
        for (place, family) in lengths {
            let length = advertisement.aggregation_length_for(family);
            let Some(place) = place.as_ref().filter(|_| length < family.bits()) else { continue };

            let all = aggregated(manifests, outcome, advertisement, family);
            let mut sharing: BTreeMap<IpNet, usize> = BTreeMap::new();
            for (_, aggregate) in &all {
                *sharing.entry(*aggregate).or_default() += 1;
            }

            let attracted = all.iter().find(|(service, aggregate)| {
                service.external_traffic_policy == ExternalTrafficPolicy::Local
                    && sharing.get(aggregate).is_some_and(|count| *count > 1)
            });
            if let Some((service, aggregate)) = attracted {
                let message = format!(
                    "Service {} has externalTrafficPolicy Local, and a node without its endpoints attracts \
                     its traffic by {aggregate} if it announces that for another Service; add an \
                     advertisement of host routes",
                    service.key
                );
                report::warning(diagnostics, place, message);
            }
        }
    }
}

/// Returns the Services that are reached only through an advertisement's aggregates of a family, each with its aggregate.
fn aggregated<'a>(
    manifests: &'a Manifests,
    outcome: &Outcome,
    advertisement: &BgpAdvertisement,
    family: IpFamily,
) -> Vec<(&'a Service, IpNet)> {
    let config = &manifests.config;
    let length = advertisement.aggregation_length_for(family);
    let aggregate = |service: &Service| -> Option<IpNet> {
        let assignment = outcome.assignments.get(&service.key)?;
        let pool = config.pool(&assignment.pool)?;
        let address = assignment.addresses.iter().find(|it| IpFamily::of(**it) == family)?;
        // A route to the address itself comes before the aggregate.
        let has_host_route = config.advertisements_of(pool).any(|it| {
            it.aggregation_length_for(family) == family.bits()
                && it.selects_service(&service.labels)
        });
        if has_host_route || !advertisement.selects_pool(pool) {
            return None;
        }
        Some(IpNet::new(*address, length).ok()?.trunc())
    };
    let services = manifests.services.iter();
    services.filter_map(|service| Some((service, aggregate(service)?))).collect()
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
