//! How full pools are: for metrics, and for the status of IPAddressPools.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::resource::Kind;
use crate::engine::Engine;
use crate::metrics::{PoolSample, Usage};
use crate::model::{AddressRange, Pool};

/// How full each pool is.
pub(super) fn samples(engine: &Engine) -> Vec<PoolSample> {
    let Some(config) = engine.config() else { return Vec::new() };
    let mut used: BTreeMap<&str, (BTreeSet<IpAddr>, u64)> = BTreeMap::new();
    let held: Vec<_> =
        engine.services().filter_map(|service| engine.holding(&service.key)).collect();
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

/// Writes the status of IPAddressPools: what has changed, once a second at most.
#[derive(Debug)]
pub(super) struct PoolStatus {
    api: Api<DynamicObject>,
    manager: &'static str,
    written: BTreeMap<String, Value>,
    due: Option<Instant>,
}

const PACE: Duration = Duration::from_secs(1);

impl PoolStatus {
    pub(super) fn new(client: Client, namespace: &str, manager: &'static str) -> Self {
        let api = Api::namespaced_with(client, namespace, &Kind::IpAddressPool.api_resource());
        Self { api, manager, written: BTreeMap::new(), due: None }
    }

    /// Something may have changed.
    pub(super) fn mark(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + PACE);
    }

    /// Waits until it is time to write; for ever if there is nothing to.
    pub(super) async fn due(&self) {
        match self.due {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// What is to be written of these pools now: name and patch.
    pub(super) fn patches(&mut self, samples: &[PoolSample]) -> Vec<(String, Value)> {
        self.due = None;
        let mut patches = Vec::new();
        for sample in samples {
            let free = |usage: Usage| usage.total.saturating_sub(u128::from(usage.in_use));
            let status = json!({
                "assignedIPv4": sample.ipv4.in_use,
                "assignedIPv6": sample.ipv6.in_use,
                "availableIPv4": i64::try_from(free(sample.ipv4)).unwrap_or(i64::MAX),
                "availableIPv6": i64::try_from(free(sample.ipv6)).unwrap_or(i64::MAX),
            });
            if self.written.get(&sample.name) != Some(&status) {
                self.written.insert(sample.name.clone(), status.clone());
                patches.push((sample.name.clone(), json!({"status": status})));
            }
        }
        self.written.retain(|name, _| samples.iter().any(|sample| sample.name == *name));
        patches
    }

    /// The write of one, to be awaited elsewhere.
    pub(super) fn write(&self, name: String, patch: Value) -> impl Future<Output = ()> + use<> {
        let (api, manager) = (self.api.clone(), self.manager);
        async move {
            let params =
                PatchParams { field_manager: Some(manager.to_owned()), ..PatchParams::default() };
            match api.patch_status(&name, &params, &Patch::Merge(patch)).await {
                Ok(_) => {}
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => {
                    tracing::warn!(pool = name, %error, "the status of the pool could not be written");
                }
            }
        }
    }
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
