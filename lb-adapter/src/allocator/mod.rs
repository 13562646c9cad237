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
mod displaced;
mod interval_set;
mod keep;
mod ledger;
mod outcome;
mod refusal;
mod request;
mod sharing;
mod sharing_group;
#[cfg(test)]
mod tests;
mod wait_queue;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::compact;
use crate::intern::Interner;
use crate::model::{IpFamily, Namespace, Pool, Service, ServiceKey, Timestamp};

use displaced::Displaced;
use ledger::Ledger;
use request::{AddressRequest, Age, FamilyRequirement, ServiceRequest, age};
use wait_queue::WaitQueue;

pub(crate) use annotation::{KNOWN_ANNOTATIONS, reads_annotation};
pub(crate) use keep::StrandedAddresses;
pub use outcome::{AddressList, Assignment, Changes, Event, EventReason, HeldAddresses, Outcome};
pub use refusal::{AddressFamilies, ClearReason, Refusal};
pub use request::{NotServed, check_served};
pub use sharing::{ConflictReason, SharingConflict};

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
    /// Whether addresses are given out elsewhere.
    observes: bool,
    ledger: Ledger,
    namespaces: BTreeMap<String, Namespace>,
    entries: BTreeMap<ServiceKey, Box<ServiceEntry>>,
    requests: Interner<ServiceRequest>,
    /// None while addresses are given out elsewhere.
    waiting: WaitQueue,
    displaced: Displaced,
    stranded: StrandedAddresses,
}

/// One Service that is served here.
#[derive(Clone, Debug)]
struct ServiceEntry {
    created: Option<Timestamp>,
    request: Arc<ServiceRequest>,
    assignment: Option<Assignment>,
    /// Told already.
    refusal: Option<Box<Refusal>>,
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

    /// Gives nothing out: a Service has what it holds, as far as it may, and waits for whoever gives
    /// it more.
    #[must_use]
    pub fn observing(self) -> Self {
        Self { observes: true, ..self }
    }

    /// Sets the namespaces, which pools may ask for. They count from the next time that a Service
    /// is looked at: see [`Allocator::uses_namespaces`].
    pub fn set_namespaces(&mut self, namespaces: impl IntoIterator<Item = Namespace>) {
        self.namespaces = namespaces.into_iter().map(|it| (it.name.clone(), it)).collect();
    }

    /// Whether namespaces matter to the pools of the last [`Allocator::reconcile`].
    pub fn uses_namespaces(&self) -> bool {
        self.ledger.uses_namespaces()
    }

    /// Brings addresses in line with pools and requests.
    ///
    /// `services` are all that exist, in any order, each once; `held` says what they hold by
    /// whatever remembers it. An entry there for a Service that does not exist does nothing.
    pub fn reconcile<S: Borrow<Service>>(
        &mut self,
        pools: &[Pool],
        services: impl IntoIterator<Item = S>,
        held: &HeldAddresses,
    ) -> Outcome {
        let changes = self.reconcile_changes(pools, services, held);
        self.outcome(changes)
    }

