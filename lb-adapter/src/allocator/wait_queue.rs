//! The Services that wait for an address.
//!
//! Owns their order, and which of them want one address and no other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::ServiceKey;

use super::request::{Age, ServiceRequest};

/// Those that hold nothing, or one of two addresses, and whose request makes sense.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitQueue {
    /// Oldest first.
    all: BTreeSet<(Age, ServiceKey)>,
    /// By the addresses asked for.
    by_address: BTreeMap<IpAddr, BTreeSet<(Age, ServiceKey)>>,
}

impl WaitQueue {
    pub(super) fn insert(&mut self, key: &ServiceKey, age: Age, request: &ServiceRequest) {
        let place = (age, key.clone());
        for address in addresses(request) {
            self.by_address.entry(*address).or_default().insert(place.clone());
        }
        self.all.insert(place);
    }

    pub(super) fn remove(&mut self, key: &ServiceKey, age: Age, request: &ServiceRequest) {
        let place = (age, key.clone());
        if !self.all.remove(&place) {
            return;
        }
        for address in addresses(request) {
            if let Some(those) = self.by_address.get_mut(address) {
                those.remove(&place);
                if those.is_empty() {
                    self.by_address.remove(address);
                }
            }
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeSet<(Age, ServiceKey)> {
        self.all.clone()
    }

    /// This one, if it waits.
    pub(super) fn only(&self, key: &ServiceKey, age: Option<Age>) -> BTreeSet<(Age, ServiceKey)> {
        let place = age.map(|age| (age, key.clone()));
        place.filter(|place| self.all.contains(place)).into_iter().collect()
    }

    /// Those that ask for this address.
    pub(super) fn for_address(&self, address: IpAddr) -> Vec<(Age, ServiceKey)> {
        self.by_address.get(&address).into_iter().flatten().cloned().collect()
    }
}

fn addresses(request: &ServiceRequest) -> &[IpAddr] {
    request.wanted.as_ref().map_or(&[][..], |wanted| &wanted.addresses)
}
