//! No key of a configuration is ignored silently: each one changes the behavior, or is named in an error or a warning.

use serde_json::{Map, Value, json};

use super::*;
use crate::config::key::{Format, Key};
use crate::config::{advertisements, bfd_profiles, extensions, peers, pools};
use crate::engine::bgp_identifier;
use crate::model::{Config, IpFamily, Labels, NextHopPolicy, Node};

/// A peer, a pool, an advertisement and a profile with only the required keys.
#[derive(Clone)]
struct Text {
    format: Format,
    peer: Map<String, Value>,
    pool: Map<String, Value>,
    advertisement: Map<String, Value>,
    profile: Map<String, Value>,
    layer2: Map<String, Value>,
    /// Annotations of the peer and of the pool.
    annotations: [Map<String, Value>; 2],
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other}"),
    }
}

impl Text {
    fn new(format: Format) -> Self {
        let (peer, pool) = match format {
            Format::ConfigMap => (
                json!({"my-asn": 64512, "peer-asn": 64513, "peer-address": "192.0.2.1", "bfd-profile": "fast"}),
                json!({"name": "a", "protocol": "bgp", "addresses": ["10.0.0.0/24", "fd00::/64"]}),
            ),
            Format::Resources => (
                json!({"myASN": 64512, "peerASN": 64513, "peerAddress": "192.0.2.1", "bfdProfile": "fast"}),
                json!({"addresses": ["10.0.0.0/24", "fd00::/64"]}),
            ),
        };
        let (advertisement, profile, layer2) = (Map::new(), Map::new(), Map::new());
        let (peer, pool) = (map(peer), map(pool));
        let annotations = [Map::new(), Map::new()];
        Self { format, peer, pool, advertisement, profile, layer2, annotations }
    }

    /// Returns the text as JSON, which is YAML.
    fn write(&self) -> String {
        if self.format == Format::ConfigMap {
            let (mut pool, mut profile) = (self.pool.clone(), self.profile.clone());
            pool.insert("bgp-advertisements".to_owned(), json!([self.advertisement]));
            profile.insert("name".to_owned(), json!("fast"));
            let text = json!({"peers": [self.peer], "address-pools": [pool],
                "bfd-profiles": [profile, {"name": "other", "detect-multiplier": 9}],
                "bgp-communities": {"gold": "64512:7"}});
            return text.to_string();
        }
        let object = |version: &str,
                      kind: &str,
                      name: &str,
                      notes: &Map<String, Value>,
                      spec: &Map<String, Value>| {
            json!({"apiVersion": format!("metallb.io/{version}"), "kind": kind,
                "metadata": {"name": name, "annotations": notes}, "spec": spec})
            .to_string()
        };
        let none = Map::new();
        let mut objects = vec![
            object("v1beta2", "BGPPeer", "a", &self.annotations[0], &self.peer),
            object("v1beta1", "IPAddressPool", "a", &self.annotations[1], &self.pool),
            object("v1beta1", "BGPAdvertisement", "a", &none, &self.advertisement),
            object("v1beta1", "BFDProfile", "fast", &none, &self.profile),
            object("v1beta1", "BFDProfile", "other", &none, &map(json!({"detectMultiplier": 9}))),
            object("v1beta1", "Community", "c", &none, &map(json!({"communities": [{"name": "gold", "value": "64512:7"}]}))),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "kubernetes.io/basic-auth",
                "stringData": {"password": "sesame"}}).to_string(),
        ];
        if !self.layer2.is_empty() {
            objects.push(object("v1beta1", "L2Advertisement", "l", &none, &self.layer2));
        }
        objects.join("\n---\n")
    }
}

/// Returns the behavior that follows from a text, and its problems.
fn outcome(text: &Text) -> (Option<String>, Vec<String>) {
    let options = Options { lenient: true, ..Options::default() };
    let source = Source { name: "f".to_owned(), octets: text.write().into_bytes() };
    let examined = examine(&options, "f", &[source], Vec::new());
    let problems = examined.problems.iter().map(ToString::to_string).collect();
    let done = examined.manifests.map(|manifests| {
        let Config { pools, bgp_advertisements, l2_advertisements, peers, .. } = &manifests.config;
        let mut node = Node::new("kube1");
        node.addresses = vec!["192.0.2.25".parse().unwrap()];
        let sessions: Vec<_> = peers
            .iter()
            .map(|peer| {
                let name = peer.bfd_profile.as_deref();
                let bfd = name.and_then(|name| manifests.config.bfd_profile(name));
                // The tests of ferrolb-node show that each field of a peer has an effect on its session.
                let terms = (peer, peer.shown_asn(), bgp_identifier(&node, peer), bfd);
                let carried = [IpFamily::Ipv4, IpFamily::Ipv6].map(|family| peer.carries(family));
                let next_hop = peer.next_hop_or(&NextHopPolicy::NodeAddress).clone();
                (terms, peer.selects(&Labels::new()), carried, next_hop)
            })
            .collect();
        format!("{sessions:?} {pools:?} {bgp_advertisements:?} {l2_advertisements:?}")
    });
    (done, problems)
}

