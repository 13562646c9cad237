//! The allocator.

use std::net::IpAddr;

use bench_growth::clusters::{self, ClusterSize};
use lb_adapter::allocator::{Allocator, HeldAddresses};
use lb_adapter::model::{
    ExternalTrafficPolicy, IpFamily, Pool, Service, ServiceAllocation, ServiceKey, ServicePort,
    TransportProtocol,
};

use super::{Prepared, TIMES, Work};

/// The numbers of Services.
const SERVICES: [usize; 3] = [100, 1_000, 10_000];

pub(super) const WORKS: &[Work] = &[
    Work::all("allocate all at once", "Services", SERVICES, all_at_once),
    Work::all(
        "allocate all, each in the pool of its namespace",
        "Services",
        SERVICES,
        in_own_pools,
    ),
    Work::one("allocate the next free address", "Services", SERVICES, next_free),
    Work::one("allocate a released address", "Services", SERVICES, released),
    Work::all("allocate one address for all, each with a port", "Services", SERVICES, |size| {
        sharing(size, |number| number)
    }),
    Work::all("allocate shared addresses, all with one port", "Services", SERVICES, |size| {
        sharing(size, |_| 80)
    }),
    Work::one("one more joins a shared address", "Services", SERVICES, joins),
    Work::one("one Service asks of a full pool", "waiting Services", SERVICES, refused),
    Work::one("one address is free, of a full pool", "waiting Services", SERVICES, freed)
        .checked(100),
    Work::all("keep all addresses after a restart", "Services", SERVICES, kept),
];

fn all_at_once(size: usize) -> Prepared {
    let (pools, services) = (pools("10.0.0.0/8"), services(size));
    Prepared::once(move || {
        let mut allocator = Allocator::new();
        let outcome = allocator.reconcile(&pools, &services, &HeldAddresses::new());
        assert_eq!(outcome.assignments.len(), services.len());
        (allocator, outcome)
    })
}

/// As many pools as Services, each for one namespace.
fn in_own_pools(size: usize) -> Prepared {
    let mut pools = ClusterSize { pools: size, ..ClusterSize::default() }.config().pools;
    let mut services = services(size);
    for (number, (pool, service)) in pools.iter_mut().zip(&mut services).enumerate() {
        let namespace = format!("namespace-{number}");
        let mut allocation = ServiceAllocation::default();
        allocation.namespaces.insert(namespace.clone());
        pool.allocation = Some(allocation);
        service.key = ServiceKey::new(namespace, "web");
    }
    Prepared::once(move || {
        let mut allocator = Allocator::new();
        let outcome = allocator.reconcile(&pools, &services, &HeldAddresses::new());
        assert_eq!(outcome.assignments.len(), services.len());
        (allocator, outcome)
    })
}

fn next_free(size: usize) -> Prepared {
    let mut all = services(size + TIMES);
    let new = all.split_off(size);
    let mut allocator = allocated("10.0.0.0/8", &all);
    Prepared::repeated(TIMES, move |turn| {
        allocator.upsert(&new[turn], &[]);
    })
}

fn released(size: usize) -> Prepared {
    let services = services(size);
    let mut allocator = allocated("10.0.0.0/8", &services);
    Prepared::repeated(TIMES, move |turn| {
        let service = &services[super::scattered(turn * 977, services.len())];
        allocator.remove(&service.key);
        allocator.upsert(service, &[]);
    })
}

/// Services with one sharing key, each with the port of its number.
fn sharing(size: usize, port: fn(usize) -> usize) -> Prepared {
    let (pools, services) = (pools("10.0.0.0/8"), shared(size, port));
    Prepared::once(move || {
        let mut allocator = Allocator::new();
        allocator.reconcile(&pools, &services, &HeldAddresses::new());
        assert!(services.iter().all(|service| allocator.assignment(&service.key).is_some()));
        allocator
    })
}

fn joins(size: usize) -> Prepared {
    let mut all = shared(size + TIMES, |number| number);
    let new = all.split_off(size);
    let mut allocator = allocated("10.0.0.0/8", &all);
    Prepared::repeated(TIMES, move |turn| {
        allocator.upsert(&new[turn], &[]);
    })
}

/// A Service that wants an address while others already wait.
fn refused(size: usize) -> Prepared {
    let mut all = services(size + 1 + TIMES);
    let new = all.split_off(size + 1);
    let mut allocator = allocated("10.0.0.0/32", &all);
    Prepared::repeated(TIMES, move |turn| {
        allocator.upsert(&new[turn], &[]);
    })
}

/// The only address of a pool becomes free while others wait: one of them gets it.
fn freed(size: usize) -> Prepared {
    let services = services(size + 1);
    let mut allocator = allocated("10.0.0.0/32", &services);
    Prepared::repeated(10, move |turn| {
        // The oldest waiting Service, by name, has it then.
        let changes = allocator.remove(&services[turn].key);
        std::hint::black_box(changes);
    })
}

fn kept(size: usize) -> Prepared {
    let (pools, services) = (pools("10.0.0.0/8"), services(size));
    let before = allocated("10.0.0.0/8", &services);
    let mut held = HeldAddresses::new();
    for service in &services {
        let addresses: Vec<IpAddr> =
            before.assignment(&service.key).map(|it| it.addresses.to_vec()).unwrap_or_default();
        held.insert(service.key.clone(), addresses);
    }
    Prepared::once(move || {
        let mut allocator = Allocator::new();
        let outcome = allocator.reconcile(&pools, &services, &held);
        (allocator, outcome)
    })
}

fn allocated(range: &str, services: &[Service]) -> Allocator {
    let mut allocator = Allocator::new();
    allocator.reconcile(&pools(range), services, &HeldAddresses::new());
    allocator
}

fn pools(range: &str) -> Vec<Pool> {
    clusters::config(range, 1).pools
}

/// Services in one namespace, in the order of their names.
fn services(size: usize) -> Vec<Service> {
    let mut services = clusters::services(size, IpFamily::Ipv4);
    services.sort_by(|a, b| a.key.cmp(&b.key));
    services
}

fn shared(size: usize, port: fn(usize) -> usize) -> Vec<Service> {
    let mut services = services(size);
    for (number, service) in services.iter_mut().enumerate() {
        let port = u16::try_from(1 + port(number) % 60_000).unwrap_or(1);
        service.ports = vec![ServicePort { protocol: TransportProtocol::Tcp, port }];
        service.external_traffic_policy = ExternalTrafficPolicy::Cluster;
        service.annotations.insert("metallb.io/allow-shared-ip", "all");
    }
    services
}
