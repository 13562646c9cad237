//! Resources: references that appear later, selectors, and both families.

use serde_json::{Value, json};

use crate::world::*;

fn peer(spec: Value) -> Value {
    let mut peer = json!({"myASN": 64636, "peerASN": 64635, "peerAddress": "172.22.35.1"});
    peer.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    resource("BGPPeer", "tor", peer)
}

fn pool(name: &str, addresses: &[&str]) -> Value {
    resource("IPAddressPool", name, json!({"addresses": addresses}))
}

fn advertisement(name: &str, spec: Value) -> Value {
    resource("BGPAdvertisement", name, spec)
}

/// A node, a Service with a pod on it, a pool and a peer.
fn world() -> World {
    let mut world = World::new();
    world.applied(node("kube1", "172.22.35.25"));
    world.applied(node("kube2", "172.22.35.26"));
    world.applied(slice("a", &["kube1"]));
    world.applied(service("a"));
    world.applied(pool("default", &["172.22.35.64/26"]));
    world.applied(peer(json!({})));
    world
}

#[test]
fn a_reference_may_appear_later() {
    let mut world = world();
    let answer = world.apply(advertisement("all", json!({"communities": ["gold"]})));
    assert!(!answer.ok);
    assert!(answer.problems[0].contains("gold"), "{:?}", answer.problems);
    assert_eq!(answer.gates("default/a"), ["kube1 advertisement", "kube2 advertisement"]);
    let answer = world.applied(pool("other", &["10.0.0.0/24"]));
    assert_eq!(
        answer.routes(),
        [""; 0],
        "the valid objects take effect, and the advertisement still waits"
    );
    let gold = json!({"communities": [{"name": "gold", "value": "64635:100"}]});
    let answer = world.applied(resource("Community", "all", gold));
    assert_eq!(answer.route("kube1", "172.22.35.64/32").communities, ["64635:100"]);
    let answer = world.delete("Community", "metallb-system", "all");
    assert!(!answer.ok, "it is in use");
    assert_eq!(answer.route("kube1", "172.22.35.64/32").communities, ["64635:100"]);
    let answer = world.applied(advertisement("all", json!({})));
    assert_eq!(answer.route("kube1", "172.22.35.64/32").communities, [""; 0]);
}

#[test]
fn a_password_may_appear_later() {
    let mut world = World::new();
    world.applied(node("kube1", "172.22.35.25"));
    let answer = world.apply(peer(json!({"passwordSecret": {"name": "bgp"}})));
    assert!(!answer.ok && answer.peers.is_empty());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"namespace": "metallb-system", "name": "bgp"},
        "data": {"password": "czNjcmV0"},
    });
    assert_eq!(world.applied(secret).peers.len(), 1);
}

#[test]
fn the_addresses_of_a_deleted_pool_are_released() {
    let mut world = world();
    world.applied(advertisement("all", json!({})));
    world.applied(pool("second", &["10.0.0.0/24"]));
    let answer = world.delete("IPAddressPool", "metallb-system", "default");
    assert_eq!(answer.service("a").addresses, ["10.0.0.0"]);
    assert_eq!(answer.events("a"), ["ClearAssignment", "IPAllocated"]);
    assert!(answer.service("a").changed);
}

#[test]
fn the_addresses_of_the_last_pool_are_kept_until_there_is_a_new_one() {
    let mut world = world();
    let before = world.applied(advertisement("all", json!({})));
    let answer = world.delete("IPAddressPool", "metallb-system", "default");
    assert!(answer.ok, "{:?}", answer.problems);
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
    assert_eq!((&answer.routes, answer.service("a").changed), (&before.routes, false));
    let answer = world.applied(pool("again", &["172.22.35.64/26"]));
    assert_eq!(answer.service("a").pool.as_deref(), Some("again"));
    assert_eq!((&answer.routes, answer.service("a").changed), (&before.routes, false));

    // A process that starts without the pool does not know the former routes, and still releases no address.
    world.delete("IPAddressPool", "metallb-system", "again");
    let answer = world.step(json!({"restart": true}));
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
    assert_eq!(answer.gates("default/a"), ["kube1 pool", "kube2 pool"]);
    assert_eq!(world.applied(pool("default", &["172.22.35.0/24"])).routes, before.routes);
}

