//! The endpoints of a Service that a node probes itself.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::Probe;

/// What is to be probed for one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// How.
    pub probe: Probe,
    /// How long it must answer again before it counts as before.
    pub hold_down: Duration,
    /// The endpoints, of which one that answers is enough. Where there is none, there is nothing to
    /// find, and the Service counts as answering.
    pub addresses: Vec<IpAddr>,
    /// Whether the node announces the Service though there is none, since those of other nodes are enough. Then it
    /// counts as answering when some come, until they have failed as often as it takes to fall: no route flaps for a pod
    /// that only has not been tried yet.
    pub announced: bool,
}

impl ProbeTarget {
    /// How long one try takes at most: the endpoints are tried one after the other.
    pub fn longest_try(&self) -> Duration {
        let endpoints = u32::try_from(self.addresses.len()).unwrap_or(u32::MAX);
        self.probe.timeout.saturating_mul(endpoints)
    }
}
