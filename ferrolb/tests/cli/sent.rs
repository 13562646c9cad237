//! Routes that no session can carry: `explain`, `replay`, `lab`, the log and the metrics must agree about them.

use serde_json::Value;

use bgp_session::AfiSafi;

use crate::ask::{ask, get, start, value};
use crate::run::Router;
use crate::world::{Manifests, around_a_shop, lab, printed, text, wait_until};

/// A dual-stack Service on the node kube1, which has these addresses and a peer at this port.
fn dual_stack(port: u16, addresses: &[&str], peer: &str, advertisement: &str) -> Manifests {
    let addresses: Vec<_> =
        addresses.iter().map(|it| format!("{{type: InternalIP, address: \"{it}\"}}")).collect();
    let peer = format!("peerAddress: 127.22.35.1, peerPort: {port}{peer}");
    let around = around_a_shop(&addresses.join(", "), &peer, advertisement);
    Manifests::of(&format!(
        r#"{around}---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {{name: both, namespace: metallb-system}}
spec: {{addresses: [192.0.2.16/28, "2001:db8:16::/124"]}}
---
apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: web}}
spec:
  type: LoadBalancer
  clusterIPs: [10.96.7.1, "fd00:96::1"]
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: RequireDualStack
  selector: {{app: shop}}
  ports: [{{port: 443}}]
"#
    ))
}

const V4: &str = "192.0.2.16/32";
const V6: &str = "2001:db8:16::/128";
const BOTH: [&str; 2] = ["127.22.35.25", "fd00:35::25"];
const DUAL: &str = ", dualStackAddressFamily: true";
const EXPLAIN: [&str; 2] = ["explain", "web/shop"];

fn metric(url: &str, begin: &str) -> f64 {
    value(&get(url, "/metrics"), begin)
}

#[test]
fn a_family_that_the_router_does_not_offer_is_reported_by_explain_log_and_metrics() {
    let router = Router::with(|peer| peer.families([AfiSafi::IPV4_UNICAST]));
    let manifests = dual_stack(router.address().port(), &BOTH, DUAL, "");
    let (process, url) = start(&manifests);

    let up = process.error(|line| line.contains("session up"));
    assert!(up.contains("families=\"ipv4-unicast\""), "{up}");
    let warning = process.error(|line| line.contains("cannot be sent"));
    assert!(warning.contains("WARN") && warning.contains(V6), "{warning}");
    assert!(warning.contains("the router did not offer ipv6-unicast"), "{warning}");

    wait_until("the IPv4 route", || router.table().len() == 1);
    let explained = ask(&url, &EXPLAIN);
    let sent = format!(
        "    session       ok    Established\n    sent          ok    {V4}\n    sent          FAIL  {V6}: \
         the router did not offer ipv6-unicast\n                        to fix it: activate ipv6-unicast for \
         this peer on the router\n"
    );
    assert!(explained.contains(&sent), "{explained}");
    assert!(explained.contains("\nkube1: announced\n"), "{explained}");

    for (name, value) in [
        ("metallb_bgp_announced_prefixes_total{", 1.0),
        ("metallb_bgp_pending_prefixes_total{", 1.0),
        ("ferrolb_bgp_prefixes_unsendable_total{", 1.0),
    ] {
        assert_eq!(metric(&url, name), value, "{name}");
    }
}

#[test]
fn explain_reports_a_router_that_offers_no_family_of_ours() {
    let router = Router::with(|peer| peer.families([AfiSafi::IPV6_UNICAST]));
    let manifests = dual_stack(router.address().port(), &BOTH, "", "");
    let (_process, url) = start(&manifests);
    wait_until("the session", || router.node().is_established());
    let explained = || ask(&url, &EXPLAIN);
    wait_until("the reason", || explained().contains("did not offer ipv4-unicast"));
    assert!(explained().contains("\nkube1: not announced\n"), "{}", explained());

    let document = ask(&url, &[&EXPLAIN[..], &["-o", "json"]].concat());
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["nodes"][0]["announced"], false, "{document}");
    assert_eq!(metric(&url, "metallb_bgp_announced_prefixes_total{"), 0.0);
}

