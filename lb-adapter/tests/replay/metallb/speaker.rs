//! MetalLB's cases of the speaker (`speaker`): the routes of a node as endpoints, advertisements, peers and nodes change.

use lb_adapter::planner::PlannerOptions;
use lb_adapter::recording::{Replay, StepResult};
use serde_json::{Value, json};

use crate::world::*;

/// Applies endpoints, each in a slice of its own: address, node, ready, serving.
fn slices(world: &mut World, endpoints: &[(&str, &str, Option<bool>, Option<bool>)]) -> StepResult {
    for number in 0..4 {
        world.delete("EndpointSlice", "default", &format!("a-{number}"));
    }
    let mut answer = world.applied(slice("unrelated", &[]));
    for (number, (address, node, ready, serving)) in endpoints.iter().enumerate() {
        let mut conditions = serde_json::Map::new();
        for (name, value) in [("ready", ready), ("serving", serving)] {
            if let Some(value) = value {
                conditions.insert(name.to_owned(), (*value).into());
            }
        }
        answer = world.applied(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": "default", "name": format!("a-{number}"),
                "labels": {"kubernetes.io/service-name": "a"}},
            "endpoints": [{"addresses": [address], "nodeName": node, "conditions": conditions}],
        }));
    }
    answer
}

/// The routes of `kube1`, each with the address of its peer.
fn announced(answer: &StepResult) -> Vec<String> {
    let rows = answer.routes.iter().filter(|row| row.node == "kube1");
    rows.map(|row| format!("{} {}", row.peer.trim_end_matches(":179"), row.prefix)).collect()
}

const CONFIG: &str = "
    BGPPeer tor {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1}
    IPAddressPool p {addresses: [10.20.30.0/24]}
    BGPAdvertisement all {}";

fn nodes(world: &mut World) {
    world.applied(node("kube1", "172.22.35.25"));
    world.applied(node("kube2", "172.22.35.26"));
}

fn policy(policy: &str) -> Value {
    holding(with(service("a"), "/spec/externalTrafficPolicy", policy), &["10.20.30.1"])
}

#[test]
fn a_node_announces_services_with_a_usable_endpoint() {
    let ready = Some(true);
    let unready = Some(false);
    let far = ("10.244.0.5", "kube2", ready, None);
    let near = ("10.244.0.6", "kube1", ready, None);
    let near_unready = ("10.244.0.6", "kube1", unready, None);
    let cases: [(&str, &str, &[_], bool); 12] = [
        ("an endpoint elsewhere", "Cluster", &[far], true),
        ("an endpoint elsewhere", "Local", &[far], false),
        ("an endpoint here", "Local", &[far, near], true),
        (
            "one endpoint here, unready in one slice and ready in another",
            "Local",
            &[far, near_unready, near],
            true,
        ),
        ("no endpoint", "Cluster", &[], false),
        ("no ready one", "Cluster", &[("10.244.0.5", "kube2", unready, None)], false),
        ("a ready one and an unready one", "Cluster", &[far, near_unready], true),
        ("an unready one that serves", "Cluster", &[("10.244.0.5", "kube2", unready, ready)], true),
        (
            "a ready one that does not serve",
            "Cluster",
            &[("10.244.0.5", "kube2", ready, unready)],
            true,
        ),
        ("one without conditions", "Cluster", &[("10.244.0.5", "kube2", None, None)], true),
        ("ready, then not ready, in two slices", "Cluster", &[near, near_unready], true),
        ("twice, both not ready", "Cluster", &[near_unready, near_unready], false),
    ];

    let mut world = World::of(CONFIG);
    nodes(&mut world);
    for (case, traffic, endpoints, expected) in cases {
        world.applied(policy(traffic));
        let answer = slices(&mut world, endpoints);
        let found = announced(&answer);
        let wanted: &[&str] = if expected { &["172.22.35.1 10.20.30.1/32"] } else { &[] };
        assert_eq!(found, wanted, "{traffic}: {case}");
        if !expected {
            assert_eq!(
                answer.withheld("kube1", "default/a").gate,
                "endpoints",
                "{traffic}: {case}"
            );
        }
    }
}

#[test]
fn nothing_is_announced_without_a_configuration_or_for_other_types() {
    let mut world = World::new();
    nodes(&mut world);
    world.applied(policy("Cluster"));
    assert_eq!(announced(&world.applied(slice("a", &["kube2"]))), [""; 0]);
    let mut world = World::of(CONFIG);
    nodes(&mut world);
    world.applied(slice("a", &["kube1"]));
    let answer = world.applied(with(service("a"), "/spec/type", "ClusterIP"));
    assert_eq!(announced(&answer), [""; 0]);
    assert_eq!(answer.peers.len(), 2, "the sessions stay up");
}

