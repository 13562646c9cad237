//! MetalLB's cases of the allocator (`internal/allocator`): the address that each Service gets, sharing, and changes of the
//! pools.

use lb_adapter::recording::StepResult;
use serde_json::{Value, json};

use super::objects;
use crate::world::*;

/// The addresses of the Service, separated by blanks.
pub(super) fn held(answer: &StepResult, name: &str) -> String {
    answer.service(name).addresses.join(" ")
}

/// The Service, asking for these addresses.
pub(super) fn asking(service: Value, addresses: &str) -> Value {
    annotated(service, "metallb.io/loadBalancerIPs", addresses)
}

/// The Service, on this port, sharing its address with others of this key.
pub(super) fn sharing(service: Value, key: &str, port: u16, protocol: &str) -> Value {
    let service = annotated(service, "metallb.io/allow-shared-ip", key);
    with(service, "/spec/ports", json!([{"port": port, "protocol": protocol}]))
}

/// The Service with this selector, announced by the nodes that have its endpoints.
pub(super) fn local(service: Value, app: &str) -> Value {
    let service = with(service, "/spec/externalTrafficPolicy", "Local");
    with(service, "/spec/selector", json!({"app": app}))
}

/// The Service with cluster IPs of these families.
pub(super) fn families(service: Value, policy: &str, families: &[&str]) -> Value {
    let addresses: Vec<_> = families
        .iter()
        .map(|family| if *family == "IPv4" { "10.96.0.9" } else { "fd96::9" })
        .collect();
    let service = with(service, "/spec/ipFamilyPolicy", policy);
    let service = with(service, "/spec/ipFamilies", json!(families));
    let service = with(service, "/spec/clusterIP", addresses[0]);
    with(service, "/spec/clusterIPs", json!(addresses))
}

fn of_pool(service: Value, pool: &str) -> Value {
    annotated(service, "metallb.io/address-pool", pool)
}

/// A family with the form of its addresses.
#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    prefix: &'static str,
}

const FAMILIES: [Family; 2] =
    [Family { name: "IPv4", prefix: "198.51.100." }, Family { name: "IPv6", prefix: "2001:db8::" }];

impl Family {
    fn address(self, last: &str) -> String {
        format!("{}{last}", self.prefix)
    }

    fn service(self, name: &str) -> Value {
        families(service(name), "SingleStack", &[self.name])
    }
}

#[test]
fn an_address_belongs_to_one_service_until_it_is_released() {
    for family in FAMILIES {
        let [first, second] = ["4", "5"].map(|last| family.address(last));
        let range = format!("{first}-{second}");
        let mut world = World::of(&format!("IPAddressPool p {{addresses: ['{range}']}}"));
        let mut ask =
            |name: &str, address: &str| world.applied(asking(family.service(name), address));

        assert_eq!(held(&ask("s1", &first), "s1"), first);
        let answer = ask("s1", &first);
        assert_eq!((held(&answer, "s1"), answer.service("s1").changed), (first.clone(), false));

        let answer = ask("s2", &first);
        assert_eq!((held(&answer, "s1"), held(&answer, "s2")), (first.clone(), String::new()));
        assert_eq!(answer.events("s2"), ["AllocationFailed"]);
        assert_eq!(held(&ask("s2", &second), "s2"), second);

        let answer = ask("s1", &second);
        assert_eq!((held(&answer, "s1"), held(&answer, "s2")), (String::new(), second.clone()));
        let answer = ask("s2", &first);
        assert_eq!(held(&answer, "s2"), first, "s1 has let go of it");
        assert_eq!(held(&answer, "s1"), second, "and has waited for that of s2");
    }
}

