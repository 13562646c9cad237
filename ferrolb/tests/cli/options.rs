//! The options of every command that reads a configuration: the location of the configuration, and the Services and nodes
//! that count. `-` stands for stdin wherever a command takes a file.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::world::{Process, explained, ferrolb, text};

/// A cluster with unusual names: the ConfigMap is named after a Helm release and is in the namespace
/// `edge`, the Service has a class, and the only Node is excluded from load balancing.
fn unusual() -> String {
    let config_map = "apiVersion: v1
kind: ConfigMap
metadata: {name: lb-release, namespace: edge}
data:
  config: |
    peers: [{my-asn: 64801, peer-asn: 64802, peer-address: 10.3.0.1}]
    address-pools: [{name: p, protocol: bgp, addresses: [10.3.9.0/30]}]
---
";
    config_map.to_owned() + OBJECTS
}

/// The same cluster with resources instead of the ConfigMap.
fn unusual_resources() -> String {
    "apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: r, namespace: edge}
spec: {myASN: 64801, peerASN: 64802, peerAddress: 10.3.0.1}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p, namespace: edge}
spec: {addresses: [10.3.9.0/30]}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: edge}
---
"
    .to_owned()
        + OBJECTS
}

const OBJECTS: &str = r#"apiVersion: v1
kind: Node
metadata: {name: edge1, labels: {node.kubernetes.io/exclude-from-external-load-balancers: ""}}
status: {addresses: [{type: InternalIP, address: 10.3.0.11}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, loadBalancerClass: edge.example/lb, ports: [{port: 80}], selector: {app: web}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 80}]
endpoints: [{addresses: [10.244.3.5], nodeName: edge1, conditions: {ready: true}}]
"#;

const PREFIX: &str = "10.3.9.0/32";
const PLACE: [&str; 4] = ["--namespace", "edge", "--config", "lb-release"];
const ALL: [&str; 7] = [
    "--namespace",
    "edge",
    "--config",
    "lb-release",
    "--lb-class",
    "edge.example/lb",
    "--ignore-exclude-lb",
];

