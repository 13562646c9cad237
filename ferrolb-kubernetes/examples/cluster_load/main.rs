//! Measures the memory and the speed of a controller and a speaker in a cluster of a given size.
//!
//!     cargo build --release --bin ferrolb
//!     cargo run --release -p ferrolb-kubernetes --example cluster_load -- --services 5000 --nodes 100 --burst 500
//!
//!     ulimit -n 16384; cargo run --release -p ferrolb-kubernetes --example cluster_load -- --local --gate auto
//!
//! It starts an API server in this process, the binary `ferrolb` as controller and as speaker of one node, and a
//! router that keeps the routes that it receives. Then it prints the resident memory of both programs, the time from a
//! burst of new Services to their routes at the router, the time from single changes at the API server to their UPDATEs
//! at the router, the speaker's own measure of the time from an event of the API to the session, and its processor time at
//! rest. This process serves kube-proxy's health check of the speaker's node. With `--local`, the Services have the policy
//! Local, and it also serves their health ports. Linux only: it reads the memory from /proc.

#![expect(clippy::print_stdout, reason = "a program for people")]

#[path = "../shared/program.rs"]
mod program;

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bgp_session::{Asn, BgpIdentifier, Import, PeerConfig, Speaker};
use clap::Parser;
use program::{Memory, Program, built_binary};
use serde_json::{Value, json};
use test_apiserver::ApiServer;

#[derive(Debug, Parser)]
struct Arguments {
    /// The number of Services at the start, each with an EndpointSlice.
    #[arg(long, default_value_t = 5_000)]
    services: u32,
    /// The number of nodes.
    #[arg(long, default_value_t = 100)]
    nodes: u32,
    /// The number of Services that are then created at once.
    #[arg(long, default_value_t = 500)]
    burst: u32,
    /// The number of times that the only local endpoint of a Service is added or removed, one after the other.
    #[arg(long, default_value_t = 400)]
    changes: u32,
    /// Seconds to wait before memory is read: the speaker writes at most 200 ServiceBGPStatus a second.
    #[arg(long, default_value_t = 2)]
    settle: u64,
    /// The Services have the policy Local, with an endpoint on the speaker's node, and UDP ports: a connection to their addresses
    /// would lead nowhere.
    #[arg(long)]
    local: bool,
    /// The Services have addresses at the start, as after a restart of both programs.
    #[arg(long)]
    assigned: bool,
    /// The speaker's `--dataplane-gate`. `auto` and `require` need `--local`, since the addresses of the Services lead nowhere.
    #[arg(long, default_value = "off")]
    gate: String,
    /// Seconds at rest for which the speaker's processor time is counted; 0 for none.
    #[arg(long, default_value_t = 10)]
    rest: u64,
    /// The binary; by default the one built with the same profile.
    #[arg(long)]
    ferrolb: Option<PathBuf>,
}

