//! The held address that a refused Service could most nearly share.
//!
//! Owns the explanation for a Service that finds all addresses taken. Changes nothing.

use std::net::IpAddr;

use crate::model::IpFamily;
use crate::spelling;

use super::ledger::Ledger;
use super::refusal::{AddressFamilies, Refusal};
use super::sharing::{SharingConflict, SharingTerms};
use super::sharing_group::SharingGroup;

impl Ledger {
    /// Adds to a refusal the address that the Service could most nearly share. That address changes with other
    /// Services, so it is never stored with the refusal.
    pub(super) fn explain(&self, refusal: &Refusal, terms: &SharingTerms) -> Refusal {
        let mut explained = refusal.clone();
        if let Refusal::Exhausted { pools, families, nearest } = &mut explained {
            *nearest = self.nearest(pools, *families, terms);
        }
        explained
    }

    /// Returns the held address of these pools that a Service could most nearly share, and the conflict that prevents
    /// it. An address with the Service's own sharing key comes before one with a similar key. Only the first few are
    /// examined, so that a refusal stays cheap.
    fn nearest(
        &self,
        pools: &[String],
        families: AddressFamilies,
        terms: &SharingTerms,
    ) -> Option<Box<(IpAddr, SharingConflict)>> {
        let own = terms.sharing.as_ref()?;
        if let Some(group) = self.shared.get(own)
            && let Some(found) = self.nearest_of_group(group, pools, families, terms)
        {
            return Some(found);
        }

        // The same annotation, but with other pods.
        let others: Vec<_> =
            self.shared.iter().take(MAX_KEYS).filter(|(key, _)| *key != own).collect();
        for (key, group) in &others {
            if key.name() == own.name()
                && let Some(found) = self.nearest_of_group(group, pools, families, terms)
            {
                return Some(found);
            }
        }

        let names = others.iter().map(|(key, _)| key.name());
        let similar = spelling::nearest(own.name(), names)?;
        let mut of_similar = others.iter().filter(|(key, _)| key.name() == similar);
        of_similar.find_map(|(_, group)| self.nearest_of_group(group, pools, families, terms))
    }

    fn nearest_of_group(
        &self,
        group: &SharingGroup,
        pools: &[String],
        families: AddressFamilies,
        terms: &SharingTerms,
    ) -> Option<Box<(IpAddr, SharingConflict)>> {
        for address in group.addresses().take(MAX_ADDRESSES) {
            if let AddressFamilies::One(family) = families
                && family != IpFamily::of(address)
            {
                continue;
            }
            let Some(index) = self.pool_of(address) else { continue };
            if !pools.contains(&self.pools[index].name) {
                continue;
            }

            let holders = self.holders.get(&address);
            if let Some(Err(conflict)) = holders.map(|holders| holders.accept(terms)) {
                return Some(Box::new((address, conflict)));
            }
        }
        None
    }
}

/// The most addresses of one sharing key that are examined.
const MAX_ADDRESSES: usize = 16;
/// The most sharing keys that are examined.
const MAX_KEYS: usize = 100;
