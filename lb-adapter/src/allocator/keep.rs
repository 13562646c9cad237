//! What a Service keeps of the addresses that it holds.
//!
//! Owns the rules by which an address in a Service's status stays with the Service: what the pools, the request and the
//! other holders say of it, and which addresses stay although no pool has them. Gives nothing out.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{IpFamily, Pool, ServiceKey};

use super::ledger::Ledger;
use super::outcome::{Assignment, Changes};
use super::refusal::{Cleared, Refusal};
use super::request::Request;
use super::terms::Terms;
use super::{Allocator, Entry};

/// Which addresses stay with the Services that hold them although no pool has them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stranded {
    /// Pools that are no longer configured, and whose addresses are not taken back yet.
    retired: Vec<(Arc<str>, Pool)>,
    /// Whether any other address stays too: there is no pool that could give another one, or the pool that it is of
    /// cannot be read.
    unknown: bool,
}

impl Stranded {
    /// The addresses of these pools; with `unknown`, any others too.
    pub(crate) fn new(retired: &[Pool], unknown: bool) -> Self {
        let retired = retired.iter().map(|pool| (pool.name.as_str().into(), pool.clone()));
        Self { retired: retired.collect(), unknown }
    }

    /// The name of the pool that an address was of; empty where that is not known. None if it does not stay.
    fn pool_of(&self, address: IpAddr) -> Option<Arc<str>> {
        let retired = self.retired.iter().find(|(_, pool)| pool.contains(address));
        let retired = retired.map(|(name, _)| Arc::clone(name));
        retired.or_else(|| self.unknown.then(|| "".into()))
    }
}

impl Allocator {
    /// Sets which addresses stay although no pool has them, from the next [`Allocator::reconcile`] on.
    pub(crate) fn set_stranded(&mut self, stranded: Stranded) {
        self.stranded = stranded;
    }

    /// Whether an address that a Service holds is in none of the pools.
    pub(crate) fn is_stranded(&self, key: &ServiceKey) -> bool {
        self.assignment(key).is_some_and(|held| !self.ledger.has_pool(&held.pool))
    }

    /// Lets a Service keep what it holds, as far as it may; says whether it lost something.
    pub(super) fn adopt(
        &mut self,
        key: &ServiceKey,
        held: &[IpAddr],
        changes: &mut Changes,
    ) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        if self.follows {
            // Only what keeps a Service from what its status says is of interest, and that is found now.
            entry.refusal = None;
        }
        if entry.assignment.is_some() || held.is_empty() {
            return false;
        }
        let request = Arc::clone(&entry.request);
        let (kept, pool) = match self.keepable(&request, held) {
            Ok(keepable) => keepable,
            Err(why) => {
                let entry = self.entries.get_mut(key);
                changes.cleared(key, held, &why);
                if let (true, Cleared::NotAllowed(refusal), Some(entry)) =
                    (self.follows, why, entry)
                {
                    entry.refusal = Some(Box::new(refusal));
                }
                return true;
            }
        };

        let mut lost = false;
        for address in held.iter().filter(|address| !kept.contains(address)) {
            let why = match self.may_hold(*address, &request) {
                Err(why) => Cleared::NotAllowed(why),
                Ok(_) => Cleared::OneFamily(IpFamily::of(*address).other()),
            };
            changes.cleared(key, &[*address], &why);
            lost = request.wanted.as_ref().is_ok_and(|wanted| wanted.missing(&kept).is_some());
        }
        if kept != held {
            changes.services.insert(key.clone());
        }
        self.hold(key, kept, pool);
        lost
    }

    /// Gives a Service that lost what its status said the addresses that it had before, if it may have them: what
    /// somebody else wrote there is no reason to renumber it.
    pub(super) fn put_back(&mut self, key: &ServiceKey, before: &Entry, changes: &mut Changes) {
        let had = before.addresses();
        let Some(entry) = self.entries.get(key) else { return };
        if self.follows || entry.assignment.is_some() || had.is_empty() {
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

    /// Whether a Service may hold an address; the name of its pool.
    pub(super) fn may_hold(&self, address: IpAddr, request: &Request) -> Result<Arc<str>, Refusal> {
        let Request { terms, pinned, .. } = request;
        let judged = match self.follows {
            true => self.ledger.check_held(address, terms),
            false => self.ledger.check(address, pinned, terms),
        };
        let refusal = match judged {
            Err(Refusal::InNoPool(_)) if self.ledger.is_empty() => Refusal::NoPools,
            Err(refusal @ Refusal::InNoPool(_)) => refusal,
            judged => return judged.cloned(),
        };

        // Nobody else is given such an address, so that whoever has it may go on.
        let stays = self.stranded.pool_of(address).ok_or(refusal)?;
        match self.follows {
            true => self.ledger.check_holders(address, terms).map(|()| stays),
            false => Ok(stays),
        }
    }

    /// Which of the addresses that a Service holds it may keep, and their pool. One of two stays alone.
    fn keepable(
        &self,
        request: &Request,
        held: &[IpAddr],
    ) -> Result<(Vec<IpAddr>, Arc<str>), Cleared> {
        let mut pool: Option<Arc<str>> = None;
        let (mut allowed, mut refused) = (Vec::new(), None);
        for &address in held {
            match self.may_hold(address, request) {
                Ok(lies_in) if *pool.get_or_insert_with(|| Arc::clone(&lies_in)) != lies_in => {
                    return Err(Cleared::TooMany);
                }
                Ok(_) => allowed.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        let Some(pool) = pool else {
            return Err(refused.map_or(Cleared::TooMany, Cleared::NotAllowed));
        };

        let kept = match &request.wanted {
            // What is asked for is the business of whoever gives addresses out: until that is done, what the status says
            // holds.
            _ if self.follows => allowed,
            // A request that makes no sense is told, and changes nothing.
            Err(_) => allowed,
            Ok(wanted) if self.ledger.has_pool(&pool) => wanted.keeps(&allowed, &pool)?,
            // What no pool has is given up only for what a pool can give.
            Ok(wanted) => {
                let asks_for_others = wanted.addresses.iter().any(|it| !allowed.contains(it));
                match &wanted.pool {
                    _ if self.ledger.is_empty() => allowed,
                    Some(other) if self.ledger.has_pool(other) => {
                        return Err(Cleared::OtherPoolRequested(other.to_string()));
                    }
                    _ if asks_for_others => {
                        return Err(Cleared::OtherAddressRequested(wanted.addresses.to_vec()));
                    }
                    _ => allowed,
                }
            }
        };
        Ok((kept, pool))
    }
}

impl Ledger {
    /// Whether there is a pool of this name.
    pub(super) fn has_pool(&self, name: &str) -> bool {
        self.names.binary_search_by(|it| (**it).cmp(name)).is_ok()
    }

    /// Whether there is no pool at all.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a Service may hold an address that it was given elsewhere: a pool has it, and nobody who holds it has
    /// anything against that. The name of the pool.
    ///
    /// # Errors
    ///
    /// Why it may not.
    fn check_held(&self, address: IpAddr, terms: &Terms) -> Result<&Arc<str>, Refusal> {
        let index = self.pool_of(address).ok_or(Refusal::InNoPool(address))?;
        self.check_holders(address, terms)?;
        self.names.get(index).ok_or(Refusal::InNoPool(address))
    }
}
