//! `ferrolb run` against BIRD and FRR with exactly the configuration that `ferrolb router-config` prints: one session
//! for both families, over IPv4 and over IPv6, or a session for each; nodes of two ASes; internal sessions with BFD, and
//! all other settings of a peer.
//!
//! The tests run as root if `FERROLB_TEST_INTEROP=1` (`make interop`).

mod support {
    pub(crate) mod web;
}

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use test_peers::{Host, Lan, Process, WrittenBird, WrittenFrr, requested, wait_until};

use support::web::WEB;

const FERROLB: &str = env!("CARGO_BIN_EXE_ferrolb");
const SOON: Duration = Duration::from_secs(30);
const V4: &str = "172.22.36.64/32";
const V6: &str = "2001:db8:36::/128";
/// Both ends of the LAN, by family.
const ROUTER: [&str; 2] = ["172.22.35.1", "2001:db8:35::1"];
const NODE: [&str; 2] = ["172.22.35.25", "2001:db8:35::25"];

#[test]
fn bird_receives_both_families_over_an_ipv4_or_ipv6_session() {
    if !requested() {
        return;
    }
    for peer in ROUTER {
        let (router, node, files) = site(&dual_stack(peer, ""));
        let bird = bird(&router, files.path());
        let node = run(&node, files.path());
        for (prefix, next_hop) in [V4, V6].into_iter().zip(NODE) {
            wait_until(SOON, &format!("{prefix} over {peer}"), || {
                let shown = bird.ask(&format!("show route {prefix} all"))?;
                let through = shown.contains(&format!("BGP.next_hop: {next_hop}\n"))
                    || shown.contains(&format!("BGP.next_hop: {next_hop} "));
                if through { Ok(()) } else { Err(format!("{shown}\n{}", node.output())) }
            });
        }
    }
}

#[test]
fn frr_receives_both_families_over_an_ipv4_or_ipv6_session() {
    if !requested() {
        return;
    }
    for peer in ROUTER {
        // The next hop in the session's family is its own address, which is the same here.
        let (router, node, files) = site(&dual_stack(peer, ", next-hop: session"));
        let frr = WrittenFrr::start(&router, "", &printed(files.path(), "frr"));
        let node = run(&node, files.path());
        for ((family, prefix), next_hop) in [("ipv4", V4), ("ipv6", V6)].into_iter().zip(NODE) {
            wait_until(SOON, &format!("{prefix} over {peer}"), || {
                let reply =
                    frr.json("bgpd", &format!("show bgp {family} unicast {prefix} json"))?;
                let path = &reply["paths"][0];
                let mut hops = path["nexthops"].as_array().into_iter().flatten();
                let through = path["valid"] == true && hops.any(|hop| hop["ip"] == next_hop);
                if through { Ok(()) } else { Err(format!("{reply}\n{}", node.output())) }
            });
        }
    }
}

#[test]
fn bird_receives_routes_of_an_internal_node_and_monitors_it_by_bfd() {
    if !requested() {
        return;
    }
    let (router, node, files) = site(INTERNAL);
    let bird = bird(&router, files.path());
    let node = run(&node, files.path());
    wait_until(SOON, "BFD", || {
        let shown = bird.ask("show bfd sessions")?;
        let up = shown.lines().any(|line| line.contains(NODE[0]) && line.contains("Up"));
        if up { Ok(()) } else { Err(format!("{shown}\n{}", node.output())) }
    });
    wait_until(SOON, "the route, with its LOCAL_PREF", || {
        let shown = bird.ask(&format!("show route {V4} all"))?;
        if shown.contains("BGP.local_pref: 150") { Ok(()) } else { Err(shown) }
    });
}

