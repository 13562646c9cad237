//! The memory of the adapter: allocated octets, without the overhead of the system's allocator.
//! `cargo bench -p benches --bench adapter_memory`.

#![expect(clippy::print_stdout, reason = "it prints the table")]

use std::sync::Arc;

use benches::clusters;
use benches::memory::{self, TrackingAllocator};
use benches::table::markdown;
use lb_adapter::allocator::Allocator;
use lb_adapter::model::{IpFamily, Service};
use lb_adapter::planner::{NodeContext, Plan, ServiceEndpoints, ServiceInput};

#[global_allocator]
static ALLOCATOR: TrackingAllocator = TrackingAllocator;

fn main() {
    let mut rows = Vec::new();
    for count in [1_000, 5_000, 10_000] {
        let config = Arc::new(clusters::config("10.0.0.0/16", 4));
        let services = clusters::services(count, IpFamily::Ipv4);

        let before = memory::allocated();
        let mut allocator = Allocator::new();
        allocator.reconcile(&config.pools, &services, &Default::default());
        rows.push(row(&format!("allocator, {count} Services"), count, before));

        let before = memory::allocated();
        let mut follower = Allocator::new().observing();
        follower.reconcile::<&Service>(&config.pools, [], &Default::default());
        for service in &services {
            let status = allocator.assignment(&service.key).map(|it| &*it.addresses);
            follower.upsert(service, status.unwrap_or_default());
        }
        rows.push(row(
            &format!("allocator that follows statuses, {count} Services one by one"),
            count,
            before,
        ));
        drop(follower);

        let before = memory::allocated();
        let mut plan = Plan::new(NodeContext::new(clusters::node(), config));
        for service in &services {
            let slice = clusters::slice(service, true);
            let endpoints = ServiceEndpoints::of(service, &slice.endpoints);
            let held = allocator.assignment(&service.key).ok_or(None);
            plan.update(&ServiceInput::new(service, held, &endpoints));
        }
        rows.push(row(&format!("plan of a node, {count} Services, 4 peers"), count, before));

        let before = memory::allocated();
        let engine = clusters::engine(count, 4);
        rows.push(row(
            &format!("engine: allocator, plan and all objects, {count} Services"),
            count,
            before,
        ));
        drop(engine);
    }

    print!("{}", markdown(&["what", "MB", "octets for each Service"], &rows));
}

/// A row of the table, for the memory that a number of Services has allocated since `before`.
fn row(name: &str, services: usize, before: usize) -> Vec<String> {
    let octets = memory::allocated() - before;
    vec![
        name.to_owned(),
        format!("{:.2}", octets as f64 / 1e6),
        format!("{:.0}", octets as f64 / services as f64),
    ]
}
