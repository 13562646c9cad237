//! The summary of `ferrolb explain`, the nodes that it shows together, and its exit codes.

use serde_json::Value;

use crate::world::{Manifests, explained, ferrolb, text};

/// The output about a Service of these manifests, and the exit code.
fn explain(manifests: &Manifests, arguments: &[&str]) -> (String, Option<i32>) {
    let from = manifests.path();
    let from = ["--from", from.to_str().unwrap()];
    let output = ferrolb(&[&["explain"], arguments, &from].concat()).output().unwrap();
    (explained(&output), output.status.code())
}

#[test]
fn nodes_that_all_announce_are_one_group_without_the_gates_that_passed() {
    let manifests = Manifests::reference();
    let expected = "Service web/web: 172.22.35.64 of pool \"default\"\n\
                    announced by 3 of 3 nodes to 1 router\n\
                    \n\
                    kube1, kube2, kube3: announced\n  \
                      to 172.22.35.1:179\n    \
                        session       -     unknown\n    \
                        sent          ok    172.22.35.64/32\n";
    assert_eq!(explain(&manifests, &["web/web"]), (expected.to_owned(), Some(0)));

    // The own addresses of nodes as next hops do not make them different.
    manifests.replace("config.yaml", "my-asn: 64636", "my-asn: 64636\n      next-hop: node");
    let expected = expected.replace(".64/32\n", ".64/32 through an address of the node\n");
    assert_eq!(explain(&manifests, &["web/web"]), (expected, Some(0)));

    let (every, _) = explain(&manifests, &["web/web", "--all"]);
    for node in ["kube1", "kube2", "kube3"] {
        let gates = format!("\n{node}: announced\n  type          ok    LoadBalancer\n");
        assert!(every.contains(&gates), "{every}");
    }
    assert!(every.contains("172.22.35.64/32 through 172.22.35.26\n"), "{every}");
}

#[test]
fn a_reason_that_all_nodes_have_is_in_the_summary_and_the_exit_code_is_1() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "172.22.35.64/26", "172.22.36.0/26");
    let (text, code) = explain(&manifests, &["mail/smtp"]);
    assert_eq!(code, Some(1));
    let line = text.lines().nth(1).unwrap();
    let reason = line.strip_prefix("not announced: ").unwrap();
    assert!(reason.contains("172.22.35.70"), "{text}");
    let failed =
        format!("\n\nkube1, kube2, kube3: not announced\n  address       FAIL  {reason}\n");
    assert!(text.contains(&failed), "{text}");
    assert!(!text.contains(" ok "), "{text}");

    let (document, code) = explain(&manifests, &["mail/smtp", "-o", "json"]);
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!((document["announced"].as_bool(), code), (Some(false), Some(1)));
    assert_eq!(document["summary"], line);
    assert_eq!(document["nodes"].as_array().unwrap().len(), 3);
}

#[test]
fn the_exit_code_for_one_node_is_about_this_node_and_its_gates_are_all_shown() {
    let manifests = Manifests::reference();
    let (text, code) = explain(&manifests, &["mail/smtp", "--node", "kube1"]);
    assert_eq!(code, Some(1));
    let reason = "not announced: externalTrafficPolicy is Local and no ready endpoint is on kube1, \
                  only on kube2\n\nkube1: not announced\n  type          ok    LoadBalancer\n";
    assert!(text.contains(reason), "{text}");

    let (text, code) = explain(&manifests, &["mail/smtp", "--node", "kube2"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("\nannounced by 1 of 1 node to 1 router\n"), "{text}");
}

#[test]
fn different_reasons_are_shown_for_each_group_of_nodes() {
    let manifests = Manifests::reference();
    manifests.replace(
        "nodes.yaml",
        "    kubernetes.io/hostname: kube2\n",
        "    kubernetes.io/hostname: kube2\n    node.kubernetes.io/exclude-from-external-load-balancers: \"\"\n",
    );
    let (text, code) = explain(&manifests, &["mail/smtp"]);
    assert_eq!(code, Some(1));
    let summary = "not announced: the reasons differ between 3 nodes\n";
    assert!(text.lines().nth(1).is_some_and(|line| format!("{line}\n") == summary), "{text}");
    for part in ["\nkube1, kube3: not announced\n", "\nkube2: not announced\n"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(text.contains("  node          FAIL  kube2 has the label"), "{text}");
}

#[test]
fn errors_of_use_and_input_have_the_exit_code_2() {
    let from = Manifests::reference().path();
    let from = from.to_str().unwrap();
    for arguments in [
        &["explain", "mail/none", "--from", from][..],
        &["explain", "mail/smtp", "--from", "/nonexistent"],
        &["explain", "mail/smtp", "--from", from, "--node", "kube9"],
        &["explain"],
    ] {
        let output = ferrolb(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
