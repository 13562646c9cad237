//! The commands that ask and change a process, against real ones: `run` with a router in this process, and a lab.

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::run::{ALL, Router, manifests_for};
use crate::world::{Manifests, Process, explained, ferrolb, reference, text, wait_until};

/// `ferrolb run` for the node kube1, with its socket.
struct Node {
    _process: Process,
    socket: PathBuf,
}

impl Node {
    fn start(manifests: &Manifests) -> Self {
        Self::with(manifests, &[])
    }

    fn with(manifests: &Manifests, more: &[&str]) -> Self {
        let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
        let socket = manifests.beside("kube1.sock");
        let [dir, state, path] = [&dir, &state, &socket].map(|path| path.to_str().unwrap());
        let arguments = ["run", dir, "--node", "kube1", "--state-file", state, "--socket", path];
        let process = Process::start(ferrolb(&[&arguments, more].concat()));
        wait_until("the socket", || socket.exists());
        Self { _process: process, socket }
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        ask(&self.socket, arguments)
    }
}

fn ask(socket: &Path, arguments: &[&str]) -> Output {
    ferrolb(&[arguments, &["--socket", socket.to_str().unwrap()]].concat()).output().unwrap()
}

/// The text of a command that must exit with this code.
fn said(output: &Output, code: i32) -> String {
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}{}", text(&output.stderr));
    said
}

/// The values of one command that prints JSON lines.
fn lines(output: &Output) -> Vec<Value> {
    said(output, 0).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_node_tells_what_its_router_has() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let node = Node::start(&manifests);
    wait_until("the table", || router.has_all());
    wait_until("the session", || node.ask(&["peers"]).status.code() == Some(0));
    // The routes count as sent once TCP has taken them.
    let all_sent = || text(&node.ask(&["status"]).stdout).contains("  prefixes       3 of 3 sent");
    wait_until("the routes", all_sent);

    let status = said(&node.ask(&["status"]), 0);
    assert!(status.contains("run on kube1, up "), "{status}");
    assert!(status.contains("  peers          1 of 1 Established\n"), "{status}");
    assert!(status.lines().count() <= 24, "{status}");

    let name = {
        let document: Value =
            serde_json::from_slice(&node.ask(&["peers", "-o", "json"]).stdout).unwrap();
        document["peers"][0]["name"].as_str().unwrap().to_owned()
    };
    let detail = said(&node.ask(&["peers", &name]), 0);
    for part in [
        "hold time       30s (we proposed 30s, the router ",
        "65          four-octet AS: 64636 ",
        "HoldTimer ",
        " to 127.22.35.1:",
    ] {
        assert!(detail.contains(part), "{part:?} is not in {detail}");
    }

    let routes = lines(&node.ask(&["routes", "--peer", &name, "-o", "json"]));
    let shown = routes.iter().map(|route| {
        let [prefix, next_hop, path] =
            ["prefix", "next_hop", "as_path"].map(|key| route[key].as_str().unwrap());
        assert_eq!((&route["node"], &route["state"]), (&"kube1".into(), &"sent".into()), "{route}");
        format!("{prefix} through {next_hop}, {path}")
    });
    assert_eq!(shown.collect::<Vec<_>>(), ALL, "the routes are those that the router has");

    let of_smtp = said(&node.ask(&["routes", "--service", "mail/smtp"]), 0);
    assert!(of_smtp.contains("172.22.35.70/32") && !of_smtp.contains("172.22.35.64"), "{of_smtp}");
    let within = lines(&node.ask(&["routes", "--prefix", "172.22.35.70", "-o", "json"]));
    assert_eq!(within.len(), 1);
    let none = said(&node.ask(&["routes", "--prefix", "10.0.0.0/8"]), 0);
    assert_eq!(none, "No peer has, or should have, such a route.\n");

    let services = lines(&node.ask(&["services", "-o", "json"]));
    assert_eq!(services.len(), 3);
    assert_eq!(said(&node.ask(&["services", "--problems"]), 0), "Services with problems\n  none\n");
    let pool = said(&node.ask(&["pools", "default"]), 0);
    assert!(pool.contains("172.22.35.70") && pool.contains("mail/smtp"), "{pool}");
    let explanation = explained(&node.ask(&["explain", "mail/smtp", "--node", "kube1"]));
    assert!(explanation.contains("    sent          ok    172.22.35.70/32\n"), "{explanation}");

    for (arguments, expected) in [
        (&["peers", "tor9"][..], name.as_str()),
        (&["routes", "--peer", "tor9"], &name),
        (&["pools", "other"], "default"),
        (&["routes", "--prefix", "10.0.0.0/33"], "--prefix"),
    ] {
        let output = node.ask(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_session_that_is_down_is_a_problem_with_its_reason() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    // Nothing listens there.
    let port = router.address().port();
    manifests.replace("config.yaml", &format!("peer-port: {port}"), "peer-port: 9");
    let node = Node::start(&manifests);
    let refused = || text(&node.ask(&["peers"]).stdout).contains("refused the TCP connection");
    wait_until("the refusal", refused);
    let peers = said(&node.ask(&["peers"]), 1);
    assert!(peers.contains("    last error: ") && peers.contains("    to fix it: "), "{peers}");
    let status = said(&node.ask(&["status"]), 1);
    assert!(status.contains("\nProblems\n  ERROR "), "{status}");
    let routes = said(&node.ask(&["routes"]), 0);
    assert!(routes.contains("no session"), "{routes}");
    let problems = said(&node.ask(&["services", "--problems"]), 1);
    assert!(problems.contains("session: "), "{problems}");
}

#[test]
fn an_operator_changes_a_process_and_its_events_say_so() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let node = Node::with(&manifests, &["--drain-marked", "300ms", "--drain-withdrawn", "300ms"]);
    let is_up = || node.ask(&["peers"]).status.code() == Some(0);
    wait_until("the session", || is_up() && router.has_all());
    let name = router.address().to_string();

    let disabled = said(&node.ask(&["peer", "disable", &name, "--message", "new line card"]), 0);
    assert!(disabled.contains(&name), "{disabled}");
    wait_until("the end of the session", || !router.node().is_established());
    let peers = said(&node.ask(&["peers"]), 1);
    assert!(peers.contains("  Disabled  "), "{peers}");
    let detail = said(&node.ask(&["peers", &name]), 1);
    assert!(detail.contains("  disabled with") && detail.contains("\"new line card\""), "{detail}");
    said(&node.ask(&["peer", "enable", &name]), 0);
    wait_until("the table", || is_up() && router.has_all());

    let since = router.since();
    said(&node.ask(&["refresh"]), 0);
    said(&node.ask(&["refresh", &name, "--in"]), 0);
    assert_eq!(router.since(), since, "the session stays");
    said(&node.ask(&["peer", "reset", &name]), 0);
    wait_until("a new session", || router.since() != since && is_up() && router.has_all());

    assert_eq!(said(&node.ask(&["log-level"]), 0), "info\n");
    said(&node.ask(&["log-level", "info,bgp_session=debug"]), 0);
    assert_eq!(said(&node.ask(&["log-level"]), 0), "info,bgp_session=debug\n");
    said(&node.ask(&["log-level", "--reset"]), 0);
    assert_eq!(said(&node.ask(&["log-level"]), 0), "info\n");

    let late = node.ask(&["drain", "--wait", "--timeout", "0s"]);
    assert_eq!(late.status.code(), Some(2));
    assert!(text(&late.stderr).contains("not drained after 0ns"), "{}", text(&late.stderr));
    let drained = said(&node.ask(&["drain", "--wait"]), 0);
    assert!(drained.ends_with("drained: the sessions have ended\n"), "{drained}");
    assert!(!router.node().is_established());
    let status = text(&node.ask(&["status"]).stdout);
    assert!(status.contains("requested by operator"), "{status}");
    let refused = node.ask(&["peer", "reset", &name]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("; end the drain first"), "{}", text(&refused.stderr));
    assert_eq!(said(&node.ask(&["undrain"]), 0), "the drain ends\n");
    wait_until("the table", || is_up() && router.has_all());

    let events = said(&node.ask(&["events", "-o", "wide"]), 0);
    for kind in ["  session_up ", "  session_down ", "  operator ", "  drain "] {
        assert!(events.contains(kind), "{kind} is not in {events}");
    }
    let last = events.lines().last().unwrap().split_whitespace().nth(3).unwrap();
    assert_eq!(said(&node.ask(&["events", "--since", last]), 0), "");
}

#[test]
fn an_action_over_tcp_is_refused_with_the_socket_to_use() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let (_process, url) = crate::ask::start(&manifests);
    let output = ferrolb(&["peer", "reset", "tor1", "--url", &url]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains(&format!("{url} only reads")), "{stderr}");
    assert!(stderr.contains("/run/ferrolb/kube1.sock"), "{stderr}");
}

