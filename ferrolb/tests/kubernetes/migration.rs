//! The steps of docs/migrating-from-metallb.md, at an API server with the remains of MetalLB: its webhooks
//! reject every change until the steps are done. The test reads the steps from the page.

use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::cluster::{Cluster, object};

const PAGE: &str = include_str!("../../../docs/migrating-from-metallb.md");
const DEFINITIONS: &str = include_str!("../../../deploy/kustomize/crds/metallb.io.yaml");
const WEBHOOKS: &str = "metallb-webhook-configuration";

/// The patch of this command in the page.
fn patch(command: &str) -> Value {
    let (_, rest) = PAGE.split_once(command).unwrap_or_else(|| panic!("{command}"));
    let (_, rest) = rest.split_once("-p '").unwrap();
    serde_json::from_str(rest.split_once('\'').unwrap().0).unwrap()
}

fn definitions() -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(DEFINITIONS).unwrap();
    documents.into_iter().filter(Value::is_object).collect()
}

/// Creates what MetalLB leaves in a cluster: its definitions, webhooks without a server, and a configuration.
fn left_behind(cluster: &Cluster) {
    let server = cluster.server.as_ref().unwrap();
    for mut definition in definitions() {
        if definition["metadata"]["name"] == "bgppeers.metallb.io" {
            definition["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1"], "clientConfig": {"service": {
                    "name": "metallb-webhook-service", "namespace": cluster.system, "path": "/convert"}}}});
        }
        server.put(definition);
    }

    let webhook = |resource: &str, version: &str| {
        json!({"name": format!("{resource}validationwebhook.metallb.io"), "failurePolicy": "Fail",
            "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"name": "metallb-webhook-service", "namespace": cluster.system}},
            "rules": [{"apiGroups": ["metallb.io"], "apiVersions": [version], "resources": [resource],
                "operations": ["CREATE", "UPDATE"]}]})
    };

    server.put(json!({"apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration", "metadata": {"name": WEBHOOKS},
        "webhooks": [webhook("bgppeers", "v1beta2"), webhook("ipaddresspools", "v1beta1")]}));
    server.put(json!({"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer",
        "metadata": {"name": "router", "namespace": cluster.system},
        "spec": {"myASN": 64636, "peerASN": 64635, "peerAddress": "172.22.35.1", "peerPort": 179,
            "holdTime": "90s", "nodeSelectors": [{"matchLabels": {"rack": "a"}}]}}));
    server.put(json!({"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
        "metadata": {"name": "default", "namespace": cluster.system},
        "spec": {"addresses": ["172.22.35.64/26"], "autoAssign": true, "avoidBuggyIPs": false}}));
}

fn resources(cluster: &Cluster, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
    let kind = GroupVersionKind::gvk("metallb.io", version, kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, plural);
    Api::namespaced_with(cluster.client.clone(), &cluster.system, &resource)
}

/// Writes an object back unchanged, as `kubectl replace` does. Returns its spec afterwards.
async fn rewrite(api: &Api<DynamicObject>, name: &str) -> Result<Value, kube::Error> {
    let object = api.get(name).await?;
    let replaced = api.replace(name, &PostParams::default(), &object).await?;
    Ok(replaced.data["spec"].clone())
}

/// The first changed field. New defaults do not count.
fn changed<'a>(before: &'a Value, now: &Value) -> Option<&'a String> {
    let mut fields = before.as_object().unwrap().iter();
    fields.find(|(key, value)| now[key.as_str()] != **value).map(|(key, _)| key)
}

