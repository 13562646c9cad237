//! The `metallb.io` resources.

use super::tests::{CONFIG, lines, source};
use super::*;
use crate::config::Diagnostics;
use crate::model::{
    Community, Config, IpFamily, LargeCommunity, NextHopPolicy, Password, PeerAddress, PeerAsn,
    Protocol,
};

const PEER: &str = "\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor, namespace: metallb-system}
spec: {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1}
---
";

fn object(kind: &str, name: &str, spec: &str) -> String {
    let version = if kind == "BGPPeer" { "v1beta2" } else { "v1beta1" };
    format!(
        "apiVersion: metallb.io/{version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n"
    )
}

fn read(text: &str) -> Result<Manifests, Diagnostics> {
    parse("d", &[source("f", text)])
}

fn good(text: &str) -> Config {
    let manifests = read(text).unwrap_or_else(|failed| panic!("{failed}"));
    assert_eq!(manifests.warnings, [], "{text}");
    manifests.config
}

fn problems(text: &str) -> Vec<String> {
    lines(read(text))
}

/// Returns the problems of a peer with this spec besides address and AS numbers.
fn problems_of_peer(spec: &str) -> Vec<String> {
    problems(&object(
        "BGPPeer",
        "tor",
        &format!("{{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, {spec}}}"),
    ))
}

#[test]
fn every_field_of_a_peer_is_read() {
    let config = good(
        "\
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor, namespace: metallb-system, uid: x}
spec:
  myASN: 64512
  peerASN: 64513
  localASN: 65001
  peerAddress: fd00::1
  sourceAddress: fd00::7
  peerPort: 1179
  holdTime: 30s
  keepaliveTime: 10s
  connectTime: 5s
  routerID: 10.0.0.7
  nodeSelectors:
  - matchLabels: {rack: a}
    matchExpressions: [{key: role, operator: In, values: [edge]}]
  passwordSecret: {name: tor, namespace: metallb-system}
  bfdProfile: fast
  enableGracefulRestart: true
  ebgpMultiHop: true
  dualStackAddressFamily: true
  vrf: ''
  disableMP: false
status: {}
---
apiVersion: v1
kind: Secret
metadata: {name: tor, namespace: metallb-system}
type: kubernetes.io/basic-auth
data: {password: aHVudGVyMg==}
---
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: {name: fast, namespace: metallb-system}
spec: {receiveInterval: 50, transmitInterval: 60, detectMultiplier: 5, passiveMode: true, minimumTtl: 200}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: unnumbered, annotations: {ferrolb.io/next-hop: node}}
spec: {myASN: 64512, dynamicASN: external, peerASN: 0, interface: eth1}
",
    );
    let [peer, unnumbered] = config.peers.as_slice() else { panic!("{:?}", config.peers) };
    assert_eq!((peer.name.as_str(), peer.endpoint().as_str()), ("tor", "[fd00::1]:1179"));
    assert_eq!((peer.shown_asn().0, peer.peer_asn.to_string().as_str()), (65001, "64513"));
    let seconds = [Some(peer.hold_time), peer.keepalive_time, peer.connect_time];
    assert_eq!(seconds.map(|it| it.unwrap().as_secs()), [30, 10, 5]);
    assert_eq!(peer.source_address, Some("fd00::7".parse().unwrap()));
    assert_eq!(peer.router_id.unwrap().to_string(), "10.0.0.7");
    assert_eq!(peer.node_selectors[0].match_expressions[0].values, ["edge"]);
    assert_eq!(peer.password, Some(Password::new("hunter2")));
    assert!(peer.graceful_restart && peer.ebgp_multihop && peer.carries(IpFamily::Ipv4));
    let profile = config.bfd_profile(peer.bfd_profile.as_deref().unwrap()).unwrap();
    assert_eq!((profile.detect_multiplier, profile.minimum_ttl), (5, 200));
    assert_eq!(unnumbered.address, PeerAddress::Interface("eth1".to_owned()));
    assert_eq!(unnumbered.peer_asn, PeerAsn::External);
    assert_eq!((&peer.next_hop, &unnumbered.next_hop), (&None, &Some(NextHopPolicy::NodeAddress)));
}

