//! The fate of addresses whose pools go away.
//!
//! A configuration is seldom changed in one step: pools come after peers, the only pool is deleted and made again,
//! resource types are reinstalled. None of that is a reason to renumber Services. Owns which addresses stay with the
//! Services that hold them although no pool has them. Reads no clock: the caller reports the end of the grace period.

use std::sync::Arc;

use crate::allocator::StrandedAddresses;
use crate::model::{Config, Pool};

use super::Engine;

/// The addresses that no pool has but that Services keep.
#[derive(Debug)]
pub(super) struct Strays {
    /// The pools that are gone, but whose addresses may still be held.
    retired: Vec<Pool>,
    /// True if addresses of no known pool are kept too.
    unknown: bool,
}

impl Default for Strays {
    /// Those of an engine that has not seen a pool yet, and so takes nothing back.
    fn default() -> Self {
        Self { retired: Vec::new(), unknown: true }
    }
}

impl Engine {
    /// Puts a configuration in force. While there is no pool, nothing is taken back.
    ///
    /// Where addresses are given out elsewhere, a Service has what its status says until that changes. So pools that went
    /// away stay known as long as Services hold their addresses and no other pool has them.
    pub(super) fn set_config(&mut self, config: Arc<Config>) {
        let had_pools = self.config.as_ref().is_none_or(|before| before.has_pools());
        let has_pools = config.has_pools();

        let retired = std::mem::take(&mut self.strays.retired).into_iter();
        // Before everything is listed, a Service that holds an address may still be to come.
        let still_held = retired.filter(|pool| !self.synced || self.allocator.is_held(&pool.name));
        let before = self.config.iter().flat_map(|before| before.pools.clone());
        let gone = before.chain(still_held);
        if self.options.follows || config.pools.is_empty() {
            let is_elsewhere = |pool: &Pool| {
                let mut pools = config.pools.iter();
                pools.any(|other| other.name == pool.name || overlap(other, pool))
            };
            self.strays.retired = gone.filter(|pool| !is_elsewhere(pool)).collect();
        }

        let unknown = if has_pools {
            // A pool that cannot be read may have any address.
            !config.invalid_pools.is_empty()
        } else {
            had_pools || self.strays.unknown
        };
        self.strays.unknown = unknown && !self.options.follows;

        self.config = Some(config);
        self.apply_strays();
    }

    /// Releases the addresses that no pool has, unless there is a pool again. Returns true if that may have changed
    /// anything.
    pub(super) fn end_grace_period(&mut self) -> bool {
        let has_pools = self.config.as_ref().is_none_or(|config| config.has_pools());
        if has_pools || self.options.follows {
            return false;
        }
        self.strays = Strays { retired: Vec::new(), unknown: false };
        self.apply_strays();
        true
    }

    fn apply_strays(&mut self) {
        let Strays { retired, unknown } = &self.strays;
        self.allocator.set_stranded(StrandedAddresses::new(retired, *unknown));
        self.planned = self.config.as_ref().map(|config| match retired.as_slice() {
            [] => Arc::clone(config),
            retired => {
                let mut planned = Config::clone(config);
                planned.pools.extend_from_slice(retired);
                Arc::new(planned)
            }
        });
    }
}

/// Returns true if two pools have an address in common.
fn overlap(one: &Pool, other: &Pool) -> bool {
    one.ranges.iter().any(|range| other.ranges.iter().any(|it| it.overlaps(range)))
}