#[test]
fn bird_sees_a_peer_and_its_routes_as_configured() {
    if !requested() {
        return;
    }
    let (router, node, files) = site(
        "{peer-address: 172.22.35.1, peer-port: 1179, my-asn: 64636, dynamic-asn: external, local-asn: 65001, \
         router-id: 10.9.9.9, password: sesame, hold-time: 30s, keepalive-time: 7s, next-hop: 172.22.35.26}",
    );
    let bird = bird(&router, files.path());
    let node = run(&node, files.path());
    let contains = |command: &str, words: &[&str]| {
        let shown = bird.ask(command)?;
        match words.iter().find(|word| !shown.contains(**word)) {
            Some(missing) => Err(format!("{missing} is not in {shown}\n{}", node.output())),
            None => Ok(()),
        }
    };

    let session = ["Established", "Neighbor AS:      65001", "Neighbor ID:      10.9.9.9", "/30\n"];
    wait_until(SOON, "the session", || contains("show protocols all ferrolb_kube1", &session));
    let route = [
        "BGP.as_path: 65001\n",
        "BGP.next_hop: 172.22.35.26\n",
        "BGP.community: (64635,7)",
        "BGP.large_community: (64635, 1, 100)",
        "BGP.origin: IGP",
    ];
    wait_until(SOON, "the route", || contains(&format!("show route {V4} all"), &route));
}

#[test]
fn frr_receives_routes_of_an_internal_node_and_monitors_it_by_bfd() {
    if !requested() {
        return;
    }
    let (router, node, files) = site(INTERNAL);
    let printed = printed(files.path(), "frr");

    let (bfdd, bgpd) = printed.split_once("exit\n!\n").expect("BFD profiles, and the rest");
    let frr = WrittenFrr::start(&router, &format!("{bfdd}exit\n"), bgpd);
    let node = run(&node, files.path());
    wait_until(SOON, "BFD", || {
        let reply = frr.json("bfdd", "show bfd peers json")?;
        let mut peers = reply.as_array().into_iter().flatten();
        let up = peers.any(|peer| peer["peer"] == NODE[0] && peer["status"] == "up");
        if up { Ok(()) } else { Err(format!("{reply}\n{}", node.output())) }
    });
    wait_until(SOON, "the route, with its LOCAL_PREF", || {
        let reply = frr.json("bgpd", &format!("show bgp ipv4 unicast {V4} json"))?;
        if reply["paths"][0]["locPrf"] == 150 { Ok(()) } else { Err(reply.to_string()) }
    });
}

/// Two nodes, each in an AS of its own, have a session for each family with one router. `router-config` prints one
/// configuration with all four neighbours, and the router sends each prefix to both nodes.
/// The helper's side of graceful restart needs no line of its own.
#[test]
fn bird_keeps_the_routes_of_a_killed_node_with_exactly_what_is_printed() {
    if !requested() {
        return;
    }
    let (router, node, files) = site(RESTARTING);
    let bird = bird(&router, files.path());
    let mut process = run(&node, files.path());
    let has = |session: bool| {
        let sessions = bird.ask("show protocols")?;
        let route = bird.ask(&format!("show route {V4}"))?;
        let holds = sessions.contains("Established") == session && route.contains(NODE[0]);
        if holds { Ok(()) } else { Err(format!("{sessions}\n{route}")) }
    };
    wait_until(SOON, "the route", || has(true));
    process.kill();
    wait_until(SOON, "the route without a session", || has(false));
    let _process = run(&node, files.path());
    wait_until(SOON, "the route of the next session", || has(true));
}

#[test]
fn frr_keeps_the_routes_of_a_killed_node_with_exactly_what_is_printed() {
    if !requested() {
        return;
    }
    let (router, node, files) = site(RESTARTING);
    let frr = WrittenFrr::start(&router, "", &printed(files.path(), "frr"));
    let mut process = run(&node, files.path());
    let has = |stale: bool| {
        let reply = frr.json("bgpd", &format!("show bgp ipv4 unicast {V4} json"))?;
        let path = &reply["paths"][0];
        let holds = path["valid"] == true && (path["stale"] == true) == stale;
        if holds { Ok(()) } else { Err(reply.to_string()) }
    };
    wait_until(SOON, "the route", || has(false));
    process.kill();
    wait_until(SOON, "the route without a session", || has(true));
    let _process = run(&node, files.path());
    wait_until(SOON, "the route of the next session", || has(false));
}

