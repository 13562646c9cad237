//! The rules by which Services may share an address.

use super::*;

fn one_pool() -> Vec<Pool> {
    vec![pool("default", &["10.0.0.0/24"])]
}

/// Returns true if the second Service joins the first one.
fn joins(first: TestService, second: TestService) -> bool {
    let (a, b) = (first.0.key.name.clone(), second.0.key.name.clone());
    let outcome = Cluster::new(one_pool()).reconcile([first, second]);
    outcome.of(&a) == outcome.of(&b)
}

#[test]
fn services_share_with_the_same_key_and_different_ports() {
    assert!(joins(service("a").shares("k").tcp(80), service("b").shares("k").tcp(443)));
    assert!(joins(service("a").shares("k").tcp(53), service("b").shares("k").udp(53)));
    assert!(
        joins(service("a").shares("k"), service("b").shares("k")),
        "Services without ports never conflict"
    );
}

#[test]
fn services_do_not_share_without_a_key_with_different_keys_or_with_a_common_port() {
    assert!(!joins(service("a").tcp(80), service("b").tcp(443)));
    assert!(!joins(service("a").shares("").tcp(80), service("b").shares("").tcp(443)));
    assert!(!joins(service("a").shares("k").tcp(80), service("b").tcp(443)));
    assert!(!joins(service("a").shares("k").tcp(80), service("b").shares("l").tcp(443)));
    assert!(!joins(
        service("a").shares("k").tcp(80).tcp(443),
        service("b").shares("k").tcp(25).tcp(443)
    ));
}

#[test]
fn with_policy_local_only_services_of_the_same_pods_share() {
    let web = [("app", "web"), ("tier", "front")];
    let swapped = [("tier", "front"), ("app", "web")];
    let a = || service("a").shares("k").tcp(80);
    let b = || service("b").shares("k").tcp(443);
    assert!(joins(a().local(&web), b().local(&swapped)));
    assert!(!joins(a().local(&web), b().local(&[("app", "mail")])));
    assert!(!joins(a().local(&web), b()));
    assert!(!joins(a(), b().local(&web)));
    assert!(joins(a().local(&[]), b()), "without selectors there are no different pods");
    let other_pods = |request: TestService, app: &str| {
        request.with(|s| s.selector = [("app".to_owned(), app.to_owned())].into())
    };
    assert!(
        joins(other_pods(a(), "web"), other_pods(b(), "mail")),
        "with policy Cluster the pods do not matter"
    );
}

#[test]
fn namespaces_do_not_matter_for_sharing() {
    let other = service("b").shares("k").tcp(443).with(|s| s.key = ServiceKey::new("mail", "b"));
    let mut cluster = Cluster::new(one_pool());
    let outcome = cluster.reconcile([service("a").shares("k").tcp(80), other]);
    let addresses: Vec<_> = outcome.held().into_values().collect();
    assert_eq!(addresses, [[ip("10.0.0.0")], [ip("10.0.0.0")]]);
}

#[test]
fn a_shareable_address_comes_before_a_higher_free_one() {
    let mut cluster = Cluster::new(one_pool()).holding("a", &["10.0.0.2"]);
    let outcome =
        cluster.reconcile([service("a").shares("k").tcp(80), service("b").shares("k").tcp(81)]);
    assert_eq!(outcome.of("b"), "10.0.0.0", "a lower free address comes first");
    let outcome = cluster.reconcile([
        service("a").shares("k").tcp(80),
        service("b").shares("k").tcp(81),
        service("c").shares("k").tcp(80),
        service("d").shares("k").tcp(82),
    ]);
    assert_eq!(outcome.of("c"), "10.0.0.0", "it joins b, whose ports differ");
    assert_eq!(outcome.of("d"), "10.0.0.0");
}

