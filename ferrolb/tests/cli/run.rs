//! `ferrolb run` against a router: another speaker, in this process.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bgp_session::{Asn, BgpIdentifier, DownReason, Import, PeerConfig, PeerStatus, Speaker};
use tokio::sync::oneshot;

use crate::world::{Manifests, Process, ferrolb, text, wait_until};

const NODE: &str = "127.22.35.25";

/// A router on 127.22.35.1, in its own thread, with the node kube1 as its peer.
pub(crate) struct Router {
    pub(crate) speaker: Speaker,
    _end: oneshot::Sender<()>,
}

impl Router {
    pub(crate) fn start() -> Self {
        Self::with(|peer| peer)
    }

    /// Starts a router with a changed configuration of the node.
    pub(crate) fn with(change: impl FnOnce(PeerConfig) -> PeerConfig + Send + 'static) -> Self {
        let (end, ended) = oneshot::channel::<()>();
        let (sender, speaker) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let speaker = Speaker::builder(Asn(64635), BgpIdentifier::new(127, 22, 35, 1))
                    .listen("127.22.35.1:0".parse().unwrap())
                    .start()
                    .await
                    .unwrap();
                let node: IpAddr = NODE.parse().unwrap();
                let peer = PeerConfig::new(node, Asn(64636)).passive().import(Import::Keep);
                let peer = speaker.add_peer(change(peer)).await.unwrap();
                sender.send(speaker).unwrap();
                let _ = ended.await;
                drop(peer);
            });
        });
        Self { speaker: speaker.recv().unwrap(), _end: end }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.speaker.listen_addr().unwrap()
    }

    /// The time of the last change of the session's state.
    pub(crate) fn since(&self) -> Instant {
        self.node().since
    }

    /// Ends the session. The node opens a new one.
    pub(crate) fn reset(&self) {
        let node: IpAddr = NODE.parse().unwrap();
        let peer = self.speaker.peer(node.into()).unwrap();
        let before = peer.stats().sessions_lost;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(peer.reset("")).unwrap();
        wait_until("the end of the session", || peer.stats().sessions_lost > before);
    }

    /// The state of the session with the node.
    pub(crate) fn node(&self) -> PeerStatus {
        self.speaker.peers().remove(0)
    }

    /// Returns true if the session is up and the table is complete.
    pub(crate) fn has_all(&self) -> bool {
        self.node().is_established() && self.table() == ALL
    }

    /// The prefixes with their next hops and paths, as text.
    pub(crate) fn table(&self) -> Vec<String> {
        let held = self.speaker.loc_rib();
        let rows = held.iter().map(|(prefix, paths)| {
            let attributes = paths.best().unwrap().attributes;
            let next_hop = attributes.next_hop.unwrap();
            format!("{prefix} through {next_hop}, {}", attributes.as_path)
        });
        rows.collect()
    }
}

/// The reference example for nodes on loopback addresses, and this router.
pub(crate) fn manifests_for(router: &Router) -> Manifests {
    let manifests = Manifests::reference();
    let port = router.address().port();
    manifests
        .replace("nodes.yaml", "172.22.35.", "127.22.35.")
        .replace(
            "config.yaml",
            "172.22.35.1\n",
            &format!("127.22.35.1\n      peer-port: {port}\n      hold-time: 30s\n"),
        )
        // Move the first Service's pod, so that only this node serves one Service.
        .replace("endpoints.yaml", "nodeName: kube2", "nodeName: kube1");
    manifests
}

pub(crate) fn run(manifests: &Manifests) -> Process {
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let [dir, state] = [&dir, &state].map(|path| path.to_str().unwrap());
    Process::start(ferrolb(&["run", dir, "--node", "kube1", "--state-file", state]))
}

pub(crate) const ALL: [&str; 3] = [
    "172.22.35.64/32 through 127.22.35.25, 64636",
    "172.22.35.70/32 through 127.22.35.25, 64636",
    "200.1.154.64/32 through 127.22.35.25, 64636",
];

#[test]
fn a_router_receives_the_node_s_routes_and_finally_a_cease() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let mut run = run(&manifests);
    wait_until("the table", || router.has_all());

    let negotiated = router.node().negotiated.unwrap();
    assert_eq!(negotiated.hold_time, Duration::from_secs(30));
    assert_eq!(negotiated.remote_identifier, BgpIdentifier::new(127, 22, 35, 25));
    let started = Instant::now();
    run.signal("TERM");
    assert_eq!(run.wait().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(5), "the end is bounded");
    wait_until("the end of the session", || !router.node().is_established());

    let Some(DownReason::Remote(cease)) = router.node().last_down else {
        panic!("not told by the node: {:?}", router.node().last_down)
    };
    let cease = cease.to_string();
    assert!(cease.contains("administrative shutdown"), "{cease}");
    assert!(cease.contains("ferrolb is stopping"), "{cease}");
    wait_until("an empty table", || router.table().is_empty());
}

