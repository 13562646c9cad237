//! Configurations that change in several steps do not renumber Services.

use std::sync::Arc;

use proptest::prelude::*;

use crate::allocator::EventReason;
use crate::engine::{Change, Effects, Engine};
use crate::model::{
    Asn, BgpAdvertisement, Config, Endpoint, EndpointSlice, Node, Peer, Pool, Service, ServiceKey,
    ServiceType,
};
use crate::planner::PlannerOptions;

use super::retired_pools::PoolSearch;

fn pool(name: &str, addresses: &str) -> Pool {
    Pool::new(name, vec![addresses.parse().unwrap()])
}

/// A configuration with a peer and an advertisement of every pool.
fn config(pools: &[Pool]) -> Change {
    let router: std::net::IpAddr = "192.0.2.254".parse().unwrap();
    let peer = Peer::new(Asn(64636), Asn(64635), router);
    Change::Config(Arc::new(Config::new(vec![peer], pools.to_vec())))
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

fn service(name: &str, status: &[&str]) -> Change {
    let mut service = Service::new(key(name));
    service.type_ = ServiceType::LoadBalancer;
    let status = status.iter().map(|it| (*it).to_owned()).collect();
    Change::Service { service: Box::new(service), status: Some(status) }
}

fn slice(name: &str) -> Change {
    let mut slice = EndpointSlice::new(format!("{name}-1"), key(name));
    let address: std::net::IpAddr = "10.1.0.1".parse().unwrap();
    slice.endpoints.push(Endpoint::new(address));
    Change::Slice(slice)
}

/// An engine with a node, after the initial lists.
fn engine(options: PlannerOptions) -> Engine {
    let mut engine = Engine::new(options, None);
    engine.apply(Change::Node(Node::new("n1")));
    engine.apply(Change::Synced);
    engine
}

fn follower() -> Engine {
    engine(PlannerOptions { follow_status: true, ..PlannerOptions::default() })
}

fn holds(engine: &Engine, name: &str) -> Vec<String> {
    let held = engine.holding(&key(name)).map(|it| it.addresses.to_vec()).unwrap_or_default();
    held.iter().map(ToString::to_string).collect()
}

fn routes(engine: &Engine) -> Vec<String> {
    let routes = engine.sessions().flat_map(|(_, peer)| peer.routes.keys());
    routes.map(ToString::to_string).collect()
}

fn events(effects: &Effects) -> Vec<(EventReason, &str)> {
    effects.events.iter().map(|event| (event.reason, event.message.as_str())).collect()
}

#[test]
fn without_a_pool_services_keep_their_addresses() {
    let mut engine = engine(PlannerOptions::default());
    engine.apply(service("a", &["198.51.100.7"]));
    let effects = engine.apply(config(&[]));
    assert_eq!((events(&effects), holds(&engine, "a")), (vec![], vec!["198.51.100.7".to_owned()]));
    assert!(effects.written.is_empty() && engine.is_stranded(&key("a")));
    // The Service changes, and another one is created.
    engine.apply(service("a", &["198.51.100.7"]));
    engine.apply(service("b", &["198.51.100.7"]));
    engine.apply(config(&[]));
    assert_eq!(holds(&engine, "a"), ["198.51.100.7"]);
    assert_eq!(holds(&engine, "b"), ["198.51.100.7"], "either may be right");
    // The pool is created, as in a cluster that was set up before.
    let effects = engine.apply(config(&[pool("default", "198.51.100.0/24")]));
    assert_eq!(holds(&engine, "a"), ["198.51.100.7"]);
    assert!(!engine.is_stranded(&key("a")));
    assert_eq!(effects.written.len(), 1, "b has to move, since a comes first: {effects:?}");
}

#[test]
fn recreating_the_only_pool_renumbers_no_service_and_withdraws_no_route() {
    for mut engine in [engine(PlannerOptions::default()), follower()] {
        engine.apply(config(&[pool("default", "192.0.2.0/24")]));
        engine.apply(service("a", &["192.0.2.7"]));
        engine.apply(slice("a"));
        for pools in [vec![], vec![pool("other", "192.0.2.0/28")], vec![], vec![]] {
            let effects = engine.apply(config(&pools));
            assert_eq!((events(&effects), effects.written.len()), (vec![], 0), "{pools:?}");
            assert_eq!(holds(&engine, "a"), ["192.0.2.7"], "{pools:?}");
            assert_eq!(routes(&engine), ["192.0.2.7/32"], "{pools:?}");
        }
    }
}

#[test]
fn addresses_without_a_pool_are_released_after_the_grace_period() {
    let mut engine = engine(PlannerOptions::default());
    engine.apply(config(&[pool("default", "192.0.2.0/24")]));
    engine.apply(service("a", &["192.0.2.7"]));
    engine.apply(slice("a"));
    assert_eq!(events(&engine.apply(Change::GracePeriodOver)), [], "there is a pool");
    engine.apply(config(&[]));
    let effects = engine.apply(Change::GracePeriodOver);
    assert_eq!(events(&effects)[0].0, EventReason::ClearAssignment);
    assert_eq!(events(&effects)[0].1, "took back 192.0.2.7: no address pool is configured");
    assert!(effects.written.contains(&key("a")));
    assert!(holds(&engine, "a").is_empty() && routes(&engine).is_empty());
    // The grace period starts again after there was a pool.
    engine.apply(config(&[pool("default", "192.0.2.0/24")]));
    engine.apply(config(&[]));
    assert_eq!(holds(&engine, "a"), ["192.0.2.0"]);
}

#[test]
fn services_of_a_removed_pool_move_to_the_other_pool() {
    let mut engine = engine(PlannerOptions::default());
    engine.apply(config(&[pool("one", "192.0.2.0/24"), pool("two", "198.51.100.0/24")]));
    engine.apply(service("a", &["192.0.2.7"]));
    engine.apply(config(&[pool("two", "198.51.100.0/24")]));
    assert_eq!(holds(&engine, "a"), ["198.51.100.0"]);
}

#[test]
fn an_overwritten_status_is_restored_and_reported() {
    let mut engine = engine(PlannerOptions::default());
    engine.apply(config(&[pool("default", "192.0.2.0/24")]));
    engine.apply(service("a", &["192.0.2.7"]));
    let effects = engine.apply(service("a", &["203.0.113.1"]));
    assert_eq!(holds(&engine, "a"), ["192.0.2.7"], "not just any free address");
    let expected = [
        (EventReason::ClearAssignment, "took back 203.0.113.1: 203.0.113.1 is in no pool"),
        (EventReason::IpAllocated, "assigned 192.0.2.7 from pool \"default\""),
    ];
    assert_eq!(events(&effects), expected);
    assert!(effects.written.contains(&key("a")));
}

#[test]
fn removing_the_last_advertisement_or_peer_takes_effect_at_once() {
    let Change::Config(all) = config(&[pool("default", "192.0.2.0/24")]) else { unreachable!() };
    let mut engine = engine(PlannerOptions::default());
    engine.apply(Change::Config(Arc::clone(&all)));
    engine.apply(service("a", &["192.0.2.7"]));
    engine.apply(slice("a"));
    assert_eq!(routes(&engine).len(), 1);
    let mut without = Config::clone(&all);
    without.bgp_advertisements.clear();
    engine.apply(Change::Config(Arc::new(without)));
    assert!(routes(&engine).is_empty());
    let mut without = Config::clone(&all);
    without.peers.clear();
    without.bgp_advertisements.push(BgpAdvertisement::new("second"));
    engine.apply(Change::Config(Arc::new(without)));
    assert_eq!(engine.sessions().count(), 0);
    assert_eq!(holds(&engine, "a"), ["192.0.2.7"]);
}

#[test]
fn a_follower_announces_the_status_and_not_the_requested_address() {
    let edited = |change: Change, edit: &dyn Fn(&mut Service)| match change {
        Change::Service { mut service, status } => {
            edit(&mut service);
            Change::Service { service, status }
        }
        other => other,
    };
    let mut other = pool("other", "198.51.100.0/24");
    other.allocation = Some(crate::model::ServiceAllocation::default());
    let mut engine = follower();
    engine.apply(config(&[pool("default", "192.0.2.0/24"), other]));
    engine.apply(service("a", &["192.0.2.7"]));
    engine.apply(slice("a"));

    let annotation = |name: &str, value: &str| {
        let (name, value) = (format!("metallb.io/{name}"), value.to_owned());
        move |service: &mut Service| {
            service.annotations.insert(name.clone(), value.clone());
        }
    };
    let edits: [&dyn Fn(&mut Service); 6] = [
        &annotation("address-pool", "other"),
        &annotation("address-pool", "not-there"),
        &annotation("loadBalancerIPs", "192.0.2.9"),
        &annotation("loadBalancerIPs", "nonsense"),
        &|service| service.load_balancer_ip = Some("192.0.2.9".to_owned()),
        &|service| service.cluster_ips = vec!["fd00::1".parse().unwrap()],
    ];
    for (number, edit) in edits.iter().enumerate() {
        engine.apply(edited(service("a", &["192.0.2.7"]), edit));
        assert_eq!(routes(&engine), ["192.0.2.7/32"], "edit {number}");
    }

    // An address in no pool, or of another Service, is not announced.
    engine.apply(service("a", &["203.0.113.1"]));
    assert!(routes(&engine).is_empty());
    engine.apply(service("a", &["192.0.2.7"]));
    engine.apply(service("b", &["192.0.2.7"]));
    assert_eq!(holds(&engine, "b"), [""; 0]);
    engine.apply(edited(service("a", &["192.0.2.7"]), &|it| it.type_ = ServiceType::ClusterIp));
    assert_eq!(holds(&engine, "b"), ["192.0.2.7"]);
}

#[test]
fn a_removed_pool_is_forgotten_once_no_service_holds_its_addresses() {
    let mut engine = follower();
    engine.apply(config(&[pool("default", "192.0.2.0/24")]));
    engine.apply(service("a", &["192.0.2.7"]));
    engine.apply(slice("a"));
    let others = [pool("other", "198.51.100.0/24")];

    engine.apply(config(&others));
    engine.apply(config(&others));
    assert_eq!(routes(&engine), ["192.0.2.7/32"], "still held");

    engine.apply(service("a", &[]));
    engine.apply(config(&others));
    engine.apply(service("a", &["192.0.2.7"]));
    assert!(routes(&engine).is_empty());
}

proptest! {
    /// Peers and pools come and go in any order within the grace period, until all are there.
    #[test]
    fn no_order_of_changes_renumbers_a_service_if_the_final_pools_have_its_address(
        steps in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..8),
        restart_at in 0..8_usize,
    ) {
        let (default, others) = (pool("default", "192.0.2.0/28"), pool("others", "198.51.100.0/28"));
        let mut engine = engine(PlannerOptions::default());
        engine.apply(service("a", &["192.0.2.7"]));
        engine.apply(service("b", &["192.0.2.3"]));

        for (at, (has_default, has_peer, has_advertisement)) in steps.into_iter().enumerate() {
            // The other pool comes last, since Services could move to it.
            let pools: Vec<_> = has_default.then(|| default.clone()).into_iter().collect();
            let Change::Config(step) = config(&pools) else { unreachable!() };
            let mut step = Config::clone(&step);
            if !has_peer {
                step.peers.clear();
            }
            if !has_advertisement {
                step.bgp_advertisements.clear();
            }
            if at == restart_at {
                engine.restart();
            }

            let effects = engine.apply(Change::Config(Arc::new(step)));
            prop_assert!(effects.written.is_empty(), "{effects:?}");
        }

        engine.apply(config(&[default, others]));
        prop_assert_eq!(holds(&engine, "a"), ["192.0.2.7"]);
        prop_assert_eq!(holds(&engine, "b"), ["192.0.2.3"]);
    }
}

#[test]
fn a_removed_pool_is_found_by_its_name_or_by_an_address() {
    let now = [
        pool("wide", "10.0.0.0/8"),
        pool("within", "10.1.0.0/16"),
        pool("last", "10.200.0.0-10.200.0.9"),
        pool("six", "2001:db8::/64"),
    ];
    let search = PoolSearch::new(&now);
    assert!(search.has_name("within") && !search.has_name("with"));

    for (range, expected) in [
        ("9.0.0.0/8", false),
        ("9.255.255.255-10.0.0.0", true),
        // After the last range that begins before it, but still in the first one.
        ("10.250.0.0/16", true),
        ("10.255.255.255-11.0.0.0", true),
        ("11.0.0.0/8", false),
        ("0.0.0.0/0", true),
        ("2001:db7::/32", false),
        ("2001:db8::/32", true),
        ("2001:db8:0:1::/64", false),
        ("ff00::/8", false),
    ] {
        assert_eq!(search.overlaps(&pool("gone", range)), expected, "{range}");
    }

    assert!(!PoolSearch::new(&[]).overlaps(&pool("gone", "0.0.0.0/0")));
}
