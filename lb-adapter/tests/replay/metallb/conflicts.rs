//! MetalLB's cases of advertisements that give one prefix two local preferences (`speaker`, `internal/config`).

use crate::world::*;

/// Applies two nodes with two internal peers, a Service with an IPv4 address, and these advertisements, `x` and `y`. Returns
/// true if `y` was refused, and the routes with their local preferences.
fn with_two(x: &str, y: &str) -> (bool, Vec<String>) {
    let mut world = World::of(
        "BGPPeer one {myASN: 64636, peerASN: 64636, peerAddress: 172.22.35.1}
         BGPPeer two {myASN: 64636, peerASN: 64636, peerAddress: 172.22.35.2}
         IPAddressPool p {addresses: [198.51.100.0/24]}",
    );
    for name in ["a", "b"] {
        let node = node(&format!("kube-{name}"), "172.22.35.25");
        world.applied(with(node, "/metadata/labels", serde_json::json!({"n": name})));
    }

    world.applied(slice("s", &["kube-a"]));
    world.applied(service("s"));

    let mut answer = world.have(&format!("BGPAdvertisement x {x}"));
    assert!(answer.ok);
    for object in super::objects(&format!("BGPAdvertisement y {y}")) {
        answer = world.apply(object);
    }

    let routes = answer.routes.iter().map(|row| {
        let (node, peer) =
            (row.node.trim_start_matches("kube-"), row.peer.trim_end_matches(":179"));
        let preference = row.local_pref.unwrap_or_default();
        format!(
            "{node}{} {}={preference}",
            &peer[peer.len() - 1..],
            row.prefix.split('/').nth(1).unwrap()
        )
    });
    (!answer.ok, routes.collect())
}

#[test]
fn two_local_preferences_for_one_prefix_are_rejected() {
    for (case, x, y) in [
        ("the same nodes and peers", "{localPref: 100}", "{localPref: 200}"),
        ("one says none", "{localPref: 100}", "{}"),
        ("one names the pool", "{localPref: 100, ipAddressPools: [p]}", "{localPref: 200}"),
        (
            "of one a node",
            "{localPref: 100}",
            "{localPref: 200, nodeSelectors: [{matchLabels: {n: a}}]}",
        ),
        (
            "of both that node",
            "{localPref: 100, nodeSelectors: [{matchLabels: {n: a}}]}",
            "{localPref: 200, nodeSelectors: [{matchLabels: {n: a}}]}",
        ),
        ("of one a peer", "{localPref: 100}", "{localPref: 200, peers: [one]}"),
        (
            "the peers of one are some of the other's",
            "{localPref: 100, peers: [one]}",
            "{localPref: 200, peers: [two, one]}",
        ),
        (
            "some peers are those of both",
            "{localPref: 100, peers: [one, three]}",
            "{localPref: 200, peers: [two, one]}",
        ),
        (
            "another length of a family that the pool has not",
            "{localPref: 100, aggregationLengthV6: 120}",
            "{localPref: 200}",
        ),
    ] {
        for (x, y) in [(x, y), (y, x)] {
            assert!(with_two(x, y).0, "{case}: {x}, {y}");
        }
    }
}

#[test]
fn two_advertisements_that_never_meet_are_accepted() {
    let all = |preference: u32| {
        ["a1", "a2", "b1", "b2"].map(|at| format!("{at} 32={preference}")).to_vec()
    };
    let a = "nodeSelectors: [{matchLabels: {n: a}}]";
    let b = "nodeSelectors: [{matchLabels: {n: b}}]";
    for (case, x, y, routes) in [
        (
            "the same preference",
            "{localPref: 100}".to_owned(),
            "{localPref: 100, communities: ['1:1']}".to_owned(),
            all(100),
        ),
        (
            "the same in every field",
            "{localPref: 100}".to_owned(),
            "{localPref: 100}".to_owned(),
            all(100),
        ),
        (
            "other nodes",
            format!("{{localPref: 100, {a}}}"),
            format!("{{localPref: 200, {b}}}"),
            vec![
                "a1 32=100".to_owned(),
                "a2 32=100".to_owned(),
                "b1 32=200".to_owned(),
                "b2 32=200".to_owned(),
            ],
        ),
        (
            "other peers",
            "{localPref: 100, peers: [one]}".to_owned(),
            "{localPref: 200, peers: [two]}".to_owned(),
            vec![
                "a1 32=100".to_owned(),
                "a2 32=200".to_owned(),
                "b1 32=100".to_owned(),
                "b2 32=200".to_owned(),
            ],
        ),
        (
            "another length",
            "{localPref: 100, aggregationLength: 24, peers: [one]}".to_owned(),
            "{localPref: 200, peers: [one]}".to_owned(),
            vec![
                "a1 24=100".to_owned(),
                "a1 32=200".to_owned(),
                "b1 24=100".to_owned(),
                "b1 32=200".to_owned(),
            ],
        ),
        (
            "a selector of no node",
            "{localPref: 100, nodeSelectors: [{matchLabels: {n: z}}]}".to_owned(),
            format!("{{localPref: 200, {a}}}"),
            vec!["a1 32=200".to_owned(), "a2 32=200".to_owned()],
        ),
    ] {
        let (refused, found) = with_two(&x, &y);
        assert!(!refused, "{case}");
        assert_eq!(found, routes, "{case}");
    }
}

/// MetalLB refuses two advertisements whose different selectors select one node. FerroLB uses the first by name on that
/// node, as the documentation says: a label of a node makes no configuration invalid.
#[test]
fn if_a_label_of_a_node_makes_two_advertisements_meet_the_first_one_applies_there() {
    let a = "nodeSelectors: [{matchLabels: {n: a}}]";
    let both = "nodeSelectors: [{matchLabels: {n: a}}, {matchLabels: {n: b}}]";
    let (refused, found) =
        with_two(&format!("{{localPref: 100, {a}}}"), &format!("{{localPref: 200, {both}}}"));
    assert!(!refused);
    assert_eq!(found, ["a1 32=100", "a2 32=100", "b1 32=200", "b2 32=200"]);
}
