//! The reference cluster against a real router: three nodes run `ferrolb run`, each in a network
//! namespace with its real address, and BIRD or FRR listens at 172.22.35.1 on port 179.
//!
//! The tests run as root if `FERROLB_TEST_INTEROP=1` (`make interop`). The crate `test-peers` explains
//! how to write another one.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use test_peers::{
    Bird, Frr, Host, Lan, Neighbor, Process, Router, RouterConfig, Session, requested, wait_until,
};

const FERROLB: &str = env!("CARGO_BIN_EXE_ferrolb");
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/reference");

const ROUTER: &str = "172.22.35.1";
const ROUTER_AS: u32 = 64635;
const NODES: [(&str, &str); 3] =
    [("kube1", "172.22.35.25"), ("kube2", "172.22.35.26"), ("kube3", "172.22.35.27")];
const NODE_AS: u32 = 64636;
const SMTP: &str = "172.22.35.70/32";
/// A deadline far longer than anything takes, and far shorter than the hold time of 90 seconds.
const SOON: Duration = Duration::from_secs(30);

#[test]
fn the_reference_cluster_routes_through_bird() {
    if requested() {
        the_reference_cluster_comes_alive::<Bird>();
    }
}

#[test]
fn the_reference_cluster_routes_through_frr_by_multipath() {
    if requested() {
        the_reference_cluster_comes_alive::<Frr>();
    }
}

#[test]
fn bird_keeps_its_routes_on_a_broken_file_and_loses_those_of_a_deleted_service() {
    if requested() {
        a_broken_file_changes_nothing_until_it_is_mended::<Bird>();
    }
}

#[test]
fn frr_keeps_its_routes_on_a_broken_file_and_loses_those_of_a_deleted_service() {
    if requested() {
        a_broken_file_changes_nothing_until_it_is_mended::<Frr>();
    }
}

#[test]
fn bird_shows_the_text_of_an_operator_who_disables_its_session() {
    if requested() {
        an_operator_disables_a_peer_and_enables_it();
    }
}

#[test]
fn a_node_that_is_killed_and_restarted_loses_no_route_at_bird() {
    if requested() {
        a_killed_node_loses_no_route::<Bird>();
    }
}

#[test]
fn a_node_that_is_killed_and_restarted_loses_no_route_at_frr() {
    if requested() {
        a_killed_node_loses_no_route::<Frr>();
    }
}

#[test]
fn the_lab_shows_the_routes_of_a_real_router() {
    if requested() {
        let cluster = Cluster::<Bird>::start();
        let lab = lab_routes(&cluster.router_host, cluster.manifests.path());
        let prefixes: Vec<&str> = lab.iter().map(|(prefix, _)| prefix.as_str()).collect();
        wait_until(SOON, "the lab's prefixes", || cluster.holds_prefixes(&prefixes));
        for (prefix, next_hops) in &lab {
            let paths = wait_until(SOON, "the lab's paths", || {
                cluster.router.path_count(prefix, next_hops.len())
            });
            let held: Vec<IpAddr> = paths.iter().map(|path| path.next_hop).collect();
            assert_eq!(&held, next_hops, "{prefix}");
        }
    }
}

#[test]
fn bird_accepts_its_printed_configuration() {
    if !requested() {
        return;
    }
    let peer = "      password: hunter2\n      bfd-profile: fast\n";
    let profile =
        "    bfd-profiles: [{name: fast, receive-interval: 200, transmit-interval: 200}]\n";
    let cluster =
        Cluster::<Bird>::with_printed_config("bird", peer, profile, |bird, file, printed| {
            let reply = bird.ask(&format!("configure \"{}\"", file.display())).expect("an answer");
            assert!(reply.contains("Reconfig"), "{reply}\n{printed}");
        });
    wait_until(SOON, "three sessions", || {
        let shown = cluster.router.ask("show protocols")?;
        let up = shown
            .lines()
            .filter(|line| line.contains("ferrolb_kube") && line.contains("Established"));
        if up.count() == NODES.len() { Ok(()) } else { Err(shown) }
    });
    wait_until(SOON, "BFD with the three", || {
        let shown = cluster.router.ask("show bfd sessions")?;
        let up = shown.lines().filter(|line| line.split_whitespace().any(|word| word == "Up"));
        if up.count() == NODES.len() { Ok(()) } else { Err(shown) }
    });
    wait_until(SOON, "three prefixes, two of them through each node", || {
        let shown = cluster.router.ask("show route")?;
        let through = shown.lines().filter(|line| line.contains("[ferrolb_kube")).count();
        if shown.contains(SMTP) && through == 7 { Ok(()) } else { Err(shown) }
    });
}