#[test]
fn every_field_of_pools_and_advertisements_is_read() {
    let config = good(&format!(
        "{PEER}{}{}{}",
        "\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: shop, labels: {zone: dmz}, annotations: {ferrolb.io/allow-med: '0-10', other.io/x: yes-it-is}}
spec:
  addresses: [10.1.0.0/24, 10.2.0.0 - 10.2.1.9, 'fd00:1::/64']
  autoAssign: false
  avoidBuggyIPs: true
  serviceAllocation:
    priority: 50
    namespaces: [shop]
    namespaceSelectors: [{matchLabels: {team: a}}]
    serviceSelectors: [{matchExpressions: [{key: public, operator: Exists}]}]
status: {assignedIPv4: 1}
---
",
        object(
            "BGPAdvertisement",
            "shop",
            "{aggregationLength: 24, aggregationLengthV6: 64, localPref: 100, communities: [gold, '1:2', 'large:1:2:3'], ipAddressPools: [shop], ipAddressPoolSelectors: [{matchLabels: {zone: dmz}}], nodeSelectors: [{matchLabels: {rack: a}}], peers: [tor]}"
        ),
        object("Community", "c", "{communities: [{name: gold, value: '64512:1'}]}"),
    ));
    let pool = config.pool("shop").unwrap();
    assert_eq!((pool.ranges.len(), pool.auto_assign, pool.avoid_buggy_ips), (3, false, true));
    assert_eq!(pool.permissions.med, Some(0..=10));
    let allocation = pool.allocation.as_ref().unwrap();
    assert_eq!((allocation.priority, allocation.namespaces.len()), (50, 1));
    let [advertisement] = config.bgp_advertisements.as_slice() else { panic!("{config:?}") };
    assert_eq!(advertisement.communities, [Community::new(1, 2), Community::new(64512, 1)].into());
    assert_eq!(advertisement.large_communities, [LargeCommunity::new(1, 2, 3)].into());
    assert_eq!(advertisement.local_pref, Some(100));
    assert!(advertisement.selects_pool(pool) && advertisement.selects_peer("tor"));
    assert_eq!(pool.protocol, Protocol::Bgp);
}

#[test]
fn a_pool_with_only_l2advertisements_is_a_layer_2_pool() {
    let pools = ["a", "b", "c"].map(|name| {
        let last = name.as_bytes()[0];
        object("IPAddressPool", name, &format!("{{addresses: [10.0.{last}.0/24]}}"))
    });
    let config = good(&format!(
        "{}{}{}",
        pools.concat(),
        object(
            "L2Advertisement",
            "l2",
            "{ipAddressPools: [a, b], interfaces: [eth0], preferredNodeSelectors: [{weight: 1, preference: {}}]}"
        ),
        object("BGPAdvertisement", "bgp", "{ipAddressPools: [b]}"),
    ));
    let protocols: Vec<_> = config.pools.iter().map(|pool| pool.protocol).collect();
    assert_eq!(protocols, [Protocol::Layer2, Protocol::Bgp, Protocol::Bgp]);
}

#[test]
fn objects_are_sorted_by_name_in_any_order_of_files() {
    let a = object("IPAddressPool", "a", "{addresses: [10.0.0.0/24]}");
    let b = object("IPAddressPool", "b", "{addresses: [10.0.1.0/24]}");
    let names =
        |text: String| good(&text).pools.iter().map(|pool| pool.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(format!("{a}{b}")), names(format!("{b}{a}")));
}

#[test]
fn an_old_peer_is_read_without_the_newer_fields() {
    let old = |spec: &str| object("BGPPeer", "tor", spec).replace("v1beta2", "v1beta1");
    let spec = "{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, peerPort: 0, nodeSelectors: [{matchExpressions: [{key: a, operator: In, values: [b]}]}]}";
    assert_eq!(good(&old(spec)).peers[0].port, 179);
    assert_eq!(
        problems(&old("{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, localASN: 3}")),
        ["f:4:63: error: spec.localASN: not in v1beta1, expected apiVersion metallb.io/v1beta2"]
    );
}

