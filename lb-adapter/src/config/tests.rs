use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{
    Asn, BgpAdvertisement, BgpIdentifier, Community, Password, Peer, PeerAsn, Pool, PoolSelection,
    Protocol, SelectorOperator,
};

pub(super) fn good(text: &str) -> Config {
    let parsed = parse("f", text).unwrap_or_else(|failed| panic!("{failed}"));
    assert_eq!(parsed.warnings, [], "{text}");
    parsed.config
}

/// Returns the problems of a text, one line each.
pub(super) fn problems(text: &str) -> Vec<String> {
    let all = match parse("f", text) {
        Ok(parsed) => parsed.warnings,
        Err(failed) => failed.into_iter().collect(),
    };
    all.iter().map(ToString::to_string).collect()
}

/// A configuration of one peer, with this line added.
pub(super) fn peer_with(line: &str) -> String {
    format!("peers:\n- my-asn: 1\n  peer-asn: 2\n  peer-address: 10.0.0.1\n  {line}\n")
}

/// A configuration of one pool, with these addresses and this line added.
pub(super) fn pool_with(addresses: &str, line: &str) -> String {
    format!("address-pools:\n- name: a\n  protocol: bgp\n  addresses: {addresses}\n  {line}\n")
}

#[test]
fn the_reference_configuration_is_read() {
    let config = good(
        "\
peers:
- peer-address: 172.22.35.1
  peer-asn: 64635
  my-asn: 64636
address-pools:
- name: default
  protocol: bgp
  addresses:
  - 172.22.35.64/26
  bgp-advertisements:
  - aggregation-length: 32
    localpref: 100
    communities:
- name: public
  protocol: bgp
  addresses:
  - 200.1.154.64/26
  auto-assign: false
  bgp-advertisements:
  - aggregation-length: 32
    localpref: 100
    communities:
",
    );
    let peer = Peer::new(Asn(64636), Asn(64635), "172.22.35.1".parse::<IpAddr>().unwrap());
    let advertisement = |name: &str, pool: &str| BgpAdvertisement {
        local_pref: Some(100),
        pools: PoolSelection::only(pool),
        ..BgpAdvertisement::new(name)
    };
    let default = Pool::new("default", vec!["172.22.35.64/26".parse().unwrap()]);
    let mut public = Pool::new("public", vec!["200.1.154.64/26".parse().unwrap()]);
    public.auto_assign = false;
    let mut expected = Config::new(vec![peer], vec![default, public]);
    expected.bgp_advertisements = vec![
        advertisement("bgpadvertisement1", "default"),
        advertisement("bgpadvertisement2", "public"),
    ];
    assert_eq!(config, expected);
}

#[test]
fn every_key_is_read() {
    let config = good(
        "\
peers:
- my-asn: 64636
  peer-asn: 4200000000
  peer-address: fd00::1
  peer-port: 1179
  hold-time: 1m30s
  router-id: 10.0.0.1
  password: 'open sesame'
  node-selectors:
  - match-labels: {rack: a}
  - match-expressions:
    - {key: kubernetes.io/hostname, operator: NotIn, values: [kube1, kube2]}
    - {key: role, operator: Exists}
bgp-communities:
  gold: 64512:10
address-pools:
- name: a
  protocol: bgp
  addresses: [10.0.0.0/24, 10.0.2.0-10.0.2.255]
  avoid-buggy-ips: on
  auto-assign: no
  bgp-advertisements:
  - aggregation-length: 24
  - localpref: 200
    communities: [gold, 65535:65281]
- name: b
  protocol: layer2
  addresses: ['fd00:1::/64']
",
    );
    let [peer] = config.peers.as_slice() else { panic!("{:?}", config.peers) };
    assert_eq!(peer.name, "[fd00::1]:1179");
    assert_eq!((peer.peer_asn, peer.port), (PeerAsn::Number(Asn(4_200_000_000)), 1179));
    assert_eq!(peer.hold_time, Duration::from_secs(90));
    assert_eq!(peer.router_id, Some(BgpIdentifier("10.0.0.1".parse().unwrap())));
    assert_eq!(peer.password, Some(Password::new("open sesame")));
    assert_eq!(peer.node_selectors.len(), 2);
    assert_eq!(peer.node_selectors[0].match_labels.get("rack"), Some("a"));
    let expressions = &peer.node_selectors[1].match_expressions;
    assert_eq!(
        (expressions[0].operator, expressions[0].values.len()),
        (SelectorOperator::NotIn, 2)
    );
    assert_eq!(expressions[1].operator, SelectorOperator::Exists);

    let a = config.pool("a").unwrap();
    assert!(a.avoid_buggy_ips && !a.auto_assign);
    assert_eq!(a.ranges[1].to_string(), "10.0.2.0-10.0.2.255");
    let of_a: Vec<_> = config.advertisements_of(a).collect();
    assert_eq!(of_a[0].aggregation_length, 24);
    assert_eq!(of_a[1].aggregation_length, 32);
    assert_eq!(of_a[1].local_pref, Some(200));
    assert_eq!(
        of_a[1].communities,
        [Community::new(64512, 10), Community::new(65535, 65281)].into()
    );
    let b = config.pool("b").unwrap();
    assert_eq!((b.protocol, config.advertisements_of(b).count()), (Protocol::Layer2, 0));
    assert!(config.l2_advertisements[0].pools.selects(b));
}