#[test]
fn resources_that_appear_one_after_the_other_change_no_address() {
    for order in [["tor", "all", "default"], ["all", "tor", "default"], ["default", "tor", "all"]] {
        let mut world = World::new();
        world.applied(node("kube1", "172.22.35.25"));
        world.applied(slice("a", &["kube1"]));
        world.applied(holding(service("a"), &["172.22.35.99"]));
        for name in order {
            let answer = world.applied(match name {
                "tor" => peer(json!({})),
                "all" => advertisement(name, json!({})),
                _ => pool(name, &["172.22.35.64/26"]),
            });
            let row = answer.service("a");
            assert_eq!(row.addresses, ["172.22.35.99"], "{order:?} {name}");
            assert!(!row.changed && row.events.is_empty(), "{order:?} {name}");
        }

        let answer = world.applied(node("kube1", "172.22.35.25"));
        assert_eq!(answer.routes(), ["kube1 172.22.35.99/32"], "{order:?}");

        // Then everything is deleted: sessions and routes end at once, and addresses stay.
        for (kind, name) in
            [("BGPAdvertisement", "all"), ("IPAddressPool", "default"), ("BGPPeer", "tor")]
        {
            let answer = world.delete(kind, "metallb-system", name);
            assert!(answer.ok && answer.routes.is_empty(), "{answer:?}");
            assert_eq!(answer.service("a").addresses, ["172.22.35.99"]);
            assert_eq!(answer.peers.is_empty(), name == "tor");
        }
    }
}

#[test]
fn advertisements_select_nodes_peers_and_services() {
    let mut world = world();
    let answer = world.applied(advertisement(
        "one",
        json!({"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": "kube1"}}]}),
    ));
    assert_eq!(answer.routes(), ["kube1 172.22.35.64/32"]);
    assert_eq!(answer.gates("default/a"), ["kube2 advertisement"]);
    let second = json!({"myASN": 64636, "peerASN": 64636, "peerAddress": "172.22.35.2"});
    world.applied(resource("BGPPeer", "second", second));
    let answer = world.applied(advertisement("one", json!({"peers": ["second"]})));
    assert!(answer.routes.iter().all(|row| row.peer == "172.22.35.2:179"));
    let withheld = answer.withheld("kube1", "default/a");
    assert_eq!(withheld.peer.as_deref(), Some("172.22.35.1:179"));
    assert_eq!(withheld.gate, "advertisement");
    let selective = json!({"serviceSelectors": [{"matchLabels": {"tier": "front"}}]});
    let answer = world.applied(advertisement("one", selective));
    assert_eq!(answer.gates("default/a"), ["kube1 advertisement", "kube2 advertisement"]);
    let labelled = with(service("a"), "/metadata/labels", json!({"tier": "front"}));
    assert_eq!(world.applied(labelled).routes().len(), 4);
}

#[test]
fn advertisements_that_conflict_only_for_a_service_are_named() {
    let mut world = world();
    let front = json!({"localPref": 200, "serviceSelectors": [{"matchLabels": {"tier": "front"}}]});
    world.applied(advertisement("all", json!({"localPref": 100})));
    world.applied(advertisement("front", front));
    assert_eq!(world.applied(service("a")).routes().len(), 2);
    let labelled = with(service("a"), "/metadata/labels", json!({"tier": "front"}));
    let answer = world.applied(labelled);
    let withheld = answer.withheld("kube1", "default/a");
    assert_eq!(withheld.gate, "advertisement");
    assert_eq!(
        withheld.reason,
        "advertisements all and front set different localPref for the same route"
    );
}