const SYSTEM: &str = "ferrolb-system";
const NODE: Ipv4Addr = Ipv4Addr::new(127, 22, 35, 25);
const METRICS: u16 = 7475;
const KUBE_PROXY: u16 = 10_256;
/// The first port of the first Service, above kube-proxy's.
const SERVICE_PORTS: u16 = 11_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let binary = match arguments.ferrolb {
        Some(binary) => binary,
        None => built_binary()?,
    };

    let router = Speaker::builder(Asn(64_635), BgpIdentifier::new(172, 22, 35, 1));
    let router = router.listen(SocketAddr::from(([127, 0, 0, 1], 0))).start().await?;
    let peer = PeerConfig::new(IpAddr::from(NODE), Asn(64_636)).passive().import(Import::Keep);
    let _peer = router.add_peer(peer).await?;
    let port = router.listen_addr().ok_or("a router that listens")?.port();

    // The default range has ports for 2,768 Services only.
    let server = ApiServer::builder().node_ports(10_000..=65_535).start().await;
    server.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}));
    let config = format!(
        "peers:\n- {{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: {port}}}\n\
         address-pools:\n- {{name: default, protocol: bgp, addresses: [10.64.0.0/16]}}\n"
    );
    server.put(json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": SYSTEM, "name": "config"}, "data": {"config": config}}));

    for number in 0..arguments.nodes {
        server.put(node(number));
    }
    let is_local = arguments.local;
    let new = |number: u32| -> Result<Value, String> {
        server.put(slice(number, if is_local { 0 } else { number }));
        if is_local { local_service(number) } else { service(number) }
    };
    // The speaker asks at its loopback address until it knows its Node.
    for address in [NODE, Ipv4Addr::LOCALHOST] {
        serve(address, KUBE_PROXY, kube_proxy_health).await?;
    }
    if is_local {
        for number in 0..=arguments.services + arguments.burst {
            serve(NODE, health_port(number)?, || "{}".to_owned()).await?;
        }
    }
    for number in 0..arguments.services {
        let mut service = new(number)?;
        if arguments.assigned {
            let address = Ipv4Addr::from(0x0a40_0000 + number);
            let ingress = json!([{"ip": address.to_string(), "ipMode": "VIP"}]);
            service["status"]["loadBalancer"]["ingress"] = ingress;
        }
        server.put(service);
    }

    let admin = server.kubeconfig("admin");
    let begin = Instant::now();
    let controller =
        Program::start(&binary, &["controller", "--port", "0", "--pod-name", "a"], &admin, SYSTEM)?;
    let metrics = METRICS.to_string();
    let mut speaker =
        vec!["speaker", "--port", &metrics, "--bind-address", "127.0.0.1", "--node-name", "node-0"];
    speaker.extend(["--dataplane-gate", &arguments.gate]);
    let speaker = Program::start(&binary, &speaker, &admin, SYSTEM)?;

    let wanted = usize::try_from(arguments.services)?;
    wait_for(&router, wanted).await?;
    println!(
        "{wanted} Services routed {:.2} s after both programs were started",
        begin.elapsed().as_secs_f64()
    );

    tokio::time::sleep(Duration::from_secs(arguments.settle)).await;
    report("controller", &controller)?;
    report("speaker", &speaker)?;
    if arguments.rest > 0 {
        let before = speaker.processor_time()?;
        tokio::time::sleep(Duration::from_secs(arguments.rest)).await;
        let used = speaker.processor_time()? - before;
        println!("speaker at rest: {used:.2} s of processor time in {} s", arguments.rest);
    }

    let begin = Instant::now();
    for number in arguments.services..arguments.services + arguments.burst {
        server.put(new(number)?);
    }
    let created = Instant::now();
    wait_for(&router, wanted + usize::try_from(arguments.burst)?).await?;
    println!(
        "{} Services at once: created in {:.2} s, all routed {:.2} s after the last was created",
        arguments.burst,
        (created - begin).as_secs_f64(),
        created.elapsed().as_secs_f64()
    );

    report("controller", &controller)?;
    report("speaker", &speaker)?;
    let all = wanted + usize::try_from(arguments.burst)?;
    print_changes(&server, &router, arguments.services + arguments.burst, arguments.changes, all)
        .await?;
    print_latency().await?;
    Ok(())
}

/// Adds and removes the only local endpoint of a new Service, and prints the time until the router knows.
async fn print_changes(
    server: &ApiServer,
    router: &Speaker,
    number: u32,
    changes: u32,
    others: usize,
) -> Result<(), Box<dyn Error>> {
    server.put(slice(number, 0));
    server.put(local_service(number)?);
    wait_for(router, others + 1).await?;

    let mut times = Vec::new();
    for change in 1..=changes {
        // By then, the router and the status of the Service have finished the change before.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let comes = change % 2 == 0;
        let begin = Instant::now();
        server.put(slice(number, if comes { 0 } else { 1 }));
        wait_until(router, |prefixes| prefixes == others + usize::from(comes)).await?;
        times.push(begin.elapsed());
    }

    times.sort();
    let [median, p99] =
        [50, 99].map(|share| times.get(times.len() * share / 100).copied().unwrap_or_default());
    println!(
        "{changes} single changes, from the API server to the router: median {:.2} ms, p99 {:.2} ms",
        median.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3
    );
    Ok(())
}

fn report(name: &str, program: &Program) -> std::io::Result<()> {
    let Memory { now, peak, file } = program.memory()?;
    println!(
        "{name}: {now:.1} MB resident, {peak:.1} MB at its peak; {file:.1} MB are the program, {:.1} MB what it allocates",
        now - file
    );
    Ok(())
}

/// Waits until the router has at least this number of prefixes.
async fn wait_for(router: &Speaker, prefixes: usize) -> Result<(), Box<dyn Error>> {
    wait_until(router, |held| held >= prefixes).await
}

/// Waits until the number of the router's prefixes is right.
async fn wait_until(
    router: &Speaker,
    is_right: impl Fn(usize) -> bool,
) -> Result<(), Box<dyn Error>> {
    let mut changed = router.loc_rib_changed();
    let held = async {
        while !is_right(router.loc_rib().len()) {
            changed.changed().await?;
        }
        Ok::<_, tokio::sync::watch::error::RecvError>(())
    };
    tokio::time::timeout(Duration::from_secs(300), held).await??;
    Ok(())
}

