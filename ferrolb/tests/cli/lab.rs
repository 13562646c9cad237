//! `ferrolb lab` without `--follow`, which runs to its end.

use serde_json::json;

use crate::world::{
    Manifests, around_a_shop, ferrolb, lab, lab_document, next_hops, reference, text,
};

#[test]
fn the_reference_cluster_gives_the_router_the_reference_table() {
    let session = |node: &str| json!({"node": node, "peer": "172.22.35.1", "state": "Established"});
    let service = |namespace: &str, name: &str, pool: &str, address: &str| json!({"namespace": namespace, "name": name, "pool": pool, "addresses": [address]});
    let route = |prefix: &str, next_hops: &[&str]| {
        json!({
            "prefix": prefix, "next_hops": next_hops, "as_path": [64636],
            "local_pref": null, "communities": [],
        })
    };
    let all = ["172.22.35.25", "172.22.35.26", "172.22.35.27"];
    let expected = json!({
        "sessions": [session("kube1"), session("kube2"), session("kube3")],
        "services": [
            service("mail", "smtp", "default", "172.22.35.70"),
            service("web", "public-web", "public", "200.1.154.64"),
            service("web", "web", "default", "172.22.35.64"),
        ],
        "routes": [
            route("172.22.35.64/32", &all),
            route("172.22.35.70/32", &["172.22.35.26"]),
            route("200.1.154.64/32", &all),
        ],
    });
    assert_eq!(lab_document(&reference(), &[]), expected);
}

