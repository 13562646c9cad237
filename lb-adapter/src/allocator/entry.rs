//! The state of one Service in the allocator.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{ServiceKey, Timestamp};

use super::ledger::Ledger;
use super::outcome::{Assignment, Changes};
use super::refusal::Refusal;
use super::request::{Age, FamilyRequirement, ServiceRequest, age};

/// A Service that is served here.
#[derive(Clone, Debug)]
pub(super) struct ServiceEntry {
    pub(super) created: Option<Timestamp>,
    pub(super) request: Arc<ServiceRequest>,
    pub(super) assignment: Option<Assignment>,
    /// The last refusal, which has been reported already.
    pub(super) refusal: Option<Box<Refusal>>,
}

impl ServiceEntry {
    /// Returns true if neither the terms on which the Service shares nor its addresses have changed.
    pub(super) fn is_unchanged(&self, request: &ServiceRequest, held: &[IpAddr]) -> bool {
        self.request.terms == request.terms && self.addresses() == held
    }

    /// The age of the Service.
    pub(super) fn age(&self) -> Age {
        age(self.created)
    }

    /// The addresses that the Service holds.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        self.assignment.as_ref().map_or(&[], |assignment| &assignment.addresses)
    }

    /// Updates the refusal after a change of the assignment. Returns true if the Service waits for an address.
    pub(super) fn settle(
        &mut self,
        key: &ServiceKey,
        ledger: &Ledger,
        changes: &mut Changes,
    ) -> bool {
        let wanted = match &self.request.wanted {
            Ok(wanted) => wanted,
            Err(refusal) => {
                let refusal = Refusal::clone(refusal);
                self.refuse(key, refusal.clone(), &refusal, changes);
                return false;
            }
        };
        let Some(Assignment { addresses, pool }) = &self.assignment else { return true };

        let waits = match (wanted.missing(addresses), wanted.families) {
            // A pool that no longer exists cannot give a missing address.
            _ if !ledger.has_pool(pool) => false,
            (None, _) => false,
            (Some(_), FamilyRequirement::Both { required: true, .. }) => return true,
            // As long as the pool has no addresses of the family, there is nothing to look for.
            (Some(family), _) => ledger.has_family(pool, family),
        };

        self.refusal = None;
        waits
    }

    /// Records a refusal. If it has changed, reports it in the form of `explained`.
    pub(super) fn refuse(
        &mut self,
        key: &ServiceKey,
        refusal: Refusal,
        explained: &Refusal,
        changes: &mut Changes,
    ) {
        if self.refusal.as_deref() != Some(&refusal) {
            changes.refused(key, explained, self.assignment.as_ref());
            self.refusal = Some(Box::new(refusal));
        }
    }
}
