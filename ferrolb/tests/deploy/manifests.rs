//! Every document is a valid object of its kind, and the generated manifests are up to date.

use std::process::Command;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::documents::{documents, files, one, parse, plain_yaml, root, text};

/// Reads an object as its kind and writes it again, which loses the fields that its kind does not have.
fn again<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let typed: T = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(typed).unwrap())
}

/// The first difference. The numbers of a schema may be written with or without a decimal point.
fn difference(path: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .find_map(|(key, value)| difference(&format!("{path}.{key}"), value, found.get(key)?))
            .or_else(|| {
                let lost = expected.keys().find(|key| !found.contains_key(*key))?;
                Some(format!("{path}.{lost} is not known"))
            }),
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            pairs.into_iter().find_map(|(at, (a, b))| difference(&format!("{path}[{at}]"), a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (a, b) => Some(format!("{path}: {a} was read as {b}")),
    }
}

/// The error in an object of a kind of Kubernetes itself. Other objects are not checked.
pub(crate) fn not_of_its_kind(object: &Value) -> Option<String> {
    let kind = object["kind"].as_str()?;
    let read = match kind {
        "Namespace" => again::<Namespace>(object),
        "ServiceAccount" => again::<ServiceAccount>(object),
        "ConfigMap" => again::<ConfigMap>(object),
        "Secret" => again::<Secret>(object),
        "NetworkPolicy" => again::<NetworkPolicy>(object),
        "Role" => again::<Role>(object),
        "RoleBinding" => again::<RoleBinding>(object),
        "ClusterRole" => again::<ClusterRole>(object),
        "ClusterRoleBinding" => again::<ClusterRoleBinding>(object),
        "Deployment" => again::<Deployment>(object),
        "DaemonSet" => again::<DaemonSet>(object),
        "CustomResourceDefinition" => again::<CustomResourceDefinition>(object),
        // No crate in the workspace has a type for these.
        "Kustomization" | "Component" | "Plugin" | "PodMonitor" | "PrometheusRule" => return None,
        other => return Some(format!("{other} is not expected here")),
    };
    match read {
        Ok(read) => difference(kind, object, &read),
        Err(error) => Some(format!("{kind}: {error}")),
    }
}

#[test]
fn every_document_has_only_fields_of_its_kind() {
    let mut checked = 0;
    for path in plain_yaml() {
        if path.ends_with("/values.yaml") || path.ends_with("/Chart.yaml") {
            continue;
        }
        for object in documents(&path) {
            assert!(object["kind"].is_string(), "{path}: no kind");
            assert_eq!(not_of_its_kind(&object), None, "{path}");
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn the_generated_manifests_are_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let script = root().join("scripts/render-manifests");
    let status = Command::new(script).arg(folder.path()).status().unwrap();
    assert!(status.success());

    let mut compared = 0;
    let mut folders = vec![folder.path().to_owned()];
    while let Some(path) = folders.pop() {
        for entry in std::fs::read_dir(&path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap().to_owned();
            let made = std::fs::read_to_string(&path).unwrap();
            let there = text(&format!("deploy/{name}"));
            assert!(made == there, "deploy/{name} is out of date: run scripts/render-manifests");
            compared += 1;
        }
    }
    assert_eq!(compared, 11);
}

#[test]
fn every_file_named_in_a_kustomization_exists() {
    for path in files("deploy/kustomize", "kustomization.yaml") {
        let folder = path.trim_end_matches("kustomization.yaml");
        let kustomization = documents(&path).remove(0);
        let resources = kustomization["resources"].as_array().into_iter().flatten();
        let generated = kustomization["configMapGenerator"].as_array().into_iter().flatten();
        let generated = generated.flat_map(|it| it["files"].as_array().into_iter().flatten());
        for name in resources.chain(generated) {
            let name = name.as_str().unwrap();
            let name = name.split_once('=').map_or(name, |(_, file)| file);
            assert!(root().join(folder).join(name).exists(), "{path}: {name}");
        }
        for patch in kustomization["patches"].as_array().into_iter().flatten() {
            let changed = match patch["target"]["kind"].as_str().unwrap() {
                "Deployment" => one("deploy/kustomize/base/controller.yaml", "Deployment"),
                "DaemonSet" => one("deploy/kustomize/base/speaker.yaml", "DaemonSet"),
                // Another component has it, and the patch is a list of operations.
                "PodMonitor" => continue,
                other => panic!("{path}: {other}"),
            };
            assert_eq!(patch["target"]["name"], changed["metadata"]["name"], "{path}");
            let patch = parse(patch["patch"].as_str().unwrap()).unwrap().remove(0);
            assert_eq!(patch["kind"], changed["kind"], "{path}");
            assert_eq!(patch["metadata"]["name"], changed["metadata"]["name"], "{path}");
            // kustomize matches containers by name.
            let [name, changed] = [&patch, &changed]
                .map(|it| it.pointer("/spec/template/spec/containers/0/name").cloned());
            assert_eq!(name, changed, "{path}");
        }
    }
}

#[test]
fn an_overlay_has_one_namespace_and_binds_its_roles_to_its_accounts() {
    for namespace in ["ferrolb-system", "metallb-system"] {
        let objects = documents(&format!("deploy/manifests/{namespace}.yaml"));
        for object in &objects {
            let kind = object["kind"].as_str().unwrap();
            let cluster = kind.starts_with("Cluster")
                || ["Namespace", "CustomResourceDefinition"].contains(&kind);
            let expected = if cluster { Value::Null } else { json!(namespace) };
            assert_eq!(object["metadata"]["namespace"], expected, "{kind}");
            for subject in object["subjects"].as_array().into_iter().flatten() {
                assert_eq!(subject["namespace"], namespace);
                let account = objects.iter().any(|it| {
                    it["kind"] == "ServiceAccount" && it["metadata"]["name"] == subject["name"]
                });
                assert!(account, "{subject}");
            }
        }
        let named = objects.iter().find(|it| it["kind"] == "Namespace").unwrap();
        assert_eq!(named["metadata"]["name"], namespace);
        assert_eq!(named["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");
    }
}

#[test]
fn no_role_has_a_wildcard_and_secrets_are_readable_in_one_namespace_only() {
    let mut rules = 0;
    let base = documents("deploy/kustomize/base/rbac.yaml");
    let https = files("deploy/kustomize/components/https", ".yaml");
    let https = https.iter().flat_map(|path| documents(path));
    for object in base.into_iter().chain(https) {
        for rule in object["rules"].as_array().into_iter().flatten() {
            rules += 1;
            for field in ["apiGroups", "resources", "verbs"] {
                let mut words = rule[field].as_array().into_iter().flatten();
                assert!(words.all(|it| !it.as_str().unwrap().contains('*')), "{rule}");
            }
            let mut resources = rule["resources"].as_array().into_iter().flatten();
            if resources.any(|it| it == "secrets") {
                assert_eq!(object["kind"], "Role", "{rule}");
            }
        }
    }
    assert!(rules > 10, "{rules}");
}

#[test]
fn the_image_has_the_version_of_the_crate() {
    let version = env!("CARGO_PKG_VERSION");
    for name in ["controller", "speaker"] {
        let file = text(&format!("deploy/kustomize/base/{name}.yaml"));
        assert!(file.contains(&format!("image: ferrolb/ferrolb:{version}\n")), "{name}");
    }
    let chart = documents("deploy/charts/ferrolb/Chart.yaml").remove(0);
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
}
