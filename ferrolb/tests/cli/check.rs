//! `ferrolb check`: exit codes, locations, JSON output, and no password in any of it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::world::{Manifests, ferrolb, reference, text};

fn check(arguments: &[&str]) -> Output {
    let mut all = vec!["check"];
    all.extend(arguments);
    ferrolb(&all).output().unwrap()
}

fn check_file(name: &str, content: &str, arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(name);
    std::fs::write(&file, content).unwrap();
    let mut all = vec![file.to_str().unwrap()];
    all.extend(arguments);
    check(&all)
}

const GOOD: &str = "\
peers:
- {my-asn: 64636, peer-asn: 64635, peer-address: 172.22.35.1}
address-pools:
- {name: default, protocol: bgp, addresses: [172.22.35.64/26]}
";

#[test]
fn a_valid_configuration_exits_with_0() {
    let output = check_file("config.yaml", GOOD, &["--strict"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "1 peer, 1 pool, 1 advertisement: no problems\n");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn warnings_exit_with_0_and_with_1_if_strict() {
    let directory = reference();
    let directory = directory.to_str().unwrap();
    let output = check(&[directory]);
    assert_eq!(output.status.code(), Some(0));
    let stdout = text(&output.stdout);
    assert!(stdout.contains("config.yaml:27:20: warning: address-pools[0]"), "{stdout}");
    assert!(
        stdout.contains("    27 |         localpref: 100\n       |                    ^\n"),
        "{stdout}"
    );
    assert!(stdout.ends_with(": 2 warnings\n"), "{stdout}");
    assert_eq!(check(&[directory, "--strict"]).status.code(), Some(1));
}

#[test]
fn errors_of_all_files_are_reported_together_and_exit_with_1() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "localpref: 100", "localperf: 100");
    manifests.write("more.yaml", "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: a}\nspec: {addresses: [10.0.0.0/33]}\n");
    let output = check(&[manifests.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = text(&output.stdout);
    assert!(stdout.contains("localperf: unknown key, did you mean localpref?"), "{stdout}");
    assert!(
        stdout.contains("more.yaml:4:20: error: spec.addresses[0]: \"10.0.0.0/33\""),
        "{stdout}"
    );
    assert!(stdout.ends_with("3 errors, 1 warning\n"), "{stdout}");
}

#[test]
fn unreadable_input_exits_with_2() {
    let output = check(&["nowhere.yaml", "nor-here.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("nowhere.yaml: cannot be read") && stderr.contains("nor-here.yaml"),
        "{stderr}"
    );
    assert_eq!(check(&[]).status.code(), Some(2));
}

#[test]
fn json_has_every_part_of_a_problem() {
    let output =
        check_file("c.yaml", &GOOD.replace("protocol: bgp", "protocol: gbp"), &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((found["errors"].as_u64(), found["warnings"].as_u64()), (Some(1), Some(0)));
    let problem = &found["problems"][0];
    assert_eq!(problem["severity"], "error");
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(4), Some(29)));
    assert_eq!(problem["path"], "address-pools[0].protocol");
    assert_eq!(problem["message"], "expected bgp or layer2, found \"gbp\"");
    assert!(problem["file"].as_str().unwrap().ends_with("c.yaml"));
    assert!(problem["snippet"].as_str().unwrap().contains("protocol: gbp"));
}

#[test]
fn stdin_is_read_too() {
    let mut child =
        ferrolb(&["check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"peers: 1\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).starts_with("stdin:1:8: error: peers: expected a list, found 1\n")
    );
}

#[test]
fn no_error_shows_a_password() {
    let secret = "hunter2";
    let peer = |line: &str| {
        format!("peers:\n- {{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, {line}}}\n")
    };
    let kind = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: metallb-system}\n";
    let basic = format!("{kind}type: kubernetes.io/basic-auth\n");

    let resource = "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: a}\nspec: {myASN: 1, peerASN: 0, peerAddress: 10.0.0.1, passwordSecret: {name: s}, ";
    for content in [
        peer("password: [hunter2]"),
        peer("password: {hunter2: 1}"),
        peer("pasword: hunter2"),
        peer("password: hunter2, peer-prt: 1"),
        peer("password: *hunter2"),
        peer("password: !hunter2 x"),
        "peers:\n- password: \"hunter2\n".to_owned(),
        "peers:\n- password: a: hunter2\n".to_owned(),
        format!("{basic}stringData: {{password: hunter2, x: [}}\n"),
        format!("{basic}stringData: hunter2\n---\n{resource}}}\n"),
        format!(
            "{basic}stringData:\n  password: hunter2\n  password: hunter2\n---\n{resource}}}\n"
        ),
        format!("{basic}data: {{password: hunter2}}\n---\n{resource}}}\n"),
        format!("{resource}password: hunter2}}\n"),
        format!("{resource}paswordd: hunter2}}\n"),
    ] {
        for format in ["text", "json"] {
            let output = check_file("f.yaml", &content, &["--output", format]);
            assert_eq!(output.status.code(), Some(1), "{content}");
            let all_output = text(&output.stdout) + &text(&output.stderr);
            assert!(!all_output.contains(secret), "{content}\n{all_output}");
        }
    }
}

#[test]
fn every_example_is_accepted() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut checked = 0;
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            continue;
        }
        let output = check(&[path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", path.display(), text(&output.stdout));
        checked += 1;
    }
    assert!(checked >= 1);
}
