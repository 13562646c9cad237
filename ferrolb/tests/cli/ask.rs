//! HTTP requests to a running `ferrolb run`, by `explain`, `diff` and `router-config`, and by hand.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use crate::ports::ReservedPort;
use crate::run::{Router, manifests_for};
use crate::world::{Manifests, Process, explained, ferrolb, text, wait_until};

/// Starts the process for the node kube1. Returns its URL too.
pub(crate) fn start(manifests: &Manifests) -> (Process, String) {
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let [dir, state] = [&dir, &state].map(|path| path.to_str().unwrap());
    let arguments = ["run", dir, "--node", "kube1", "--state-file", state, "--http", "127.0.0.1:0"];
    let process = Process::start(ferrolb(&arguments));
    let line = process.error(|line| line.contains("serving health checks and metrics"));
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    (process, format!("http://{address}"))
}

pub(crate) fn ask(url: &str, arguments: &[&str]) -> String {
    let output = ferrolb(&[arguments, &["--url", url]].concat()).output().unwrap();
    if arguments[0] == "explain" {
        return explained(&output);
    }
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

pub(crate) fn get(url: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The value of the first metric whose line has this start.
pub(crate) fn value(metrics: &str, begin: &str) -> f64 {
    let line = metrics.lines().find(|line| line.starts_with(begin));
    let line = line.unwrap_or_else(|| panic!("{begin} is not in\n{metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_running_process_and_its_recording_give_the_same_answers() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let (_process, url) = start(&manifests);
    wait_until("the table", || router.has_all());
    wait_until("the session", || get(&url, "/objects").contains("\"up\":true"));
    let explain = ["explain", "mail/smtp", "--node", "kube1"];
    let explained = ask(&url, &explain);
    assert!(explained.contains("    session       ok    Established\n"), "{explained}");
    assert!(explained.contains("    sent          ok    172.22.35.70/32\n"), "{explained}");
    let answer = get(&url, "/objects");
    let recording = manifests.beside("recording.jsonl");
    std::fs::write(&recording, answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let from = ["--from", recording.to_str().unwrap()];
    assert_eq!(ask(&url, &[&explain[..], &from].concat()), explained);

    // Without kube1, no node is left for the Service of its pod.
    let drain = ["diff", "--drain", "kube1"];
    let drained = |from: &[&str]| ferrolb(&[&drain[..], from].concat()).output().unwrap();
    let of_process = drained(&["--url", &url]);
    assert_eq!(of_process.status.code(), Some(1), "{}", text(&of_process.stderr));
    let moved = text(&of_process.stdout);
    assert!(moved.contains("Service mail/smtp: no node is left\n"), "{moved}");
    assert!(moved.contains("Service web/web: kube2, kube3 remain\n"), "{moved}");
    assert_eq!(text(&drained(&from).stdout), moved);

    let bird = ["router-config", "--for", "bird"];
    let from = ["--from", manifests.path().to_str().unwrap()].map(str::to_owned);
    let from = from.each_ref().map(String::as_str);
    assert_eq!(ask(&url, &bird), ask(&url, &[&bird[..], &from].concat()));

    let new = Manifests::reference();
    for file in ["config.yaml", "endpoints.yaml", "nodes.yaml", "services.yaml"] {
        new.write(file, &manifests.read(file));
    }
    let path = new.path();
    let diff = ["diff", path.to_str().unwrap()];
    assert_eq!(ask(&url, &diff), "no changes\n");
    new.replace("endpoints.yaml", "nodeName: kube1\n", "nodeName: kube2\n");
    let changes = ask(&url, &diff);
    assert!(changes.contains("- 172.22.35.70/32 -> "), "{changes}");
    let of_recording = ["diff", path.to_str().unwrap(), "--from", recording.to_str().unwrap()];
    assert_eq!(ask(&url, &of_recording), "no changes\n", "only the configuration is taken");

    // A configuration file is combined with the objects of the process.
    let config = path.join("config.yaml");
    let diff = ["diff", config.to_str().unwrap()];
    assert_eq!(ask(&url, &diff), "no changes\n");
    new.replace("config.yaml", "my-asn: 64636", "my-asn: 64700");
    let changes = ask(&url, &diff);
    assert!(changes.contains("resets because of myASN"), "{changes}");
    assert!(!changes.contains("Service "), "no address is another: {changes}");

    assert!(get(&url, "/livez").ends_with("\r\n\r\nok\n"));
    assert!(get(&url, "/readyz").ends_with("\r\n\r\nok\n"));
    let metrics = get(&url, "/metrics");
    let up = metrics.lines().find(|line| line.starts_with("metallb_bgp_session_up{")).unwrap();
    assert!(up.contains(&router.address().to_string()) && up.contains("} 1"), "{up}");
}

#[test]
fn explain_gives_the_reason_for_a_session_that_is_down_and_the_result_of_a_probe() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    manifests.replace("config.yaml", "my-asn: 64636", "my-asn: 64700");
    let pool = "- name: default\n      protocol: bgp\n";
    manifests.replace("config.yaml", pool, &format!("{pool}      allow-health: true\n"));
    let (_process, url) = start(&manifests);
    let explain = ["explain", "mail/smtp", "--node", "kube1"];
    wait_until("the reason", || get(&url, "/objects").contains("bad peer AS"));
    let explained = ask(&url, &explain);
    let expected = format!("FAIL  the session with {} is not up: ", router.address());
    let line = explained.lines().find(|line| line.contains(&expected));
    assert!(line.is_some_and(|line| line.contains("bad peer AS")), "{explained}");

    // No process listens at port 1.
    let known = "    metallb.universe.tf/address-pool: default\n";
    let probe =
        format!("{known}    ferrolb.io/probe: tcp:1\n    ferrolb.io/probe-interval: 100ms\n");
    manifests.replace("services.yaml", known, &probe);
    manifests.replace("endpoints.yaml", "10.244.2.15", "127.22.35.80");
    wait_until("the finding", || get(&url, "/objects").contains("\"found\":\"down\""));
    let output = ferrolb(&[&explain[..], &["--url", &url]].concat()).output().unwrap();
    let explained = text(&output.stdout);
    let line = explained.lines().find(|line| line.trim_start().starts_with("endpoints"));
    assert!(
        line.is_some_and(|line| line.contains("FAIL") && line.contains("refused")),
        "{explained}"
    );
}

#[test]
fn the_served_objects_are_in_force_and_contain_no_password() {
    let router = Router::start();
    let manifests = manifests_for(&router);
    manifests.replace(
        "config.yaml",
        "hold-time: 30s\n",
        "hold-time: 30s\n      password: sesame\n",
    );
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: other, namespace: metallb-system}\n\
                  stringData: {password: sesame}\n";
    manifests.write("secret.yaml", secret);
    let (process, url) = start(&manifests);
    let objects = get(&url, "/objects");
    assert!(!objects.contains("sesame") && !objects.contains("Secret"), "{objects}");
    assert!(objects.contains("172.22.35.70"), "what Services hold is told: {objects}");
    let path = manifests.path();
    assert_eq!(ask(&url, &["diff", path.to_str().unwrap()]), "no changes\n");
    let arguments = ["router-config", "--for", "frr", "--with-passwords", "--url", &url];
    let output = ferrolb(&arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("a process does not reveal passwords"));
    let router_side = ask(&url, &["router-config", "--for", "frr"]);
    assert!(router_side.contains(" password PASSWORD\n"), "{router_side}");

    manifests.replace("config.yaml", "my-asn: 64636", "my-asn: none");
    process.error(|line| line.contains("the last valid configuration stays in force"));
    let stale = get(&url, "/metrics");
    assert!(
        stale.lines().any(|line| line.starts_with("metallb_k8s_client_config_stale_bool")
            && line.ends_with(" 1.0")),
        "{stale}"
    );
    assert!(!get(&url, "/objects").contains("my-asn: none"));
}

#[test]
fn an_unreachable_process_is_reported_with_its_url() {
    let nobody = ReservedPort::of(Ipv4Addr::LOCALHOST.into());
    let url = format!("http://{}", nobody.address());
    for command in
        [&["explain", "mail/smtp"][..], &["diff", "x"], &["router-config", "--for", "eos"]]
    {
        let output = ferrolb(&[command, &["--url", &url]].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let stderr = text(&output.stderr);
        assert!(stderr.contains(&format!("no response from {url}: ")), "{stderr}");
    }
    let output = ferrolb(&["explain", "a", "--url", "https://kube1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--url https://kube1: expected http://ADDRESS:PORT"));
}
