//! The health of a Service on a node.
//!
//! Owns the rules by which a Service counts as healthy on a node, and the changes to its routes if it does not.

use crate::model::{ExternalTrafficPolicy, Health, LinkBandwidth, Pool, WhenUnhealthy};

use super::node_context::{ProbeStatus, ServiceInput};
use super::reason::Reason;
use super::route_annotations::RouteAnnotations;
use super::service_attributes::ServiceAttributes;
use super::service_endpoints::EndpointCount;

/// Returns the attributes of a Service's routes from a node.
///
/// # Errors
///
/// The Service is too unhealthy on the node to have routes.
pub(super) fn attributes_on_node(
    input: &ServiceInput<'_>,
    pool: &Pool,
    node: &str,
    probing: bool,
) -> Result<ServiceAttributes, Reason> {
    let RouteAnnotations { mut attributes, health, .. } = RouteAnnotations::of(input.service, pool);
    let policy = input.service.external_traffic_policy;
    let count = input.endpoints.counting(policy, node);

    if policy == ExternalTrafficPolicy::Local
        && let Some(LinkBandwidth { per_endpoint, hysteresis, .. }) = health.link_bandwidth
    {
        let ready = u64::try_from(count.ready).unwrap_or(u64::MAX);
        attributes.bandwidth = Some((per_endpoint.saturating_mul(ready), hysteresis));
    }

    let healthy = check_min_ready(&health, count)
        .and_then(|()| check_probe(&health, input.probe_status, probing));
    if let Err(reason) = healthy {
        if health.when_unhealthy != WhenUnhealthy::Depreference {
            return Err(reason);
        }
        attributes.depreferenced = true;
    }
    Ok(attributes)
}

fn check_min_ready(health: &Health, count: EndpointCount) -> Result<(), Reason> {
    let EndpointCount { ready, all, .. } = count;
    match health.min_ready {
        Some(least) if !least.is_met(ready, all) => Err(Reason::TooFewReady { ready, all, least }),
        _ => Ok(()),
    }
}

fn check_probe(health: &Health, status: Option<&ProbeStatus>, probing: bool) -> Result<(), Reason> {
    let Some(probe) = &health.probe else { return Ok(()) };
    match status {
        Some(ProbeStatus::Up) => Ok(()),
        None if !probing => Ok(()),
        None => Err(Reason::NotProbed { probe: probe.to_string() }),
        Some(ProbeStatus::HeldDown) => Err(Reason::HeldDown { hold_down: health.hold_down }),
        Some(ProbeStatus::Down(why)) => {
            Err(Reason::ProbeFailed { probe: probe.to_string(), why: why.clone() })
        }
    }
}
