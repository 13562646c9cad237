//! The families of addresses: single-stack and dual-stack Services.

use crate::model::IpFamily::{self, Ipv4, Ipv6};
use crate::model::IpFamilyPolicy::{self, PreferDualStack, RequireDualStack, SingleStack};

use super::*;

/// A Service of these families, with the fields that the API server adds.
fn families(policy: IpFamilyPolicy, families: &[IpFamily]) -> TestService {
    service("a").with(|service| {
        service.ip_family_policy = Some(policy);
        service.ip_families = families.to_vec();
        let cluster_ip = |family: &IpFamily| match family {
            Ipv4 => ip("10.96.0.1"),
            Ipv6 => ip("fd96::1"),
        };
        service.cluster_ips = families.iter().map(cluster_ip).collect();
    })
}

fn prefers() -> TestService {
    families(PreferDualStack, &[Ipv4, Ipv6])
}

fn requires() -> TestService {
    families(RequireDualStack, &[Ipv4, Ipv6])
}

fn v4(name: &str) -> Pool {
    pool(name, &["10.0.0.0/24"])
}

fn dual_pool(name: &str) -> Pool {
    pool(name, &["10.0.9.0/30", "fd00:9::/64"])
}

/// The addresses that the Service gets, or the reason why it gets none.
fn gets(pools: Vec<Pool>, request: TestService) -> String {
    result(&Cluster::new(pools).reconcile([request]))
}

fn result(outcome: &Outcome) -> String {
    match (outcome.assignments.get(&key("a")), outcome.refusals.get(&key("a"))) {
        (Some(assignment), None) => join(&assignment.addresses),
        (None, Some(refusal)) => refusal.to_string(),
        (Some(assignment), Some(refusal)) => {
            format!("{} but {refusal}", join(&assignment.addresses))
        }
        (None, None) => "nothing".to_owned(),
    }
}

fn join(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" and ")
}

#[test]
fn both_addresses_come_from_one_pool() {
    let pools = || vec![v4("a"), pool("b", &["fd00:b::/64"]), dual_pool("c")];
    assert_eq!(gets(pools(), requires()), "10.0.9.0 and fd00:9::");
    assert_eq!(gets(pools(), prefers()), "10.0.9.0 and fd00:9::");
    assert_eq!(
        gets(vec![v4("a"), pool("b", &["fd00:b::/64"])], requires()),
        r#"no pool has both IPv4 and IPv6 addresses (searched: pools "a", "b")"#
    );
}

#[test]
fn addresses_are_listed_in_the_order_of_the_ip_families() {
    let request = families(RequireDualStack, &[Ipv6, Ipv4]);
    assert_eq!(gets(vec![dual_pool("a")], request), "fd00:9:: and 10.0.9.0");
    let unordered = service("a").with(|s| s.ip_family_policy = Some(RequireDualStack));
    assert_eq!(gets(vec![dual_pool("a")], unordered), "10.0.9.0 and fd00:9::");
}

