//! The steps of the real server between a request and the store: defaults, checks, webhooks.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::resource::Resource;
use crate::store::Store;
use crate::{service, validation};

/// Sets the defaults of the real server for fields that a request leaves out.
pub(crate) fn default(resource: &Resource, object: &mut Value) {
    if resource.is_service() {
        service::set_defaults(object);
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

/// Refuses an object that the real server would refuse.
pub(crate) fn check(
    resource: &Resource,
    object: &Value,
    before: Option<&Value>,
) -> Result<(), Failure> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let refused = validation::validate(resource, object, before);
    refused.map_err(|why| Failure::invalid(&resource.qualified_kind(), name, why))
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
