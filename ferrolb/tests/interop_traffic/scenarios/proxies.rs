//! kube-proxies that die, and health ports that no longer answer.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::sleep;

use crate::programs::NODES;
use crate::tally::Scope;
use crate::world::World;

const ALL: [&str; 3] = ["kube1", "kube2", "kube3"];

/// A second pod starts on a node without a kube-proxy.
pub(crate) async fn dead_where_a_pod_starts(world: &mut World) {
    let (service, vip) = ("dead-local", world.address());
    world.start_process(service, "kube1");
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &["kube1"]).await;
    world.expect_served("kube1", vip).await;
    kill(world, "kube2").await;

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.start_pod(service, "kube2").await;
    // Longer than a speaker waits for the health ports of a cluster that has none.
    sleep(Duration::from_secs(4)).await;
    world.close(Scope::All);
    start_again(world, "kube2").await;
    world.remove(service, vip).await;
}

/// The only pod moves, and a node that does not learn of it goes on sending connections to the old one.
pub(crate) async fn dead_while_a_pod_moves(world: &mut World) {
    let (service, vip) = ("dead-cluster", world.address());
    let old = world.start_process(service, "kube1");
    world.create(service, "Cluster", vip).await;
    world.expect_route(vip, &ALL).await;
    for node in ALL {
        world.expect_served(node, vip).await;
    }
    kill(world, "kube3").await;

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.start_pod(service, "kube2").await;
    world.delete_pod(&old).await;
    sleep(Duration::from_secs(2)).await;
    world.close(Scope::All);
    start_again(world, "kube3").await;
    world.remove(service, vip).await;
}

/// A policy of the network blocks all health ports of all nodes at once.
pub(crate) async fn all_ports_blocked(world: &mut World) {
    let (service, vip) = ("blocked", world.address());
    for node in ALL {
        world.start_process(service, node);
    }
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &ALL).await;
    for node in ALL {
        world.expect_served(node, vip).await;
    }

    world.open(vip);
    // All node ports, from which the API server takes the health ports of Services.
    let block = "table ip blocked {\n chain output {\n type filter hook output priority 0\n \
                 tcp dport { 30000-32767, 10256 } drop\n }\n}\n";
    for node in ALL {
        world.network.nodes[node].nft(block);
    }

    sleep(Duration::from_secs(5)).await;
    let announced = announcers(world, vip);
    for node in ALL {
        world.network.nodes[node].nft("delete table ip blocked\n");
    }
    sleep(Duration::from_millis(500)).await;
    world.close(Scope::All);
    assert_eq!(announced, ALL.into(), "nodes that announce the address while no port answers");
    world.remove(service, vip).await;
}

/// The nodes that announce an address, even as the last choice.
fn announcers(world: &World, vip: Ipv4Addr) -> BTreeSet<&'static str> {
    let routes = world.router.ask(&format!("show route {vip}/32")).unwrap();
    let via = |node: &(&str, Ipv4Addr)| routes.contains(&format!("via {} ", node.1));
    NODES.iter().filter(|node| via(node)).map(|(name, _)| *name).collect()
}

/// Kills the kube-proxy of a node, a while before anything else happens.
async fn kill(world: &mut World, node: &str) {
    world.settle().await;
    world.proxies.get_mut(node).expect("a node").kill();
    sleep(Duration::from_millis(1500)).await;
}

async fn start_again(world: &mut World, node: &str) {
    world.proxies.get_mut(node).expect("a node").start_again();
    world.settle().await;
}
