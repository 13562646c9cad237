//! Configurations that change in several steps, and the addresses and routes after each.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::access::{DEFINITIONS, events, metallb};
use crate::cluster::{Cluster, addresses_of, wait};
use crate::program::Program;
use crate::questions::ask;
use crate::speaker::{ONE_AT_A_TIME, Router};

/// Version, kind and plural name of the resources.
const KINDS: [(&str, &str, &str); 4] = [
    ("v1beta2", "BGPPeer", "bgppeers"),
    ("v1beta1", "IPAddressPool", "ipaddresspools"),
    ("v1beta1", "BGPAdvertisement", "bgpadvertisements"),
    ("v1beta1", "Community", "communities"),
];

/// A cluster with MetalLB's definitions and without a configuration. Returns `None` at a real server, where the fixed names of
/// the Nodes would conflict with those of other tests.
pub(crate) async fn unconfigured() -> Option<Cluster> {
    let cluster = Cluster::new("").await;
    let server = cluster.server.as_ref()?;
    let definitions: Vec<Value> = serde_saphyr::from_multiple(DEFINITIONS).unwrap();
    for definition in definitions.into_iter().filter(Value::is_object) {
        server.put(definition);
    }
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), &cluster.system);
    maps.delete("config", &DeleteParams::default()).await.unwrap();
    Some(cluster)
}

fn api(cluster: &Cluster, kind: &str) -> (Api<DynamicObject>, &'static str) {
    let (version, kind, plural) = KINDS.into_iter().find(|it| it.1 == kind).unwrap();
    (metallb(cluster, version, kind, plural), version)
}

pub(crate) async fn apply(cluster: &Cluster, kind: &str, name: &str, spec: Value) {
    let (api, version) = api(cluster, kind);
    let made = json!({"apiVersion": format!("metallb.io/{version}"), "kind": kind,
        "metadata": {"name": name}, "spec": spec});
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(made)).await.unwrap();
}

async fn delete(cluster: &Cluster, kind: &str, name: &str) {
    api(cluster, kind).0.delete(name, &DeleteParams::default()).await.unwrap();
}

pub(crate) fn peer(port: u16) -> Value {
    json!({"myASN": 64636, "peerASN": 64635, "peerAddress": "127.0.0.1", "peerPort": port})
}

pub(crate) fn pool(addresses: &str) -> Value {
    json!({"addresses": [addresses]})
}

fn controller(cluster: &Cluster, grace: &str) -> Program {
    let quick = ["--lease-duration", "3s", "--renew-deadline", "2s", "--retry-period", "200ms"];
    cluster.start("controller", "a", &[&quick[..], &["--pool-grace-period", grace]].concat())
}

