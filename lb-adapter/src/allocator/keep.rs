//! The addresses that a Service keeps.
//!
//! Owns the rules by which an address in a Service's status stays with the Service: the pools, the request and the
//! other holders decide, and some addresses stay although no pool has them. Gives no address out.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{IpFamily, Pool, ServiceKey};

use super::Allocator;
use super::entry::ServiceEntry;
use super::outcome::{Assignment, Changes};
use super::refusal::{ClearReason, Refusal};
use super::request::{AddressRequest, ServiceRequest};

/// The addresses that their Services keep although no pool has them.
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
    fn pool_of(&self, address: IpAddr) -> Option<Arc<str>> {
        if let Some((name, _)) = self.retired.iter().find(|(_, pool)| pool.contains(address)) {
            return Some(Arc::clone(name));
        }
        self.keeps_unknown.then(|| "".into())
    }
}

impl Allocator {
    /// Sets the addresses that stay although no pool has them. Takes effect with the next [`Allocator::reconcile`].
    pub(crate) fn set_stranded(&mut self, stranded: StrandedAddresses) {
        self.stranded = stranded;
    }

    /// Returns true if a Service holds addresses that are in none of the pools.
    pub(crate) fn is_stranded(&self, key: &ServiceKey) -> bool {
        self.assignment(key).is_some_and(|held| !self.ledger.has_pool(&held.pool))
    }

    /// Returns true if a Service holds an address of the pool with this name.
    pub(crate) fn is_held(&self, pool: &str) -> bool {
        let mut held = self.entries.values().filter_map(|entry| entry.assignment.as_ref());
        held.any(|assignment| *assignment.pool == *pool)
    }

    /// Lets a Service keep the addresses that it holds, as far as it may. Returns true if it lost an address and has to
    /// be given another one.
    pub(super) fn adopt(
        &mut self,
        key: &ServiceKey,
        held: &[IpAddr],
        changes: &mut Changes,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        if self.observes {
            // An observer refuses nothing but a status, and that is judged now.
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

    /// Gives a Service whose status was refused the addresses that it had before, if it may have them: a status that
    /// another program wrote is no reason to renumber the Service.
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
        // The controller gives a stranded address to no other Service, but a speaker may find it in two statuses.
        if self.observes {
            self.ledger.check_holders(address, terms)?;
        }
        Ok(pool)
    }

    /// Returns the held addresses that a Service may keep, and their pool. One of two may stay alone.
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
}
