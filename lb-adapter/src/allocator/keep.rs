//! The addresses that a Service keeps of those that it holds.
//!
//! Owns the rules by which an address in a Service's status stays with the Service: pools, request and other holders
//! decide, and some addresses stay although no pool has them. Gives no address out.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{IpFamily, Pool, ServiceKey};

use super::ledger::Ledger;
use super::outcome::{Assignment, Changes};
use super::refusal::{ClearReason, Refusal};
use super::request::{AddressRequest, ServiceRequest};
use super::sharing::SharingTerms;
use super::{Allocator, ServiceEntry};

/// The addresses that stay with the Services that hold them although no pool has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct StrandedAddresses {
    /// Pools that are no longer configured, but whose addresses are not taken back yet.
    retired: Vec<(Arc<str>, Pool)>,
    /// True if any other address stays too: no pool could give another one, or the pool of the address may be one that
    /// cannot be read.
    unknown: bool,
}

impl StrandedAddresses {
    /// Keeps the addresses of these pools, and with `unknown` all others.
    pub(crate) fn new(retired: &[Pool], unknown: bool) -> Self {
        let retired = retired.iter().map(|pool| (pool.name.as_str().into(), pool.clone()));
        Self { retired: retired.collect(), unknown }
    }

    /// Returns the name of the pool that an address was of, empty if that is not known. None if it does not stay.
    fn pool_of(&self, address: IpAddr) -> Option<Arc<str>> {
        let retired = self.retired.iter().find(|(_, pool)| pool.contains(address));
        let retired = retired.map(|(name, _)| Arc::clone(name));
        retired.or_else(|| self.unknown.then(|| "".into()))
    }
}

impl Allocator {
    /// Sets which addresses stay although no pool has them, from the next [`Allocator::reconcile`] on.
    pub(crate) fn set_stranded(&mut self, stranded: StrandedAddresses) {
        self.stranded = stranded;
    }

    /// Returns true if a Service holds addresses that are in none of the pools.
    pub(crate) fn is_stranded(&self, key: &ServiceKey) -> bool {
        self.assignment(key).is_some_and(|held| !self.ledger.has_pool(&held.pool))
    }

    /// Returns true if a Service holds an address of the pool of this name.
    pub(crate) fn is_held(&self, pool: &str) -> bool {
        let mut held = self.entries.values().filter_map(|entry| entry.assignment.as_ref());
        held.any(|assignment| *assignment.pool == *pool)
    }

    /// Lets a Service keep what it may of the addresses that it holds. Returns true if it lost something.
    pub(super) fn adopt(
        &mut self,
        key: &ServiceKey,
        held: &[IpAddr],
        changes: &mut Changes,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        if self.observes {
            // Where addresses are given out elsewhere, a refusal only says why the status cannot hold. That is found now.
            entry.refusal = None;
        }
        if entry.assignment.is_some() || held.is_empty() {
            return false;
        }
        let request = Arc::clone(&entry.request);
        let (kept, pool) = match self.keepable(&request, held) {
            Ok(keepable) => keepable,
            Err(why) => {
                changes.cleared(key, held, &why);
                if self.observes
                    && let ClearReason::NotAllowed(refusal) = why
                    && let Some(entry) = self.entries.get_mut(key)
                {
                    entry.refusal = Some(Box::new(refusal));
                }
                return true;
            }
        };

        for address in held.iter().filter(|address| !kept.contains(address)) {
            let why = match self.may_hold(*address, &request) {
                Err(why) => ClearReason::NotAllowed(why),
                Ok(_) => ClearReason::OneFamily(IpFamily::of(*address).other()),
            };
            changes.cleared(key, &[*address], &why);
        }

        let lost = held.iter().any(|address| !kept.contains(address))
            && request.wanted.as_ref().is_ok_and(|wanted| wanted.missing(&kept).is_some());
        if kept != held {
            changes.services.insert(key.clone());
        }
        self.hold(key, kept, pool);
        lost
    }