/// Waits until the ConfigurationState of a program has this result and contains these words.
async fn says(cluster: &Cluster, program: &str, result: &str, words: &str) {
    let states = metallb(cluster, "v1beta1", "ConfigurationState", "configurationstates");
    wait(&format!("{program} to say {result}: {words}"), async || {
        let state = states.get(program).await.map_err(|it| it.to_string())?;
        let status = &state.data["status"];
        let good = status["result"] == result && status.to_string().contains(words);
        if good { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

/// The reason and the message of the condition of a Service.
async fn condition(cluster: &Cluster, name: &str) -> Option<(String, String)> {
    let service = cluster.services().get(name).await.unwrap();
    let conditions = service.status?.conditions?;
    conditions.into_iter().next().map(|it| (it.reason, it.message))
}

async fn wait_for_reason(cluster: &Cluster, name: &str, reason: &str) {
    wait(&format!("{name} to say {reason}"), async || match condition(cluster, name).await {
        Some((found, _)) if found == reason => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

async fn event(cluster: &Cluster, name: &str, reason: &str) -> String {
    wait(&format!("an event {reason}"), async || {
        let found = events(cluster, name, reason).await;
        found.last().map(|(note, _)| note.clone()).ok_or_else(|| "none".to_owned())
    })
    .await
}

async fn addresses(cluster: &Cluster, name: &str) -> Vec<String> {
    addresses_of(&cluster.services().get(name).await.unwrap())
}

/// Writes an address into the status of a Service, as another controller would.
async fn hold(cluster: &Cluster, name: &str, address: &str) {
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
    let params = PatchParams::default();
    cluster.services().patch_status(name, &params, &Patch::Merge(status)).await.unwrap();
}

#[tokio::test]
async fn configuring_after_installing_renumbers_no_service() {
    let Some(cluster) = unconfigured().await else { return };
    cluster.create("web", json!({})).await;
    hold(&cluster, "web", "192.0.2.9").await;
    let version = |it: &k8s_openapi::api::core::v1::Service| it.metadata.resource_version.clone();
    let before = version(&cluster.services().get("web").await.unwrap());

    let program = controller(&cluster, "5m");
    says(&cluster, "controller", "Unknown", "NoConfiguration").await;
    apply(&cluster, "BGPPeer", "tor", peer(1)).await;
    says(&cluster, "controller", "Valid", "").await;

    // When this Service has the reason for its missing address, the controller has written all its changes.
    cluster.create("late", json!({})).await;
    wait_for_reason(&cluster, "late", "AllocationFailed").await;
    let after = version(&cluster.services().get("web").await.unwrap());
    assert_eq!(before, after, "the controller has not touched it");

    apply(&cluster, "IPAddressPool", "default", pool("192.0.2.0/28")).await;
    cluster.wait_for_addresses("late", &["192.0.2.0"]).await;
    wait_for_reason(&cluster, "web", "IPAllocated").await;
    assert_eq!(addresses(&cluster, "web").await, ["192.0.2.9"]);
    program.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn addresses_outlive_the_last_pool_by_the_grace_period() {
    let Some(cluster) = unconfigured().await else { return };
    apply(&cluster, "IPAddressPool", "default", pool("192.0.2.0/28")).await;
    apply(&cluster, "BGPAdvertisement", "default", json!({})).await;
    let program = controller(&cluster, "6s");
    for (name, address) in [("other", "192.0.2.0"), ("web", "192.0.2.1")] {
        cluster.create(name, json!({})).await;
        cluster.wait_for_addresses(name, &[address]).await;
    }
    cluster.services().delete("other", &DeleteParams::default()).await.unwrap();

    // A pool with another name is created in time: the address stays, although a lower one is free.
    delete(&cluster, "IPAddressPool", "default").await;
    wait_for_reason(&cluster, "web", "PoolGone").await;
    assert!(event(&cluster, "web", "PoolGone").await.contains("is released at 20"));
    says(&cluster, "controller", "Valid", "released at").await;
    apply(&cluster, "IPAddressPool", "again", pool("192.0.2.0/28")).await;
    wait_for_reason(&cluster, "web", "IPAllocated").await;
    assert_eq!(addresses(&cluster, "web").await, ["192.0.2.1"]);
    tokio::time::sleep(std::time::Duration::from_secs(7)).await;
    assert_eq!(addresses(&cluster, "web").await, ["192.0.2.1"], "the release was called off");

    // No pool is created in time.
    delete(&cluster, "IPAddressPool", "again").await;
    cluster.wait_for_addresses("web", &[]).await;
    assert_eq!(
        event(&cluster, "web", "ClearAssignment").await,
        "took back 192.0.2.1: no address pool is configured"
    );

    // A new leader has never seen a pool.
    program.terminate().await;
    hold(&cluster, "web", "192.0.2.9").await;
    let program = controller(&cluster, "0");
    cluster.create("late", json!({})).await;
    wait_for_reason(&cluster, "late", "AllocationFailed").await;
    assert_eq!(addresses(&cluster, "web").await, ["192.0.2.9"]);
    program.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn deleting_two_pools_in_turn_and_recreating_them_renumbers_no_service() {
    let Some(cluster) = unconfigured().await else { return };
    let pools = [("first", "192.0.2.0/28"), ("second", "192.0.2.16/28")];
    for (name, range) in pools {
        apply(&cluster, "IPAddressPool", name, pool(range)).await;
    }

    let program = controller(&cluster, "5m");
    let annotations = |pool: &str| json!({"metallb.io/address-pool": pool});
    for (name, _) in pools {
        cluster.create_with(name, annotations(name), json!({})).await;
    }
    let unchanged = async || {
        cluster.wait_for_addresses("first", &["192.0.2.0"]).await;
        cluster.wait_for_addresses("second", &["192.0.2.16"]).await;
    };
    unchanged().await;

    // The Services no longer request a pool, so any pool would do.
    let any = Patch::Merge(json!({"metadata": {"annotations": {"metallb.io/address-pool": null}}}));
    for (name, _) in pools {
        cluster.services().patch(name, &PatchParams::default(), &any).await.unwrap();
        delete(&cluster, "IPAddressPool", name).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }

    wait_for_reason(&cluster, "second", "PoolGone").await;
    for (name, range) in pools.into_iter().rev() {
        apply(&cluster, "IPAddressPool", name, pool(range)).await;
    }
    for (name, _) in pools {
        wait_for_reason(&cluster, name, "IPAllocated").await;
        assert!(events(&cluster, name, "ClearAssignment").await.is_empty());
    }
    unchanged().await;
    program.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn routes_stay_during_the_grace_period_and_without_a_leader() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(cluster) = unconfigured().await else { return };
    let router = Router::new().await;
    cluster.add_node("kube1", Ipv4Addr::new(127, 22, 35, 25)).await;

    let program = controller(&cluster, "5m");
    let arguments = ["--node-name", "kube1", "--on-exit", "withdraw"];
    let speaker = cluster.start("speaker", "s", &arguments);
    says(&cluster, "speaker-kube1", "Unknown", "NoConfiguration").await;

    apply(&cluster, "BGPPeer", "tor", peer(router.port())).await;
    apply(&cluster, "BGPAdvertisement", "default", json!({})).await;
    apply(&cluster, "IPAddressPool", "default", pool("192.0.2.0/28")).await;
    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    let route: &[(&str, &[&str])] = &[("192.0.2.0/32", &["kube1"])];
    router.wait_for("the route", route).await;

    // The only pool is deleted and recreated. The router must not notice.
    wait_for_reason(&cluster, "web", "IPAllocated").await;
    let changes = router.speaker.loc_rib_changed();
    let before = *changes.borrow();
    delete(&cluster, "IPAddressPool", "default").await;
    wait_for_reason(&cluster, "web", "PoolGone").await;
    apply(&cluster, "IPAddressPool", "default", pool("192.0.2.0/28")).await;
    wait_for_reason(&cluster, "web", "IPAllocated").await;
    router.wait_for("the route as it was", route).await;
    assert_eq!(*changes.borrow(), before, "the router's table has changed");

    // Without a leader, no controller allocates the address that the Service requests from the other pool.
    program.kill();
    apply(&cluster, "IPAddressPool", "other", pool("192.0.2.16/28")).await;
    let other = json!({"metadata": {"annotations": {"metallb.io/address-pool": "other"}}});
    let other = Patch::Merge(other);
    cluster.services().patch("web", &PatchParams::default(), &other).await.unwrap();

    // The first of these gets an address from the test and is announced; the second one waits.
    cluster.create("next", json!({})).await;
    cluster.endpoints("next", &[("kube1", true)]).await;
    cluster.create("late", other_pool()).await;
    cluster.endpoints("late", &[("kube1", true)]).await;
    hold(&cluster, "next", "192.0.2.5").await;
    let both: &[(&str, &[&str])] = &[("192.0.2.0/32", &["kube1"]), ("192.0.2.5/32", &["kube1"])];
    router.wait_for("both routes", both).await;

    let explain = async |name: &str| {
        let service = format!("{}/{name}", cluster.namespace);
        ask(&cluster, &["explain", &service, "--lb-class", &cluster.class]).await
    };
    let explained = explain("web").await;
    assert!(explained.contains("192.0.2.0") && !explained.contains("192.0.2.16"), "{explained}");
    let explained = explain("late").await;
    assert!(
        !explained.contains("192.0.2.1") && explained.contains("address       FAIL"),
        "{explained}"
    );

    // The next leader moves the Service.
    let program = controller(&cluster, "5m");
    cluster.wait_for_addresses("web", &["192.0.2.16"]).await;
    cluster.services().delete("late", &DeleteParams::default()).await.unwrap();
    router
        .wait_for("its new route", &[("192.0.2.16/32", &["kube1"]), ("192.0.2.5/32", &["kube1"])])
        .await;

    // The last advertisement and the last peer take effect at once.
    delete(&cluster, "BGPAdvertisement", "default").await;
    router.wait_for("no route", &[]).await;
    assert!(router.speaker.peers().iter().any(|peer| peer.is_established()));
    delete(&cluster, "BGPPeer", "tor").await;
    wait("the end of the session", async || {
        let up = router.speaker.peers().iter().any(|peer| peer.is_established());
        if up { Err("it is up".to_owned()) } else { Ok(()) }
    })
    .await;
    assert_eq!(addresses(&cluster, "web").await, ["192.0.2.16"]);

    speaker.terminate().await;
    program.terminate().await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    nodes.delete("kube1", &DeleteParams::default()).await.unwrap();
    cluster.end().await;
}

#[tokio::test]
async fn an_error_in_a_peer_affects_only_the_nodes_that_it_selects() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let Some(cluster) = unconfigured().await else { return };
    let router = Router::new().await;
    for (name, last) in [("kube1", 25), ("kube2", 26)] {
        cluster.add_node(name, Ipv4Addr::new(127, 22, 35, last)).await;
    }
    let for_node = |node: &str, more: Value| {
        let mut spec = peer(router.port());
        spec["nodeSelectors"] = json!([{"matchLabels": {"kubernetes.io/hostname": node}}]);
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    apply(&cluster, "BGPAdvertisement", "default", json!({})).await;
    apply(&cluster, "BGPPeer", "tor", for_node("kube1", json!({}))).await;
    apply(&cluster, "BGPPeer", "broken", for_node("kube2", json!({"bfdProfile": "none"}))).await;

    let program = controller(&cluster, "5m");
    let speak = |node: &'static str| {
        cluster.start("speaker", node, &["--node-name", node, "--on-exit", "withdraw"])
    };
    let (first, second) = (speak("kube1"), speak("kube2"));
    apply(&cluster, "IPAddressPool", "default", pool("192.0.2.0/28")).await;
    cluster.create("web", json!({})).await;
    cluster.endpoints("web", &[("kube1", true)]).await;
    let route: &[(&str, &[&str])] = &[("192.0.2.0/32", &["kube1"])];
    router.wait_for("the route of a node without errors", route).await;

    for (program, result) in [("controller", "Valid"), ("speaker-kube1", "Valid")] {
        says(&cluster, program, result, "").await;
    }
    says(&cluster, "speaker-kube2", "Invalid", "BGPPeer").await;
    wait("an event of the peer", async || {
        let events: Api<k8s_openapi::api::events::v1::Event> =
            Api::namespaced(cluster.client.clone(), &cluster.system);
        let all = events.list(&kube::api::ListParams::default()).await.unwrap().items;
        let found = all.iter().find(|it| it.reason.as_deref() == Some("InvalidConfiguration"));
        let name = found.and_then(|it| it.regarding.as_ref()?.name.clone());
        if name.as_deref() == Some("broken") { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await;

    // The first node announces after a restart, and follows a new pool.
    first.terminate().await;
    router.wait_for("no route", &[]).await;
    let first = speak("kube1");
    router.wait_for("the route after a restart", route).await;
    apply(&cluster, "IPAddressPool", "other", pool("192.0.2.16/28")).await;
    cluster.create_with("next", json!({"metallb.io/address-pool": "other"}), json!({})).await;
    cluster.endpoints("next", &[("kube1", true)]).await;
    router
        .wait_for("the new pool", &[("192.0.2.0/32", &["kube1"]), ("192.0.2.16/32", &["kube1"])])
        .await;

    // Once the error is corrected, the second node announces too.
    apply(&cluster, "BGPPeer", "broken", for_node("kube2", json!({}))).await;
    let both: &[&str] = &["kube1", "kube2"];
    router.wait_for("both nodes", &[("192.0.2.0/32", both), ("192.0.2.16/32", both)]).await;
    says(&cluster, "speaker-kube2", "Valid", "").await;

    for program in [first, second, program] {
        program.terminate().await;
    }
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    for name in ["kube1", "kube2"] {
        nodes.delete(name, &DeleteParams::default()).await.unwrap();
    }
    cluster.end().await;
}

/// The spec of a Service that requests an address of the second pool.
fn other_pool() -> Value {
    json!({"loadBalancerIP": "192.0.2.17"})
}
