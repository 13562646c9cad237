//! Services that appear, and the first and the last pod of a Service.

use std::time::Duration;

use tokio::time::sleep;

use crate::tally::Scope;
use crate::world::World;

/// A Service is created, and its pods already run.
async fn created(world: &mut World, service: &str, policy: &str) {
    let vip = world.address();
    for node in ["kube1", "kube2"] {
        world.start_process(service, node);
    }
    world.settle().await;

    world.open(vip);
    sleep(Duration::from_millis(200)).await;
    world.create(service, policy, vip).await;
    world.expect_any_route(vip).await;
    sleep(Duration::from_millis(2000)).await;
    world.close(Scope::SinceFirstRoute);
    world.remove(service, vip).await;
}

pub(crate) async fn cluster(world: &mut World) {
    created(world, "created-cluster", "Cluster").await;
}

pub(crate) async fn local(world: &mut World) {
    created(world, "created-local", "Local").await;
}

/// The first pod starts, and the last one is deleted.
pub(crate) async fn zero_one_zero(world: &mut World) {
    let vip = world.address();
    world.create("zero-one-zero", "Local", vip).await;
    // Other changes make the first pod wait for the end of a period.
    let busy = world.keep_busy();
    sleep(Duration::from_millis(1300)).await;

    world.open(vip);
    sleep(Duration::from_millis(200)).await;
    let pod = world.start_pod("zero-one-zero", "kube1").await;
    sleep(Duration::from_secs(2)).await;
    drop(busy);
    world.delete_pod(&pod).await;
    world.expect_route(vip, &[]).await;
    sleep(Duration::from_millis(200)).await;
    world.close(Scope::OnRoute);
    world.remove("zero-one-zero", vip).await;
}