#[test]
fn wrong_fields_are_reported_with_what_was_expected() {
    for (spec, expected) in [
        ("peerPrt: 1", "error: spec.peerPrt: unknown key, did you mean peerPort?"),
        (
            "vrf: red",
            "error: spec.vrf: VRFs are not supported, remove the key or run a speaker inside the VRF",
        ),
        (
            "disableMP: true",
            "warning: spec.disableMP: no effect: FerroLB always offers multiprotocol capabilities",
        ),
        (
            "holdTime: 90",
            "error: spec.holdTime: 90 has a number without a unit, expected a duration such as 90s or 1m30s",
        ),
        (
            "dynamicASN: external",
            "error: spec.dynamicASN: expected dynamicASN or peerASN, found both",
        ),
        ("interface: eth1", "error: spec.interface: expected interface or peerAddress, found both"),
        (
            "bfdProfile: fast",
            "error: spec.bfdProfile: no BFD profile is named \"fast\", expected the name of a BFDProfile resource",
        ),
        (
            "passwordSecret: {name: s}",
            "error: spec.passwordSecret.name: no Secret \"s\" of type kubernetes.io/basic-auth exists",
        ),
        (
            "password: x, passwordSecret: {name: s}",
            "error: spec.passwordSecret: expected password or passwordSecret, found both",
        ),
        ("password: 1234", "error: spec.password: expected a string, put quotes around it"),
        (
            "nodeSelectors: [{match-labels: {}}]",
            "error: spec.nodeSelectors[0].match-labels: unknown key, did you mean matchLabels?",
        ),
    ] {
        let problems = problems_of_peer(spec);
        assert_eq!(problems.len(), 1, "{spec}: {problems:?}");
        assert!(problems[0].ends_with(expected), "{problems:?}");
    }
}

#[test]
fn a_secret_must_have_a_password_and_is_never_shown() {
    let peer = object(
        "BGPPeer",
        "tor",
        "{myASN: 1, peerASN: 2, peerAddress: 10.0.0.1, passwordSecret: {name: s}}",
    );
    let secret = |rest: &str| {
        format!(
            "{peer}apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: metallb-system}}\n{rest}\n"
        )
    };
    let basic = "type: kubernetes.io/basic-auth";
    let config = good(&secret(&format!("{basic}\nstringData: {{password: hunter2}}")));
    assert_eq!(config.peers[0].password, Some(Password::new("hunter2")));
    assert!(!format!("{config:?}").contains("hunter2"));
    for (rest, expected) in [
        (
            "type: Opaque\nstringData: {password: hunter2}".to_owned(),
            "is of type \"Opaque\", expected kubernetes.io/basic-auth",
        ),
        (
            format!("{basic}\nstringData: {{username: hunter2}}"),
            "has no password, expected one under the key password",
        ),
        (
            format!("{basic}\ndata: {{password: hunter2!}}"),
            "data.password: expected UTF-8 text in base64",
        ),
        (
            format!("{basic}\nstringData: hunter2"),
            "has no password, expected one under the key password",
        ),
        (format!("{basic}\nstringData: {{password: [hunter2]}}"), "has no password"),
        (
            format!("{basic}\ndata: {{password: aHVudGVyMgo=}}"),
            "the password ends with a line break",
        ),
    ] {
        let problems = problems(&secret(&rest));
        assert!(problems.iter().any(|line| line.contains(expected)), "{rest}: {problems:?}");
        assert!(problems.iter().all(|line| !line.contains("hunter2")), "{problems:?}");
    }
    // Secrets of other namespaces are not read.
    let elsewhere =
        secret(basic).replace("namespace: metallb-system}\ntype", "namespace: x}\ntype");
    assert!(
        problems(&elsewhere)[0].contains("no Secret \"s\" of type kubernetes.io/basic-auth exists")
    );
}

#[test]
fn communities_are_looked_up_among_all_objects() {
    let advertisement = |community: &str| {
        object("BGPAdvertisement", "a", &format!("{{communities: ['{community}']}}"))
    };
    let aliases = object(
        "Community",
        "c",
        "{communities: [{name: gold, value: '1:1'}, {name: 1:2, value: '1:3'}]}",
    );
    let of = |community: &str| {
        good(&format!("{}{aliases}", advertisement(community))).bgp_advertisements[0]
            .communities
            .clone()
    };
    assert_eq!(of("gold"), [Community::new(1, 1)].into());
    assert_eq!(of("1:2"), [Community::new(1, 3)].into(), "an alias before the numbers");
    for (community, hint) in [
        (
            "silver",
            "expected a name from a Community resource or two numbers up to 65535 such as 64512:100, or large:64512:1:100",
        ),
        ("glod", "did you mean \"gold\"?"),
        ("no-export", "write 65535:65281, well-known names are not built in"),
        (
            "1:65536",
            "expected a name from a Community resource or two numbers up to 65535 such as 64512:100, or large:64512:1:100",
        ),
        (
            "large:1:2",
            "expected a name from a Community resource or two numbers up to 65535 such as 64512:100, or large:64512:1:100",
        ),
    ] {
        let problems = problems(&format!("{}{aliases}", advertisement(community)));
        assert_eq!(
            problems,
            [format!(
                "f:4:22: error: spec.communities[0]: {community:?} is not a community, {hint}"
            )]
        );
    }
    let twice = format!(
        "{aliases}{}",
        object("Community", "d", "{communities: [{name: gold, value: '9:9'}]}")
    );
    assert_eq!(
        problems(&twice),
        ["f:9:42: error: spec.communities[0].value: another community is named \"gold\" at f:4"]
    );
}