    /// Gives a Service whose status was refused the addresses that it had before, if it may have them: a status that
    /// another program wrote is no reason to renumber the Service.
    pub(super) fn put_back(
        &mut self,
        key: &ServiceKey,
        before: &ServiceEntry,
        changes: &mut Changes,
    ) {
        let had = before.addresses();
        let Some(entry) = self.entries.get(key) else { return };
        if self.observes || entry.assignment.is_some() || had.is_empty() {
            return;
        }
        let request = Arc::clone(&entry.request);
        let Ok((kept, pool)) = self.keepable(&request, had) else { return };
        if kept == had {
            changes.assigned(key, &kept, &pool);
            self.hold(key, kept, pool);
        }
    }

    fn hold(&mut self, key: &ServiceKey, addresses: Vec<IpAddr>, pool: Arc<str>) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        addresses.iter().for_each(|it| self.ledger.hold(key, *it, &entry.request.terms));
        entry.assignment = Some(Assignment { addresses: addresses.into(), pool });
    }

    /// Checks that a Service may hold an address, and returns the name of its pool.
    pub(super) fn may_hold(
        &self,
        address: IpAddr,
        request: &ServiceRequest,
    ) -> Result<Arc<str>, Refusal> {
        let ServiceRequest { terms, pinned, .. } = request;
        let judged = if self.observes {
            self.ledger.check_held(address, terms)
        } else {
            self.ledger.check(address, pinned, terms)
        };
        let refusal = match judged {
            Err(Refusal::InNoPool(_)) if self.ledger.is_empty() => Refusal::NoPools,
            Err(refusal @ Refusal::InNoPool(_)) => refusal,
            judged => return judged.cloned(),
        };

        let pool = self.stranded.pool_of(address).ok_or(refusal)?;
        // The controller gives such an address to no other Service, but a speaker may find it in two statuses.
        if self.observes {
            self.ledger.check_holders(address, terms)?;
        }
        Ok(pool)
    }

    /// Returns the addresses that a Service may keep of those that it holds, and their pool. One of two stays alone.
    fn keepable(
        &self,
        request: &ServiceRequest,
        held: &[IpAddr],
    ) -> Result<(Vec<IpAddr>, Arc<str>), ClearReason> {
        let mut pool: Option<Arc<str>> = None;
        let (mut allowed, mut refused) = (Vec::new(), None);
        for &address in held {
            match self.may_hold(address, request) {
                Ok(lies_in) if *pool.get_or_insert_with(|| Arc::clone(&lies_in)) != lies_in => {
                    return Err(ClearReason::TooMany);
                }
                Ok(_) => allowed.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        let Some(pool) = pool else {
            return Err(refused.map_or(ClearReason::TooMany, ClearReason::NotAllowed));
        };

        let wanted = match &request.wanted {
            Ok(wanted) if !self.observes => wanted,
            // The controller acts on a request, and until then the status holds. A request that cannot be read is
            // reported, and changes nothing.
            _ => return Ok((allowed, pool)),
        };
        if self.ledger.has_pool(&pool) {
            return Ok((wanted.keeps(&allowed, &pool)?, pool));
        }
        self.check_stranded(wanted, &allowed)?;
        Ok((allowed, pool))
    }

    /// Checks that a request lets a Service keep addresses that no pool has. They are given up only for what a pool can
    /// give.
    fn check_stranded(&self, wanted: &AddressRequest, held: &[IpAddr]) -> Result<(), ClearReason> {
        if self.ledger.is_empty() {
            return Ok(());
        }
        if let Some(other) = wanted.pool.as_ref().filter(|name| self.ledger.has_pool(name)) {
            return Err(ClearReason::OtherPoolRequested(other.to_string()));
        }
        if wanted.addresses.iter().any(|address| !held.contains(address)) {
            return Err(ClearReason::OtherAddressRequested(wanted.addresses.to_vec()));
        }
        Ok(())
    }
}

impl Ledger {
    /// Returns true if there is a pool of this name.
    pub(super) fn has_pool(&self, name: &str) -> bool {
        self.names.binary_search_by(|it| (**it).cmp(name)).is_ok()
    }

    /// Returns true if there is no pool at all.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Checks that a Service may hold an address that the controller gave it: a pool has the address, and its other
    /// holders can share it. Returns the name of the pool.
    ///
    /// # Errors
    ///
    /// Why it may not.
    fn check_held(&self, address: IpAddr, terms: &SharingTerms) -> Result<&Arc<str>, Refusal> {
        let index = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
        self.check_holders(address, terms)?;
        self.names.get(index).ok_or(Refusal::InNoPool(address))
    }
}
