//! The requests of Services, and the addresses that they get.

use crate::allocator::EventReason::{AllocationFailed, ClearAssignment, IpAllocated};

use super::*;

fn two_pools() -> Vec<Pool> {
    vec![pool("default", &["172.22.35.64/26"]), manual_pool("public", &["200.1.154.64/26"])]
}

/// The address that a Service gets from the two pools of the reference configuration, or the reason why it gets none.
fn gets(request: TestService) -> String {
    let name = request.0.key.name.clone();
    Cluster::new(two_pools()).reconcile([request]).of(&name)
}

#[test]
fn a_service_without_a_request_gets_the_lowest_address_of_an_auto_assign_pool() {
    let outcome = Cluster::new(two_pools()).reconcile([service("a").tcp(80)]);
    assert_eq!(outcome.of("a"), "172.22.35.64", "the network address is given out too");
    assert_eq!(&*outcome.assignments[&key("a")].pool, "default");
    assert_eq!(
        outcome.event_lines(),
        [r#"a IPAllocated: assigned 172.22.35.64 from pool "default""#]
    );
    assert_eq!(outcome.changes.services, [key("a")].into());
}

#[test]
fn pools_are_tried_by_name_and_ranges_as_written() {
    let mut cluster = Cluster::new(vec![
        pool("b", &["10.0.0.0/32"]),
        pool("a", &["10.0.9.0-10.0.9.1", "10.0.1.0/32"]),
    ]);
    let outcome = cluster.reconcile([service("s1"), service("s2"), service("s3"), service("s4")]);
    let got: Vec<_> = ["s1", "s2", "s3", "s4"].iter().map(|name| outcome.of(name)).collect();
    assert_eq!(got, ["10.0.9.0", "10.0.9.1", "10.0.1.0", "10.0.0.0"]);
}

#[test]
fn a_manual_pool_serves_requests_for_the_pool_or_for_one_of_its_addresses() {
    assert_eq!(gets(service("a").pool("public")), "200.1.154.64");
    assert_eq!(gets(service("a").ip("200.1.154.70")), "200.1.154.70");
    let outcome =
        Cluster::new(vec![manual_pool("public", &["10.0.0.0/24"])]).reconcile([service("a")]);
    assert_eq!(
        outcome.of("a"),
        r#"no pool is auto-assign, so the Service must name pool "public""#
    );
}

#[test]
fn a_requested_address_is_given_or_refused_but_never_replaced() {
    assert_eq!(gets(service("a").ip("172.22.35.70")), "172.22.35.70");
    assert_eq!(gets(service("a").ip(" 172.22.35.70 ")), "172.22.35.70");
    assert_eq!(gets(service("a").ip("172.22.35.63")), "172.22.35.63 is in no pool");
    assert_eq!(gets(service("a").ip("fd00::1")), "fd00::1 is in no pool");
    assert_eq!(
        gets(service("a").ip("smtp.example")),
        r#"spec.loadBalancerIP: expected an IP address, found "smtp.example""#
    );
    assert_eq!(gets(service("a").ip("")), "172.22.35.64", "an empty field requests nothing");
}

#[test]
fn the_annotation_requests_an_address_as_the_field_does() {
    let request = |value| service("a").annotation("metallb.io/loadBalancerIPs", value);
    assert_eq!(gets(request("172.22.35.70")), "172.22.35.70");
    assert_eq!(
        gets(request("172.22.35.70,x")),
        r#"annotation metallb.io/loadBalancerIPs: expected an IP address, found "x""#
    );
    assert_eq!(
        gets(request("172.22.35.70").ip("172.22.35.70")),
        "expected either spec.loadBalancerIP or annotation metallb.io/loadBalancerIPs, found both"
    );
}

#[test]
fn an_address_and_a_pool_that_disagree_are_refused() {
    assert_eq!(gets(service("a").ip("172.22.35.70").pool("default")), "172.22.35.70");
    assert_eq!(
        gets(service("a").ip("172.22.35.70").pool("public")),
        r#"172.22.35.70 is in pool "default", but the Service asks for pool "public""#
    );
}

#[test]
fn an_unknown_pool_is_reported_with_the_configured_ones() {
    assert_eq!(
        gets(service("a").pool("pubic")),
        r#"there is no pool "pubic", only pools "default", "public""#
    );
    let outcome = Cluster::default().reconcile([service("a").ip("10.0.0.1")]);
    assert_eq!(outcome.of("a"), "no address pool is configured");
}

#[test]
fn addresses_that_end_in_0_or_255_are_skipped_if_the_pool_avoids_them() {
    let mut avoiding = pool("default", &["10.0.0.254-10.0.1.1"]);
    avoiding.avoid_buggy_ips = true;
    let mut cluster = Cluster::new(vec![avoiding]);
    let outcome = cluster.reconcile([
        service("a"),
        service("b"),
        service("c"),
        service("d").ip("10.0.0.255"),
    ]);
    assert_eq!(outcome.of("a"), "10.0.0.254");
    assert_eq!(outcome.of("b"), "10.0.1.1");
    assert_eq!(outcome.of("c"), r#"no address is left in pool "default""#);
    assert_eq!(outcome.of("d"), r#"10.0.0.255 ends in .0 or .255, which pool "default" avoids"#);
}

#[test]
fn the_family_of_the_cluster_ip_decides_the_family_of_the_address() {
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/24", "fd00::/64"])]);
    let outcome = cluster.reconcile([
        service("v6").with(|service| service.cluster_ips = vec![ip("fd01::1")]),
        service("v4").with(|service| service.ip_families = vec![IpFamily::Ipv4]),
        service("any"),
        service("wrong").ip("10.0.0.9").with(|s| s.cluster_ips = vec![ip("fd01::2")]),
    ]);
    assert_eq!(outcome.of("v6"), "fd00::");
    assert_eq!(outcome.of("any"), "10.0.0.0", "its name comes before v4");
    assert_eq!(outcome.of("v4"), "10.0.0.1");
    assert_eq!(outcome.of("wrong"), "10.0.0.9 is not of the Service's family, IPv6");
    let mut cluster = Cluster::new(two_pools());
    let outcome = cluster.reconcile([service("v6").with(|s| s.ip_families = vec![IpFamily::Ipv6])]);
    assert_eq!(outcome.of("v6"), r#"no IPv6 addresses in pool "default""#);
}

#[test]
fn deprecated_annotations_are_reported_once_and_the_new_ones_win() {
    let old = |name: &str, value: &str| (format!("metallb.universe.tf/{name}"), value.to_owned());
    let mut cluster = Cluster::new(two_pools());
    let request = |more: &[(&str, &str)]| {
        service("a").with(|service| {
            service
                .annotations
                .extend([old("address-pool", "public"), old("allow-shared-ip", "k")]);
            let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            service.annotations.extend(more);
        })
    };
    let outcome = cluster.reconcile([request(&[])]);
    assert_eq!(outcome.of("a"), "200.1.154.64");
    assert_eq!(
        outcome.event_lines()[..2],
        [
            "a deprecatedAnnotation: annotation metallb.universe.tf/address-pool is deprecated, \
             use metallb.io/address-pool",
            "a deprecatedAnnotation: annotation metallb.universe.tf/allow-shared-ip is deprecated, \
             use metallb.io/allow-shared-ip",
        ]
    );
    assert_eq!(cluster.reconcile([request(&[])]).event_lines(), [""; 0]);
    let outcome = cluster.reconcile([request(&[("metallb.io/address-pool", "default")])]);
    assert_eq!(outcome.of("a"), "172.22.35.64");
}

#[test]
fn a_service_with_an_invalid_request_keeps_its_address() {
    let mut cluster = Cluster::new(two_pools());
    cluster.reconcile([service("a")]);
    let outcome = cluster.reconcile([service("a").ip("172.22.35")]);
    assert_eq!(*outcome.assignments[&key("a")].addresses, [ip("172.22.35.64")]);
    assert_eq!(outcome.reasons(), [AllocationFailed]);
    assert!(outcome.changes.services.is_empty());
    let outcome = cluster.reconcile([service("a").ip("172.22.35")]);
    assert_eq!(outcome.reasons(), [], "the refusal is reported once");
    let outcome = cluster.reconcile([service("a")]);
    assert!(outcome.refusals.is_empty());
}

#[test]
fn a_full_pool_is_reported_once_and_serves_waiting_services_after_a_release() {
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/31"])]);
    let full = r#"no address is left in pool "default""#;
    let outcome = cluster.reconcile([service("a"), service("b"), service("c"), service("d")]);
    assert_eq!((outcome.of("c"), outcome.of("d")), (full.to_owned(), full.to_owned()));
    assert_eq!(outcome.reasons(), [IpAllocated, IpAllocated, AllocationFailed, AllocationFailed]);
    let outcome = cluster.reconcile([service("a"), service("b"), service("c"), service("d")]);
    assert_eq!(outcome.reasons(), []);
    let outcome = cluster.reconcile([service("b"), service("c"), service("d")]);
    assert_eq!(outcome.of("c"), "10.0.0.0");
    assert_eq!(outcome.of("d"), full);
    assert_eq!(outcome.event_lines(), [r#"c IPAllocated: assigned 10.0.0.0 from pool "default""#]);
}

#[test]
fn the_oldest_service_is_served_first_and_those_without_a_date_last() {
    let mut cluster = Cluster::new(vec![pool("default", &["10.0.0.0/24"])]);
    let outcome = cluster.reconcile([
        service("b"),
        service("a"),
        service("late").created("2018-09-13T00:00:00Z"),
        service("early").created("2018-09-12T00:00:00Z"),
    ]);
    let got: Vec<_> = ["early", "late", "a", "b"].iter().map(|name| outcome.of(name)).collect();
    assert_eq!(got, ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]);
}

#[test]
fn a_service_of_another_type_or_class_is_not_served() {
    let mut cluster = Cluster::new(two_pools()).holding("a", &["172.22.35.70"]);
    let outcome =
        cluster.reconcile([service("a").with(|s| s.type_ = ServiceType::NodePort), service("b")]);
    assert_eq!(outcome.reasons(), [ClearAssignment, IpAllocated]);
    assert_eq!(outcome.held().len(), 1);

    let of_class = || service("c").with(|s| s.load_balancer_class = Some("example/bgp".to_owned()));
    assert!(Cluster::new(two_pools()).reconcile([of_class()]).held().is_empty());
    let mut cluster = Cluster::new(two_pools());
    cluster.allocator = Allocator::for_class("example/bgp");
    let outcome = cluster.reconcile([of_class(), service("d")]);
    assert_eq!(outcome.held().into_keys().collect::<Vec<_>>(), [key("c")]);
}

#[test]
fn the_size_of_a_range_costs_nothing() {
    let mut cluster = Cluster::new(vec![pool("default", &["fd00::/16", "10.0.0.0/8"])]);
    let outcome = cluster.reconcile([service("a"), service("b")]);
    assert_eq!(outcome.of("b"), "fd00::1");
    let mut avoiding = pool("default", &["0.0.0.0/0"]);
    avoiding.avoid_buggy_ips = true;
    let outcome = Cluster::new(vec![avoiding]).reconcile([service("a")]);
    assert_eq!(outcome.of("a"), "0.0.0.1");
}

#[test]
fn a_service_that_is_created_again_waits_at_the_place_of_its_new_age() {
    let mut allocator = Allocator::new();
    let pools = [pool("p", &["10.0.0.1/32"])];
    allocator.reconcile::<&Service>(&pools, [], &HeldAddresses::new());
    let created =
        |name: &str, month: u8| service(name).created(&format!("2024-{month:02}-01T00:00:00Z")).0;
    allocator.upsert(&created("holder", 1), &[]);
    allocator.upsert(&created("a", 2), &[]);
    allocator.remove(&key("a"));
    allocator.upsert(&created("b", 3), &[]);
    allocator.upsert(&created("a", 4), &[]);

    allocator.remove(&key("holder"));
    assert!(allocator.assignment(&key("b")).is_some(), "b is older than this a");
    assert!(allocator.assignment(&key("a")).is_none());
}

#[test]
fn a_refusal_names_the_service_that_takes_the_requested_address_later() {
    let mut allocator = Allocator::new();
    let pools = [pool("p", &["10.0.0.1/32", "fd00::1/128"])];
    allocator.reconcile::<&Service>(&pools, [], &HeldAddresses::new());
    let why = |allocator: &Allocator| allocator.refusal(&key("a")).unwrap().to_string();
    allocator.upsert(&service("six").ip("fd00::1").0, &[]);
    let both =
        service("a").annotation("metallb.io/loadBalancerIPs", "10.0.0.1,fd00::1").with(|it| {
            it.ip_families = vec![IpFamily::Ipv4, IpFamily::Ipv6];
        });
    allocator.upsert(&both.0, &[]);
    assert!(why(&allocator).starts_with("fd00::1 is in use by default/six"), "{}", why(&allocator));

    allocator.upsert(&service("four").ip("10.0.0.1").0, &[]);
    assert!(
        why(&allocator).starts_with("10.0.0.1 is in use by default/four"),
        "{}",
        why(&allocator)
    );
}

#[test]
fn a_service_of_another_type_causes_an_event_only_if_it_has_addresses() {
    let mut allocator = Allocator::new();
    let pools = [pool("p", &["10.0.0.1/32"])];
    allocator.reconcile::<&Service>(&pools, [], &HeldAddresses::new());
    let node_port = service("a").with(|it| it.type_ = ServiceType::NodePort).0;
    assert_eq!(allocator.upsert(&node_port, &[]).events, []);
    let changes = allocator.upsert(&node_port, &[ip("10.0.0.1")]);
    assert_eq!(changes.events[0].reason, ClearAssignment);
}
