//! The effects of installed objects: webhooks with and without a server, roles, defaults of workloads, and definitions whose
//! objects are deleted with them.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

async fn client(server: &ApiServer, who: &str) -> Client {
    let kubeconfig = Kubeconfig::read_from(server.kubeconfig(who)).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn a_webhook_answers_while_its_service_has_an_endpoint() {
    let server = ApiServer::builder().start().await;
    server.put(json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "maps"},
        "webhooks": [{"name": "maps.example.com", "failurePolicy": "Fail",
            "clientConfig": {"service": {"name": "judge", "namespace": "default"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                "operations": ["CREATE"]}]}]}));
    let client = client(&server, "admin").await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let slices: Api<EndpointSlice> = Api::namespaced(client, "default");
    let map = |name: &str| object::<ConfigMap>(json!({"metadata": {"name": name}}));

    let refused = maps.create(&PostParams::default(), &map("one")).await.unwrap_err().to_string();
    assert!(refused.contains("maps.example.com"), "{refused}");
    let slice = json!({"metadata": {"name": "judge-1", "labels": {"kubernetes.io/service-name": "judge"}},
        "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}]});
    slices.create(&PostParams::default(), &object(slice)).await.unwrap();
    maps.create(&PostParams::default(), &map("one")).await.unwrap();
    slices.delete("judge-1", &DeleteParams::default()).await.unwrap();
    maps.create(&PostParams::default(), &map("two")).await.unwrap_err();
}

#[tokio::test]
async fn a_role_takes_effect_as_soon_as_it_is_applied() {
    let server = ApiServer::builder().start().await;
    let reader: Api<ConfigMap> = Api::all(client(&server, "default/reader").await);
    reader.list(&ListParams::default()).await.unwrap_err();

    let admin = client(&server, "admin").await;
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": "default"}]});

    let params = PatchParams::apply("kubectl");
    let roles: Api<ClusterRole> = Api::all(admin.clone());
    roles.patch("reader", &params, &Patch::Apply(role)).await.unwrap();
    let bindings: Api<ClusterRoleBinding> = Api::all(admin);
    bindings.patch("reader", &params, &Patch::Apply(binding)).await.unwrap();
    reader.list(&ListParams::default()).await.unwrap();
}

#[tokio::test]
async fn a_daemon_set_has_the_update_strategy_that_the_real_server_gives_it() {
    let server = ApiServer::builder().start().await;
    let sets: Api<DaemonSet> = Api::namespaced(client(&server, "admin").await, "default");
    let set = json!({"metadata": {"name": "speaker"}, "spec": {"selector": {}, "template": {}}});
    sets.create(&PostParams::default(), &object(set)).await.unwrap();

    let strategy = async || {
        let set = serde_json::to_value(sets.get("speaker").await.unwrap()).unwrap();
        set["spec"]["updateStrategy"].clone()
    };

    let rolling =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
    assert_eq!(strategy().await, rolling);
    for (patch, expected) in [
        (json!({"type": "OnDelete", "rollingUpdate": null}), json!({"type": "OnDelete"})),
        (json!({"type": "RollingUpdate"}), rolling),
    ] {
        let patch = Patch::Merge(json!({"spec": {"updateStrategy": patch}}));
        sets.patch("speaker", &PatchParams::default(), &patch).await.unwrap();
        assert_eq!(strategy().await, expected);
    }
}

#[tokio::test]
async fn deleting_a_definition_deletes_its_objects() {
    let server = ApiServer::builder().start().await;
    let client = client(&server, "admin").await;
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let definition = json!({"metadata": {"name": "lamps.example.com"}, "spec": {"group": "example.com",
        "scope": "Namespaced", "names": {"kind": "Lamp", "plural": "lamps"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}});
    let definition: CustomResourceDefinition = object(definition);

    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let kind = GroupVersionKind::gvk("example.com", "v1", "Lamp");
    let kind = ApiResource::from_gvk_with_plural(&kind, "lamps");
    let lamps: Api<DynamicObject> = Api::namespaced_with(client, "default", &kind);
    definitions.create(&PostParams::default(), &definition).await.unwrap();

    let lamp = json!({"apiVersion": "example.com/v1", "kind": "Lamp", "metadata": {"name": "one"}});
    lamps.create(&PostParams::default(), &object(lamp)).await.unwrap();

    definitions.delete("lamps.example.com", &DeleteParams::default()).await.unwrap();
    lamps.list(&ListParams::default()).await.unwrap_err();
    definitions.create(&PostParams::default(), &definition).await.unwrap();
    assert!(lamps.list(&ListParams::default()).await.unwrap().items.is_empty());
}
