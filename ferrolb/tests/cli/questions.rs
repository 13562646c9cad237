//! The output of `ferrolb replay`, `explain` and `diff`, from files and from recordings.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::world::{Manifests, ferrolb, reference, text};

const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../lb-adapter/tests/replay/reference.jsonl");

fn run(arguments: &[&str]) -> Output {
    ferrolb(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_recording_on_stdin_is_answered_line_by_line() {
    let mut command = ferrolb(&["replay"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let recording = std::fs::read(RECORDING).unwrap();
    child.stdin.take().unwrap().write_all(&recording).unwrap();
    let output = child.wait_with_output().unwrap();
    let answers: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), text(&recording).lines().count());
    let expected = std::fs::read_to_string(RECORDING.replace(".jsonl", ".expected.jsonl")).unwrap();
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(run(&["replay", "/nonexistent/recording"]).status.code(), Some(2));
}

#[test]
fn explain_names_the_first_failed_gate_on_each_node_and_how_to_fix_it() {
    let from = reference();
    let explained = printed(&["explain", "mail/smtp", "--from", from.to_str().unwrap()]);
    let heading = "Service mail/smtp: 172.22.35.70 of pool \"default\"\n\
                   announced by 1 of 3 nodes to 1 router\n\
                   \nkube1, kube3: not announced\n  type          ok    LoadBalancer\n";
    assert!(explained.starts_with(heading), "{explained}");
    let failed = "  endpoints     FAIL  externalTrafficPolicy is Local and no ready endpoint is on \
                  the node, only on kube2\n                      to fix it: run a pod on the node, or \
                  set externalTrafficPolicy to Cluster\n  dataplane     -\n  drain         -\n";
    assert!(explained.contains(failed), "{explained}");
    assert!(explained.contains("\nkube2: announced\n"), "{explained}");
    assert!(explained.contains("    sent          ok    172.22.35.70/32\n"), "{explained}");

    let document = printed(&[
        "explain",
        "mail/smtp",
        "--from",
        from.to_str().unwrap(),
        "-o",
        "json",
        "--node",
        "kube2",
    ]);
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(document["nodes"][0]["peers"][0]["routes"][0], "172.22.35.70/32");

    let gates: Vec<_> = document["nodes"][0]["gates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gate| gate["gate"].as_str().unwrap())
        .collect();
    assert_eq!(
        gates,
        [
            "type",
            "class",
            "sync",
            "config",
            "pool",
            "address",
            "node",
            "peer",
            "advertisement",
            "endpoints",
            "dataplane",
            "drain",
            "policy",
        ]
    );
}

#[test]
fn explain_reads_a_recording_with_the_states_of_its_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let recording = directory.path().join("recording.jsonl");
    let mut steps: Vec<String> =
        std::fs::read_to_string(RECORDING).unwrap().lines().take(11).map(str::to_owned).collect();
    steps.push(
        r#"{"session": {"node": "kube1", "peer": "172.22.35.1:179", "up": false}}"#.to_owned(),
    );
    std::fs::write(&recording, steps.join("\n")).unwrap();

    let from = recording.to_str().unwrap();
    let explained = printed(&["explain", "web/web", "--from", from]);
    assert!(
        explained.contains("    session       FAIL  the session with 172.22.35.1 is not up"),
        "{explained}"
    );
    assert!(explained.contains("    session       -     unknown"), "{explained}");

    let output = run(&["explain", "web", "--from", from]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("there is no Service default/web, only web/web"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn diff_prints_routes_addresses_and_sessions() {
    let (old, new) = (Manifests::reference(), Manifests::reference());
    let paths = [old.path(), new.path()].map(|path| path.to_str().unwrap().to_owned());
    let diff = || printed(&["diff", &paths[0], &paths[1]]);
    assert_eq!(diff(), "no changes\n");

    new.replace("endpoints.yaml", "nodeName: kube2\n", "nodeName: kube1\n");
    assert!(diff().contains("- 172.22.35.70/32 -> 172.22.35.1 (kube2)\n"), "{}", diff());
    assert!(diff().contains("+ 172.22.35.70/32 -> 172.22.35.1 (kube1)\n"), "{}", diff());
    assert!(diff().ends_with("session resets: none\n"), "{}", diff());

    new.replace("config.yaml", "172.22.35.64/26", "172.22.36.0/26");
    new.replace("services.yaml", "  loadBalancerIP: 172.22.35.70\n", "");
    assert!(diff().contains("Service mail/smtp: 172.22.35.70 -> 172.22.36.0\n"), "{}", diff());

    // A change that an established session applies in place.
    new.replace(
        "config.yaml",
        "peer-asn: 64635",
        "hold-time: 30s\n      next-hop: session\n      bfd-profile: fast\n      peer-asn: 64635",
    );
    new.replace(
        "config.yaml",
        "    address-pools:",
        "    bfd-profiles: [{name: fast}]\n    address-pools:",
    );
    assert!(diff().ends_with("session resets: none\n"), "{}", diff());

    new.replace("config.yaml", "peer-asn: 64635", "peer-asn: 64700");
    let reset = "session kube3 with 172.22.35.1: resets because of peerASN\n";
    assert!(diff().contains(reset), "{}", diff());
}

#[test]
fn router_config_names_the_peers_that_it_omits() {
    let manifests = Manifests::reference();
    let unnumbered = "peers:\n    - {interface: eth1, dynamic-asn: external, my-asn: 64636}\n";
    manifests.replace("config.yaml", "peers:\n", unnumbered);
    let path = manifests.path();
    let output = run(&["router-config", "--for", "eos", "--from", path.to_str().unwrap()]);
    let (printed, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(printed.contains("neighbor 172.22.35.25 remote-as 64636"), "{printed}");
    let expected = "ferrolb: warning: nothing is printed for peer eth1:179: the router's configuration must name an interface of the router\n";
    assert_eq!(stderr, expected);
}

#[test]
fn diff_of_two_configurations_takes_other_objects_from_a_third_input() {
    let (old, new) = (Manifests::reference(), Manifests::reference());
    new.replace("config.yaml", "172.22.35.64/26", "172.22.35.70/32");
    let configs = [old.path(), new.path()].map(|path| path.join("config.yaml"));
    let [a, b] = configs.each_ref().map(|path| path.to_str().unwrap());
    for from in [reference().to_str().unwrap(), RECORDING] {
        let document = printed(&["diff", a, b, "--from", from, "-o", "json"]);
        let document: Value = serde_json::from_str(&document).unwrap();
        let moved: Vec<_> = document
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["change"] == "address")
            .map(|row| row["service"].as_str().unwrap())
            .collect();
        assert_eq!(moved, ["web/web"], "{document}");
    }
    new.replace("config.yaml", "my-asn: 64636", "my-asn: none");
    assert_eq!(run(&["diff", a, b, "--from", RECORDING]).status.code(), Some(1));
}

#[cfg(feature = "kubernetes")]
#[test]
fn options_of_a_cluster_are_an_error_beside_files() {
    for arguments in [
        &["explain", "a", "--from", "x", "--cluster"][..],
        &["explain", "a", "--from", "x", "--kubeconfig", "f"],
        &["router-config", "--for", "bird", "--from", "x", "--cluster"],
        &["diff", "old", "new", "--cluster"],
        &["diff", "old", "new", "--kubeconfig", "f"],
        &["diff", "new", "--from", "x", "--kubeconfig", "f"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let stderr = text(&output.stderr);
        assert!(stderr.contains("cannot be used with"), "{arguments:?}: {stderr}");
    }
}
