//! `ferrolb diff --drain`: what moves if a node leaves, from files and recordings.

use std::process::Output;

use serde_json::{Value, json};

use crate::world::{Manifests, ferrolb, reference, text};

const RECORDING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../lb-adapter/tests/replay/reference.jsonl");

fn drain(node: &str, from: &str, more: &[&str]) -> Output {
    ferrolb(&[&["diff", "--drain", node, "--from", from], more].concat()).output().unwrap()
}

#[test]
fn a_service_that_loses_its_last_node_is_named_and_sets_the_exit_code() {
    let from = reference();
    let from = from.to_str().unwrap();
    let output = drain("kube2", from, &[]);
    let expected = "- 172.22.35.64/32 -> 172.22.35.1 (kube2)\n\
                    - 172.22.35.70/32 -> 172.22.35.1 (kube2)\n\
                    - 200.1.154.64/32 -> 172.22.35.1 (kube2)\n\
                    Service mail/smtp: no node is left\n\
                    Service web/public-web: kube1, kube3 remain\n\
                    Service web/web: kube1, kube3 remain\n\
                    Services that lose their last node: mail/smtp\n";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));

    let output = drain("kube2", from, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let drained: Vec<_> =
        rows.as_array().unwrap().iter().filter(|row| row["change"] == "service-drained").collect();
    assert_eq!(rows[0]["change"], "withdrawn");
    assert_eq!(
        drained[..2],
        [
            &json!({"change": "service-drained", "service": "mail/smtp", "nodes": ["kube2"],
                "remaining": [], "lost": ["172.22.35.70"]}),
            &json!({"change": "service-drained", "service": "web/public-web", "nodes": ["kube2"],
                "remaining": ["kube1", "kube3"], "lost": []}),
        ]
    );
}

#[test]
fn a_drain_that_leaves_a_node_for_each_service_succeeds() {
    let from = reference();
    let output = drain("kube1", from.to_str().unwrap(), &[]);
    let expected = "- 172.22.35.64/32 -> 172.22.35.1 (kube1)\n\
                    - 200.1.154.64/32 -> 172.22.35.1 (kube1)\n\
                    Service web/public-web: kube2, kube3 remain\n\
                    Service web/web: kube2, kube3 remain\n\
                    Services that lose their last node: none\n";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_node_whose_session_is_down_does_not_remain() {
    let manifests = Manifests::reference();
    let recording = manifests.beside("recording.jsonl");
    let session = |node: &str| {
        json!({"session": {"node": node, "peer": "172.22.35.1:179", "up": false}}).to_string()
    };
    let steps = std::fs::read_to_string(RECORDING).unwrap();
    let mut steps: Vec<_> = steps.lines().take(11).map(str::to_owned).collect();
    steps.extend([session("kube2"), session("kube3")]);
    std::fs::write(&recording, steps.join("\n")).unwrap();
    let from = recording.to_str().unwrap();

    let output = drain("kube1", from, &[]);
    let moved = text(&output.stdout);
    assert!(moved.contains("\nService web/web: no node is left\n"), "{moved}");
    assert_eq!(output.status.code(), Some(1));

    // The router has no route of kube2 that a drain could take.
    let output = drain("kube2", from, &[]);
    let moved = text(&output.stdout);
    assert!(moved.contains("- 172.22.35.64/32 -> 172.22.35.1 (kube2)\n"), "{moved}");
    assert!(moved.ends_with("(kube2)\nServices that lose their last node: none\n"), "{moved}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_family_that_only_the_drained_node_announces_is_lost() {
    let manifests = Manifests::of(DUAL_STACK);
    let from = manifests.path();
    let from = from.to_str().unwrap();
    let output = drain("kube1", from, &[]);
    let moved = text(&output.stdout);
    let row = "Service web/shop: kube2 remains, but no node is left for 2001:db8:16::\n";
    assert!(moved.contains(row), "{moved}");
    assert_eq!(output.status.code(), Some(1));
    let output = drain("kube2", from, &[]);
    let moved = text(&output.stdout);
    assert!(moved.contains("Service web/shop: kube1 remains\n"), "{moved}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_unknown_node_and_other_uses_are_errors() {
    let from = reference();
    let from = from.to_str().unwrap();
    let output = drain("kube9", from, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "ferrolb: error: there is no Node kube9\n");

    for arguments in [&["diff"][..], &["diff", "--drain", "kube1", from], &["diff", "--from", from]]
    {
        let output = ferrolb(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: ferrolb diff"), "{arguments:?}");
    }
}

/// Two nodes, of which only kube1 has an IPv6 address.
const DUAL_STACK: &str = r#"apiVersion: v1
kind: Node
metadata: {name: kube1}
status: {addresses: [{type: InternalIP, address: 172.22.35.25}, {type: InternalIP, address: "fd00:35::25"}]}
---
apiVersion: v1
kind: Node
metadata: {name: kube2}
status: {addresses: [{type: InternalIP, address: 172.22.35.26}]}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: rack, namespace: metallb-system}
spec: {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1, dualStackAddressFamily: true}
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: all, namespace: metallb-system}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: both, namespace: metallb-system}
spec: {addresses: [192.0.2.16/28, "2001:db8:16::/124"]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: shop-x1, namespace: web, labels: {kubernetes.io/service-name: shop}}
addressType: IPv4
ports: [{port: 443}]
endpoints: [{addresses: [10.244.1.9], nodeName: kube1, conditions: {ready: true}}]
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: web}
spec:
  type: LoadBalancer
  clusterIPs: [10.96.7.1, "fd00:96::1"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  selector: {app: shop}
  ports: [{port: 443}]
"#;