#[test]
fn frr_accepts_its_printed_configuration() {
    if !requested() {
        return;
    }
    let peer = "      password: hunter2\n";
    let cluster = Cluster::<Frr>::with_printed_config("frr", peer, "", |frr, _, printed| {
        frr.configure(&printed.lines().collect::<Vec<_>>()).expect("an answer");
    });
    for (_, node) in NODES {
        let session = wait_until(SOON, "the session", || cluster.router.established(address(node)));
        assert_eq!(session.hold_time, Some(90));
    }
    cluster.expect_paths(SMTP, &[1]);
    // Without policies FRR would accept no route, and without multipath only one path.
    for prefix in &cluster.other_prefixes() {
        cluster.expect_paths(prefix, &[0, 1, 2]);
    }
}

fn the_reference_cluster_comes_alive<R: Router>() {
    let mut cluster = Cluster::<R>::start();
    for session in cluster.sessions() {
        assert_eq!(session.hold_time, Some(90));
    }

    // `smtp` has the policy `Local`, so only the node of its pod announces it.
    cluster.expect_paths(SMTP, &[1]);
    // The others have the policy `Cluster`, so every node announces them.
    let others = cluster.other_prefixes();
    assert_eq!(others.len(), 2, "one more Service in each pool: {others:?}");
    assert!(
        others[0].starts_with("172.22.35.") && others[1].starts_with("200.1.154."),
        "{others:?}"
    );
    for prefix in &others {
        cluster.expect_paths(prefix, &[0, 1, 2]);
    }

    move_endpoint(cluster.manifests.path(), "smtp", "kube2", "kube3");
    cluster.expect_paths(SMTP, &[2]);

    let mut node = cluster.nodes.remove(0);
    node.terminate();
    assert!(node.wait(SOON).success(), "a node ends well on SIGTERM: {}", node.output());
    for prefix in &others {
        cluster.expect_paths(prefix, &[1, 2]);
    }
    let session = cluster.router.session(address(NODES[0].1)).expect("the router's word");
    let words = session.last_error.to_lowercase();
    assert!(
        words.contains("administrative shutdown"),
        "ended by a Cease, not by a timer: {session:?}"
    );

    // The node comes back with the same addresses.
    let node = cluster.start_node(0);
    cluster.nodes.insert(0, node);
    for prefix in &others {
        cluster.expect_paths(prefix, &[0, 1, 2]);
    }
    assert_eq!(cluster.other_prefixes(), others);
    cluster.expect_paths(SMTP, &[2]);
}

fn a_broken_file_changes_nothing_until_it_is_mended<R: Router>() {
    let cluster = Cluster::<R>::start();
    cluster.expect_paths(SMTP, &[1]);
    let others = cluster.other_prefixes();
    let sessions = cluster.sessions();

    let services = cluster.manifests.path().join("services.yaml");
    let whole = fs::read_to_string(&services).expect("the example's Services");
    fs::write(&services, whole.replace("type: LoadBalancer", "type: [")).expect("a broken file");
    for node in &cluster.nodes {
        wait_until(SOON, "a complaint with the file's name and a place in it", || {
            node.says("services.yaml:")
        });
    }
    let prefixes = [&others[..], &[SMTP.to_owned()]].concat();
    for prefix in &prefixes {
        let count = if prefix == SMTP { 1 } else { NODES.len() };
        assert_eq!(cluster.router.paths(prefix).expect("an answer").len(), count, "{prefix}");
    }

    // Delete `smtp`, the first Service in the file.
    let (_, rest) = whole.split_once("\n---").expect("more than one Service");
    fs::write(&services, rest).expect("a file that is whole again");
    wait_until(SOON, "the withdrawal", || cluster.router.path_count(SMTP, 0));
    for prefix in &others {
        cluster.expect_paths(prefix, &[0, 1, 2]);
    }
    assert_eq!(cluster.sessions(), sessions, "no session was lost on the way");
}