#[test]
fn services_and_peers_are_added_and_removed() {
    let mut world = World::of(CONFIG);
    nodes(&mut world);
    world.applied(slice("a", &["kube2"]));
    world.applied(slice("b", &["kube2"]));
    world.applied(policy("Cluster"));
    let answer =
        world.have("BGPPeer tor2 {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.2}");
    assert_eq!(announced(&answer), ["172.22.35.1 10.20.30.1/32", "172.22.35.2 10.20.30.1/32"]);

    let other = holding(service("b"), &["10.20.30.5"]);
    let answer = world.applied(other);
    let of_two = ["10.20.30.1/32", "10.20.30.5/32"];
    let expected: Vec<_> = ["172.22.35.1", "172.22.35.2"]
        .iter()
        .flat_map(|peer| of_two.map(|prefix| format!("{peer} {prefix}")))
        .collect();
    assert_eq!(announced(&answer), expected);

    // Both on one address: one route, until the last of the two has gone.
    let shared = |name: &str, port: u16| {
        let service = annotated(service(name), "metallb.io/allow-shared-ip", "k");
        let service = with(service, "/spec/ports", json!([{"port": port, "protocol": "TCP"}]));
        holding(service, &["10.20.30.1"])
    };
    world.applied(shared("a", 80));
    let answer = world.applied(shared("b", 81));
    let one = ["172.22.35.1 10.20.30.1/32", "172.22.35.2 10.20.30.1/32"];
    assert_eq!(announced(&answer), one);
    assert_eq!(answer.route("kube1", "10.20.30.1/32").services, ["default/a", "default/b"]);
    assert_eq!(announced(&world.delete("Service", "default", "a")), one);
    let answer = world.delete("BGPPeer", "metallb-system", "tor");
    assert_eq!(announced(&answer), one[1..]);
    let answer = world.delete("Service", "default", "b");
    assert_eq!((announced(&answer).len(), answer.peers.len()), (0, 2));
}

#[test]
fn a_service_is_announced_to_the_peers_of_its_advertisements() {
    let mut world = World::of(
        "BGPPeer one {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1}
         BGPPeer two {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.2}
         IPAddressPool p {addresses: [10.20.30.0/24]}
         IPAddressPool q {addresses: [10.20.40.0/24]}
         BGPAdvertisement p {ipAddressPools: [p]}
         BGPAdvertisement q {ipAddressPools: [q]}",
    );
    nodes(&mut world);

    for (name, address) in [("a", "10.20.30.1"), ("b", "10.20.40.1")] {
        world.applied(slice(name, &["kube2"]));
        world.applied(holding(service(name), &[address]));
    }
    let (one, two) = ("172.22.35.1", "172.22.35.2");
    let line = |peer: &str, prefix: &str| format!("{peer} {prefix}");
    let [a, b] = ["10.20.30.1/32", "10.20.40.1/32"];
    for (text, expected) in [
        // An unknown name among the peers changes nothing.
        (
            "BGPAdvertisement p {ipAddressPools: [p], peers: [one, two, missing]}",
            vec![line(one, a), line(one, b), line(two, a), line(two, b)],
        ),
        (
            "BGPAdvertisement p {ipAddressPools: [p], peers: [one]}",
            vec![line(one, a), line(one, b), line(two, b)],
        ),
    ] {
        assert_eq!(announced(&world.have(text)), expected, "{text}");
    }

    let answer = world.delete("Service", "default", "a");
    assert_eq!(announced(&answer), [line(one, b), line(two, b)]);
    world.applied(holding(service("a"), &["10.20.30.1"]));
    let answer = world.delete("BGPPeer", "metallb-system", "one");
    assert_eq!(announced(&answer), [line(two, b)], "a was for the peer that is gone");
    assert_eq!(answer.withheld("kube1", "default/a").gate, "advertisement");
}

#[test]
fn an_excluded_node_or_one_without_network_announces_nothing() {
    let excluded = || {
        let mut node = node("kube1", "172.22.35.25");
        node["metadata"]["labels"]["node.kubernetes.io/exclude-from-external-load-balancers"] =
            "".into();
        node
    };
    let without_network = || {
        with(
            node("kube1", "172.22.35.25"),
            "/status/conditions",
            json!([{"type": "NetworkUnavailable", "status": "True"}]),
        )
    };
    let set_up = |world: &mut World, node: Value| {
        world.applied(node);
        world.applied(slice("a", &["kube1"]));
        world.applied(policy("Cluster"))
    };

    for (node, announces) in
        [(node("kube1", "172.22.35.25"), true), (excluded(), false), (without_network(), false)]
    {
        let mut world = World::of(CONFIG);
        let answer = set_up(&mut world, node);
        assert_eq!(!announced(&answer).is_empty(), announces);
        if !announces {
            assert_eq!(answer.withheld("kube1", "default/a").gate, "node");
        }
        // The node announces as soon as the cause is gone.
        let answer = world.applied(crate::world::node("kube1", "172.22.35.25"));
        assert_eq!(announced(&answer).len(), 1);
    }

    let options = PlannerOptions { ignore_exclude_label: true, ..PlannerOptions::default() };
    let mut world = World(Replay::new("metallb-system", options, false));
    world.have(CONFIG);
    assert_eq!(announced(&set_up(&mut world, excluded())).len(), 1);
    assert_eq!(announced(&set_up(&mut world, without_network())).len(), 0);
}

#[test]
fn layer_2_does_not_affect_bgp() {
    let mut world = World::of(CONFIG);
    nodes(&mut world);
    world.applied(policy("Cluster"));
    let before = world.applied(slice("a", &["kube1"]));
    assert_eq!(announced(&before), ["172.22.35.1 10.20.30.1/32"]);
    let answer = world.have("L2Advertisement l2 {}");
    assert_eq!(answer.routes, before.routes);
    let answer = world.delete("L2Advertisement", "metallb-system", "l2");
    assert_eq!(answer.routes, before.routes);
}
