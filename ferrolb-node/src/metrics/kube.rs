//! The configuration and the API server.

use prometheus_client::registry::Registry;

use super::{DrainSample, Sample, counters, gauges};

pub(super) fn register(registry: &mut Registry, sample: &Sample) {
    let api = &sample.api;
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
    let restarts = api.watch_restarts.iter();
    counters(
        registry,
        "ferrolb_kube_watch_restarts",
        "Watches that had to be begun anew",
        restarts.map(|(resource, count)| (vec![("resource", (*resource).to_owned())], *count)),
    );
    let config = sample.config;
    let flag = |set: bool| [(Vec::new(), f64::from(u8::from(set)))];
    gauges(
        registry,
        "metallb_k8s_client_config_loaded_bool",
        "1 if a configuration was successfully loaded at least once",
        flag(config.loaded),
    );
    gauges(
        registry,
        "metallb_k8s_client_config_stale_bool",
        "1 if an older configuration is in force, because the latest one is not valid",
        flag(config.stale),
    );
    gauges(
        registry,
        "ferrolb_config_stale",
        "1 if an older configuration is in force, because the latest one is not valid",
        flag(config.stale),
    );
    gauges(
        registry,
        "ferrolb_config_last_success_timestamp_seconds",
        "When the configuration in force was loaded",
        config.loaded_at.map(|at| (Vec::new(), at)),
    );
    let stages = [
        ("serving", DrainSample::Serving),
        ("graceful", DrainSample::Graceful),
        ("withdrawn", DrainSample::Withdrawn),
    ];
    gauges(
        registry,
        "ferrolb_drain_stage",
        "1 for the stage that this node is in: serving, graceful (GRACEFUL_SHUTDOWN, RFC 8326) or withdrawn",
        stages.map(|(name, stage)| {
            (vec![("stage", name.to_owned())], f64::from(u8::from(sample.drain == stage)))
        }),
    );
}
