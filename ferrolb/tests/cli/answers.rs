//! The commands that ask a process, against one whose answers are fixed, hang, or make no sense.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Output;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Process, ferrolb, text};

/// A process with fixed answers, on a Unix socket.
pub(crate) struct Answers {
    directory: TempDir,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Answers {
    /// Serves these answers by their paths. A request for another path is refused as a process does.
    pub(crate) fn serve(answers: &[(&str, Value)]) -> Self {
        let answers: BTreeMap<String, String> =
            answers.iter().map(|(path, answer)| (path.to_string(), answer.to_string())).collect();
        Self::with(move |path| match answers.get(path) {
            Some(answer) => response("200 OK", answer),
            None => response(
                "404 Not Found",
                "{\"error\":\"there is no such path\",\"hint\":\"the peers are tor1 and tor2\"}",
            ),
        })
    }

    /// Serves the octets that `answer` returns for each path.
    pub(crate) fn with(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("kube1.sock")).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut request = vec![0; 8192];
                let length = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                seen.lock().unwrap().push(request);
                let _ = stream.write_all(answer(&path).as_bytes());
            }
        });
        Self { directory, requests }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("kube1.sock")
    }

    /// The output of a command that asks this process.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let socket = self.socket();
        let socket = ["--socket", socket.to_str().unwrap()];
        ferrolb(&[arguments, &socket].concat()).output().unwrap()
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

