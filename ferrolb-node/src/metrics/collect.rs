//! Takes samples of an engine and its sessions, for metrics and for the status of resources.
//!
//! Owns the counting. Names and labels belong to the modules that register metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lb_adapter::engine::Engine;
use lb_adapter::model::{AddressRange, Pool};
use lb_adapter::planner::PeerPlan;

use super::sample::{AnnouncedAddress, PoolSample, PoolUsage, ProbeSample, SessionSample};
use crate::sessions::{SessionKey, Sessions};

/// Returns the state of each session of a node.
pub fn session_samples(engine: &Engine, sessions: &Sessions, node: &str) -> Vec<SessionSample> {
    let Some(plan) = engine.plan(node) else { return Vec::new() };
    plan.peers.iter().filter_map(|peer| session_sample(peer, sessions, node)).collect()
}

fn session_sample(peer: &PeerPlan, sessions: &Sessions, node: &str) -> Option<SessionSample> {
    let key = SessionKey::new(node, &peer.peer.name);
    let status = sessions.status(&key)?;

    let prefixes = u64::try_from(peer.routes.len()).unwrap_or(u64::MAX);
    let pending = if status.is_established() {
        u64::try_from(status.unsendable()).unwrap_or(u64::MAX).min(prefixes)
    } else {
        prefixes
    };

    let hold_time = status.hold_time().unwrap_or(peer.peer.hold_time);
    let mut sample = SessionSample::new(&peer.peer.name, peer.peer.endpoint(), status);
    sample.hold_time = hold_time;
    sample.prefixes = prefixes;
    sample.pending = pending;
    sample.unsendable = sessions.unsendable(&key);
    Some(sample)
}

/// Returns the status of a node's probes.
pub fn probe_samples(engine: &Engine, node: &str) -> Vec<ProbeSample> {
    let statuses = engine.probe_statuses(node);
    statuses.map(|(service, status)| ProbeSample::new(service.clone(), status.clone())).collect()
}

/// Returns the addresses that a node announces.
pub fn announced_addresses(engine: &Engine, node: &str) -> Vec<AnnouncedAddress> {
    let Some(plan) = engine.plan(node) else { return Vec::new() };
    let mut announced = Vec::new();
    for service in plan.services() {
        let Some(assignment) = engine.holding(service) else { continue };
        for address in &assignment.addresses {
            announced.push(AnnouncedAddress::new(service.clone(), *address));
        }
    }
    announced
}

/// Returns the number of Services that ask for an address and have none.
pub fn pending_services(engine: &Engine) -> u64 {
    let pending = engine.service_keys().filter(|key| engine.is_pending(key)).count();
    u64::try_from(pending).unwrap_or(u64::MAX)
}

/// The assigned addresses of a pool, and their Services.
#[derive(Default)]
struct PoolAssignments {
    addresses: BTreeSet<IpAddr>,
    services: u64,
}

/// Returns the usage of each pool.
pub fn pool_samples(engine: &Engine) -> Vec<PoolSample> {
    let Some(config) = engine.config() else { return Vec::new() };
    let assignments: Vec<_> = engine.service_keys().filter_map(|key| engine.holding(key)).collect();

    let mut by_pool: BTreeMap<&str, PoolAssignments> = BTreeMap::new();
    for assignment in &assignments {
        let pool = by_pool.entry(&assignment.pool).or_default();
        pool.addresses.extend(&assignment.addresses);
        pool.services += 1;
    }

    let mut samples = Vec::new();
    for pool in &config.pools {
        let in_use = by_pool.remove(pool.name.as_str()).unwrap_or_default();
        samples.push(PoolSample {
            name: pool.name.clone(),
            ipv4: usage(pool, &in_use, IpAddr::is_ipv4),
            ipv6: usage(pool, &in_use, IpAddr::is_ipv6),
            services: in_use.services,
        });
    }
    samples
}

fn usage(pool: &Pool, assigned: &PoolAssignments, is_of_family: fn(&IpAddr) -> bool) -> PoolUsage {
    let in_use = assigned.addresses.iter().filter(|address| is_of_family(address)).count();

    let mut total = 0_u128;
    for range in &pool.ranges {
        if is_of_family(&range.first()) {
            total = total.saturating_add(usable_addresses(pool, range));
        }
    }
    PoolUsage::new(u64::try_from(in_use).unwrap_or(u64::MAX), total)
}

/// Returns the number of addresses of a range that can be assigned.
fn usable_addresses(pool: &Pool, range: &AddressRange) -> u128 {
    let (IpAddr::V4(first), IpAddr::V4(last)) = (range.first(), range.last()) else {
        return range.size();
    };
    if !pool.avoid_buggy_ips {
        return range.size();
    }

    let (first, last) = (u64::from(u32::from(first)), u64::from(u32::from(last)));
    range.size() - u128::from(buggy_below(last + 1) - buggy_below(first))
}

/// Returns the number of addresses below this one that end in .0 or .255.
fn buggy_below(end: u64) -> u64 {
    end / 256 * 2 + u64::from(!end.is_multiple_of(256))
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
            usable_addresses(&pool, &range)
        };
        assert_eq!(count("192.0.2.0/24", false), 256);
        assert_eq!(count("192.0.2.0/24", true), 254);
        assert_eq!(count("192.0.2.1-192.0.2.254", true), 254);
        assert_eq!(count("192.0.2.255-192.0.3.0", true), 0);
        assert_eq!(count("192.0.2.0/23", true), 508);
        assert_eq!(count("2001:db8::/64", true), 1 << 64);
    }
}
