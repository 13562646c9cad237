//! MetalLB's scenarios of routes: prefixes, communities, local preference, both families.

use lb_adapter::recording::StepResult;
use serde_json::{Value, json};

use super::allocator::families;
use crate::world::*;

/// An internal peer, for which the local preference counts.
const PEER: &str = "BGPPeer tor {myASN: 64636, peerASN: 64636, peerAddress: 172.22.35.1}";
const PEER6: &str = "BGPPeer tor6 {myASN: 64636, peerASN: 64636, peerAddress: 'fd00:35::1'}";

/// A world with one node that has addresses of both families, and an endpoint of `a` on it.
fn world(text: &str) -> World {
    let mut world = World::of(text);
    let addresses = json!([
        {"type": "InternalIP", "address": "172.22.35.25"},
        {"type": "InternalIP", "address": "fd00:35::25"},
    ]);
    world.applied(with(node("kube1", "172.22.35.25"), "/status/addresses", addresses));
    world.applied(slice("a", &["kube1"]));
    world
}

/// A line for each route, such as `198.51.100.0/24 300 64512:1 large:1:2:3`.
fn shown(answer: &StepResult) -> Vec<String> {
    let line = |row: &lb_adapter::recording::RouteRow| {
        let mut words = vec![row.prefix.clone()];
        words.extend(row.local_pref.map(|preference| preference.to_string()));
        words.extend(row.communities.iter().cloned());
        words.extend(row.large_communities.iter().map(|it| format!("large:{it}")));
        words.join(" ")
    };
    answer.routes.iter().map(line).collect()
}

fn dual() -> Value {
    families(service("a"), "RequireDualStack", &["IPv4", "IPv6"])
}

fn six() -> Value {
    families(service("a"), "SingleStack", &["IPv6"])
}

#[test]
fn communities_and_local_preference_are_those_of_the_advertisement() {
    for (pool, peer, service, prefix) in [
        ("198.51.100.0/24", PEER, service("a"), "198.51.100.0/32"),
        ("2001:db8::/64", PEER6, six(), "2001:db8::/128"),
    ] {
        for (advertisement, expected) in [
            (
                "BGPAdvertisement adv {communities: ['65535:65283'], localPref: 50}",
                "50 65535:65283",
            ),
            (
                "BGPAdvertisement adv {communities: ['large:123:456:7890'], localPref: 50}",
                "50 large:123:456:7890",
            ),
            (
                "BGPAdvertisement adv {communities: ['65535:65283', 'large:1:2:3'], localPref: 7}",
                "7 65535:65283 large:1:2:3",
            ),
            (
                "Community c {communities: [{name: no-peer, value: '65535:65284'}]}\nBGPAdvertisement adv {communities: [no-peer], localPref: 50}",
                "50 65535:65284",
            ),
            (
                "BGPAdvertisement adv {localPref: 150, ipAddressPoolSelectors: [{matchLabels: {zone: dmz}}]}\nBGPAdvertisement other {localPref: 10, ipAddressPoolSelectors: [{matchLabels: {zone: lan}}]}",
                "150",
            ),
        ] {
            let pool = format!("IPAddressPool p,zone=dmz {{addresses: ['{pool}']}}");
            let mut world = world(&format!("{pool}\n{peer}\n{advertisement}"));
            let answer = world.applied(service.clone());
            assert_eq!(shown(&answer), [format!("{prefix} {expected}")], "{advertisement}");
        }
    }
}

#[test]
fn an_external_peer_gets_no_local_preference() {
    let mut world = world(
        "IPAddressPool p {addresses: [198.51.100.0/24]}
         BGPPeer tor {myASN: 64636, peerASN: 64635, peerAddress: 172.22.35.1}
         BGPAdvertisement adv {localPref: 100, communities: ['64512:1']}",
    );
    assert_eq!(shown(&world.applied(service("a"))), ["198.51.100.0/32 64512:1"]);
}

#[test]
fn advertisements_of_one_prefix_add_up_their_communities() {
    let mut world = world(&format!(
        "IPAddressPool p {{addresses: [198.51.100.0/24]}}
         {PEER}
         BGPAdvertisement one {{communities: ['65000:100'], localPref: 9, ipAddressPools: [p]}}
         BGPAdvertisement two {{communities: ['65000:200'], localPref: 9, ipAddressPools: [p]}}"
    ));
    let answer = world.applied(service("a"));
    assert_eq!(shown(&answer), ["198.51.100.0/32 9 65000:100 65000:200"]);
    let answer = world.delete("BGPAdvertisement", "metallb-system", "one");
    assert_eq!(shown(&answer), ["198.51.100.0/32 9 65000:200"]);
}