/// Disables and enables the session of one node, with the command for it.
fn an_operator_disables_a_peer_and_enables_it() {
    let cluster = Cluster::<Bird>::start();
    cluster.expect_paths(SMTP, &[1]);
    let act = |action: &str, more: &[&str]| {
        let mut command = Command::new(FERROLB);
        command.args(["peer", action, "172.22.35.1:179"]).args(more);
        let output = command.arg("--socket").arg(cluster.socket(1)).output().expect("the command");
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
    };

    act("disable", &["--message", "rack 7 moves until noon"]);
    let node = address(NODES[1].1);
    wait_until(SOON, "the text at the router", || {
        let error = cluster.router.session(node)?.last_error;
        if error.contains("rack 7 moves until noon") { Ok(()) } else { Err(error) }
    });
    wait_until(SOON, "the withdrawal", || cluster.router.path_count(SMTP, 0));
    act("enable", &[]);
    cluster.expect_paths(SMTP, &[1]);
}

/// Kills and restarts a node, with graceful restart on both sides.
fn a_killed_node_loses_no_route<R: Router>() {
    let neighbors = |neighbor: Neighbor| neighbor.graceful_restart(120);
    let mut cluster = Cluster::<R>::start_with(neighbors, "      enable-graceful-restart: true\n");
    cluster.expect_paths(SMTP, &[1]);
    let others = cluster.other_prefixes();
    others.iter().for_each(|prefix| cluster.expect_paths(prefix, &[0, 1, 2]));
    let all = [&others[..], &[SMTP.to_owned()]].concat();

    // Not even for a moment.
    let kept = |cluster: &Cluster<R>, prefixes: &[String]| {
        for prefix in prefixes {
            let paths = cluster.router.paths(prefix).expect("an answer");
            let count = if prefix == SMTP { 1 } else { NODES.len() };
            assert_eq!(paths.len(), count, "{prefix} lost a path: {paths:?}");
        }
    };
    let node = address(NODES[1].1);
    cluster.nodes[1].kill();
    wait_until(SOON, "the router's word of the loss", || {
        kept(&cluster, &all);
        let session = cluster.router.session(node)?;
        if session.state == "Established" { Err(format!("{session:?}")) } else { Ok(()) }
    });

    // The End-of-RIB removes the routes that were not announced again, and no others.
    let services = cluster.manifests.path().join("services.yaml");
    let whole = fs::read_to_string(&services).expect("the example's Services");
    let (_, rest) = whole.split_once("\n---").expect("more than one Service");
    fs::write(&services, rest).expect("a file without smtp");
    kept(&cluster, &all);
    cluster.nodes[1] = cluster.start_node(1);
    wait_until(SOON, "the end of smtp", || {
        kept(&cluster, &others);
        cluster.router.path_count(SMTP, 0)
    });
    cluster.router.established(node).expect("the session again");
    for prefix in &others {
        cluster.expect_paths(prefix, &[0, 1, 2]);
    }
}

/// A router and the three nodes of the example, with files that a test can change.
struct Cluster<R> {
    // Dropped in this order: the nodes, which dial, end first.
    nodes: Vec<Process>,
    router: R,
    router_host: Host,
    hosts: Vec<Host>,
    manifests: tempfile::TempDir,
    states: tempfile::TempDir,
}