#[test]
fn sharing_requires_one_key_different_ports_and_the_same_pods() {
    for family in FAMILIES {
        let [shared, other] = ["3", "9"].map(|last| family.address(last));
        let pool = format!("IPAddressPool p {{addresses: ['{}-{other}']}}", family.address("1"));
        let mut world = World::of(&pool);
        let service = |name: &str, address: &str, key: &str, port: u16, app: &str| {
            let service = local(family.service(name), app);
            asking(sharing(service, key, port, "TCP"), address)
        };
        let answer = world.applied(service("s4", &shared, "sharing", 80, "shop"));
        assert_eq!(held(&answer, "s4"), shared);
        let answer = world.applied(service("s4", &shared, "share", 80, "shop"));
        assert_eq!(held(&answer, "s4"), shared, "the key of the only holder may change");

        for (case, key, port, app) in [
            ("the same port", "share", 80, "shop"),
            ("another key", "other", 443, "shop"),
            ("other pods", "share", 443, "blog"),
        ] {
            let answer = world.applied(service("s3", &shared, key, port, app));
            assert_eq!(held(&answer, "s3"), "", "{case}");
        }
        let answer = world.applied(service("s3", &shared, "share", 443, "shop"));
        assert_eq!(held(&answer, "s3"), shared);
        let udp = asking(sharing(local(family.service("s3"), "shop"), "share", 53, "UDP"), &shared);
        assert_eq!(held(&world.applied(udp), "s3"), shared, "its ports may change");

        for (case, key, app) in [("another key", "other", "shop"), ("other pods", "share", "blog")]
        {
            let answer = world.applied(service("s3", &shared, key, 443, app));
            assert_eq!(held(&answer, "s3"), "", "{case}");
            assert_eq!(held(&answer, "s4"), shared, "{case}: the other holder stays");
            world.applied(service("s3", &shared, "share", 443, "shop"));
        }
        let answer = world.applied(service("s4", &other, "share", 80, "shop"));
        assert_eq!((held(&answer, "s4"), held(&answer, "s3")), (other, shared));
    }
}

#[test]
fn addresses_of_two_families_come_from_one_pool() {
    let mut world = World::of(
        "IPAddressPool p {addresses: [198.51.100.0/24, '2001:db8::/120']}
         IPAddressPool q {addresses: [203.0.113.0/24, '2001:db8:1::/120']}",
    );
    let dual = families(service("a"), "RequireDualStack", &["IPv4", "IPv6"]);
    let answer = world.applied(asking(dual.clone(), "198.51.100.4,2001:db8::4"));
    assert_eq!(held(&answer, "a"), "198.51.100.4 2001:db8::4");
    let answer = world.applied(asking(dual, "203.0.113.5,2001:db8::4"));
    assert_eq!(held(&answer, "a"), "");
    assert!(answer.events("a").contains(&"AllocationFailed"));
}

#[test]
fn a_restricted_pool_is_closed_to_other_services_even_if_they_request_it() {
    let mut world = World::of(
        "IPAddressPool namespace {addresses: [198.51.100.0/24], serviceAllocation: {namespaces: [one]}}
         IPAddressPool label {addresses: [203.0.113.0/24], serviceAllocation: {serviceSelectors: [{matchLabels: {team: a}}]}}
         IPAddressPool both {addresses: [192.0.2.0/24], serviceAllocation: {priority: 20, namespaces: [two], serviceSelectors: [{matchLabels: {team: b}}]}}",
    );
    for (namespace, team, address, allowed) in [
        ("one", "c", "198.51.100.10", true),
        ("three", "c", "198.51.100.10", false),
        ("three", "a", "203.0.113.10", true),
        ("three", "c", "203.0.113.10", false),
        ("two", "b", "192.0.2.10", true),
        ("two", "a", "192.0.2.10", false),
        ("three", "b", "192.0.2.10", false),
    ] {
        let service = with(asking(service("a"), address), "/metadata/namespace", namespace);
        let answer = world.applied(with(service, "/metadata/labels", json!({"team": team})));
        let found = held(&answer, "a");
        assert_eq!(found == address, allowed, "{namespace}, {team}, {address}: {found:?}");
        world.delete("Service", namespace, "a");
    }
}

/// Two pools of two addresses; one of them has two ranges.
fn four(family: &str) -> (&'static str, [String; 2]) {
    let (first, second): (&[&str], &[&str]) = match family {
        "IPv4" => (&["198.51.100.4/31"], &["198.51.100.10/31"]),
        "IPv6" => (&["2001:db8::4/127"], &["2001:db8::10/127"]),
        _ => (&["198.51.100.4/31", "2001:db8::4/127"], &["198.51.100.10/31", "2001:db8::10/127"]),
    };
    ("p", [first, second].map(|ranges| json!(ranges).to_string()))
}