#[test]
fn conflicts_between_objects_are_errors_at_the_later_one() {
    let pool = |name: &str, range: &str| {
        object("IPAddressPool", name, &format!("{{addresses: ['{range}']}}"))
    };
    let advertisement = |name: &str, spec: &str| object("BGPAdvertisement", name, spec);
    for (text, expected) in [
        (
            format!("{}{}", pool("a", "10.0.0.0/24"), pool("b", "10.0.0.9-10.0.0.10")),
            "f:9:20: error: spec.addresses[0]: 10.0.0.9-10.0.0.10 overlaps 10.0.0.0/24 of spec.addresses[0] at f:4",
        ),
        (
            format!(
                "{}{}",
                pool("a", "10.0.0.0/24"),
                advertisement("a", "{aggregationLength: 16}")
            ),
            "f:9:27: error: spec.aggregationLength: 16 is shorter than 10.0.0.0/24 of pool \"a\", expected a number from 24 to 32",
        ),
        (
            advertisement("a", "{aggregationLength: 24, serviceSelectors: [{}]}"),
            "f:4:49: error: spec.serviceSelectors: service selectors only work with host routes, expected no aggregation",
        ),
        (
            advertisement("a", "{ipAddressPools: [a, a]}"),
            "f:4:28: error: spec.ipAddressPools[1]: \"a\" is listed twice",
        ),
        (
            format!("{PEER}{}", PEER.replace("v1beta2", "v1beta1")),
            "f:6:1: error: another BGPPeer is named metallb-system/tor at f:1",
        ),
    ] {
        assert_eq!(problems(&text), [expected]);
    }
    // The widest prefix of a range decides, unlike in the ConfigMap.
    good(&format!(
        "{}{}",
        pool("a", "10.0.0.2-10.0.0.254"),
        advertisement("a", "{aggregationLength: 26}")
    ));
}

#[test]
fn the_config_map_is_in_force_while_it_exists() {
    let result = parse("d", &[source("c", CONFIG), source("f", PEER)]).unwrap();
    assert_eq!(result.config, Config::default());
    let warnings: Vec<_> = result.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "f:1:1: warning: 1 metallb.io resource has no effect while there is a configuration at c:1"
        ]
    );
}

#[test]
fn objects_of_other_namespaces_and_statuses_configure_nothing() {
    let elsewhere = PEER.replace("metallb-system", "other");
    assert_eq!(
        problems(&elsewhere),
        [
            "d: error: expected a ConfigMap metallb-system/config or metallb.io resources, found none",
            "f:1:1: warning: BGPPeer other/tor is ignored, the configuration is in the namespace metallb-system",
        ]
    );
    let options = Options { namespace: "other".to_owned(), ..Options::default() };
    let found = parse_with(&options, "d", &[source("f", &elsewhere)]).unwrap();
    assert_eq!(found.config.peers[0].name, "tor");
    let status = "apiVersion: metallb.io/v1beta1\nkind: ServiceBGPStatus\nmetadata: {name: bgp-1}\nstatus: {}\n";
    good(&format!("{PEER}{status}"));
    let old = "apiVersion: metallb.io/v1beta1\nkind: AddressPool\nmetadata: {name: a}\nspec: {}\n";
    assert_eq!(
        problems(&format!("{PEER}{old}")),
        [
            "f:6:1: error: AddressPool is a kind of MetalLB before 0.15, expected an IPAddressPool and a BGPAdvertisement"
        ]
    );
}

#[test]
fn lists_of_the_api_server_are_read_as_json() {
    let list = r#"{"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "metallb.io/v1beta1", "kind": "IPAddressPool",
         "metadata": {"name": "a", "namespace": "metallb-system", "annotations": {"ferrolb.io/allow-comunities": "1:1"}},
         "spec": {"addresses": ["10.0.0.0/24"]}}]}"#;
    assert_eq!(
        problems(list),
        [
            "f:3:114: error: items[0].metadata.annotations[\"ferrolb.io/allow-comunities\"]: unknown annotation, did you mean ferrolb.io/allow-communities?"
        ]
    );
}