#[test]
fn peers_select_nodes() {
    let mut world = world();
    world.applied(advertisement("all", json!({})));
    let rack = json!({"nodeSelectors": [{"matchLabels": {"kubernetes.io/hostname": "kube2"}}]});
    let answer = world.applied(peer(rack));
    assert_eq!(answer.peers.len(), 1);
    assert_eq!(answer.gates("default/a"), ["kube1 peer"]);
    assert_eq!(answer.withheld("kube1", "default/a").peer.as_deref(), Some("172.22.35.1:179"));
    let answer = world.delete("BGPPeer", "metallb-system", "tor");
    assert_eq!(answer.gates("default/a"), ["kube1 peer", "kube2 peer"]);
}

#[test]
fn the_next_hop_is_null_unless_the_peer_sets_one() {
    let mut world = world();
    world.applied(advertisement("all", json!({})));
    let hops = |answer: &lb_adapter::recording::StepResult| -> Vec<Option<String>> {
        answer.routes.iter().map(|row| row.next_hop.clone()).collect()
    };
    let with = |next_hop: &str| {
        let mut peer = peer(json!({}));
        peer["metadata"]["annotations"] = json!({"ferrolb.io/next-hop": next_hop});
        peer
    };
    let plain = world.applied(peer(json!({})));
    assert_eq!(hops(&plain), [None, None]);
    assert_eq!(hops(&world.applied(with("session"))), [None, None]);
    let of_nodes = ["172.22.35.25", "172.22.35.26"].map(|hop| Some(hop.to_owned()));
    assert_eq!(hops(&world.applied(with("node"))), of_nodes);
    let own = Some("192.0.2.1".to_owned());
    assert_eq!(hops(&world.applied(with("192.0.2.1"))), [own.clone(), own]);
    let refused = world.apply(with("self"));
    assert!(!refused.ok && refused.problems[0].contains("ferrolb.io/next-hop"), "{refused:?}");
    assert_eq!(world.applied(peer(json!({}))).routes, plain.routes);
}

#[test]
fn both_addresses_of_a_service_go_to_the_sessions_that_carry_them() {
    let mut world = world();
    world.applied(advertisement("all", json!({})));
    world.applied(pool("default", &["172.22.35.64/26", "fd00:64::/64"]));
    let mut dual = service("a");
    dual["spec"]["ipFamilyPolicy"] = "RequireDualStack".into();
    dual["spec"]["ipFamilies"] = json!(["IPv6", "IPv4"]);
    dual["spec"]["clusterIPs"] = json!(["fd96::9", "10.96.0.9"]);
    let answer = world.applied(dual);
    assert_eq!(answer.service("a").addresses, ["fd00:64::", "172.22.35.64"]);
    assert_eq!(answer.routes(), ["kube1 172.22.35.64/32", "kube2 172.22.35.64/32"]);
    assert_eq!(answer.withheld("kube1", "default/a").gate, "policy");
    let answer = world.applied(peer(json!({"dualStackAddressFamily": true})));
    assert_eq!(answer.routes(), ["kube1 172.22.35.64/32", "kube2 172.22.35.64/32"]);
    let withheld = answer.withheld("kube1", "default/a");
    assert_eq!(withheld.gate, "node", "an IPv4 session gives IPv6 routes no next hop");
    assert_eq!(withheld.reason, "kube1 has no IPv6 address to use as the next hop");

    for (name, v4, v6) in
        [("kube1", "172.22.35.25", "fd00:35::25"), ("kube2", "172.22.35.26", "fd00:35::26")]
    {
        let mut node = node(name, v4);
        let addresses = node["status"]["addresses"].as_array_mut().unwrap();
        addresses.push(json!({"type": "InternalIP", "address": v6}));
        world.applied(node);
    }

    let answer = world.applied(peer(json!({"dualStackAddressFamily": true})));
    assert_eq!(answer.routes().len(), 4);
    assert_eq!(answer.not_announced, []);
    world.applied(peer(json!({})));
    let v6 = json!({"myASN": 64636, "peerASN": 64635, "peerAddress": "fd00:35::1"});
    let answer = world.applied(resource("BGPPeer", "tor6", v6));
    let of_node: Vec<_> = answer
        .routes
        .iter()
        .filter(|row| row.node == "kube1")
        .map(|row| format!("{} {}", row.peer, row.prefix))
        .collect();
    assert_eq!(of_node, ["172.22.35.1:179 172.22.35.64/32", "[fd00:35::1]:179 fd00:64::/128"]);
    assert_eq!(answer.not_announced, []);
}

