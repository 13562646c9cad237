//! What is true of an engine and its sessions now, for metrics and for the status of resources.
//!
//! Owns the counting; names and labels are the business of [`crate::metrics`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::metrics::{Announced, PoolSample, ProbeSample, SessionSample, Usage};
use crate::sessions::{SessionKey, Sessions};
use lb_adapter::engine::Engine;
use lb_adapter::model::{AddressRange, Pool};
use lb_adapter::planner::PeerPlan;

/// How each session of a node stands.
pub fn sessions(engine: &Engine, sessions: &Sessions, node: &str) -> Vec<SessionSample> {
    let Some(plan) = engine.plan(node) else { return Vec::new() };
    let sample = |peer: &PeerPlan| {
        let key = SessionKey::new(node, &peer.peer.name);
        let status = sessions.status(&key)?;
        let mut sample = SessionSample::new(&peer.peer.name, peer.peer.endpoint(), status);
        sample.prefixes = u64::try_from(peer.routes.len()).unwrap_or(u64::MAX);
        sample.pending = if sample.status.is_established() {
            u64::try_from(sample.status.unsendable()).unwrap_or(u64::MAX).min(sample.prefixes)
        } else {
            sample.prefixes
        };
        sample.unsendable = sessions.unsendable(&key);
        Some(sample)
    };
    plan.peers.iter().filter_map(sample).collect()
}

/// What a node has found by probing Services.
pub fn probes(engine: &Engine, node: &str) -> Vec<ProbeSample> {
    engine
        .probe_statuses(node)
        .map(|(key, found)| ProbeSample::new(key.clone(), found.clone()))
        .collect()
}

/// The addresses that a node announces.
pub fn announced(engine: &Engine, node: &str) -> Vec<Announced> {
    let services = engine.plan(node).into_iter().flat_map(|plan| plan.services());
    let announced = services.flat_map(|key| {
        let addresses = engine.holding(key).map(|it| it.addresses.to_vec()).unwrap_or_default();
        addresses.into_iter().map(|address| Announced::new(key.clone(), address))
    });
    announced.collect()
}

/// How full each pool is.
pub fn pools(engine: &Engine) -> Vec<PoolSample> {
    let Some(config) = engine.config() else { return Vec::new() };
    let mut used: BTreeMap<&str, (BTreeSet<IpAddr>, u64)> = BTreeMap::new();
    let held: Vec<_> = engine.service_keys().filter_map(|key| engine.holding(key)).collect();
    for assignment in &held {
        let entry = used.entry(&assignment.pool).or_default();
        entry.0.extend(&assignment.addresses);
        entry.1 += 1;
    }
    let sample = |pool: &Pool| {
        let (addresses, services) = used.remove(pool.name.as_str()).unwrap_or_default();
        let of = |ipv4: bool| {
            let in_use = addresses.iter().filter(|address| address.is_ipv4() == ipv4).count();
            let ranges = pool.ranges.iter().filter(|range| range.first().is_ipv4() == ipv4);
            let total = ranges.fold(0_u128, |sum, range| sum.saturating_add(usable(pool, range)));
            Usage::new(u64::try_from(in_use).unwrap_or(u64::MAX), total)
        };
        PoolSample { name: pool.name.clone(), ipv4: of(true), ipv6: of(false), services }
    };
    config.pools.iter().map(sample).collect()
}

/// The addresses of a range that are given out.
fn usable(pool: &Pool, range: &AddressRange) -> u128 {
    let (IpAddr::V4(first), IpAddr::V4(last)) = (range.first(), range.last()) else {
        return range.size();
    };
    if !pool.avoid_buggy_ips {
        return range.size();
    }
    // Of those up to an address, the ones that end in .0 or .255.
    let buggy = |end: u64| end / 256 * 2 + u64::from(!end.is_multiple_of(256));
    let (first, last) = (u64::from(u32::from(first)), u64::from(u32::from(last)));
    range.size() - u128::from(buggy(last + 1) - buggy(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buggy_addresses_are_not_usable() {
        let count = |range: &str, avoid: bool| {
            let range: AddressRange = range.parse().unwrap();
            let mut pool = Pool::new("a", vec![range]);
            pool.avoid_buggy_ips = avoid;
            usable(&pool, &range)
        };
        assert_eq!(count("192.0.2.0/24", false), 256);
        assert_eq!(count("192.0.2.0/24", true), 254);
        assert_eq!(count("192.0.2.1-192.0.2.254", true), 254);
        assert_eq!(count("192.0.2.255-192.0.3.0", true), 0);
        assert_eq!(count("192.0.2.0/23", true), 508);
        assert_eq!(count("2001:db8::/64", true), 1 << 64);
    }
}
