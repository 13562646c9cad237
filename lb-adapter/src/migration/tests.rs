use super::*;
use crate::manifest::{self, Options, Source};
use crate::manifest::{Manifests, parse_with};
use crate::model::{Config, ConfigFormat, PoolSelection};

fn options(lenient: bool) -> Options {
    Options { lenient, config_required: false, ..Options::default() }
}

fn source(text: &str) -> Source {
    Source { name: "f".to_owned(), octets: text.as_bytes().to_vec() }
}

/// Returns the configuration of a bare text, its resources as YAML, and the manifests that they make.
fn both(text: &str) -> (Config, String, Manifests) {
    let examined = manifest::examine(&options(true), "f", &[source(text)], Vec::new());
    let before = examined.manifests.unwrap_or_else(|| panic!("{:?}", examined.problems)).config;
    let migrated = resources::of(&before, &examined.draft.unwrap(), "metallb-system");
    let yaml = yaml(&migrated.objects);
    let after = parse_with(&options(false), "f", &[source(&yaml)])
        .unwrap_or_else(|refused| panic!("{refused}\n{yaml}"));
    (before, yaml, after)
}

/// Returns the configuration with the names of the resources, in their order.
fn renamed(mut config: Config, peers: &[(&str, &str)], pools: &[(&str, &str)]) -> Config {
    let new = |old: &str, names: &[(&str, &str)]| {
        names.iter().find(|(from, _)| *from == old).map_or(old, |(_, to)| to).to_owned()
    };
    config.format = ConfigFormat::Resources;
    for peer in &mut config.peers {
        peer.name = new(&peer.name, peers);
        if peer.password.is_some() {
            peer.password_secret = Some(format!("{}-password", peer.name));
        }
    }
    for pool in &mut config.pools {
        pool.name = new(&pool.name, pools);
    }
    for it in &mut config.bgp_advertisements {
        it.peers = it.peers.iter().map(|peer| new(peer, peers)).collect();
        for name in std::mem::take(&mut it.pools).names {
            it.pools = PoolSelection::only(new(&name, pools));
        }
    }
    config.peers.sort_by(|a, b| a.name.cmp(&b.name));
    config.pools.sort_by(|a, b| a.name.cmp(&b.name));
    config
}

#[test]
fn the_reference_configuration_becomes_resources_of_the_same_meaning() {
    let text = include_str!("../../../examples/reference/config.yaml");
    let (before, yaml, after) = both(text);
    assert_eq!(after.config, renamed(before, &[("172.22.35.1:179", "peer1")], &[]));
    assert_eq!(after.warnings, []);
    for name in ["peer1", "default", "public", "bgpadvertisement1", "bgpadvertisement2"] {
        assert!(yaml.contains(&format!("name: {name}\n")), "{yaml}");
    }
}

#[test]
fn every_key_survives() {
    let (before, yaml, after) = both(
        "\
peers:
- my-asn: 64512
  peer-asn: 64513
  peer-address: 10.0.0.1
  peer-port: 1179
  source-address: 10.0.0.2
  hold-time: 30s
  keepalive-time: 10s
  router-id: 1.2.3.4
  password: ' yes: # * '
  bfd-profile: Fast_One
  ebgp-multihop: true
  node-selectors:
  - match-labels: {kubernetes.io/hostname: prod-01}
    match-expressions: [{key: arch, operator: In, values: ['on', '1']}, {key: gpu, operator: DoesNotExist}]
- {name: spine, my-asn: 64512, dynamic-asn: external, interface: eth1, local-asn: 65000,
   next-hop: '192.0.2.1,2001:db8::1', connect-time: 10s, enable-graceful-restart: true, dual-stack-address-family: true}
bgp-communities: {gold: 64512:10, 'no': 65535:666, big: 'large:4200000000:1:2', 1:1: 1:2}
bfd-profiles:
- {name: Fast_One, receive-interval: 50, detect-multiplier: 5, minimum-ttl: 10, passive-mode: true}
address-pools:
- name: Old Pool
  protocol: bgp
  addresses: [10.1.0.0/24, 10.2.0.1-10.2.0.9, 'fd00:1::/64']
  avoid-buggy-ips: true
  auto-assign: false
  bgp-advertisements:
  - {aggregation-length: 32, aggregation-length-v6: 64, localpref: 100, communities: [gold, 'no', big, 1:1, 7:7, 7:7]}
  - {localpref: 100, peers: [spine], node-selectors: [{match-labels: {rack: a}}]}
  service-allocation: {priority: 3, namespaces: [shop], service-selectors: [{match-labels: {a: b}}]}
  allow-communities: ['64512:*', 'large:1:2:*']
  allow-local-pref: 1-2
  allow-med: 7
  allow-prepend: 3
  allow-health: true
  min-ready: 50%
  probe: http:8080/healthz
  probe-timeout: 500ms
  hold-down: 1m
  when-unhealthy: depreference
  link-bandwidth: 125000000
- {name: l2, protocol: layer2, addresses: [10.3.0.0/24]}
",
    );
    let peers = [("10.0.0.1:1179", "peer1")];
    let mut expected = renamed(before, &peers, &[("Old Pool", "old-pool")]);
    expected.bfd_profiles[0].name = "fast-one".to_owned();
    expected.peers[0].bfd_profile = Some("fast-one".to_owned());
    assert_eq!(after.config, expected);
    assert!(!yaml.contains("yes: #"), "a password is in a Secret, in base64\n{yaml}");
    assert!(yaml.contains("name: l2advertisement1\n"), "{yaml}");
}

#[test]
fn pools_with_a_new_name_and_duplicate_advertisements_are_reported() {
    let text = "address-pools: [{name: A_b, protocol: bgp, addresses: [10.0.0.0/24], bgp-advertisements: [{}, {}]}]";
    let examined = manifest::examine(&options(true), "f", &[source(text)], Vec::new());
    let config = examined.manifests.unwrap().config;
    let migrated = resources::of(&config, &examined.draft.unwrap(), "metallb-system");
    assert_eq!(
        migrated.notes,
        [
            "pool \"A_b\" becomes \"a-b\": change the Services that name it in an annotation",
            "bgpadvertisement2 repeats another one and is left out",
        ]
    );
}

fn yaml(objects: &[serde_json::Value]) -> String {
    let documents = objects.iter().map(|object| serde_saphyr::to_string(object).unwrap());
    documents.map(|document| format!("---\n{document}\n")).collect()
}
