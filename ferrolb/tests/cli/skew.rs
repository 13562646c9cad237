//! Files that one version writes and another one reads. See `baseline` for the other version.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::ask::get;
use crate::baseline::binaries;
use crate::memory::OLDER;
use crate::run::{Router, manifests_for};
use crate::world::{Manifests, Process, ferrolb, text, wait_until};

/// A command with this binary, in the environment of all tests.
fn of(binary: &Path, arguments: &[&str]) -> Command {
    let usual = ferrolb(arguments);
    let mut command = Command::new(binary);
    command.args(arguments).stdin(std::process::Stdio::null());
    for (name, value) in usual.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// The address of a Service after a lab with this state file.
fn address(binary: &Path, manifests: &Manifests, state: &Path, service: &str) -> String {
    let (dir, state) = (manifests.path(), state.to_str().unwrap());
    let dir = dir.to_str().unwrap();
    let arguments = ["lab", dir, "--port", "0", "--once", "-o", "json", "--state-file", state];
    let output = of(binary, &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}: {}", binary.display(), text(&output.stderr));

    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut services = document["services"].as_array().unwrap().iter();
    let service = services.find(|it| it["name"] == service).unwrap();
    service["addresses"][0].as_str().unwrap().to_owned()
}

#[test]
fn skew_a_state_file_keeps_addresses_through_an_upgrade_and_a_downgrade() {
    let [current, baseline] = binaries();
    let manifests = Manifests::reference();
    let state = manifests.beside("state.json");
    assert_eq!(address(&baseline, &manifests, &state, "web"), "172.22.35.64");

    manifests.write("older.yaml", OLDER);
    for binary in [&current, &baseline, &current] {
        let what = binary.display();
        assert_eq!(address(binary, &manifests, &state, "web"), "172.22.35.64", "{what}");
        assert_eq!(address(binary, &manifests, &state, "older"), "172.22.35.65", "{what}");
    }
}

/// The recording of a process of this binary, with a session that is up.
fn recording(binary: &Path) -> String {
    let router = Router::start();
    let manifests = manifests_for(&router);
    let (dir, state) = (manifests.path(), manifests.beside("kube1.json"));
    let [dir, state] = [&dir, &state].map(|path| path.to_str().unwrap());
    let arguments = ["run", dir, "--node", "kube1", "--state-file", state, "--http", "127.0.0.1:0"];
    let process = Process::start(of(binary, &arguments));

    let line = process.error(|line| line.contains("serving health checks and metrics"));
    let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let url = format!("http://{address}");
    wait_until("the table", || router.has_all());
    wait_until("the session", || get(&url, "/objects").contains("\"up\":true"));
    get(&url, "/objects").split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn skew_each_version_reads_the_recordings_of_the_other() {
    let [current, baseline] = binaries();
    for (writer, reader) in [(&baseline, &current), (&current, &baseline)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("recording.jsonl");
        fs::write(&path, recording(writer)).unwrap();

        let path = path.to_str().unwrap();
        let arguments = ["explain", "mail/smtp", "--node", "kube1", "--from", path];
        let output = of(reader, &arguments).output().unwrap();
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{printed}{}", text(&output.stderr));
        assert!(printed.contains("    session       ok    Established\n"), "{printed}");
        assert!(printed.contains("    sent          ok    172.22.35.70/32\n"), "{printed}");
    }
}