#[test]
fn a_changed_advertisement_changes_the_routes() {
    for (pool, peer, service, first, second, length) in [
        (
            "198.51.100.0/24",
            PEER,
            service("a"),
            "198.51.100.0/32",
            "198.51.100.0/24",
            "aggregationLength: 24",
        ),
        (
            "2001:db8::/112",
            PEER6,
            six(),
            "2001:db8::/128",
            "2001:db8::/124",
            "aggregationLengthV6: 124",
        ),
    ] {
        let mut world = world(&format!(
            "IPAddressPool p {{addresses: ['{pool}']}}\n{peer}
             BGPAdvertisement adv {{communities: ['65535:65283'], localPref: 200, ipAddressPools: [p]}}"
        ));
        let answer = world.applied(service);
        assert_eq!(shown(&answer), [format!("{first} 200 65535:65283")]);
        let answer = world.have(&format!(
            "BGPAdvertisement adv {{communities: ['64512:7'], localPref: 300, ipAddressPools: [p], {length}}}"
        ));
        assert_eq!(shown(&answer), [format!("{second} 300 64512:7")]);
    }
}

#[test]
fn a_session_carries_the_family_of_its_address_or_both() {
    let pools = "IPAddressPool p {addresses: [198.51.100.0/24, '2001:db8::/112']}
                 BGPAdvertisement adv {localPref: 50, communities: ['65535:65283']}";
    let both =
        |peer: &str| peer.replace("peerAddress", "dualStackAddressFamily: true, peerAddress");
    let (v4, v6) = ("198.51.100.0/32 50 65535:65283", "2001:db8::/128 50 65535:65283");
    for (peers, asks, expected) in [
        (PEER.to_owned(), dual(), vec![v4]),
        (PEER6.to_owned(), dual(), vec![v6]),
        (format!("{PEER}\n{PEER6}"), dual(), vec![v4, v6]),
        (both(PEER), dual(), vec![v4, v6]),
        (both(PEER6), dual(), vec![v4, v6]),
        (format!("{}\n{}", both(PEER), both(PEER6)), six(), vec![v6, v6]),
        (format!("{}\n{}", both(PEER), both(PEER6)), service("a"), vec![v4, v4]),
    ] {
        let mut world = world(&format!("{pools}\n{peers}"));
        assert_eq!(shown(&world.applied(asks)), expected, "{peers}");
    }
}

#[test]
fn a_shared_address_is_one_route_for_all_its_services() {
    let mut world = world(&format!(
        "IPAddressPool p {{addresses: [198.51.100.0/24]}}\n{PEER}\nBGPAdvertisement adv {{localPref: 1}}"
    ));
    world.applied(slice("b", &["kube1"]));
    let ask = |name: &str, port: u16| {
        let service = annotated(service(name), "metallb.io/allow-shared-ip", "foo");
        let service = with(service, "/spec/ports", json!([{"port": port, "protocol": "TCP"}]));
        with(service, "/spec/loadBalancerIP", "198.51.100.1")
    };
    world.applied(ask("a", 80));
    let answer = world.applied(ask("b", 81));
    assert_eq!(shown(&answer), ["198.51.100.1/32 1"]);
    assert_eq!(answer.routes[0].services, ["default/a", "default/b"]);
}

#[test]
fn pools_by_range_and_by_prefix_behave_alike() {
    for (peer, service, addresses, prefix) in [
        (PEER, service("a"), "198.51.100.0-198.51.100.18", "198.51.100.0/32"),
        (PEER, service("a"), "198.51.100.0/24", "198.51.100.0/32"),
        (PEER6, six(), "2001:db8::-2001:db8::18", "2001:db8::/128"),
        (PEER6, six(), "2001:db8::/116", "2001:db8::/128"),
    ] {
        let mut world = world(&format!(
            "IPAddressPool p {{addresses: ['{addresses}']}}\n{peer}\nBGPAdvertisement adv {{localPref: 1}}"
        ));
        assert_eq!(shown(&world.applied(service)), [format!("{prefix} 1")], "{addresses}");
    }
}

#[test]
fn two_advertisements_of_two_lengths_are_two_routes() {
    let mut world = world(&format!(
        "IPAddressPool p {{addresses: [198.51.100.0/24]}}
         {PEER}
         BGPAdvertisement host {{aggregationLength: 32, localPref: 100, communities: ['0:1234', '0:2345']}}
         BGPAdvertisement net {{aggregationLength: 24, localPref: 1000}}"
    ));
    let answer = world.applied(holding(service("a"), &["198.51.100.1"]));
    assert_eq!(shown(&answer), ["198.51.100.0/24 1000", "198.51.100.1/32 100 0:1234 0:2345"]);
}
