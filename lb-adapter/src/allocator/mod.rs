//! The allocator, which assigns addresses of the pools to Services.
//!
//! ```text
//! pools -----------------\
//! Services (requests) ----> Allocator::reconcile -> Outcome { assignments, refusals, events }
//! held addresses --------/
//! ```
//!
//! A Service keeps its address for as long as the pools and its own request allow it, even if other Services request
//! the address too. So the holders come first, then the Services that have just lost an address, then the others; each
//! group by age and name. The result does not depend on the order in which the Services are passed in, nor on restarts.
//!
//! This module owns the rules of allocation, which are MetalLB's. It uses no file, no clock and no network: the caller
//! remembers the held addresses.

mod annotation;
mod displaced;
mod entry;
mod interval_set;
mod keep;
mod ledger;
mod near_miss;
mod outcome;
mod refusal;
mod request;
mod search;
mod serve;
mod sharing;
mod sharing_group;
mod stranded;
#[cfg(test)]
mod tests;
mod wait_queue;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::compact;
use crate::model::Interner;
use crate::model::{Namespace, Pool, Service, ServiceKey};

use displaced::Displaced;
use entry::ServiceEntry;
use ledger::Ledger;
use request::ServiceRequest;
use wait_queue::WaitQueue;

pub(crate) use annotation::{KNOWN_ANNOTATIONS, reads_annotation};
pub use outcome::{AddressList, Assignment, Changes, Event, EventReason, HeldAddresses, Outcome};
pub use refusal::{AddressFamilies, ClearReason, Refusal};
pub use request::{NotServed, check_served};
pub use sharing::{ConflictReason, SharingConflict, sharing_key};
pub(crate) use stranded::StrandedAddresses;

/// Assigns addresses to Services.
///
/// An allocator remembers the last request of each Service: of two Services that shared an address and no longer may,
/// the one that changed is moved. After a restart it is the younger one.
///
/// [`Allocator::reconcile`] examines all Services. [`Allocator::upsert`] and [`Allocator::remove`] have the same result
/// for a single Service, and examine only that one and those that wait for an address.
#[derive(Clone, Debug, Default)]
pub struct Allocator {
    class: Option<String>,
    /// True if another program assigns the addresses.
    observes: bool,
    ledger: Ledger,
    namespaces: BTreeMap<String, Namespace>,
    entries: BTreeMap<ServiceKey, Box<ServiceEntry>>,
    requests: Interner<ServiceRequest>,
    /// Always empty in an observer.
    waiting: WaitQueue,
    displaced: Displaced,
    stranded: StrandedAddresses,
}

impl Allocator {
    /// Makes an allocator for the Services without a `loadBalancerClass`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an allocator for the Services of exactly this `loadBalancerClass`.
    pub fn for_class(class: impl Into<String>) -> Self {
        Self { class: Some(class.into()), ..Self::default() }
    }

    /// Turns the allocator into an observer, which assigns no address: a Service holds the addresses of its status, as far
    /// as the rules allow, and waits for another program to assign it more.
    #[must_use]
    pub fn observing(self) -> Self {
        Self { observes: true, ..self }
    }

    /// Sets the namespaces, which pools may select. They take effect when a Service is examined the next time; see
    /// [`Allocator::uses_namespaces`].
    pub fn set_namespaces(&mut self, namespaces: impl IntoIterator<Item = Namespace>) {
        let namespaces = namespaces.into_iter();
        self.namespaces = namespaces.map(|namespace| (namespace.name.clone(), namespace)).collect();
    }

    /// Sets one namespace, or removes it. It takes effect as with [`Allocator::set_namespaces`].
    pub(crate) fn set_namespace(&mut self, name: &str, namespace: Option<Namespace>) {
        match namespace {
            Some(namespace) => {
                self.namespaces.insert(name.to_owned(), namespace);
            }
            None => {
                self.namespaces.remove(name);
            }
        }
    }

    /// Returns true if a pool of the last [`Allocator::reconcile`] selects namespaces by their labels.
    pub fn uses_namespaces(&self) -> bool {
        self.ledger.uses_namespaces()
    }

    /// Reconciles the addresses of all Services with the pools and the requests.
    ///
    /// `services` are all Services that exist, each once and in any order. `held` are the addresses that they hold as far
    /// as the caller remembers; entries of Services that do not exist have no effect.
    pub fn reconcile<S: Borrow<Service>>(
        &mut self,
        pools: &[Pool],
        services: impl IntoIterator<Item = S>,
        held: &HeldAddresses,
    ) -> Outcome {
        let changes = self.reconcile_changes(pools, services, held);
        self.outcome(changes)
    }

    /// Does the same as [`Allocator::reconcile`] for a caller that looks up the assignments one by one.
    pub(crate) fn reconcile_changes<S: Borrow<Service>>(
        &mut self,
        pools: &[Pool],
        services: impl IntoIterator<Item = S>,
        held: &HeldAddresses,
    ) -> Changes {
        let mut changes = Changes::default();
        let before = std::mem::take(&mut self.entries);
        self.ledger = Ledger::new(pools, self.observes);
        (self.waiting, self.displaced) = (WaitQueue::default(), Displaced::default());

        let mut holders = Vec::new();
        for service in services {
            let service = service.borrow();
            let key = &service.key;
            let held = held.get(key).map_or(&[][..], Vec::as_slice);
            let before = before.get(key).map(|entry| &**entry);
            if !self.insert_entry(service, before, held, &mut changes) || held.is_empty() {
                continue;
            }

            // Services that have changed come last: they may have to give up an address that they shared.
            let entry = &self.entries[key];
            let is_unchanged =
                before.is_some_and(|before| before.is_unchanged(&entry.request, held));
            holders.push((!is_unchanged, entry.age(), key.clone(), held));
        }
        holders.sort();

        let mut lost = BTreeSet::new();
        for (_, age, key, held) in holders {
            let lost_one = self.adopt(&key, held, &mut changes);
            self.note_displaced(&key, held);
            if lost_one {
                lost.insert((age, key));
            }
        }

        for (key, entry) in &mut self.entries {
            if entry.settle(key, &self.ledger, &mut changes) && !self.observes {
                self.waiting.insert(key, entry.age(), &entry.request);
            }
        }
        let waiting = self.waiting.all();
        self.serve_all(&lost, &waiting, &mut changes);

        compact::pack(&mut self.entries);
        self.ledger.pack();
        changes
    }

