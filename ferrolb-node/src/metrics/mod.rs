//! What a process looks like to Prometheus: MetalLB's names and labels, so that its dashboards and alerts go on
//! working, and beside them our own, which follow today's conventions.
//!
//! ```text
//! Sample (what is true now)  --->  encode  --->  the text of /metrics
//! ```
//!
//! Owns names, labels and help texts. It counts nothing: a [`Sample`] is taken when somebody asks, and only what is
//! spread over time, [`Latency`], is kept between.

mod allocator;
mod bfd;
mod bgp;
pub mod collect;
mod kube;
mod probes;
mod sample;

#[cfg(test)]
mod tests;

use std::fmt;

use prometheus_client::encoding::text::encode as encode_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use sample::{
    Announced, ApiSample, ConfigSample, DrainSample, PoolSample, ProbeSample, Sample,
    SessionSample, Usage,
};

/// The media type of what [`encode`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Labels without a type of their own: name and value.
type Labels = Vec<(&'static str, String)>;

/// The time from an event of the API, or a change of a file, to the UPDATE that follows from it being handed to
/// the session.
#[derive(Clone, Debug)]
pub struct Latency(Histogram);

impl Latency {
    /// Nothing measured yet.
    pub fn new() -> Self {
        let bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0];
        Self(Histogram::new(bounds))
    }

    /// One more.
    pub fn observe(&self, seconds: f64) {
        self.0.observe(seconds);
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

/// The text that Prometheus scrapes.
///
/// # Errors
///
/// Never in practice: writing to a string does not fail.
pub fn encode(sample: &Sample, latency: &Latency) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    build_info(&mut registry);
    kube::register(&mut registry, sample);
    allocator::register(&mut registry, &sample.pools);
    bgp::register(&mut registry, sample);
    bfd::register(&mut registry, &sample.sessions);
    probes::register(&mut registry, &sample.probes);
    registry.register(
        "ferrolb_bgp_update_latency_seconds",
        "Time from an event of the API to the routes that follow from it being handed to the sessions",
        latency.0.clone(),
    );
    let mut text = String::new();
    encode_text(&mut text, &registry)?;
    Ok(text)
}

fn build_info(registry: &mut Registry) {
    let info = Family::<Labels, Gauge>::default();
    info.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
    registry.register("ferrolb_build_info", "Which version this is", info);
}

/// Registers gauges of one name, a value for each set of labels.
fn gauges(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Family::<Labels, Gauge<f64, std::sync::atomic::AtomicU64>>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

/// Registers counters of one name; the encoder adds `_total` to it.
fn counters(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    values: impl IntoIterator<Item = (Labels, u64)>,
) {
    let family = Family::<Labels, Counter>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).inc_by(value);
    }
    registry.register(name, help, family);
}
