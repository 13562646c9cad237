//! The Services whose status lists an address that another Service still holds.
//!
//! This happens only to an observing allocator. The controller moves an address from one Service to another in one
//! step, but their statuses are written one after the other, in any order. Owns the record of the Services to
//! reconsider when an address becomes free.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::ServiceKey;

/// The Services that could not keep all addresses of their status, because another Service holds one of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Displaced {
    /// The addresses of each Service's status.
    services: BTreeMap<ServiceKey, Box<[IpAddr]>>,
    by_address: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
}

impl Displaced {
    /// Adds a Service with the addresses of its status.
    pub(super) fn insert(&mut self, key: &ServiceKey, held: &[IpAddr]) {
        self.remove(key);
        for address in held {
            self.by_address.entry(*address).or_default().insert(key.clone());
        }
        self.services.insert(key.clone(), held.into());
    }

    /// Removes a Service, if it is there.
    pub(super) fn remove(&mut self, key: &ServiceKey) {
        for address in self.services.remove(key).iter().flatten() {
            let Some(displaced) = self.by_address.get_mut(address) else { continue };
            displaced.remove(key);
            if displaced.is_empty() {
                self.by_address.remove(address);
            }
        }
    }

    /// The addresses of a displaced Service's status.
    pub(super) fn held(&self, key: &ServiceKey) -> Option<Box<[IpAddr]>> {
        self.services.get(key).cloned()
    }

    /// Returns the Services whose status lists one of these addresses.
    pub(super) fn with_any_of(&self, addresses: &[IpAddr]) -> BTreeSet<ServiceKey> {
        let lists = addresses.iter().filter_map(|address| self.by_address.get(address));
        lists.flatten().cloned().collect()
    }
}