/// Runs the binary to its end with this text on stdin.
fn run(arguments: &[&str], stdin: &str) -> Output {
    let mut command = ferrolb(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read stdin may have exited already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

fn printed(arguments: &[&str], stdin: &str) -> String {
    let output = run(arguments, stdin);
    if arguments[0] == "explain" {
        return explained(&output);
    }
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The objects as a recording.
fn recording(manifests: &str) -> String {
    let documents = manifests.split("---\n").map(|document| {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        format!("{}\n", json!({ "apply": object }))
    });
    documents.collect()
}

#[test]
fn commands_that_read_a_configuration_have_the_same_options() {
    for objects in [unusual(), unusual_resources()] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("all.yaml");
        std::fs::write(&file, &objects).unwrap();
        let file = file.to_str().unwrap();

        let lab = ["lab", file, "--once", "--port", "0"];
        assert!(printed(&[&lab[..], &ALL].concat(), "").contains(PREFIX));
        let explain = ["explain", "shop/web", "--from", file];
        assert!(printed(&[&explain[..], &ALL].concat(), "").contains("edge1: announced\n"));

        let empty = directory.path().join("empty.yaml");
        std::fs::write(&empty, objects.replace("10.3.9.0/30", "10.3.8.0/30")).unwrap();
        let diff = ["diff", empty.to_str().unwrap(), file];
        let changed = printed(&[&diff[..], &ALL].concat(), "");
        assert!(changed.contains(&format!("+ {PREFIX} -> ")), "{changed}");

        let replayed = printed(&[&["replay"][..], &ALL].concat(), &recording(&objects));
        let last: Value = serde_json::from_str(replayed.lines().last().unwrap()).unwrap();
        assert_eq!(last["routes"][0]["prefix"], PREFIX, "{last}");

        let router = ["router-config", "--for", "bird", "--from", file];
        assert!(printed(&[&router[..], &ALL].concat(), "").contains("10.3.9.0/30"));

        let check = ["check", file];
        let checked = printed(&[&check[..], &ALL].concat(), "");
        assert!(checked.contains("1 peer, 1 pool, 1 advertisement"), "{checked}");

        // Without the location of the configuration, each command fails.
        for command in [&lab[..], &explain, &diff, &router] {
            let output = run(command, "");
            assert!(!output.status.success(), "{command:?}");
        }
    }
}

#[test]
fn run_announces_for_an_excluded_node_and_serves_its_objects_under_the_default_name() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("all.yaml");
    // No router answers at this address, and the test connects to no other machine.
    std::fs::write(&file, unusual().replace("10.3.0.1}", "127.3.0.1}")).unwrap();
    let state = directory.path().join("state.json");
    let run = ["run", file.to_str().unwrap(), "--node", "edge1", "--http", "127.0.0.1:0"];
    let mut command = ferrolb(&run);
    command.arg("--state-file").arg(&state).args(ALL).args(["--log-format", "json"]);
    let process = Process::start(command);
    let line = process.error(|line| line.contains("serving health checks"));
    let line: Value = serde_json::from_str(&line).unwrap();
    process.error(|line| line.contains("speaking"));

    let url = format!("http://{}", line["address"].as_str().unwrap());
    let asked = [
        "explain",
        "shop/web",
        "--url",
        &url,
        "--namespace",
        "edge",
        "--lb-class",
        "edge.example/lb",
        "--ignore-exclude-lb",
    ];
    // --config makes no difference: a process has one configuration.
    for more in [&[][..], &["--config", "lb-release"]] {
        let explained = printed(&[&asked, more].concat(), "");
        assert!(explained.contains("address       ok    10.3.9.0\n"), "{explained}");
    }
    let router = ["router-config", "--for", "frr", "--url", &url, "--namespace", "edge"];
    assert!(printed(&router, "").contains("10.3.9.0/30"));
}

#[test]
fn the_hint_about_a_config_map_with_another_name_gives_the_option_that_reads_it() {
    let objects = unusual();
    for command in [&["check", "-"][..], &["explain", "shop/web", "--from", "-"]] {
        let output = run(command, &objects);
        let all_output = text(&output.stdout) + &text(&output.stderr);
        assert!(all_output.contains("use --namespace edge --config lb-release"), "{all_output}");
        let output = run(&[command, &ALL].concat(), &objects);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let output = run(&["check", "-", "--config", ""], &objects);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn manifests_and_recordings_can_be_read_from_stdin_instead_of_a_file() {
    let objects = unusual();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("all.yaml");
    std::fs::write(&file, &objects).unwrap();
    let file = file.to_str().unwrap();

    for stdin in [objects.clone(), recording(&objects)] {
        for command in [
            &["explain", "shop/web", "--from", "-"][..],
            &["diff", "-", file],
            &["diff", file, "-"],
            &["diff", file, file, "--from", "-"],
            &["diff", file, "--from", "-"],
            &["router-config", "--for", "eos", "--from", "-"],
        ] {
            let stdout = printed(&[command, &ALL].concat(), &stdin);
            if command[0] == "diff" {
                assert_eq!(stdout, "no changes\n", "{command:?}");
            }
        }
    }
    for command in [&["check", "-"][..], &["migrate", "-"], &["lab", "-", "--port", "0"]] {
        let options = if command[0] == "migrate" { &PLACE[..] } else { &ALL };
        printed(&[command, options].concat(), &objects);
    }

    let output = run(&[&["diff", "-", "-"], &ALL[..]].concat(), &objects);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("stdin can be read only once"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn migrate_reads_the_only_config_map_with_a_configuration_whatever_its_name() {
    let root = "apiVersion: v1
kind: ConfigMap
metadata: {name: kube-root-ca.crt, namespace: edge}
data: {ca.crt: x}
---
";
    let migrated =
        printed(&["migrate", "-", "--namespace", "edge"], &(root.to_owned() + &unusual()));
    assert!(migrated.contains("namespace: edge") && migrated.contains("10.3.9.0/30"), "{migrated}");

    let two = unusual() + "---\n" + &unusual().replace("lb-release", "other").replace(OBJECTS, "");
    let output = run(&["migrate", "-", "--namespace", "edge"], &two);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("another ConfigMap") && stderr.contains("--config"), "{stderr}");
    printed(&["migrate", "-", "--namespace", "edge", "--config", "other"], &two);
}

#[test]
fn migrate_keeps_the_name_of_a_secret_that_is_in_the_cluster() {
    let text_of_one = unusual().replace("10.3.0.1}", "10.3.0.1, password-secret: r-md5}");
    let output = run(&["migrate", "-", "--namespace", "edge"], &text_of_one);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("warning") && stderr.contains("r-md5"), "{stderr}");
    let migrated = text(&output.stdout);
    assert!(migrated.contains("passwordSecret:\n    name: r-md5"), "{migrated}");
    assert!(!migrated.contains("kind: Secret"), "{migrated}");

    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/configmap/config.yaml");
    let migrated = printed(&["migrate", example], "");
    assert!(migrated.contains("passwordSecret:"), "{migrated}");
}

#[test]
fn router_config_names_omitted_nodes_and_fails_if_it_omits_all() {
    let objects = unusual();
    let bare = objects
        .replace("{type: InternalIP, address: 10.3.0.11}", "{type: Hostname, address: edge1}");
    let all = [
        "router-config",
        "--for",
        "frr",
        "--from",
        "-",
        "--namespace",
        "edge",
        "--config",
        "lb-release",
    ];
    let output = run(&all, &bare);
    assert_eq!(output.status.code(), Some(2));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("left out: edge1, which has no IPv4 address"), "{stderr}");
    assert!(
        stderr.contains("no Node can speak to a router") && output.stdout.is_empty(),
        "{stderr}"
    );

    let second = "---\napiVersion: v1\nkind: Node\nmetadata: {name: edge2}\n";
    let output = run(&all, &(objects + second));
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("left out: edge2, "), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("! Left out: edge2, "), "{}", text(&output.stdout));
}
