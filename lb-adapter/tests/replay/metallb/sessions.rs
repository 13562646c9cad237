//! MetalLB's scenarios of sessions: the peers of each node, the AS numbers and the timers.

use serde_json::json;

use crate::world::*;

/// A line for each session, such as `kube1 172.22.35.1`.
fn sessions(answer: &lb_adapter::recording::StepResult) -> Vec<String> {
    let rows = answer.peers.iter();
    rows.map(|row| format!("{} {}", row.node, row.peer.trim_end_matches(":179"))).collect()
}

fn labelled(name: &str, labels: serde_json::Value) -> serde_json::Value {
    with(node(name, "172.22.35.25"), "/metadata/labels", labels)
}

#[test]
fn a_peer_is_for_the_nodes_that_one_of_its_selectors_selects() {
    let mut world =
        World::of("BGPPeer one {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1}");
    let second = |selectors: &str| {
        format!(
            "BGPPeer two {{myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.2, nodeSelectors: {selectors}}}"
        )
    };
    let one = ["kube1 172.22.35.1"].as_slice();
    let both = ["kube1 172.22.35.1", "kube1 172.22.35.2"].as_slice();
    let answer = world.applied(labelled("kube1", json!({})));
    assert_eq!(sessions(&answer), one);
    assert_eq!(sessions(&world.have(&second("[{matchLabels: {foo: bar}}]"))), one);
    assert_eq!(sessions(&world.applied(labelled("kube1", json!({"foo": "bar"})))), both);
    assert_eq!(sessions(&world.applied(labelled("kube1", json!({"foo": "baz"})))), one);
    let several = "[{matchExpressions: [{key: foo, operator: In, values: [bar, baz]}]}]";
    assert_eq!(sessions(&world.have(&second(several))), both);
    assert_eq!(sessions(&world.applied(labelled("kube1", json!({"foo": "bar"})))), both);
    let either = "[{matchLabels: {host: frontend}}, {matchExpressions: [{key: foo, operator: In, values: [bar, baz]}]}]";
    assert_eq!(sessions(&world.have(&second(either))), both);
    assert_eq!(sessions(&world.applied(labelled("kube1", json!({"host": "frontend"})))), both);
    assert_eq!(sessions(&world.applied(labelled("kube1", json!({})))), one);
}

#[test]
fn each_peer_selects_its_own_nodes() {
    for (chosen, expected) in [
        (["1", "2", ""], vec!["kube1 172.22.35.1", "kube2 172.22.35.2"]),
        (["1", "1", "3"], vec!["kube1 172.22.35.1", "kube1 172.22.35.2", "kube3 172.22.35.3"]),
        (["1", "1", "1"], vec!["kube1 172.22.35.1", "kube1 172.22.35.2", "kube1 172.22.35.3"]),
    ] {
        let mut world = World::new();
        for number in ["1", "2", "3"] {
            world.applied(labelled(&format!("kube{number}"), json!({"n": number})));
        }
        let mut answer = None;
        for (number, node) in chosen.iter().enumerate() {
            let number = number + 1;
            answer = Some(world.have(&format!(
                "BGPPeer r{number} {{myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.{number}, nodeSelectors: [{{matchLabels: {{n: '{node}'}}}}]}}"
            )));
        }
        assert_eq!(sessions(&answer.unwrap()), expected);
    }
}

#[test]
fn each_node_may_be_in_an_as_of_its_own() {
    let mut world = World::new();
    let mut answer = None;
    for number in 0..3 {
        world.applied(labelled(&format!("kube{number}"), json!({"n": number.to_string()})));
        answer = Some(world.have(&format!(
            "BGPPeer r{number} {{myASN: {}, peerASN: 64600, peerAddress: 172.22.35.1, nodeSelectors: [{{matchLabels: {{n: '{number}'}}}}]}}",
            64512 + number
        )));
    }
    let rows = answer.unwrap().peers;
    let found: Vec<_> = rows.iter().map(|row| (row.node.as_str(), row.my_asn)).collect();
    assert_eq!(found, [("kube0", 64512), ("kube1", 64513), ("kube2", 64514)]);
}

#[test]
fn hold_time_and_keepalive_time_determine_each_other() {
    for (fields, expected) in [
        ("", 90),
        ("holdTime: 180s", 180),
        ("keepaliveTime: 60s", 180),
        ("holdTime: 30s, keepaliveTime: 10s", 30),
        ("holdTime: 0s, keepaliveTime: 0s", 0),
    ] {
        let mut world = World::of("Node kube1 {}");
        let answer = world.have(&format!(
            "BGPPeer r {{myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1, {fields}}}"
        ));
        assert_eq!(answer.peers[0].hold_time, expected, "{fields}");
        // It can be changed.
        let answer = world.have(
            "BGPPeer r {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1, holdTime: 33s}",
        );
        assert_eq!(answer.peers[0].hold_time, 33);
    }
}

#[test]
fn a_dynamic_as_is_the_nodes_own_or_any_other() {
    for (mode, expected) in [("internal", Some(64636)), ("external", None)] {
        let mut world = World::of("Node kube1 {}");
        let answer = world.have(&format!(
            "BGPPeer r {{myASN: 64636, dynamicASN: {mode}, peerAddress: 172.22.35.1}}"
        ));
        assert_eq!((answer.peers[0].my_asn, answer.peers[0].peer_asn), (64636, expected));
    }
}

#[test]
fn peers_are_added_and_removed_one_by_one() {
    let mut world = World::of(
        "Node kube1 {}\nIPAddressPool p {addresses: [198.51.100.0/24]}\nBGPAdvertisement a {}",
    );
    world.applied(slice("a", &["kube1"]));
    world.applied(service("a"));
    for number in 1..=4 {
        let answer = world.have(&format!(
            "BGPPeer r{number} {{myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.{number}}}"
        ));
        assert_eq!((answer.peers.len(), answer.routes.len()), (number, number));
    }
    for number in 1..=4 {
        let answer = world.delete("BGPPeer", "metallb-system", &format!("r{number}"));
        assert!(answer.ok, "{:?}", answer.problems);
        assert_eq!((answer.peers.len(), answer.routes.len()), (4 - number, 4 - number));
    }
}
