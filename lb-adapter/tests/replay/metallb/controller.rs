//! MetalLB's cases of the controller (`controller`): the status of a Service, starting from each former status.

use serde_json::{Value, json};

use super::allocator::{asking, families, held, local, sharing};
use crate::world::*;

const POOLS: &str = "
    IPAddressPool pool1 {addresses: [198.51.100.0/31]}
    IPAddressPool pool2 {addresses: [192.0.2.6/32], autoAssign: false}
    IPAddressPool pool3 {addresses: ['2001:db8:3::/127']}
    IPAddressPool pool4 {addresses: ['2001:db8:4::1/128'], autoAssign: false}
    IPAddressPool pool5 {addresses: [203.0.113.0/31, '2001:db8:5::/127']}
    IPAddressPool pool6 {addresses: [10.6.0.0/31], serviceAllocation: {namespaces: [one], priority: 10}}
    IPAddressPool pool7 {addresses: [10.7.0.0/31], serviceAllocation: {namespaces: [one], priority: 11}}
    IPAddressPool pool8 {addresses: [10.8.0.0/31], serviceAllocation: {serviceSelectors: [{matchLabels: {team: a}}], priority: 9}}
    IPAddressPool pool9 {addresses: [10.9.0.0/31], serviceAllocation: {namespaces: [two]}}
    IPAddressPool pool10 {addresses: [10.10.0.0/31], serviceAllocation: {serviceSelectors: [{matchLabels: {team: a}}], priority: 8}}
    IPAddressPool pool11 {addresses: [10.11.0.0/31], serviceAllocation: {namespaces: [one], serviceSelectors: [{matchLabels: {team: a}}], priority: 8}}
    IPAddressPool pool12 {addresses: [10.12.0.0/31], serviceAllocation: {namespaces: [one], serviceSelectors: [{matchLabels: {team: a}}], priority: 5}}";

fn four() -> Value {
    service("a")
}

fn six() -> Value {
    families(service("a"), "SingleStack", &["IPv6"])
}

fn dual(policy: &str) -> Value {
    families(service("a"), policy, &["IPv4", "IPv6"])
}

fn of_pool(service: Value, pool: &str) -> Value {
    annotated(service, "metallb.io/address-pool", pool)
}

fn wanting(service: Value, address: &str) -> Value {
    with(service, "/spec/loadBalancerIP", address)
}

fn in_namespace(service: Value, namespace: &str, team: &str) -> Value {
    let service = with(service, "/metadata/namespace", namespace);
    with(service, "/metadata/labels", json!({"team": team}))
}

