//! `ferrolb support-bundle`: complete, bounded, and without secrets.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::answers::{Answers, response};
use crate::ask::start;
use crate::world::{Manifests, around_a_shop, ferrolb, text, wait_until};

/// The files of an archive by their names below its directory.
fn files(octets: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(GzDecoder::new(octets));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let (root, name) = path.split_once('/').unwrap();
        assert!(root.starts_with("ferrolb-"), "{path}");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert!(files.insert(name.to_owned(), content).is_none(), "{path} is there twice");
    }
    files
}

fn document(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    let content = files.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", files.keys()));
    serde_json::from_slice(content).unwrap()
}

fn lines(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<Value> {
    let content = files.get(name).unwrap_or_else(|| panic!("{name} is not in {:?}", files.keys()));
    text(content).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const PLANTED: &str = "planted-hunter2";
/// The same in base64.
const ENCODED: &str = "cGxhbnRlZC1odW50ZXIy";

/// A Service that a node announces to two peers, both with a password.
fn with_passwords() -> Manifests {
    let peer = "peerAddress: 127.22.35.1, peerPort: 1, passwordSecret: {name: tor}";
    let around = around_a_shop("{type: InternalIP, address: 127.22.35.25}", peer, "");
    Manifests::of(&format!(
        r#"{around}---
apiVersion: v1
kind: Secret
type: kubernetes.io/basic-auth
metadata: {{name: tor, namespace: metallb-system}}
data: {{password: {ENCODED}}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata:
  name: spine
  namespace: metallb-system
  annotations: {{kubectl.kubernetes.io/last-applied-configuration: '{{"spec": {{"password": "{PLANTED}"}}}}'}}
spec: {{myASN: 64636, peerASN: 64635, peerAddress: 127.22.35.2, peerPort: 1, password: {PLANTED}}}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: both, namespace: metallb-system}}
spec: {{addresses: [192.0.2.16/28]}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: web, annotations: {{vendor.example/login: {PLANTED}}}}}
spec:
  type: LoadBalancer
  clusterIP: 10.96.7.1
  selector: {{app: shop}}
  ports: [{{port: 443}}]
"#
    ))
}

#[test]
fn a_bundle_has_every_answer_and_no_password() {
    let manifests = with_passwords();
    let (process, url) = start(&manifests);
    // The session cannot come up; its problems and routes are there all the same.
    process.error(|line| line.contains("no session"));

    let path = manifests.beside("kube1.tar.gz");
    let path = path.to_str().unwrap();
    let arguments = ["support-bundle", "--url", &url, "--output", path];
    let mut bundle = BTreeMap::new();
    wait_until("the route of the Service", || {
        let _ = fs::remove_file(path);
        let output = ferrolb(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), format!("{path}\n"));
        assert_eq!(text(&output.stderr), "");
        bundle = files(&fs::read(path).unwrap());
        !lines(&bundle, "routes/kube1/rack.jsonl").is_empty()
    });
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);

    assert_eq!(document(&bundle, "status.json")["node"], "kube1");
    assert_eq!(document(&bundle, "nodes.json")["nodes"][0]["name"], "kube1");
    assert_eq!(document(&bundle, "peers.json")["peers"].as_array().unwrap().len(), 2);
    assert!(document(&bundle, "peers/kube1/spine.json")["detail"].is_object());
    for peer in ["rack", "spine"] {
        let routes = lines(&bundle, &format!("routes/kube1/{peer}.jsonl"));
        assert_eq!(routes[0]["prefix"], "192.0.2.16/32", "{routes:?}");
    }
    assert_eq!(lines(&bundle, "services.jsonl")[0]["name"], "shop");
    assert_eq!(document(&bundle, "explanations/web/shop.json")["announced"], false);
    assert_eq!(lines(&bundle, "pools/both.jsonl")[0]["services"][0], "web/shop");
    assert!(document(&bundle, "events.json")["events"].is_array());
    assert!(document(&bundle, "bfd.json").is_object());
    assert!(text(&bundle["metrics.txt"]).contains("metallb_bgp_session_up"));
    assert!(text(&bundle["host.txt"]).contains("== /proc/sys/kernel/osrelease\n"));
    assert!(text(&bundle["README.txt"]).contains("kubectl -n ferrolb-system logs"));
    assert!(!bundle.contains_key("errors.txt"), "{}", text(&bundle["errors.txt"]));

    // The objects are complete enough for the commands that read a recording.
    let objects = manifests.beside("objects.jsonl");
    fs::write(&objects, &bundle["objects.jsonl"]).unwrap();
    assert!(text(&bundle["objects.jsonl"]).contains("PASSWORD"), "that there is one stays");
    let from = objects.to_str().unwrap();
    let explained = ferrolb(&["explain", "web/shop", "--from", from]).output().unwrap();
    assert!(text(&explained.stdout).contains("192.0.2.16"), "{}", text(&explained.stderr));

    for (name, content) in &bundle {
        let content = String::from_utf8_lossy(content);
        assert!(!content.contains(PLANTED) && !content.contains(ENCODED), "{name}: {content}");
    }

    let again = ferrolb(&arguments).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "a file is not overwritten");
    assert!(text(&again.stderr).contains(&format!("--output {path}: ")), "{}", text(&again.stderr));
}

