//! The metrics of the process itself: its version, its configuration, its watches and its drain.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::families::{Labels, counters, flag, gauges};
use super::sample::{ApiSample, ConfigSample, DrainSample, Sample};

pub(super) fn register(registry: &mut Registry, sample: &Sample) {
    register_version(registry);
    register_api(registry, &sample.api);
    register_config(registry, sample.config);
    register_drain(registry, sample.drain);
}

fn register_version(registry: &mut Registry) {
    let info = Family::<Labels, Gauge>::default();
    info.get_or_create(&vec![("version", env!("CARGO_PKG_VERSION").to_owned())]).set(1);
    registry.register("ferrolb_build_info", "Version of this process", info);
}

fn register_api(registry: &mut Registry, api: &ApiSample) {
    counters(
        registry,
        "metallb_k8s_client_updates",
        "Number of Kubernetes object updates that have been processed",
        [(Vec::new(), api.updates)],
    );
    counters(
        registry,
        "metallb_k8s_client_update_errors",
        "Number of Kubernetes object updates that failed for some reason",
        [(Vec::new(), api.update_errors)],
    );

    counters(
        registry,
        "ferrolb_kube_watch_restarts",
        "Watches that had to be restarted",
        api.watch_restarts
            .iter()
            .map(|(resource, count)| (vec![("resource", (*resource).to_owned())], *count)),
    );
}

fn register_config(registry: &mut Registry, config: ConfigSample) {
    const STALE: &str =
        "1 if an older configuration is in force, because the latest one is not valid";
    gauges(
        registry,
        "metallb_k8s_client_config_loaded_bool",
        "1 if a configuration was successfully loaded at least once",
        unlabelled(flag(config.loaded)),
    );
    gauges(registry, "metallb_k8s_client_config_stale_bool", STALE, unlabelled(flag(config.stale)));

    gauges(registry, "ferrolb_config_stale", STALE, unlabelled(flag(config.stale)));
    gauges(
        registry,
        "ferrolb_config_last_success_timestamp_seconds",
        "Time at which the configuration in force was loaded",
        config.loaded_at.map(|time| (Vec::new(), time)),
    );
}

fn register_drain(registry: &mut Registry, drain: DrainSample) {
    let stages = [
        ("serving", DrainSample::Serving),
        ("graceful", DrainSample::Graceful),
        ("withdrawn", DrainSample::Withdrawn),
    ];
    gauges(
        registry,
        "ferrolb_drain_stage",
        "1 for the stage that this node is in: serving, graceful (GRACEFUL_SHUTDOWN, RFC 8326) or withdrawn",
        stages.map(|(name, stage)| (vec![("stage", name.to_owned())], flag(drain == stage))),
    );
}

fn unlabelled(value: f64) -> [(Labels, f64); 1] {
    [(Vec::new(), value)]
}
