//! The contract, sentence by sentence.

use serde_json::{Value, json};

use crate::world::*;

/// Returns the answer as a reader gets it.
fn shown(answer: &lb_adapter::recording::StepResult) -> Value {
    serde_json::to_value(answer).unwrap()
}

#[test]
fn an_answer_has_the_fields_of_the_contract_and_no_others() {
    let mut world = World::reference();
    world.applied(annotated(service("a"), "metallb.io/address-pool", "default"));
    let answer = world.applied(slice("a", &["kube1"]));
    let mut shown = shown(&answer);
    assert_eq!(shown["step"], 6);
    assert_eq!(shown["ok"], true);
    assert_eq!(
        shown["services"][0],
        json!({
            "namespace": "default", "name": "a", "addresses": ["172.22.35.64"], "pool": "default",
            "changed": false, "events": [],
        })
    );
    assert_eq!(
        shown["peers"][1],
        json!({
            "node": "kube2", "peer": "172.22.35.1:179", "my_asn": 64636, "peer_asn": 64635,
            "hold_time": 90,
        })
    );
    assert_eq!(
        shown["routes"][2],
        json!({
            "node": "kube3", "peer": "172.22.35.1:179", "prefix": "172.22.35.64/32",
            "next_hop": null, "local_pref": null, "communities": [], "large_communities": [],
            "services": ["default/a"],
        })
    );
    assert_eq!(shown["not_announced"], json!([]));
    let fields = shown.as_object_mut().unwrap();
    let keys: Vec<_> = fields.keys().cloned().collect();
    let mut expected = ["step", "ok", "problems", "services", "peers", "routes", "not_announced"]
        .map(str::to_owned);
    expected.sort();
    assert_eq!(keys, expected);
}

