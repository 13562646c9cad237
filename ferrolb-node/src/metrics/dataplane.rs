//! The metrics of the dataplane gate, and the histogram of hold times, which is kept between scrapes.

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::families::{count, flag, gauges};
use super::sample::DataplaneSample;

/// The time for which Services were held back until the dataplane forwarded to them.
#[derive(Clone, Debug)]
pub struct HoldTime(Histogram);

impl HoldTime {
    /// Returns a histogram without observations.
    pub fn new() -> Self {
        Self(Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0]))
    }

    /// Adds an observation.
    pub fn observe(&self, seconds: f64) {
        self.0.observe(seconds);
    }
}

impl Default for HoldTime {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) fn register(registry: &mut Registry, sample: Option<&DataplaneSample>) {
    let Some(sample) = sample else { return };
    let states = [
        ("held", sample.held),
        ("depreferenced", sample.depreferenced),
        ("withdrawn", sample.withdrawn),
    ];
    gauges(
        registry,
        "ferrolb_dataplane_services",
        "Services whose routes from this node are held back, depreferenced or withdrawn because of its dataplane",
        states.map(|(state, services)| (vec![("state", state.to_owned())], count(services))),
    );
    gauges(
        registry,
        "ferrolb_kube_proxy_healthy",
        "1 if kube-proxy on this node reports that it is healthy; absent if it has never answered",
        sample.kube_proxy_healthy.map(|healthy| (Vec::new(), flag(healthy))),
    );
    registry.register(
        "ferrolb_dataplane_hold_seconds",
        "Time for which a Service was held back until the dataplane of this node forwarded to it",
        sample.hold_time.0.clone(),
    );
}
