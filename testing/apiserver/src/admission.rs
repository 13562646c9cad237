//! The steps of the real server between a request and the store: defaults, checks, webhooks.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::resource::Resource;
use crate::store::Store;
use crate::validation;

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

/// Refuses an object that the real server would refuse.
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
    let mut endpoints = slices
        .iter()
        .filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == service)
        .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
    endpoints.any(|endpoint| endpoint["conditions"]["ready"] == true)
}

/// Fails as the real server does if a required webhook does not respond. Here a webhook responds and allows everything
/// while its Service has an endpoint.
pub(crate) fn ask_webhooks(
    store: &Store,
    resource: &Resource,
    version: &str,
    verb: &str,
) -> Result<(), Failure> {
    let (_, configurations) =
        store.list("validatingwebhookconfigurations.admissionregistration.k8s.io", None);
    let webhooks = configurations
        .iter()
        .flat_map(|configuration| configuration["webhooks"].as_array().into_iter().flatten())
        .filter(|webhook| webhook["failurePolicy"] != "Ignore");

    for webhook in webhooks {
        let mut rules = webhook["rules"].as_array().into_iter().flatten();
        let matches = rules.any(|rule| {
            rule_lists(rule, "apiGroups", &resource.group)
                && rule_lists(rule, "apiVersions", version)
                && rule_lists(rule, "resources", &resource.plural)
                && rule_lists(rule, "operations", verb)
        });

        let service = &webhook["clientConfig"]["service"];
        let [namespace, service] =
            ["namespace", "name"].map(|field| service[field].as_str().unwrap_or_default());
        if matches && !has_endpoint(store, namespace, service) {
            let name = webhook["name"].as_str().unwrap_or_default();
            return Err(Failure::internal(format!(
                "failed calling webhook {name:?}: failed to call webhook: no endpoints available for its service"
            )));
        }
    }
    Ok(())
}

/// Returns true if a list of a webhook's rule contains a value or `*`.
fn rule_lists(rule: &Value, field: &str, wanted: &str) -> bool {
    let mut values = rule[field].as_array().into_iter().flatten().filter_map(Value::as_str);
    values.any(|value| value == wanted || value == "*")
}