#[tokio::test]
async fn the_migration_steps_remove_the_webhooks_and_change_no_address() {
    if std::env::var_os("FERROLB_TEST_KUBECONFIG").is_some() {
        // The remains of MetalLB would disturb other tests at a real server.
        return;
    }
    let cluster = Cluster::new("").await;
    let configurations: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.system);
    configurations.delete("config", &DeleteParams::default()).await.unwrap();
    left_behind(&cluster);
    let peers = resources(&cluster, "v1beta2", "BGPPeer", "bgppeers");
    let old_peers = resources(&cluster, "v1beta1", "BGPPeer", "bgppeers");
    let pools = resources(&cluster, "v1beta1", "IPAddressPool", "ipaddresspools");

    // Nothing can be changed, or read in the old version.
    let before = peers.get("router").await.unwrap().data["spec"].clone();
    rewrite(&peers, "router").await.unwrap_err();
    rewrite(&pools, "default").await.unwrap_err();
    old_peers.list(&ListParams::default()).await.unwrap_err();

    // A Service has an address from MetalLB, which is not the first of the pool.
    let mut service = serde_json::to_value(cluster.create("web", json!({})).await).unwrap();
    service["apiVersion"] = json!("v1");
    service["kind"] = json!("Service");
    service["status"] = json!({"loadBalancer": {"ingress": [{"ip": "172.22.35.70"}]}});
    cluster.server.as_ref().unwrap().put(service);

    // Step 3.
    let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(cluster.client.clone());
    assert!(PAGE.contains(&format!("delete validatingwebhookconfiguration/{WEBHOOKS}")));
    webhooks.delete(WEBHOOKS, &DeleteParams::default()).await.unwrap();
    rewrite(&pools, "default").await.unwrap();
    let definition_api: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let metallbs = definition_api.get("bgppeers.metallb.io").await.unwrap();
    let unhook = patch("patch crd/bgppeers.metallb.io --type=merge");
    let params = PatchParams::default();
    definition_api.patch("bgppeers.metallb.io", &params, &Patch::Merge(unhook)).await.unwrap();
    let params = PatchParams::apply("kubectl").force();
    for definition in definitions() {
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        definition_api.patch(&name, &params, &Patch::Apply(definition)).await.unwrap();
    }
    let conversion = definition_api.get("bgppeers.metallb.io").await.unwrap().spec.conversion;
    let conversion = conversion.unwrap();
    assert_eq!((conversion.strategy.as_str(), conversion.webhook), ("None", None));

    // Both versions are served with the same fields, and writes succeed.
    let old = old_peers.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(changed(&before, &old[0].data["spec"]), None);
    let from_before = json!({"apiVersion": "metallb.io/v1beta1", "kind": "BGPPeer",
        "metadata": {"name": "old"}, "spec": {"myASN": 64636, "peerASN": 64635,
        "peerAddress": "172.22.35.2", "peerPort": 0, "nodeSelectors": [{"matchExpressions": [
            {"key": "rack", "operator": "In", "values": ["a"]}]}]}});
    old_peers.create(&PostParams::default(), &object(from_before)).await.unwrap();

    // Step 2 also works late.
    let rewritten = rewrite(&peers, "router").await.unwrap();
    assert_eq!(changed(&before, &rewritten), None);
    let stored = patch("patch crd/bgppeers.metallb.io --subresource=status");
    let params = PatchParams::default();
    definition_api
        .patch_status("bgppeers.metallb.io", &params, &Patch::Merge(stored))
        .await
        .unwrap();
    let status = definition_api.get("bgppeers.metallb.io").await.unwrap().status.unwrap();
    assert_eq!(status.stored_versions.unwrap(), ["v1beta2"]);

    // Step 4.
    let _controller = cluster.start("controller", "a", &[]);
    cluster.create("new", json!({})).await;
    cluster.wait_for_addresses("new", &["172.22.35.64"]).await;
    cluster.wait_for_addresses("web", &["172.22.35.70"]).await;

    // The way back: with MetalLB's own definition instead of ours, the stored objects are unchanged.
    let mut again = serde_json::to_value(metallbs).unwrap();
    again["metadata"]["resourceVersion"].take();
    definition_api
        .replace("bgppeers.metallb.io", &PostParams::default(), &object(again))
        .await
        .unwrap();
    let conversion = definition_api.get("bgppeers.metallb.io").await.unwrap().spec.conversion;
    assert_eq!(conversion.unwrap().strategy, "Webhook");
    assert_eq!(changed(&before, &peers.get("router").await.unwrap().data["spec"]), None);
    cluster.end().await;
}

/// The patches of MetalLB's workloads add to their selectors, and leave their affinities alone.
#[test]
fn metallbs_speakers_stay_off_nodes_without_the_label() {
    for name in ["speaker", "frr-k8s-daemon"] {
        let patch = patch(&format!("patch daemonset/{name} --type=merge"));
        let pod = json!({"nodeSelector": {"ferrolb.io/speaker": "metallb"}});
        assert_eq!(patch["spec"]["template"]["spec"], pod, "{name}");
        let typed: k8s_openapi::api::apps::v1::DaemonSetUpdateStrategy =
            object(patch["spec"]["updateStrategy"].clone());
        assert_eq!(typed.type_.as_deref(), Some("OnDelete"), "{name}");
    }
}
