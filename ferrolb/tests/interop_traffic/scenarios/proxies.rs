//! kube-proxies that die, and health ports that no longer answer.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::sleep;

use crate::programs::NODES;
use crate::tally::Scope;
use crate::world::{GRACE, World};

const ALL: [&str; 3] = ["kube1", "kube2", "kube3"];

/// What is wrong with a kube-proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It is killed: its ports refuse.
    Dead,
    /// It hangs: its ports answer as before.
    Stuck,
}

/// A second pod starts on a node without a working kube-proxy.
pub(crate) async fn where_a_pod_starts(world: &mut World, fault: Fault) {
    let (service, vip) = ("fault-local", world.address());
    world.start_process(service, "kube1");
    world.create(service, "Local", vip).await;
    world.expect_route(vip, &["kube1"]).await;
    world.expect_served("kube1", vip).await;
    begin(world, "kube2", fault).await;

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.start_pod(service, "kube2").await;
    // Longer than a speaker waits for the health ports of a cluster that has none.
    sleep(Duration::from_millis(3500)).await;
    world.close(Scope::All);
    end(world, "kube2").await;
    world.remove(service, vip).await;
}

/// The only pod moves, and a node that does not learn of it goes on sending connections to the old one.
pub(crate) async fn while_a_pod_moves(world: &mut World, fault: Fault) {
    let (service, vip) = ("fault-cluster", world.address());
    let old = world.start_process(service, "kube1");
    world.create(service, "Cluster", vip).await;
    world.expect_route(vip, &ALL).await;
    for node in ALL {
        world.expect_served(node, vip).await;
    }
    begin(world, "kube3", fault).await;
    let grace = match fault {
        Fault::Dead => GRACE,
        // A speaker notices after 10 s. The default of Kubernetes is 30 s.
        Fault::Stuck => Duration::from_millis(11_500),
    };

    world.open(vip);
    sleep(Duration::from_millis(300)).await;
    world.start_pod(service, "kube2").await;
    world.terminate_pod(&old).await;
    sleep(grace).await;
    world.end_pod(&old).await;
    sleep(Duration::from_secs(3)).await;
    world.close(Scope::All);
    end(world, "kube3").await;
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

    // A speaker may withdraw a route 10 s after its node has failed, unless all have.
    sleep(Duration::from_millis(12_500)).await;
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

/// Stops the kube-proxy of a node, a while before anything else happens.
async fn begin(world: &mut World, node: &str, fault: Fault) {
    world.settle().await;
    let proxy = world.proxies.get_mut(node).expect("a node");
    match fault {
        Fault::Dead => proxy.kill(),
        Fault::Stuck => proxy.stall(),
    }
    sleep(Duration::from_millis(1500)).await;
}

/// Replaces the kube-proxy of a node by one that works.
async fn end(world: &mut World, node: &str) {
    world.proxies.get_mut(node).expect("a node").start_again();
    world.settle().await;
}
