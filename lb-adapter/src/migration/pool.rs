//! The spec and the annotations of an IPAddressPool.

use serde_json::{Map, Value, json};

use super::spec::{go_duration, label_selectors};
use crate::model::{Health, Permissions, Pool, ServiceAllocation, WhenUnhealthy};

/// Returns the spec of an IPAddressPool.
pub(super) fn spec(pool: &Pool) -> Value {
    let addresses: Vec<_> = pool.ranges.iter().map(ToString::to_string).collect();
    let mut spec = json!({ "addresses": addresses });
    if !pool.auto_assign {
        spec["autoAssign"] = false.into();
    }
    if pool.avoid_buggy_ips {
        spec["avoidBuggyIPs"] = true.into();
    }
    if let Some(rule) = &pool.allocation {
        spec["serviceAllocation"] = service_allocation(rule);
    }
    spec
}

fn service_allocation(rule: &ServiceAllocation) -> Value {
    json!({
        "priority": rule.priority,
        "namespaces": rule.namespaces,
        "namespaceSelectors": label_selectors(&rule.namespace_selectors),
        "serviceSelectors": label_selectors(&rule.service_selectors),
    })
}

/// Returns the annotations of an IPAddressPool, for settings that only FerroLB has.
pub(super) fn annotations(pool: &Pool) -> Option<Value> {
    let mut annotations = Map::new();
    add_permissions(&mut annotations, &pool.permissions);
    add_health(&mut annotations, &pool.health);
    if let Some(gate) = pool.dataplane_gate {
        set(&mut annotations, "dataplane-gate", gate.to_string());
    }
    (!annotations.is_empty()).then_some(Value::Object(annotations))
}

fn add_permissions(annotations: &mut Map<String, Value>, permissions: &Permissions) {
    let Permissions { communities, local_pref, med, prepend, health, .. } = permissions;
    if !communities.is_empty() {
        let patterns: Vec<_> = communities.iter().map(ToString::to_string).collect();
        set(annotations, "allow-communities", patterns.join(", "));
    }
    for (key, range) in [("allow-local-pref", local_pref), ("allow-med", med)] {
        if let Some(range) = range {
            set(annotations, key, format!("{}-{}", range.start(), range.end()));
        }
    }

    if *prepend > 0 {
        set(annotations, "allow-prepend", prepend.to_string());
    }
    if *health {
        set(annotations, "allow-health", "true".to_owned());
    }
}

fn add_health(annotations: &mut Map<String, Value>, health: &Health) {
    let Health { min_ready, probe, hold_down, when_unhealthy, link_bandwidth, .. } = health;
    if let Some(min_ready) = min_ready {
        set(annotations, "min-ready", min_ready.to_string());
    }
    if let Some(probe) = probe {
        set(annotations, "probe", probe.to_string());
        set(annotations, "probe-interval", go_duration(probe.interval));
        set(annotations, "probe-timeout", go_duration(probe.timeout));
        set(annotations, "probe-rise", probe.rise.to_string());
        set(annotations, "probe-fall", probe.fall.to_string());
    }

    if !hold_down.is_zero() {
        set(annotations, "hold-down", go_duration(*hold_down));
    }
    if *when_unhealthy == WhenUnhealthy::Depreference {
        set(annotations, "when-unhealthy", "depreference".to_owned());
    }
    if let Some(bandwidth) = link_bandwidth {
        set(annotations, "link-bandwidth", bandwidth.per_endpoint.to_string());
        set(annotations, "link-bandwidth-hysteresis", bandwidth.hysteresis.to_string());
    }
}

fn set(annotations: &mut Map<String, Value>, key: &str, value: String) {
    annotations.insert(format!("ferrolb.io/{key}"), value.into());
}
