//! What the server does with Services: defaults, cluster IPs and node ports, and checks.
//!
//! Owns the meaning of a Service's fields. Knows neither requests nor the store.

mod allocations;
mod cluster_ips;
mod defaults;
mod node_ports;
mod validation;

use serde_json::Value;

pub(crate) use allocations::{Allocations, CLUSTER_IPS, NODE_PORTS};
pub(crate) use defaults::{drop_fields_of_old_type, set_defaults};
pub(crate) use validation::validate;

use crate::failure::Failure;

/// The number in a field, or 0 for none: the API means the same by both.
fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// Returns true if clients outside the cluster can reach the Service.
fn is_externally_accessible(service: &Value) -> bool {
    let has_external_ips = service["spec"]["externalIPs"].get(0).is_some();
    node_ports::has_node_ports(service)
        || service["spec"]["type"] == "ClusterIP" && has_external_ips
}

fn invalid_service(service: &Value, why: String) -> Failure {
    let name = service.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Failure::invalid("Service", name, why)
}
