//! Speakers that do not have the node and its port 179 for themselves: in the network of a pod, behind masquerade or routed, and on a
//! node whose CNI speaks BGP. docs/security.md says what works, and these tests show it.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::json;
use test_peers::{Host, Lan, Process, WrittenBird};

use crate::cluster::{Cluster, wait};

const ROUTER: &str = "172.22.35.1";
const NODE: Ipv4Addr = Ipv4Addr::new(172, 22, 35, 25);
const POD: &str = "10.244.1.10";
const PREFIX: &str = "172.22.36.64/32";
const POOL: &str =
    "address-pools:\n- {name: default, protocol: bgp, addresses: [172.22.36.64/32]}\n";

/// A LAN with a router, an API server and a node that forwards.
struct Site {
    _lan: Lan,
    router: Host,
    api: Host,
    node: Host,
}

impl Site {
    fn new() -> Self {
        let lan = Lan::new();
        let router = lan.host("router", &[&format!("{ROUTER}/24")]);
        let api = lan.host("api", &["172.22.35.2/24"]);
        let node = lan.host("kube1", &[&format!("{NODE}/24"), "172.22.35.125/24"]);
        Self { _lan: lan, router, api, node }
    }

    /// A pod of the node, in a network behind it.
    fn pod(&self) -> (Lan, Host) {
        let pods = Lan::new();
        pods.join(&self.node, "cni0", &["10.244.1.1/24"]);
        self.node.forward_packets();
        let pod = pods.host("pod", &[&format!("{POD}/24")]);
        pod.ip("route add default via 10.244.1.1");
        (pods, pod)
    }

    /// Gives packets of pods the address of the node, as most CNIs do on the way out of the cluster.
    fn masquerade(&self) {
        let rules = "add table ip cni; \
                     add chain ip cni post { type nat hook postrouting priority 100; }; \
                     add rule ip cni post ip saddr 10.244.1.0/24 oifname lan0 masquerade";
        let status = self.node.command(Path::new("/usr/sbin/nft")).arg(rules).status().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Makes the addresses of pods known on the LAN, as a CNI without an overlay does.
    fn route_pods(&self) {
        for host in [&self.router, &self.api] {
            host.ip(&format!("route add 10.244.1.0/24 via {NODE}"));
        }
    }

    /// Runs a controller, and a speaker on this host with this peer. Calls `then` once the Service has an address.
    fn run(&self, speaker: &Host, peer: &str, then: impl AsyncFnOnce(&Cluster) + Send) {
        let config = format!("peers:\n- {{my-asn: 64636, peer-asn: 64635, {peer}}}\n{POOL}");
        self.run_config(speaker, &config, then);
    }

    fn run_config(&self, speaker: &Host, config: &str, then: impl AsyncFnOnce(&Cluster) + Send) {
        let api_address = self.api.addresses()[0];
        self.api.enter(|| {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let cluster = Cluster::at(api_address, config).await;
                cluster.add_node("kube1", NODE).await;
                let controller = start(&self.api, cluster.arguments("controller", "a", &[]));
                let more = ["--node-name", "kube1", "--on-exit", "withdraw"];
                let speaker = start(speaker, cluster.arguments("speaker", "kube1", &more));
                cluster.endpoints("web", &[("kube1", true)]).await;
                cluster.create("web", json!({})).await;
                cluster.wait_for_addresses("web", &["172.22.36.64"]).await;
                then(&cluster).await;
                drop((speaker, controller));
                cluster.end().await;
            });
        });
    }
}

fn start(host: &Host, arguments: Vec<std::ffi::OsString>) -> Process {
    Process::start(host, Path::new(env!("CARGO_BIN_EXE_ferrolb")), |command| {
        command.args(arguments).env_remove("RUST_LOG");
    })
}

/// The router with one neighbor over several hops: a packet from or to a pod passes the node.
fn router_of(site: &Site, neighbor: &str, more: &str) -> WrittenBird {
    let config = format!(
        "router id {ROUTER};
protocol direct {{ ipv4; }}
protocol bfd {{ multihop {{ interval 300 ms; multiplier 3; }}; }}
protocol bgp node {{
  local {ROUTER} as 64635; neighbor {neighbor} as 64636; multihop; passive on; {more}
  ipv4 {{ import all; export none; }};
}}
"
    );
    WrittenBird::start(&site.router, &config)
}

/// Waits until a router has the prefix through the node.
async fn expect_route(router: &WrittenBird) {
    wait("the route through the node", async || {
        let reply = router.ask(&format!("show route all {PREFIX}"))?;
        let is_through = reply.contains(&format!("BGP.next_hop: {NODE}\n"))
            && reply.contains(&format!("via {NODE} on lan0"));
        if is_through { Ok(()) } else { Err(reply) }
    })
    .await;
}

/// Behind masquerade, the router sees the node. The pod's own address would be a next hop that leads nowhere.
pub(crate) fn behind_masquerade() {
    let site = Site::new();
    let (_pods, pod) = site.pod();
    site.masquerade();
    let router = router_of(&site, &NODE.to_string(), "");
    let peer = format!("peer-address: {ROUTER}, ebgp-multihop: true, next-hop: node");
    site.run(&pod, &peer, async |_: &Cluster| expect_route(&router).await);
}

