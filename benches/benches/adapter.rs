//! The allocator and the planner, with many Services at once and with one change among many.
//! `cargo bench -p benches --bench adapter [-- [--rounds N]]`.

#![expect(clippy::print_stdout, reason = "it prints the table")]

use std::sync::Arc;

use benches::alloc::CountingAllocator;
use benches::arguments::Arguments;
use benches::clusters;
use benches::measure::{Measured, contestant, measure};
use benches::table::markdown;
use lb_adapter::allocator::{Allocator, HeldAddresses};
use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{IpFamily, Service};
use lb_adapter::planner::{NodeContext, Plan, ServiceEndpoints, ServiceInput};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::SYSTEM;

/// The number of Services in the large cases.
const MANY: usize = 10_000;
const PEERS: u8 = 4;

fn main() {
    let arguments = Arguments::of_program();
    let mut rows = Vec::new();

    let (v4, v6) =
        (clusters::services(MANY, IpFamily::Ipv4), clusters::services(MANY, IpFamily::Ipv6));
    let mut contestants = [
        at_once(&v4, "10.0.0.0/16"),
        at_once(&v6, "fd00::/64"),
        one_by_one(&v4, "10.0.0.0/16"),
        whole_plan(&v4),
    ];
    let measured = measure(&mut contestants, arguments.rounds);
    let names = [
        "allocate 10,000 at once from a /16",
        "allocate 10,000 at once from an IPv6 /64",
        "allocate 10,000 one by one from a /16",
        "plan 10,000 for 4 peers",
    ];
    for (name, measured) in names.iter().zip(&measured) {
        rows.push(row(name, MANY, measured));
    }

    let sizes = [100, 1_000, MANY];
    let mut engines = sizes.map(|size| clusters::engine(size, PEERS));
    let mut contestants: Vec<_> = engines.iter_mut().map(one_change).collect();
    let measured = measure(&mut contestants, arguments.rounds);
    for (size, measured) in sizes.iter().zip(&measured) {
        rows.push(row(&format!("one changed Service among {size}, 4 peers"), 2, measured));
    }

    print!("{}", markdown(&["what", "ms in all", "ns each", "least", "allocations each"], &rows));
    let growth = measured[2].median() / measured[0].median();
    println!("\none change among 10,000 took {growth:.2} times as long as one among 100");
}

/// A row of the table, for a measurement of a number of operations.
fn row(name: &str, operations: usize, measured: &Measured) -> Vec<String> {
    let operations = operations as f64;
    vec![
        name.to_owned(),
        format!("{:.3}", measured.median() * 1e3),
        format!("{:.0}", measured.median() * 1e9 / operations),
        format!("{:.0}", measured.least() * 1e9 / operations),
        format!("{:.1}", measured.allocations as f64 / operations),
    ]
}

fn at_once<'a>(services: &'a [Service], range: &str) -> Box<dyn FnMut() + 'a> {
    let pools = clusters::config(range, PEERS).pools;
    contestant(move || {
        let outcome = Allocator::new().reconcile(&pools, services, &HeldAddresses::new());
        assert_eq!(outcome.assignments.len(), services.len());
    })
}

fn one_by_one<'a>(services: &'a [Service], range: &str) -> Box<dyn FnMut() + 'a> {
    let pools = clusters::config(range, PEERS).pools;
    contestant(move || {
        let mut allocator = Allocator::new();
        allocator.reconcile::<&Service>(&pools, [], &HeldAddresses::new());
        for service in services {
            allocator.upsert(service, &[]);
        }
        allocator
    })
}

fn whole_plan(services: &[Service]) -> Box<dyn FnMut() + '_> {
    let config = Arc::new(clusters::config("10.0.0.0/16", PEERS));
    let mut allocator = Allocator::new();
    allocator.reconcile(&config.pools, services, &HeldAddresses::new());
    let slices: Vec<_> = services.iter().map(|service| clusters::slice(service, true)).collect();
    contestant(move || {
        let mut plan = Plan::new(NodeContext::new(clusters::node(), Arc::clone(&config)));
        for (service, slice) in services.iter().zip(&slices) {
            let endpoints = ServiceEndpoints::of(service, &slice.endpoints);
            let held = allocator.assignment(&service.key).ok_or(None);
            plan.update(&ServiceInput::new(service, held, &endpoints));
        }
        assert_eq!(plan.peers[0].routes.len(), services.len());
        plan
    })
}

/// Moves the only local endpoint of a Service with policy Local away from the node, and back.
fn one_change(engine: &mut Engine) -> Box<dyn FnMut() + '_> {
    let service = engine.services().find(|service| service.key.name.ends_with('1'));
    let service = service.unwrap_or_else(|| panic!("expected a Service with policy Local"));
    let (here, gone) = (clusters::slice(&service, true), clusters::slice(&service, false));
    contestant(move || {
        for slice in [&gone, &here] {
            let effects = engine.apply(Change::Slice(slice.clone()));
            assert_eq!(effects.routes["kube0"].len(), usize::from(PEERS));
        }
    })
}
