//! Measures a controller and one speaker in a cluster of any number of nodes and Services.
//!
//!     cargo build --profile no-lto --bin ferrolb
//!     cargo run --profile no-lto -p ferrolb-kubernetes --example cluster_scale -- --nodes 5000 --services 10000
//!
//! It starts an API server in this process, the binary `ferrolb` as controller and as speaker of the first node, and a router that
//! keeps the routes that it receives. All other nodes are objects that change: their kubelets renew Leases and report, their speakers
//! renew reports, and pods are replaced. Half of the Services have the policy Local; every 20th has 50 pods, the others
//! three, on pseudo-random nodes.
//!
//! It prints the memory of both programs, their processor time and their requests: at the start, while the statuses of Services are
//! written, and in a steady state. Then it restarts the pods of two Services one by one and evicts those of a node, and compares the
//! UPDATEs that the router gets with the changes that they should bring. Linux only: it reads /proc.

#![expect(clippy::print_stdout, reason = "a program for people")]

mod cluster;
mod objects;
#[path = "../shared/program.rs"]
mod program;
mod router;
mod traffic;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use cluster::Cluster;
use objects::{Pod, SYSTEM, Shape};
use program::{Memory, Program, built_binary};
use router::{NODE_ASN, ROUTER_ASN, Router};
use serde_json::{Value, json};
use test_apiserver::ApiServer;
use tokio::time::Instant;
use traffic::Traffic;

#[derive(Debug, Parser)]
struct Arguments {
    /// The number of nodes.
    #[arg(long, default_value_t = 100)]
    nodes: u32,
    /// The number of Services.
    #[arg(long, default_value_t = 1_000)]
    services: u32,
    /// Seconds of the steady state.
    #[arg(long, default_value_t = 60)]
    steady: u64,
    /// Pods that are replaced each second in the steady state.
    #[arg(long, default_value_t = 2.0)]
    churn: f64,
    /// Seconds to wait for the statuses of Services.
    #[arg(long, default_value_t = 900)]
    statuses: u64,
    /// Milliseconds by which the API server delays each response.
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// The binary; by default the one built with the same profile.
    #[arg(long)]
    ferrolb: Option<PathBuf>,
}

/// The clients' names at the API server.
const SPEAKER: &str = "ferrolb-system/ferrolb-speaker";
const CONTROLLER: &str = "ferrolb-system/ferrolb-controller";
/// The manifests of an installation: roles and definitions.
const MANIFESTS: &str = include_str!("../../../deploy/manifests/ferrolb-system.yaml");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let binary = match &arguments.ferrolb {
        Some(binary) => binary.clone(),
        None => built_binary()?,
    };
    let router = Router::start().await?;
    let server =
        ApiServer::builder().node_ports(10_000..=65_535).manifests(&[MANIFESTS]).start().await;
    let mut cluster = Cluster::create(&server, arguments.nodes, arguments.services);
    let config = format!(
        "peers:\n- {{my-asn: {NODE_ASN}, peer-asn: {ROUTER_ASN}, peer-address: 127.0.0.1, peer-port: {}}}\n\
         address-pools:\n- {{name: default, protocol: bgp, addresses: [10.64.0.0/15]}}\n",
        router.port()?
    );
    server.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": SYSTEM, "name": "config"}, "data": {"config": config}}));
    server.set_delay(Duration::from_millis(arguments.delay));
    let announced = cluster.announced();
    println!(
        "{} nodes, {} Services, of which the node announces {announced}",
        arguments.nodes, arguments.services
    );

    let (none, begin) = (Traffic::until_now(&server), Instant::now());
    let node = objects::node_name(0);
    let speaker = ["speaker", "--port", "0", "--socket", "off", "--bind-address", "127.0.0.1"];
    let speaker = [&speaker[..], &["--node-name", &node, "--dataplane-gate", "off"]].concat();
    let speaker = Program::start(&binary, &speaker, &server.kubeconfig(SPEAKER), SYSTEM)?;
    router.wait_for(announced).await?;
    println!("\nspeaker: all routed {:.2} s after its start", begin.elapsed().as_secs_f64());
    print_use("speaker", &speaker, 0.0)?;
    println!("  received by the router: {:?}", router.received());

    let written = wait_for_statuses(&server, announced, arguments.statuses).await;
    println!(
        "\nstatuses of Services: {written} of {announced} written {:.1} s after the start",
        begin.elapsed().as_secs_f64()
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    print_use("speaker", &speaker, 0.0)?;
    Traffic::until_now(&server).print_since(&none, SPEAKER);

    let own = server.objects("bgpnodestatuses.ferrolb.io");
    let own: &Value = own.first().ok_or("a report of the speaker")?;
    println!("\na BGPNodeStatus has {} octets", own.to_string().len());
    cluster.report(own);
    let before = Traffic::until_now(&server);
    let controller = ["controller", "--port", "0", "--socket", "off", "--pod-name", "a"];
    let controller = Program::start(&binary, &controller, &server.kubeconfig(CONTROLLER), SYSTEM)?;
    tokio::time::sleep(Duration::from_secs(10)).await;
    println!("controller, 10 s after its start:");
    print_use("controller", &controller, 0.0)?;
    Traffic::until_now(&server).print_since(&before, CONTROLLER);

    let (speaker_used, controller_used) = (speaker.processor_time()?, controller.processor_time()?);
    let (before, received) = (Traffic::until_now(&server), router.received());
    let changes = cluster.run(Duration::from_secs(arguments.steady), arguments.churn).await;
    println!("\nsteady state of {} s: {changes:?}", arguments.steady);
    let after = Traffic::until_now(&server);
    print_use("speaker", &speaker, speaker_used)?;
    after.print_since(&before, SPEAKER);
    print_use("controller", &controller, controller_used)?;
    after.print_since(&before, CONTROLLER);
    println!("  received by the router: {:?}", router.received().since(received));

    print_convergence(&mut cluster, &router, &arguments).await
}