#[test]
fn a_service_without_an_address_waits_until_one_is_free_or_shared() {
    for (kind, of) in
        [("IPv4", &["IPv4"][..]), ("IPv6", &["IPv6"][..]), ("dual", &["IPv4", "IPv6"][..])]
    {
        let policy = if of.len() == 1 { "SingleStack" } else { "RequireDualStack" };
        let (_, [first, second]) = four(kind);
        let ranges = format!("{},{}", first.trim_end_matches(']'), second.trim_start_matches('['));
        // One pool that the Services name, and two pools that they do not name.
        for (pools, asked) in [
            (
                format!(
                    "IPAddressPool p {{addresses: {ranges}}}\nIPAddressPool z {{addresses: [192.0.2.0/24, 'fd00::/112'], autoAssign: false}}"
                ),
                true,
            ),
            (
                format!(
                    "IPAddressPool p {{addresses: {first}}}\nIPAddressPool q {{addresses: {second}}}"
                ),
                false,
            ),
        ] {
            let mut world = World::of(&pools);
            let new = |name: &str| {
                let service = families(service(name), policy, of);
                if asked { of_pool(service, "p") } else { service }
            };
            for name in ["s1", "s2", "s3", "s4"] {
                assert_eq!(
                    world.applied(new(name)).service(name).addresses.len(),
                    of.len(),
                    "{kind}"
                );
            }

            for name in ["s5", "s6"] {
                let answer = world.applied(new(name));
                assert_eq!(
                    (held(&answer, name), answer.events(name)),
                    (String::new(), vec!["AllocationFailed"])
                );
            }

            let before = held(&world.applied(new("s1")), "s1");
            let answer = world.delete("Service", "default", "s1");
            assert_eq!(
                (held(&answer, "s5"), held(&answer, "s6")),
                (before.clone(), String::new()),
                "{kind}"
            );

            world.applied(sharing(new("s5"), "share", 80, "TCP"));
            let answer = world.applied(sharing(new("s6"), "share", 443, "TCP"));
            assert_eq!(
                (held(&answer, "s5"), held(&answer, "s6")),
                (before.clone(), before),
                "{kind}"
            );
        }
    }
}

#[test]
fn a_service_that_changes_its_family_gets_an_address_of_the_new_one() {
    let mut world = World::of("IPAddressPool p {addresses: [198.51.100.4/32, '2001:db8::4/128']}");
    assert_eq!(held(&world.applied(FAMILIES[0].service("a")), "a"), "198.51.100.4");
    let answer = world.applied(FAMILIES[1].service("a"));
    assert_eq!(held(&answer, "a"), "2001:db8::4");
    let answer = world.applied(FAMILIES[0].service("b"));
    assert_eq!(held(&answer, "b"), "198.51.100.4", "it was let go of");
}

#[test]
fn a_missing_pool_assigns_nothing() {
    let mut world = World::of("IPAddressPool p {addresses: [198.51.100.0/24]}");
    let answer = world.applied(of_pool(service("a"), "q"));
    assert_eq!((held(&answer, "a"), answer.events("a")), (String::new(), vec!["AllocationFailed"]));
}

#[test]
fn a_pool_may_skip_addresses_that_end_in_0_and_255() {
    let mut world = World::of(
        "IPAddressPool a {addresses: [198.51.100.0/31]}
         IPAddressPool b {addresses: [198.51.100.254/31]}
         IPAddressPool c {addresses: [203.0.113.0/31], avoidBuggyIPs: true}
         IPAddressPool d {addresses: [203.0.113.254/31], avoidBuggyIPs: true}",
    );
    let given: Vec<_> = (1..=7)
        .map(|number| {
            let name = format!("s{number}");
            held(&world.applied(service(&name)), &name)
        })
        .collect();
    let expected = [
        "198.51.100.0",
        "198.51.100.1",
        "198.51.100.254",
        "198.51.100.255",
        "203.0.113.1",
        "203.0.113.254",
        "",
    ];
    assert_eq!(given, expected);
    for buggy in ["203.0.113.0", "203.0.113.255"] {
        let answer = world.applied(asking(service("s8"), buggy));
        assert_eq!(held(&answer, "s8"), "", "{buggy}");
    }
}