    /// The same for who asks for each Service by itself what it holds now.
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
        let mut claims = Vec::new();
        for service in services {
            let service = service.borrow();
            let (key, held) = (&service.key, held.get(&service.key).map_or(&[][..], Vec::as_slice));
            let before = before.get(key).map(|before| &**before);
            if self.take_in(service, before, held, &mut changes) && !held.is_empty() {
                let entry = &self.entries[key];
                let as_before = before.is_some_and(|it| it.stands(&entry.request, held));
                claims.push((!as_before, entry.age(), key.clone(), held));
            }
        }
        claims.sort();
        let mut lost = BTreeSet::new();
        for (_, age, key, held) in claims {
            let cleared = self.adopt(&key, held, &mut changes);
            self.note_displaced(&key, held);
            if cleared {
                lost.insert((age, key));
            }
        }
        for (key, entry) in &mut self.entries {
            if entry.settle(key, &self.ledger, &mut changes) && !self.observes {
                self.waiting.insert(key, entry.age(), &entry.request);
            }
        }
        let all = self.waiting.all();
        self.serve_all(&lost, &all, &mut changes);
        compact::pack(&mut self.entries);
        self.ledger.pack();
        changes
    }

    /// Takes in a Service that is new or has changed. `held` is what it holds, as for
    /// [`Allocator::reconcile`].
    pub fn upsert(&mut self, service: &Service, held: &[IpAddr]) -> Changes {
        let mut changes = Changes::default();
        let key = &service.key;
        let before = self.forget(key);

        let mut lost = BTreeSet::new();
        if self.take_in(service, before.as_deref(), held, &mut changes) {
            let cleared = self.adopt(key, held, &mut changes);
            if cleared && let Some(before) = &before {
                self.put_back(key, before, &mut changes);
            }
            if let Some(entry) = self.entries.get_mut(key) {
                if cleared {
                    lost.insert((entry.age(), key.clone()));
                }
                if entry.settle(key, &self.ledger, &mut changes) && !self.observes {
                    self.waiting.insert(key, entry.age(), &entry.request);
                }
            }
        }
        self.note_displaced(key, held);

        let freed = before.as_ref().map(|before| self.freed(key, before)).unwrap_or_default();
        self.adopt_again(&freed, &mut changes);
        // Only what becomes free lets others in.
        let others = match freed.is_empty() {
            false => self.waiting.all(),
            true => self.waiting.only(key, self.entries.get(key).map(|entry| entry.age())),
        };
        self.serve_all(&lost, &others, &mut changes);

        let had = before.as_ref().map_or(&[][..], |before| before.addresses());
        self.tell_rivals(key, had, &mut changes);
        changes
    }

    /// Forgets a Service that is gone, and serves those that waited for its address.
    pub fn remove(&mut self, key: &ServiceKey) -> Changes {
        let mut changes = Changes::default();
        if let Some(before) = self.forget(key).filter(|before| before.assignment.is_some()) {
            self.adopt_again(before.addresses(), &mut changes);
            let all = self.waiting.all();
            self.serve_all(&BTreeSet::new(), &all, &mut changes);
        }
        changes
    }

    /// What a Service holds.
    pub fn assignment(&self, key: &ServiceKey) -> Option<&Assignment> {
        self.entries.get(key)?.assignment.as_ref()
    }

    /// Why a Service was not given what it asks for.
    pub fn refusal(&self, key: &ServiceKey) -> Option<&Refusal> {
        self.entries.get(key)?.refusal.as_deref()
    }

    /// Like [`Allocator::refusal`]; if all addresses are taken, with the one that comes nearest to being shared.
    pub fn explain_refusal(&self, key: &ServiceKey) -> Option<Refusal> {
        let entry = self.entries.get(key)?;
        Some(self.ledger.explained(entry.refusal.as_deref()?, &entry.request.terms))
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

    fn forget(&mut self, key: &ServiceKey) -> Option<Box<ServiceEntry>> {
        let entry = self.entries.remove(key)?;
        self.waiting.remove(key, entry.age(), &entry.request);
        self.displaced.remove(key);
        entry.addresses().iter().for_each(|address| self.ledger.release(key, *address));
        Some(entry)
    }

    /// Makes the entry of a Service; says whether it is served here.
    fn take_in(
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
        let known = before.map_or(&[][..], |before| &before.request.deprecated);
        for name in request.deprecated.iter().filter(|name| !known.contains(name)) {
            changes.deprecated(&service.key, name);
        }
        let refusal = before.and_then(|before| before.refusal.clone());
        let entry = ServiceEntry { created: service.created, request, assignment: None, refusal };
        self.entries.insert(service.key.clone(), Box::new(entry));
        true
    }

    /// Serves `first`, then the others; then says why to those that still wait, so that what is
    /// said does not depend on whom they were served before.
    fn serve_all(
        &mut self,
        first: &BTreeSet<(Age, ServiceKey)>,
        others: &BTreeSet<(Age, ServiceKey)>,
        changes: &mut Changes,
    ) {
        if self.observes {
            return;
        }
        for (_, key) in first.iter().chain(others) {
            self.serve(key, changes).ok();
        }
        for (_, key) in others {
            self.serve_or_tell(key, changes);
        }
    }

    /// Says the reason anew to those that want an address that this Service has taken.
    fn tell_rivals(&mut self, key: &ServiceKey, had: &[IpAddr], changes: &mut Changes) {
        let Some(assignment) = self.assignment(key) else { return };
        let taken = assignment.addresses.iter().filter(|address| !had.contains(address));
        let rivals: Vec<_> = taken.flat_map(|address| self.waiting.for_address(*address)).collect();
        rivals.iter().for_each(|(_, rival)| self.serve_or_tell(rival, changes));
    }

    fn serve_or_tell(&mut self, key: &ServiceKey, changes: &mut Changes) {
        if let Err(refusal) = self.serve(key, changes)
            && let Some(entry) = self.entries.get_mut(key)
        {
            let told = self.ledger.explained(&refusal, &entry.request.terms);
            entry.refuse(key, refusal, &told, changes);
        }
    }

    /// Serves a Service if it waits for an address.
    fn serve(&mut self, key: &ServiceKey, changes: &mut Changes) -> Result<(), Refusal> {
        let Some(entry) = self.entries.get_mut(key) else { return Ok(()) };
        let ServiceRequest { terms, wanted: Ok(wanted), pinned, .. } = &*entry.request else {
            return Ok(());
        };
        let assignment = match &entry.assignment {
            None => {
                let found = self.ledger.find(wanted, pinned, terms)?;
                changes.assigned(key, &found.addresses, &found.pool);
                found
            }
            Some(held) => match wanted.missing(&held.addresses) {
                None => return Ok(()),
                Some(missing) => {
                    let completed =
                        complete(&mut self.ledger, (key, entry), wanted, missing, changes);
                    let Some(completed) = completed? else { return Ok(()) };
                    completed
                }
            },
        };
        for address in &assignment.addresses {
            self.ledger.hold(key, *address, terms);
        }
        entry.assignment = Some(assignment);
        if !entry.settle(key, &self.ledger, changes) {
            self.waiting.remove(key, entry.age(), &entry.request);
        }
        Ok(())
    }
}