#[test]
fn bird_balances_both_families_over_nodes_of_two_ases() {
    if !requested() {
        return;
    }
    let site = TwoNodes::new();
    let bird = bird(&site.router, site.files.path());
    let nodes = site.run();
    for (prefix, hops) in site.expected() {
        wait_until(SOON, &format!("{prefix} through both nodes"), || {
            let shown = bird.ask(&format!("show route {prefix} all"))?;
            let missing = hops.iter().find(|hop| !shown.contains(&format!("BGP.next_hop: {hop}")));
            if missing.is_none() { Ok(()) } else { Err(format!("{shown}\n{}", nodes[1].output())) }
        });
        wait_until(SOON, &format!("{prefix} in the kernel's table through both nodes"), || {
            site.through_both(prefix, &hops)
        });
    }
}

#[test]
fn frr_balances_both_families_over_nodes_of_two_ases() {
    if !requested() {
        return;
    }
    let site = TwoNodes::new();
    let frr = WrittenFrr::start(&site.router, "", &printed(site.files.path(), "frr"));
    let nodes = site.run();
    for ((prefix, _), family) in site.expected().into_iter().zip(["ipv4", "ipv6"]) {
        wait_until(SOON, &format!("{prefix} through both nodes"), || {
            let reply = frr.json("bgpd", &format!("show bgp {family} unicast {prefix} json"))?;
            let paths = reply["paths"].as_array().cloned().unwrap_or_default();
            let shared = paths.len() == 2 && paths.iter().all(|path| path["multipath"] == true);
            if shared { Ok(()) } else { Err(format!("{reply}\n{}", nodes[1].output())) }
        });
    }
}

/// A router and two nodes, in racks and ASes of their own.
struct TwoNodes {
    _lan: Lan,
    router: Host,
    nodes: [Host; 2],
    files: tempfile::TempDir,
}

/// The second node's addresses.
const OTHER_NODE: [&str; 2] = ["172.22.35.27", "2001:db8:35::27"];

impl TwoNodes {
    fn new() -> Self {
        let lan = Lan::new();
        let router = host(&lan, "router", ROUTER, "fe80::1/64");
        let nodes = [
            host(&lan, "kube1", NODE, "fe80::26/64"),
            host(&lan, "kube2", OTHER_NODE, "fe80::27/64"),
        ];

        let mut config = "peers:\n".to_owned();
        let mut objects = String::new();
        for (number, addresses) in (1..).zip([NODE, OTHER_NODE]) {
            for router in ROUTER {
                config.push_str(&format!(
                    "- {{peer-address: \"{router}\", my-asn: 6463{number}, peer-asn: 64650, \
                     node-selectors: [{{match-labels: {{rack: r{number}}}}}]}}\n"
                ));
            }
            let labels = format!("rack: r{number}");
            objects.push_str(&node_object(&format!("kube{number}"), &labels, addresses));
        }
        config.push_str(
            "address-pools:\n\
             - {name: a, protocol: bgp, addresses: [172.22.36.64/26, \"2001:db8:36::/64\"]}\n",
        );
        let files = written(&config, &objects);
        Self { _lan: lan, router, nodes, files }
    }

    /// Each prefix with its next hops.
    fn expected(&self) -> [(&'static str, [&'static str; 2]); 2] {
        [(V4, [NODE[0], OTHER_NODE[0]]), (V6, [NODE[1], OTHER_NODE[1]])]
    }

    fn run(&self) -> Vec<Process> {
        let named = self.nodes.iter().zip(["kube1", "kube2"]);
        named.map(|(host, name)| run_as(host, self.files.path(), name)).collect()
    }

    /// Fails unless the router forwards to both nodes.
    fn through_both(&self, prefix: &str, hops: &[&str]) -> Result<(), String> {
        let family = if prefix.contains(':') { "-6" } else { "-4" };
        let mut command = self.router.command(Path::new("ip"));
        let output = command.args([family, "route", "show", prefix]).output();
        let output = output.map_err(|error| error.to_string())?;
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let missing = hops.iter().any(|hop| !shown.contains(&format!("via {hop} ")));
        if missing { Err(shown) } else { Ok(()) }
    }
}

