//! Services that would have an address and no route, as far as the configuration decides that: the planner is asked, as in
//! a cluster.
//!
//! Of what changes from hour to hour nothing is said: nodes that are not ready, pods that are not.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::allocator::{Assignment, Outcome};
use crate::config::draft::Draft;
use crate::config::{Diagnostic, report};
use crate::manifest::{Manifests, ServicePlaces};
use crate::model::{EndpointSlice, ExternalTrafficPolicy, IpFamily, Service, ServiceKey};
use crate::planner::{Endpoints, Gate, Options, Reason, Scene, Subject, service_routes};

/// Adds a warning for each Service that nobody hears of, and for endpoints that nobody hears of.
pub(super) fn judge(
    manifests: &Manifests,
    places: &ServicePlaces,
    outcome: &Outcome,
    options: &Options,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let config = Arc::new(manifests.config.clone());
    let scene = |node: &crate::model::Node| {
        let mut scene = Scene::new(node.clone(), Arc::clone(&config));
        scene.options = options.clone();
        scene
    };
    let scenes: Vec<Scene> = manifests.nodes.iter().map(scene).collect();
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
        let endpoints = Endpoints::of(service, slices.flat_map(|slice| &slice.endpoints));
        if let Some(message) = unheard(&scenes, service, assignment, &endpoints) {
            report::warning(
                diagnostics,
                &place.name,
                format!("Service {}: {message}", service.key),
            );
        }
    }
}

/// What is said of a Service that some of the Nodes, or all, do not announce by their configuration.
fn unheard(
    scenes: &[Scene],
    service: &Service,
    assignment: &Assignment,
    endpoints: &Endpoints<'_>,
) -> Option<String> {
    let subject = Subject::new(service, Ok(assignment), endpoints);
    let local = service.external_traffic_policy == ExternalTrafficPolicy::Local;
    let (mut stopped, mut nodes) = (Vec::new(), 0);
    for scene in scenes {
        let node = scene.node.name.as_str();
        let routes = service_routes(scene, &subject);
        let reason = routes.not_announced.into_iter().next().map(|it| it.reason);
        match reason.filter(|_| routes.announced.is_empty()) {
            Some(reason) if is_settled(&reason) => stopped.push((node, reason)),
            // Told of the pool, or of the configuration, once.
            Some(reason) if is_told(&reason) => return None,
            _ => {}
        }
        nodes += 1;
    }
    let (first, reason) = stopped.first()?;
    if stopped.len() == nodes {
        return Some(format!("no Node announces it, such as {first}: {reason}"));
    }

    let without: Vec<_> =
        stopped.iter().filter(|(node, _)| local && endpoints.on(node).usable > 0).collect();
    let (node, reason) = without.first()?;
    Some(format!("nobody hears of its endpoints on {node}: {reason}"))
}

/// Whether a reason stays until somebody changes the configuration, or a label.
fn is_settled(reason: &Reason) -> bool {
    match reason {
        Reason::NodeExcluded { .. } => true,
        _ if is_told(reason) => false,
        reason => matches!(reason.gate(), Gate::Peer | Gate::Advertisement | Gate::Policy),
    }
}

/// Whether a reason is one of a pool or of the whole configuration, of which there are warnings already.
fn is_told(reason: &Reason) -> bool {
    matches!(reason, Reason::NoPeers | Reason::Layer2(_) | Reason::NoAdvertisement(_))
}

/// Adds a warning for each advertisement of aggregates by which nodes attract traffic of a Service that they have no
/// endpoint of: they announce the aggregate for the sake of another one.
pub(super) fn aggregates(
    manifests: &Manifests,
    draft: &Draft,
    outcome: &Outcome,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let config = &manifests.config;
    let held = |service: &'_ Service| outcome.assignments.get(&service.key);
    for (drafted, advertisement) in draft.bgp_advertisements.iter().zip(&config.bgp_advertisements)
    {
        for (place, family) in
            [(&drafted.length, IpFamily::Ipv4), (&drafted.length_v6, IpFamily::Ipv6)]
        {
            let length = advertisement.aggregation_length_for(family);
            let Some(place) = place.as_ref().filter(|_| length < family.bits()) else { continue };
            let prefix = |address: &IpAddr| Some(IpNet::new(*address, length).ok()?.trunc());
            let of_family = |service: &Service| {
                let assignment = held(service)?;
                let pool = config.pool(&assignment.pool)?;
                let address =
                    assignment.addresses.iter().find(|it| IpFamily::of(**it) == family)?;
                // A route to the address itself comes before the aggregate.
                let by_itself = config.advertisements_of(pool).any(|it| {
                    it.aggregation_length_for(family) == family.bits()
                        && it.selects_service(&service.labels)
                });
                (advertisement.selects_pool(pool) && !by_itself).then_some(*address)
            };
            let all: Vec<(&Service, IpAddr)> = manifests
                .services
                .iter()
                .filter_map(|service| Some((service, of_family(service)?)))
                .collect();
            let mut sharing: BTreeMap<Option<IpNet>, usize> = BTreeMap::new();
            all.iter().for_each(|(_, it)| *sharing.entry(prefix(it)).or_default() += 1);
            let found = all.iter().find(|(service, address)| {
                service.external_traffic_policy == ExternalTrafficPolicy::Local
                    && sharing.get(&prefix(address)).is_some_and(|count| *count > 1)
            });
            if let Some((service, address)) = found {
                let aggregate = prefix(address).map_or_else(String::new, |it| it.to_string());
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

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
