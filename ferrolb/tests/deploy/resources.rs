//! The CustomResourceDefinitions: the values that they accept, default and reject. They prune nothing of a configuration.

use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::{Api, Client, Config, ResourceExt as _};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

use crate::documents::{documents, files, text};

const DEFINITIONS: [&str; 2] =
    ["deploy/kustomize/crds/ferrolb.io.yaml", "deploy/kustomize/crds/metallb.io.yaml"];

/// A server with our definitions, and a client with all rights.
async fn server() -> (ApiServer, Client) {
    let server = ApiServer::builder().manifests(&DEFINITIONS.map(text)).start().await;
    let kubeconfig = Kubeconfig::read_from(server.kubeconfig("admin")).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    (server, Client::try_from(config).unwrap())
}

/// The plural name of each kind.
fn plural(kind: &str) -> String {
    let definitions = DEFINITIONS.iter().flat_map(|path| documents(path));
    let mut names = definitions.map(|it| it["spec"]["names"].clone());
    let names = names.find(|it| it["kind"] == kind).unwrap_or_else(|| panic!("{kind}"));
    names["plural"].as_str().unwrap().to_owned()
}

async fn create(client: &Client, mut object: Value) -> Result<Value, String> {
    object["metadata"]["namespace"] = json!("default");
    let types: TypeMeta = serde_json::from_value(object.clone()).unwrap();
    let kind = GroupVersionKind::try_from(&types).unwrap();
    let resource = ApiResource::from_gvk_with_plural(&kind, &plural(&types.kind));
    let api: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let typed: DynamicObject = serde_json::from_value(object).unwrap();
    let created = api.create(&PostParams::default(), &typed).await;
    let created = created.map_err(|error| error.to_string())?;
    let found = api.get(&created.name_any()).await.unwrap();
    Ok(serde_json::to_value(found).unwrap())
}

/// The path of the first value that is missing or changed in the stored object, which may have additional defaults.
fn lost(path: &str, written: &Value, stored: &Value) -> Option<String> {
    match (written, stored) {
        (Value::Object(written), Value::Object(stored)) => {
            written.iter().find_map(|(key, value)| match stored.get(key) {
                Some(stored) => lost(&format!("{path}.{key}"), value, stored),
                None => Some(format!("{path}.{key}")),
            })
        }
        (Value::Array(written), Value::Array(stored)) if written.len() == stored.len() => {
            written.iter().zip(stored).find_map(|(a, b)| lost(path, a, b))
        }
        (a, b) if a == b => None,
        (a, b) => Some(format!("{path}: {a} became {b}")),
    }
}

#[tokio::test]
async fn the_definitions_accept_every_configuration_key() {
    let (_server, client) = server().await;
    let mut seen = Vec::new();
    for object in documents("examples/resources/config.yaml") {
        let version = object["apiVersion"].as_str().unwrap();
        if !version.starts_with("metallb.io/") {
            continue;
        }
        let kind = object["kind"].as_str().unwrap().to_owned();
        let stored = create(&client, object.clone()).await;
        let stored = stored.unwrap_or_else(|error| panic!("{object}: {error}"));
        assert_eq!(lost(&kind, &object["spec"], &stored["spec"]), None);
        seen.push(kind);
    }
    for kind in ["BGPPeer", "IPAddressPool", "BGPAdvertisement", "Community", "BFDProfile"] {
        assert!(seen.iter().any(|it| it == kind), "{kind} is not among the example's {seen:?}");
    }
}

