//! The attributes that a Service adds to its routes from one node.
//!
//! Owns when a Service counts as healthy on a node, and how its routes differ if it does not.

use std::collections::BTreeSet;

use crate::model::{
    Community, ExternalTrafficPolicy, Health, LargeCommunity, LinkBandwidth, Pool, WhenUnhealthy,
};

use super::node_context::{ProbeStatus, ServiceInput};
use super::reason::Reason;
use super::route_annotations::RouteAnnotations;
use super::service_endpoints::EndpointCount;

/// The attributes that one Service adds to its routes from one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceAttributes {
    /// COMMUNITIES to add (RFC 1997).
    pub communities: BTreeSet<Community>,
    /// LARGE_COMMUNITY to add (RFC 8092).
    pub large_communities: BTreeSet<LargeCommunity>,
    /// LOCAL_PREF for internal peers, in place of the advertisement's.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// The number of times to prepend our AS for external peers, in addition to the one time that every speaker does.
    pub prepend: u8,
    /// True if the Service is unhealthy here, and routers should prefer other nodes.
    pub depreferenced: bool,
    /// The link bandwidth in octets per second, and the hysteresis in percent: a smaller change is not announced.
    pub bandwidth: Option<(u64, u8)>,
}

impl ServiceAttributes {
    /// Returns true if the Service adds nothing.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the attributes of a Service's routes from a node.
    ///
    /// # Errors
    ///
    /// The Service is too unhealthy on the node to have routes.
    pub(super) fn of(
        input: &ServiceInput<'_>,
        pool: &Pool,
        node: &str,
        probing: bool,
    ) -> Result<Self, Reason> {
        let RouteAnnotations { mut attributes, health, .. } =
            RouteAnnotations::of(input.service, pool);
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