#[test]
fn namespaces_are_selected_by_labels_that_may_change() {
    let mut world = world();
    world.delete("IPAddressPool", "metallb-system", "default");
    let selected = json!({"addresses": ["10.0.0.0/24"], "serviceAllocation": {
        "priority": 10, "namespaceSelectors": [{"matchLabels": {"team": "a"}}],
    }});
    let answer = world.applied(resource("IPAddressPool", "team", selected));
    assert_eq!(answer.gates("default/a")[0], "kube1 pool");
    let namespace = |team: &str| {
        json!({"apiVersion": "v1", "kind": "Namespace",
               "metadata": {"name": "default", "labels": {"team": team}}})
    };
    assert_eq!(world.applied(namespace("a")).service("a").addresses, ["10.0.0.0"]);
    let answer = world.applied(namespace("b"));
    assert_eq!(answer.service("a").addresses, [""; 0]);
    assert_eq!(answer.events("a"), ["ClearAssignment", "AllocationFailed"]);
}

#[test]
fn unnumbered_and_dynamic_peers_are_listed() {
    let mut world = World::new();
    world.applied(node("kube1", "172.22.35.25"));
    let spec = json!({"myASN": 64636, "dynamicASN": "external", "interface": "eth1"});
    let answer = world.applied(resource("BGPPeer", "fabric", spec));
    assert_eq!(answer.peers[0].peer, "eth1:179");
    assert_eq!(answer.peers[0].peer_asn, None);
}

#[test]
fn a_service_says_what_its_pool_allows() {
    let mut world = world();
    world.applied(advertisement("all", json!({"communities": ["64635:1"]})));
    let asks = || {
        let asks = annotated(service("a"), "ferrolb.io/communities", "64635:100,large:64635:1:2");
        let asks = annotated(asks, "ferrolb.io/med", "50");
        annotated(asks, "ferrolb.io/prepend", "2")
    };
    let answer = world.applied(asks());
    assert_eq!(answer.events("a"), ["InvalidAnnotation"; 3]);
    assert_eq!(answer.route("kube1", "172.22.35.64/32").communities, ["64635:1"]);
    let mut allowing = pool("default", &["172.22.35.64/26"]);
    for (name, value) in
        [("communities", "64635:*, large:64635:1:*"), ("med", "0-100"), ("prepend", "3")]
    {
        allowing = annotated(allowing, &format!("ferrolb.io/allow-{name}"), value);
    }
    let answer = world.applied(allowing);
    let route = answer.route("kube1", "172.22.35.64/32");
    assert_eq!(route.communities, ["64635:1", "64635:100"]);
    assert_eq!(route.large_communities, ["64635:1:2"]);
    assert_eq!((route.med, route.prepended.as_slice()), (Some(50), &[64636, 64636][..]));
    let answer = world.applied(annotated(asks(), "ferrolb.io/med", "1000"));
    assert_eq!(answer.events("a"), ["InvalidAnnotation"]);
    assert_eq!(answer.route("kube1", "172.22.35.64/32").med, None);
}

#[test]
fn a_kind_that_is_nearly_one_of_ours_is_refused_as_in_a_file() {
    let mut world = World::new();
    for (version, kind, expected) in [
        ("metallb.io/v1beta2", "IPAddressPool", "IPAddressPool has apiVersion metallb.io/v1beta1"),
        ("metallb.io/v1beta1", "BGPAdvertisment", "did you mean BGPAdvertisement"),
    ] {
        let object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"namespace": "metallb-system", "name": "a"}, "spec": {}});
        let answer = world.apply(object);
        assert!(!answer.ok, "{answer:?}");
        assert!(answer.problems[0].contains(expected), "{answer:?}");
    }
}