#[test]
fn an_empty_text_is_a_configuration_and_null_counts_as_absent() {
    for text in ["", "# nothing\n", "---\n", "{}", "peers:\naddress-pools:\nbgp-communities:\n"] {
        assert_eq!(good(text), Config::default(), "{text}");
    }
    let peer = &good(&peer_with("hold-time:\n  peer-port:\n  node-selectors: []")).peers[0];
    assert_eq!(*peer, Peer::new(Asn(1), Asn(2), "10.0.0.1".parse::<IpAddr>().unwrap()));
    let config = good(&pool_with("[10.0.0.0/24]", "bgp-advertisements: []"));
    let mut expected = BgpAdvertisement::new("bgpadvertisement1");
    expected.pools = PoolSelection::only(&config.pools[0].name);
    assert_eq!(config.bgp_advertisements, [expected]);
}

#[test]
fn zero_is_the_default_of_port_and_local_preference() {
    assert_eq!(good(&peer_with("peer-port: 0")).peers[0].port, 179);
    let config = good(&pool_with("[10.0.0.0/24]", "bgp-advertisements: [{localpref: 0}]"));
    assert_eq!(config.bgp_advertisements[0].local_pref, None);
}

#[test]
fn a_name_may_look_like_a_number() {
    let config = good("address-pools: [{name: 12, protocol: bgp, addresses: [10.0.0.0/24]}]");
    assert_eq!(config.pools[0].name, "12");
}

#[test]
fn all_problems_are_listed_at_once_in_order() {
    let text = "\
peers:
- my-asn: 64636
  peer-addres: 10.0.0.1
adress-pools: []
address-pools:
- name: a
  protocol: BGP
  addresses: [10.0.0.0/33]
  auto-assign: maybe
";
    assert_eq!(
        problems(text),
        [
            "f:2:3: error: peers[0].peer-asn: missing, expected an AS number",
            "f:2:3: error: peers[0].peer-address: missing, expected the router's address",
            "f:3:3: error: peers[0].peer-addres: unknown key, did you mean peer-address?",
            "f:4:1: error: adress-pools: unknown key, did you mean address-pools?",
            "f:7:13: error: address-pools[0].protocol: expected bgp or layer2, found \"BGP\"",
            "f:8:15: error: address-pools[0].addresses[0]: \"10.0.0.0/33\" is not an address range, \
             expected a prefix such as 192.0.2.0/24 or a range such as 192.0.2.10-192.0.2.20",
            "f:9:16: error: address-pools[0].auto-assign: expected true or false, found \"maybe\"",
        ]
    );
}

#[test]
fn an_unknown_key_without_a_similar_one_gets_the_list_of_keys() {
    assert_eq!(
        problems("pools: []"),
        [
            "f:1:1: error: pools: unknown key, expected peers, bgp-communities, address-pools or bfd-profiles"
        ]
    );
}

#[test]
fn repeated_keys_are_errors_that_name_both_places() {
    assert_eq!(
        problems("peers: []\naddress-pools: []\npeers: []\n"),
        ["f:3:1: error: peers: repeated key, it is also at f:1"]
    );
    assert_eq!(
        problems("bgp-communities:\n  a: 1:1\n  a: 1:2\n"),
        ["f:3:3: error: bgp-communities.a: repeated key, it is also at f:2"]
    );
}