    /// Adds a Service, or updates one that has changed. `held` are the addresses that it holds, as for
    /// [`Allocator::reconcile`].
    pub fn upsert(&mut self, service: &Service, held: &[IpAddr]) -> Changes {
        let mut changes = Changes::default();
        let key = &service.key;
        let before = self.remove_entry(key);

        let mut lost = BTreeSet::new();
        if self.insert_entry(service, before.as_deref(), held, &mut changes) {
            let lost_one = self.adopt(key, held, &mut changes);
            if lost_one && let Some(before) = &before {
                self.restore(key, before, &mut changes);
            }
            if let Some(entry) = self.entries.get_mut(key) {
                if lost_one {
                    lost.insert((entry.age(), key.clone()));
                }
                if entry.settle(key, &self.ledger, &mut changes) && !self.observes {
                    self.waiting.insert(key, entry.age(), &entry.request);
                }
            }
        }
        self.note_displaced(key, held);

        let freed = before.as_ref().map(|before| self.freed(key, before)).unwrap_or_default();
        self.readopt(&freed, &mut changes);

        // Only an address that becomes free can help other Services.
        let waiting = match self.entries.get(key) {
            _ if !freed.is_empty() => self.waiting.all(),
            Some(entry) => self.waiting.only(key, entry.age()),
            None => BTreeSet::new(),
        };
        self.serve_all(&lost, &waiting, &mut changes);

        let held_before = before.as_ref().map_or(&[][..], |before| before.addresses());
        self.update_rivals(key, held_before, &mut changes);
        changes
    }

    /// Removes a Service, and serves those that waited for its address.
    pub fn remove(&mut self, key: &ServiceKey) -> Changes {
        let mut changes = Changes::default();
        let Some(before) = self.remove_entry(key) else { return changes };

        if before.assignment.is_some() {
            self.readopt(before.addresses(), &mut changes);
            let waiting = self.waiting.all();
            self.serve_all(&BTreeSet::new(), &waiting, &mut changes);
        }
        changes
    }

    /// The assignment of a Service.
    pub fn assignment(&self, key: &ServiceKey) -> Option<&Assignment> {
        self.entries.get(key)?.assignment.as_ref()
    }

    /// The reason why a Service was not assigned the addresses that it requests.
    pub fn refusal(&self, key: &ServiceKey) -> Option<&Refusal> {
        self.entries.get(key)?.refusal.as_deref()
    }

    /// Returns the same as [`Allocator::refusal`]. If all addresses are taken, the refusal also names the one that the
    /// Service could most nearly share.
    pub fn explain_refusal(&self, key: &ServiceKey) -> Option<Refusal> {
        let entry = self.entries.get(key)?;
        Some(self.ledger.explain(entry.refusal.as_deref()?, &entry.request.terms))
    }

    fn outcome(&self, changes: Changes) -> Outcome {
        let mut outcome = Outcome { changes, ..Outcome::default() };
        for (key, entry) in &self.entries {
            if let Some(assignment) = &entry.assignment {
                outcome.assignments.insert(key.clone(), assignment.clone());
            }
            if let Some(refusal) = &entry.refusal {
                outcome.refusals.insert(key.clone(), Refusal::clone(refusal));
            }
        }
        outcome
    }

    /// Makes the entry of a Service. Returns true if the Service is served here.
    fn insert_entry(
        &mut self,
        service: &Service,
        before: Option<&ServiceEntry>,
        held: &[IpAddr],
        changes: &mut Changes,
    ) -> bool {
        match check_served(service, self.class.as_deref()) {
            Ok(()) => {}
            Err(NotServed::Type(type_)) if !held.is_empty() => {
                changes.cleared(&service.key, held, &ClearReason::NotLoadBalancer(type_));
                return false;
            }
            Err(_) => return false,
        }

        let pinned = self.ledger.pinned(service, self.namespaces.get(&*service.key.namespace));
        let request = self.requests.intern(ServiceRequest::of(service, pinned));

        let reported = before.map_or(&[][..], |before| &before.request.deprecated);
        for name in request.deprecated.iter().filter(|name| !reported.contains(name)) {
            changes.deprecated(&service.key, name);
        }

        let refusal = before.and_then(|before| before.refusal.clone());
        let entry = ServiceEntry { created: service.created, request, assignment: None, refusal };
        self.entries.insert(service.key.clone(), Box::new(entry));
        true
    }

    /// Removes the entry of a Service, and releases its addresses.
    fn remove_entry(&mut self, key: &ServiceKey) -> Option<Box<ServiceEntry>> {
        let entry = self.entries.remove(key)?;
        self.waiting.remove(key, entry.age(), &entry.request);
        self.displaced.remove(key);
        for address in entry.addresses() {
            self.ledger.release(key, *address);
        }
        Some(entry)
    }
}
