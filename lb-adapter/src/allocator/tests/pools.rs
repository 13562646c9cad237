//! Restricted pools: their order, and the Services that they admit.

use crate::model::{LabelSelector, Namespace, ServiceAllocation};

use super::*;

/// A pool that admits only some Services.
fn pinned(name: &str, range: &str, change: impl FnOnce(&mut ServiceAllocation)) -> Pool {
    let mut pool = pool(name, &[range]);
    change(pool.allocation.insert(ServiceAllocation::default()));
    pool
}

fn labelled(key: &str, value: &str) -> LabelSelector {
    let mut selector = LabelSelector::default();
    selector.match_labels.insert(key.to_owned(), value.to_owned());
    selector
}

fn priority(number: u32) -> impl FnOnce(&mut ServiceAllocation) {
    move |rule| rule.priority = number
}

fn gets(pools: Vec<Pool>, request: TestService) -> String {
    Cluster::new(pools).reconcile([request]).of("a")
}

#[test]
fn restricted_pools_come_by_priority_before_open_ones() {
    let open = || pool("a", &["10.0.0.0/24"]);
    let none = || pinned("b", "10.0.1.0/24", priority(0));
    let twenty = || pinned("c", "10.0.2.0/24", priority(20));
    let ten = || pinned("d", "10.0.3.0/24", priority(10));
    assert_eq!(gets(vec![open(), none(), twenty(), ten()], service("a")), "10.0.3.0");
    assert_eq!(gets(vec![open(), none(), twenty()], service("a")), "10.0.2.0");
    assert_eq!(gets(vec![open(), none()], service("a")), "10.0.1.0");
    assert_eq!(gets(vec![open()], service("a")), "10.0.0.0");
    let full = || pinned("d", "10.0.3.0/32", priority(10));
    let mut cluster = Cluster::new(vec![open(), full()]);
    let outcome = cluster.reconcile([service("a"), service("b")]);
    assert_eq!((outcome.of("a"), outcome.of("b")), ("10.0.3.0".into(), "10.0.0.0".into()));
}

#[test]
fn a_pool_that_does_not_admit_a_service_is_refused_even_on_request() {
    let others = || {
        pinned("b", "10.0.1.0/24", |rule| {
            rule.namespaces.insert("shop".to_owned());
        })
    };
    let refused = r#"the serviceAllocation of pool "b" does not admit this Service"#;
    assert_eq!(gets(vec![others()], service("a").pool("b")), refused);
    assert_eq!(gets(vec![others()], service("a").ip("10.0.1.7")), refused);
    assert_eq!(
        gets(vec![others()], service("a")),
        r#"no auto-assign pool admits this Service (configured: pool "b")"#
    );
    let shop = service("a").with(|service| service.key = ServiceKey::new("shop", "a"));
    let outcome = Cluster::new(vec![others()]).reconcile([shop]);
    assert_eq!(outcome.assignments.len(), 1);
}

#[test]
fn service_selectors_and_namespaces_must_both_match() {
    let pool = || {
        pinned("b", "10.0.1.0/24", |rule| {
            rule.namespaces.insert("default".to_owned());
            rule.service_selectors = vec![labelled("tier", "front"), labelled("tier", "edge")];
        })
    };
    let request = |tier: &str| {
        service("a").with(|s| s.labels = [("tier".to_owned(), tier.to_owned())].into())
    };
    assert_eq!(gets(vec![pool()], request("edge")), "10.0.1.0");
    assert!(gets(vec![pool()], request("back")).starts_with("no auto-assign pool admits"));
}

#[test]
fn namespaces_are_selected_by_their_labels() {
    let rule =
        |rule: &mut ServiceAllocation| rule.namespace_selectors = vec![labelled("team", "a")];
    let pools = vec![pinned("b", "10.0.1.0/24", rule)];
    let mut allocator = Allocator::new();
    let request = service("a").0;
    let reconcile = |allocator: &mut Allocator, held: &[&str]| {
        let held = [(key("a"), held.iter().map(|it| ip(it)).collect())].into();
        allocator.reconcile(&pools, [&request], &held).of("a")
    };
    assert!(reconcile(&mut allocator, &[]).starts_with("no auto-assign pool admits"));
    assert!(allocator.uses_namespaces());
    let mut namespace = Namespace::new("default");
    namespace.labels.insert("team".to_owned(), "a".to_owned());
    allocator.set_namespaces([namespace]);
    assert_eq!(reconcile(&mut allocator, &[]), "10.0.1.0");
    allocator.set_namespaces([Namespace::new("default")]);
    assert!(reconcile(&mut allocator, &["10.0.1.0"]).starts_with("no auto-assign pool admits"));
}

/// A pool admits the namespaces that it names and those that it selects.
#[test]
fn a_pool_that_names_one_namespace_may_select_others() {
    let pools = vec![pinned("b", "10.0.1.0/24", |rule| {
        rule.namespaces = ["shop".to_owned()].into();
        rule.namespace_selectors = vec![labelled("team", "a")];
    })];
    let mut allocator = Allocator::new();
    let mut namespace = Namespace::new("default");
    namespace.labels.insert("team".to_owned(), "a".to_owned());
    allocator.set_namespaces([namespace]);
    let outcome = allocator.reconcile(&pools, [&service("a").0], &HeldAddresses::new());
    assert_eq!(outcome.of("a"), "10.0.1.0");
}

#[test]
fn a_restricted_pool_with_one_family_comes_before_an_open_one_with_both() {
    let request = service("a").with(|service| {
        service.cluster_ips = vec![ip("10.96.0.1"), ip("fd96::1")];
        service.ip_family_policy = Some(crate::model::IpFamilyPolicy::PreferDualStack);
    });
    let open = pool("a", &["10.0.0.0/24", "fd00::/64"]);
    assert_eq!(gets(vec![open, pinned("b", "10.0.1.0/24", priority(1))], request), "10.0.1.0");
}

#[test]
fn a_service_that_a_pool_no_longer_admits_is_moved_with_a_reason() {
    let mut cluster = Cluster::new(vec![pool("b", &["10.0.1.0/24"])]);
    cluster.reconcile([service("a")]);
    cluster.pools = vec![
        pool("a", &["10.0.0.0/24"]),
        pinned("b", "10.0.1.0/24", |rule| {
            rule.namespaces.insert("shop".to_owned());
        }),
    ];
    let outcome = cluster.reconcile([service("a")]);
    assert_eq!(outcome.of("a"), "10.0.0.0");
    assert_eq!(
        outcome.event_lines()[0],
        r#"a ClearAssignment: took back 10.0.1.0: the serviceAllocation of pool "b" does not admit this Service"#
    );
}
