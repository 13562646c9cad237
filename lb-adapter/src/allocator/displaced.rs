//! The Services whose status lists an address that another Service still holds.
//!
//! This happens only to an observing allocator. The controller moves an address from one Service to another in one
//! step, but their statuses are written one after the other, in any order. Owns the record of the Services to
//! reconsider when an address becomes free.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::ServiceKey;

use super::outcome::Changes;
use super::refusal::Refusal;
use super::{Allocator, ServiceEntry};

/// The Services that could not keep all addresses of their status, because another Service holds one of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Displaced {
    /// The addresses of each Service's status.
    services: BTreeMap<ServiceKey, Box<[IpAddr]>>,
    by_address: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
}

impl Displaced {
    fn insert(&mut self, key: &ServiceKey, held: &[IpAddr]) {
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

    /// Returns the Services whose status lists one of these addresses.
    fn with_any_of(&self, addresses: &[IpAddr]) -> BTreeSet<ServiceKey> {
        let lists = addresses.iter().filter_map(|address| self.by_address.get(address));
        lists.flatten().cloned().collect()
    }
}

impl Allocator {
    /// Records whether a Service with these addresses in its status lost one of them to another Service.
    pub(super) fn note_displaced(&mut self, key: &ServiceKey, held: &[IpAddr]) {
        if !self.observes {
            return;
        }
        let Some(entry) = self.entries.get(key) else { return };

        let kept = entry.addresses();
        let lost_to_another = held.iter().any(|address| {
            !kept.contains(address)
                && matches!(
                    self.check_holdable(*address, &entry.request),
                    Err(Refusal::InUse { .. })
                )
        });

        if lost_to_another {
            self.displaced.insert(key, held);
        } else {
            self.displaced.remove(key);
        }
    }

    /// Reconsiders the displaced Services that these addresses may now go to, the oldest first.
    pub(super) fn readopt(&mut self, freed: &[IpAddr], changes: &mut Changes) {
        let mut by_age = BTreeSet::new();
        for key in self.displaced.with_any_of(freed) {
            if let Some(entry) = self.entries.get(&key) {
                by_age.insert((entry.age(), key));
            }
        }

        for (_, key) in by_age {
            let Some(held) = self.displaced.services.get(&key).cloned() else { continue };
            let assignment = self.entries.get_mut(&key).and_then(|entry| entry.assignment.take());
            for address in assignment.iter().flat_map(|assignment| &assignment.addresses) {
                self.ledger.release(&key, *address);
            }

            self.adopt(&key, &held, changes);
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.settle(&key, &self.ledger, changes);
            }
            self.note_displaced(&key, &held);
            changes.services.insert(key);
        }
    }

    /// Returns the addresses that a Service held before and holds no longer, or now shares on other terms.
    pub(super) fn freed(&self, key: &ServiceKey, before: &ServiceEntry) -> Vec<IpAddr> {
        let held_before = before.addresses();
        match self.entries.get(key) {
            Some(entry) if entry.request.terms == before.request.terms => {
                let held = entry.addresses();
                held_before.iter().filter(|address| !held.contains(address)).copied().collect()
            }
            _ => held_before.to_vec(),
        }
    }
}