#[test]
fn a_lab_answers_for_each_of_its_nodes() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("lab.sock");
    let _lab = Process::lab(&reference(), &["--socket", socket.to_str().unwrap()]);
    let is_up = || socket.exists() && ask(&socket, &["peers"]).status.code() == Some(0);
    wait_until("all sessions", is_up);

    let peers = said(&ask(&socket, &["peers"]), 0);
    assert_eq!(peers.lines().filter(|line| line.contains("Established")).count(), 3, "{peers}");
    let of_one = said(&ask(&socket, &["peers", "--node", "kube2"]), 0);
    assert_eq!(of_one.lines().filter(|line| line.contains("Established")).count(), 1, "{of_one}");
    let routes = lines(&ask(&socket, &["routes", "--node", "kube2", "-o", "json"]));
    assert!(!routes.is_empty() && routes.iter().all(|route| route["node"] == "kube2"));
}

#[test]
fn one_of_several_processes_must_be_chosen() {
    let directory = tempfile::tempdir().unwrap();
    let sockets = directory.path().join("ferrolb");
    std::fs::create_dir(&sockets).unwrap();
    let paths = ["kube1.sock", "kube2.sock"].map(|name| sockets.join(name));
    let _processes = paths.each_ref().map(|path| UnixListener::bind(path).unwrap());

    let mut command = ferrolb(&["status"]);
    let output = command.env("XDG_RUNTIME_DIR", directory.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("several processes run here: choose one with --socket "), "{stderr}");
    for path in paths {
        assert!(stderr.contains(path.to_str().unwrap()), "{stderr}");
    }
}