#[test]
fn a_value_of_the_wrong_type_is_reported_with_what_was_expected() {
    for (text, expected) in [
        ("peers", "f:1:1: error: expected a mapping, found \"peers\""),
        ("peers: 12", "f:1:8: error: peers: expected a list, found 12"),
        ("peers: [~]", "f:1:9: error: peers[0]: expected a mapping, found nothing"),
        ("bgp-communities: []", "f:1:18: error: bgp-communities: expected a mapping, found a list"),
        ("---\n---\n{}\n---\n{}", "f:5:1: error: expected one YAML document, found another"),
        ("a: b: c", "f:1:5: error: invalid YAML: mapping values are not allowed in this context"),
    ] {
        assert_eq!(problems(text), [expected]);
    }
}

#[test]
fn numbers_of_peers_are_checked() {
    for (line, expected) in [
        ("peer-port: 65536", "peer-port: expected a number from 0 to 65535, found 65536"),
        ("peer-port: \"179\"", "peer-port: expected a number from 0 to 65535, found \"179\""),
        ("peer-port: -1", "peer-port: expected a number from 0 to 65535, found -1"),
    ] {
        let column = 3 + line.find(": ").unwrap() + 2;
        assert_eq!(
            problems(&peer_with(line)),
            [format!("f:5:{column}: error: peers[0].{expected}")]
        );
    }
    for (asn, expected) in [
        ("0", "expected a number from 1 to 4294967295, found 0"),
        ("4294967296", "expected a number from 1 to 4294967295, found 4294967296"),
        ("\"64636\"", "expected a number from 1 to 4294967295, found \"64636\""),
        ("1.10", "1.10 is in AS-dot notation, write 65546"),
        ("", "missing, expected an AS number"),
    ] {
        let text = format!("peers: [{{peer-asn: 2, peer-address: 10.0.0.1, my-asn: {asn}}}]");
        let problems = problems(&text);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with(&format!("peers[0].my-asn: {expected}")), "{problems:?}");
    }
}

#[test]
fn hold_times_are_durations_in_go_notation() {
    for (text, seconds) in [("90s", 90), ("3s", 3), ("0", 0), ("0s", 0), ("18h12m15s", 65535)] {
        let config = good(&peer_with(&format!("hold-time: {text}")));
        assert_eq!(config.peers[0].hold_time, Duration::from_secs(seconds), "{text}");
    }
    for (text, expected) in [
        (
            "120",
            "error: peers[0].hold-time: 120 has a number without a unit, expected a duration such as 90s or 1m30s",
        ),
        (
            "2d",
            "error: peers[0].hold-time: \"2d\" has a unit other than h, m, s, ms, us or ns, expected a duration such as 90s or 1m30s",
        ),
        ("2s", "error: peers[0].hold-time: expected 0s or a time from 3s to 65535s, found \"2s\""),
        (
            "18h12m16s",
            "error: peers[0].hold-time: expected 0s or a time from 3s to 65535s, found \"18h12m16s\"",
        ),
        (
            "-3s",
            "error: peers[0].hold-time: \"-3s\" is negative, expected a duration such as 90s or 1m30s",
        ),
        (
            "500ms",
            "warning: peers[0].hold-time: \"500ms\" is rounded down to 0s, which disables keepalives",
        ),
        ("3.5s", "warning: peers[0].hold-time: \"3.5s\" is rounded down to 3s"),
    ] {
        assert_eq!(
            problems(&peer_with(&format!("hold-time: {text}"))),
            [format!("f:5:14: {expected}")]
        );
    }
}

#[test]
fn addresses_of_peers_are_checked() {
    for (line, path) in [
        (
            "router-id: fd00::1",
            "router-id: expected an IPv4 address other than 0.0.0.0, found \"fd00::1\"",
        ),
        (
            "router-id: 0.0.0.0",
            "router-id: expected an IPv4 address other than 0.0.0.0, found \"0.0.0.0\"",
        ),
    ] {
        assert_eq!(problems(&peer_with(line)), [format!("f:5:14: error: peers[0].{path}")]);
    }
    for address in ["tor1", "10.0.0.0/24", "0.0.0.0", "224.0.0.1"] {
        let text = format!("peers: [{{my-asn: 1, peer-asn: 2, peer-address: {address}}}]");
        let expected = "expected the address of a router, such as 192.0.2.1, found";
        assert_eq!(
            problems(&text),
            [format!("f:1:48: error: peers[0].peer-address: {expected} {address:?}")]
        );
    }
}