/// Asserts that a key changes the behavior, or is named in a new problem.
#[track_caller]
fn assert_noticed(before: &Text, after: &Text, key: &str) {
    let ((done, problems), (done_before, problems_before)) = (outcome(after), outcome(before));
    assert!(done_before.is_some(), "{problems_before:?}");
    let named = problems.iter().any(|line| line.contains(key) && !problems_before.contains(line));
    assert!(
        named || done.is_some_and(|done| Some(done) != done_before),
        "{key} is ignored: {problems:?}"
    );
}

/// Returns a value for a key that is not its default, in the spelling of a resource.
fn sample(key: &str) -> Value {
    let selector = json!({"matchLabels": {"a": "b"}});
    match key {
        "myASN" | "localASN" => json!(65000),
        "peerASN" => json!(64999),
        "dynamicASN" => json!("external"),
        "peerAddress" => json!("192.0.2.2"),
        "sourceAddress" => json!("192.0.2.9"),
        "interface" => json!("eth1"),
        "peerPort" => json!(1179),
        "holdTime" => json!("30s"),
        "keepaliveTime" => json!("10s"),
        "connectTime" => json!("7s"),
        "routerID" => json!("1.2.3.4"),
        "password" => json!("sesame"),
        "passwordSecret" => json!({"name": "s"}),
        "bfdProfile" => json!("other"),
        "ebgpMultiHop" | "enableGracefulRestart" | "dualStackAddressFamily" | "disableMP" => {
            json!(true)
        }
        "vrf" => json!("red"),
        "addresses" => json!(["10.1.0.0/24"]),
        "autoAssign" => json!(false),
        "avoidBuggyIPs" | "echoMode" | "passiveMode" => json!(true),
        "serviceAllocation" => json!({"priority": 7}),
        "aggregationLength" => json!(28),
        "aggregationLengthV6" => json!(96),
        "localPref" => json!(200),
        "communities" => json!(["gold"]),
        "ipAddressPools" | "peers" => json!(["x"]),
        "nodeSelectors" | "serviceSelectors" | "ipAddressPoolSelectors" => json!([selector]),
        "receiveInterval" | "transmitInterval" | "echoInterval" => json!(100),
        "detectMultiplier" => json!(5),
        "minimumTtl" => json!(200),
        "interfaces" => json!(["eth0"]),
        "preferredNodeSelectors" => json!([{"weight": 1, "preference": selector}]),
        "allow-communities" => json!("64512:*"),
        "allow-local-pref" | "allow-med" | "link-bandwidth" => json!("100"),
        "allow-prepend" | "probe-rise" | "probe-fall" => json!("7"),
        "allow-health" => json!("true"),
        "min-ready" | "link-bandwidth-hysteresis" => json!("50%".trim_end_matches('%')),
        "probe" => json!("tcp:80"),
        "probe-interval" | "probe-timeout" | "hold-down" => json!("4s"),
        "when-unhealthy" => json!("depreference"),
        "dataplane-gate" => json!("require"),
        "next-hop" => json!("session"),
        "without-capabilities" => json!("extended-message"),
        other => panic!("no sample for the key {other}"),
    }
}

fn spelt(key: Key, format: Format) -> (String, Value) {
    let value = sample(key.1);
    let name = key.of(format).to_owned();
    if format == Format::Resources {
        return (name, value);
    }
    let text = value.to_string().replace("matchLabels", "match-labels");
    let text = if key.1 == "passwordSecret" { "\"s\"".to_owned() } else { text };
    (name, serde_json::from_str(&text).unwrap())
}

fn each(keys: &[Key], part: impl Fn(&mut Text) -> &mut Map<String, Value>) {
    for format in [Format::ConfigMap, Format::Resources] {
        for key in keys.iter().copied().filter(|key| !key.of(format).is_empty()) {
            let before = Text::new(format);
            let mut after = before.clone();
            let (name, value) = spelt(key, format);
            let map = part(&mut after);
            // Two keys replace another one.
            for (own, other) in [
                ("interface", ["peer-address", "peerAddress"]),
                ("dynamicASN", ["peer-asn", "peerASN"]),
            ] {
                if own == key.1 {
                    other.iter().for_each(|other| drop(map.remove(*other)));
                }
            }
            map.insert(name.clone(), value);
            assert_noticed(&before, &after, &name);
        }
    }
}

