//! What the adapter keeps in memory: octets asked for, without what the system adds to each request.
//! `cargo bench -p benches --bench adapter_memory`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::sync::Arc;

use benches::clusters;
use benches::held::{self, Held};
use benches::table::markdown;
use lb_adapter::allocator::Allocator;
use lb_adapter::model::{IpFamily, Service};
use lb_adapter::planner::{Endpoints, Plan, Scene, Subject};

#[global_allocator]
static ALLOCATOR: Held = Held;

fn main() {
    let mut rows = Vec::new();
    let mut add = |name: &str, of: usize, octets: usize| {
        rows.push(vec![
            name.to_owned(),
            format!("{:.2}", octets as f64 / 1e6),
            format!("{:.0}", octets as f64 / of as f64),
        ]);
    };
    for count in [1_000, 5_000, 10_000] {
        let config = Arc::new(clusters::config("10.0.0.0/16", 4));
        let services = clusters::services(count, IpFamily::Ipv4);
        let before = held::now();
        let mut allocator = Allocator::new();
        allocator.reconcile(&config.pools, &services, &Default::default());
        add(&format!("allocator, {count} Services"), count, held::now() - before);
        let before = held::now();
        let mut follower = Allocator::new().observing();
        follower.reconcile::<&Service>(&config.pools, [], &Default::default());
        for service in &services {
            let given = allocator.assignment(&service.key).map(|it| &*it.addresses);
            follower.upsert(service, given.unwrap_or_default());
        }
        add(&format!("the same, following, {count} one by one"), count, held::now() - before);
        drop(follower);
        let before = held::now();
        let mut plan = Plan::new(Scene::new(clusters::node(), config));
        for service in &services {
            let slice = clusters::slice(service, true);
            let endpoints = Endpoints::of(service, &slice.endpoints);
            let held = allocator.assignment(&service.key).ok_or(None);
            plan.update(&Subject::new(service, held, &endpoints));
        }
        add(&format!("plan of a node, {count} Services, 4 peers"), count, held::now() - before);
        let before = held::now();
        let engine = clusters::engine(count, 4);
        add(
            &format!("engine: both, and all objects, {count} Services"),
            count,
            held::now() - before,
        );
        drop(engine);
    }
    print!("{}", markdown(&["what", "MB", "octets for each Service"], &rows));
}
