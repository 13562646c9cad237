use std::time::Duration;

use super::super::tests::{good, peer_with, problems};
use crate::model::{DataplaneGate, MinReady, NextHopPolicy, WhenUnhealthy};

fn pool_of(keys: &str) -> String {
    format!("address-pools:\n- name: a\n  protocol: bgp\n  addresses: [10.0.0.0/24]\n{keys}")
}

#[test]
fn a_pool_has_permissions_and_health_settings() {
    let config = good(&pool_of(
        "  allow-communities: ['64512:*', 'large:64512:1:*']
  allow-local-pref: 50-200
  allow-med: 10
  allow-prepend: 3
  allow-health: true
  min-ready: 50%
  probe: http:8080/healthz
  probe-interval: 2s
  probe-timeout: 500ms
  probe-rise: 1
  probe-fall: 4
  hold-down: 30s
  when-unhealthy: depreference
  link-bandwidth: 125000000
  link-bandwidth-hysteresis: 20
  dataplane-gate: require
",
    ));
    let pool = &config.pools[0];
    let shown: Vec<_> = pool.permissions.communities.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["64512:*", "large:64512:1:*"]);
    assert_eq!(pool.permissions.local_pref, Some(50..=200));
    assert_eq!(pool.permissions.med, Some(10..=10));
    assert_eq!((pool.permissions.prepend, pool.permissions.health), (3, true));
    let health = &pool.health;
    assert_eq!(health.min_ready, Some(MinReady::Percent(50)));
    let probe = health.probe.as_ref().unwrap();
    assert_eq!(probe.to_string(), "http:8080/healthz");
    assert_eq!(probe.timeout, Duration::from_millis(500));
    assert_eq!((probe.rise.get(), probe.fall.get()), (1, 4));
    assert_eq!(health.hold_down, Duration::from_secs(30));
    assert_eq!(health.when_unhealthy, WhenUnhealthy::Depreference);
    let bandwidth = health.link_bandwidth.unwrap();
    assert_eq!((bandwidth.per_endpoint, bandwidth.hysteresis), (125_000_000, 20));
    assert_eq!(pool.dataplane_gate, Some(DataplaneGate::Require));
}

#[test]
fn a_peer_can_leave_out_capabilities() {
    use crate::model::DisabledCapability;
    for (text, expected) in [
        ("all", vec![DisabledCapability::All]),
        ("ipv6-unicast", vec![DisabledCapability::Ipv6Unicast]),
        (
            "'extended-message, route-refresh'",
            vec![DisabledCapability::RouteRefresh, DisabledCapability::ExtendedMessage],
        ),
        ("[four-octet-as, four-octet-as]", vec![DisabledCapability::FourOctetAs]),
    ] {
        let peer = &good(&peer_with(&format!("without-capabilities: {text}"))).peers[0];
        assert_eq!(peer.without_capabilities, expected, "{text}");
    }
    for (text, wrong) in [
        ("ipv7", "\"ipv7\" is not a capability, expected some of all, ipv4-unicast"),
        ("ipv4-unicast, ipv6-unicast", "both address families are left out"),
        ("''", "\"\" is not a capability"),
    ] {
        let problems = problems(&peer_with(&format!("without-capabilities: {text}")));
        assert!(problems.len() == 1 && problems[0].contains(wrong), "{problems:?}");
        assert!(problems[0].contains("peers[0].without-capabilities"), "{problems:?}");
    }
}

#[test]
fn a_peer_can_set_the_next_hop_of_its_routes() {
    let address = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    for (text, expected) in [
        ("session", NextHopPolicy::SessionAddress),
        ("node", NextHopPolicy::NodeAddress),
        ("192.0.2.1", NextHopPolicy::Addresses(vec![address("192.0.2.1")])),
        (
            "'2001:db8::1, 192.0.2.1'",
            NextHopPolicy::Addresses(vec![address("2001:db8::1"), address("192.0.2.1")]),
        ),
    ] {
        let peer = &good(&peer_with(&format!("next-hop: {text}"))).peers[0];
        assert_eq!(peer.next_hop.as_ref(), Some(&expected));
        let again = &good(&peer_with(&format!("next-hop: '{expected}'"))).peers[0];
        assert_eq!(again.next_hop, peer.next_hop, "as it is written");
    }
    for text in ["self", "192.0.2.1, 192.0.2.2", "0.0.0.0", "fe80::1", "'192.0.2.1,'", "224.0.0.1"]
    {
        let problems = problems(&peer_with(&format!("next-hop: {text}")));
        let expected = "peers[0].next-hop: expected session, node, or an address of each family";
        assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:?}");
    }
}

#[test]
fn wrong_settings_are_reported() {
    for (line, expected) in [
        (
            "allow-communities: 64512:1, all",
            "error: address-pools[0].allow-communities: \"all\" is not a community pattern, expected a community or pattern such as 64512:100, 64512:* or large:64512:1:*",
        ),
        (
            "allow-local-pref: 9-1",
            "error: address-pools[0].allow-local-pref: expected a number such as 100 or a range such as 50-100, found \"9-1\"",
        ),
        (
            "allow-prepend: 11",
            "error: address-pools[0].allow-prepend: expected a number from 0 to 10, found 11",
        ),
        (
            "min-ready: 101%",
            "error: address-pools[0].min-ready: expected a number such as 2 or a share such as 50%, found \"101%\"",
        ),
        (
            "probe: icmp",
            "error: address-pools[0].probe: expected a probe such as tcp:8080 or http:8080/healthz, found \"icmp\"",
        ),
        (
            "hold-down: 5",
            "error: address-pools[0].hold-down: 5 has a number without a unit, expected a duration such as 5s or 500ms",
        ),
        (
            "dataplane-gate: wait",
            "error: address-pools[0].dataplane-gate: expected off, auto or require, found \"wait\"",
        ),
        (
            "when-unhealthy: drop",
            "error: address-pools[0].when-unhealthy: expected withdraw or depreference, found \"drop\"",
        ),
        ("probe-rise: 2", "warning: address-pools[0].probe-rise: no effect without probe"),
        (
            "allow-comunities: 64512:1",
            "error: address-pools[0].allow-comunities: unknown key, did you mean allow-communities?",
        ),
    ] {
        let problems = problems(&pool_of(&format!("  {line}\n")));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].ends_with(expected), "{problems:?}");
    }
}
