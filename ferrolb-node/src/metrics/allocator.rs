//! The metrics of address pools, and of the Services that wait for an address.

use prometheus_client::registry::Registry;

use super::families::{Labels, gauges, number};
use super::sample::{PoolSample, PoolUsage};

pub(super) fn register(registry: &mut Registry, pools: &[PoolSample], pending: Option<u64>) {
    register_totals(registry, pools);
    register_by_family(registry, pools);

    gauges(
        registry,
        "metallb_allocator_services_allocated_total",
        "Number of services allocated, per pool",
        per_pool(pools, |pool| number(pool.services)),
    );
    let mut values = Vec::new();
    for pool in pools {
        for (family, usage) in [("ipv4", pool.ipv4), ("ipv6", pool.ipv6)] {
            if usage.total > 0 {
                values.extend(by_state(&pool.name, family, usage));
            }
        }
    }
    gauges(registry, "ferrolb_pool_addresses", "Addresses of a pool, by family and state", values);
    gauges(
        registry,
        "ferrolb_services_pending",
        "Services that ask for an address and have none",
        pending.map(|services| (Vec::new(), number(services))),
    );
}

fn register_totals(registry: &mut Registry, pools: &[PoolSample]) {
    gauges(
        registry,
        "metallb_allocator_addresses_total",
        "Number of usable IP addresses, per pool",
        per_pool(pools, |pool| addresses(pool.ipv4.total.saturating_add(pool.ipv6.total))),
    );
    gauges(
        registry,
        "metallb_allocator_addresses_in_use_total",
        "Number of IP addresses in use, per pool",
        per_pool(pools, |pool| number(pool.ipv4.in_use + pool.ipv6.in_use)),
    );
}

fn register_by_family(registry: &mut Registry, pools: &[PoolSample]) {
    gauges(
        registry,
        "metallb_allocator_ipv4_addresses_total",
        "Number of usable IPv4 addresses, per pool",
        per_pool(pools, |pool| addresses(pool.ipv4.total)),
    );
    gauges(
        registry,
        "metallb_allocator_ipv4_addresses_in_use_total",
        "Number of IPv4 addresses in use, per pool",
        per_pool(pools, |pool| number(pool.ipv4.in_use)),
    );

    gauges(
        registry,
        "metallb_allocator_ipv6_addresses_total",
        "Number of usable IPv6 addresses, per pool",
        per_pool(pools, |pool| addresses(pool.ipv6.total)),
    );
    gauges(
        registry,
        "metallb_allocator_ipv6_addresses_in_use_total",
        "Number of IPv6 addresses in use, per pool",
        per_pool(pools, |pool| number(pool.ipv6.in_use)),
    );
}

fn per_pool(
    pools: &[PoolSample],
    value: fn(&PoolSample) -> f64,
) -> impl Iterator<Item = (Labels, f64)> {
    pools.iter().map(move |pool| (vec![("pool", pool.name.clone())], value(pool)))
}

fn by_state(pool: &str, family: &str, usage: PoolUsage) -> [(Labels, f64); 2] {
    let free = usage.total.saturating_sub(u128::from(usage.in_use));
    [("in_use", number(usage.in_use)), ("free", addresses(free))].map(|(state, value)| {
        let labels = vec![
            ("pool", pool.to_owned()),
            ("family", family.to_owned()),
            ("state", state.to_owned()),
        ];
        (labels, value)
    })
}

/// Converts a number of addresses; those of an IPv6 pool need not be exact.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
fn addresses(count: u128) -> f64 {
    count as f64
}
