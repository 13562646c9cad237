//! What must not leave the machine: passwords, keys, the data of Secrets, and annotations of other programs.
//!
//! A process leaves secrets out of its answers. This is the second wall, for what an older process or a new field may contain.

use lb_adapter::recording::PASSWORD;
use serde_json::Value;

/// Removes secrets from a document, also from texts in it that are JSON themselves. [`PASSWORD`] is in their place.
pub(super) fn redact(document: &mut Value) {
    match document {
        Value::Object(fields) => {
            let is_secret = fields.get("kind").is_some_and(|kind| kind == "Secret");
            for (key, value) in fields {
                if is_secret && matches!(key.as_str(), "data" | "stringData") || is_secret_key(key)
                {
                    hide(value);
                } else if key == "annotations" {
                    hide_annotations(value);
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(redact),
        Value::String(text) => redact_text(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Removes secrets from a text that is a JSON document, such as the configuration in a ConfigMap.
fn redact_text(text: &mut String) {
    if !text.starts_with(['{', '[']) {
        return;
    }
    let Ok(before) = serde_json::from_str::<Value>(text) else { return };

    let mut after = before.clone();
    redact(&mut after);
    // A text without secrets keeps its form.
    if after != before {
        *text = after.to_string();
    }
}

/// Returns true if the value of a key of this name is a secret.
fn is_secret_key(key: &str) -> bool {
    let key: String = key.chars().filter(char::is_ascii_alphanumeric).collect();
    ["password", "passwd", "token", "authorization", "privatekey", "apikey"]
        .iter()
        .any(|name| key.eq_ignore_ascii_case(name))
}

fn hide(value: &mut Value) {
    if !value.is_null() {
        *value = PASSWORD.into();
    }
}

/// Removes the values of annotations that other programs set, and the copies of whole objects.
fn hide_annotations(annotations: &mut Value) {
    let Some(annotations) = annotations.as_object_mut() else { return };
    for (key, value) in annotations {
        let domain = key.split('/').next().unwrap_or_default();
        let is_known = DOMAINS.iter().any(|known| {
            let before = domain.strip_suffix(known);
            before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
        });
        if !is_known || key.ends_with("last-applied-configuration") {
            hide(value);
        }
    }
}

/// The domains of the annotations that FerroLB and Kubernetes read.
const DOMAINS: [&str; 4] = ["ferrolb.io", "metallb.io", "metallb.universe.tf", "kubernetes.io"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_replaced_at_any_depth_and_the_rest_stays() {
        let config = json!({"peers": [{"peer-address": "172.22.35.1", "password": "hunter2"}]});
        let mut document = json!({"apply": {
            "kind": "ConfigMap",
            "metadata": {"annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"password\":\"hunter2\"}",
                "metallb.io/loadBalancerIPs": "172.22.35.70",
                "vendor.example/login": "hunter2",
                "notferrolb.io/x": "hunter2",
            }},
            "data": {"config": config.to_string()},
            "spec": {"passwordSecret": {"name": "tor"}, "Password": "hunter2", "auth-token": "of a key"},
            "list": [{"kind": "Secret", "data": {"password": "aHVudGVyMg=="}, "stringData": {"x": "hunter2"}}],
        }});
        redact(&mut document);

        let text = document.to_string();
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
        let object = &document["apply"];
        assert_eq!(object["metadata"]["annotations"]["metallb.io/loadBalancerIPs"], "172.22.35.70");
        assert_eq!(object["spec"]["passwordSecret"]["name"], "tor", "a name is no secret");
        assert_eq!(object["spec"]["Password"], PASSWORD);
        let config: Value =
            serde_json::from_str(object["data"]["config"].as_str().unwrap()).unwrap();
        assert_eq!(config["peers"][0]["peer-address"], "172.22.35.1");
        assert_eq!(config["peers"][0]["password"], PASSWORD);
    }

    #[test]
    fn a_text_without_secrets_keeps_its_form() {
        let mut document = json!({"text": "{ \"a\" :  1 }", "other": "{no json"});
        let before = document.clone();
        redact(&mut document);
        assert_eq!(document, before);
    }
}
