//! The health of a Service on a node.
//!
//! Owns the rules by which a Service counts as healthy on a node, and the changes to its routes if it does not. The node's
//! endpoints, its own probe and its dataplane count.

use crate::model::{
    DataplaneGate, ExternalTrafficPolicy, Health, LinkBandwidth, Pool, WhenUnhealthy,
};

use super::node_context::{DataplaneStatus, NodeContext, ProbeStatus, ServiceInput};
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
    context: &NodeContext,
    input: &ServiceInput<'_>,
    pool: &Pool,
) -> Result<ServiceAttributes, Reason> {
    let node = context.node.name.as_str();
    let policy = input.service.external_traffic_policy;
    let dataplane = input.dataplane_status;
    let is_gated = context.options.dataplane_gate_of(pool) != DataplaneGate::Off;

    let RouteAnnotations { mut attributes, health, .. } = RouteAnnotations::of(input.service, pool);
    match input.endpoints.check(policy, node) {
        Ok(()) => {}
        // The endpoints have left the node, and other nodes may not announce theirs yet.
        Err(Reason::NoneLocal { .. }) if dataplane == Some(&DataplaneStatus::Leaving) => {
            attributes.depreferenced = true;
            return Ok(attributes);
        }
        Err(reason) => return Err(reason),
    }
    let count = input.endpoints.counting(policy, node);

    if policy == ExternalTrafficPolicy::Local
        && let Some(LinkBandwidth { per_endpoint, hysteresis, .. }) = health.link_bandwidth
    {
        let ready = u64::try_from(count.ready).unwrap_or(u64::MAX);
        attributes.bandwidth = Some((per_endpoint.saturating_mul(ready), hysteresis));
    }

    let healthy = check_min_ready(&health, count)
        .and_then(|()| check_probe(&health, input.probe_status, context.options.probing));
    if let Err(reason) = healthy {
        if health.when_unhealthy != WhenUnhealthy::Depreference {
            return Err(reason);
        }
        attributes.depreferenced = true;
    }

    if is_gated || dataplane.is_some() {
        // Terminating endpoints still serve, but not for long: other nodes come first.
        let is_leaving = policy == ExternalTrafficPolicy::Local && count.ready == 0;
        let may_fail = check_dataplane(dataplane, node)?;
        attributes.depreferenced |= is_leaving || may_fail;
    }
    Ok(attributes)
}

/// Returns true if the dataplane may have stopped forwarding, so that routers should prefer other nodes.
///
/// # Errors
///
/// The reason why the node does not announce the Service.
fn check_dataplane(status: Option<&DataplaneStatus>, node: &str) -> Result<bool, Reason> {
    let node = node.to_owned();
    match status {
        Some(DataplaneStatus::Ready) => Ok(false),
        Some(DataplaneStatus::Depreferenced(_) | DataplaneStatus::Leaving) => Ok(true),
        Some(DataplaneStatus::Held(problem)) => {
            Err(Reason::DataplaneNotReady { node, problem: problem.to_string() })
        }
        Some(DataplaneStatus::Withdrawn(problem)) => {
            Err(Reason::DataplaneFailed { node, problem: problem.to_string() })
        }
        None => {
            let problem = "it has not been observed yet".to_owned();
            Err(Reason::DataplaneNotReady { node, problem })
        }
    }
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