const INTERNAL: &str =
    "{peer-address: 172.22.35.1, my-asn: 64635, peer-asn: 64635, bfd-profile: fast}";

const RESTARTING: &str =
    "{peer-address: 172.22.35.1, my-asn: 64636, peer-asn: 64635, enable-graceful-restart: true}";

fn dual_stack(address: &str, more: &str) -> String {
    format!(
        "{{peer-address: \"{address}\", my-asn: 64636, peer-asn: 64635{more}, dual-stack-address-family: true}}"
    )
}

fn bird(router: &Host, files: &Path) -> WrittenBird {
    // `WrittenBird` has this protocol already, and BIRD takes only one.
    let printed = printed(files, "bird").replace("protocol device { }\n", "");
    WrittenBird::start(router, &printed)
}

/// A router, a node, and files for this peer.
fn site(peer: &str) -> (Host, Host, tempfile::TempDir) {
    let lan = Lan::new();
    let router = host(&lan, "router", ROUTER, "fe80::1/64");
    let node = host(&lan, "kube1", NODE, "fe80::26/64");
    let config = format!(
        "peers:
- {peer}
bfd-profiles:
- {{name: fast, receive-interval: 100, transmit-interval: 100}}
address-pools:
- {{name: a, protocol: bgp, addresses: [172.22.36.64/26, \"2001:db8:36::/64\"],
   bgp-advertisements: [{{localpref: 150, communities: [\"64635:7\", \"large:64635:1:100\"]}}]}}
"
    );
    let files = written(&config, &node_object("kube1", "", NODE));
    (router, node, files)
}

/// Puts a host on the LAN. FRR has no session over IPv6 on an interface without a link-local address.
fn host(lan: &Lan, name: &str, [v4, v6]: [&str; 2], link_local: &str) -> Host {
    lan.host(name, &[&format!("{v4}/24"), &format!("{v6}/64"), link_local])
}

/// A Node with these labels and addresses, as YAML.
fn node_object(name: &str, labels: &str, [v4, v6]: [&str; 2]) -> String {
    format!(
        "---
apiVersion: v1
kind: Node
metadata: {{name: {name}, labels: {{{labels}}}}}
status: {{addresses: [{{type: InternalIP, address: {v4}}}, {{type: InternalIP, address: \"{v6}\"}}]}}
"
    )
}

/// A directory with a ConfigMap of this configuration, with these Nodes, and with the Service.
fn written(config: &str, nodes: &str) -> tempfile::TempDir {
    let config: String = config.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: config, namespace: metallb-system}}
data:
  config: |
{config}{nodes}---
{WEB}"
    );
    let files = tempfile::tempdir().expect("a temporary directory");
    fs::write(files.path().join("all.yaml"), text).expect("the files");
    files
}

/// The router's side.
fn printed(files: &Path, system: &str) -> String {
    let mut command = Command::new(FERROLB);
    command.args([
        "router-config",
        "--for",
        system,
        "--with-passwords",
        "--asn",
        "64635",
        "--from",
    ]);
    command.arg(files);
    let output = command.output().expect("router-config can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn run(host: &Host, files: &Path) -> Process {
    run_as(host, files, "kube1")
}

/// Starts the process for the node of this name.
fn run_as(host: &Host, files: &Path, node: &str) -> Process {
    Process::start(host, Path::new(FERROLB), |command| {
        command.arg("run").arg(files).args(["--node", node, "--socket", "off"]);
        command.arg("--state-file").arg(files.join(format!(".state-{node}")));
    })
}
