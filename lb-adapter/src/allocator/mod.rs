//! Gives addresses of the pools to Services, and keeps what it gave.
//!
//! ```text
//! pools ----------------------\
//! Services (what they ask) ----> Allocator::reconcile -> Outcome { assignments, refusals, events }
//! held (what they have) ------/
//! ```
//!
//! A Service that holds an address keeps it for as long as the pools and its own request allow,
//! whoever else asks for it; so all holders are taken first, then the Services that lost theirs
//! just now, then the others, each oldest first and by name. The order in which Services are
//! passed in is of no consequence, nor is a restart.
//!
//! This module owns the rules of allocation, which are MetalLB's. No file, no clock, no network:
//! where the held addresses are remembered is the caller's business.

mod annotation;
mod group;
mod ledger;
mod outcome;
mod refusal;
mod request;
mod runs;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{Pool, Service, ServiceKey};

use ledger::Ledger;
use request::{Age, Request};

pub use outcome::{Assignment, Changes, Event, EventReason, Held, Outcome};
pub use refusal::{Cleared, Refusal};
pub use request::{NotOurs, ours};
pub use terms::{InUse, WhyNotShared};

/// Gives addresses to Services.
///
/// It remembers what Services asked for when it last saw them: of two that shared an address and no
/// longer may, the one that changed is moved. After a restart it is the younger one.
///
/// [`Allocator::reconcile`] looks at everything; [`Allocator::upsert`] and [`Allocator::remove`]
/// come to the same for one Service, at the cost of that one and those that wait for an address.
#[derive(Clone, Debug, Default)]
pub struct Allocator {
    class: Option<String>,
    ledger: Ledger,
    entries: BTreeMap<ServiceKey, Entry>,
    /// Those that hold nothing and whose request makes sense, oldest first.
    waiting: BTreeSet<(Age, ServiceKey)>,
}

/// One Service that is served here.
#[derive(Clone, Debug)]
struct Entry {
    request: Request,
    assignment: Option<Assignment>,
    /// Told already.
    refusal: Option<Refusal>,
}

impl Allocator {
    /// Serves the Services without a `loadBalancerClass`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves the Services of exactly this `loadBalancerClass`.
    pub fn for_class(class: impl Into<String>) -> Self {
        Self { class: Some(class.into()), ..Self::default() }
    }