/// Both addresses of a Service that has one of them; nothing if one alone will do.
fn complete(
    ledger: &mut Ledger,
    (key, entry): (&ServiceKey, &ServiceEntry),
    wanted: &AddressRequest,
    missing: IpFamily,
    changes: &mut Changes,
) -> Result<Option<Assignment>, Refusal> {
    let ServiceRequest { terms, pinned, .. } = &*entry.request;
    let Some(Assignment { addresses, pool }) = &entry.assignment else { return Ok(None) };
    let refusal = match ledger.find_other((pool, missing), wanted, pinned, terms) {
        Ok(other) => {
            changes.assigned(key, &[other], pool);
            let addresses = wanted.families.sorted(&[addresses, &[other][..]].concat()).into();
            return Ok(Some(Assignment { addresses, pool: Arc::clone(pool) }));
        }
        Err(refusal) => refusal,
    };
    if !matches!(wanted.families, FamilyRequirement::Both { required: true, .. }) {
        return Ok(None);
    }
    if !wanted.addresses.is_empty() {
        return Err(refusal);
    }
    let both = ledger.find(wanted, pinned, terms).map_err(|_| refusal)?;
    addresses.iter().for_each(|address| ledger.release(key, *address));
    changes.cleared(key, addresses, &ClearReason::BothElsewhere);
    changes.assigned(key, &both.addresses, &both.pool);
    Ok(Some(both))
}

impl ServiceEntry {
    /// Whether nothing has changed in what the Service shares and holds.
    fn stands(&self, request: &ServiceRequest, held: &[IpAddr]) -> bool {
        self.request.terms == request.terms && self.addresses() == held
    }

    fn age(&self) -> Age {
        age(self.created)
    }

    /// What the Service holds.
    fn addresses(&self) -> &[IpAddr] {
        self.assignment.as_ref().map_or(&[][..], |it| &it.addresses)
    }

    /// Whether the Service waits for something, now that it holds what it does.
    fn settle(&mut self, key: &ServiceKey, ledger: &Ledger, changes: &mut Changes) -> bool {
        let wanted = match &self.request.wanted {
            Ok(wanted) => wanted,
            Err(refusal) => {
                let refusal = Refusal::clone(refusal);
                self.refuse(key, refusal.clone(), &refusal, changes);
                return false;
            }
        };
        let Some(Assignment { addresses, pool }) = &self.assignment else { return true };
        if !ledger.has_pool(pool) {
            // A pool that is gone cannot give a missing address.
            self.refusal = None;
            return false;
        }
        let waits = match (wanted.missing(addresses), wanted.families) {
            (None, _) => false,
            (Some(_), FamilyRequirement::Both { required: true, .. }) => return true,
            // What can only come with other pools need not be looked for before.
            (Some(family), _) => ledger.has_family(pool, family),
        };
        self.refusal = None;
        waits
    }

    /// Notes a refusal. If it has changed, reports it as `told`, its explained form.
    fn refuse(
        &mut self,
        key: &ServiceKey,
        refusal: Refusal,
        told: &Refusal,
        changes: &mut Changes,
    ) {
        if self.refusal.as_deref() != Some(&refusal) {
            changes.refused(key, told, self.assignment.as_ref());
            self.refusal = Some(Box::new(refusal));
        }
    }
}
