//! The helpers of the tests.

mod families;
mod holders;
mod naive;
mod pools;
mod properties;
mod reloading;
mod requests;
mod sharing;

use std::net::IpAddr;

use crate::model::{
    ExternalTrafficPolicy, IpFamily, Pool, Service, ServiceKey, ServicePort, ServiceType,
    TransportProtocol,
};

use super::{Allocator, EventReason, HeldAddresses, Outcome, StrandedAddresses, sharing_key};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

fn pool(name: &str, ranges: &[&str]) -> Pool {
    Pool::new(name, ranges.iter().map(|range| range.parse().unwrap()).collect())
}

fn manual_pool(name: &str, ranges: &[&str]) -> Pool {
    let mut pool = pool(name, ranges);
    pool.auto_assign = false;
    pool
}

fn port(protocol: TransportProtocol, port: u16) -> ServicePort {
    ServicePort { protocol, port }
}

/// A builder of a Service of type LoadBalancer.
struct TestService(Service);

fn service(name: &str) -> TestService {
    TestService(Service::new(key(name)))
}

impl TestService {
    fn tcp(mut self, number: u16) -> Self {
        self.0.ports.push(port(TransportProtocol::Tcp, number));
        self
    }

    fn udp(mut self, number: u16) -> Self {
        self.0.ports.push(port(TransportProtocol::Udp, number));
        self
    }

    fn annotation(mut self, name: &str, value: &str) -> Self {
        self.0.annotations.insert(name.to_owned(), value.to_owned());
        self
    }

    fn pool(self, name: &str) -> Self {
        self.annotation("metallb.io/address-pool", name)
    }

    fn shares(self, key: &str) -> Self {
        self.annotation("metallb.io/allow-shared-ip", key)
    }

    fn ip(mut self, address: &str) -> Self {
        self.0.load_balancer_ip = Some(address.to_owned());
        self
    }

    fn local(mut self, selector: &[(&str, &str)]) -> Self {
        self.0.external_traffic_policy = ExternalTrafficPolicy::Local;
        self.0.selector =
            selector.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self
    }

    fn created(mut self, time: &str) -> Self {
        self.0.created = Some(time.parse().unwrap());
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Service)) -> Self {
        change(&mut self.0);
        self
    }
}

/// A cluster: an allocator, its pools, and the addresses that the Services hold.
#[derive(Default)]
struct Cluster {
    allocator: Allocator,
    pools: Vec<Pool>,
    held: HeldAddresses,
}

impl Cluster {
    fn new(pools: Vec<Pool>) -> Self {
        Self { pools, ..Self::default() }
    }

    fn holding(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| ip(address)).collect();
        self.held.insert(key(name), addresses);
        self
    }

    fn restart(&mut self) {
        self.allocator = Allocator::new();
    }

    fn reconcile<const N: usize>(&mut self, services: [TestService; N]) -> Outcome {
        let services = services.map(|request| request.0);
        let outcome = self.allocator.reconcile(&self.pools, &services, &self.held);
        self.held = outcome.held();
        outcome
    }
}

impl Outcome {
    /// The first address of a Service, or the reason why it has none.
    fn of(&self, name: &str) -> String {
        match (self.assignments.get(&key(name)), self.refusals.get(&key(name))) {
            (Some(assignment), None) => assignment.addresses[0].to_string(),
            (None, Some(refusal)) => refusal.to_string(),
            (assignment, refusal) => format!("{assignment:?} and {refusal:?}"),
        }
    }

    /// The events, each as a line such as `a IPAllocated: ...`.
    fn event_lines(&self) -> Vec<String> {
        let line = |event: &super::Event| {
            format!("{} {}: {}", event.service.name, event.reason.as_str(), event.message)
        };
        self.changes.events.iter().map(line).collect()
    }

    fn reasons(&self) -> Vec<EventReason> {
        self.changes.events.iter().map(|event| event.reason).collect()
    }
}