#[test]
fn a_refusal_names_the_holder_of_the_address_and_the_rule_that_forbids_sharing() {
    for (request, why) in [
        (service("b").tcp(443), "and not both Services have the annotation allow-shared-ip"),
        (service("b").tcp(443).shares("l"), r#"whose annotation allow-shared-ip is "k""#),
        (service("b").tcp(80).shares("k"), "which also has port 80/TCP"),
        (
            service("b").tcp(443).shares("k").local(&[("app", "b")]),
            "and with externalTrafficPolicy Local, Services share an address only if both have that \
             policy and the same selector",
        ),
    ] {
        let mut cluster = Cluster::new(one_pool());
        let holder = service("a").ip("10.0.0.7").shares("k").tcp(80);
        let outcome = cluster.reconcile([holder, request.ip("10.0.0.7")]);
        assert_eq!(outcome.of("b"), format!("10.0.0.7 is in use by default/a, {why}"));
    }
}

#[test]
fn a_sole_holder_changes_its_key_and_keeps_the_address() {
    let mut cluster = Cluster::new(one_pool());
    cluster.reconcile([service("a").shares("k").tcp(80)]);
    for request in [service("a").shares("l").tcp(80), service("a").tcp(80), service("a").tcp(81)] {
        let outcome = cluster.reconcile([request]);
        assert_eq!(outcome.of("a"), "10.0.0.0");
        assert!(outcome.changes.events.is_empty());
    }
}

#[test]
fn of_two_services_that_may_no_longer_share_the_changed_one_is_moved() {
    let mut cluster = Cluster::new(one_pool());
    let b = || service("b").shares("k").tcp(443);
    cluster.reconcile([service("a").shares("k").tcp(80), b()]);
    let outcome = cluster.reconcile([service("a").shares("l").tcp(80), b()]);
    assert_eq!((outcome.of("a").as_str(), outcome.of("b").as_str()), ("10.0.0.1", "10.0.0.0"));
    assert_eq!(
        outcome.event_lines(),
        [
            "a ClearAssignment: took back 10.0.0.0: 10.0.0.0 is in use by default/b, whose \
             annotation allow-shared-ip is \"k\"",
            "a IPAllocated: assigned 10.0.0.1 from pool \"default\"",
        ]
    );
}

#[test]
fn a_shared_address_is_free_once_its_last_holder_is_removed() {
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/32"])]);
    let (a, b, c) = (
        || service("a").shares("k").tcp(80),
        || service("b").shares("k").tcp(443),
        || service("c").tcp(25),
    );
    cluster.reconcile([a(), b(), c()]);
    let outcome = cluster.reconcile([b(), c()]);
    assert_eq!(outcome.of("c"), r#"no address is left in pool "default""#);
    let outcome = cluster.reconcile([c()]);
    assert_eq!(outcome.of("c"), "10.0.0.0");
}

#[test]
fn a_port_that_becomes_free_on_a_shared_address_is_found_again() {
    let mut allocator = Allocator::new();
    allocator.reconcile::<&Service>(&one_pool(), [], &HeldAddresses::new());
    let mut put = |name: &str, port: u16, held: &[&str]| {
        let held: Vec<_> = held.iter().map(|address| ip(address)).collect();
        allocator.upsert(&service(name).shares("k").tcp(port).0, &held);
        allocator.assignment(&key(name)).unwrap().addresses[0].to_string()
    };
    for (name, port, address) in
        [("a", 80, "10.0.0.0"), ("b", 80, "10.0.0.1"), ("c", 80, "10.0.0.2"), ("d", 81, "10.0.0.0")]
    {
        assert_eq!(put(name, port, &[]), address);
    }
    assert_eq!(put("a", 82, &["10.0.0.0"]), "10.0.0.0");
    assert_eq!(put("e", 80, &[]), "10.0.0.0");
}

/// There is only one address. `a` holds it, and `b` is refused.
#[test]
fn the_refusal_of_an_exhausted_pool_explains_why_its_address_cannot_be_shared() {
    let why = |a: TestService, b: TestService| {
        let mut cluster = Cluster::new(vec![pool("p", &["10.0.0.1/32"])]);
        let a = a.created("2024-01-01T00:00:00Z").0;
        cluster.reconcile([TestService(a.clone())]);
        cluster.reconcile([TestService(a), b]);
        cluster.allocator.explain_refusal(&key("b")).unwrap().to_string()
    };
    let a = || service("a").shares("global").tcp(443);
    let exhausted = "no address is left in pool \"p\"";
    let shared = format!("{exhausted}, and 10.0.0.1 cannot be shared: it is in use by default/a, ");
    for (b, expected) in [
        (service("b").shares("global").tcp(443), format!("{shared}which also has port 443/TCP")),
        (
            service("b").shares("global").udp(53).local(&[("app", "dns")]),
            format!("{shared}and with externalTrafficPolicy Local, Services share an address only"),
        ),
        (
            service("b").shares("gobal").tcp(444),
            format!("{shared}whose annotation allow-shared-ip is \"global\""),
        ),
        // Nothing indicates that these two were meant to share.
        (service("b").shares("mail").tcp(25), exhausted.to_owned()),
        (service("b").tcp(25), exhausted.to_owned()),
    ] {
        let found = why(a(), b);
        assert!(found.starts_with(&expected), "{found}");
        assert_eq!(found == exhausted, expected == exhausted, "{found}");
    }
}

#[test]
fn the_own_key_comes_before_a_similar_one() {
    let mut cluster = Cluster::new(vec![pool("p", &["10.0.0.1-10.0.0.2"])]);
    let holders = || {
        [
            service("a").shares("kex").tcp(80).created("2024-01-01T00:00:00Z"),
            service("c").shares("key").tcp(80).created("2024-01-02T00:00:00Z"),
        ]
    };
    cluster.reconcile(holders());
    let [a, c] = holders();
    let outcome = cluster.reconcile([a, c, service("b").shares("key").tcp(80)]);
    let why = "10.0.0.2 cannot be shared: it is in use by default/c";
    assert!(outcome.event_lines().iter().any(|it| it.contains(why)), "{:?}", outcome.event_lines());
}

#[test]
fn the_conflict_in_a_refusal_is_about_an_address_of_the_family() {
    let mut cluster = Cluster::new(vec![pool("p", &["10.0.0.1/32", "fd00::1/128"])]);
    let holder = |name: &str, address: &str| service(name).shares("key").tcp(80).ip(address);
    let holders = || [holder("a", "10.0.0.1"), holder("c", "fd00::1")];
    cluster.reconcile(holders());
    for (family, address) in [(IpFamily::Ipv4, "10.0.0.1"), (IpFamily::Ipv6, "fd00::1")] {
        let [a, c] = holders();
        let b = service("b").shares("key").tcp(80).with(|it| it.ip_families = vec![family]);
        cluster.reconcile([a, c, b]);
        let why = cluster.allocator.explain_refusal(&key("b")).unwrap().to_string();
        assert!(why.contains(&format!("and {address} cannot be shared")), "{why}");
    }
}

#[test]
fn a_key_that_no_service_has_any_more_is_not_the_similar_one() {
    let mut allocator = Allocator::new();
    let pools = [pool("p", &["10.0.0.1/32"])];
    allocator.reconcile::<&Service>(&pools, [], &HeldAddresses::new());
    // The first key is as similar as the second one, and comes before it.
    for (name, shared) in [("a", "web-1"), ("c", "web-2")] {
        allocator.remove(&key("a"));
        allocator.upsert(&service(name).shares(shared).tcp(80).0, &[]);
    }
    allocator.upsert(&service("b").shares("web-3").tcp(81).0, &[]);
    let why = allocator.explain_refusal(&key("b")).unwrap().to_string();
    assert!(why.contains("whose annotation allow-shared-ip is \"web-2\""), "{why}");
}

#[test]
fn the_sharing_key_is_that_of_either_annotation() {
    assert_eq!(sharing_key(&service("a").0), None);
    assert_eq!(sharing_key(&service("a").shares("k").0), Some("k"));
    let old = service("a").annotation("metallb.universe.tf/allow-shared-ip", "old");
    assert_eq!(sharing_key(&old.0), Some("old"));
}
