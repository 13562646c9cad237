//! The addresses that a Service keeps.
//!
//! Owns the rules by which an address in a Service's status stays with the Service: the pools, the request and the
//! other holders decide, and some addresses stay although no pool has them. Assigns no new address.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{IpFamily, ServiceKey};

use super::Allocator;
use super::entry::ServiceEntry;
use super::outcome::{Assignment, Changes};
use super::refusal::{ClearReason, Refusal};
use super::request::{AddressRequest, ServiceRequest};
use super::stranded::StrandedAddresses;

impl Allocator {
    /// Sets the addresses that stay although no pool has them. Takes effect with the next [`Allocator::reconcile`].
    pub(crate) fn set_stranded(&mut self, stranded: StrandedAddresses) {
        self.stranded = stranded;
    }

    /// Returns true if a Service holds addresses that are in none of the pools.
    pub(crate) fn is_stranded(&self, key: &ServiceKey) -> bool {
        self.assignment(key).is_some_and(|held| !self.ledger.has_pool(&held.pool))
    }

    /// Returns the names of the pools whose addresses Services hold.
    pub(crate) fn held_pools(&self) -> BTreeSet<&str> {
        let held = self.entries.values().filter_map(|entry| entry.assignment.as_ref());
        held.map(|assignment| &*assignment.pool).collect()
    }

    /// Lets a Service keep the addresses that it holds, as far as the rules allow. Returns true if it lost an address and
    /// needs another one.
    pub(super) fn adopt(
        &mut self,
        key: &ServiceKey,
        held: &[IpAddr],
        changes: &mut Changes,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        if self.observes {
            // An observer refuses only statuses, and the status is checked again below.
            entry.refusal = None;
        }
        if entry.assignment.is_some() || held.is_empty() {
            return false;
        }

        let request = Arc::clone(&entry.request);
        let (kept, pool) = match self.keepable(&request, held) {
            Ok(keepable) => keepable,
            Err(cause) => {
                changes.cleared(key, held, &cause);
                self.note_refused_status(key, cause);
                return true;
            }
        };

        let mut lost_any = false;
        for address in held.iter().filter(|address| !kept.contains(address)) {
            let cause = match self.check_holdable(*address, &request) {
                Err(refusal) => ClearReason::NotAllowed(refusal),
                Ok(_) => ClearReason::OneFamily(IpFamily::of(*address).other()),
            };
            changes.cleared(key, &[*address], &cause);
            lost_any = true;
        }

        if kept != held {
            changes.services.insert(key.clone());
        }
        let lacks_one = request.wanted.as_ref().is_ok_and(|wanted| wanted.missing(&kept).is_some());
        self.hold(key, kept, pool);
        lost_any && lacks_one
    }

    /// Records why an observed status was refused.
    fn note_refused_status(&mut self, key: &ServiceKey, cause: ClearReason) {
        if self.observes
            && let ClearReason::NotAllowed(refusal) = cause
            && let Some(entry) = self.entries.get_mut(key)
        {
            entry.refusal = Some(Box::new(refusal));
        }
    }

    /// Restores the former addresses of a Service whose status was refused, if the rules allow: a status that another
    /// program wrote is no reason to renumber the Service.
    pub(super) fn restore(
        &mut self,
        key: &ServiceKey,
        before: &ServiceEntry,
        changes: &mut Changes,
    ) {
        let held_before = before.addresses();
        let Some(entry) = self.entries.get(key) else { return };
        if self.observes || entry.assignment.is_some() || held_before.is_empty() {
            return;
        }

        let request = Arc::clone(&entry.request);
        let Ok((kept, pool)) = self.keepable(&request, held_before) else { return };
        if kept == held_before {
            changes.assigned(key, &kept, &pool);
            self.hold(key, kept, pool);
        }
    }

