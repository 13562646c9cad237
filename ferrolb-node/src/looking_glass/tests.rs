//! The forms that Alice-LG decodes: which fields it needs, and of which types.

use serde_json::{Value, json};

use super::*;

fn process() -> ferrolb_api::Status {
    serde_json::from_value(json!({
        "time": "2026-03-01T12:00:00Z",
        "program": "run",
        "version": "0.1.0",
        "started_at": "2026-03-01T10:00:00Z",
        "node": "kube1",
        "problems": [],
        "configuration": {
            "state": "valid", "source": "files", "loaded_at": "2026-03-01T11:00:00Z", "errors": [],
        },
        "peers": {"expected": 1, "established": 1, "disabled": 0},
        "bfd": {"expected": 0, "up": 0},
        "prefixes": {"planned": 2, "sent": 1, "unsendable": 1},
        "services": {"total": 2, "announced": 1, "pending": 0},
        "drain": {"stage": "serving"},
        "watches": [],
        "log_level": "info",
    }))
    .unwrap()
}

fn peer(node: &str, state: &str) -> Peer {
    serde_json::from_value(json!({
        "node": node,
        "name": "tor1",
        "endpoint": "172.22.35.1:179",
        "asn": 64635,
        "local_asn": 64636,
        "state": state,
        "disabled": false,
        "state_seconds": 90.5,
        "families": ["ipv4-unicast"],
        "prefixes": {"planned": 2, "sent": 1, "unsendable": 1},
        "received": 3,
        "flaps": 1,
        "last_error": {"text": "the hold timer expired"},
    }))
    .unwrap()
}

fn announced(state: &str) -> ferrolb_api::Route {
    serde_json::from_value(json!({
        "prefix": "172.22.35.70/32",
        "path_id": 0,
        "state": state,
        "state_text": state,
        "age_seconds": 3600,
        "next_hop": "172.22.35.25",
        "origin": "IGP",
        "as_path": "64636 64636",
        "med": 7,
        "communities": ["64636:100", "graceful-shutdown"],
        "large_communities": ["64636:1:2"],
        "extended_communities": ["rt:64636:5", "color:9"],
        "other_attributes": [],
        "services": ["mail/smtp"],
        "members": [],
    }))
    .unwrap()
}

