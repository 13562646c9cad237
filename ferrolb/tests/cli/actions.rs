//! The actions of an operator on `ferrolb run`, against a router in this process: over the Unix socket, and never over TCP.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bgp_session::{Community, DownReason};
use serde_json::{Value, json};

use crate::run::{Router, manifests_for};
use crate::world::{Manifests, PATIENCE, Process, ferrolb, printed, wait_until};

/// A node that announces to a router, with a socket and an HTTP port.
struct Node {
    router: Router,
    manifests: Manifests,
    process: Process,
    http: SocketAddr,
    socket: PathBuf,
}

impl Node {
    fn start(more: &[&str]) -> Self {
        let router = Router::start();
        let manifests = manifests_for(&router);
        let (socket, state) = (manifests.beside("kube1.sock"), manifests.beside("kube1.json"));
        let dir = manifests.path();
        let [dir, socket_path, state] = [&dir, &socket, &state].map(|path| path.to_str().unwrap());
        let arguments =
            ["run", dir, "--node", "kube1", "--state-file", state, "--http", "127.0.0.1:0"];
        let arguments = [&arguments[..], &["--socket", socket_path], more].concat();
        let process = Process::start(ferrolb(&arguments));

        let line = process.error(|line| line.contains("serving health checks"));
        let (_, address) = line.split_once("address=").unwrap();
        let http = address.split_whitespace().next().unwrap().parse().unwrap();
        let node = Self { router, manifests, process, http, socket };
        wait_until("the table", || node.router.has_all());
        node
    }

    /// The name of the peer in the configuration.
    fn peer(&self) -> String {
        self.router.address().to_string()
    }