#[test]
fn without_a_terminal_the_lab_prints_plain_tables_and_exits() {
    let output = lab(&reference(), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    for line in [
        "  kube2  172.22.35.1  Established",
        "  mail       smtp        default  172.22.35.70",
        "  172.22.35.70/32  172.22.35.26  kube2  64636    -",
        "  mail/smtp  kube1  externalTrafficPolicy is Local and no ready endpoint is on kube1, only on kube2",
    ] {
        assert!(stdout.lines().any(|it| it == line), "{line:?} is not in {stdout}");
    }
    assert!(!stdout.contains('\x1b'), "colours are for terminals");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn files_without_a_node_announce_nothing_and_a_note_says_so() {
    let manifests = Manifests::reference();
    manifests.write("nodes.yaml", "");
    let output = lab(&manifests.path(), &["--once"]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(stdout.contains("note: there is no Node in the files"), "{stdout}");
}

#[test]
fn a_lab_that_times_out_names_what_is_missing_and_exits_with_1() {
    let output = lab(&reference(), &["--once", "--timeout", "0s", "--output", "json"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("not as planned after 0ns"), "{stderr}");

    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // The progress until the timeout is random: the output names exactly the missing parts.
    let sessions = document["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3, "what there is is printed all the same");

    for session in sessions {
        let node = session["node"].as_str().unwrap();
        let named = stderr.contains(&format!("session {node} with 172.22.35.1: "));
        assert_eq!(named, session["state"] != "Established", "{session}: {stderr}");
    }
    let missing = |line: &str| {
        line.contains("router 172.22.35.1: 172.22.35.70/32: ")
            && line.contains("through 172.22.35.26, AS_PATH 64636")
    };
    let smtp = json!("172.22.35.70/32");
    let is_there = document["routes"].as_array().unwrap().iter().any(|it| it["prefix"] == smtp);
    assert_eq!(stderr.lines().any(missing), !is_there, "{document}: {stderr}");
}

#[test]
fn a_node_has_a_session_with_each_router_that_its_labels_select() {
    let manifests = Manifests::reference();
    manifests.replace(
        "config.yaml",
        "    address-pools:",
        "    - peer-address: 172.22.35.2
      peer-asn: 64636
      my-asn: 64636
      password: opensesame
      hold-time: 30s
      router-id: 10.0.0.9
      node-selectors:
      - match-labels: {kubernetes.io/hostname: kube2}
    address-pools:",
    );

    let document = lab_document(&manifests.path(), &[]);
    let sessions: Vec<_> = document["sessions"].as_array().unwrap().iter().collect();
    assert_eq!(sessions.len(), 4, "{sessions:?}");
    let routes = document["routes"].as_array().unwrap();
    let internal: Vec<_> = routes.iter().filter(|it| it["router"] == "172.22.35.2").collect();
    assert_eq!(internal.len(), 3);

    for route in internal {
        assert_eq!(route["next_hops"], json!(["172.22.35.26"]));
        assert_eq!(route["as_path"], json!([]), "the path of an internal session is empty");
        assert_eq!(route["local_pref"], 100);
    }
}

#[test]
fn sessions_have_the_settings_of_their_peers_and_ignored_settings_are_reported() {
    let manifests = Manifests::reference();
    manifests.replace(
        "config.yaml",
        "      my-asn: 64636\n",
        "      my-asn: 64636
      keepalive-time: 5s
      connect-time: 60s
      enable-graceful-restart: true
      ebgp-multihop: true
      source-address: 172.22.35.26
      next-hop: session
      bfd-profile: fast
    - {interface: eth1, dynamic-asn: external, my-asn: 64636}
    bfd-profiles: [{name: fast}]
",
    );

    let document = lab_document(&manifests.path(), &[]);
    let sessions = document["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 3, "{sessions:?}");
    assert!(sessions.iter().all(|it| it["state"] == "Established"), "{sessions:?}");

    // The output shows the node's address for the session, whatever it is on loopback.
    assert_eq!(next_hops(&document, "172.22.35.70/32"), ["172.22.35.26"]);
    let shown = text(&lab(&manifests.path(), &["--once"]).stdout);
    assert!(shown.contains("peer eth1 is at an interface, and a lab has no interfaces"), "{shown}");
}

#[test]
fn a_router_may_have_sessions_with_two_ases_of_one_node() {
    let manifests = Manifests::reference();
    manifests.replace(
        "config.yaml",
        "    address-pools:",
        "    - {peer-address: 172.22.35.1, peer-asn: 64635, my-asn: 64700}
    address-pools:",
    );

    let document = lab_document(&manifests.path(), &[]);
    let routes = document["routes"].as_array().unwrap();
    let mut paths: Vec<_> = routes
        .iter()
        .filter(|route| route["prefix"] == "172.22.35.70/32")
        .map(|route| (route["as_path"].to_string(), route["next_hops"].to_string()))
        .collect();
    paths.sort();
    let hop = r#"["172.22.35.26"]"#.to_owned();
    assert_eq!(paths, [("[64636]".to_owned(), hop.clone()), ("[64700]".to_owned(), hop)]);
}

#[test]
fn addresses_without_a_natural_loopback_address_get_one_and_it_is_reported() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "172.22.35.1\n", "fd00::1\n").replace(
        "nodes.yaml",
        "172.22.35.27",
        "10.22.35.26",
    );

    let output = lab(&manifests.path(), &["--once"]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}{}", text(&output.stderr));
    assert!(stdout.contains("note: router fd00::1 listens on 127.127.0."), "{stdout}");
    assert!(stdout.contains("note: kube3 dials from 127.127.0."), "{stdout}");

    let unannounced =
        "web/web         any node  the session with peer [fd00::1]:179 carries no IPv4";
    assert!(stdout.contains(unannounced), "{stdout}");
    manifests.replace("config.yaml", "fd00::1\n", "172.22.35.1\n");
    let document = lab_document(&manifests.path(), &[]);
    let hops = next_hops(&document, "172.22.35.64/32");
    assert_eq!(hops, ["10.22.35.26", "172.22.35.25", "172.22.35.26"]);
}

#[test]
fn routes_have_the_communities_of_their_advertisement() {
    let manifests = Manifests::reference();
    manifests.replace("config.yaml", "communities:\n", "communities: [64635:100, no-bgp]\n");
    manifests.replace(
        "config.yaml",
        "    address-pools:",
        "    bgp-communities: {no-bgp: 65535:65281}
    address-pools:",
    );
    let document = lab_document(&manifests.path(), &[]);
    for route in document["routes"].as_array().unwrap() {
        assert_eq!(route["communities"], json!(["64635:100", "65535:65281"]));
    }
}

/// A Service on the node kube1. Its pool and the Service have these annotations, its peer and advertisement these fields,
/// and the Node these addresses.
fn one_service(
    pool: &str,
    service: &str,
    peer: &str,
    advertisement: &str,
    node: &str,
) -> Manifests {
    let around = around_a_shop(node, &format!("peerAddress: 172.22.35.1{peer}"), advertisement);
    Manifests::of(&format!(
        "{around}---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: public, namespace: metallb-system, annotations: {{{pool}}}}}
spec: {{addresses: [192.0.2.16/28]}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: web, annotations: {{{service}}}}}
spec: {{type: LoadBalancer, externalTrafficPolicy: Local, selector: {{app: shop}}, ports: [{{port: 443}}]}}
"
    ))
}

const OWN: &str = "{type: InternalIP, address: 172.22.35.25}";

#[test]
fn a_route_shows_every_attribute_that_explain_says_is_sent() {
    let manifests = one_service(
        r#"ferrolb.io/link-bandwidth: "12500000", ferrolb.io/allow-med: "0-50", ferrolb.io/allow-prepend: "3""#,
        r#"ferrolb.io/med: "30", ferrolb.io/prepend: "1""#,
        "",
        r#"communities: ["large:64636:5:6", "64636:20"]"#,
        OWN,
    );
    let route = lab_document(&manifests.path(), &[])["routes"][0].clone();
    assert_eq!(
        route,
        json!({
            "prefix": "192.0.2.16/32", "next_hops": ["172.22.35.25"], "as_path": [64636, 64636],
            "local_pref": null, "med": 30, "communities": ["64636:20"],
            "large_communities": ["64636:5:6"], "extended_communities": ["bw:64636:12500000"],
        })
    );

    let dir = manifests.path();
    let explain = ["explain", "web/shop", "--from", dir.to_str().unwrap()];
    let explained = text(&ferrolb(&explain).output().unwrap().stdout);
    let sent = "MED 30 prepended 1 communities 64636:20 large:64636:5:6 bw:64636:12500000";
    assert!(explained.contains(sent), "{explained}");

    let shown = text(&lab(&dir, &["--once"]).stdout);
    let row = "kube1  64636 64636  30   64636:20 large:64636:5:6 bw:64636:12500000\n";
    assert!(shown.contains(row), "{shown}");
}

#[test]
fn a_next_hop_is_never_an_address_of_the_lab() {
    let without_effect = ", ebgpMultiHop: true";
    for (peer, node, next_hop) in [
        ("", OWN, json!("172.22.35.25")),
        (without_effect, OWN, json!("172.22.35.25")),
        (", sourceAddress: 172.22.35.77", OWN, json!("172.22.35.77")),
        // The lab does not know the address that the session would have.
        ("", "", json!(null)),
        ("", r#"{type: InternalIP, address: "fd00:35::25"}"#, json!(null)),
    ] {
        let manifests = one_service("", "", peer, "", node);
        let route = lab_document(&manifests.path(), &[])["routes"][0].clone();
        assert_eq!(route["next_hops"], json!([next_hop]), "{peer} {node}");
    }
    let shown = text(&lab(&one_service("", "", "", "", "").path(), &["--once"]).stdout);
    assert!(shown.contains("  192.0.2.16/32  session   kube1  64636    -\n"), "{shown}");
}

#[test]
fn the_error_about_a_port_in_use_says_how_to_fix_it() {
    let taken = std::net::TcpListener::bind("127.22.35.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let reference = reference();
    let arguments = ["lab", reference.to_str().unwrap(), "--once", "--port", &port];
    let output = ferrolb(&arguments).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(&format!("127.22.35.1:{port}")), "{stderr}");
    assert!(stderr.contains("--port 0"), "{stderr}");
}
