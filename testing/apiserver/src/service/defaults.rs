//! The fields of a Service that the real server sets or drops before its checks.

use serde_json::{Value, json};

/// Drops the fields of a Service that its new type does not have and that the request did not change. In the same step,
/// the real server clears the addresses of a Service that is no load balancer.
pub(crate) fn drop_fields_of_old_type(before: &Value, after: &mut Value) {
    let was_load_balancer = before["spec"]["type"] == "LoadBalancer";
    if after["spec"]["type"] == "LoadBalancer" {
        return;
    }

    after["status"]["loadBalancer"] = json!({});
    let is_node_port = after["spec"]["type"] == "NodePort";
    let Some(spec) = after["spec"].as_object_mut() else { return };

    let mut fields = Vec::new();
    if was_load_balancer {
        fields.extend([
            "loadBalancerClass",
            "allocateLoadBalancerNodePorts",
            "healthCheckNodePort",
        ]);
    }
    if !is_node_port {
        fields.push("externalTrafficPolicy");
    }

    for field in fields {
        if spec.get(field) == before["spec"].get(field) {
            spec.remove(field);
        }
    }

    if is_node_port {
        return;
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        port.as_object_mut().map(|port| port.remove("nodePort"));
    }
}

/// Sets the defaults of the real server for fields that a request leaves out.
pub(crate) fn set_defaults(object: &mut Value, number: u64) {
    if !object["spec"].is_object() {
        object["spec"] = json!({});
    }
    let spec = &mut object["spec"];
    set_if_null(spec, "type", json!("ClusterIP"));
    set_if_null(spec, "sessionAffinity", json!("None"));
    if spec["type"] == "ExternalName" {
        return;
    }

    default_cluster_ips(spec, number);
    set_if_null(spec, "internalTrafficPolicy", json!("Cluster"));
    if spec["type"] == "LoadBalancer" {
        set_if_null(spec, "externalTrafficPolicy", json!("Cluster"));
        set_if_null(spec, "allocateLoadBalancerNodePorts", json!(true));
    }

    for port in spec["ports"].as_array_mut().into_iter().flatten() {
        set_if_null(port, "protocol", json!("TCP"));
        let target = port["port"].clone();
        set_if_null(port, "targetPort", target);
    }

    let ingress = object.pointer_mut("/status/loadBalancer/ingress").and_then(Value::as_array_mut);
    for entry in ingress.into_iter().flatten() {
        if entry["ip"].is_string() {
            set_if_null(entry, "ipMode", json!("VIP"));
        }
    }
}

fn default_cluster_ips(spec: &mut Value, number: u64) {
    let (high, low) = ((number >> 8) & 0xff, number & 0xff);
    set_if_null(spec, "clusterIP", json!(format!("10.96.{high}.{low}")));
    set_if_null(spec, "ipFamilyPolicy", json!("SingleStack"));
    let is_ipv6 = spec["clusterIP"].as_str().is_some_and(|address| address.contains(':'));

    let families = if is_ipv6 { ["IPv6", "IPv4"] } else { ["IPv4", "IPv6"] };
    let dual_stack = spec["ipFamilyPolicy"] == "RequireDualStack";
    let count = if dual_stack { 2 } else { 1 };
    set_if_null(spec, "ipFamilies", json!(families[..count]));

    let first = spec["clusterIP"].clone();
    let second =
        if is_ipv6 { format!("10.96.{high}.{low}") } else { format!("fd00:96::{high:x}:{low:x}") };
    let families = spec["ipFamilies"].as_array().map_or(1, Vec::len);
    let addresses = if families > 1 { json!([first, second]) } else { json!([first]) };
    set_if_null(spec, "clusterIPs", addresses);
}

fn set_if_null(object: &mut Value, field: &str, value: Value) {
    if object[field].is_null() {
        object[field] = value;
    }
}
