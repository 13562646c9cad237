//! The fields of a Service that the real server sets or drops before its checks.

use serde_json::{Value, json};

use super::node_ports::{self, has_node_ports, needs_health_check};
use super::{is_externally_accessible, number};

/// Drops the fields of a Service that its new type or policy does not have and that the request did not change. In the same
/// step, the real server clears the addresses of a Service that is no load balancer.
pub(crate) fn drop_fields_of_old_type(before: &Value, after: &mut Value) {
    let is_load_balancer = |service: &Value| service["spec"]["type"] == "LoadBalancer";
    let is_name = |service: &Value| service["spec"]["type"] == "ExternalName";

    if !is_name(before) && is_name(after) {
        if before["spec"]["clusterIPs"] == after["spec"]["clusterIPs"] {
            remove(after, "clusterIP");
        }
        for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            drop_unchanged(before, after, field);
        }
    }
    if has_node_ports(before) && !has_node_ports(after) {
        drop_node_ports(before, after);
    }
    if needs_health_check(before) && !needs_health_check(after) {
        drop_unchanged(before, after, "healthCheckNodePort");
    }
    if is_load_balancer(before) && !is_load_balancer(after) {
        drop_unchanged(before, after, "allocateLoadBalancerNodePorts");
        drop_unchanged(before, after, "loadBalancerClass");
    }
    if is_externally_accessible(before) && !is_externally_accessible(after) {
        drop_unchanged(before, after, "externalTrafficPolicy");
    }

    if !is_load_balancer(after) {
        after["status"]["loadBalancer"] = json!({});
    }
}

fn remove(service: &mut Value, field: &str) {
    service["spec"].as_object_mut().and_then(|spec| spec.remove(field));
}

/// Drops a field of the spec unless the request changed it. A changed one fails the checks.
fn drop_unchanged(before: &Value, after: &mut Value, field: &str) {
    if after["spec"].get(field) == before["spec"].get(field) {
        remove(after, field);
    }
}

/// Drops the node ports unless the request added one.
fn drop_node_ports(before: &Value, after: &mut Value) {
    let former: Vec<u16> = node_ports::of(before).collect();
    let ports = || after["spec"]["ports"].as_array().into_iter().flatten();
    let mut current = ports().map(|port| number(&port["nodePort"])).filter(|port| *port != 0);
    if !current.all(|port| former.iter().any(|former| i64::from(*former) == port)) {
        return;
    }

    for port in after["spec"]["ports"].as_array_mut().into_iter().flatten() {
        port.as_object_mut().and_then(|port| port.remove("nodePort"));
    }
}

/// Sets the defaults of the real server for fields that a request leaves out.
pub(crate) fn set_defaults(object: &mut Value) {
    if !object["spec"].is_object() {
        object["spec"] = json!({});
    }
    let spec = &mut object["spec"];
    set_if_null(spec, "type", json!("ClusterIP"));
    set_session_affinity(spec);
    if spec["type"] != "ExternalName" {
        set_if_null(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if spec["type"] == "LoadBalancer" {
        set_if_null(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    if is_externally_accessible(object) {
        set_if_null(&mut object["spec"], "externalTrafficPolicy", json!("Cluster"));
    }

    for port in object["spec"]["ports"].as_array_mut().into_iter().flatten() {
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

fn set_session_affinity(spec: &mut Value) {
    set_if_null(spec, "sessionAffinity", json!("None"));
    let seconds = &spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"];
    if spec["sessionAffinity"] == "ClientIP" && seconds.is_null() {
        spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 10_800}});
    }
    if spec["sessionAffinity"] == "None"
        && let Some(fields) = spec.as_object_mut()
    {
        fields.remove("sessionAffinityConfig");
    }
}

fn set_if_null(object: &mut Value, field: &str, value: Value) {
    if object[field].is_null() {
        object[field] = value;
    }
}