/// The cases: a description, the Service, and the addresses that it gets.
fn cases() -> Vec<(&'static str, Value, &'static str)> {
    let host_name = |address: &str| json!({"loadBalancer": {"ingress": [{"hostname": "lb.example.org"}, {"ip": address}]}});
    let require = "RequireDualStack";
    let prefer = "PreferDualStack";
    vec![
        ("asks for nothing", four(), "198.51.100.0"),
        ("asks for an address", wanting(four(), "198.51.100.1"), "198.51.100.1"),
        ("asks for it by annotation", asking(four(), "198.51.100.1"), "198.51.100.1"),
        ("asks by both", wanting(asking(four(), "198.51.100.1"), "198.51.100.0"), ""),
        ("asks for a text that is not an address", wanting(four(), "a fine one"), ""),
        ("asks for a text that is not an address by annotation", asking(four(), "a fine one"), ""),
        (
            "asks for an address and a pool without it",
            of_pool(asking(four(), "198.51.100.1"), "pool2"),
            "",
        ),
        ("asks for two of one family", asking(four(), "198.51.100.0,198.51.100.1"), ""),
        (
            "asks for another than it has, of no pool",
            holding(wanting(four(), "172.31.0.9"), &["198.51.100.1"]),
            "",
        ),
        ("asks for a pool", of_pool(four(), "pool1"), "198.51.100.0"),
        (
            "asks for another pool than it has",
            holding(of_pool(four(), "pool2"), &["198.51.100.0"]),
            "192.0.2.6",
        ),
        ("asks for a pool that is not there", of_pool(four(), "pool99"), ""),
        ("has an address of no pool", holding(four(), &["172.31.0.9"]), "198.51.100.0"),
        (
            "has a host name and an address",
            with(four(), "/status", host_name("172.31.0.9")),
            "198.51.100.0",
        ),
        (
            "has three addresses",
            holding(four(), &["198.51.100.0", "198.51.100.1", "203.0.113.0"]),
            "198.51.100.0",
        ),
        ("asks for one of a pool that is not automatic", wanting(four(), "192.0.2.6"), "192.0.2.6"),
        ("does so with Local", local(wanting(four(), "192.0.2.6"), "a"), "192.0.2.6"),
        ("is IPv6 and asks for IPv4", wanting(six(), "198.51.100.1"), ""),
        ("is IPv6 and asks for IPv4 by annotation", asking(six(), "198.51.100.1"), ""),
        ("is IPv4 and asks for IPv6", wanting(four(), "2001:db8:3::"), ""),
        ("is IPv4 and asks for IPv6 by annotation", asking(four(), "2001:db8:3::"), ""),
        ("is IPv4 and has IPv6", holding(four(), &["2001:db8:3::"]), "198.51.100.0"),
        ("is IPv6 and has IPv4", holding(six(), &["198.51.100.0"]), "2001:db8:3::"),
        ("requires both", dual(require), "203.0.113.0 2001:db8:5::"),
        ("requires both of a pool", of_pool(dual(require), "pool5"), "203.0.113.0 2001:db8:5::"),
        ("prefers both", dual(prefer), "203.0.113.0 2001:db8:5::"),
        (
            "prefers both, in a namespace with a pool of IPv4",
            in_namespace(families(service("a"), prefer, &["IPv4"]), "one", "b"),
            "10.6.0.0",
        ),
        (
            "prefers both of a pool with both",
            of_pool(dual(prefer), "pool5"),
            "203.0.113.0 2001:db8:5::",
        ),
        ("prefers both of a pool of IPv4", of_pool(dual(prefer), "pool1"), "198.51.100.0"),
        (
            "prefers both of a pool of IPv6, and is IPv6",
            of_pool(families(service("a"), prefer, &["IPv6"]), "pool3"),
            "2001:db8:3::",
        ),
        (
            "prefers both, and is IPv4",
            of_pool(families(service("a"), prefer, &["IPv4"]), "pool5"),
            "203.0.113.0",
        ),
        (
            "requires both, and is IPv4",
            of_pool(families(service("a"), require, &["IPv4"]), "pool5"),
            "",
        ),
        ("has both families and asks for one address", wanting(dual(require), "203.0.113.1"), ""),
        ("has both and asks for one by annotation", asking(dual(require), "203.0.113.1"), ""),
        (
            "has both and asks for both",
            asking(dual(require), "203.0.113.0,2001:db8:5::"),
            "203.0.113.0 2001:db8:5::",
        ),
        ("is IPv4 and asks for both", asking(four(), "203.0.113.0,2001:db8:5::"), ""),
        ("is of a namespace with pools of its own", in_namespace(four(), "one", "b"), "10.6.0.0"),
        (
            "is of a namespace with a pool of no priority",
            in_namespace(four(), "two", "b"),
            "10.9.0.0",
        ),
        ("has a label that pools select", in_namespace(four(), "three", "a"), "10.10.0.0"),
        ("has the namespace and the label", in_namespace(four(), "one", "a"), "10.12.0.0"),
    ]
}

/// In any order of the cases, each Service gets the addresses that it would get if it came first.
#[test]
fn the_status_depends_only_on_the_current_service() {
    let mut order = cases();
    for round in 0..6 {
        let mut world = World::of(POOLS);
        for (case, service, expected) in &order {
            let namespace = service["metadata"]["namespace"].as_str().unwrap();
            // A case without a status starts with an empty one.
            let service = match service.get("status") {
                Some(_) => service.clone(),
                None => holding(service.clone(), &[]),
            };
            let answer = world.applied(service);
            let row = answer.services.iter().find(|row| row.namespace == namespace).unwrap();
            assert_eq!(row.addresses.join(" "), *expected, "round {round}: a Service that {case}");
            world.delete("Service", namespace, "a");
        }
        let middle = order.len() / 2;
        order.rotate_left(7);
        order[middle..].reverse();
    }
}

