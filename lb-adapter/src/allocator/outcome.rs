//! What the allocator says about its work.
//!
//! Owns the types of its answers and the sentences of its events.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::ServiceKey;

use super::refusal::{Cleared, Refusal};

/// Which addresses each Service holds: what is remembered over a restart.
pub type Held = BTreeMap<ServiceKey, Vec<IpAddr>>;

/// The addresses that one Service was given, all of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Assignment {
    /// At least one; IPv4 before IPv6.
    pub addresses: Vec<IpAddr>,
    /// The name of the pool they lie in.
    pub pool: String,
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
    pub fn held(&self) -> Held {
        let entry = |(key, assignment): (&ServiceKey, &Assignment)| {
            (key.clone(), assignment.addresses.clone())
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

/// What an [`Event`] is about; the names are those of MetalLB's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventReason {
    /// The Service was given its address.
    IpAllocated,
    /// The Service was not given what it asks for.
    AllocationFailed,
    /// The Service lost its address.
    ClearAssignment,
}

impl EventReason {
    /// The word Kubernetes shows: `IPAllocated`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IpAllocated => "IPAllocated",
            Self::AllocationFailed => "AllocationFailed",
            Self::ClearAssignment => "ClearAssignment",
        }
    }

    /// Whether Kubernetes shows it as of type Warning; the others are Normal.
    pub fn is_warning(self) -> bool {
        self == Self::AllocationFailed
    }
}

impl Changes {
    pub(super) fn assigned(&mut self, key: &ServiceKey, address: IpAddr, pool: &str) {
        let message = format!("assigned {address} from pool {pool:?}");
        self.push(key, EventReason::IpAllocated, message);
        self.services.insert(key.clone());
    }

    pub(super) fn cleared(&mut self, key: &ServiceKey, addresses: &[IpAddr], why: &Cleared) {
        let message = format!("took back {}: {why}", list(addresses));
        self.push(key, EventReason::ClearAssignment, message);
        self.services.insert(key.clone());
    }

    pub(super) fn refused(&mut self, key: &ServiceKey, why: &Refusal, keeps: Option<&Assignment>) {
        let message = match keeps {
            None => format!("no address: {why}"),
            Some(keeps) => format!("keeps {}: {why}", list(&keeps.addresses)),
        };
        self.push(key, EventReason::AllocationFailed, message);
    }

    fn push(&mut self, key: &ServiceKey, reason: EventReason, message: String) {
        self.events.push(Event { service: key.clone(), reason, message });
    }
}

fn list(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" and ")
}
