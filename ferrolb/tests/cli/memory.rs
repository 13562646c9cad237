//! The state that survives a restart, and the addresses that several hosts agree on.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::world::{Manifests, Process, ferrolb, lab, lab_document, text, wait_until};

/// A Service that is older than those of the example and requests no address.
pub(crate) const OLDER: &str = "apiVersion: v1
kind: Service
metadata: {namespace: web, name: older, creationTimestamp: \"2017-01-01T00:00:00Z\"}
spec:
  type: LoadBalancer
  selector: {app: older}
  ports: [{port: 81}]
";

fn address(document: &Value, name: &str) -> String {
    let services = document["services"].as_array().unwrap();
    let service = services.iter().find(|service| service["name"] == name).unwrap();
    service["addresses"][0].as_str().unwrap().to_owned()
}

#[test]
fn a_state_file_keeps_addresses_across_a_restart() {
    let manifests = Manifests::reference();
    let state = manifests.beside("state").join("lab.json");
    let arguments = ["--state-file", state.to_str().unwrap()];
    let first = lab_document(&manifests.path(), &arguments);
    assert_eq!(address(&first, "web"), "172.22.35.64");
    manifests.write("older.yaml", OLDER);
    let second = lab_document(&manifests.path(), &arguments);
    assert_eq!(address(&second, "web"), "172.22.35.64", "who holds an address keeps it");
    assert_eq!(address(&second, "older"), "172.22.35.65");
    let forgetful = lab_document(&manifests.path(), &[]);
    assert_eq!(address(&forgetful, "older"), "172.22.35.64", "otherwise the oldest is first");
}

#[test]
fn an_invalid_state_file_is_an_error_and_stays_unchanged() {
    let manifests = Manifests::reference();
    let state = manifests.beside("state.json");
    fs::write(&state, "{\"version\": 1, \"serv").unwrap();
    let output = lab(&manifests.path(), &["--once", "--state-file", state.to_str().unwrap()]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("state.json"), "{stderr}");
    assert_eq!(fs::read_to_string(&state).unwrap(), "{\"version\": 1, \"serv");
}

#[test]
fn an_unwritable_state_file_ends_the_lab() {
    let manifests = Manifests::reference();
    let state = manifests.path().join("config.yaml").join("state.json");
    let output = lab(&manifests.path(), &["--once", "--state-file", state.to_str().unwrap()]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("state file"), "{stderr}");
}

#[test]
fn a_service_holds_the_addresses_in_the_status_of_its_manifest() {
    let manifests = Manifests::reference();
    manifests.write("older.yaml", OLDER);
    let status = "status: {loadBalancer: {ingress: [{ip: 172.22.35.64}]}}\n---\n";
    let services = manifests.read("services.yaml");
    let (smtp, rest) = services.split_once("---\n").unwrap();
    let (web, public) = rest.split_once("---\n").unwrap();
    assert!(web.contains("name: web\n"), "{web}");
    manifests.write("services.yaml", &format!("{smtp}---\n{web}{status}{public}"));
    let document = lab_document(&manifests.path(), &[]);
    assert_eq!(address(&document, "web"), "172.22.35.64");
    assert_eq!(address(&document, "older"), "172.22.35.65");
}

#[test]
fn a_running_lab_keeps_addresses_in_memory() {
    let manifests = Manifests::reference();
    let lab = Process::lab(&manifests.path(), &["--output", "json"]);
    assert_eq!(address(&lab.document(), "web"), "172.22.35.64");
    manifests.write("older.yaml", OLDER);
    let document = lab.document();
    assert_eq!(address(&document, "web"), "172.22.35.64");
    assert_eq!(address(&document, "older"), "172.22.35.65");
}

#[test]
fn hosts_with_the_same_files_allocate_the_same_addresses() {
    let manifests = Manifests::reference();
    manifests.replace("nodes.yaml", "172.22.35.", "127.22.35.");
    // Addresses are allocated even without a router.
    manifests.replace("config.yaml", "172.22.35.1\n", "127.22.35.1\n      peer-port: 1\n");
    manifests.write("older.yaml", OLDER);
    let states = ["kube1", "kube2"].map(|node| {
        let state = manifests.beside(&format!("{node}.json"));
        let run = run(&manifests.path(), node, &state);
        wait_until("the state file", || state.exists());
        (run, state)
    });
    let [first, second] = states.each_ref().map(|(_, state)| fs::read_to_string(state).unwrap());
    assert_eq!(first, second);
    assert!(first.contains("172.22.35.64") && first.contains("\"older\""), "{first}");
}

fn run(dir: &Path, node: &str, state: &Path) -> Process {
    let [dir, state] = [dir, state].map(|path| path.to_str().unwrap());
    Process::start(ferrolb(&["run", dir, "--node", node, "--state-file", state]))
}