#[tokio::test]
async fn the_schemas_reject_invalid_values() {
    let (_server, client) = server().await;
    let wrong = [
        ("v1beta2", "BGPPeer", json!({"peerASN": 1, "peerAddress": "192.0.2.1"})),
        ("v1beta2", "BGPPeer", json!({"myASN": 4294967296_u64, "peerASN": 1})),
        ("v1beta2", "BGPPeer", json!({"myASN": 1, "peerASN": 1, "peerPort": 65536})),
        ("v1beta2", "BGPPeer", json!({"myASN": 1, "peerASN": 1, "holdTime": "90"})),
        ("v1beta2", "BGPPeer", json!({"myASN": 1, "dynamicASN": "any"})),
        ("v1beta2", "BGPPeer", json!({"myASN": 1, "interface": "a-name-of-sixteen"})),
        // Only a validation rule can require exactly one of two keys.
        ("v1beta2", "BGPPeer", json!({"myASN": 1, "peerAddress": "192.0.2.1"})),
        (
            "v1beta2",
            "BGPPeer",
            json!({"myASN": 1, "peerASN": 1, "dynamicASN": "internal", "peerAddress": "192.0.2.1"}),
        ),
        ("v1beta2", "BGPPeer", json!({"myASN": 1, "peerASN": 1})),
        (
            "v1beta2",
            "BGPPeer",
            json!({"myASN": 1, "peerASN": 1, "peerAddress": "192.0.2.1", "interface": "eth0"}),
        ),
        (
            "v1beta2",
            "BGPPeer",
            json!({"myASN": 1, "peerASN": 1, "peerAddress": "192.0.2.1", "password": "a",
                "passwordSecret": {"name": "b"}}),
        ),
        ("v1beta1", "BGPPeer", json!({"myASN": 1, "peerASN": 1})),
        ("v1beta1", "IPAddressPool", json!({})),
        ("v1beta1", "IPAddressPool", json!({"addresses": []})),
        ("v1beta1", "IPAddressPool", json!({"addresses": ["192.0.2.0/24"], "autoAssign": "yes"})),
        ("v1beta1", "BGPAdvertisement", json!({"aggregationLength": 33})),
        ("v1beta1", "BGPAdvertisement", json!({"aggregationLengthV6": 129})),
        ("v1beta1", "BGPAdvertisement", json!({"localPref": -1})),
        ("v1beta1", "BFDProfile", json!({"receiveInterval": 9})),
        ("v1beta1", "BFDProfile", json!({"detectMultiplier": 1})),
        ("v1beta1", "Community", json!({"communities": [{"name": "a", "value": "no-export"}]})),
        (
            "v1beta1",
            "BGPAdvertisement",
            json!({"nodeSelectors": [{"matchExpressions": [{"key": "a", "operator": "Equals"}]}]}),
        ),
    ];
    for (version, kind, spec) in wrong {
        let object = json!({"apiVersion": format!("metallb.io/{version}"), "kind": kind,
            "metadata": {"name": "wrong"}, "spec": spec});
        let refused = create(&client, object.clone()).await;
        assert!(refused.is_err(), "{object} was taken");
        assert!(refused.unwrap_err().contains("nvalid"), "{object}");
    }
}

#[tokio::test]
async fn missing_fields_get_metallbs_defaults() {
    let (_server, client) = server().await;
    let pool = json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "a"}, "spec": {"addresses": ["192.0.2.0/24"]}});
    let pool = create(&client, pool).await.unwrap();
    assert_eq!(
        (&pool["spec"]["autoAssign"], &pool["spec"]["avoidBuggyIPs"]),
        (&json!(true), &json!(false))
    );
    let peer = json!({"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "a"},
        "spec": {"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1"}});
    assert_eq!(create(&client, peer).await.unwrap()["spec"]["peerPort"], 179);
    let advertisement = json!({"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement",
        "metadata": {"name": "a"}, "spec": {}});
    let advertisement = create(&client, advertisement).await.unwrap();
    assert_eq!(advertisement["spec"]["aggregationLength"], 32);
    assert_eq!(advertisement["spec"]["aggregationLengthV6"], 128);
}