#[test]
fn a_password_is_never_shown() {
    for value in ["[opensesame]", "{opensesame: 1}"] {
        let problems = problems(&peer_with(&format!("password: {value}")));
        assert!(
            problems.len() == 1
                && problems[0].contains("peers[0].password: expected a string, found a "),
            "{problems:?}"
        );
        assert!(!problems[0].contains("opensesame"));
    }
    assert_eq!(good(&peer_with("password: ''")).peers[0].password, None);
    assert_eq!(good(&peer_with("password: 1234")).peers[0].password, Some(Password::new("1234")));
}

#[test]
fn node_selectors_are_checked() {
    for (selector, expected) in [
        (
            "{labels: {}}",
            "5:21: error: peers[0].node-selectors[0].labels: unknown key, expected match-labels or match-expressions",
        ),
        (
            "{match-labels: {a b: c}}",
            "5:41: error: peers[0].node-selectors[0].match-labels[\"a b\"]: \"a b\" is not a label key, expected one such as rack or example.com/rack",
        ),
        (
            "{match-expressions: [{key: a, operator: in, values: [b]}]}",
            "5:60: error: peers[0].node-selectors[0].match-expressions[0].operator: expected In, NotIn, Exists or DoesNotExist, found \"in\"",
        ),
        (
            "{match-expressions: [{key: a, operator: In}]}",
            "5:41: error: peers[0].node-selectors[0].match-expressions[0].values: missing, In and NotIn need at least one value",
        ),
        (
            "{match-expressions: [{key: a, operator: In, values: []}]}",
            "5:72: error: peers[0].node-selectors[0].match-expressions[0].values: empty, In and NotIn need at least one value",
        ),
        (
            "{match-expressions: [{key: a, operator: Exists, values: [b]}]}",
            "5:76: error: peers[0].node-selectors[0].match-expressions[0].values: Exists and DoesNotExist take no values",
        ),
        (
            "{match-expressions: [{operator: Exists}]}",
            "5:41: error: peers[0].node-selectors[0].match-expressions[0].key: missing, expected a label key",
        ),
    ] {
        assert_eq!(
            problems(&peer_with(&format!("node-selectors: [{selector}]"))),
            [format!("f:{expected}")]
        );
    }
}

#[test]
fn similar_peers_get_a_warning() {
    let peer =
        |extra: &str| format!("- {{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1{extra}}}\n");
    let text =
        format!("peers:\n{}{}{}", peer(""), peer(", peer-port: 179"), peer(", hold-time: 3s"));
    let parsed = parse("f", &text).unwrap();
    let names: Vec<_> = parsed.config.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["10.0.0.1:179", "10.0.0.1:179#2", "10.0.0.1:179#3"]);
    assert_eq!(
        problems(&text),
        [
            "f:3:3: warning: peers[1]: same peer as at f:2: the router refuses one of the two sessions",
            "f:4:3: warning: peers[2]: same router and nodes as the peer at f:2: each node opens two sessions",
        ]
    );
    let apart = ", node-selectors: [{match-labels: {rack: b}}]";
    assert_eq!(good(&format!("peers:\n{}{}", peer(""), peer(apart))).peers.len(), 2);
}

#[test]
fn the_list_of_errors_is_limited() {
    let text: String = (0..5_000).map(|key| format!("x{key}: 1\n")).collect();
    let problems = problems(&text);
    assert_eq!(problems.len(), 1_001);
    assert_eq!(problems[1_000], "f:1001:1: error: more than 1000 errors, the rest is not listed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arbitrary_text_does_not_panic(text in "\\PC{0,200}") {
        let _ = parse("f", &text);
    }

    #[test]
    fn arbitrary_values_do_not_panic(value in "[-0-9a-z.:/{}\\[\\], ]{0,40}", key in 0_usize..20) {
        let keys = ["my-asn", "peer-asn", "peer-address", "peer-port", "hold-time", "router-id",
            "node-selectors", "password", "name", "protocol", "addresses", "avoid-buggy-ips",
            "auto-assign", "bgp-advertisements"];
        let key = keys[key % keys.len()];
        let _ = parse("f", &peer_with(&format!("{key}: {value}")));
        let _ = parse("f", &pool_with("[10.0.0.0/24]", &format!("{key}: {value}")));
        let _ = parse("f", &pool_with(&value, &format!("bgp-advertisements: [{{communities: [{value}]}}]")));
    }
}