#[test]
fn a_warning_reports_a_request_that_cannot_be_met() {
    for (case, service, expected) in cases() {
        let mut world = World::of(POOLS);
        let answer = world.applied(service);
        let warned = answer.services[0].events.iter().any(|event| event.type_ == "Warning");
        // A Service with three addresses of one family gets a warning too.
        assert_eq!(
            warned,
            expected.is_empty() || case == "has three addresses",
            "{case}: {:?}",
            answer.services[0].events
        );
    }
}

#[test]
fn other_types_get_no_address_and_a_former_load_balancer_loses_its_own() {
    let mut world = World::of(POOLS);
    let answer = world.applied(with(four(), "/spec/type", "ClusterIP"));
    assert_eq!(answer.services, []);
    world.applied(four());
    let answer = world.applied(with(four(), "/spec/type", "NodePort"));
    assert_eq!(answer.services, []);
    let other = world.applied(wanting(service("b"), "198.51.100.0"));
    assert_eq!(held(&other, "b"), "198.51.100.0", "it was let go of");
}

#[test]
fn without_cluster_ips_and_families_a_service_waits_without_a_warning() {
    let mut world = World::of(POOLS);
    let mut bare = four();
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        bare["spec"].as_object_mut().unwrap().remove(key);
    }
    let answer = world.applied(bare);
    assert!(answer.service("a").events.iter().all(|event| event.type_ != "Warning"));
}

#[test]
fn addresses_are_assigned_with_the_first_pool_and_not_before() {
    for (asks, address) in
        [(four(), "198.51.100.0"), (dual("RequireDualStack"), "198.51.100.0 2001:db8::")]
    {
        let mut world = World::new();
        let answer = world.applied(asks.clone());
        assert_eq!((held(&answer, "a"), answer.events("a")), (String::new(), vec![]));
        let pool = "IPAddressPool p {addresses: [198.51.100.0/24, '2001:db8::/120']}";
        assert_eq!(held(&world.have(pool), "a"), address);
    }
}

#[test]
fn the_address_of_a_deleted_service_goes_to_a_waiting_one() {
    let mut world = World::of("IPAddressPool p {addresses: [198.51.100.7/32]}");
    assert_eq!(held(&world.applied(service("a")), "a"), "198.51.100.7");
    let answer = world.applied(service("b"));
    assert_eq!((held(&answer, "b"), answer.events("b")), (String::new(), vec!["AllocationFailed"]));
    let answer = world.delete("Service", "default", "a");
    assert_eq!(held(&answer, "b"), "198.51.100.7");
    let answer = world.applied(service("c"));
    assert_eq!(held(&answer, "c"), "");
    let answer = world.applied(with(service("b"), "/spec/type", "ClusterIP"));
    assert_eq!(held(&answer, "c"), "198.51.100.7", "and so is that of another type now");
}

#[test]
fn a_second_pool_moves_no_service_until_the_first_one_goes() {
    let mut world =
        World::of("IPAddressPool default {addresses: [198.51.100.0/24, '2001:db8::/127']}");
    assert_eq!(held(&world.applied(service("a")), "a"), "198.51.100.0");
    let answer = world.have("IPAddressPool second {addresses: [203.0.113.0/24]}");
    assert_eq!(
        (held(&answer, "a"), answer.service("a").changed),
        ("198.51.100.0".to_owned(), false)
    );
    let answer = world.delete("IPAddressPool", "metallb-system", "default");
    assert_eq!(held(&answer, "a"), "203.0.113.0");
    assert_eq!(answer.events("a"), ["ClearAssignment", "IPAllocated"]);
}

#[test]
fn services_of_a_deleted_pool_for_a_namespace_move_to_other_pools() {
    let mut world = World::of(
        "IPAddressPool first {addresses: [198.51.100.0/32], serviceAllocation: {priority: 20, namespaces: [default]}}
         IPAddressPool second {addresses: [203.0.113.0/32]}",
    );
    assert_eq!(held(&world.applied(service("a")), "a"), "198.51.100.0");
    let answer = world.delete("IPAddressPool", "metallb-system", "first");
    assert_eq!(held(&answer, "a"), "203.0.113.0");
}

#[test]
fn addresses_survive_restarts_and_two_waiting_services_keep_waiting() {
    let mut world = World::of("IPAddressPool p {addresses: [198.51.100.100/32, 203.0.113.200/32]}");
    for name in ["a", "b", "c", "d"] {
        world.applied(service(name));
    }
    for _ in 0..5 {
        let answer = world.step(json!({"restart": true}));
        let all = ["a", "b", "c", "d"].map(|name| held(&answer, name));
        assert_eq!(all, ["198.51.100.100", "203.0.113.200", "", ""]);
        assert!(answer.services.iter().all(|row| !row.changed));
    }
}