#[test]
fn attributes_too_long_for_a_message_are_reported() {
    let router = Router::with(|peer| peer.extended_messages(false));
    let communities: Vec<_> = (1..1_100).map(|it| format!("\"64636:{it}\"")).collect();
    let communities = format!("communities: [{}]", communities.join(", "));
    let manifests = dual_stack(router.address().port(), &BOTH[..1], "", &communities);
    let (process, url) = start(&manifests);
    let warning = process.error(|line| line.contains("cannot be sent"));
    let why = "the attributes do not fit a message of 4096 octets";
    assert!(warning.contains(why), "{warning}");
    let explained = ask(&url, &EXPLAIN);
    assert!(explained.contains(&format!("    sent          FAIL  {V4}: {why}\n")), "{explained}");
    assert_eq!(metric(&url, "metallb_bgp_pending_prefixes_total{"), 1.0);
}

/// The reasons that a lab gives for a Service that the node does not announce completely.
fn lab_reasons(manifests: &Manifests) -> String {
    let output = lab(&manifests.path(), &["--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let text = text(&output.stdout);
    text.split("Not announced").nth(1).unwrap_or_default().to_owned()
}

/// The gates and reasons of the last answer to a recording.
fn replayed(url: &str, manifests: &Manifests) -> Vec<(String, String)> {
    let recording = manifests.beside("recording.jsonl");
    let objects = get(url, "/objects");
    std::fs::write(&recording, objects.split_once("\r\n\r\n").unwrap().1).unwrap();
    let answers = printed(&["replay", recording.to_str().unwrap()]);
    let last: Value = serde_json::from_str(answers.lines().last().unwrap()).unwrap();
    let routes: Vec<_> = last["routes"].as_array().unwrap().iter().collect();
    assert!(routes.iter().all(|route| route["prefix"] == V4), "{routes:?}");
    let withheld = last["not_announced"].as_array().unwrap().iter();
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    withheld.map(|it| (text(&it["gate"]), text(&it["reason"]))).collect()
}

#[test]
fn a_missing_node_address_or_session_family_is_the_same_reason_everywhere() {
    let without_next_hop = "kube1 has no IPv6 address to use as the next hop";
    let not_carried =
        "no session of the node carries IPv6 routes, so 2001:db8:16:: is not announced";
    for (peer, gate, reason) in [(DUAL, "node", without_next_hop), ("", "policy", not_carried)] {
        let router = Router::start();
        let manifests = dual_stack(router.address().port(), &BOTH[..1], peer, "");
        let (_process, url) = start(&manifests);
        wait_until("the IPv4 route", || router.table().len() == 1);

        let failed = format!("  {gate:<14}FAIL  {reason}\n");
        let explained = ask(&url, &EXPLAIN);
        assert!(explained.contains(&failed), "{explained}");
        assert!(explained.contains(&format!("sent          ok    {V4}\n")), "{explained}");
        let dir = manifests.path();
        let offline = printed(&[&EXPLAIN[..], &["--from", dir.to_str().unwrap()]].concat());
        assert!(offline.contains(&failed), "{offline}");

        assert_eq!(replayed(&url, &manifests), [(gate.to_owned(), reason.to_owned())]);
        // The table wraps its lines.
        let words: Vec<_> = reason.split(' ').collect();
        let shown = lab_reasons(&manifests);
        let shown: Vec<_> = shown.split_whitespace().collect();
        assert!(words.iter().all(|word| shown.contains(word)), "{shown:?}");
        assert_eq!(metric(&url, "ferrolb_bgp_prefixes_unsendable_total{"), 0.0);
    }
}

#[test]
fn a_service_whose_session_is_down_is_not_announced() {
    let manifests = dual_stack(179, &BOTH, DUAL, "");
    let mut recording = String::new();
    let text = manifests.read("all.yaml");
    for document in text.split("---\n") {
        let object: Value = serde_saphyr::from_str(document).unwrap();
        recording.push_str(&format!("{}\n", serde_json::json!({ "apply": object })));
    }

    let session = |up: bool| {
        let step = serde_json::json!({"node": "kube1", "peer": "127.22.35.1:179", "up": up});
        format!("{}\n", serde_json::json!({ "session": step }))
    };

    let path = manifests.beside("down.jsonl");
    for (up, announced) in [(true, true), (false, false)] {
        std::fs::write(&path, format!("{recording}{}", session(up))).unwrap();
        let arguments = [&EXPLAIN[..], &["--from", path.to_str().unwrap()]].concat();
        let heading = if announced { "\nkube1: announced\n" } else { "\nkube1: not announced\n" };
        let explained = printed(&arguments);
        assert!(explained.contains(heading), "{explained}");
        let document = printed(&[&arguments[..], &["-o", "json"]].concat());
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["nodes"][0]["announced"], announced);
    }
}
