//! A peer by interface, end to end: `ferrolb run` finds the router at the other end of its link, and IPv4 and IPv6
//! routes arrive there through its link-local address (RFC 8950).
//!
//! The tests run as root if `FERROLB_TEST_INTEROP=1` (`make interop`).

mod support {
    pub(crate) mod scrape;
    pub(crate) mod web;
}

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use test_peers::{Host, Lan, Process, WrittenBird, WrittenFrr, requested, wait_until};

use support::scrape::HTTP;
use support::web::WEB;

const FERROLB: &str = env!("CARGO_BIN_EXE_ferrolb");
const SOON: Duration = Duration::from_secs(30);
const V4: &str = "172.22.35.70/32";
const V6: &str = "2001:db8::70/128";
const FRR: &str = "router bgp 64635\n bgp router-id 172.22.35.1\n no bgp ebgp-requires-policy\n \
                   no bgp network import-check\n neighbor lan0 interface remote-as external\n \
                   neighbor lan0 timers connect 1\n address-family ipv6 unicast\n  \
                   neighbor lan0 activate\n exit-address-family\nexit\n";
/// BIRD sends router advertisements by its own protocol, and accepts any peer that dials from the link.
const BIRD: &str = "router id 172.22.35.1;
protocol radv { interface \"lan0\" { min ra interval 3; max ra interval 10; default lifetime 0; }; }
protocol bgp node {
  local as 64635;
  neighbor range fe80::/10 external;
  interface \"lan0\";
  dynamic name \"node\";
  ipv4 { import all; export none; extended next hop; };
  ipv6 { import all; export none; };
}
";

#[test]
fn frr_at_the_other_end_of_a_link_gets_the_routes_of_both_families() {
    if !requested() {
        return;
    }
    let (router, node) = Lan::new().unnumbered_router_and_node();
    let node = Node::start(node, "");
    let session = r#"metallb_bgp_session_up{peer="lan0:179"}"#;
    // Before the router is there, the session is down, with the reason.
    wait_until(SOON, "a session that is down", || node.has(&format!("{session} 0.0")));
    let explained = node.explain();
    assert!(explained.contains("the session with lan0 is not up"), "{explained}");

    let frr = WrittenFrr::start(&router, "", FRR);
    wait_until(SOON, "the session", || node.has(&format!("{session} 1.0")));
    for prefix in [V4, V6] {
        wait_until(SOON, prefix, || through_the_link(&frr, prefix));
    }
    let explained = node.explain();
    assert!(
        explained.contains("Established") && explained.contains(V4) && explained.contains(V6),
        "{explained}"
    );

    // A change in place resets nothing, and the routes follow it.
    let times = |node: &Node| node.value(r#"ferrolb_bgp_session_flaps_total{peer="lan0:179""#);
    let before = times(&node).expect("the session");
    node.configure(
        "      hold-time: 30s\n      keepalive-time: 5s\n",
        "communities: [\"64635:100\"]",
    );
    wait_until(SOON, "the community", || {
        let path = through_the_link(&frr, V4)?;
        if path["community"]["string"] == "64635:100" { Ok(()) } else { Err(path.to_string()) }
    });
    assert_eq!(times(&node).expect("the session"), before, "{}", node.process.output());
    let output = node.process.output();
    assert!(output.contains("changed the session in place: hold_time, keepalive_time"), "{output}");

    // A change of negotiated values needs a new session.
    node.configure("      local-asn: 64700\n", "localpref: 0");
    wait_until(SOON, "the other AS", || {
        let path = through_the_link(&frr, V4)?;
        if path["aspath"]["string"] == "64700" { Ok(()) } else { Err(path.to_string()) }
    });
}

#[test]
fn a_node_that_is_killed_and_restarted_loses_no_route_at_the_other_end() {
    if !requested() {
        return;
    }
    let (router, host) = Lan::new().unnumbered_router_and_node();
    let frr = WrittenFrr::start(
        &router,
        "",
        &FRR.replace("neighbor lan0 timers", "bgp graceful-restart\n neighbor lan0 timers"),
    );
    let mut node = Node::start(host, "      enable-graceful-restart: true\n");
    let kept = || [V4, V6].iter().try_for_each(|prefix| through_the_link(&frr, prefix).map(drop));
    wait_until(SOON, "both routes", kept);

    let sessions = || frr.json("bgpd", "show bgp neighbors lan0 json").map(|it| it["lan0"].clone());
    node.process.kill();
    wait_until(SOON, "the router's word of the loss", || {
        assert_eq!(kept(), Ok(()), "neither for a moment");
        let session = sessions()?;
        if session["bgpState"] == "Established" { Err(session.to_string()) } else { Ok(()) }
    });

    let node = node.start_again();
    wait_until(SOON, "the session again", || {
        assert_eq!(kept(), Ok(()), "neither for a moment");
        node.has(r#"metallb_bgp_session_up{peer="lan0:179"} 1.0"#)
    });
    wait_until(SOON, "the end of the restart", || {
        assert_eq!(kept(), Ok(()), "neither for a moment");
        let stale =
            ["ipv4", "ipv6"].map(|family| frr.ask("bgpd", &format!("show bgp {family} unicast")));
        let stale = stale.into_iter().collect::<Result<String, _>>()?;
        // FRR marks stale routes with an S.
        if stale.lines().any(|line| line.starts_with('S') && line.contains("fe80::26")) {
            Err(stale)
        } else {
            Ok(())
        }
    });
}

#[test]
fn bird_at_the_other_end_of_a_link_gets_the_routes_of_both_families() {
    if !requested() {
        return;
    }
    let (router, node) = Lan::new().unnumbered_router_and_node();
    let bird = WrittenBird::start(&router, BIRD);

    let mut node = Node::start(node, "");
    for prefix in [V4, V6] {
        wait_until(SOON, prefix, || {
            let shown = bird.ask(&format!("show route {prefix} all"))?;
            let through = shown.contains("via fe80::26 on lan0") && shown.contains("64636");
            if through { Ok(()) } else { Err(format!("{shown}\n{}", node.process.output())) }
        });
    }
    node.process.terminate();
    assert!(node.process.wait(SOON).success(), "{}", node.process.output());
    wait_until(SOON, "the withdrawal", || {
        let shown = bird.ask("show route")?;
        if shown.contains(V4) { Err(shown) } else { Ok(()) }
    });
}

#[test]
fn the_problem_that_prevents_discovery_of_the_router_is_reported() {
    if !requested() {
        return;
    }
    let (_router, host) = Lan::new().unnumbered_router_and_node();
    let node = Node::start_on(host, "away", "");
    wait_until(SOON, "why", || node.process.says("there is no interface away"));
    assert!(node.has(r#"metallb_bgp_session_up{peer="away:179"} 0.0"#).is_ok());
    // When the interface appears, the reason changes without a restart.
    node.host.ip("link add away type veth peer name away-end");
    node.host.ip("link set away addrgenmode none");
    node.host.ip("link set away up");
    wait_until(SOON, "what is missing now", || {
        node.process.says("the interface away has no link-local address")
    });
}

#[test]
fn a_process_without_the_capability_reports_it_and_keeps_its_other_peers() {
    if !requested() {
        return;
    }
    let (router, host) = Lan::new().unnumbered_router_and_node();
    router.ip("route add 172.22.36.26/32 dev lan0");
    host.ip("route add 172.22.35.1/32 dev lan0");

    let bird = WrittenBird::start(
        &router,
        "router id 172.22.35.1;\nprotocol bgp node { local 172.22.35.1 as 64635; \
         neighbor 172.22.36.26 as 64636; multihop; ipv4 { import all; export none; }; }\n",
    );
    let second = "    - {peer-address: 172.22.35.1, my-asn: 64636, peer-asn: 64635, next-hop: 172.22.36.99}\n";
    let without = ["--bounding-set", "-net_raw", "--inh-caps", "-net_raw"];
    let node = Node::start_as(host, "lan0", second, &without);
    wait_until(SOON, "the reason", || {
        node.process.says("router advertisements need the capability NET_RAW")
    });
    assert!(node.has(r#"metallb_bgp_session_up{peer="lan0:179"} 0.0"#).is_ok());
    wait_until(SOON, "the route, with the next hop that is configured", || {
        let shown = bird.ask(&format!("show route {V4} all"))?;
        let through = shown.contains("BGP.next_hop: 172.22.36.99");
        if through { Ok(()) } else { Err(format!("{shown}\n{}", node.process.output())) }
    });
}

/// The path to a prefix at FRR, if it goes through the node's link-local address.
fn through_the_link(frr: &WrittenFrr, prefix: &str) -> Result<Value, String> {
    frr.path_through(prefix, "fe80::26")
}

/// A `ferrolb run` on a host.
struct Node {
    process: Process,
    host: Host,
    interface: String,
    files: tempfile::TempDir,
}

impl Node {
    fn start(host: Host, peer: &str) -> Self {
        Self::start_on(host, "lan0", peer)
    }

    fn start_on(host: Host, interface: &str, peer: &str) -> Self {
        Self::start_as(host, interface, peer, &[])
    }

    /// Starts the process with fewer capabilities, by these arguments of `setpriv`.
    fn start_as(host: Host, interface: &str, peer: &str, setpriv: &[&str]) -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        fs::write(files.path().join("objects.yaml"), format!("{WEB}{KUBE1}")).expect("the objects");
        write_config(files.path(), interface, peer, "localpref: 0");
        let program = if setpriv.is_empty() { FERROLB } else { "setpriv" };
        let process = Process::start(&host, Path::new(program), |command| {
            if !setpriv.is_empty() {
                command.args(setpriv).arg(FERROLB);
            }
            arguments(command, files.path());
        });
        Self { process, host, interface: interface.to_owned(), files }
    }

    /// Kills the process and starts it again.
    fn start_again(self) -> Self {
        let process = Process::start(&self.host, Path::new(FERROLB), |command| {
            arguments(command, self.files.path());
        });
        Self { process, ..self }
    }

    fn configure(&self, peer: &str, advertisement: &str) {
        write_config(self.files.path(), &self.interface, peer, advertisement);
    }

    fn has(&self, line: &str) -> Result<(), String> {
        let metrics = support::scrape::metrics(&self.host)?;
        if metrics.lines().any(|it| it == line) { Ok(()) } else { Err(metrics) }
    }

    fn value(&self, name: &str) -> Result<String, String> {
        support::scrape::value(&self.host, name)
    }

    fn explain(&self) -> String {
        let mut command = self.host.command(Path::new(FERROLB));
        command.args(["explain", "default/web", "--url", &format!("http://{HTTP}")]);
        let output = command.output().expect("explain can be started");
        String::from_utf8(output.stdout).expect("text")
    }
}

fn arguments(command: &mut std::process::Command, files: &Path) {
    command.arg("run").arg(files).args(["--node", "kube1", "--http", HTTP, "--socket", "off"]);
    command.arg("--state-file").arg(files.join(".state"));
}

fn write_config(directory: &Path, interface: &str, peer: &str, advertisement: &str) {
    let config = format!(
        "apiVersion: v1
kind: ConfigMap
metadata: {{name: config, namespace: metallb-system}}
data:
  config: |
    peers:
    - interface: {interface}
      my-asn: 64636
      dynamic-asn: external
{peer}    address-pools:
    - name: a
      protocol: bgp
      addresses: [172.22.35.70/32, \"2001:db8::70/128\"]
      bgp-advertisements:
      - {advertisement}
"
    );
    let written = directory.join(".config.new");
    fs::write(&written, config).expect("the configuration");
    fs::rename(written, directory.join("config.yaml")).expect("the configuration");
}

const KUBE1: &str = "---
apiVersion: v1
kind: Node
metadata: {name: kube1}
status: {addresses: [{type: InternalIP, address: 172.22.36.26}]}
";