    /// Brings addresses in line with pools and requests.
    ///
    /// `services` are all that exist, in any order, each once; `held` says what they hold by
    /// whatever remembers it. An entry there for a Service that does not exist does nothing.
    pub fn reconcile<'a>(
        &mut self,
        pools: &[Pool],
        services: impl IntoIterator<Item = &'a Service>,
        held: &Held,
    ) -> Outcome {
        let mut changes = Changes::default();
        let before = std::mem::take(&mut self.entries);
        self.ledger = Ledger::new(pools);
        self.waiting.clear();
        let mut claims = Vec::new();
        for service in services {
            let (key, held) = (&service.key, held.get(&service.key).map_or(&[][..], Vec::as_slice));
            let before = before.get(key);
            if self.take_in(service, before, held, &mut changes) && !held.is_empty() {
                let request = &self.entries[key].request;
                let as_before = before.is_some_and(|before| before.stands(request, held));
                claims.push((!as_before, request.age, key, held));
            }
        }
        claims.sort();
        let mut lost = BTreeSet::new();
        for (_, age, key, held) in claims {
            if let Err(why) = self.adopt(key, held) {
                changes.cleared(key, held, &why);
                lost.insert((age, key.clone()));
            }
        }
        for (key, entry) in &mut self.entries {
            self.waiting.extend(entry.settle(key, &mut changes));
        }
        self.serve_waiting(&lost, &mut changes);
        self.outcome(changes)
    }

    /// Takes in a Service that is new or has changed. `held` is what it holds, as for
    /// [`Allocator::reconcile`].
    pub fn upsert(&mut self, service: &Service, held: &[IpAddr]) -> Changes {
        let mut changes = Changes::default();
        let key = &service.key;
        let before = self.forget(key);
        let mut lost = BTreeSet::new();
        if self.take_in(service, before.as_ref(), held, &mut changes) {
            let adopted = self.adopt(key, held);
            if let Some(entry) = self.entries.get_mut(key) {
                if let Err(why) = adopted {
                    changes.cleared(key, held, &why);
                    lost.insert((entry.request.age, key.clone()));
                }
                self.waiting.extend(entry.settle(key, &mut changes));
            }
        }
        self.serve_waiting(&lost, &mut changes);
        changes
    }

    /// Forgets a Service that is gone, and serves those that waited for its address.
    pub fn remove(&mut self, key: &ServiceKey) -> Changes {
        let mut changes = Changes::default();
        if self.forget(key).is_some() {
            self.serve_waiting(&BTreeSet::new(), &mut changes);
        }
        changes
    }

    /// What a Service holds.
    pub fn assignment(&self, key: &ServiceKey) -> Option<&Assignment> {
        self.entries.get(key)?.assignment.as_ref()
    }

    /// Why a Service was not given what it asks for.
    pub fn refusal(&self, key: &ServiceKey) -> Option<&Refusal> {
        self.entries.get(key)?.refusal.as_ref()
    }

    fn outcome(&self, changes: Changes) -> Outcome {
        let mut outcome = Outcome { changes, ..Outcome::default() };
        for (key, entry) in &self.entries {
            if let Some(assignment) = &entry.assignment {
                outcome.assignments.insert(key.clone(), assignment.clone());
            }
            if let Some(refusal) = &entry.refusal {
                outcome.refusals.insert(key.clone(), refusal.clone());
            }
        }
        outcome
    }

    fn forget(&mut self, key: &ServiceKey) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.waiting.remove(&(entry.request.age, key.clone()));
        for address in entry.assignment.iter().flat_map(|assignment| &assignment.addresses) {
            self.ledger.release(key, *address);
        }
        Some(entry)
    }

    /// Makes the entry of a Service; says whether it is served here.
    fn take_in(
        &mut self,
        service: &Service,
        before: Option<&Entry>,
        held: &[IpAddr],
        changes: &mut Changes,
    ) -> bool {
        match ours(service, self.class.as_deref()) {
            Ok(()) => {}
            Err(NotOurs::Type(type_)) if !held.is_empty() => {
                changes.cleared(&service.key, held, &Cleared::NotLoadBalancer(type_));
                return false;
            }
            Err(_) => return false,
        }
        let refusal = before.and_then(|before| before.refusal.clone());
        let entry = Entry { request: Request::of(service), assignment: None, refusal };
        self.entries.insert(service.key.clone(), entry);
        true
    }

    /// Lets a Service keep what it holds.
    fn adopt(&mut self, key: &ServiceKey, addresses: &[IpAddr]) -> Result<(), Cleared> {
        let Some(entry) = self.entries.get_mut(key) else { return Ok(()) };
        if entry.assignment.is_some() {
            return Ok(());
        }
        let Request { terms, wanted, .. } = &entry.request;
        let mut pool: Option<&Pool> = None;
        for address in addresses {
            let lies_in = self.ledger.check(*address, terms).map_err(Cleared::NotAllowed)?;
            if pool.get_or_insert(lies_in).name != lies_in.name {
                return Err(Cleared::TooMany);
            }
        }
        let Some(pool) = pool.map(|pool| pool.name.clone()) else { return Ok(()) };
        // A request that makes no sense is told, and changes nothing.
        if let Ok(wanted) = wanted {
            wanted.keeps(addresses, &pool)?;
        }
        for address in addresses {
            self.ledger.hold(key, *address, terms);
        }
        entry.assignment = Some(Assignment { addresses: addresses.to_vec(), pool });
        Ok(())
    }

    /// Serves `first`, then all others that wait; then says why to those that still do, so that
    /// what is said does not depend on whom they were served before.
    fn serve_waiting(&mut self, first: &BTreeSet<(Age, ServiceKey)>, changes: &mut Changes) {
        let waiting = self.waiting.clone();
        for (_, key) in first.iter().chain(&waiting) {
            self.serve(key, changes).ok();
        }
        for (_, key) in waiting {
            if let Err(refusal) = self.serve(&key, changes)
                && let Some(entry) = self.entries.get_mut(&key)
            {
                entry.refuse(&key, refusal, changes);
            }
        }
    }

    /// Serves a Service if it waits for an address.
    fn serve(&mut self, key: &ServiceKey, changes: &mut Changes) -> Result<(), Refusal> {
        let Some(entry) = self.entries.get_mut(key) else { return Ok(()) };
        let Request { terms, wanted: Ok(wanted), age } = &entry.request else { return Ok(()) };
        if entry.assignment.is_some() {
            return Ok(());
        }
        let (address, pool) = self.ledger.find(wanted, terms)?;
        self.ledger.hold(key, address, terms);
        changes.assigned(key, address, &pool);
        entry.assignment = Some(Assignment { addresses: vec![address], pool });
        entry.refusal = None;
        self.waiting.remove(&(*age, key.clone()));
        Ok(())
    }
}

impl Entry {
    /// Whether nothing has changed in what the Service shares and holds.
    fn stands(&self, request: &Request, held: &[IpAddr]) -> bool {
        let holds = self.assignment.as_ref().map_or(&[][..], |a| a.addresses.as_slice());
        self.request.terms == request.terms && holds == held
    }

    /// After adoption: what the Service waits for, if anything.
    fn settle(&mut self, key: &ServiceKey, changes: &mut Changes) -> Option<(Age, ServiceKey)> {
        match (&self.request.wanted, &self.assignment) {
            (Err(refusal), _) => self.refuse(key, refusal.clone(), changes),
            (Ok(_), Some(_)) => self.refusal = None,
            (Ok(_), None) => return Some((self.request.age, key.clone())),
        }
        None
    }

    fn refuse(&mut self, key: &ServiceKey, refusal: Refusal, changes: &mut Changes) {
        if self.refusal.as_ref() != Some(&refusal) {
            changes.refused(key, &refusal, self.assignment.as_ref());
            self.refusal = Some(refusal);
        }
    }
}