fn as_json(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn every_answer_has_the_version_the_cache_and_the_time_to_live() {
    let status = process();
    for answer in [
        as_json(Status::of(&status, None)),
        as_json(Protocols::of(&status, &[])),
        as_json(ShortProtocols::of(&status, &[])),
        as_json(Routes::of(&status, Vec::new())),
        as_json(RouteCount::of(&status, 0)),
    ] {
        assert_eq!(answer["api"]["Version"], "FerroLB 0.1.0");
        assert_eq!(answer["api"]["result_from_cache"], false);
        assert_eq!(answer["api"]["cache_status"]["cached_at"]["date"], "2026-03-01T12:00:00Z");
        assert_eq!(answer["ttl"], "2026-03-01T12:00:00Z");
    }
}

#[test]
fn the_status_has_times_as_bird_writes_them() {
    let identifier = "172.22.35.25".parse().unwrap();
    let answer = as_json(Status::of(&process(), Some(identifier)));
    assert_eq!(
        answer["status"],
        json!({
            "version": "FerroLB 0.1.0",
            "router_id": "172.22.35.25",
            "current_server": "2026-03-01 12:00:00",
            "last_reboot": "2026-03-01 10:00:00",
            "last_reconfig": "2026-03-01 11:00:00",
            "message": "up and running",
        })
    );
    assert_eq!(as_json(Status::of(&process(), None))["status"]["router_id"], "unknown");
}

#[test]
fn a_peer_is_a_protocol_with_numbers_of_routes() {
    let answer = as_json(Protocols::of(&process(), &[peer("kube1", "Established")]));
    let protocol = &answer["protocols"]["tor1"];
    assert_eq!(protocol["bird_protocol"], "BGP");
    assert_eq!(protocol["state"], "up");
    assert_eq!(protocol["state_changed"], "2026-03-01 11:58:29");
    assert_eq!(protocol["neighbor_address"], "172.22.35.1");
    assert_eq!(protocol["neighbor_as"], 64635);
    assert_eq!(protocol["last_error"], "the hold timer expired");
    assert_eq!(
        protocol["routes"],
        json!({"imported": 3, "filtered": 0, "exported": 1, "preferred": 0})
    );
    // These must be text for Alice-LG, or it fails.
    for text in ["table", "protocol", "state", "description", "neighbor_address"] {
        assert!(protocol[text].is_string(), "{text}: {protocol}");
    }

    let short = as_json(ShortProtocols::of(&process(), &[peer("kube1", "Active")]));
    let short = &short["protocols"]["tor1"];
    assert_eq!((short["state"].as_str(), short["info"].as_str()), (Some("start"), Some("Active")));
    assert_eq!(short["since"], "2026-03-01 11:58:29");

    let disabled = Peer { disabled: true, ..peer("kube1", "Idle") };
    let answer = as_json(ShortProtocols::of(&process(), &[disabled]));
    assert_eq!(answer["protocols"]["tor1"]["state"], "down");
}

#[test]
fn peers_of_several_nodes_have_names_of_their_own() {
    let peers = [peer("kube1", "Established"), peer("kube2", "Established")];
    let answer = as_json(Protocols::of(&process(), &peers));
    let names: Vec<&String> = answer["protocols"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["tor1@kube1", "tor1@kube2"]);
}

#[test]
fn a_route_has_numbers_as_text_and_communities_as_numbers() {
    let of = announced("sent");
    let answer = as_json(Routes::of(&process(), vec![route(&of, "tor1", process().time)]));
    let route = &answer["routes"][0];
    assert_eq!(route["network"], "172.22.35.70/32");
    assert_eq!(route["from_protocol"], "tor1");
    assert_eq!(route["gateway"], "172.22.35.25");
    assert_eq!(route["age"], "2026-03-01 11:00:00");
    assert_eq!(route["primary"], true);
    assert_eq!(
        route["bgp"],
        json!({
            "origin": "IGP",
            "as_path": ["64636", "64636"],
            "next_hop": "172.22.35.25",
            "local_pref": "",
            "med": "7",
            "communities": [[64636, 100], [65535, 0]],
            "large_communities": [[64636, 1, 2]],
            "ext_communities": [["rt", "64636", "5"], ["color", "9", ""]],
        })
    );
    assert_eq!(answer.get("truncated"), None);
}

#[test]
fn routes_that_the_peer_has_are_exported_and_others_are_not() {
    for (state, is_there) in [
        ("sent", true),
        ("withdrawing", true),
        ("pending", false),
        ("other_path", false),
        ("unsendable", false),
        ("no_session", false),
    ] {
        assert_eq!(is_exported(&announced(state)), is_there, "{state}");
    }
}

#[test]
fn an_answer_is_bounded_and_says_so() {
    let one = route(&announced("sent"), "tor1", process().time);
    let answer = as_json(Routes::of(&process(), vec![one; MAX_ROUTES + 1]));
    assert_eq!(answer["routes"].as_array().unwrap().len(), MAX_ROUTES);
    assert_eq!(answer["truncated"], true);
}

#[test]
fn tables_have_the_routes_of_their_family() {
    for (name, ipv4, ipv6) in
        [("master", true, true), ("master4", true, false), ("master6", false, true)]
    {
        let table = Table::named(name).unwrap();
        assert_eq!(table.has("172.22.35.70/32"), ipv4, "{name}");
        assert_eq!(table.has("fd00::70/128"), ipv6, "{name}");
    }
    assert_eq!(Table::named("T64512"), None);
}

#[test]
fn the_address_of_a_peer_is_without_its_port() {
    for (endpoint, address) in
        [("172.22.35.1:179", "172.22.35.1"), ("[fd00::1]:179", "fd00::1"), ("eth1:179", "eth1")]
    {
        assert_eq!(protocols::address(endpoint), address);
    }
}
