//! What planning looks up in a configuration for each Service.
//!
//! Owns the indexes, so that neither pools nor advertisements are searched one by one. Must not decide anything.

use std::collections::BTreeMap;

use crate::model::{AdvertisementIndex, BgpAdvertisement, Config, Pool};

/// The pools and advertisements of one configuration, to be found by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigIndex {
    pools: BTreeMap<String, usize>,
    advertisements: AdvertisementIndex,
}

impl ConfigIndex {
    /// Makes the index of a configuration.
    pub(crate) fn new(config: &Config) -> Self {
        let mut pools = BTreeMap::new();
        for (position, pool) in config.pools.iter().enumerate() {
            pools.entry(pool.name.clone()).or_insert(position);
        }
        Self { pools, advertisements: AdvertisementIndex::new(&config.bgp_advertisements) }
    }

    /// The pool with this name. `config` is that of the index.
    pub(crate) fn pool<'a>(&self, config: &'a Config, name: &str) -> Option<&'a Pool> {
        config.pools.get(*self.pools.get(name)?)
    }

    /// Returns the advertisements that select a pool, each with its position, in order. `config` is that of the index.
    pub(crate) fn advertisements_of<'a>(
        &self,
        config: &'a Config,
        pool: &Pool,
    ) -> Vec<(usize, &'a BgpAdvertisement)> {
        let all = config.bgp_advertisements.as_slice();
        let selecting = self.advertisements.selecting(pool, all).into_iter();
        selecting.filter_map(|position| Some((position, all.get(position)?))).collect()
    }
}
