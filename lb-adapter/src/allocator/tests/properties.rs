//! The allocator compared with the naive model, over random clusters and histories.

use proptest::prelude::*;

use crate::model::{IpFamilyPolicy, LabelSelector, ServiceAllocation};

use super::naive::{World, slots};
use super::*;

/// Pools made of a few fixed ranges, so that requests often match and addresses run out.
fn pools() -> impl Strategy<Value = Vec<Pool>> {
    let ranges = ["10.0.0.254-10.0.1.1", "10.0.2.0/31", "10.0.3.7-10.0.3.9", "fd00::/127"];
    let choice =
        (any::<bool>(), any::<bool>(), prop::sample::select(vec!["a", "b", "c"]), allocation());
    prop::collection::vec(prop::option::of(choice), ranges.len()).prop_map(move |choices| {
        let mut pools: Vec<Pool> = Vec::new();
        for (range, choice) in ranges.iter().zip(choices) {
            let Some((auto_assign, avoid_buggy_ips, name, allocation)) = choice else { continue };
            match pools.iter_mut().find(|pool| pool.name == name) {
                Some(pool) => pool.ranges.insert(0, range.parse().unwrap()),
                None => {
                    let mut new = pool(name, &[range]);
                    (new.auto_assign, new.avoid_buggy_ips) = (auto_assign, avoid_buggy_ips);
                    new.allocation = allocation;
                    pools.push(new);
                }
            }
        }
        pools
    })
}

/// The Services that a pool admits: all, all with a priority, or those with a label.
fn allocation() -> impl Strategy<Value = Option<ServiceAllocation>> {
    let tier = prop::option::of(prop::sample::select(vec!["front", "back"]));
    prop::option::weighted(0.4, (0_u32..3, tier)).prop_map(|rule| {
        let (priority, tier) = rule?;
        let selectors = tier.map(|tier| {
            let mut selector = LabelSelector::default();
            selector.match_labels.insert("tier".to_owned(), tier.to_owned());
            selector
        });
        let service_selectors = selectors.into_iter().collect();
        Some(ServiceAllocation { priority, service_selectors, ..ServiceAllocation::default() })
    })
}

/// Cluster IPs with a matching policy.
fn families() -> impl Strategy<Value = (Vec<IpAddr>, Option<IpFamilyPolicy>)> {
    let (v4, v6) = (ip("10.96.0.1"), ip("fd01::1"));
    prop::sample::select(vec![
        (vec![], None),
        (vec![v4], None),
        (vec![v6], Some(IpFamilyPolicy::SingleStack)),
        (vec![v4, v6], Some(IpFamilyPolicy::PreferDualStack)),
        (vec![v4, v6], Some(IpFamilyPolicy::RequireDualStack)),
    ])
}

fn any_service() -> impl Strategy<Value = Service> {
    let ips = ["10.0.0.255", "10.0.1.0", "10.0.2.1", "10.0.3.7", "10.9.9.9", "fd00::1"];
    let name = prop::sample::select(vec!["p", "q", "r", "s", "t", "u", "v", "w"]);
    let time = prop::option::of(prop::sample::select(vec!["2018", "2019", "2020"]));
    let key = prop::option::of(prop::sample::select(vec!["k", "l"]));
    let pool = prop::option::weighted(0.3, prop::sample::select(vec!["a", "b", "x"]));
    let address = prop::option::weighted(0.2, prop::sample::select(ips.to_vec()));
    let local = prop::option::of(prop::sample::select(vec!["web", "mail"]));
    let tier = prop::option::of(prop::sample::select(vec!["front", "back"]));
    let ports = prop::collection::btree_set(80_u16..84, 0..3);
    (name, time, key, pool, address, local, families(), ports, tier).prop_map(
        |(name, time, key, pool, address, local, families, ports, tier)| {
            let mut request = service(name);
            if let Some(key) = key {
                request = request.shares(key);
            }
            if let Some(pool) = pool {
                request = request.pool(pool);
            }
            if let Some(app) = local {
                request = request.local(&[("app", app)]);
            }
            request = ports.iter().fold(request, |request, port| request.tcp(*port));
            let mut service = request.0;
            service.created = time.map(|year| format!("{year}-01-01T00:00:00Z").parse().unwrap());
            service.load_balancer_ip = address.map(str::to_owned);
            // A family that contradicts the address is an invalid request, which the naive model does not know.
            if service.load_balancer_ip.is_none() {
                (service.cluster_ips, service.ip_family_policy) = families;
            }
            service.labels.extend(tier.map(|tier| ("tier".to_owned(), tier.to_owned())));
            service
        },
    )
}