    fn hold(&mut self, key: &ServiceKey, addresses: Vec<IpAddr>, pool: Arc<str>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        for address in &addresses {
            self.ledger.hold(key, *address, &entry.request.terms);
        }
        entry.assignment = Some(Assignment { addresses: addresses.into(), pool });
    }

    /// Checks that a Service may hold an address, and returns the name of its pool.
    pub(super) fn check_holdable(
        &self,
        address: IpAddr,
        request: &ServiceRequest,
    ) -> Result<Arc<str>, Refusal> {
        let ServiceRequest { terms, pinned, .. } = request;
        let checked = if self.observes {
            self.ledger.check_held(address, terms)
        } else {
            self.ledger.check(address, pinned, terms)
        };
        let refusal = match checked {
            Ok(pool) => return Ok(Arc::clone(pool)),
            Err(Refusal::InNoPool(_)) if self.ledger.is_empty() => Refusal::NoPools,
            Err(refusal @ Refusal::InNoPool(_)) => refusal,
            Err(refusal) => return Err(refusal),
        };

        let pool = self.stranded.pool_of(address).ok_or(refusal)?;
        // The controller assigns a stranded address to no other Service, but a speaker may find it in two statuses.
        if self.observes {
            self.ledger.check_holders(address, terms)?;
        }
        Ok(pool)
    }

    /// Returns the held addresses that a Service may keep, which may be only one of two, and their pool.
    fn keepable(
        &self,
        request: &ServiceRequest,
        held: &[IpAddr],
    ) -> Result<(Vec<IpAddr>, Arc<str>), ClearReason> {
        let mut pool: Option<Arc<str>> = None;
        let mut allowed = Vec::new();
        let mut first_refusal = None;
        for &address in held {
            match self.check_holdable(address, request) {
                Ok(found) if *pool.get_or_insert_with(|| Arc::clone(&found)) != found => {
                    return Err(ClearReason::TooMany);
                }
                Ok(_) => allowed.push(address),
                Err(refusal) => first_refusal = first_refusal.or(Some(refusal)),
            }
        }
        let Some(pool) = pool else {
            return Err(first_refusal.map_or(ClearReason::TooMany, ClearReason::NotAllowed));
        };

        let wanted = match &request.wanted {
            Ok(wanted) if !self.observes => wanted,
            // An observer leaves requests to the controller: until it acts, the status stands. An invalid request is
            // reported and changes nothing.
            _ => return Ok((allowed, pool)),
        };
        if self.ledger.has_pool(&pool) {
            return Ok((wanted.keeps(&allowed, &pool)?, pool));
        }
        self.check_stranded(wanted, &allowed)?;
        Ok((allowed, pool))
    }

    /// Checks that a request lets a Service keep addresses that no pool has. The Service gives them up only for
    /// addresses that a pool can give.
    fn check_stranded(&self, wanted: &AddressRequest, held: &[IpAddr]) -> Result<(), ClearReason> {
        if self.ledger.is_empty() {
            return Ok(());
        }
        if let Some(pool) = &wanted.pool
            && self.ledger.has_pool(pool)
        {
            return Err(ClearReason::OtherPoolRequested(pool.to_string()));
        }
        if wanted.addresses.iter().any(|address| !held.contains(address)) {
            return Err(ClearReason::OtherAddressRequested(wanted.addresses.to_vec()));
        }
        Ok(())
    }

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

    /// Reconsiders the displaced Services that may now hold these addresses, oldest first.
    pub(super) fn readopt(&mut self, freed: &[IpAddr], changes: &mut Changes) {
        let mut by_age = BTreeSet::new();
        for key in self.displaced.with_any_of(freed) {
            if let Some(entry) = self.entries.get(&key) {
                by_age.insert((entry.age(), key));
            }
        }

        for (_, key) in by_age {
            let Some(held) = self.displaced.held(&key) else { continue };
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

    /// Returns the addresses that a Service held before and no longer holds, or now shares on other terms.
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