/// The further requirements of an API server for a definition.
#[test]
fn the_definitions_are_structural() {
    for path in DEFINITIONS {
        for definition in documents(path) {
            let names = &definition["spec"]["names"];
            let group = definition["spec"]["group"].as_str().unwrap();
            let name = format!("{}.{group}", names["plural"].as_str().unwrap());
            assert_eq!(definition["metadata"]["name"], name);
            assert!(definition["spec"]["conversion"]["webhook"].is_null(), "{name}");
            let versions = definition["spec"]["versions"].as_array().unwrap();
            assert_eq!(versions.iter().filter(|it| it["storage"] == true).count(), 1, "{name}");
            for version in versions {
                let schema = &version["schema"]["openAPIV3Schema"];
                structural(&format!("{name}/{}", version["name"]), schema);
                // Each column shows an existing field.
                for column in version["additionalPrinterColumns"].as_array().unwrap() {
                    let path = column["jsonPath"].as_str().unwrap().replace("[*]", ".[]");
                    let path = path.replace("[?(@.type==\"Ready\")]", ".[]");
                    let path = path.replace("[?(@.type==\"Degraded\")]", ".[]");
                    let mut at = schema;
                    for part in path.split('.').skip(1) {
                        at = if part == "[]" { &at["items"] } else { &at["properties"][part] };
                        assert!(at.is_object(), "{name}: {path}");
                    }
                }
                assert_eq!(version["subresources"], json!({"status": {}}), "{name}");
            }
        }
    }
}

fn structural(path: &str, schema: &Value) {
    assert!(schema["type"].is_string(), "{path} has no type");
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        structural(&format!("{path}.{key}"), property);
    }
    match schema["type"].as_str().unwrap() {
        "array" => structural(&format!("{path}[]"), &schema["items"]),
        "object" => {
            let (known, others) = (&schema["properties"], &schema["additionalProperties"]);
            assert!(known.is_null() || others.is_null(), "{path}: both properties and others");
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(known[required.as_str().unwrap()].is_object(), "{path}: {required}");
            }
        }
        _ => {}
    }
}

/// Collects the properties of a schema that `kubectl explain` has no text for.
fn unexplained(path: &str, schema: &Value, into: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let text = property["description"].as_str().unwrap_or_default().trim();
        if !text.ends_with(['.', ')']) {
            into.push(format!("{path}: {text:?}"));
        }
        unexplained(&path, property, into);
    }
    for below in ["items", "additionalProperties"] {
        if let Some(schema) = schema.get(below) {
            unexplained(path, schema, into);
        }
    }
}

#[test]
fn kubectl_explains_every_field() {
    let mut unknown = Vec::new();
    for definition in DEFINITIONS.iter().flat_map(|path| documents(path)) {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        for version in definition["spec"]["versions"].as_array().unwrap() {
            let mut schema = version["schema"]["openAPIV3Schema"].clone();
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{kind}");
            // The API server has texts of its own for these, and rejects a schema of metadata with one.
            for name in ["apiVersion", "kind", "metadata"] {
                schema["properties"].as_object_mut().unwrap().remove(name).expect(name);
            }
            let path = format!("{kind}.{}", version["name"].as_str().unwrap());
            unexplained(&path, &schema, &mut unknown);
        }
    }
    assert_eq!(unknown, [""; 0]);
}

/// Collects the fields of a value that a schema does not have, which an API server would drop.
fn dropped(path: &str, value: &Value, schema: &Value, into: &mut Vec<String>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match schema["properties"].get(name) {
            Some(schema) => dropped(&path, field, schema, into),
            None => into.push(path),
        }
    }
    for element in value.as_array().into_iter().flatten() {
        dropped(path, element, &schema["items"], into);
    }
}

/// Speakers of older versions report at the CRD of this one.
#[test]
fn the_definition_of_node_statuses_keeps_every_field_of_older_versions() {
    let definition = documents(DEFINITIONS[0]).remove(0);
    let schema =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"];
    let formats = files("ferrolb-kubernetes/tests/formats", ".json");
    for path in formats.iter().filter(|path| path.contains("bgp-node-status")) {
        let status: Value = serde_json::from_str(&text(path)).unwrap();
        let mut lost = Vec::new();
        dropped("status", &status, schema, &mut lost);
        assert_eq!(lost, [""; 0], "{path}");
    }
}