/// A change of a cluster.
#[derive(Clone, Debug)]
enum Step {
    Apply(Box<Service>),
    Delete(&'static str),
    Pools(Vec<Pool>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let names = vec!["p", "q", "r", "s", "t", "u", "v", "w"];
    prop_oneof![
        6 => any_service().prop_map(|service| Step::Apply(Box::new(service))),
        2 => prop::sample::select(names).prop_map(Step::Delete),
        1 => pools().prop_map(Step::Pools),
        1 => Just(Step::Restart),
    ]
}

fn apply(services: &mut Vec<Service>, step: &Step) {
    match step {
        Step::Apply(service) => {
            services.retain(|other| other.key != service.key);
            services.push(Service::clone(service));
        }
        Step::Delete(name) => services.retain(|service| service.key != key(name)),
        Step::Pools(_) | Step::Restart => {}
    }
}

/// Checks the rules that every outcome must obey.
fn check(world: &World<'_>, outcome: &Outcome) -> Result<(), TestCaseError> {
    let assigned = outcome.held();
    for service in world.services {
        let Some(assignment) = outcome.assignments.get(&service.key) else {
            prop_assert!(
                outcome.refusals.contains_key(&service.key),
                "every Service without an address has a reason"
            );
            continue;
        };
        // A Service without a family keeps the addresses that it holds.
        prop_assert!((1..=slots(service).len().max(2)).contains(&assignment.addresses.len()));
        let pool = world.pools.iter().find(|pool| *pool.name == *assignment.pool).unwrap();
        for address in &assignment.addresses {
            prop_assert!(pool.contains(*address), "the address is in its pool");
            prop_assert!(world.joins(service, *address, &assigned), "the sharing rules are obeyed");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_fresh_allocator_agrees_with_the_naive_model(
        pools in pools(),
        services in prop::collection::vec(any_service(), 0..10),
        holders in prop::collection::vec(prop::collection::btree_set(0_usize..12, 0..3), 0..10),
        multiplier in any::<u8>(),
    ) {
        let mut all = Vec::new();
        services.into_iter().for_each(|service| apply(&mut all, &Step::Apply(Box::new(service))));
        let ranges = pools.iter().flat_map(|pool| &pool.ranges);
        let addresses: Vec<_> = ranges.flat_map(|range| range.addresses()).collect();
        let pairs = all.iter().zip(&holders);
        let held: HeldAddresses = pairs
            .filter_map(|(s, indexes)| {
                let held: Vec<_> = indexes.iter().filter_map(|at| addresses.get(*at)).collect();
                (!held.is_empty()).then(|| (s.key.clone(), held.into_iter().copied().collect()))
            })
            .collect();
        let world = World { pools: &pools, services: &all };
        let expected = world.reconcile(&held);
        let outcome = Allocator::new().reconcile(&pools, &all, &held);
        prop_assert_eq!(outcome.held(), expected);
        check(&world, &outcome)?;
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|service| service.key.name.as_bytes()[0].wrapping_mul(multiplier | 1));
        prop_assert_eq!(Allocator::new().reconcile(&pools, &shuffled, &held), outcome);
    }

    #[test]
    fn single_changes_have_the_same_result_as_a_full_reconcile(
        first in pools(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let (mut whole, mut services) = (Cluster::new(first), Vec::new());
        let mut single_steps = Allocator::new();
        single_steps.reconcile::<&Service>(&whole.pools, [], &HeldAddresses::new());
        for step in steps {
            apply(&mut services, &step);
            let held = whole.held.clone();
            if let Step::Restart = step { whole.restart(); }
            if let Step::Pools(pools) = &step { whole.pools.clone_from(pools); }
            let outcome = whole.allocator.reconcile(&whole.pools, &services, &held);
            whole.held = outcome.held();
            let one = match &step {
                Step::Apply(service) => {
                    let held = held.get(&service.key).map_or(&[][..], Vec::as_slice);
                    Some(single_steps.upsert(service, held))
                }
                Step::Delete(name) => Some(single_steps.remove(&key(name))),
                Step::Pools(_) => {
                    single_steps.reconcile(&whole.pools, &services, &held);
                    None
                }
                // A restart without other changes has no effect.
                Step::Restart => Some(Default::default()),
            };
            check(&World { pools: &whole.pools, services: &services }, &outcome)?;
            for service in &services {
                let (key, assignments) = (&service.key, &outcome.assignments);
                prop_assert_eq!(single_steps.assignment(key), assignments.get(key));
                prop_assert_eq!(single_steps.refusal(key), outcome.refusals.get(key));
            }
            if let Some(one) = one {
                prop_assert_eq!(&one.services, &outcome.changes.services);
                if !matches!(step, Step::Restart) {
                    prop_assert_eq!(one.events, outcome.changes.events);
                }
            }
        }
    }

    /// The observer starts with an old state of the cluster, and then sees the new state of each Service, in any order.
    #[test]
    fn an_observer_agrees_with_the_controller_in_any_order_of_changes(
        pools in pools(),
        steps in prop::collection::vec(step(), 0..12),
        more in prop::collection::vec(step(), 0..8),
        multiplier in any::<u8>(),
    ) {
        let (mut controller, mut services) = (Cluster::new(pools), Vec::new());
        let mut outcome = Outcome::default();
        let mut observer = Allocator::new().observing();
        for (at, step) in steps.iter().chain(&more).enumerate() {
            if at == steps.len() {
                observer.reconcile(&controller.pools, &services, &controller.held);
            }
            apply(&mut services, step);
            outcome = controller.allocator.reconcile(&controller.pools, &services, &controller.held);
            controller.held = outcome.held();
        }
        if more.is_empty() {
            observer.reconcile(&controller.pools, &services, &controller.held);
        }
        let names = ["p", "q", "r", "s", "t", "u", "v", "w"];
        let mut order: Vec<_> = names.into_iter().map(key).collect();
        order.sort_by_key(|key| key.name.as_bytes()[0].wrapping_mul(multiplier | 1));
        for key in order {
            match services.iter().find(|service| service.key == key) {
                Some(service) => {
                    let held = controller.held.get(&key).map_or(&[][..], Vec::as_slice);
                    observer.upsert(service, held);
                }
                None => drop(observer.remove(&key)),
            }
        }
        for service in &services {
            let given = outcome.assignments.get(&service.key);
            prop_assert_eq!(observer.assignment(&service.key), given, "{}", service.key);
        }
    }
}
