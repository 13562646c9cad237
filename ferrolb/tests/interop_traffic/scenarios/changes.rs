//! Changes of a Service, of the owner of an address, and of the nodes that announce it.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use crate::tally::Scope;
use crate::world::World;

const ALL: [&str; 3] = ["kube1", "kube2", "kube3"];

/// The policy changes from `Local` to `Cluster` and back.
pub(crate) async fn local_cluster_local(world: &mut World) {
    let (service, vip) = ("policy", world.address());
    world.start_process(service, "kube1");
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &["kube1"]).await;
    world.expect_served("kube1", vip).await;
    world.settle().await;
    let busy = world.keep_busy();
    sleep(Duration::from_millis(600)).await;

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.patch(service, json!({"externalTrafficPolicy": "Cluster"})).await;
    world.expect_route(vip, &ALL).await;
    sleep(Duration::from_millis(1500)).await;

    world.patch(service, json!({"externalTrafficPolicy": "Local"})).await;
    world.expect_route(vip, &["kube1"]).await;
    sleep(Duration::from_millis(1500)).await;
    world.close(Scope::All);
    drop(busy);
    world.remove(service, vip).await;
}

/// A Service that waits for an address gets it when its owner is deleted. Between the two nobody serves.
pub(crate) async fn address_changes_hands(world: &mut World) {
    let (old, new, vip) = ("owner", "heir", world.address());
    world.start_process(old, "kube1");
    world.start_process(new, "kube2");
    world.create(old, "Local", vip).await;
    world.expect_route(vip, &["kube1"]).await;
    world.expect_served("kube1", vip).await;
    world.create(new, "Local", vip).await;
    world.settle().await;

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.delete(old).await;
    world.programs.cluster.wait_for_addresses(new, &[&vip.to_string()]).await;
    let owned = Instant::now();
    world.expect_route(vip, &["kube2"]).await;
    sleep(Duration::from_millis(1800)).await;
    world.close(Scope::OnRouteSince(owned));
    world.remove_pods(old).await;
    world.remove(new, vip).await;
}

/// One node may no longer announce, and another one takes its place.
pub(crate) async fn a_node_takes_over(world: &mut World) {
    const EXCLUDED: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
    let (service, vip) = ("takes-over", world.address());
    world.start_process(service, "kube3");
    for node in ["kube2", "kube3"] {
        world.patch_node(node, json!({"labels": {EXCLUDED: ""}})).await;
    }
    world.create(service, "Cluster", vip).await;
    world.expect_route(vip, &["kube1"]).await;
    for node in ALL {
        world.expect_served(node, vip).await;
    }

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.patch_node("kube2", json!({"labels": {EXCLUDED: null}})).await;
    world.patch_node("kube1", json!({"labels": {EXCLUDED: ""}})).await;
    world.expect_route(vip, &["kube2"]).await;
    sleep(Duration::from_millis(1500)).await;
    world.close(Scope::All);

    for node in ["kube1", "kube3"] {
        world.patch_node(node, json!({"labels": {EXCLUDED: null}})).await;
    }
    world.remove(service, vip).await;
}