    /// Posts a request to the socket. Returns the status and the answer.
    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let stream = UnixStream::connect(&self.socket).unwrap();
        exchange(stream, "POST", path, &body.to_string())
    }

    fn on_peer(&self, action: &str, body: &Value) -> (u16, Value) {
        self.post(&format!("/v1/peers/{}/{action}", self.peer()), body)
    }

    /// Posts a request that must succeed.
    fn done(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.post(path, body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    fn get(&self, path: &str) -> Value {
        let (status, answer) = exchange(TcpStream::connect(self.http).unwrap(), "GET", path, "");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The texts of the events of this kind.
    fn events(&self, kind: &str) -> Vec<String> {
        let events = self.get("/v1/events");
        let events = events["events"].as_array().unwrap();
        let events = events.iter().filter(|event| event["kind"] == kind);
        events.map(|event| event["text"].as_str().unwrap().to_owned()).collect()
    }

    fn drain_stage(&self) -> Value {
        self.get("/v1/status")["drain"]["stage"].clone()
    }

    /// The text of the NOTIFICATION with which the node ended the last session.
    fn last_cease(&self) -> String {
        match self.router.node().last_down {
            Some(DownReason::Remote(cease)) => cease.to_string(),
            other => panic!("not told by the node: {other:?}"),
        }
    }
}

fn exchange(mut stream: impl Read + Write, method: &str, path: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request =
        format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{request}{body}").as_bytes()).unwrap();

    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn a_disabled_peer_has_no_session_until_it_is_enabled() {
    let node = Node::start(&[]);
    let text = "rack 7 moves until noon";
    let (status, answer) = node.on_peer("disable", &json!({"message": text}));
    assert_eq!(
        (status, &answer["done"]),
        (200, &json!(format!("peer {}: disabled the peer: {text:?}", node.peer())))
    );
    wait_until("the end of the session", || !node.router.node().is_established());
    assert!(node.last_cease().contains("administrative shutdown: \"rack 7 moves until noon\""));
    let line = node.process.error(|line| line.contains("an operator acted on the peer"));
    assert!(line.contains("WARN") && line.contains(&node.peer()), "{line}");

    // A change of the configuration keeps it disabled.
    let changed = "      connect-time: 7s\n      my-asn: 64636";
    node.manifests.replace("config.yaml", "      my-asn: 64636", changed);
    node.process.error(|line| line.contains("changed the session in place"));
    std::thread::sleep(Duration::from_millis(300));
    let peer = &node.get("/v1/peers")["peers"][0];
    assert_eq!((&peer["disabled"], &peer["state"]), (&json!(true), &json!("Idle")), "{peer}");
    assert!(!node.router.node().is_established());
    assert_eq!(node.get("/v1/status")["peers"]["disabled"], 1);

    let (status, answer) = node.on_peer("reset", &json!({}));
    assert_eq!(status, 409, "{answer}");
    assert_eq!(node.on_peer("enable", &json!({})).0, 200);
    wait_until("the table again", || node.router.has_all());
    assert_eq!(node.events("operator").len(), 2, "{:?}", node.events("operator"));
}

#[test]
fn a_peer_is_reset_and_refreshed() {
    let node = Node::start(&[]);
    let refreshed = |node: &Node| node.router.node().stats.received.route_refresh;
    assert_eq!(node.on_peer("refresh", &json!({"direction": "in"})).0, 200);
    wait_until("a request for the router's routes", || refreshed(&node) > 0);
    assert_eq!(node.on_peer("refresh", &json!({})).0, 200);

    let since = node.router.since();
    assert_eq!(node.on_peer("reset", &json!({"message": "new filter"})).0, 200);
    wait_until("another session", || node.router.since() > since && node.router.has_all());
    assert!(node.last_cease().contains("administrative reset: \"new filter\""));
}

#[test]
fn a_wrong_request_is_refused_and_changes_nothing() {
    let node = Node::start(&[]);
    let since = node.router.since();
    let peer = node.peer();
    let of_peer = |action: &str| format!("/v1/peers/{peer}/{action}");
    let long = json!({"message": "x".repeat(256)});
    for (path, body, status, expected) in [
        (
            "/v1/peers/tro/reset".to_owned(),
            json!({}),
            404,
            "there is no peer \"tro\": expected one of ",
        ),
        (of_peer("disable"), long.clone(), 400, "message: it has 256 octets, expected at most 255"),
        (of_peer("enable"), json!({"message": "hello"}), 400, "message: expected none"),
        (of_peer("reset"), json!({"mesage": "x"}), 400, "unknown field `mesage`, expected "),
        (of_peer("refresh"), json!({"direction": "up"}), 400, "unknown variant `up`, expected "),
        (of_peer("restart"), json!({}), 404, "there is no path"),
        (
            "/v1/log-level".to_owned(),
            json!({"filter": "inof"}),
            400,
            "\"inof\": expected off, error,",
        ),
        ("/v1/log-level".to_owned(), json!({"filter": ""}), 400, "expected a level"),
        ("/v1/drain".to_owned(), long, 400, "message: it has 256 octets"),
        ("/v1/undrain".to_owned(), json!({"message": "x"}), 400, "the body: expected none"),
    ] {
        let (found, answer) = node.post(&path, &body);
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(found == status && error.contains(expected), "{path}: {found} {answer}");
    }
    let stream = UnixStream::connect(&node.socket).unwrap();
    assert_eq!(exchange(stream, "GET", "/v1/drain", "").0, 405);

    assert!(node.router.has_all() && node.router.since() == since);
    assert!(node.events("operator").is_empty() && node.drain_stage() == "serving");
}

#[test]
fn no_action_passes_over_tcp() {
    let node = Node::start(&[]);
    let since = node.router.since();
    let level = node.get("/v1/status")["log_level"].clone();
    let peer = node.peer();
    let actions = ["reset", "disable", "enable", "refresh"];
    let mut paths: Vec<_> =
        actions.iter().map(|action| format!("/v1/peers/{peer}/{action}")).collect();
    paths.extend(["/v1/log-level", "/v1/drain", "/v1/undrain"].map(str::to_owned));

    for path in &paths {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let stream = TcpStream::connect(node.http).unwrap();
            let (status, answer) = exchange(stream, method, path, "{}");
            let text = answer.to_string();
            assert!(status == 403 && text.contains("socket"), "{method} {path}: {status} {text}");
        }
        let stream = TcpStream::connect(node.http).unwrap();
        assert_eq!(exchange(stream, "GET", path, "").0, 404, "{path}");
    }

    std::thread::sleep(Duration::from_millis(300));
    assert!(node.router.has_all() && node.router.since() == since, "the session of the beginning");
    assert!(node.events("operator").is_empty() && node.events("refresh").is_empty());
    assert_eq!(
        (node.drain_stage(), &node.get("/v1/status")["log_level"]),
        (json!("serving"), &level)
    );
}

#[test]
fn run_drains_the_node_and_serves_again() {
    let node = Node::start(&["--drain-marked", "1s", "--drain-withdrawn", "300ms"]);
    let answer = node.done("/v1/drain", &json!({"message": "new kernel"}));
    assert_eq!(answer["requested_by"], "operator");
    let is_marked = |node: &Node| {
        let table = node.router.speaker.loc_rib();
        let mut paths = table.iter().flat_map(|(_, paths)| paths);
        paths.all(|path| path.attributes.communities.contains(&Community::GRACEFUL_SHUTDOWN))
            && !node.router.table().is_empty()
    };
    wait_until("marked routes", || is_marked(&node));
    assert_eq!(node.drain_stage(), "marked");
    wait_until("the withdrawal", || node.router.table().is_empty());
    wait_until("the end of the session", || !node.router.node().is_established());
    assert!(node.last_cease().contains("administrative shutdown: \"new kernel\""));
    wait_until("the end of the drain", || node.drain_stage() == "drained");

    // The files change nothing about that.
    node.manifests.replace("endpoints.yaml", "nodeName: kube1", "nodeName: kube3");
    node.manifests.replace("endpoints.yaml", "nodeName: kube3", "nodeName: kube1");
    std::thread::sleep(Duration::from_millis(700));
    assert!(!node.router.node().is_established());
    let (status, answer) = node.on_peer("reset", &json!({}));
    assert_eq!(status, 409, "{answer}");

    let answer = node.done("/v1/undrain", &json!({}));
    assert_eq!(answer["note"], "the drain ends");
    wait_until("the table again", || node.router.has_all());
    assert_eq!(node.drain_stage(), "serving");

    // A drain that is cancelled in time leaves the session.
    let since = node.router.since();
    node.done("/v1/drain", &json!({}));
    wait_until("marked routes", || is_marked(&node));
    node.done("/v1/undrain", &json!({}));
    wait_until("routes as before", || !is_marked(&node) && node.router.has_all());
    assert_eq!(node.router.since(), since);
    let drain = node.events("drain");
    assert!(drain.iter().any(|text| text.contains("the drain was cancelled")), "{drain:?}");
}

#[test]
fn the_commands_drain_and_undrain() {
    let node = Node::start(&["--drain-marked", "400ms", "--drain-withdrawn", "400ms"]);
    let socket = node.socket.to_str().unwrap();
    let drained = printed(&["drain", "--wait", "--message", "new kernel", "--socket", socket]);
    let stages: Vec<_> = drained.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(stages, ["the drain begins", "withdrawn", "drained"]);
    assert!(!node.router.node().is_established());

    let served = printed(&["undrain", "--socket", socket]);
    assert_eq!(served, "the drain ends\n");
    wait_until("the table again", || node.router.has_all());
}

#[test]
fn sigterm_ends_a_drained_process_and_one_that_is_draining() {
    for wait in [false, true] {
        let mut node = Node::start(&["--drain-marked", "100ms", "--drain-withdrawn", "20s"]);
        node.done("/v1/drain", &json!({}));
        if wait {
            wait_until("the withdrawal", || node.router.table().is_empty());
        }
        let begin = Instant::now();
        node.process.signal("TERM");
        assert_eq!(node.process.wait().code(), Some(0));
        assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
        assert!(node.last_cease().contains("ferrolb is stopping"));
    }
}

#[test]
fn the_log_level_changes_at_run_time() {
    let node = Node::start(&[]);
    let answer = node.done("/v1/log-level", &json!({"filter": "info,bgp_session=debug"}));
    assert_eq!(answer["done"], "the log level is info,bgp_session=debug; before: info");
    assert_eq!(node.get("/v1/status")["log_level"], "info,bgp_session=debug");
    node.router.reset();
    node.process.error(|line| line.contains("DEBUG") && line.contains("state changed"));
    wait_until("the table", || node.router.has_all());

    node.done("/v1/log-level", &json!({}));
    node.process.error(|line| line.contains("the log level is info, as at the start"));
    node.router.reset();
    wait_until("the table", || node.router.has_all());
    node.done("/v1/log-level", &json!({"filter": "warn"}));
    let mut since = Vec::new();
    node.process.error(|line| {
        let is_last = line.contains("the log level is warn");
        if !is_last {
            assert!(!line.contains("DEBUG"), "{line}");
        }
        is_last
    });
    since.push(node.events("operator"));
    assert_eq!(since[0].len(), 3, "{since:?}");
}

#[test]
fn a_stream_of_events_follows_the_session() {
    let node = Node::start(&[]);
    let mut stream = TcpStream::connect(node.http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut next = |kind: &str| -> Value {
        loop {
            let line = lines.find(|line| line.starts_with("data: ")).unwrap();
            let event: Value = serde_json::from_str(&line["data: ".len()..]).unwrap();
            if event["kind"] == kind {
                return event;
            }
        }
    };
    assert_eq!(next("started")["id"], 1);
    let announced = next("announced");
    assert_eq!((&announced["node"], &announced["peer"]), (&json!("kube1"), &json!(node.peer())));
    let up = next("session_up");
    assert!(up["text"].as_str().unwrap().contains("AS 64635"), "{up}");

    node.router.reset();
    let down = next("session_down");
    assert_eq!((&down["severity"], &down["peer"]), (&json!("error"), &json!(node.peer())));
    assert!(down["text"].as_str().unwrap().contains("ended by the peer: Cease"), "{down}");
    next("session_up");

    node.manifests.write("config.yaml", "nothing that makes sense");
    let refused = next("configuration_refused");
    let text = refused["text"].as_str().unwrap();
    assert!(text.contains("the last valid configuration stays in force"), "{text}");
}
