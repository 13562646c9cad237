//! The metrics of a process for Prometheus: MetalLB's names and labels, so that its dashboards and alerts keep working,
//! and beside them FerroLB's own, which follow today's conventions.
//!
//! ```text
//! Sample (the state at one moment)  --->  encode  --->  the text of /metrics
//! ```
//!
//! Owns names, labels and help texts. It counts nothing: a [`Sample`] is taken for each request, and only [`Latency`]
//! and [`HoldTime`], which span time, are kept in between.

mod allocator;
mod bfd;
mod bgp;
mod collect;
mod dataplane;
mod families;
mod latency;
mod probes;
mod process;
mod sample;

#[cfg(test)]
mod tests;

use std::fmt;

use prometheus_client::registry::Registry;

pub use collect::{
    announced_addresses, pending_services, pool_samples, probe_samples, session_samples,
};
pub use dataplane::HoldTime;
pub use latency::Latency;
pub use sample::{
    AnnouncedAddress, ApiSample, ConfigSample, DataplaneSample, DrainSample, PoolSample, PoolUsage,
    ProbeSample, Sample, SessionSample,
};

/// The media type of the text that [`encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns the text that Prometheus scrapes.
///
/// # Errors
///
/// Never in practice: writing to a string does not fail.
pub fn encode(sample: &Sample, latency: &Latency) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    process::register(&mut registry, sample);
    allocator::register(&mut registry, &sample.pools, sample.pending_services);
    bgp::register(&mut registry, sample);
    bfd::register(&mut registry, &sample.sessions);
    probes::register(&mut registry, &sample.probes);
    dataplane::register(&mut registry, sample.dataplane.as_ref());
    latency.register(&mut registry);

    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}