#[test]
fn every_key_of_a_peer_changes_its_session_or_is_named() {
    each(&peers::KEYS, |text| &mut text.peer);
}

#[test]
fn every_key_of_a_pool_changes_it_or_is_named() {
    each(&pools::KEYS, |text| &mut text.pool);
}

#[test]
fn every_key_of_an_advertisement_changes_it_or_is_named() {
    each(&advertisements::CONFIG_MAP_KEYS, |text| &mut text.advertisement);
    each(&advertisements::BGP_KEYS, |text| &mut text.advertisement);
}

#[test]
fn every_key_of_a_bfd_profile_changes_the_session_or_is_named() {
    each(&bfd_profiles::KEYS, |text| &mut text.profile);
}

#[test]
fn every_l2advertisement_is_reported_with_any_key() {
    let before = Text::new(Format::Resources);
    for key in advertisements::L2_KEYS {
        let mut after = before.clone();
        after.layer2.insert(key.to_owned(), sample(key));
        let (_, problems) = outcome(&after);
        let reported =
            problems.iter().any(|line| line.contains("FerroLB does not announce layer 2"));
        assert!(reported, "{key}: {problems:?}");
    }
}

#[test]
fn every_extension_key_changes_something_or_is_named() {
    for (part, keys) in
        [&extensions::PEER_KEYS[..], &extensions::POOL_KEYS[..]].into_iter().enumerate()
    {
        for key in keys {
            let mut before = Text::new(Format::Resources);
            if let Some(of) = ["probe-", "link-bandwidth-"].iter().find(|of| key.starts_with(**of))
            {
                let of = of.trim_end_matches('-');
                before.annotations[part].insert(format!("{}{of}", extensions::PREFIX), sample(of));
            }
            let mut after = before.clone();
            after.annotations[part].insert(format!("{}{key}", extensions::PREFIX), sample(key));
            assert_noticed(&before, &after, key);
            let mut before = Text::new(Format::ConfigMap);
            let target = |text: &mut Text, name: &str| {
                let map = if part == 0 { &mut text.peer } else { &mut text.pool };
                map.insert(name.to_owned(), sample(name));
            };
            if let Some(of) = ["probe-", "link-bandwidth-"].iter().find(|of| key.starts_with(**of))
            {
                target(&mut before, of.trim_end_matches('-'));
            }
            let mut after = before.clone();
            target(&mut after, key);
            assert_noticed(&before, &after, key);
        }
    }
}

#[test]
fn the_examples_have_every_key_that_has_an_effect() {
    let examples = [
        (Format::ConfigMap, include_str!("../../../examples/configmap/config.yaml")),
        (Format::Resources, include_str!("../../../examples/resources/config.yaml")),
    ];
    for (format, text) in examples {
        let keys = peers::KEYS.iter().chain(&pools::KEYS).chain(&bfd_profiles::KEYS);
        let keys = keys.chain(&advertisements::BGP_KEYS).map(|key| key.of(format));
        let prefix = if format == Format::ConfigMap { "" } else { extensions::PREFIX };
        let own = extensions::PEER_KEYS
            .iter()
            .chain(&extensions::POOL_KEYS)
            .map(|key| format!("{prefix}{key}"));
        let all = keys.filter(|key| !key.is_empty()).map(str::to_owned).chain(own);
        let without_effect = ["vrf", "disable", "echo"];
        for key in all.filter(|key| !without_effect.iter().any(|it| key.starts_with(it))) {
            assert!(text.contains(&format!("{key}:")), "{format:?}: {key} is not in the example");
        }
        let source = Source { name: "f".to_owned(), octets: text.as_bytes().to_vec() };
        let problems = examine(&Options::default(), "f", &[source], Vec::new()).problems;
        assert_eq!(problems, [], "{format:?}");
    }
}

