//! Which pools and peers advertisements are for, found without looking at each advertisement for each
//! of them: files may have tens of thousands of both.

use std::collections::BTreeSet;

use crate::model::{BgpAdvertisement, Pool, PoolSelection};
use crate::spelling::nearest;

/// The pools that some advertisements are for.
#[derive(Debug, Default)]
pub(super) struct Advertised<'a> {
    names: BTreeSet<&'a str>,
    all: bool,
    selecting: Vec<&'a PoolSelection>,
}

impl<'a> Advertised<'a> {
    /// Those of these selections.
    pub(super) fn by(selections: impl Iterator<Item = &'a PoolSelection>) -> Self {
        let mut advertised = Self::default();
        for selection in selections {
            advertised.all |= selection.is_all();
            advertised.names.extend(selection.names.iter().map(String::as_str));
            if !selection.selectors.is_empty() {
                advertised.selecting.push(selection);
            }
        }
        advertised
    }

    /// Whether the pool is among them.
    pub(super) fn has(&self, pool: &Pool) -> bool {
        self.all
            || self.names.contains(pool.name.as_str())
            || self.selecting.iter().any(|selection| selection.selects(pool))
    }
}

/// The peers that some advertisements are for.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    names: BTreeSet<&'a str>,
    all: bool,
}

impl<'a> Told<'a> {
    /// Those of these advertisements.
    pub(super) fn by(advertisements: impl Iterator<Item = &'a BgpAdvertisement>) -> Self {
        let mut told = Self::default();
        for advertisement in advertisements {
            told.all |= advertisement.peers.is_empty();
            told.names.extend(advertisement.peers.iter().map(String::as_str));
        }
        told
    }

    /// Whether the peer of this name is among them.
    pub(super) fn has(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

/// `, did you mean "..."?` if there is a name like it, among not too many.
pub(super) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, known.take(MOST)).map(|name| format!("did you mean {name:?}?"))
}

/// Comparing takes time for each.
const MOST: usize = 500;