impl<R: Router> Cluster<R> {
    fn start() -> Self {
        Self::start_with(|neighbor| neighbor, "")
    }

    /// Starts a site with changed neighbours at the router, and these further lines for the peer in the files.
    fn start_with(neighbors: impl Fn(Neighbor) -> Neighbor, peer: &str) -> Self {
        let mut config = RouterConfig::new(ROUTER, ROUTER_AS);
        for (_, node) in NODES {
            config = config.neighbor(neighbors(Neighbor::new(node, NODE_AS).passive()));
        }
        let mut cluster = Self::without_nodes(config);
        cluster.configure(peer, "");
        cluster.start_nodes();
        for (index, (name, node)) in NODES.into_iter().enumerate() {
            wait_until(SOON, &format!("the session of {name}"), || {
                cluster.nodes[index].assert_running();
                cluster.router.established(address(node))
            });
        }
        cluster
    }

    /// The router, the hosts and the files.
    fn without_nodes(config: RouterConfig) -> Self {
        let lan = Lan::new();
        let router_host = lan.host("router", &["172.22.35.1/24"]);
        let hosts = NODES.map(|(name, node)| lan.host(name, &[&format!("{node}/24")])).to_vec();
        let router = R::start(&router_host, config);
        let manifests = tempfile::tempdir().expect("a temporary directory");
        copy_files(Path::new(EXAMPLE), manifests.path());
        let states = tempfile::tempdir().expect("a temporary directory");
        Self { nodes: Vec::new(), router, router_host, hosts, manifests, states }
    }

    /// Starts a router with exactly the configuration that `ferrolb router-config` prints, once the
    /// peer in the files has these further lines.
    fn with_printed_config(
        system: &str,
        peer: &str,
        rest: &str,
        configure: impl FnOnce(&R, &Path, &str),
    ) -> Self {
        let mut cluster = Self::without_nodes(RouterConfig::new(ROUTER, ROUTER_AS));
        cluster.configure(peer, rest);
        let output = Command::new(FERROLB)
            .args(["router-config", "--with-passwords", "--for", system, "--from"])
            .arg(cluster.manifests.path())
            .output()
            .expect("ferrolb can be started");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "router-config ended with {}: {errors}", output.status);
        let printed = String::from_utf8(output.stdout).expect("text");
        let written = cluster.states.path().join("router.conf");
        fs::write(&written, &printed).expect("a file can be written");
        configure(&cluster.router, &written, &printed);
        cluster.start_nodes();
        cluster
    }

    /// Adds these lines to the peer in the files, and the rest to the configuration.
    fn configure(&self, peer: &str, rest: &str) {
        let file = self.manifests.path().join("config.yaml");
        let text = fs::read_to_string(&file).expect("the example's configuration");
        let (my_asn, pools) = ("      my-asn: 64636\n", "    address-pools:\n");
        assert!(text.contains(my_asn) && text.contains(pools), "{text}");
        let changed = text
            .replace(my_asn, &format!("{my_asn}{peer}"))
            .replace(pools, &format!("{rest}{pools}"));
        fs::write(&file, changed).expect("the configuration can be changed");
    }

    fn start_nodes(&mut self) {
        for index in 0..NODES.len() {
            let node = self.start_node(index);
            self.nodes.push(node);
        }
    }

    fn start_node(&self, index: usize) -> Process {
        let (name, _) = NODES[index];
        Process::start(&self.hosts[index], Path::new(FERROLB), |command| {
            command.arg("run").arg(self.manifests.path()).args(["--node", name]);
            command.arg("--state-file").arg(self.states.path().join(format!("{name}.json")));
            command.arg("--socket").arg(self.socket(index));
        })
    }

    fn socket(&self, index: usize) -> PathBuf {
        self.states.path().join(format!("{}.sock", NODES[index].0))
    }

    /// Waits until a prefix is held through exactly these nodes, and checks each path.
    #[track_caller]
    fn expect_paths(&self, prefix: &str, nodes: &[usize]) {
        let expected: Vec<IpAddr> = nodes.iter().map(|index| address(NODES[*index].1)).collect();
        let paths = wait_until(SOON, "the paths at the router", || {
            let paths = self.router.paths(prefix)?;
            let from: Vec<IpAddr> = paths.iter().map(|path| path.from).collect();
            // BIRD has one best path in its table; FRR spreads the load over all of them.
            let used = paths.iter().filter(|path| path.used).count();
            let wanted = if R::NAME == Frr::NAME { expected.len() } else { 1 };
            if from == expected && used == wanted {
                Ok(paths)
            } else {
                Err(format!("{prefix}: {paths:?}"))
            }
        });
        for path in paths {
            assert_eq!(path.next_hop, path.from, "a node announces its own address");
            assert_eq!(path.as_path, [NODE_AS]);
            assert_eq!(path.local_pref, None, "no LOCAL_PREF over an external session");
            assert!(path.communities.is_empty(), "{path:?}");
        }
    }

    /// The sessions of the router, which must all be up.
    fn sessions(&self) -> Vec<Session> {
        let sessions = NODES.map(|(_, node)| self.router.established(address(node)));
        sessions.into_iter().collect::<Result<_, _>>().expect("three sessions")
    }

    /// The prefixes at the router besides `smtp`.
    fn other_prefixes(&self) -> Vec<String> {
        let held = wait_until(SOON, "three prefixes", || {
            let held = self.router.prefixes()?;
            if held.len() == 3 { Ok(held) } else { Err(format!("{held:?}")) }
        });
        held.into_iter().filter(|prefix| prefix != SMTP).collect()
    }

    fn holds_prefixes(&self, prefixes: &[&str]) -> Result<(), String> {
        let held = self.router.prefixes()?;
        if held == prefixes { Ok(()) } else { Err(format!("{held:?}")) }
    }
}