#[test]
fn changed_files_change_routes_and_reset_no_session() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let run = run(&manifests);
    wait_until("the table", || router.has_all());

    let since = router.node().since;
    let endpoint = "10.244.2.15\n  nodeName: ";
    let at = |node: &str| format!("{endpoint}{node}");
    manifests.replace("endpoints.yaml", &at("kube1"), &at("kube3"));
    wait_until("the withdrawal", || router.table() == [ALL[0], ALL[2]]);
    run.error(|line| line.contains("withdrawing") && line.contains("172.22.35.70/32"));

    let config = manifests.read("config.yaml");
    manifests.write("config.yaml", "nothing that makes sense");
    run.error(|line| line.contains("the last valid configuration stays in force"));
    manifests.write("config.yaml", &config);
    run.error(|line| line.contains("no errors any more"));

    // A node that is missing from the files is a mistake, not a request to withdraw everything.
    let nodes = manifests.read("nodes.yaml");
    manifests.write("nodes.yaml", &nodes.replace("kube1", "kube9"));
    run.error(|line| line.contains("expected a Node kube1, found only kube2, kube3, kube9"));

    manifests.write("nodes.yaml", &nodes);
    run.error(|line| line.contains("no errors any more"));
    manifests.replace("endpoints.yaml", &at("kube3"), &at("kube1"));
    wait_until("the table as it was", || router.has_all());
    assert_eq!(router.node().since, since, "it is the session of the beginning");
}

#[test]
fn a_peer_change_that_needs_no_reset_is_applied_in_place() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let run = run(&manifests);
    wait_until("the table", || router.has_all());
    let since = router.node().since;
    let changed = "      connect-time: 7s\n      my-asn: 64636";
    manifests.replace("config.yaml", "      my-asn: 64636", changed);
    run.error(|line| line.contains("changed the session in place: connect_retry_time"));
    assert_eq!(router.node().since, since, "it is the session of the beginning");
}

#[test]
fn a_session_of_one_family_carries_both_if_the_peer_is_dual_stack() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let address = "  - type: InternalIP\n    address: 127.22.35.25\n";
    manifests.replace(
        "nodes.yaml",
        address,
        &format!("{address}  - {{type: InternalIP, address: '2001:db8::25'}}\n"),
    );

    let dual = "      dual-stack-address-family: true\n      my-asn: 64636";
    manifests.replace("config.yaml", "      my-asn: 64636", dual);
    manifests.replace(
        "config.yaml",
        "      - 172.22.35.64/26\n",
        "      - 172.22.35.64/26\n      - 2001:db8:1::/64\n",
    );
    manifests.write("six.yaml", SIX);

    let _run = run(&manifests);
    let six = |next_hop: &str| format!("2001:db8:1::/128 through {next_hop}, 64636");
    let all = |next_hop: &str| [&ALL.map(str::to_owned)[..], &[six(next_hop)]].concat();
    wait_until("routes of both families", || router.table() == all("2001:db8::25"));

    // The table may have the routes a moment before the status says that the session is up.
    wait_until("the session", || router.node().is_established());
    let since = router.since();
    // The session has no IPv6 address, so the node's address is still the next hop.
    let session = format!("      next-hop: session\n{dual}");
    manifests.replace("config.yaml", dual, &session);
    manifests.replace("nodes.yaml", "2001:db8::25", "2001:db8::26");
    wait_until("the other next hop", || router.table() == all("2001:db8::26"));

    let own = "      next-hop: 2001:db8::99\n";
    manifests.replace("config.yaml", "      next-hop: session\n", own);
    wait_until("the one that is configured", || router.table() == all("2001:db8::99"));
    assert_eq!(router.since(), since, "it is the session of the beginning");
}

