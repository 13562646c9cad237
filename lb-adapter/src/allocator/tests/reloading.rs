//! Changes of pools and requests, and restarts: the addresses that stay and those that move.

use crate::allocator::EventReason::{
    AllocationFailed, ClearAssignment, IpAllocated, NoLbIpsIpFamily,
};

use super::*;

#[test]
fn a_service_that_holds_an_address_never_loses_it_to_an_older_one() {
    let mut cluster =
        Cluster::new(vec![pool("default", &["10.0.0.0/32"])]).holding("young", &["10.0.0.0"]);
    let outcome = cluster.reconcile([
        service("old").created("2018-01-01T00:00:00Z").ip("10.0.0.0"),
        service("young").created("2020-01-01T00:00:00Z"),
    ]);
    assert_eq!(outcome.of("young"), "10.0.0.0");
    assert!(outcome.of("old").starts_with("10.0.0.0 is in use by default/young"));
    assert!(!outcome.changes.services.contains(&key("young")));
}

#[test]
fn after_a_restart_the_older_of_two_services_that_cannot_share_keeps_the_address() {
    let services = || {
        [
            service("a").created("2020-01-01T00:00:00Z").tcp(80),
            service("b").created("2018-01-01T00:00:00Z").tcp(80),
        ]
    };
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/24"])])
        .holding("a", &["10.0.0.9"])
        .holding("b", &["10.0.0.9"]);
    let outcome = cluster.reconcile(services());
    assert_eq!((outcome.of("b").as_str(), outcome.of("a").as_str()), ("10.0.0.9", "10.0.0.0"));
    cluster.restart();
    let outcome = cluster.reconcile(services());
    assert_eq!(outcome.changes, Default::default());
}

#[test]
fn an_address_that_is_no_longer_in_a_pool_is_replaced_with_a_reason() {
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/24"])]);
    cluster.reconcile([service("a")]);
    cluster.pools = vec![pool("default", &["10.0.1.0/24"])];
    let outcome = cluster.reconcile([service("a")]);
    assert_eq!(
        outcome.event_lines(),
        [
            "a ClearAssignment: took back 10.0.0.0: 10.0.0.0 is in no pool",
            "a IPAllocated: assigned 10.0.1.0 from pool \"default\"",
        ]
    );
    cluster.pools.clear();
    let outcome = cluster.reconcile([service("a")]);
    assert_eq!(outcome.of("a"), "no address pool is configured");
    assert_eq!(outcome.changes.services, [key("a")].into());
}

