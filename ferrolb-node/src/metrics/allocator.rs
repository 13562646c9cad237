//! The pools.

use prometheus_client::registry::Registry;

use super::sample::{PoolSample, Usage};
use super::{Labels, gauges};

pub(super) fn register(registry: &mut Registry, pools: &[PoolSample]) {
    let of = |value: fn(&PoolSample) -> f64| {
        pools.iter().map(move |pool| (vec![("pool", pool.name.clone())], value(pool)))
    };
    gauges(
        registry,
        "metallb_allocator_addresses_total",
        "Number of usable IP addresses, per pool",
        of(|pool| count(pool.ipv4.total.saturating_add(pool.ipv6.total))),
    );
    gauges(
        registry,
        "metallb_allocator_addresses_in_use_total",
        "Number of IP addresses in use, per pool",
        of(|pool| small(pool.ipv4.in_use + pool.ipv6.in_use)),
    );
    gauges(
        registry,
        "metallb_allocator_ipv4_addresses_total",
        "Number of usable IPv4 addresses, per pool",
        of(|pool| count(pool.ipv4.total)),
    );
    gauges(
        registry,
        "metallb_allocator_ipv4_addresses_in_use_total",
        "Number of IPv4 addresses in use, per pool",
        of(|pool| small(pool.ipv4.in_use)),
    );
    gauges(
        registry,
        "metallb_allocator_ipv6_addresses_total",
        "Number of usable IPv6 addresses, per pool",
        of(|pool| count(pool.ipv6.total)),
    );
    gauges(
        registry,
        "metallb_allocator_ipv6_addresses_in_use_total",
        "Number of IPv6 addresses in use, per pool",
        of(|pool| small(pool.ipv6.in_use)),
    );
    gauges(
        registry,
        "metallb_allocator_services_allocated_total",
        "Number of services allocated, per pool",
        of(|pool| small(pool.services)),
    );
    gauges(
        registry,
        "ferrolb_pool_addresses",
        "Addresses of a pool, by family and by whether they are in use",
        pools.iter().flat_map(|pool| {
            [("ipv4", pool.ipv4), ("ipv6", pool.ipv6)]
                .into_iter()
                .filter(|(_, usage)| usage.total > 0)
                .flat_map(|(family, usage)| by_state(&pool.name, family, usage))
        }),
    );
}

fn by_state(pool: &str, family: &str, usage: Usage) -> [(Labels, f64); 2] {
    let labels = |state: &str| {
        vec![("pool", pool.to_owned()), ("family", family.to_owned()), ("state", state.to_owned())]
    };
    let free = usage.total.saturating_sub(u128::from(usage.in_use));
    [(labels("in_use"), small(usage.in_use)), (labels("free"), count(free))]
}

/// A number of addresses; those of an IPv6 pool need not be exact.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
fn count(addresses: u128) -> f64 {
    addresses as f64
}

fn small(number: u64) -> f64 {
    count(u128::from(number))
}
