//! The keys that the format gained up to MetalLB 0.12, and FerroLB's extensions.

use std::time::Duration;

use super::super::parse;
use super::super::tests::{good, peer_with, pool_with, problems};
use crate::model::{LargeCommunity, PeerAddress, PeerAsn, Pool};

#[test]
fn the_keys_of_0_12_are_read() {
    let parsed = parse(
        "f",
        "\
peers:
- peer-address: 10.0.0.1
  peer-asn: 64512
  my-asn: 64512
  peer-port: 179
  source-address: 10.0.0.2
  hold-time: 120s
  keepalive-time: 30s
  router-id: 1.2.3.4
  password: yourPassword
  bfd-profile: full
  ebgp-multihop: false
bfd-profiles:
- name: full
  receive-interval: 280
  transmit-interval: 270
  detect-multiplier: 200
  echo-interval: 62
  echo-mode: false
  passive-mode: true
  minimum-ttl: 250
- name: defaults
address-pools:
- name: a
  protocol: bgp
  addresses: ['fc00:f853:ccd:e799::/120']
  bgp-advertisements:
  - aggregation-length-v6: 124
",
    )
    .unwrap();
    let warnings: Vec<_> = parsed.warnings.iter().map(ToString::to_string).collect();
    let expected = "f:18:18: warning: bfd-profiles[0].echo-interval: no effect without echo mode";
    assert_eq!(warnings, [expected]);
    let config = parsed.config;
    let peer = &config.peers[0];
    assert_eq!(peer.source_address, Some("10.0.0.2".parse().unwrap()));
    assert_eq!(peer.hold_time, Duration::from_secs(120));
    assert_eq!(peer.keepalive_time, Some(Duration::from_secs(30)));
    assert_eq!(peer.bfd_profile.as_deref(), Some("full"));
    let full = config.bfd_profile("full").unwrap();
    let milliseconds = [full.receive_interval, full.transmit_interval, full.echo_interval]
        .map(|it| it.as_millis());
    assert_eq!(milliseconds, [280, 270, 62]);
    assert_eq!((full.detect_multiplier, full.minimum_ttl, full.passive_mode), (200, 250, true));
    let defaults = config.bfd_profile("defaults").unwrap();
    assert_eq!((defaults.receive_interval.as_millis(), defaults.detect_multiplier), (300, 3));
    assert_eq!(config.bgp_advertisements[0].aggregation_length_v6, 124);
}

#[test]
fn extension_keys_cover_the_fields_of_resources() {
    let config = good(
        "\
peers:
- name: spine
  my-asn: 64512
  dynamic-asn: external
  interface: eth1
  local-asn: 65000
  connect-time: 10s
  enable-graceful-restart: true
- my-asn: 64512
  dynamic-asn: internal
  peer-address: 10.0.0.1
  dual-stack-address-family: true
bgp-communities: {gold: 'large:64512:1:1'}
address-pools:
- name: a
  protocol: bgp
  addresses: [10.1.0.0/24]
  service-allocation:
    priority: 10
    namespaces: [shop]
    namespace-selectors: [{match-labels: {team: a}}]
    service-selectors: [{match-expressions: [{key: public, operator: Exists}]}]
  bgp-advertisements:
  - communities: [gold]
    peers: [spine]
    node-selectors: [{match-labels: {rack: a}}]
",
    );
    let [spine, other] = config.peers.as_slice() else { panic!("{:?}", config.peers) };
    assert_eq!((spine.name.as_str(), spine.endpoint().as_str()), ("spine", "eth1:179"));
    assert_eq!(spine.address, PeerAddress::Interface("eth1".to_owned()));
    assert_eq!(spine.peer_asn, PeerAsn::External);
    assert_eq!(spine.shown_asn().0, 65000);
    assert_eq!(spine.connect_time, Some(Duration::from_secs(10)));
    assert!(spine.graceful_restart && !other.graceful_restart);
    assert!(other.is_internal() && other.dual_stack);
    let allocation = config.pools[0].allocation.as_ref().unwrap();
    assert_eq!((allocation.priority, allocation.namespaces.len()), (10, 1));
    assert_eq!(allocation.namespace_selectors[0].match_labels.get("team"), Some("a"));
    let advertisement = &config.bgp_advertisements[0];
    assert_eq!(advertisement.large_communities, [LargeCommunity::new(64512, 1, 1)].into());
    assert!(advertisement.selects_peer("spine") && !advertisement.selects_peer("10.0.0.1:179"));
}

#[test]
fn a_keepalive_time_alone_determines_the_hold_time() {
    let peer = &good(&peer_with("keepalive-time: 10s")).peers[0];
    assert_eq!((peer.hold_time.as_secs(), peer.keepalive_time.unwrap().as_secs()), (30, 10));
    let both = &good(&peer_with("keepalive-time: 30s\n  hold-time: 30s")).peers[0];
    assert_eq!(both.hold_time.as_secs(), 30);
    for (line, expected) in [
        ("keepalive-time: 60s\n  hold-time: 30s", "expected at most the hold time of 30s, found"),
        ("keepalive-time: 1s\n  hold-time: 0s", "expected at most the hold time of 0s, found"),
        (
            "keepalive-time: 8h",
            "expected at most 21845s, because the hold time is three times as long, found",
        ),
        ("keepalive-time: 10", "10 has a number without a unit, expected a duration such as"),
    ] {
        let problems = problems(&peer_with(line));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains(expected), "{problems:?}");
    }
}

