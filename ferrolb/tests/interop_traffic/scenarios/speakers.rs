//! Speakers that drain, end, are killed and come back.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::cluster::wait;
use crate::programs::NODES;
use crate::tally::Scope;
use crate::world::World;

const ALL: [&str; 3] = ["kube1", "kube2", "kube3"];

/// One speaker is drained, one is ended, and one is killed. The other nodes carry the Service.
pub(crate) async fn others_carry(world: &mut World) {
    let (service, vip) = ("carried", world.address());
    world.start_process(service, "kube1");
    world.create(service, "Cluster", vip).await;
    world.expect_route(vip, &ALL).await;
    for node in ALL {
        world.expect_served(node, vip).await;
    }

    world.open(vip);
    sleep(Duration::from_millis(200)).await;
    world.patch_node("kube1", json!({"annotations": {"ferrolb.io/drain": "yes"}})).await;
    world.expect_route(vip, &["kube2", "kube3"]).await;
    world.patch_node("kube1", json!({"annotations": {"ferrolb.io/drain": null}})).await;
    world.expect_route(vip, &ALL).await;

    world.programs.terminate_speaker("kube2").await;
    world.expect_route(vip, &["kube1", "kube3"]).await;
    world.programs.start_speaker("kube2");
    world.expect_route(vip, &ALL).await;

    world.programs.kill_speaker("kube3");
    world.expect_route(vip, &["kube1", "kube2"]).await;
    world.programs.start_speaker("kube3");
    world.expect_route(vip, &ALL).await;
    sleep(Duration::from_millis(500)).await;
    world.close(Scope::All);
    world.remove(service, vip).await;
}

/// The speakers are replaced one after the other, and one is killed. The router keeps their routes meanwhile.
pub(crate) async fn graceful_restart_carries(world: &mut World) {
    let (service, vip) = ("upgraded", world.address());
    for node in ["kube1", "kube2"] {
        world.start_process(service, node);
    }
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &["kube1", "kube2"]).await;
    for node in ["kube1", "kube2"] {
        world.expect_served(node, vip).await;
    }

    world.open(vip);
    sleep(Duration::from_millis(200)).await;
    for node in ALL {
        world.programs.terminate_speaker(node).await;
        come_back(world, node).await;
    }
    world.programs.kill_speaker("kube1");
    come_back(world, "kube1").await;
    world.close(Scope::All);
    world.remove(service, vip).await;
}

/// Starts a speaker whose session has ended, and waits until the session is back with its routes.
async fn come_back(world: &mut World, node: &'static str) {
    let number = NODES.iter().position(|(name, _)| *name == node).expect("a node");
    wait("the end of the session", async || match world.router.established(number)? {
        true => Err("it is Established".to_owned()),
        false => Ok(()),
    })
    .await;

    world.programs.start_speaker(node);
    wait("the session", async || match world.router.established(number)? {
        true => Ok(()),
        false => Err("it is not Established".to_owned()),
    })
    .await;
    // The End-of-RIB follows within this time.
    sleep(Duration::from_secs(1)).await;
}

/// The speaker of the only node is killed, and nothing keeps its route.
pub(crate) async fn the_only_one_is_killed(world: &mut World) {
    let (service, vip) = ("only-node", world.address());
    world.start_process(service, "kube1");
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &["kube1"]).await;
    world.expect_served("kube1", vip).await;

    world.open(vip);
    sleep(Duration::from_millis(200)).await;
    world.programs.kill_speaker("kube1");
    world.programs.start_speaker("kube1");
    world.expect_route(vip, &[]).await;
    world.expect_route(vip, &["kube1"]).await;
    sleep(Duration::from_millis(500)).await;
    world.close(Scope::All);
    world.remove(service, vip).await;
}
