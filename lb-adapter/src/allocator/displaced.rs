//! What becomes of Services whose status says an address that another one still has.
//!
//! Only while addresses are given out elsewhere: whoever does so takes an address from one Service and gives it to
//! another in one step, but their statuses come one after the other, in any order. Owns who is to be looked at again
//! when an address becomes free.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::ServiceKey;

use super::outcome::Changes;
use super::refusal::Refusal;
use super::{Allocator, ServiceEntry};

/// The Services that could not have all that their status says, since another one has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Displaced {
    /// With the addresses of the status.
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

    pub(super) fn remove(&mut self, key: &ServiceKey) {
        for address in self.services.remove(key).iter().flatten() {
            if let Some(those) = self.by_address.get_mut(address) {
                those.remove(key);
                if those.is_empty() {
                    self.by_address.remove(address);
                }
            }
        }
    }

    fn of(&self, addresses: &[IpAddr]) -> BTreeSet<ServiceKey> {
        let of = |address| self.by_address.get(address).into_iter().flatten().cloned();
        addresses.iter().flat_map(of).collect()
    }
}

impl Allocator {
    /// Notes whether a Service that holds this by its status was not left all of it because of another.
    pub(super) fn note_displaced(&mut self, key: &ServiceKey, held: &[IpAddr]) {
        let Some(entry) = self.entries.get(key).filter(|_| self.observes) else { return };
        let kept = entry.addresses();
        let in_use = held.iter().filter(|address| !kept.contains(address)).any(|address| {
            let judged = self.may_hold(*address, &entry.request);
            matches!(judged, Err(Refusal::InUse { .. }))
        });
        match in_use {
            true => self.displaced.insert(key, held),
            false => self.displaced.remove(key),
        }
    }

    /// Looks again at those that could not have these addresses, the oldest first.
    pub(super) fn adopt_again(&mut self, freed: &[IpAddr], changes: &mut Changes) {
        let those = self.displaced.of(freed).into_iter();
        let aged = those.filter_map(|key| Some((self.entries.get(&key)?.age(), key)));
        for (_, key) in aged.collect::<BTreeSet<_>>() {
            let Some(held) = self.displaced.services.get(&key).cloned() else { continue };
            let kept = self.entries.get_mut(&key).and_then(|entry| entry.assignment.take());
            for address in kept.iter().flat_map(|kept| kept.addresses.iter()) {
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

    /// What a Service had before and does not have now, or shares with others now.
    pub(super) fn freed(&self, key: &ServiceKey, before: &ServiceEntry) -> Vec<IpAddr> {
        let now = self.entries.get(key);
        let others = now.is_none_or(|now| now.request.terms != before.request.terms);
        let has = now.map_or(&[][..], |now| now.addresses());
        let freed = before.addresses().iter().filter(|address| others || !has.contains(address));
        freed.copied().collect()
    }
}
