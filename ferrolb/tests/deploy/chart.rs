//! The text of the Helm chart. `helm.rs` renders the chart, if `helm` is installed.

use serde_json::{Value, json};

use crate::documents::{documents, files, text};

const VALUES: &str = "deploy/charts/ferrolb/values.yaml";

fn schema() -> jsonschema::Validator {
    let schema = text("deploy/charts/ferrolb/values.schema.json");
    jsonschema::draft7::new(&serde_json::from_str(&schema).unwrap()).unwrap()
}

fn templates() -> Vec<(String, String)> {
    let paths = files("deploy/charts/ferrolb/templates", "");
    paths.into_iter().map(|path| (path.clone(), text(&path))).collect()
}

/// The actions between braces, without the dashes that trim whitespace.
fn actions(template: &str) -> Vec<&str> {
    let mut actions = Vec::new();
    let mut rest = template;
    while let Some(begin) = rest.find("{{") {
        let end = rest[begin..].find("}}").expect("an action that ends") + begin;
        let action = &rest[begin + 2..end];
        assert!(!action.contains("{{"), "{action}");
        actions.push(action.trim_matches('-').trim());
        rest = &rest[end + 2..];
    }
    assert!(!rest.contains("}}"), "{rest}");
    actions
}

#[test]
fn the_values_match_their_schema_which_rejects_mistakes() {
    let schema = schema();
    let values = documents(VALUES).remove(0);
    let problems: Vec<_> = schema.iter_errors(&values).map(|it| it.to_string()).collect();
    assert_eq!(problems, [""; 0]);

    for (pointer, wrong) in [
        ("/speaker/drain/marked", json!("soon")),
        ("/speaker/onExit", json!("keep")),
        ("/speaker/heartbeat", json!("0s")),
        ("/prometheus/metricsPort", json!("7472")),
        ("/controller/replicas", json!(0)),
        ("/controller/image/pullPolicy", json!("Sometimes")),
        ("/crds", json!({"enable": true})),
        // Tokens must not cross the network in clear text.
        ("/http/auth", json!("kubernetes")),
        // The checks of a node's dataplane need its network.
        ("/speaker/hostNetwork", json!(false)),
        // One PodMonitor scrapes both programs.
        ("/tls/controllerMetricsTLSSecret", json!("a")),
        ("/tls/speakerMetricsTLSSecret", json!("a")),
        ("/tls", json!({"speakerMetricsTLSSecret": "a"})),
    ] {
        let mut values = values.clone();
        *values.pointer_mut(pointer).unwrap() = wrong;
        assert!(!schema.is_valid(&values), "{pointer}");
    }
}

/// Nobody but the kubelet would reach 127.0.0.1 of a pod, and its probes would fail.
#[test]
fn a_speaker_in_the_network_of_its_pod_has_no_address_of_the_node() {
    let schema = schema();
    let mut values = documents(VALUES).remove(0);
    values["speaker"]["bindAddress"] = json!("127.0.0.1");
    assert!(schema.is_valid(&values));
    values["speaker"]["hostNetwork"] = json!(false);
    values["speaker"]["dataplane"]["gate"] = json!("off");
    assert!(!schema.is_valid(&values));
    values["speaker"]["bindAddress"] = json!("");
    assert!(schema.is_valid(&values));
}

#[test]
fn both_secrets_or_none_make_the_port_https() {
    let schema = schema();
    let mut values = documents(VALUES).remove(0);
    values["tls"] = json!({"controllerMetricsTLSSecret": "a", "speakerMetricsTLSSecret": "b"});
    assert!(schema.is_valid(&values));
    // Helm removes a value that is set to null.
    values["tls"] = json!({});
    assert!(schema.is_valid(&values));
}

#[test]
fn templates_use_exactly_the_values_that_exist() {
    let values = documents(VALUES).remove(0);
    let mut used = Vec::new();
    for (path, template) in templates() {
        for action in actions(&template) {
            let name = |c: char| !(c.is_ascii_alphanumeric() || c == '.');
            for reference in action.split(name).filter_map(|it| it.strip_prefix(".Values.")) {
                let pointer = format!("/{}", reference.replace('.', "/"));
                assert!(values.pointer(&pointer).is_some(), "{path}: .Values.{reference}");
                used.push(pointer);
            }
        }
    }

    let mut leaves = Vec::new();
    collect(&values, String::new(), &mut leaves);
    for leaf in leaves {
        // A template that uses a whole value uses everything in it.
        let within = |used: &String| leaf == *used || leaf.starts_with(&format!("{used}/"));
        assert!(used.iter().any(within), "{leaf} is used by no template");
    }
}

fn collect(value: &Value, path: String, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(key, value)| collect(value, format!("{path}/{key}"), into));
        }
        _ => into.push(path),
    }
}

#[test]
fn every_block_of_a_template_is_closed() {
    for (path, template) in templates() {
        let mut open = Vec::new();
        for action in actions(&template) {
            match action.split_whitespace().next().unwrap_or_default() {
                word @ ("if" | "with" | "range") => open.push(word),
                "else" => assert_eq!(open.last(), Some(&"if"), "{path}: {action}"),
                "end" => assert!(open.pop().is_some(), "{path}: an end too many"),
                _ => assert_eq!(action.matches('(').count(), action.matches(')').count()),
            }
        }
        assert!(open.is_empty(), "{path}: {open:?} has no end");
    }
}

#[test]
fn additions_are_off_by_default() {
    let values = documents(VALUES).remove(0);
    for name in ["podMonitor", "prometheusRule", "dashboard"] {
        assert_eq!(values["prometheus"][name]["enabled"], false, "{name}");
    }
    assert_eq!(values["speaker"]["unnumbered"], false);
    assert_eq!(values["networkpolicies"]["enabled"], false);
    assert_eq!(values["http"]["auth"], "none");
    assert_eq!(values["crds"]["enabled"], true);
}

/// The chart and the manifests have the same lines for a container's security settings.
#[test]
fn the_charts_pods_are_as_restricted_as_the_manifests() {
    for name in ["controller", "speaker"] {
        let template = text(&format!("deploy/charts/ferrolb/templates/{name}.yaml"));
        for line in [
            "allowPrivilegeEscalation: false",
            "readOnlyRootFilesystem: true",
            "drop: [ALL]",
            "runAsNonRoot: true",
            "runAsUser: 65534",
            "type: RuntimeDefault",
            "httpGet: {path: /livez, port: http{{",
            "httpGet: {path: /readyz, port: http{{",
        ] {
            assert!(template.contains(line), "{name}: {line}");
        }
    }
}