#[test]
fn the_page_about_the_configuration_has_a_row_for_every_key() {
    let page = include_str!("../../../docs/configuration.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    // The cells with the names in both formats, or the only one of FerroLB's own keys.
    let names: String = rows.flat_map(|row| row.split('|').skip(1).take(2)).collect();
    let has =
        |key: &str| names.contains(&format!("`{key}`")) || names.contains(&format!("`{key}."));

    let keys = peers::KEYS.iter().chain(&pools::KEYS).chain(&bfd_profiles::KEYS);
    for key in keys.chain(&advertisements::BGP_KEYS) {
        for spelling in [key.of(Format::ConfigMap), key.of(Format::Resources)] {
            // Without a ConfigMap's spelling, the page has an empty cell.
            assert!(spelling.is_empty() || has(spelling), "{spelling}");
        }
    }
    for key in extensions::PEER_KEYS.iter().chain(&extensions::POOL_KEYS) {
        assert!(has(key), "{key}");
    }
}

#[test]
fn a_secret_of_another_namespace_is_named() {
    let mut text = Text::new(Format::Resources);
    text.peer
        .insert("passwordSecret".to_owned(), json!({"name": "s", "namespace": "metallb-system"}));
    assert!(outcome(&text).0.is_some(), "{:?}", outcome(&text).1);
    text.peer.insert("passwordSecret".to_owned(), json!({"name": "s", "namespace": "other"}));
    let (_, problems) = outcome(&text);
    let expected =
        "spec.passwordSecret.namespace: expected metallb-system, the namespace of the BGPPeer";
    assert!(problems.iter().any(|line| line.contains(expected)), "{problems:?}");
}

#[test]
fn a_ferrolb_annotation_on_another_kind_is_named() {
    let object = json!({"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement",
        "metadata": {"name": "a", "annotations": {"ferrolb.io/allow-med": "1"}}, "spec": {}});
    let source = Source { name: "f".to_owned(), octets: object.to_string().into_bytes() };
    let options = Options { lenient: true, ..Options::default() };
    let problems: Vec<_> = examine(&options, "f", &[source], Vec::new()).problems;
    let expected = "unknown annotation, objects of this kind have no ferrolb.io/ annotations";
    assert!(problems.iter().any(|it| it.message == expected), "{problems:?}");
}

/// A mistake hides no other: if any two keys have unreadable values, both are named.
#[test]
fn two_mistakes_are_both_named() {
    type Part = fn(&mut Text) -> &mut Map<String, Value>;
    let parts: [(Part, &[Key]); 4] = [
        (|text| &mut text.peer, &peers::KEYS),
        (|text| &mut text.pool, &pools::KEYS),
        (|text| &mut text.advertisement, &advertisements::BGP_KEYS),
        (|text| &mut text.profile, &bfd_profiles::KEYS),
    ];
    // Each of these replaces another key, or is refused beside it before it is read.
    let instead =
        ["interface", "dynamicASN", "peerASN", "peerAddress", "password", "passwordSecret"];
    for format in [Format::ConfigMap, Format::Resources] {
        for (part, keys) in parts {
            let known = keys.iter().filter(|key| !key.of(format).is_empty());
            let known: Vec<&Key> = known.filter(|key| !instead.contains(&key.1)).collect();
            for (at, one) in known.iter().enumerate() {
                for other in &known[..at] {
                    let mut text = Text::new(format);
                    for key in [one, other] {
                        let broken = match key.1 {
                            "serviceAllocation" => json!("no mapping"),
                            _ => json!({"no": "value"}),
                        };
                        part(&mut text).insert(key.of(format).to_owned(), broken);
                    }
                    let (_, problems) = outcome(&text);
                    for key in [one, other].map(|key| key.of(format)) {
                        let named =
                            problems.iter().any(|it| it.contains("error: ") && it.contains(key));
                        assert!(named, "{key}: {problems:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_mistake_in_the_metadata_or_in_a_required_value_hides_no_other() {
    let options = Options { lenient: true, ..Options::default() };
    let problems = |text: &str| {
        let source = Source { name: "f".to_owned(), octets: text.as_bytes().to_vec() };
        let problems = examine(&options, "f", &[source], Vec::new()).problems;
        problems.iter().map(|it| it.path.clone()).collect::<Vec<_>>()
    };
    for (text, paths) in [
        (
            "apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: A_B}\nspec: {addresses: [x]}\n",
            &["metadata.name", "spec.addresses[0]"][..],
        ),
        (
            "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nmetadata: {name: a, annotations: {ferrolb.io/next-hop: x}}\nspec: {myASN: 0, peerPort: x}\n",
            &[
                "spec.myASN",
                "spec.peerASN",
                "spec.peerAddress",
                "spec.peerPort",
                "metadata.annotations[\"ferrolb.io/next-hop\"]",
            ],
        ),
        (
            "address-pools: [{name: a, protocol: x, addresses: [10.0.0.0/24]}, {name: b, protocol: bgp, addresses: [10.0.0.0/25]}]",
            &["address-pools[0].protocol", "address-pools[1].addresses[0]"],
        ),
        ("peers: [{my-asn: 1, next-hop: x}]", &["peers[0].peer-asn", "peers[0].next-hop"]),
    ] {
        let found = problems(text);
        for path in paths {
            assert!(found.iter().any(|it| it == path), "{path}: {found:?}");
        }
    }
}
