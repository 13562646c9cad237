//! The annotations of a Service for its own routes: which values take effect, and which are reported.

use std::time::Duration;

use crate::model::{MinReady, WhenUnhealthy};

use super::*;

/// A pool that allows everything, with health settings that annotations may change.
fn generous() -> Pool {
    let mut pool = Pool::new("default", vec!["172.22.35.64/26".parse().unwrap()]);
    pool.permissions.communities =
        vec!["64512:*".parse().unwrap(), "large:64512:1:*".parse().unwrap()];
    pool.permissions.local_pref = Some(0..=200);
    pool.permissions.med = Some(0..=100);
    pool.permissions.prepend = 3;
    pool.permissions.health = true;
    pool.health.probe = Some("tcp:8080".parse().unwrap());
    pool.health.when_unhealthy = WhenUnhealthy::Depreference;
    pool
}

fn read(annotations: &[(&str, &str)], pool: &Pool) -> RouteAnnotations {
    let mut service = Service::new(key("a"));
    for (name, value) in annotations {
        service.annotations.insert(format!("ferrolb.io/{name}"), (*value).to_owned());
    }
    RouteAnnotations::of(&service, pool)
}

#[test]
fn every_annotation_takes_effect_in_a_pool_that_allows_it() {
    let found = read(
        &[
            ("communities", "64512:7, large:64512:1:2"),
            ("local-pref", "200"),
            ("med", "100"),
            ("prepend", "3"),
            ("min-ready", "50%"),
            ("hold-down", "30s"),
            ("when-unhealthy", "withdraw"),
            ("probe", "tcp:25"),
            ("probe-interval", "10s"),
            ("probe-timeout", "2s"),
            ("probe-rise", "100"),
            ("probe-fall", "1"),
        ],
        &generous(),
    );
    assert_eq!(found.invalid, []);

    let attributes = &found.attributes;
    assert_eq!(attributes.communities, ["64512:7".parse().unwrap()].into());
    assert_eq!(attributes.large_communities, ["64512:1:2".parse().unwrap()].into());
    assert_eq!(
        (attributes.local_pref, attributes.med, attributes.prepend),
        (Some(200), Some(100), 3)
    );

    let health = &found.health;
    assert_eq!(health.min_ready, Some(MinReady::Percent(50)));
    assert_eq!(health.hold_down, Duration::from_secs(30));
    assert_eq!(health.when_unhealthy, WhenUnhealthy::Withdraw);
    let probe = health.probe.as_ref().unwrap();
    assert_eq!((probe.port, probe.rise.get(), probe.fall.get()), (25, 100, 1));
    assert_eq!((probe.interval, probe.timeout), (Duration::from_secs(10), Duration::from_secs(2)));
}

#[test]
fn a_setting_of_the_probe_changes_the_pools_probe() {
    let found = read(&[("probe-fall", "9"), ("when-unhealthy", "depreference")], &generous());
    assert_eq!(found.invalid, []);
    let probe = found.health.probe.unwrap();
    assert_eq!((probe.port, probe.fall.get()), (8080, 9));
    assert_eq!(found.health.when_unhealthy, WhenUnhealthy::Depreference);
}

#[test]
fn a_value_that_is_malformed_not_allowed_or_out_of_place_is_reported_and_has_no_effect() {
    let pool = generous();
    let nothing = Pool::new("default", Vec::new());
    let without_probe = Pool { health: nothing.health.clone(), ..pool.clone() };
    for (name, value, pool, reason) in [
        ("communities", "64513:7", &pool, "does not allow"),
        ("communities", "large:64513:1:2", &pool, "does not allow"),
        ("communities", "large:64512:1", &pool, "expected communities"),
        ("communities", "64512", &pool, "expected communities"),
        ("local-pref", "201", &pool, "does not allow"),
        ("local-pref", "-1", &pool, "expected a number"),
        ("med", "101", &pool, "does not allow"),
        ("prepend", "4", &pool, "does not allow"),
        ("prepend", "256", &pool, "expected a number"),
        ("min-ready", "101%", &pool, "expected a number"),
        ("min-ready", "1", &nothing, "does not allow"),
        ("hold-down", "soon", &pool, "expected a time"),
        ("hold-down", "1s", &nothing, "does not allow"),
        ("when-unhealthy", "panic", &pool, "expected withdraw or depreference"),
        ("when-unhealthy", "withdraw", &nothing, "does not allow"),
        ("probe", "ping", &pool, "expected a probe"),
        ("probe", "tcp:1", &nothing, "does not allow"),
        ("probe-rise", "0", &pool, "expected a number from 1 to 100"),
        ("probe-rise", "101", &pool, "expected a number from 1 to 100"),
        ("probe-interval", "99ms", &pool, "expected a time from 100ms to 1h"),
        ("probe-timeout", "2h", &pool, "expected a time from 100ms to 1h"),
        ("probe-fall", "1", &without_probe, "expected a probe in the annotation"),
        ("prob", "tcp:1", &pool, "there is no such annotation"),
    ] {
        let found = read(&[(name, value)], pool);
        let [invalid] = &found.invalid[..] else { panic!("{name}: {found:?}") };
        assert_eq!(
            (&*invalid.annotation, &*invalid.value),
            (&*format!("ferrolb.io/{name}"), value)
        );
        let text = invalid.to_string();
        assert!(text.starts_with(&format!("annotation ferrolb.io/{name}: ")), "{text}");
        assert!(text.contains(reason), "{text}");
        assert_eq!(
            (&found.attributes, &found.health),
            (&ServiceAttributes::default(), &pool.health)
        );
    }
}