/// Restarts pods and drains a node, and prints the UPDATEs that this brings.
async fn print_convergence(
    cluster: &mut Cluster<'_>,
    router: &Router,
    arguments: &Arguments,
) -> Result<(), Box<dyn Error>> {
    // Ten pods on five nodes, of which the speaker's is one.
    let nodes = arguments.nodes.min(5);
    let pods = (0..10).map(|id| Pod { id, node: id % nodes, ready: true });
    let pods: Vec<Pod> = pods.collect();
    for (number, local) in [(arguments.services, false), (arguments.services + 1, true)] {
        let shape = Shape { number, local, pods: 10, nodes: arguments.nodes };
        cluster.add(shape, pods.clone());
    }
    router.wait_for(cluster.announced()).await?;
    router.settled().await;

    for (number, policy) in [(arguments.services, "Cluster"), (arguments.services + 1, "Local")] {
        let before = router.received();
        let (slices, transitions) = cluster.restart(number, Duration::from_millis(20)).await;
        router.settled().await;
        let received = router.received().since(before);
        println!(
            "rolling restart of 10 pods on {nodes} nodes, {policy}: {slices} changes of slices, {transitions} changes of routes; \
             {received:?}"
        );
    }
    for (node, what) in [(1, "another node"), (0, "the speaker's node")] {
        let (before, begin) = (router.received(), Instant::now());
        let (slices, transitions) = cluster.evict(node);
        let written = begin.elapsed();
        router.wait_for(cluster.announced()).await?;
        let settled = router.settled().await;
        let received = router.received().since(before);
        println!(
            "pods of {what} evicted: {slices} changes of slices in {:.2} s, at most {transitions} changes of routes; {received:?}; \
             the last {:.3} s after the last change",
            written.as_secs_f64(),
            settled.saturating_duration_since(begin + written).as_secs_f64()
        );
    }
    Ok(())
}

/// Waits until the statuses of so many Services are written. Returns the number that is written.
async fn wait_for_statuses(server: &ApiServer, announced: usize, seconds: u64) -> usize {
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        let statuses = server.objects("servicebgpstatuses.metallb.io");
        let written = statuses.iter().filter(|it| it["status"]["peers"].is_array()).count();
        if written >= announced || Instant::now() >= until {
            return written;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn print_use(name: &str, program: &Program, used_before: f64) -> std::io::Result<()> {
    let Memory { now, peak, file } = program.memory()?;
    let used = program.processor_time()? - used_before;
    println!(
        "  {name}: {now:.1} MB resident, {peak:.1} at its peak, {:.1} of them allocated; {used:.2} s of processor time",
        now - file
    );
    Ok(())
}