/// A TCP MD5 signature covers the addresses, which masquerade changes: the router drops every segment.
pub(crate) fn no_md5_behind_masquerade() {
    let site = Site::new();
    let (_pods, pod) = site.pod();
    site.masquerade();
    let router = router_of(&site, &NODE.to_string(), "password \"secret\";");
    let peer =
        format!("peer-address: {ROUTER}, ebgp-multihop: true, next-hop: node, password: secret");
    site.run(&pod, &peer, async |_: &Cluster| {
        wait("the router to refuse a signature", async || {
            match site.router.enter(refused_signatures) {
                0 => Err("no refused signature".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
        let reply = router.ask("show protocols node").unwrap();
        assert!(!reply.contains("Established"), "{reply}");
    });
}

/// The segments with a wrong TCP MD5 signature that this host has received.
fn refused_signatures() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let pairs = names.split_whitespace().zip(values.split_whitespace());
    let mut found = pairs.filter(|(name, _)| *name == "TCPMD5Failure");
    found.next().and_then(|(_, value)| value.parse().ok()).unwrap()
}

/// With routes to the pods, the session has the pod's address: MD5 and BFD over several hops work.
pub(crate) fn with_routes_to_pods() {
    let site = Site::new();
    let (_pods, pod) = site.pod();
    site.route_pods();
    let router = router_of(&site, POD, "password \"secret\"; bfd on;");
    let config = format!(
        "bfd-profiles: [{{name: fast, minimum-ttl: 62}}]
peers:
- {{my-asn: 64636, peer-asn: 64635, peer-address: {ROUTER}, ebgp-multihop: true, next-hop: node, password: secret, bfd-profile: fast}}
{POOL}"
    );
    site.run_config(&pod, &config, async |cluster: &Cluster| {
        expect_route(&router).await;
        let api = cluster.node_statuses();
        wait("BFD to be up", async || {
            let status = api.get("kube1").await.map_err(|it| it.to_string())?.data;
            let bfd = &status["status"]["sessions"][0]["bfd"];
            if bfd == "Up" { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    });
}

/// The BIRD of a CNI, which holds port 179 of the node and has the session with the router.
fn cni_of(site: &Site, more: &str) -> WrittenBird {
    let config = format!(
        "router id {NODE};
protocol direct {{ ipv4; }}
protocol bgp tor {{
  local {NODE} as 64636; neighbor {ROUTER} as 64635; direct; connect delay time 1; error wait time 1,2;
  ipv4 {{ import all; export where source = RTS_BGP; next hop self; }};
}}
{more}"
    );
    WrittenBird::start(&site.node, &config)
}

/// The router with the node and, if it is given, a second address of the node as neighbors.
fn router_beside(site: &Site, second: Option<&str>) -> WrittenBird {
    let neighbors = [Some(NODE.to_string()), second.map(str::to_owned)];
    let neighbors = neighbors.iter().flatten().enumerate().map(|(number, address)| {
        format!(
            "protocol bgp node{number} {{ local {ROUTER} as 64635; neighbor {address} as 64636; direct; \
             passive on; ipv4 {{ import all; export none; }}; }}\n"
        )
    });
    let neighbors: String = neighbors.collect();
    let config = format!("router id {ROUTER};\nprotocol direct {{ ipv4; }}\n{neighbors}");
    WrittenBird::start(&site.router, &config)
}

/// The speaker has a session with the BIRD of its node, over loopback, and that one passes the routes on.
pub(crate) fn through_the_bird_of_the_node() {
    let site = Site::new();
    let router = router_beside(&site, None);
    let local = "protocol bgp ferrolb {
  local 127.0.0.1 as 64636; neighbor 127.0.0.2 as 64637; multihop; passive on;
  ipv4 { import all; export none; };
}
";
    let cni = cni_of(&site, local);
    let config = format!(
        "peers:\n- {{my-asn: 64637, peer-asn: 64636, peer-address: 127.0.0.1, source-address: 127.0.0.2, \
         ebgp-multihop: true, next-hop: node}}\n{POOL}"
    );
    site.run_config(&site.node, &config, async |_: &Cluster| {
        wait("the session with the node's BIRD", async || {
            let reply = cni.ask("show protocols ferrolb")?;
            if reply.contains("Established") { Ok(()) } else { Err(reply) }
        })
        .await;
        expect_route(&router).await;
    });
}

/// The speaker has a session of its own with the router, from a second address of the node.
pub(crate) fn from_a_second_address_of_the_node() {
    let site = Site::new();
    let router = router_beside(&site, Some("172.22.35.125"));
    let cni = cni_of(&site, "");
    let peer = format!("peer-address: {ROUTER}, source-address: 172.22.35.125, next-hop: node");
    site.run(&site.node, &peer, async |_: &Cluster| {
        expect_route(&router).await;
        wait("both sessions", async || {
            let reply = router.ask("show protocols")?;
            let up = reply.matches("Established").count();
            if up == 2 { Ok(()) } else { Err(reply) }
        })
        .await;
        let reply = cni.ask("show protocols tor").unwrap();
        assert!(reply.contains("Established"), "{reply}");
    });
}