pub(crate) fn response(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn status() -> Value {
    json!({
        "time": "2026-11-30T15:00:00Z", "program": "lab", "version": "9.1.0",
        "started_at": "2026-11-29T12:00:00Z", "problems": [], "a_new_field": {"of": "version 9.1"},
        "configuration": {"state": "valid", "source": "manifests", "errors": []},
        "peers": {"expected": 2, "established": 2, "disabled": 0},
        "bfd": {"expected": 0, "up": 0}, "prefixes": {"planned": 6, "sent": 6, "unsendable": 0},
        "services": {"total": 3, "announced": 3, "pending": 0},
        "drain": {"stage": "serving"}, "watches": [], "log_level": "info",
    })
}

fn peer(node: &str, name: &str, state: &str) -> Value {
    json!({
        "node": node, "name": name, "endpoint": "172.22.35.1:179", "asn": 64635,
        "local_asn": 64636, "state": state, "disabled": false, "state_seconds": 97_200.5,
        "families": [], "prefixes": {"planned": 3, "sent": 3, "unsendable": 0}, "received": 0,
        "flaps": 0,
    })
}

#[test]
fn the_exit_code_of_status_says_whether_traffic_is_kept_away() {
    let answers = Answers::serve(&[("/v1/status", status())]);
    let output = answers.ask(&["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    assert!(stdout.starts_with("FerroLB 9.1.0 lab, up 1d 3h\n\nNo problems.\n"), "{stdout}");
    assert!(!stdout.contains('\x1b'), "colours are for terminals");

    for (severity, code) in [("warning", 0), ("error", 1)] {
        let mut status = status();
        status["problems"] =
            json!([{"severity": severity, "subject": "peer tor1", "text": "down"}]);
        let output = Answers::serve(&[("/v1/status", status)]).ask(&["status"]);
        assert_eq!(output.status.code(), Some(code), "{severity}");
        assert!(text(&output.stdout).contains("  peer tor1: down\n"), "{}", text(&output.stdout));
        assert_eq!(text(&output.stderr), "", "the problem is on stdout");
    }
}

#[test]
fn json_is_the_answer_as_it_is() {
    let answers = Answers::serve(&[("/v1/status", status())]);
    let output = answers.ask(&["status", "--output", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document, status(), "fields that this version does not know stay");
}

#[cfg(feature = "kubernetes")]
#[test]
fn options_of_a_cluster_need_one() {
    let answers = Answers::serve(&[("/v1/status", status())]);
    for option in [["--node", "kube1"], ["--namespace", "ferrolb-system"]] {
        let output = answers.ask(&[&["status"], &option[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{option:?}");
        let expected = format!("{} {}: expected --cluster or --kubeconfig", option[0], option[1]);
        assert!(text(&output.stderr).contains(&expected), "{}", text(&output.stderr));
    }
    assert!(answers.requests().is_empty(), "nothing is asked before");
}

#[test]
fn peers_of_all_nodes_or_of_one_are_shown() {
    let peers = [peer("kube1", "tor1", "Established"), peer("kube2", "tor1", "Active")];
    let answers = Answers::serve(&[
        ("/v1/peers", json!({"peers": peers})),
        ("/v1/peers/tor1?node=kube1", peers[0].clone()),
        ("/v1/peers/tor1?node=kube2", peers[1].clone()),
    ]);
    let output = answers.ask(&["peers"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().filter(|line| line.contains("tor1")).count(), 2);

    let output = answers.ask(&["peers", "--node", "kube1", "-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document, json!({"peers": [peers[0]]}));

    let output = answers.ask(&["peers", "tor1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    assert!(stdout.contains("Peer tor1 on kube1\n") && stdout.contains("Peer tor1 on kube2\n"));
    let output = answers.ask(&["peers", "tor1", "--node", "kube1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let output = answers.ask(&["peers", "tor9"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "ferrolb: error: there is no such path; the peers are tor1 and tor2\n";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn a_process_that_is_not_there_or_answers_something_else_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("kube1.sock");
    let missing = missing.to_str().unwrap();
    let output = ferrolb(&["status", "--socket", missing]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains(&format!("no response from {missing}: ")), "{stderr}");
    assert!(
        stderr.contains("start ferrolb run or lab, or name a process with --socket"),
        "{stderr}"
    );

    for (answer, expected) in [
        ("SSH-2.0-OpenSSH\r\n\r\n".to_owned(), "the response is not HTTP"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned(), "the response is truncated"),
        (response("200 OK", "{}"), "/v1/status: missing field"),
        (response("502 Bad Gateway", "<h1>proxy</h1>"), "/v1/status: 502 <h1>proxy</h1>"),
    ] {
        let answers = Answers::with(move |_| answer.clone());
        let output = answers.ask(&["status"]);
        assert_eq!(output.status.code(), Some(2), "{expected}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains(expected), "{expected}: {stderr}");
        assert!(stderr.contains(answers.socket().to_str().unwrap()), "{stderr}");
    }
}

#[test]
fn a_socket_and_a_url_exclude_each_other_except_as_variables() {
    let answers = Answers::serve(&[("/v1/status", status())]);
    let output = answers.ask(&["status", "--url", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("name two places: give one of them"));

    let socket = answers.socket();
    let socket = socket.to_str().unwrap();
    let asked = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = ferrolb(&[&["status"], arguments].concat());
        command.envs(variables.iter().copied()).output().unwrap().status.code()
    };
    let nowhere = "http://127.0.0.1:1";
    assert_eq!(asked(&["--socket", socket], &[("FERROLB_URL", nowhere)]), Some(0));
    assert_eq!(asked(&["--url", nowhere], &[("FERROLB_SOCKET", socket)]), Some(2));
    assert_eq!(asked(&[], &[("FERROLB_SOCKET", socket)]), Some(0));
    assert_eq!(asked(&[], &[("FERROLB_SOCKET", "off"), ("FERROLB_URL", nowhere)]), Some(2));
}

#[test]
fn a_watched_view_is_repeated_until_it_is_interrupted() {
    let answers = Answers::serve(&[("/v1/status", status())]);
    let socket = answers.socket();
    let arguments = ["status", "--watch=100ms", "--socket", socket.to_str().unwrap()];
    let mut process = Process::start(ferrolb(&arguments));
    for _ in 0..3 {
        process.line(|line| line.starts_with("FerroLB 9.1.0"));
    }
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(0));

    let output = answers.ask(&["status", "--watch=5ms"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("expected at least 100ms"), "{}", text(&output.stderr));
    assert!(answers.requests().len() >= 3);
}

fn event(id: u64, node: &str) -> Value {
    json!({
        "id": id, "time": "2026-11-30T15:00:00Z", "kind": "session_up", "severity": "info",
        "node": node, "peer": "tor1", "text": "the session is Established",
    })
}

#[test]
fn kept_events_are_listed_and_new_ones_follow_across_a_restart() {
    let page = json!({"events": [event(7, "kube1"), event(8, "kube2")], "missed": 6});
    let kept = Answers::serve(&[("/v1/events?since=0", page)]);
    let output = kept.ask(&["events", "--since", "0", "--node", "kube1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = ".. 6 earlier events are no longer kept\n\
                    2026-11-30 15:00:00Z  info     kube1 tor1: the session is Established\n";
    assert_eq!(text(&output.stdout), expected);
    let output = kept.ask(&["events", "--since", "0", "-o", "json"]);
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [event(7, "kube1"), event(8, "kube2")]);

    // After the first stream a new process answers: it counts from 1.
    let streams = Mutex::new(0);
    let changing = Answers::with(move |path| {
        let mut streams = streams.lock().unwrap();
        if path == "/v1/status" {
            let mut status = status();
            status["started_at"] = json!(format!("2026-11-29T12:00:0{streams}Z"));
            return response("200 OK", &status.to_string());
        }
        *streams += 1;
        let event = event(if path == "/v1/events" { 9 } else { 1 }, "kube1");
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {event}\n\n")
    });
    let socket = changing.socket();
    let arguments = ["events", "-f", "-o", "wide", "--socket", socket.to_str().unwrap()];
    let mut process = Process::start(ferrolb(&arguments));
    process.line(|line| line.contains("     9  session_up"));
    process.line(|line| line.contains("     1  session_up"));
    process.signal("INT");
    assert_eq!(process.wait().code(), Some(0));
    let streams: Vec<_> =
        changing.requests().into_iter().filter(|it| it.contains("/v1/events")).collect();
    assert!(streams[1].starts_with("GET /v1/events?since=0 "), "{streams:?}");
}

#[test]
fn actions_are_posted_and_need_the_socket() {
    let done = json!({"done": "the session of tor1 is reset"});
    let answers = Answers::serve(&[("/v1/peers/tor1/reset", done)]);
    let output = answers.ask(&["peer", "reset", "tor1", "--message", "back soon"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "the session of tor1 is reset\n");
    let requests = answers.requests();
    assert!(requests[0].starts_with("POST /v1/peers/tor1/reset HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[0].ends_with("{\"message\":\"back soon\"}"), "{requests:?}");

    let output = ferrolb(&["peer", "enable", "tor1", "--url", "http://127.0.0.1:1"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    for part in ["http://127.0.0.1:1 only reads", "Unix socket", "/run/ferrolb/NODE.sock"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    let long = "a".repeat(256);
    let output = answers.ask(&["peer", "reset", "tor1", "--message", &long]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("256 octets: expected at most 255"));
}
