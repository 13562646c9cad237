//! What the real server does to an object between the request and the store: defaults, checks, webhooks.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::resource::Resource;
use crate::store::Store;
use crate::validation;

/// Drops the fields of a Service that its new type does not have and that the request left as they were. In the same step
/// the real server clears the addresses of a Service that is no load balancer.
pub(crate) fn drop_fields_of_the_type_before(before: &Value, after: &mut Value) {
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

/// Sets what the real server sets where a request leaves it out.
pub(crate) fn default(resource: &Resource, object: &mut Value, number: u64) {
    if resource.group.is_empty() && resource.kind == "Service" {
        default_service(object, number);
    }
    if resource.group == "apps" && resource.kind == "DaemonSet" {
        default_daemon_set(&mut object["spec"]["updateStrategy"]);
    }
}

fn default_daemon_set(strategy: &mut Value) {
    if strategy["type"].is_null() {
        strategy["type"] = json!("RollingUpdate");
    }
    if strategy["type"] == "RollingUpdate" && strategy["rollingUpdate"].is_null() {
        strategy["rollingUpdate"] = json!({"maxUnavailable": 1, "maxSurge": 0});
    }
}

fn default_service(object: &mut Value, number: u64) {
    if !object["spec"].is_object() {
        object["spec"] = json!({});
    }
    let spec = &mut object["spec"];
    let mut or_default = |field: &str, value: Value| {
        if spec[field].is_null() {
            spec[field] = value;
        }
    };
    or_default("type", json!("ClusterIP"));
    or_default("sessionAffinity", json!("None"));
    if spec["type"] == "ExternalName" {
        return;
    }
    let mut or_default = |field: &str, value: Value| {
        if spec[field].is_null() {
            spec[field] = value;
        }
    };
    let (high, low) = ((number >> 8) & 0xff, number & 0xff);
    or_default("clusterIP", json!(format!("10.96.{high}.{low}")));
    or_default("ipFamilyPolicy", json!("SingleStack"));
    or_default("internalTrafficPolicy", json!("Cluster"));
    if spec["ipFamilies"].is_null() {
        let first = if spec["clusterIP"].as_str().is_some_and(|it| it.contains(':')) {
            "IPv6"
        } else {
            "IPv4"
        };
        let second = if first == "IPv4" { "IPv6" } else { "IPv4" };
        let dual = spec["ipFamilyPolicy"] == "RequireDualStack";
        spec["ipFamilies"] = if dual { json!([first, second]) } else { json!([first]) };
    }
    if spec["clusterIPs"].is_null() {
        let families = spec["ipFamilies"].as_array().map_or(1, Vec::len);
        let first = spec["clusterIP"].clone();
        let second = if first.as_str().is_some_and(|it| it.contains(':')) {
            format!("10.96.{high}.{low}")
        } else {
            format!("fd00:96::{high:x}:{low:x}")
        };
        spec["clusterIPs"] = if families > 1 { json!([first, second]) } else { json!([first]) };
    }
    if spec["type"] == "LoadBalancer" {
        for (field, value) in [
            ("externalTrafficPolicy", json!("Cluster")),
            ("allocateLoadBalancerNodePorts", json!(true)),
        ] {
            if spec[field].is_null() {
                spec[field] = value;
            }
        }
    }
    if let Some(ports) = spec["ports"].as_array_mut() {
        for port in ports {
            if port["protocol"].is_null() {
                port["protocol"] = json!("TCP");
            }
            if port["targetPort"].is_null() {
                port["targetPort"] = port["port"].clone();
            }
        }
    }
    if let Some(ingress) =
        object.pointer_mut("/status/loadBalancer/ingress").and_then(Value::as_array_mut)
    {
        for entry in ingress {
            if entry["ip"].is_string() && entry["ipMode"].is_null() {
                entry["ipMode"] = json!("VIP");
            }
        }
    }
}

/// Refuses what the real server would refuse.
pub(crate) fn check(
    resource: &Resource,
    object: &Value,
    before: Option<&Value>,
) -> Result<(), Failure> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let refused = validation::validate(resource, object, before);
    refused.map_err(|why| Failure::invalid(&resource.qualified(), name, why))
}

/// Returns true if a Service has an endpoint that is ready.
pub(crate) fn has_endpoint(store: &Store, namespace: &str, service: &str) -> bool {
    let (_, slices) = store.list("endpointslices.discovery.k8s.io", Some(namespace));
    let of_it = slices
        .iter()
        .filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service);
    let mut endpoints = of_it.flat_map(|it| it["endpoints"].as_array().into_iter().flatten());
    endpoints.any(|endpoint| endpoint["conditions"]["ready"] == true)
}

/// Fails as the real server does if a webhook that must be asked does not answer. A webhook answers while its Service has
/// an endpoint, and lets everything pass.
pub(crate) fn ask_webhooks(
    store: &Store,
    resource: &Resource,
    version: &str,
    verb: &str,
) -> Result<(), Failure> {
    let (_, configurations) =
        store.list("validatingwebhookconfigurations.admissionregistration.k8s.io", None);
    let webhooks =
        configurations.iter().flat_map(|it| it["webhooks"].as_array().into_iter().flatten());
    for webhook in webhooks.filter(|webhook| webhook["failurePolicy"] != "Ignore") {
        let among = |rule: &Value, field: &str, wanted: &str| {
            let listed = rule[field].as_array().into_iter().flatten();
            listed.filter_map(Value::as_str).any(|one| one == wanted || one == "*")
        };
        let asked = webhook["rules"].as_array().into_iter().flatten().any(|rule| {
            among(rule, "apiGroups", &resource.group)
                && among(rule, "apiVersions", version)
                && among(rule, "resources", &resource.plural)
                && among(rule, "operations", verb)
        });
        let service = &webhook["clientConfig"]["service"];
        let text = |field: &str| service[field].as_str().unwrap_or_default();
        if asked && !has_endpoint(store, text("namespace"), text("name")) {
            let name = webhook["name"].as_str().unwrap_or_default();
            return Err(Failure::internal(format!(
                "failed calling webhook {name:?}: failed to call webhook: no endpoints available for its service"
            )));
        }
    }
    Ok(())
}