#[test]
fn pools_without_auto_assign_are_for_services_that_request_them() {
    for family in FAMILIES {
        let [manual, automatic] = ["4", "10"].map(|last| family.address(last));
        let length = if family.name == "IPv4" { 31 } else { 127 };
        let mut world = World::of(&format!(
            "IPAddressPool a {{addresses: ['{manual}/{length}'], autoAssign: false}}
             IPAddressPool b {{addresses: ['{automatic}/{length}']}}"
        ));
        for (name, gets) in [("s1", true), ("s2", true), ("s3", false)] {
            let found = held(&world.applied(family.service(name)), name);
            assert_eq!(!found.is_empty(), gets, "{name}: {found}");
        }
        let answer = world.applied(of_pool(family.service("s3"), "a"));
        assert_eq!(held(&answer, "s3"), manual);
    }
}

/// Two Services hold the first addresses of a pool, and then the pools change. Each Service is in the named pool, or has
/// lost its address if that is empty.
#[test]
fn a_change_of_the_pools_releases_only_addresses_in_no_pool() {
    let before = "IPAddressPool test {addresses: [198.51.100.0/30, '2001:db8::/126']}
                  IPAddressPool unused {addresses: [203.0.113.0/30, '2001:db8:1::/126'], autoAssign: false}";
    for (case, after, pool_of_v4, pool_of_v6) in [
        (
            "the same",
            "IPAddressPool test {addresses: [198.51.100.0/30, '2001:db8::/126']}",
            "test",
            "test",
        ),
        (
            "more",
            "IPAddressPool test {addresses: [198.51.100.0/24, '2001:db8::/120']}",
            "test",
            "test",
        ),
        (
            "less of IPv4",
            "IPAddressPool test {addresses: [198.51.100.2/31, '2001:db8::/126'], autoAssign: false}",
            "",
            "test",
        ),
        (
            "less of IPv6",
            "IPAddressPool test {addresses: [198.51.100.0/30, '2001:db8::2/127'], autoAssign: false}",
            "test",
            "",
        ),
        (
            "another name",
            "IPAddressPool test2 {addresses: [198.51.100.0/30, '2001:db8::/126']}",
            "test2",
            "test2",
        ),
        (
            "two pools of one",
            "IPAddressPool test {addresses: [198.51.100.0/31, '2001:db8::2/127']}\nIPAddressPool test2 {addresses: [198.51.100.2/31, '2001:db8::/127']}",
            "test",
            "test2",
        ),
        (
            "no address that ends in 0",
            "IPAddressPool test {addresses: [198.51.100.0/31, '2001:db8::/127'], autoAssign: false, avoidBuggyIPs: true}",
            "",
            "test",
        ),
    ] {
        let mut world = World::of(before);
        world.applied(FAMILIES[0].service("four"));
        world.applied(FAMILIES[1].service("six"));

        assert!(world.delete("IPAddressPool", "metallb-system", "unused").ok);
        if case == "another name" {
            assert!(world.delete("IPAddressPool", "metallb-system", "test").ok);
        }
        // A new pool waits until the old one has released its addresses, so that both change at once.
        let answers = objects(after).into_iter().rev().map(|pool| world.apply(pool));
        let answer = answers.last().unwrap();
        assert!(answer.ok, "{case}: {:?}", answer.problems);

        for (name, pool, address) in
            [("four", pool_of_v4, "198.51.100.0"), ("six", pool_of_v6, "2001:db8::")]
        {
            let row = answer.service(name);
            assert_eq!(row.pool.as_deref().unwrap_or_default(), pool, "{case}: {name}");
            let kept = row.addresses == [address];
            assert_eq!(kept, !pool.is_empty(), "{case}: {name} has {:?}", row.addresses);
        }
    }
}
