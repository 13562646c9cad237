//! The endpoints of a Service that a node probes itself.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::Probe;

/// The endpoints to probe for one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The probe.
    pub probe: Probe,
    /// The time for which the Service must answer again before it counts as up.
    pub hold_down: Duration,
    /// The addresses of the endpoints; one that answers is enough. If there are none, the Service counts as up.
    pub addresses: Vec<IpAddr>,
    /// True if the node announces the Service although `addresses` is empty, because the endpoints of other nodes are
    /// enough. Endpoints that come later then count as up until they have failed as often as the probe's `fall`: no route
    /// flaps only because a pod has not been probed yet.
    pub announced: bool,
}

impl ProbeTarget {
    /// Returns the longest time that one attempt can take: the endpoints are probed one after the other.
    pub fn longest_attempt(&self) -> Duration {
        let endpoints = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        self.probe.timeout.saturating_mul(endpoints)
    }
}