#[test]
fn impossible_values_of_a_peer_are_errors() {
    for (line, expected) in [
        ("source-address: fd00::1", "an IPv4 address, like that of the router, found \"fd00::1\""),
        ("source-address: 0.0.0.0", "an address of the node, such as 192.0.2.7"),
        (
            "bfd-profile: fast",
            "no BFD profile is named \"fast\", expected a name from bfd-profiles",
        ),
        ("dynamic-asn: external", "expected dynamic-asn or peer-asn, found both"),
        ("interface: eth1", "expected interface or peer-address, found both"),
        ("local-asn: 0", "expected a number from 1 to 4294967295, found 0"),
        ("connect-time: 100ms", "expected whole seconds from 1s to 65535s"),
        ("vrf: red", "VRFs are not supported"),
        ("password-secret: a", "no Secret \"a\" of type kubernetes.io/basic-auth exists"),
        ("bfd-profiel: a", "unknown key, did you mean bfd-profile?"),
    ] {
        let problems = problems(&peer_with(line));
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
        assert!(
            problems[0].contains(expected) && problems[0].contains(": error: "),
            "{line}: {problems:?}"
        );
    }
    let internal = "peers: [{my-asn: 1, peer-asn: 1, peer-address: 10.0.0.1, ebgp-multihop: true}]";
    assert!(
        problems(internal)[0]
            .contains("only for external peers, expected false for an internal peer")
    );
    let long = problems(&peer_with(&format!("password: {}", "x".repeat(81))));
    assert_eq!(long, ["f:5:13: error: peers[0].password: expected at most 80 octets, found 81"]);
}

#[test]
fn a_password_that_yaml_reads_as_something_else_gets_a_warning() {
    for value in ["", "#hunter2", "&hunter2", "~"] {
        let problems = problems(&peer_with(&format!("password: {value}")));
        assert_eq!(
            problems,
            [
                "f:5:3: warning: peers[0].password: empty: the session has no password; put quotes around a password"
            ],
            "{value}"
        );
    }
    for value in ["*hunter2", "!hunter2 x"] {
        let problems = problems(&peer_with(&format!("password: {value}")));
        assert!(problems.len() == 1 && !problems[0].contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn bfd_profiles_are_checked() {
    for (entry, expected) in [
        ("{}", "bfd-profiles[0].name: missing, expected the profile's name"),
        (
            "{name: a, receive-interval: 9}",
            "bfd-profiles[0].receive-interval: expected a number from 10 to 60000, found 9",
        ),
        (
            "{name: a, detect-multiplier: 1}",
            "bfd-profiles[0].detect-multiplier: expected a number from 2 to 255, found 1",
        ),
        (
            "{name: a, minimum-ttl: 255}",
            "bfd-profiles[0].minimum-ttl: expected a number from 1 to 254, found 255",
        ),
        (
            "{name: a, echo-mode: true}",
            "bfd-profiles[0].echo-mode: no effect: FerroLB sends control packets only, no echo packets",
        ),
        ("{name: a}, {name: a}", "bfd-profiles[1].name: another BFD profile is named \"a\" at f:1"),
    ] {
        let problems = problems(&format!("bfd-profiles: [{entry}]"));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with(expected), "{problems:?}");
    }
}

#[test]
fn peers_of_one_name_are_an_error() {
    let peer = "{name: a, my-asn: 1, peer-asn: 2, peer-address: 10.0.0.";
    assert_eq!(
        problems(&format!("peers:\n- {peer}1}}\n- {peer}2}}\n")),
        ["f:3:3: error: peers[1]: another peer is named \"a\" at f:2"]
    );
}

#[test]
fn conflicting_advertisements_get_a_warning_and_the_first_counts() {
    let text = pool_with(
        "[10.0.0.0/24]",
        "bgp-advertisements:\n  - {localpref: 100}\n  - {localpref: 200}\n  - {localpref: 100}\n  - {localpref: 200, aggregation-length: 24}\n",
    );
    assert_eq!(
        problems(&text),
        [
            "f:7:5: warning: address-pools[0].bgp-advertisements[1]: local preference 200 conflicts with 100 of the advertisement at f:6, for the same prefixes and peers",
            "f:8:5: warning: address-pools[0].bgp-advertisements[2]: duplicate of the advertisement at f:6",
            "f:8:5: warning: address-pools[0].bgp-advertisements[2]: local preference 100 conflicts with 200 of the advertisement at f:7, for the same prefixes and peers",
        ]
    );
}

#[test]
fn a_pool_of_all_addresses_is_accepted_with_a_warning() {
    let text = pool_with("[0.0.0.0/0, '::/0']", "");
    let parsed = parse("f", &text).unwrap();
    let pool: &Pool = &parsed.config.pools[0];
    assert_eq!(pool.ranges.len(), 2);
    assert_eq!(parsed.warnings.len(), 2);
}
