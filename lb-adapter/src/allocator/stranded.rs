//! The addresses that stay with their Services although no pool has them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::Pool;

/// The rule that decides which addresses stay with their Services although no pool has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct StrandedAddresses {
    /// The pools that are no longer configured, but whose addresses are not taken back yet.
    retired: Vec<(Arc<str>, Pool)>,
    /// True if all other addresses stay too: no pool could replace them, or their pool may be one that is invalid.
    keeps_unknown: bool,
}

impl StrandedAddresses {
    /// Keeps the addresses of the retired pools and, with `keeps_unknown`, all others.
    pub(crate) fn new(retired: &[Pool], keeps_unknown: bool) -> Self {
        let retired = retired.iter().map(|pool| (pool.name.as_str().into(), pool.clone()));
        Self { retired: retired.collect(), keeps_unknown }
    }

    /// Returns the name of the pool that had an address, or an empty name if the pool is unknown. None if the Service
    /// may not keep the address.
    pub(super) fn pool_of(&self, address: IpAddr) -> Option<Arc<str>> {
        if let Some((name, _)) = self.retired.iter().find(|(_, pool)| pool.contains(address)) {
            return Some(Arc::clone(name));
        }
        self.keeps_unknown.then(|| "".into())
    }
}
