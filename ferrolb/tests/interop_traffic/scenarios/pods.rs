//! Pods that move between nodes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::tally::Scope;
use crate::world::{GRACE, World};

/// The only pod of a Service moves from kube1 to kube2: the new one is ready before the old one is deleted.
async fn moves(world: &mut World, service: &str, busy: bool) {
    let vip = world.address();
    let old = world.start_process(service, "kube1");
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &["kube1"]).await;
    world.expect_served("kube1", vip).await;
    world.settle().await;
    let busy = busy.then(|| world.keep_busy());
    sleep(Duration::from_millis(600)).await;

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.start_pod(service, "kube2").await;
    world.delete_pod(&old).await;
    world.expect_route(vip, &["kube2"]).await;
    sleep(Duration::from_millis(500)).await;
    world.close(Scope::All);
    drop(busy);
    world.remove(service, vip).await;
}

pub(crate) async fn one_moves_while_others_change(world: &mut World) {
    moves(world, "moves-busy", true).await;
}

pub(crate) async fn terminating_and_ready_elsewhere(world: &mut World) {
    moves(world, "terminating", false).await;
}

/// Six pods are replaced one after the other, some of them on other nodes, so that a node has none for a while.
pub(crate) async fn rolling_restart(world: &mut World) {
    const OLD: [&str; 6] = ["kube1", "kube1", "kube2", "kube2", "kube3", "kube3"];
    const NEW: [&str; 6] = ["kube2", "kube3", "kube3", "kube2", "kube1", "kube1"];
    let (service, vip) = ("rolling", world.address());
    let old: Vec<_> = OLD.iter().map(|node| world.start_process(service, node)).collect();
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &["kube1", "kube2", "kube3"]).await;
    for node in ["kube1", "kube2", "kube3"] {
        world.expect_served(node, vip).await;
    }
    world.settle().await;

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    let mut ending = Vec::new();
    for (old, node) in old.into_iter().zip(NEW) {
        world.start_pod(service, node).await;
        world.terminate_pod(&old).await;
        ending.push((Instant::now() + GRACE, old));
        sleep(Duration::from_millis(1100)).await;
        while ending.first().is_some_and(|(at, _)| *at <= Instant::now()) {
            let (_, pod) = ending.remove(0);
            world.end_pod(&pod).await;
        }
    }

    for (at, pod) in ending {
        tokio::time::sleep_until(at).await;
        world.end_pod(&pod).await;
    }
    sleep(Duration::from_secs(1)).await;
    world.close(Scope::All);
    world.remove(service, vip).await;
}
