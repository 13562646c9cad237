//! The dataplane gate of speakers, with health ports that the test serves on the addresses of the nodes.
//!
//! `interop_traffic` shows the gate with packets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::cluster::{real_server, wait};
use crate::questions::ask;
use crate::speaker::{NODES, Router, World};

const SMTP: &str = "192.0.2.0/32";

/// The health port of a Service on one node.
struct HealthPort {
    is_ready: Arc<AtomicBool>,
    server: AbortHandle,
}

impl HealthPort {
    /// Serves the port on a node, with a ready endpoint or without.
    async fn serve(node: &str, port: u16, is_ready: bool) -> Self {
        let (_, address) = NODES.into_iter().find(|(name, _)| *name == node).unwrap();
        let listener = TcpListener::bind(SocketAddr::from((address, port))).await.unwrap();
        let is_ready = Arc::new(AtomicBool::new(is_ready));
        let state = Arc::clone(&is_ready);
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let status = if state.load(Ordering::Relaxed) {
                    "200 OK"
                } else {
                    "503 Service Unavailable"
                };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { is_ready, server: server.abort_handle() }
    }

    fn set_ready(&self, is_ready: bool) {
        self.is_ready.store(is_ready, Ordering::Relaxed);
    }
}

impl Drop for HealthPort {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A world whose speakers have the gate, and a Local Service with pods on kube1 and kube2. Returns its health port, too.
async fn world() -> (World, u16) {
    let router = Router::new().await;
    let config = router.config();
    let world = World::with_gate(router, &config, "auto").await;
    // Nothing forwards connections to the address here, so there must be no TCP port to try.
    // The gate needs no node port: the API server assigns a health port nevertheless.
    let spec = json!({"externalTrafficPolicy": "Local", "allocateLoadBalancerNodePorts": false,
        "ports": [{"port": 25, "protocol": "UDP"}]});
    let service = world.cluster.create("smtp", spec).await;
    let port = service.spec.unwrap().health_check_node_port.expect("the server assigns one");
    (world, port.try_into().unwrap())
}

/// Waits until these nodes announce the Service, each with true if it asks for less traffic.
async fn wait_for(world: &World, what: &str, expected: &[(&'static str, bool)]) {
    let expected: BTreeMap<_, _> = expected.iter().copied().collect();
    wait(what, async || {
        let found = world.router.preferences(SMTP);
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

/// Waits for the report of a node about its dataplane.
async fn report(world: &World, node: &str, what: &str, is_expected: impl Fn(&Value) -> bool) {
    let statuses = world.cluster.node_statuses();
    wait(what, async || {
        let object = statuses.get(&world.cluster.node(node)).await;
        let dataplane =
            object.map_err(|error| error.to_string())?.data["status"]["dataplane"].clone();
        if is_expected(&dataplane) { Ok(()) } else { Err(dataplane.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_local_service_follows_the_health_ports_of_its_nodes() {
    if real_server().is_some() {
        // The nodes have loopback addresses there, too, but a real server accepts no such pods.
        return;
    }
    let (world, port) = world().await;
    let kube1 = HealthPort::serve("kube1", port, false).await;
    world.cluster.endpoints("smtp", &[("kube1", true), ("kube2", true)]).await;
    report(&world, "kube1", "a Service held back", |dataplane| {
        dataplane["services"][0]["state"] == "Held" && dataplane["healthPorts"] == "Answering"
    })
    .await;
    assert_eq!(world.router.preferences(SMTP), BTreeMap::new());

    kube1.set_ready(true);
    wait_for(&world, "the node that forwards", &[("kube1", false)]).await;
    // On kube2 nothing answers, but kube1 reports that health ports do.
    wait_for(&world, "another choice", &[("kube1", false), ("kube2", true)]).await;
    let service = format!("{}/smtp", world.cluster.namespace);
    let explain = ["explain", &service, "--lb-class", &world.cluster.class];
    wait("an explanation", async || {
        let explained = ask(&world.cluster, &explain).await;
        let reason = format!(
            "dataplane     ok    announced with a lower preference: its health port {port}"
        );
        if explained.contains(&reason) { Ok(()) } else { Err(explained) }
    })
    .await;

    wait_for(&world, "a withdrawal, since kube1 serves", &[("kube1", false)]).await;
    report(&world, "kube2", "its report", |dataplane| {
        dataplane["withdrawn"] == 1 && dataplane["services"][0]["state"] == "Withdrawn"
    })
    .await;
    let explained = ask(&world.cluster, &explain).await;
    assert!(
        explained.contains("no longer forwards to the Service: its health port"),
        "{explained}"
    );

    // The last node is never withdrawn.
    kube1.set_ready(false);
    wait_for(&world, "both as the last choice", &[("kube1", true), ("kube2", true)]).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    wait_for(&world, "both still", &[("kube1", true), ("kube2", true)]).await;

    let kube2 = HealthPort::serve("kube2", port, true).await;
    kube1.set_ready(true);
    wait_for(&world, "both again", &[("kube1", false), ("kube2", false)]).await;
    drop((kube1, kube2));
    world.end().await;
}

#[tokio::test]
async fn a_cluster_without_health_ports_waits_once() {
    if real_server().is_some() {
        return;
    }
    let (world, _) = world().await;
    world.cluster.endpoints("smtp", &[("kube1", true), ("kube2", true)]).await;
    wait_for(&world, "an end of the wait", &[("kube1", false), ("kube2", false)]).await;
    report(&world, "kube1", "the reason", |dataplane| dataplane["healthPorts"] == "Silent").await;
    world.end().await;
}