#[test]
fn every_line_has_an_answer_and_an_invalid_one_leaves_the_state_unchanged() {
    let mut world = World::reference();
    world.applied(service("a"));
    let before = world.applied(slice("a", &["kube1"]));
    for (line, problem) in [
        ("", "expected JSON"),
        ("{", "expected JSON"),
        ("\u{0}\u{1}", "expected JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "expected one of apply"),
        (r#"{"appply": {}}"#, "expected one of apply"),
        (r#"{"sync": true, "restart": true}"#, "expected one of apply"),
        (r#"{"sync": false}"#, "sync: expected true"),
        (r#"{"apply": 1}"#, "apply: expected an object"),
        (r#"{"apply": {}}"#, "apply.apiVersion: missing"),
        (r#"{"apply": {"apiVersion": "v1", "kind": "Node"}}"#, "apply.metadata: missing"),
        (r#"{"delete": {"name": "a"}}"#, "delete.kind: missing"),
        (r#"{"delete": {"kind": "Service", "name": 1}}"#, "delete.name: expected a text"),
        (r#"{"delete": {"kind": "Service", "name": "b"}}"#, "there is no Service default/b"),
        (r#"{"session": {"node": "kube1", "peer": "x"}}"#, "session.up: expected"),
    ] {
        let answer = world.0.step(line.as_bytes());
        assert!(!answer.ok, "{line}");
        assert!(answer.problems[0].starts_with(problem), "{line}: {:?}", answer.problems);
        assert_eq!((&answer.routes, &answer.peers), (&before.routes, &before.peers), "{line}");
        assert_eq!(answer.service("a").addresses, ["172.22.35.64"], "{line}");
    }
    assert!(!world.0.step(b"\xff\xfe").ok, "not even UTF-8");
    let deep = "[".repeat(100_000);
    assert!(!world.0.step(deep.as_bytes()).ok, "very deep nesting");
}

#[test]
fn a_broken_configuration_is_reported_with_its_path_and_the_last_one_stays_in_force() {
    let mut world = World::reference();
    world.applied(service("a"));
    let before = world.applied(slice("a", &["kube1"]));
    let broken = REFERENCE.replace("my-asn: 64636", "my-asn: none");
    let answer = world.apply(config_map(&broken));
    assert!(!answer.ok);
    assert!(answer.problems[0].contains("peers[0].my-asn"), "{:?}", answer.problems);
    assert_eq!(answer.routes, before.routes);
    let answer = world.applied(service("b"));
    assert_eq!(answer.service("b").addresses, ["172.22.35.65"], "other steps still have an effect");
}

#[test]
fn a_service_holds_the_address_in_its_status() {
    let mut world = World::reference();
    let answer = world.applied(holding(service("a"), &["172.22.35.99"]));
    assert_eq!(answer.service("a").addresses, ["172.22.35.99"]);
    assert!(!answer.service("a").changed && answer.events("a").is_empty());
}

#[test]
fn a_service_without_a_status_keeps_its_last_one_and_a_new_status_replaces_it() {
    let mut world = World::reference();
    let answer = world.applied(service("a"));
    assert!(answer.service("a").changed);
    assert_eq!(answer.events("a"), ["IPAllocated"]);
    world.applied(service("b"));
    let answer = world.applied(with(service("a"), "/spec/ports/0/port", 81));
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
    assert!(!answer.service("a").changed);
    let answer = world.applied(holding(service("a"), &["172.22.35.70"]));
    assert_eq!(answer.service("a").addresses, ["172.22.35.70"]);
    assert!(!answer.service("a").changed, "another process wrote it");
    let answer = world.applied(holding(service("a"), &[]));
    assert_eq!(
        answer.service("a").addresses,
        ["172.22.35.64"],
        "it holds no address, so it gets one"
    );
    assert!(answer.service("a").changed);
}

#[test]
fn a_status_that_cannot_be_kept_is_replaced_with_a_reason() {
    for held in [&["10.9.9.9"][..], &["172.22.35.70", "172.22.35.71"], &["lb.example.org"]] {
        let mut world = World::reference();
        let answer = world.applied(holding(service("a"), held));
        assert_eq!(answer.service("a").addresses, ["172.22.35.64"], "{held:?}");
        assert_eq!(answer.events("a").len(), 2, "{held:?}");
        assert!(answer.service("a").changed, "{held:?}");
    }
}

#[test]
fn before_sync_nothing_is_assigned_or_announced() {
    let mut world = World::before_sync();
    world.set_up();
    world.applied(slice("a", &["kube1"]));
    let answer = world.applied(service("a"));
    assert_eq!(answer.service("a").addresses, [""; 0]);
    assert_eq!(answer.gates("default/a"), ["kube1 sync", "kube2 sync", "kube3 sync"]);
    let answer = world.applied(holding(service("b"), &["172.22.35.64"]));
    assert_eq!(answer.service("b").addresses, ["172.22.35.64"]);
    assert_eq!(answer.service("b").pool.as_deref(), Some("default"));
    assert_eq!(answer.routes, []);
    assert_eq!(answer.peers.len(), 3);
    let answer = world.step(json!({"sync": true}));
    assert_eq!(
        answer.service("b").addresses,
        ["172.22.35.64"],
        "it keeps the address in its status"
    );
    assert_eq!(answer.service("a").addresses, ["172.22.35.65"], "although a comes first by name");
    assert_eq!(answer.routes().len(), 3);
}

#[test]
fn without_a_configuration_the_gate_is_config() {
    let mut world = World::new();
    world.applied(node("kube1", "172.22.35.25"));
    world.applied(slice("a", &["kube1"]));
    let answer = world.applied(service("a"));
    assert_eq!(answer.gates("default/a"), ["kube1 config"]);
    assert_eq!(answer.service("a").addresses, [""; 0]);
    assert!(answer.events("a").is_empty(), "no assignment was tried yet");
    let answer = world.applied(config_map(REFERENCE));
    assert_eq!(answer.events("a"), ["IPAllocated"]);
    assert_eq!(answer.routes(), ["kube1 172.22.35.64/32"]);
}

#[test]
fn after_a_restart_the_objects_are_known_at_once_and_keep_their_addresses() {
    let mut world = World::reference();
    world.applied(with(service("b"), "/metadata/creationTimestamp", "2020-01-01T00:00:00Z"));
    world.applied(slice("b", &["kube1"]));
    world.applied(with(service("a"), "/metadata/creationTimestamp", "2019-01-01T00:00:00Z"));
    let before = world.applied(slice("a", &["kube1"]));
    let answer = world.step(json!({"restart": true}));
    assert_eq!(answer.routes, before.routes);
    assert_eq!(answer.service("b").addresses, ["172.22.35.64"], "although a is older");
    assert!(answer.services.iter().all(|row| !row.changed && row.events.is_empty()));
}

#[test]
fn a_restart_does_not_change_sync() {
    let mut world = World::before_sync();
    world.set_up();
    world.applied(service("a"));
    let answer = world.step(json!({"restart": true}));
    assert_eq!(answer.gates("default/a")[0], "kube1 sync");
    world.step(json!({"sync": true}));
    let answer = world.step(json!({"restart": true}));
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
}

#[test]
fn a_restart_forgets_the_valid_version_of_a_broken_configuration() {
    let mut world = World::reference();
    world.applied(slice("a", &["kube1"]));
    world.applied(service("a"));
    world.apply(config_map("peers: 1"));
    let answer = world.step(json!({"restart": true}));
    assert_eq!(answer.gates("default/a")[0], "kube1 config");
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"], "it is still held");
    let answer = world.applied(config_map(REFERENCE));
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
    assert_eq!(answer.routes().len(), 3);
}

#[test]
fn an_answer_has_only_the_events_of_its_step() {
    let mut world = World::reference();
    let asks = || with(service("a"), "/spec/loadBalancerIP", "10.9.9.9");
    let answer = world.applied(asks());
    assert_eq!(answer.service("a").addresses, [""; 0]);
    assert_eq!(answer.events("a"), ["AllocationFailed"]);
    assert_eq!(answer.service("a").events[0].type_, "Warning");
    assert!(!answer.service("a").changed);
    assert!(world.applied(slice("a", &["kube1"])).events("a").is_empty());
    assert!(world.applied(asks()).events("a").is_empty(), "the request has not changed");
}

#[test]
fn only_services_that_we_serve_are_listed_and_the_others_have_a_reason() {
    let mut world = World::reference();
    world.applied(with(service("a"), "/spec/type", "ClusterIP"));
    let answer = world.applied(with(service("b"), "/spec/loadBalancerClass", "example.org/lb"));
    assert!(answer.services.is_empty());
    assert_eq!(answer.withheld("kube1", "default/a").gate, "type");
    assert_eq!(answer.withheld("kube1", "default/b").gate, "class");
    let class = Some("example.org/lb".to_owned());
    let options = lb_adapter::planner::PlannerOptions { class, ..Default::default() };
    let mut world = World(lb_adapter::recording::Replay::new("metallb-system", options, false));
    world.set_up();
    world.applied(service("a"));
    let answer = world.applied(with(service("b"), "/spec/loadBalancerClass", "example.org/lb"));
    assert_eq!(answer.services.len(), 1);
    assert_eq!(answer.service("b").addresses, ["172.22.35.64"]);
}

#[test]
fn the_configuration_is_in_the_given_namespace() {
    let options = lb_adapter::planner::PlannerOptions::default();
    let mut world = World(lb_adapter::recording::Replay::new("lb", options, false));
    world.applied(config_map(REFERENCE));
    world.applied(node("kube1", "172.22.35.25"));
    let answer = world.applied(service("a"));
    assert_eq!(
        answer.gates("default/a"),
        ["kube1 config"],
        "the other one belongs to another load balancer"
    );
    let answer = world.applied(with(config_map(REFERENCE), "/metadata/namespace", "lb"));
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
}

#[test]
fn pools_of_equal_priority_are_tried_by_name_and_addresses_lowest_first() {
    let mut world = World::new();
    let pools = "address-pools:\n- {name: b, protocol: bgp, addresses: [10.0.1.0/31]}\n- {name: a, \
                 protocol: bgp, addresses: [10.0.0.8/31, 10.0.0.0/31]}\n";
    world.applied(config_map(pools));
    let mut got = Vec::new();
    for name in ["s", "t", "u", "v", "w"] {
        got.extend(world.applied(service(name)).service(name).addresses.clone());
    }
    assert_eq!(got, ["10.0.0.8", "10.0.0.9", "10.0.0.0", "10.0.0.1", "10.0.1.0"]);
}

#[test]
fn a_waiting_service_gets_an_address_when_one_is_released() {
    let mut world = World::new();
    let pools = "address-pools:\n- {name: a, protocol: bgp, addresses: [10.0.0.0/32]}\n";
    world.applied(config_map(pools));
    world.applied(service("a"));
    let answer = world.applied(service("b"));
    assert_eq!(answer.events("b"), ["AllocationFailed"]);
    let answer = world.delete("Service", "default", "a");
    assert_eq!(answer.service("b").addresses, ["10.0.0.0"]);
    assert_eq!(answer.events("b"), ["IPAllocated"]);
    assert!(answer.service("b").changed);
}

#[test]
fn local_pref_and_communities_are_those_sent_to_the_peer() {
    let mut world = World::new();
    world.applied(node("kube1", "172.22.35.25"));
    world.applied(slice("a", &["kube1"]));
    world.applied(service("a"));
    let config = "
peers:
- {peer-address: 172.22.35.1, peer-asn: 64635, my-asn: 64636, hold-time: 30s}
- {peer-address: 172.22.35.2, peer-asn: 64636, my-asn: 64636, peer-port: 1790}
bgp-communities: {drain: 65535:0}
address-pools:
- name: default
  protocol: bgp
  addresses: [172.22.35.64/26]
  bgp-advertisements:
  - localpref: 150
    communities: [64635:200, drain, 64635:100, 64635:200]
  - aggregation-length: 26
";
    let answer = world.applied(config_map(config));
    let rows: Vec<_> = answer
        .routes
        .iter()
        .map(|row| (row.peer.as_str(), row.prefix.as_str(), row.local_pref))
        .collect();
    assert_eq!(
        rows,
        [
            ("172.22.35.1:179", "172.22.35.64/26", None),
            ("172.22.35.1:179", "172.22.35.64/32", None),
            ("172.22.35.2:1790", "172.22.35.64/26", Some(100)),
            ("172.22.35.2:1790", "172.22.35.64/32", Some(150)),
        ]
    );
    let communities = &answer.route("kube1", "172.22.35.64/32").communities;
    assert_eq!(communities, &["64635:100", "64635:200", "65535:0"]);
    assert_eq!(answer.peers[0].hold_time, 30);
}

#[test]
fn two_identical_peers_are_two_entries() {
    let mut world = World::new();
    world.applied(node("kube1", "172.22.35.25"));
    world.applied(slice("a", &["kube1"]));
    world.applied(service("a"));
    let peer = "{peer-address: 172.22.35.1, peer-asn: 64635, my-asn: 64636}";
    let twice = REFERENCE.replacen("peers:", &format!("peers:\n- {peer}"), 1);
    let answer = world.applied(config_map(&twice));
    assert_eq!(answer.peers.len(), 2);
    assert!(answer.peers.iter().all(|row| row.peer == "172.22.35.1:179"));
    assert_eq!(answer.routes().len(), 2);
}

#[test]
fn lists_are_sorted() {
    let mut world = World::reference();
    for name in ["b", "a"] {
        world.applied(slice(name, &["kube3", "kube1"]));
        world.applied(service(name));
    }
    let elsewhere = with(service("z"), "/metadata/namespace", "alpha");
    let answer = world.applied(elsewhere);
    let names: Vec<_> = answer.services.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["z", "a", "b"], "by namespace first");
    let routes = answer.routes();
    let mut sorted = routes.clone();
    sorted.sort();
    assert_eq!(routes, sorted);
    assert_eq!(answer.gates("alpha/z"), ["kube1 endpoints", "kube2 endpoints", "kube3 endpoints"]);
}

#[test]
fn an_endpoints_object_counts_if_there_is_no_slice() {
    let mut world = World::reference();
    world.applied(with(service("a"), "/spec/externalTrafficPolicy", "Local"));
    let object = json!({
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {"namespace": "default", "name": "a"},
        "subsets": [{"addresses": [{"ip": "10.244.0.9", "nodeName": "kube2"}]}],
    });
    let answer = world.applied(object);
    assert_eq!(answer.routes(), ["kube2 172.22.35.64/32"]);
    let answer = world.applied(slice("a", &["kube1"]));
    assert_eq!(answer.routes(), ["kube1 172.22.35.64/32"]);
    let answer = world.delete("EndpointSlice", "default", "a-1");
    assert_eq!(answer.routes(), ["kube2 172.22.35.64/32"]);
    let answer = world.delete("Endpoints", "default", "a");
    assert_eq!(
        answer.gates("default/a"),
        ["kube1 endpoints", "kube2 endpoints", "kube3 endpoints"]
    );
}

#[test]
fn nodes_are_added_and_removed() {
    let mut world = World::reference();
    world.applied(service("a"));
    world.applied(slice("a", &["kube1"]));
    assert_eq!(world.delete("Node", "", "kube2").routes().len(), 2);
    let unready = json!([{"type": "Ready", "status": "Unknown"}]);
    let answer = world.applied(with(node("kube1", "172.22.35.25"), "/status/conditions", unready));
    assert_eq!(answer.gates("default/a"), ["kube1 node"]);
    let network = json!([
        {"type": "Ready", "status": "True"}, {"type": "NetworkUnavailable", "status": "True"},
    ]);
    let answer = world.applied(with(node("kube1", "172.22.35.25"), "/status/conditions", network));
    assert_eq!(answer.withheld("kube1", "default/a").reason, "the network of kube1 is unavailable");
    let cordoned = json!({"unschedulable": true});
    let answer = world.applied(with(node("kube1", "172.22.35.25"), "/spec", cordoned));
    assert_eq!(answer.routes().len(), 2, "a cordoned node is not drained");
    let label = "/metadata/labels/node.kubernetes.io~1exclude-from-external-load-balancers";
    let answer = world.applied(with(node("kube1", "172.22.35.25"), label, ""));
    assert_eq!(answer.gates("default/a"), ["kube1 node"]);
}

#[test]
fn a_probe_step_has_the_effect_of_the_probe_on_its_node() {
    let mut world = World::reference();
    let mut probed = service("a");
    probed["metadata"]["annotations"]["ferrolb.io/probe"] = json!("tcp:80");
    let allowed = "- name: default\n  allow-health: true\n";
    world.applied(config_map(&REFERENCE.replace("- name: default\n", allowed)));
    world.applied(probed);
    let before = world.applied(slice("a", &["kube1"]));
    assert!(!before.routes().is_empty());
    let probe = |found: &str| json!({"probe": {"node": "kube1", "namespace": "default", "name": "a", "found": found, "reason": "refused"}});
    let answer = world.step(probe("down"));
    assert!(answer.gates("default/a").contains(&"kube1 endpoints".to_owned()), "{answer:?}");
    assert_eq!(world.step(probe("up")).routes, before.routes);
    let wrong = world.step(probe("away"));
    assert!(!wrong.ok);
    assert_eq!(wrong.problems, ["probe.found: expected up, held or down, found \"away\""]);
}

#[test]
fn a_session_step_changes_no_answer() {
    let mut world = World::reference();
    world.applied(service("a"));
    let before = world.applied(slice("a", &["kube1"]));
    let down = json!({"session": {"node": "kube1", "peer": "172.22.35.1:179", "up": false}});
    let answer = world.step(down);
    assert!(answer.ok);
    assert_eq!(answer.routes, before.routes);
    assert_eq!(world.0.is_session_up("kube1", "172.22.35.1:179"), Some(false));
}

#[test]
fn all_objects_of_a_list_are_applied_and_other_kinds_are_ignored() {
    let mut world = World::new();
    let items = json!([node("kube1", "172.22.35.25"), config_map(REFERENCE), service("a")]);
    let answer = world.applied(json!({"apiVersion": "v1", "kind": "List", "items": items}));
    assert_eq!(answer.service("a").addresses, ["172.22.35.64"]);
    assert_eq!(answer.peers.len(), 1);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}});
    assert!(world.apply(pod).ok);
    assert!(world.delete("Pod", "default", "a").ok);
}