#[test]
fn a_service_that_lost_its_address_is_served_before_one_that_never_had_any() {
    let mut cluster =
        Cluster::new(vec![pool("default", &["10.0.1.0/32"])]).holding("z", &["10.0.0.0"]);
    let outcome = cluster.reconcile([service("a"), service("z")]);
    assert_eq!(outcome.of("z"), "10.0.1.0");
    assert_eq!(outcome.of("a"), r#"no address is left in pool "default""#);
}

#[test]
fn an_address_that_moved_to_another_pool_stays_and_changes_its_pool() {
    let mut cluster = Cluster::new(vec![pool("one", &["10.0.0.0/24"])]);
    cluster.reconcile([service("a")]);
    cluster.pools = vec![manual_pool("two", &["10.0.0.0/24"])];
    let outcome = cluster.reconcile([service("a")]);
    assert_eq!(&*outcome.assignments[&key("a")].pool, "two", "a manual pool takes no address back");
    assert_eq!(outcome.changes, Default::default());
}

#[test]
fn a_pool_that_begins_to_avoid_an_address_takes_it_back() {
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/24"])]);
    cluster.reconcile([service("a")]);
    cluster.pools[0].avoid_buggy_ips = true;
    let outcome = cluster.reconcile([service("a")]);
    assert_eq!(outcome.of("a"), "10.0.0.1");
    assert_eq!(outcome.reasons(), [ClearAssignment, IpAllocated]);
}

#[test]
fn a_request_for_another_pool_moves_the_service() {
    let pools = vec![pool("default", &["10.0.0.0/24"]), manual_pool("public", &["10.0.1.0/24"])];
    let mut cluster = Cluster::new(pools);
    cluster.reconcile([service("a")]);
    let outcome = cluster.reconcile([service("a").pool("public")]);
    assert_eq!(outcome.of("a"), "10.0.1.0");
    assert_eq!(
        outcome.event_lines()[0],
        r#"a ClearAssignment: took back 10.0.0.0: the Service asks for pool "public""#
    );
    let outcome = cluster.reconcile([service("a")]);
    assert_eq!(outcome.of("a"), "10.0.1.0", "a withdrawn request moves nothing");
    let outcome = cluster.reconcile([service("a").pool("gone")]);
    assert_eq!(outcome.of("a"), r#"there is no pool "gone", only pools "default", "public""#);
}

#[test]
fn a_request_for_another_address_gives_up_the_old_one_even_if_the_new_one_is_taken() {
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/24"])]);
    cluster.reconcile([service("a").tcp(80), service("b").tcp(80)]);
    let outcome = cluster.reconcile([service("a").tcp(80).ip("10.0.0.1"), service("b").tcp(80)]);
    assert!(outcome.of("a").starts_with("10.0.0.1 is in use by default/b"));
    assert_eq!(outcome.reasons(), [ClearAssignment, AllocationFailed]);
    let outcome = cluster.reconcile([service("a").tcp(80).ip("10.0.0.1")]);
    assert_eq!(outcome.of("a"), "10.0.0.1", "it waited for the address");
}

#[test]
fn invalid_held_addresses_are_replaced() {
    for (held, reason) in [
        (&["10.0.0.3", "10.0.0.4"][..], NoLbIpsIpFamily),
        (&["10.0.0.3", "10.0.9.0"], NoLbIpsIpFamily),
        (&["fd00::1"], ClearAssignment),
        (&["10.9.9.9"], ClearAssignment),
    ] {
        let pools = vec![pool("a", &["10.0.0.0/24", "fd00::/64"]), pool("b", &["10.0.9.0/24"])];
        let mut cluster = Cluster::new(pools).holding("a", held);
        let outcome =
            cluster.reconcile([service("a").with(|s| s.cluster_ips = vec![ip("10.96.0.1")])]);
        assert_eq!(outcome.of("a"), "10.0.0.0", "{held:?}");
        assert_eq!(outcome.reasons(), [reason, IpAllocated]);
    }
}

#[test]
fn the_address_of_a_deleted_service_is_free() {
    let mut cluster =
        Cluster::new(vec![pool("default", &["10.0.0.0/32"])]).holding("gone", &["10.0.0.0"]);
    let outcome = cluster.reconcile([service("a")]);
    assert_eq!(outcome.of("a"), "10.0.0.0");
}

#[test]
fn two_hosts_with_the_same_files_give_the_same_addresses() {
    let pools = || vec![pool("default", &["10.0.0.0/28"])];
    let (mut one, mut two) = (Cluster::new(pools()), Cluster::new(pools()));
    let a = || service("a").shares("k").tcp(80);
    let b = || service("b").shares("k").tcp(443);
    let c = || service("c").ip("10.0.0.0");
    let first = one.reconcile([a(), b(), c()]);
    assert_eq!(first, two.reconcile([c(), b(), a()]));
    one.restart();
    assert_eq!(one.reconcile([b(), c(), a()]).assignments, first.assignments);
}

#[test]
fn an_address_whose_pool_cannot_be_read_stays_unless_another_one_is_requested_that_a_pool_can_give()
{
    let after = |request: TestService| {
        let mut cluster =
            Cluster::new(vec![pool("p", &["10.0.0.0/24"])]).holding("a", &["192.0.2.7"]);
        cluster.allocator.set_stranded(StrandedAddresses::new(&[], true));
        cluster.reconcile([request]).of("a")
    };
    assert_eq!(after(service("a")), "192.0.2.7");
    assert_eq!(after(service("a").ip("192.0.2.7")), "192.0.2.7");
    assert_eq!(after(service("a").pool("unreadable")), "192.0.2.7");
    assert_eq!(after(service("a").pool("p")), "10.0.0.0");
    assert_eq!(after(service("a").ip("10.0.0.9")), "10.0.0.9");
}
