//! Registration of metrics, and the labels and values that several of them share.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::sample::SessionSample;

/// Labels as pairs of name and value.
pub(super) type Labels = Vec<(&'static str, String)>;

/// Registers gauges of one name, with a value for each set of labels.
pub(super) fn gauges(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    values: impl IntoIterator<Item = (Labels, f64)>,
) {
    let family = Family::<Labels, Gauge<f64, AtomicU64>>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(value);
    }
    registry.register(name, help, family);
}

/// Registers counters of one name; the encoder adds `_total` to it.
pub(super) fn counters(
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

/// Returns the labels of a session that MetalLB has: the peer.
pub(super) fn peer_labels(session: &SessionSample) -> Labels {
    vec![("peer", peer_value(session))]
}

/// Returns the labels of a session that FerroLB has: the peer and its name.
pub(super) fn named_peer_labels(session: &SessionSample) -> Labels {
    vec![("peer", peer_value(session)), ("name", session.name.clone())]
}

/// Returns the peer's address and port as MetalLB joins them, without brackets around an IPv6 address.
fn peer_value(session: &SessionSample) -> String {
    session.endpoint.replace(['[', ']'], "")
}

/// Returns 1 for true and 0 for false.
pub(super) fn flag(is_set: bool) -> f64 {
    if is_set { 1.0 } else { 0.0 }
}

/// Converts the length of a collection.
pub(super) fn count(items: usize) -> f64 {
    number(u64::try_from(items).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
pub(super) fn number(number: u64) -> f64 {
    number as f64
}
