//! `/v1/pools` and `/v1/pools/NAME`: the address pools, and who holds their addresses.
//!
//! Owns the pages of holders. The counts are those of the metrics.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ferrolb_api::{AddressHolders, ApiError, Pool, PoolList, PoolUsage};
use lb_adapter::allocator::sharing_key;
use lb_adapter::engine::Engine;
use lb_adapter::model::ServiceKey;

use super::peers::among;
use super::process::leading_engine;
use super::{Process, Refused};
use crate::metrics::{self, PoolSample};

/// The part of a pool's holders to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of the path")]
pub struct HolderPage {
    /// The name of the pool.
    pub pool: String,
    /// The first address of the page.
    pub from: Option<IpAddr>,
    /// The most addresses.
    pub limit: usize,
}

/// Returns the answer to `/v1/pools`.
pub(super) fn list(process: &impl Process) -> Result<PoolList, Refused> {
    let engine = leading_engine(process)?;
    let samples = metrics::pool_samples(engine);
    let pools = samples.iter().filter_map(|sample| pool(engine, sample)).collect();
    let pending = engine.service_keys().filter(|key| engine.is_pending(key)).count();
    Ok(PoolList { pools, pending })
}

fn pool(engine: &Engine, sample: &PoolSample) -> Option<Pool> {
    let configured = engine.config()?.pool(&sample.name)?;
    Some(Pool {
        name: sample.name.clone(),
        addresses: configured.ranges.iter().map(ToString::to_string).collect(),
        auto_assign: configured.auto_assign,
        ipv4: usage(sample.ipv4),
        ipv6: usage(sample.ipv6),
        services: usize::try_from(sample.services).unwrap_or(usize::MAX),
        holders: Vec::new(),
        next: None,
    })
}

fn usage(usage: metrics::PoolUsage) -> PoolUsage {
    PoolUsage {
        total: usage.total.to_string(),
        in_use: usage.in_use,
        free: usage.total.saturating_sub(usage.in_use.into()).to_string(),
    }
}

/// Returns the answer to `/v1/pools/NAME`.
pub(super) fn one(process: &impl Process, page: &HolderPage) -> Result<Pool, Refused> {
    let engine = leading_engine(process)?;
    let samples = metrics::pool_samples(engine);
    let sample = samples.iter().find(|sample| sample.name == page.pool);
    let Some(mut pool) = sample.and_then(|sample| pool(engine, sample)) else {
        let known = among(samples.iter().map(|sample| sample.name.as_str()));
        return Err(Refused::NotFound(ApiError::new(format!(
            "there is no pool {:?}{known}",
            page.pool
        ))));
    };

    let holders = holders(engine, &page.pool);
    let first = page.from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let mut rest = holders.range(first..);
    for (address, services) in rest.by_ref().take(page.limit) {
        pool.holders.push(AddressHolders {
            address: *address,
            services: services.iter().take(MOST_SHARING).map(ToString::to_string).collect(),
            sharing_key: services.first().and_then(|key| shared_key(engine, key)),
        });
    }
    pool.next = rest.next().map(|(address, _)| *address);
    Ok(pool)
}

/// Returns the Services that hold each address of a pool.
fn holders<'a>(engine: &'a Engine, pool: &str) -> BTreeMap<IpAddr, Vec<&'a ServiceKey>> {
    let mut holders: BTreeMap<IpAddr, Vec<&ServiceKey>> = BTreeMap::new();
    for key in engine.service_keys() {
        let Some(holding) = engine.holding(key).filter(|holding| *holding.pool == *pool) else {
            continue;
        };
        for address in &holding.addresses {
            holders.entry(*address).or_default().push(key);
        }
    }
    holders
}

fn shared_key(engine: &Engine, key: &ServiceKey) -> Option<String> {
    sharing_key(&engine.service_of(key)?).map(str::to_owned)
}

/// The most Services that are listed for one address.
const MOST_SHARING: usize = 100;