#[test]
fn a_service_that_prefers_both_accepts_one_of_the_first_family_or_else_of_the_other() {
    let v6 = || pool("b", &["fd00::/64"]);
    for (order, first) in [([Ipv4, Ipv6], "10.0.0.0"), ([Ipv6, Ipv4], "fd00::")] {
        let request = || families(PreferDualStack, &order);
        assert_eq!(gets(vec![v4("a")], request()), "10.0.0.0");
        assert_eq!(gets(vec![v6()], request()), "fd00::");
        assert_eq!(gets(vec![v4("a"), v6()], request()), first, "the first family of either pool");
    }

    // The same holds for a requested pool, and for one in which the first family is exhausted.
    let named = prefers().annotation("metallb.io/address-pool", "b");
    assert_eq!(gets(vec![v4("a"), v6()], named), "fd00::");
    let mut cluster = Cluster::new(vec![pool("a", &["10.0.0.1/32", "fd00::/64"])]);
    let rival = || service("b").ip("10.0.0.1");
    cluster.reconcile([rival()]);
    assert_eq!(result(&cluster.reconcile([rival(), prefers()])), "fd00::");

    // No address of either family is left.
    let mut cluster = Cluster::new(vec![pool("a", &["fd00::1/128"])]);
    let rival = || service("b").ip("fd00::1");
    cluster.reconcile([rival()]);
    let outcome = cluster.reconcile([rival(), prefers()]);
    assert_eq!(result(&outcome), r#"no address is left in pool "a""#);
}

#[test]
fn a_service_that_prefers_both_keeps_a_single_address_of_the_second_family() {
    let mut cluster = Cluster::new(vec![pool("a", &["fd00::/64"])]);
    cluster.reconcile([prefers()]);
    let outcome = cluster.reconcile([prefers()]);
    assert_eq!((result(&outcome), outcome.event_lines()), ("fd00::".to_owned(), vec![]));
    cluster.pools = vec![dual_pool("a"), pool("b", &["fd00::/64"])];
    assert_eq!(result(&cluster.reconcile([prefers()])), "fd00::", "another pool moves nothing");
    cluster.pools = vec![pool("a", &["10.0.0.0/24", "fd00::/64"])];
    assert_eq!(result(&cluster.reconcile([prefers()])), "10.0.0.0 and fd00::");
}

#[test]
fn the_second_address_is_assigned_when_the_pool_gets_one() {
    let mut cluster = Cluster::new(vec![v4("a")]);
    assert_eq!(result(&cluster.reconcile([prefers()])), "10.0.0.0");
    cluster.pools = vec![v4("a"), dual_pool("b")];
    assert_eq!(result(&cluster.reconcile([prefers()])), "10.0.0.0", "another pool moves nothing");
    cluster.pools = vec![pool("a", &["10.0.0.0/24", "fd00::/64"])];
    let outcome = cluster.reconcile([prefers()]);
    assert_eq!(result(&outcome), "10.0.0.0 and fd00::");
    assert_eq!(outcome.event_lines(), [r#"a IPAllocated: assigned fd00:: from pool "a""#]);
}

#[test]
fn the_second_address_is_assigned_when_it_is_released() {
    let pools = vec![pool("a", &["10.0.0.0/24", "fd00::1-fd00::1"])];
    let mut cluster = Cluster::new(pools);
    let rival = || service("b").ip("fd00::1");
    cluster.reconcile([rival()]);
    let outcome = cluster.reconcile([prefers(), rival()]);
    assert_eq!(result(&outcome), "10.0.0.0");
    assert_eq!(result(&cluster.reconcile([prefers()])), "10.0.0.0 and fd00::1");
}

#[test]
fn a_service_that_becomes_dual_stack_keeps_its_address() {
    let mut cluster = Cluster::new(vec![dual_pool("a")]);
    cluster.reconcile([families(SingleStack, &[Ipv4])]);
    let outcome = cluster.reconcile([requires()]);
    assert_eq!(result(&outcome), "10.0.9.0 and fd00:9::");
    assert_eq!(outcome.event_lines(), [r#"a IPAllocated: assigned fd00:9:: from pool "a""#]);
}

#[test]
fn a_service_that_requires_both_moves_to_a_pool_with_both_or_stays_with_a_reason() {
    let mut cluster = Cluster::new(vec![v4("a")]);
    cluster.reconcile([families(SingleStack, &[Ipv4])]);
    let outcome = cluster.reconcile([requires()]);
    assert_eq!(result(&outcome), r#"10.0.0.0 but no IPv6 address is left in pool "a""#);
    cluster.pools.push(dual_pool("b"));
    let outcome = cluster.reconcile([requires()]);
    assert_eq!(result(&outcome), "10.0.9.0 and fd00:9::");
    assert_eq!(
        outcome.event_lines(),
        [
            "a ClearAssignment: took back 10.0.0.0: another pool has addresses of both families",
            r#"a IPAllocated: assigned 10.0.9.0 and fd00:9:: from pool "b""#,
        ]
    );
}

#[test]
fn a_service_that_becomes_single_stack_gives_up_the_other_address() {
    let mut cluster = Cluster::new(vec![dual_pool("a")]);
    cluster.reconcile([requires()]);
    let outcome = cluster.reconcile([families(SingleStack, &[Ipv6])]);
    assert_eq!(result(&outcome), "fd00:9::");
    assert_eq!(
        outcome.event_lines(),
        ["a ClearAssignment: took back 10.0.9.0: the Service takes only IPv6"]
    );
    assert_eq!(outcome.changes.services, [key("a")].into());
}

#[test]
fn one_of_two_addresses_stays_when_the_pool_loses_the_other() {
    let mut cluster = Cluster::new(vec![dual_pool("a")]);
    cluster.reconcile([prefers()]);
    cluster.pools = vec![pool("a", &["10.0.9.0/30", "fd00:a::/64"])];
    let outcome = cluster.reconcile([prefers()]);
    assert_eq!(result(&outcome), "10.0.9.0 and fd00:a::");
    assert_eq!(
        outcome.event_lines(),
        [
            "a ClearAssignment: took back fd00:9::: fd00:9:: is in no pool",
            r#"a IPAllocated: assigned fd00:a:: from pool "a""#,
        ]
    );
}

#[test]
fn requested_addresses_must_be_of_the_families_of_the_service() {
    let request = |request: TestService, value: &str| {
        gets(vec![dual_pool("a"), v4("b")], request.annotation("metallb.io/loadBalancerIPs", value))
    };
    assert_eq!(request(requires(), "fd00:9::7, 10.0.9.2"), "10.0.9.2 and fd00:9::7");
    assert_eq!(request(service("a"), "fd00:9::7,10.0.9.2"), "fd00:9::7 and 10.0.9.2");
    let expected = "expected an IPv4 and an IPv6 address, since the Service has both families, \
                    found 10.0.9.2";
    assert_eq!(request(requires(), "10.0.9.2"), expected);
    assert_eq!(request(prefers(), "10.0.9.2"), expected);
    let single = || families(SingleStack, &[Ipv4]);
    let other = "fd00:9::7 is not of the Service's family, IPv4";
    assert_eq!(request(single(), "fd00:9::7"), other);
    assert_eq!(request(single(), "10.0.9.2,fd00:9::7"), other);
    assert_eq!(
        request(requires(), "10.0.9.2,10.0.9.3"),
        "annotation metallb.io/loadBalancerIPs: expected one address, or one of each family, found \
         \"10.0.9.2,10.0.9.3\""
    );
    assert_eq!(
        request(requires(), "10.0.0.7,fd00:9::7"),
        r#"expected both addresses in one pool, found pools "b" and "a""#
    );
}

#[test]
fn a_service_that_requires_both_is_refused_with_one_cluster_ip() {
    let request = families(RequireDualStack, &[Ipv4]);
    let outcome = Cluster::new(vec![dual_pool("a")]).reconcile([request]);
    assert_eq!(
        outcome.event_lines(),
        ["a not enough clusterips: no address: not enough cluster IPs: the Service requires \
             both families, but has only an IPv4 one"]
    );
    assert_eq!(gets(vec![dual_pool("a")], families(PreferDualStack, &[Ipv6])), "fd00:9::");
}

#[test]
fn both_addresses_are_shared_with_services_of_the_same_key() {
    let mut cluster = Cluster::new(vec![dual_pool("a")]);
    let b = service("b").shares("k").tcp(443).ip("fd00:9::5");
    let a = requires()
        .shares("k")
        .tcp(80)
        .annotation("metallb.io/loadBalancerIPs", "10.0.9.0,fd00:9::5");
    let outcome = cluster.reconcile([a, b]);
    assert_eq!(result(&outcome), "10.0.9.0 and fd00:9::5");
    assert_eq!(outcome.of("b"), "fd00:9::5");
}

#[test]
fn a_service_with_two_families_and_no_policy_gets_both_addresses() {
    for policy in [None, Some(SingleStack)] {
        let request = || requires().with(|service| service.ip_family_policy = policy);
        assert_eq!(gets(vec![dual_pool("a")], request()), "10.0.9.0 and fd00:9::");
        let neither = gets(vec![v4("a")], request());
        assert!(neither.starts_with("no pool has both IPv4 and IPv6 addresses"), "{neither}");
    }
}

/// The API server has not chosen the second family yet.
#[test]
fn a_service_without_cluster_addresses_that_prefers_both_gets_both() {
    for (first, expected) in [(Ipv4, "10.0.9.0 and fd00:9::"), (Ipv6, "fd00:9:: and 10.0.9.0")] {
        let request = families(PreferDualStack, &[first]).with(|it| it.cluster_ips.clear());
        assert_eq!(gets(vec![dual_pool("a")], request), expected);
    }
}

#[test]
fn the_second_of_two_requested_addresses_is_the_requested_one() {
    let request = |both: &str| requires().annotation("metallb.io/loadBalancerIPs", both);
    let pools = || vec![dual_pool("a"), pool("b", &["fd00:b::/64"])];
    for held in ["10.0.9.1", "fd00:9::2"] {
        let mut cluster = Cluster::new(pools()).holding("a", &[held]);
        let both = result(&cluster.reconcile([request("10.0.9.1,fd00:9::2")]));
        assert_eq!(both, "10.0.9.1 and fd00:9::2");
    }

    let mut cluster = Cluster::new(pools()).holding("a", &["10.0.9.1"]);
    let found = result(&cluster.reconcile([request("10.0.9.1,fd00:b::2")]));
    assert!(found.starts_with("10.0.9.1 but "), "{found}");
    assert!(found.contains("pools \"a\" and \"b\""), "{found}");
}

#[test]
fn a_full_pool_of_the_family_has_no_address_left_and_another_pool_none_of_the_family() {
    let pools = || vec![pool("a", &["10.0.0.1/32", "fd00::1/128"])];
    let one = |family| families(SingleStack, &[family]);
    for (family, taken) in [(Ipv4, "10.0.0.1"), (Ipv6, "fd00::1")] {
        let mut cluster = Cluster::new(pools());
        let rival = || service("b").ip(taken).with(|it| it.ip_families = vec![family]);
        cluster.reconcile([rival()]);
        let found = result(&cluster.reconcile([rival(), one(family)]));
        assert!(found.contains("address is left in pool \"a\""), "{found}");
    }
    assert_eq!(gets(vec![v4("a")], one(Ipv6)), "no IPv6 addresses in pool \"a\"");
}

#[test]
fn a_single_address_without_a_pool_stays_although_another_pool_has_both() {
    let mut cluster = Cluster::new(vec![dual_pool("a")]).holding("a", &["192.0.2.7"]);
    cluster.allocator.set_stranded(StrandedAddresses::new(&[], true));
    assert_eq!(result(&cluster.reconcile([requires()])), "192.0.2.7");
}
