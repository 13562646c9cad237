//! The results of the allocator's work.
//!
//! Owns the types of the results and the messages of the Events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::slice;
use std::sync::Arc;

use crate::model::ServiceKey;

use super::annotation::{OLD_PREFIX, PREFIX};
use super::refusal::{ClearReason, Refusal, join_addresses};

/// The addresses that each Service holds, as they are remembered across restarts.
pub type HeldAddresses = BTreeMap<ServiceKey, Vec<IpAddr>>;

/// The addresses assigned to one Service, all from one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assignment {
    /// One, or one of each family: IPv4 before IPv6 unless the Service's `ipFamilies` say otherwise.
    pub addresses: AddressList,
    /// The name of their pool.
    pub pool: Arc<str>,
}

/// A list of addresses. A list of one, as most Services have it, needs no heap memory.
#[derive(Clone, PartialEq, Eq)]
pub struct AddressList(Storage);

#[derive(Clone, PartialEq, Eq)]
enum Storage {
    One(IpAddr),
    Many(Box<[IpAddr]>),
}

impl Deref for AddressList {
    type Target = [IpAddr];

    fn deref(&self) -> &[IpAddr] {
        match &self.0 {
            Storage::One(address) => slice::from_ref(address),
            Storage::Many(addresses) => addresses,
        }
    }
}

impl From<Vec<IpAddr>> for AddressList {
    fn from(addresses: Vec<IpAddr>) -> Self {
        Self(match *addresses {
            [address] => Storage::One(address),
            _ => Storage::Many(addresses.into_boxed_slice()),
        })
    }
}

impl<'a> IntoIterator for &'a AddressList {
    type Item = &'a IpAddr;
    type IntoIter = slice::Iter<'a, IpAddr>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The result of [`Allocator::reconcile`](super::Allocator::reconcile).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The assignments of the Services that hold an address now.
    pub assignments: BTreeMap<ServiceKey, Assignment>,
    /// The refusals of the Services that were not assigned the addresses that they request. A Service that is in `assignments` too has
    /// an invalid request and keeps its addresses.
    pub refusals: BTreeMap<ServiceKey, Refusal>,
    /// The changes made by this call.
    pub changes: Changes,
}

/// The changes made by one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The Events to report, in order. A refusal is reported once, not by each call.
    pub events: Vec<Event>,
    /// The Services whose addresses changed, so that their status must be written.
    pub services: BTreeSet<ServiceKey>,
}

impl Outcome {
    /// Returns the addresses in the form in which they are remembered.
    pub fn held(&self) -> HeldAddresses {
        let assignments = self.assignments.iter();
        assignments.map(|(key, assignment)| (key.clone(), assignment.addresses.to_vec())).collect()
    }
}

/// A Kubernetes Event about a Service, for the operator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Event {
    /// The Service.
    pub service: ServiceKey,
    /// The kind of the Event.
    pub reason: EventReason,
    /// A sentence in lower case, without a full stop.
    pub message: String,
}

/// The reason of an [`Event`]. If MetalLB has the same Event, its name for the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventReason {
    /// The Service was assigned an address.
    IpAllocated,
    /// The Service was not assigned the addresses that it requests.
    AllocationFailed,
    /// The Service lost its address.
    ClearAssignment,
    /// The Service requires both families but has a cluster IP of only one.
    NotEnoughClusterIps,
    /// The Service held a combination of addresses that no Service may have.
    NoLbIpsIpFamily,
    /// The Service has an annotation with a deprecated name.
    DeprecatedAnnotation,
    /// The Service has an annotation `ferrolb.io/...` that has no effect.
    InvalidAnnotation,
}

impl EventReason {
    /// The reason as Kubernetes shows it: `IPAllocated`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IpAllocated => "IPAllocated",
            Self::AllocationFailed => "AllocationFailed",
            Self::ClearAssignment => "ClearAssignment",
            Self::NotEnoughClusterIps => "not enough clusterips",
            Self::NoLbIpsIpFamily => "nolbIPsIPFamily",
            Self::DeprecatedAnnotation => "deprecatedAnnotation",
            Self::InvalidAnnotation => "InvalidAnnotation",
        }
    }

    /// Returns true if the Event is of type Warning; the others are Normal.
    pub fn is_warning(self) -> bool {
        !matches!(self, Self::IpAllocated | Self::ClearAssignment)
    }
}

impl Changes {
    /// Reports that a Service was assigned these addresses.
    pub(super) fn assigned(&mut self, key: &ServiceKey, addresses: &[IpAddr], pool: &str) {
        let message = format!("assigned {} from pool {pool:?}", join_addresses(addresses));
        self.push(key, EventReason::IpAllocated, message);
        self.services.insert(key.clone());
    }

    /// Reports that a Service lost these addresses.
    pub(super) fn cleared(&mut self, key: &ServiceKey, addresses: &[IpAddr], cause: &ClearReason) {
        let reason = match cause {
            ClearReason::TooMany => EventReason::NoLbIpsIpFamily,
            _ => EventReason::ClearAssignment,
        };
        self.push(key, reason, format!("took back {}: {cause}", join_addresses(addresses)));
        self.services.insert(key.clone());
    }

    /// Reports a refusal to a Service that keeps the addresses of `kept`, if any.
    pub(super) fn refused(
        &mut self,
        key: &ServiceKey,
        refusal: &Refusal,
        kept: Option<&Assignment>,
    ) {
        let reason = match refusal {
            Refusal::NotEnoughClusterIps { .. } => EventReason::NotEnoughClusterIps,
            _ => EventReason::AllocationFailed,
        };
        let message = match kept {
            None => format!("no address: {refusal}"),
            Some(kept) => format!("keeps {}: {refusal}", join_addresses(&kept.addresses)),
        };
        self.push(key, reason, message);
    }

    /// Reports that a Service has a deprecated annotation.
    pub(super) fn deprecated(&mut self, key: &ServiceKey, name: &str) {
        let message = format!("annotation {OLD_PREFIX}{name} is deprecated, use {PREFIX}{name}");
        self.push(key, EventReason::DeprecatedAnnotation, message);
    }

    fn push(&mut self, key: &ServiceKey, reason: EventReason, message: String) {
        self.events.push(Event { service: key.clone(), reason, message });
    }
}