#[test]
fn sharing_is_checked_again_when_policy_or_pods_change() {
    let mut world = World::of("IPAddressPool p {addresses: [198.51.100.7/32]}");
    let service = |name: &str, port: u16, app: &str, policy: &str| {
        let service = local(sharing(service(name), "share", port, "TCP"), app);
        with(service, "/spec/externalTrafficPolicy", policy)
    };
    world.applied(service("a", 80, "x", "Cluster"));
    let steps = [
        (service("b", 81, "x", "Cluster"), [true, true]),
        (service("b", 81, "x", "Local"), [true, false]),
        (service("a", 80, "x", "Local"), [true, true]),
        (service("a", 80, "y", "Local"), [false, true]),
        (service("b", 81, "y", "Local"), [true, true]),
    ];
    for (number, (service, expected)) in steps.into_iter().enumerate() {
        let answer = world.applied(service);
        let have = ["a", "b"].map(|name| held(&answer, name) == "198.51.100.7");
        assert_eq!(have, expected, "step {number}");
    }
}

#[test]
fn a_service_of_another_class_gets_nothing() {
    let mut world = World::of(POOLS);
    let answer = world.applied(with(four(), "/spec/loadBalancerClass", "example.org/other"));
    assert_eq!(answer.services, []);
    assert_eq!(answer.routes, []);
}

#[test]
fn an_invalid_request_releases_no_address() {
    let held = ["198.51.100.1"];
    for (case, service) in [
        ("no address", asking(four(), "nonsense")),
        ("no address in the field", wanting(four(), "nonsense")),
        ("both at once", wanting(asking(four(), held[0]), held[0])),
        ("two of one family", asking(four(), "198.51.100.1,198.51.100.0")),
        ("a comma at the end", asking(four(), "198.51.100.1,")),
    ] {
        let mut world = World::of(POOLS);
        let answer = world.applied(holding(service, &held));
        assert_eq!(answer.service("a").addresses, held, "{case}");
        assert!(answer.events("a").contains(&"AllocationFailed"), "{case}");
    }
}

#[test]
fn requests_are_read_as_metallb_reads_them() {
    let old_pool = annotated(four(), "metallb.universe.tf/address-pool", "pool2");
    for (case, service, expected) in [
        (
            "blanks around addresses",
            asking(dual("RequireDualStack"), " 203.0.113.1 , 2001:db8:5::1"),
            "203.0.113.1 2001:db8:5::1",
        ),
        (
            "the other order",
            asking(dual("RequireDualStack"), "2001:db8:5::1,203.0.113.1"),
            "203.0.113.1 2001:db8:5::1",
        ),
        ("an IPv6 address in capitals", asking(six(), "2001:DB8:3:0::1"), "2001:db8:3::1"),
        ("leading zeros", asking(four(), "198.51.100.001"), ""),
        ("an empty annotation", asking(of_pool(four(), ""), ""), "198.51.100.0"),
        ("the old prefix", old_pool.clone(), "192.0.2.6"),
        ("the new prefix before the old one", of_pool(old_pool.clone(), "pool1"), "198.51.100.0"),
        ("the new one though it is empty", of_pool(old_pool, ""), "198.51.100.0"),
    ] {
        let answer = World::of(POOLS).applied(service);
        assert_eq!(held(&answer, "a"), expected, "{case}");
    }
}

/// MetalLB releases all addresses when the families of a Service change, and assigns new ones. FerroLB keeps the address of
/// a family that stays, as the documentation says.
#[test]
fn a_change_of_families_keeps_the_address_of_a_family_that_stays() {
    let mut world = World::of("IPAddressPool p {addresses: [198.51.100.0/24, '2001:db8::/120']}");
    let held_before = ["198.51.100.9", "2001:db8::9"];
    let answer = world.applied(holding(dual("RequireDualStack"), &held_before));
    assert_eq!(answer.service("a").addresses, held_before);
    assert_eq!(held(&world.applied(four()), "a"), "198.51.100.9");
    assert_eq!(held(&world.applied(dual("RequireDualStack")), "a"), "198.51.100.9 2001:db8::");
}
