//! The assignment of addresses to waiting Services.
//!
//! Owns the order in which Services get their addresses, and reports the refusals to those that still wait.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{IpFamily, ServiceKey};

use super::Allocator;
use super::entry::ServiceEntry;
use super::ledger::Ledger;
use super::outcome::{Assignment, Changes};
use super::refusal::{ClearReason, Refusal};
use super::request::{AddressRequest, Age, FamilyRequirement, ServiceRequest};

impl Allocator {
    /// Serves the Services of `first`, then the others. Reports the refusals only after that, so that they do not
    /// depend on the order in which the Services were served.
    pub(super) fn serve_all(
        &mut self,
        first: &BTreeSet<(Age, ServiceKey)>,
        others: &BTreeSet<(Age, ServiceKey)>,
        changes: &mut Changes,
    ) {
        if self.observes {
            return;
        }

        let mut refused = RefusedRequests::default();
        for (_, key) in first.iter().chain(others) {
            self.serve_unless_refused(key, &mut refused, changes).ok();
        }
        for (_, key) in others {
            self.serve_or_refuse(key, &mut refused, changes);
        }
    }

    /// Updates the refusals of the Services that request an address that this Service has just been assigned.
    pub(super) fn update_rivals(
        &mut self,
        key: &ServiceKey,
        held_before: &[IpAddr],
        changes: &mut Changes,
    ) {
        let Some(assignment) = self.assignment(key) else { return };

        let mut rivals = Vec::new();
        for address in &assignment.addresses {
            if !held_before.contains(address) {
                rivals.extend(self.waiting.for_address(*address));
            }
        }

        let mut refused = RefusedRequests::default();
        for (_, rival) in &rivals {
            self.serve_or_refuse(rival, &mut refused, changes);
        }
    }

    fn serve_or_refuse(
        &mut self,
        key: &ServiceKey,
        refused: &mut RefusedRequests,
        changes: &mut Changes,
    ) {
        if let Err(refusal) = self.serve_unless_refused(key, refused, changes)
            && let Some(entry) = self.entries.get_mut(key)
            && entry.refusal.as_deref() != Some(&*refusal)
        {
            let explained = self.ledger.explain(&refusal, &entry.request.terms);
            entry.refuse(key, Refusal::clone(&refusal), &explained, changes);
        }
    }

    /// Serves a Service if it waits for an address. One that holds none and has the request of a Service that was just refused
    /// is refused for the same reason, without another search: thousands may wait for a pool that is full.
    fn serve_unless_refused(
        &mut self,
        key: &ServiceKey,
        refused: &mut RefusedRequests,
        changes: &mut Changes,
    ) -> Result<(), Arc<Refusal>> {
        let waiting = self.entries.get(key).filter(|entry| entry.assignment.is_none());
        let request = waiting.map(|entry| Arc::as_ptr(&entry.request));
        if let Some(refusal) = request.and_then(|request| refused.0.get(&request)) {
            return Err(Arc::clone(refusal));
        }

        match self.serve(key, changes) {
            Ok(()) => {
                // An address that was just assigned is one that others may share, and one may have been released.
                refused.0.clear();
                Ok(())
            }
            Err(refusal) => {
                let refusal = Arc::new(refusal);
                if let Some(request) = request {
                    refused.0.insert(request, Arc::clone(&refusal));
                }
                Err(refusal)
            }
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
            Some(held) => {
                let Some(missing) = wanted.missing(&held.addresses) else { return Ok(()) };
                let completed = complete(&mut self.ledger, key, entry, wanted, missing, changes)?;
                let Some(completed) = completed else { return Ok(()) };
                completed
            }
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

/// The requests that were refused since an address was last assigned, by their place in memory: equal requests share one. Only for
/// Services without an address, since those with one of two are served in another way.
#[derive(Default)]
struct RefusedRequests(BTreeMap<*const ServiceRequest, Arc<Refusal>>);

/// Finds the missing address of a Service that holds only one of two. Returns both, or None if the Service can do
/// without the other one.
fn complete(
    ledger: &mut Ledger,
    key: &ServiceKey,
    entry: &ServiceEntry,
    wanted: &AddressRequest,
    missing: IpFamily,
    changes: &mut Changes,
) -> Result<Option<Assignment>, Refusal> {
    let ServiceRequest { terms, pinned, .. } = &*entry.request;
    let Some(Assignment { addresses, pool }) = &entry.assignment else { return Ok(None) };

    let refusal = match ledger.find_other((pool, missing), wanted, pinned, terms) {
        Err(refusal) => refusal,
        Ok(other) => {
            changes.assigned(key, &[other], pool);
            let addresses = wanted.families.sorted(&[addresses, &[other][..]].concat()).into();
            return Ok(Some(Assignment { addresses, pool: Arc::clone(pool) }));
        }
    };
    if !matches!(wanted.families, FamilyRequirement::Both { required: true, .. }) {
        return Ok(None);
    }
    if !wanted.addresses.is_empty() {
        return Err(refusal);
    }

    // The pool cannot give the other address, so the Service moves to a pool that can give both.
    let both = ledger.find(wanted, pinned, terms).map_err(|_| refusal)?;
    for address in addresses {
        ledger.release(key, *address);
    }
    changes.cleared(key, addresses, &ClearReason::BothElsewhere);
    changes.assigned(key, &both.addresses, &both.pool);
    Ok(Some(both))
}
