//! The pools and peers that some advertisement selects. Files may have tens of thousands of both, so they are indexed by name
//! instead of being compared with each advertisement.

use std::collections::BTreeSet;

use crate::model::{BgpAdvertisement, Pool, PoolSelection};

/// The pools that some advertisement selects.
#[derive(Debug, Default)]
pub(super) struct AdvertisedPools<'a> {
    names: BTreeSet<&'a str>,
    all: bool,
    by_labels: Vec<&'a PoolSelection>,
}

impl<'a> AdvertisedPools<'a> {
    /// The pools of these selections.
    pub(super) fn new(selections: impl Iterator<Item = &'a PoolSelection>) -> Self {
        let mut advertised = Self::default();
        for selection in selections {
            advertised.all |= selection.is_all();
            advertised.names.extend(selection.names.iter().map(String::as_str));
            if !selection.selectors.is_empty() {
                advertised.by_labels.push(selection);
            }
        }
        advertised
    }

    /// Returns true if some advertisement selects the pool.
    pub(super) fn contains(&self, pool: &Pool) -> bool {
        self.all
            || self.names.contains(pool.name.as_str())
            || self.by_labels.iter().any(|selection| selection.selects(pool))
    }
}

/// The peers that some advertisement selects.
#[derive(Debug, Default)]
pub(super) struct AdvertisedPeers<'a> {
    names: BTreeSet<&'a str>,
    all: bool,
}

impl<'a> AdvertisedPeers<'a> {
    /// The peers of these advertisements.
    pub(super) fn new(advertisements: impl Iterator<Item = &'a BgpAdvertisement>) -> Self {
        let mut advertised = Self::default();
        for advertisement in advertisements {
            advertised.all |= advertisement.peers.is_empty();
            advertised.names.extend(advertisement.peers.iter().map(String::as_str));
        }
        advertised
    }

    /// Returns true if some advertisement selects the peer of this name.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}
