//! The addresses whose pools were removed from the configuration.
//!
//! A configuration seldom changes in one step: pools come after peers, the only pool is deleted and recreated,
//! resource types are reinstalled. None of that is a reason to renumber Services. Owns the rule that decides which addresses
//! stay with their Services although no pool has them. Must not read a clock: the caller reports the end of the grace
//! period.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator::StrandedAddresses;
use crate::model::{Config, Pool};
use crate::planner::ConfigIndex;

use super::Engine;

/// The pools that were removed, but whose addresses Services keep.
#[derive(Debug)]
pub(super) struct RetiredPools {
    /// The removed pools whose addresses may still be held.
    pools: Vec<Pool>,
    /// True if Services also keep addresses that were in no known pool.
    keep_unknown: bool,
}

impl Default for RetiredPools {
    /// The state of an engine that has not seen a pool yet, and so takes nothing back.
    fn default() -> Self {
        Self { pools: Vec::new(), keep_unknown: true }
    }
}

impl Engine {
    /// Puts a configuration in force. While there is no pool, Services keep their addresses.
    ///
    /// If another process assigns the addresses, a Service holds what its status says until that changes. So removed
    /// pools stay known as long as Services hold their addresses and no other pool has them.
    pub(super) fn set_config(&mut self, config: Arc<Config>) {
        let had_pools = self.config.as_ref().is_none_or(|before| before.has_pools());
        let has_pools = config.has_pools();

        let mut removed = match &self.config {
            Some(before) => before.pools.clone(),
            None => Vec::new(),
        };
        let mut retired = std::mem::take(&mut self.retired_pools.pools);
        // Before the initial lists are complete, a Service that holds an address may still be to come.
        if self.synced && !retired.is_empty() {
            let held = self.allocator.held_pools();
            retired.retain(|pool| held.contains(&*pool.name));
        }
        removed.append(&mut retired);
        if self.options.follow_status || config.pools.is_empty() {
            let now = PoolSearch::new(&config.pools);
            removed.retain(|pool| !now.has_name(&pool.name) && !now.overlaps(pool));
            self.retired_pools.pools = removed;
        }

        let keep_unknown = if has_pools {
            // A pool that cannot be read may have any address.
            !config.invalid_pools.is_empty()
        } else {
            had_pools || self.retired_pools.keep_unknown
        };
        self.retired_pools.keep_unknown = keep_unknown && !self.options.follow_status;

        self.config = Some(config);
        self.apply_retired_pools();
    }

    /// Releases the addresses that no pool has, unless there is a pool again. Returns true if that may have changed
    /// anything.
    pub(super) fn end_grace_period(&mut self) -> bool {
        let has_pools = self.config.as_ref().is_none_or(|config| config.has_pools());
        if has_pools || self.options.follow_status {
            return false;
        }

        self.retired_pools = RetiredPools { pools: Vec::new(), keep_unknown: false };
        self.apply_retired_pools();
        true
    }

    fn apply_retired_pools(&mut self) {
        let RetiredPools { pools, keep_unknown } = &self.retired_pools;
        self.allocator.set_stranded(StrandedAddresses::new(pools, *keep_unknown));

        let Some(config) = &self.config else {
            self.effective_config = None;
            self.config_index = Arc::default();
            return;
        };
        let mut effective = Arc::clone(config);
        if !pools.is_empty() {
            Arc::make_mut(&mut effective).pools.extend_from_slice(pools);
        }
        self.config_index = Arc::new(ConfigIndex::new(&effective));
        self.effective_config = Some(effective);
    }
}

/// The names and addresses of some pools, so that a pool is not compared with each of them.
pub(super) struct PoolSearch<'a> {
    names: BTreeSet<&'a str>,
    /// In ascending order the first address of each range, with the last address of this range and those before it. All
    /// addresses of IPv4 are less than those of IPv6.
    ranges: Vec<(IpAddr, IpAddr)>,
}

impl<'a> PoolSearch<'a> {
    pub(super) fn new(pools: &'a [Pool]) -> Self {
        let ranges = pools.iter().flat_map(|pool| &pool.ranges);
        let mut ranges: Vec<_> = ranges.map(|range| (range.first(), range.last())).collect();
        ranges.sort_unstable();

        let mut greatest = None;
        for (_, last) in &mut ranges {
            *last = greatest.map_or(*last, |before| (*last).max(before));
            greatest = Some(*last);
        }
        Self { names: pools.iter().map(|pool| pool.name.as_str()).collect(), ranges }
    }

    pub(super) fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Returns true if a pool has an address in common with one of these.
    pub(super) fn overlaps(&self, pool: &Pool) -> bool {
        pool.ranges.iter().any(|range| {
            let begun = self.ranges.partition_point(|(first, _)| *first <= range.last());
            let last = begun.checked_sub(1).and_then(|at| self.ranges.get(at));
            last.is_some_and(|(_, last)| *last >= range.first())
        })
    }
}
