//! What the allocator says about its work.
//!
//! Owns the types of its answers and the sentences of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::slice;
use std::sync::Arc;

use crate::model::ServiceKey;

use super::annotation::{OLD_PREFIX, PREFIX};
use super::refusal::{ClearReason, Refusal, and};

/// Which addresses each Service holds: what is remembered over a restart.
pub type HeldAddresses = BTreeMap<ServiceKey, Vec<IpAddr>>;

/// The addresses that one Service was given, all of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assignment {
    /// One, or one of each family: IPv4 before IPv6 unless the Service's `ipFamilies` say otherwise.
    pub addresses: AddressList,
    /// The name of the pool they lie in.
    pub pool: Arc<str>,
}

/// A list of addresses that takes no memory of its own where it has one, as that of most Services.
#[derive(Clone, PartialEq, Eq)]
pub struct AddressList(List);

#[derive(Clone, PartialEq, Eq)]
enum List {
    One(IpAddr),
    Other(Box<[IpAddr]>),
}

impl Deref for AddressList {
    type Target = [IpAddr];

    fn deref(&self) -> &[IpAddr] {
        match &self.0 {
            List::One(address) => slice::from_ref(address),
            List::Other(addresses) => addresses,
        }
    }
}

impl From<Vec<IpAddr>> for AddressList {
    fn from(addresses: Vec<IpAddr>) -> Self {
        Self(match *addresses {
            [address] => List::One(address),
            _ => List::Other(addresses.into_boxed_slice()),
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

/// What [`Allocator::reconcile`](super::Allocator::reconcile) made of the Services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The Services that hold an address now.
    pub assignments: BTreeMap<ServiceKey, Assignment>,
    /// Why a Service was not given what it asks for. One that is in `assignments` too keeps what
    /// it has, since its request cannot be understood.
    pub refusals: BTreeMap<ServiceKey, Refusal>,
    /// What this call did.
    pub changes: Changes,
}

/// What one call did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// What to tell about it, in the order it happened. A refusal is told once, not at each call.
    pub events: Vec<Event>,
    /// The Services whose addresses are no longer those they held: what has to be written.
    pub services: BTreeSet<ServiceKey>,
}

impl Outcome {
    /// The addresses, in the form they are remembered in.
    pub fn held(&self) -> HeldAddresses {
        let entry = |(key, assignment): (&ServiceKey, &Assignment)| {
            (key.clone(), assignment.addresses.to_vec())
        };
        self.assignments.iter().map(entry).collect()
    }
}

/// Something that happened to a Service, for its operator.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The Service.
    pub service: ServiceKey,
    /// What happened.
    pub reason: EventReason,
    /// A sentence about it: lower case, without a full stop.
    pub message: String,
}

/// What an [`Event`] is about; the names are those of MetalLB's events, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventReason {
    /// The Service was given its address.
    IpAllocated,
    /// The Service was not given what it asks for.
    AllocationFailed,
    /// The Service lost its address.
    ClearAssignment,
    /// The Service requires both families and has a cluster IP of one.
    NotEnoughClusterIps,
    /// The Service held addresses that cannot be those of one Service.
    NoLbIpsIpFamily,
    /// The Service has an annotation by a name of old.
    DeprecatedAnnotation,
    /// The Service has an annotation of our own that has no effect.
    InvalidAnnotation,
}

impl EventReason {
    /// The word Kubernetes shows: `IPAllocated`.
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

    /// Whether Kubernetes shows it as of type Warning; the others are Normal.
    pub fn is_warning(self) -> bool {
        !matches!(self, Self::IpAllocated | Self::ClearAssignment)
    }
}

impl Changes {
    pub(super) fn assigned(&mut self, key: &ServiceKey, addresses: &[IpAddr], pool: &str) {
        let message = format!("assigned {} from pool {pool:?}", and(addresses));
        self.push(key, EventReason::IpAllocated, message);
        self.services.insert(key.clone());
    }

    pub(super) fn cleared(&mut self, key: &ServiceKey, addresses: &[IpAddr], why: &ClearReason) {
        let reason = match why {
            ClearReason::TooMany => EventReason::NoLbIpsIpFamily,
            _ => EventReason::ClearAssignment,
        };
        self.push(key, reason, format!("took back {}: {why}", and(addresses)));
        self.services.insert(key.clone());
    }

    pub(super) fn refused(&mut self, key: &ServiceKey, why: &Refusal, keeps: Option<&Assignment>) {
        let reason = match why {
            Refusal::NotEnoughClusterIps { .. } => EventReason::NotEnoughClusterIps,
            _ => EventReason::AllocationFailed,
        };
        let message = match keeps {
            None => format!("no address: {why}"),
            Some(keeps) => format!("keeps {}: {why}", and(&keeps.addresses)),
        };
        self.push(key, reason, message);
    }

    pub(super) fn deprecated(&mut self, key: &ServiceKey, name: &str) {
        let message = format!("annotation {OLD_PREFIX}{name} is deprecated, write {PREFIX}{name}");
        self.push(key, EventReason::DeprecatedAnnotation, message);
    }

    fn push(&mut self, key: &ServiceKey, reason: EventReason, message: String) {
        self.events.push(Event { service: key.clone(), reason, message });
    }
}
