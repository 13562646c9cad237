//! The Services that wait for an address.
//!
//! Owns their order, and the index of those that wait for a particular address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::ServiceKey;

use super::request::{Age, ServiceRequest};

/// The Services with a valid request that hold no address, or only one of two.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitQueue {
    /// All Services, oldest first.
    services: BTreeSet<(Age, ServiceKey)>,
    /// The Services that request particular addresses, by address.
    by_address: BTreeMap<IpAddr, BTreeSet<(Age, ServiceKey)>>,
}

impl WaitQueue {
    /// Adds a Service.
    pub(super) fn insert(&mut self, key: &ServiceKey, age: Age, request: &ServiceRequest) {
        let place = (age, key.clone());
        for address in request.addresses() {
            self.by_address.entry(*address).or_default().insert(place.clone());
        }
        self.services.insert(place);
    }

    /// Removes a Service, if it is there.
    pub(super) fn remove(&mut self, key: &ServiceKey, age: Age, request: &ServiceRequest) {
        let place = (age, key.clone());
        if !self.services.remove(&place) {
            return;
        }

        for address in request.addresses() {
            let Some(waiting) = self.by_address.get_mut(address) else { continue };
            waiting.remove(&place);
            if waiting.is_empty() {
                self.by_address.remove(address);
            }
        }
    }

    /// Returns all waiting Services.
    pub(super) fn all(&self) -> BTreeSet<(Age, ServiceKey)> {
        self.services.clone()
    }

    /// Returns a set of only this Service, or an empty set if it does not wait.
    pub(super) fn only(&self, key: &ServiceKey, age: Age) -> BTreeSet<(Age, ServiceKey)> {
        let place = (age, key.clone());
        if self.services.contains(&place) { BTreeSet::from([place]) } else { BTreeSet::new() }
    }

    /// Returns the Services that request this address.
    pub(super) fn for_address(&self, address: IpAddr) -> Vec<(Age, ServiceKey)> {
        self.by_address.get(&address).into_iter().flatten().cloned().collect()
    }
}