/// Returns the files of a bundle that went to stdout.
fn on_stdout(output: &Output) -> BTreeMap<String, Vec<u8>> {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    files(&output.stdout)
}

#[test]
fn answers_that_fail_are_noted_in_the_bundle() {
    let answers = Answers::with(|path| match path {
        "/v1/peers" => {
            let peers = json!({"peers": [{"node": "kube1", "name": "tor1"}]});
            response("200 OK", &peers.to_string())
        }
        "/v1/nodes" => response("200 OK", "<h1>no JSON</h1>"),
        "/objects" => response("200 OK", "{\"sync\":true}\npassword: hunter2\n"),
        _ => response("503 Service Unavailable", "{\"error\":\"the main loop does not respond\"}"),
    });
    let output = answers.ask(&["support-bundle", "--output", "-"]);
    let bundle = on_stdout(&output);
    let warning = "answers are missing: errors.txt in the archive has the reasons";
    assert!(text(&output.stderr).contains(warning), "{}", text(&output.stderr));

    let errors = text(&bundle["errors.txt"]);
    for expected in [
        "/v1/status: the main loop does not respond\n",
        "/v1/nodes: expected value",
        "/v1/peers/tor1?node=kube1: the main loop does not respond\n",
        "/v1/peers/tor1/routes?limit=1000&node=kube1: the main loop does not respond\n",
        "/metrics: the main loop does not respond\n",
        "/objects: a line is left out: ",
    ] {
        assert!(errors.contains(expected), "{expected}: {errors}");
    }
    assert_eq!(lines(&bundle, "objects.jsonl"), [json!({"sync": true})]);
    // The test itself is the process behind the socket.
    assert!(text(&bundle["process.txt"]).contains("Max open files"));

    let missing = answers.socket().with_file_name("kube2.sock");
    let arguments = ["support-bundle", "--output", "-", "--socket", missing.to_str().unwrap()];
    let bundle = on_stdout(&ferrolb(&arguments).output().unwrap());
    assert!(text(&bundle["errors.txt"]).contains("/v1/status: no response from "));
    assert!(bundle.contains_key("host.txt"));
}

#[test]
fn long_lists_are_cut_and_the_bundle_says_so() {
    let answers = Answers::with(|path| match path {
        "/v1/peers" => {
            let peer = json!({"node": "kube1", "name": "tor1", "prefixes": {"planned": 25_000}});
            response("200 OK", &json!({"peers": [peer]}).to_string())
        }
        _ if path.starts_with("/v1/peers/tor1/routes") => {
            let from = path.split("from=").nth(1).unwrap_or("0").parse::<u32>().unwrap();
            let routes: Vec<_> = (from..from + 1_000).map(|it| json!({"prefix": it})).collect();
            let next = (from < 24_000).then(|| (from + 1_000).to_string());
            response("200 OK", &json!({"routes": routes, "next": next}).to_string())
        }
        "/v1/log" => {
            let log = json!({"lines": ["session up", "session down"], "dropped": 3});
            response("200 OK", &log.to_string())
        }
        _ => response("200 OK", "{}"),
    });
    let bundle = on_stdout(&answers.ask(&["support-bundle", "--output", "-"]));
    let routes = lines(&bundle, "routes/kube1/tor1.jsonl");
    assert_eq!((routes.len(), &routes[9_999]), (10_000, &json!({"prefix": 9_999})));
    let readme = text(&bundle["README.txt"]);
    assert!(readme.contains("  routes of tor1 on kube1: the first 10000 of 25000\n"), "{readme}");
    assert!(readme.contains("  log.txt: the last 2 lines\n"), "{readme}");
    assert_eq!(text(&bundle["log.txt"]), "session up\nsession down\n");
}