/// Prints the speaker's own measure: the buckets of its median and of its 99th percentile.
async fn print_latency() -> Result<(), Box<dyn Error>> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", METRICS)).await?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;

    // The upper limit of each bucket, and the number of measurements up to it.
    let buckets: Vec<(&str, f64)> = text
        .lines()
        .filter_map(|line| {
            let bucket = line.strip_prefix("ferrolb_bgp_update_latency_seconds_bucket{le=\"")?;
            let (limit, count) = bucket.split_once("\"} ")?;
            Some((limit, count.parse().ok()?))
        })
        .collect();

    let all = buckets.last().map_or(0.0, |(_, count)| *count);
    let [median, p99] = [0.5, 0.99].map(|share| {
        let bucket = buckets.iter().find(|(_, count)| *count >= all * share);
        bucket.map_or("?", |(limit, _)| limit)
    });
    println!(
        "from an event of the API to the routes handed to the session, {all} times: half within {median} s, 99% within {p99} s"
    );
    Ok(())
}

fn node(number: u32) -> Value {
    let address = if number == 0 { NODE } else { Ipv4Addr::from(0x0a00_0000 + number) };
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": format!("node-{number}"), "labels": {"kubernetes.io/hostname": format!("node-{number}")}},
        "status": {"addresses": [{"type": "InternalIP", "address": address.to_string()}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}

/// Answers each request to a port with status 200 and such a body, as kube-proxy does at the health port of a Service with a ready
/// endpoint, and at its own.
async fn serve(
    address: Ipv4Addr,
    port: u16,
    body: impl Fn() -> String + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind((address, port)).await;
    let listener =
        listener.map_err(|error| format!("cannot listen on {address}:{port}: {error}"))?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let body = body();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.read(&mut [0; 512]).await;
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    Ok(())
}

/// The answer of a kube-proxy that keeps up, and has had nothing to do for a minute.
fn kube_proxy_health() -> String {
    let now = jiff::Timestamp::now();
    let synced = now - Duration::from_secs(60);
    let family = json!({"lastUpdated": synced.to_string(), "healthy": true});
    json!({"lastUpdated": now.to_string(), "currentTime": now.to_string(), "healthy": true,
        "nodeEligible": true, "status": {"IPv4": family, "IPv6": family}})
    .to_string()
}

/// Returns the health port of a Service. Its node ports follow.
fn health_port(number: u32) -> Result<u16, String> {
    let port = u32::from(SERVICE_PORTS) + 3 * number;
    u16::try_from(port + 2).map(|last| last - 2).map_err(|_| {
        let most = (u16::MAX - SERVICE_PORTS) / 3;
        format!("--services and --burst: there are ports for {most} Services at most")
    })
}

fn service(number: u32) -> Result<Value, String> {
    let health_port = health_port(number)?;
    Ok(json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": format!("service-{number}"),
            "labels": {"app.kubernetes.io/name": format!("app-{number}"), "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": format!("release-{number}")}, "managedFields": managed("helm")},
        "spec": {"type": "LoadBalancer", "selector": {"app.kubernetes.io/name": format!("app-{number}")},
            "ports": [{"name": "http", "port": 80, "targetPort": 8080, "nodePort": health_port + 1},
                {"name": "https", "port": 443, "targetPort": 8443, "nodePort": health_port + 2}]}}))
}

fn local_service(number: u32) -> Result<Value, String> {
    let mut service = service(number)?;
    service["spec"]["externalTrafficPolicy"] = "Local".into();
    service["spec"]["healthCheckNodePort"] = health_port(number)?.into();
    for port in service["spec"]["ports"].as_array_mut().into_iter().flatten() {
        port["protocol"] = "UDP".into();
    }
    Ok(service)
}

/// The EndpointSlice of a Service, with three endpoints on three nodes, the first on `node`.
fn slice(number: u32, node: u32) -> Value {
    let endpoints: Vec<Value> = (0..3)
        .map(|pod: u32| {
            let address = Ipv4Addr::from(0x0b00_0000 + number * 4 + pod);
            json!({"addresses": [address.to_string()], "nodeName": format!("node-{}", (node + pod) % 100),
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": format!("app-{number}-{pod}")}})
        })
        .collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"namespace": "default", "name": format!("service-{number}-abcde"),
            "labels": {"kubernetes.io/service-name": format!("service-{number}")},
            "managedFields": managed("kube-controller-manager")},
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]})
}

/// The `managedFields` of an object, as the API server writes them.
fn managed(by: &str) -> Value {
    json!([{"manager": by, "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/managed-by": {}}},
            "f:spec": {"f:ports": {".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:port": {}}}}}}])
}