const SIX: &str = "apiVersion: v1
kind: Service
metadata: {name: six, creationTimestamp: \"2024-01-01T00:00:00Z\"}
spec:
  type: LoadBalancer
  ipFamilies: [IPv6]
  clusterIPs: [\"fd00::7\"]
  ports: [{port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: six-1, labels: {kubernetes.io/service-name: six}}
addressType: IPv6
endpoints: [{addresses: [\"fd00:10::7\"], nodeName: kube2, conditions: {ready: true}}]
";

#[test]
fn a_peer_that_moves_in_the_list_keeps_its_session() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let alone = manifests.read("config.yaml");
    let port = router.address().port();
    let before_it = format!(
        "peers:\n    - {{peer-address: 127.22.35.1, peer-port: {port}, peer-asn: 64635, my-asn: \
         64636, node-selectors: [{{match-labels: {{kubernetes.io/hostname: kube2}}}}]}}\n"
    );
    manifests.replace("config.yaml", "peers:\n", &before_it);
    let _run = run(&manifests);
    wait_until("the table", || router.has_all());
    let since = router.node().since;
    manifests.write("config.yaml", &alone);
    manifests.replace("endpoints.yaml", "nodeName: kube1", "nodeName: kube3");
    wait_until("the withdrawal", || router.table() == [ALL[0], ALL[2]]);
    assert_eq!(router.node().since, since, "it is the session of the beginning");
}

#[test]
fn the_reason_for_a_missing_session_is_logged_once() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    manifests.replace("config.yaml", "my-asn: 64636", "my-asn: 64700");
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let [dir, state] = [&dir, &state].map(|path| path.to_str().unwrap());
    let arguments = ["run", dir, "--node", "kube1", "--state-file", state];
    let levels = ["--log-level", "info,bgp_session=debug"];
    let run = Process::start(ferrolb(&[&arguments[..], &levels].concat()));
    let first = run.error(|line| line.contains("no session"));
    assert!(first.contains("WARN") && first.contains("bad peer AS"), "{first}");
    let second = run.error(|line| line.contains("no session"));
    assert!(second.contains("DEBUG"), "{second}");
}

#[test]
fn no_log_line_of_any_level_has_a_password() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let hold_time = "hold-time: 30s\n";
    manifests.replace("config.yaml", hold_time, "hold-time: 30s\n      password: s3sam3-one\n");
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: other, namespace: metallb-system}\n\
                  stringData: {password: s3sam3-secret}\n";
    manifests.write("secret.yaml", secret);
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let [dir, state] = [&dir, &state].map(|path| path.to_str().unwrap());
    let arguments = ["run", dir, "--node", "kube1", "--state-file", state, "--log-level", "trace"];
    let run = Process::start(ferrolb(&arguments));
    let lines = std::cell::Cell::new(0);
    let told = |words: &str| {
        run.error(|line| {
            assert!(!line.contains("s3sam3"), "{line}");
            lines.set(lines.get() + 1);
            line.contains(words)
        })
    };

    // Another password, one that cannot be used, and one that is no text.
    told("connecting");
    manifests.replace("config.yaml", "s3sam3-one", "s3sam3-two");
    told("changed the session in place: password");
    let too_long = format!("s3sam3-{}", "x".repeat(100));
    manifests.replace("config.yaml", "s3sam3-two", &too_long);
    told("the last valid configuration stays in force");
    manifests.replace("config.yaml", &too_long, "[s3sam3-list]");
    told("the last valid configuration stays in force");
    manifests.replace("config.yaml", "      password: [s3sam3-list]\n", "");
    told("session up");
    assert!(lines.get() > 30, "{}", lines.get());
}

#[test]
fn a_restart_keeps_addresses() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let mut first = run(&manifests);
    wait_until("the table", || router.has_all());

    first.signal("KILL");
    first.wait();
    wait_until("the end of the session", || router.table().is_empty());

    // Without the state file this Service, the oldest, would get the address of the other one.
    let older = manifests.read("services.yaml");
    let (_, older) = older.split_once("\n---\n").unwrap();
    let (older, _) = older.split_once("\n---\n").unwrap();
    let older = older.replace("name: web", "name: older").replace("2018-", "2017-");
    manifests.write("older.yaml", &older);

    let _second = run(&manifests);
    wait_until("the table", || router.has_all());
    let state = std::fs::read_to_string(manifests.beside("kube1.json")).unwrap();
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    let held = |name: &str| {
        let services = state["services"].as_array().unwrap();
        let service = services.iter().find(|service| service["name"] == name).unwrap();
        service["addresses"][0].clone()
    };
    assert_eq!((held("web"), held("older")), ("172.22.35.64".into(), "172.22.35.65".into()));
}

#[test]
fn the_error_about_an_unknown_node_names_the_known_ones() {
    let manifests = Manifests::reference();
    let dir = manifests.path();
    let output = ferrolb(&["run", dir.to_str().unwrap(), "--node", "kube4"]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("expected a Node kube4, found only kube1, kube2, kube3"), "{stderr}");
}

#[test]
fn run_exits_with_1_on_errors_at_startup() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "my-asn: 64636", "my-asn: 0");
    let dir = manifests.path();
    let output = ferrolb(&["run", dir.to_str().unwrap(), "--node", "kube1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}

#[test]
fn run_exits_at_startup_if_the_state_file_is_unwritable() {
    let manifests = Manifests::reference();
    let dir = manifests.path();
    let state = manifests.path().join("config.yaml").join("state.json");
    let arguments =
        ["run", dir.to_str().unwrap(), "--node", "kube1", "--state-file", state.to_str().unwrap()];
    let output = ferrolb(&arguments).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("state file"), "{stderr}");
    assert!(!stderr.contains("announcing"), "before anything is announced: {stderr}");
}
