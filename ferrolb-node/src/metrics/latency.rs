//! The histogram of update latency, the only metric that is kept between scrapes.

use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The time from a watch event, or a change of a file, to the moment at which the resulting UPDATE is handed to the
/// session.
#[derive(Clone, Debug)]
pub struct Latency(Histogram);

impl Latency {
    /// Returns a histogram without observations.
    pub fn new() -> Self {
        let bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0];
        Self(Histogram::new(bounds))
    }

    /// Adds an observation.
    pub fn observe(&self, seconds: f64) {
        self.0.observe(seconds);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "ferrolb_bgp_update_latency_seconds",
            "Time from an event of the API until the resulting routes are handed to the sessions",
            self.0.clone(),
        );
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}