/// The prefixes of `ferrolb lab --once`, each with its next hops, both sorted.
fn lab_routes(host: &Host, manifests: &Path) -> Vec<(String, Vec<IpAddr>)> {
    let mut command = host.command(Path::new(FERROLB));
    command.arg("lab").arg(manifests).args(["--once", "--output", "json", "--socket", "off"]);
    let output = command.output().expect("the lab can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the lab ended with {}: {errors}", output.status);

    let lab: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let routes = lab["routes"].as_array().expect("routes");
    let mut routes: Vec<(String, Vec<IpAddr>)> = routes
        .iter()
        .map(|route| {
            let next_hops = route["next_hops"].as_array().expect("next hops").iter();
            let mut next_hops: Vec<IpAddr> =
                next_hops.map(|hop| address(hop.as_str().expect("an address"))).collect();
            next_hops.sort_unstable();
            (route["prefix"].as_str().expect("a prefix").to_owned(), next_hops)
        })
        .collect();
    routes.sort_unstable();
    routes
}

/// Moves the endpoints of a Service from one node to another, in any of the files.
fn move_endpoint(manifests: &Path, service: &str, from: &str, to: &str) {
    let label = format!("kubernetes.io/service-name: {service}");
    let mut moved = 0;
    for path in files(manifests) {
        let text = fs::read_to_string(&path).expect("a manifest");
        let documents: Vec<String> = text
            .split("\n---")
            .map(|document| {
                if !document.contains(&label) {
                    return document.to_owned();
                }
                moved += document.matches(from).count();
                document.replace(from, to)
            })
            .collect();
        fs::write(&path, documents.join("\n---")).expect("a manifest can be changed");
    }
    assert!(moved > 0, "an EndpointSlice of {service} on {from}");
}

fn copy_files(from: &Path, to: &Path) {
    for path in files(from) {
        let name = path.file_name().expect("a file's name");
        fs::copy(&path, to.join(name)).expect("an example can be copied");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of manifests");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.is_file()).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an IP address")
}
