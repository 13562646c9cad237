//! The rules by which Services may share an address.
//!
//! Owns the rules of the annotation `allow-shared-ip`. Knows nothing of pools.

use std::fmt;
use std::slice;
use std::sync::Arc;

use crate::model::{ExternalTrafficPolicy, Labels, Service, ServiceKey, ServicePort};

use super::annotation::{self, ALLOW_SHARED_IP};

/// The properties of a Service that decide whether it may share an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SharingTerms {
    /// The key that must be equal for all holders; a Service without one shares with no other.
    pub(super) sharing: Option<Arc<SharingKey>>,
    /// The ports, sorted. No two holders of an address may have a port in common.
    pub(super) ports: Box<[ServicePort]>,
}

/// The values on which all holders of a shared address must agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SharingKey {
    /// The value of the annotation.
    name: String,
    /// The pod selector, with policy Local only: these pods decide which nodes announce the address. With policy
    /// Cluster all nodes announce it, so this is empty.
    backend: Labels,
}

impl SharingKey {
    /// The value of the annotation.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Returns the key with which a Service offers to share its address.
pub fn sharing_key(service: &Service) -> Option<&str> {
    annotation::value(service, ALLOW_SHARED_IP).map(|(_, name)| name)
}

impl SharingTerms {
    /// Reads the terms of a Service.
    pub(super) fn of(service: &Service) -> Self {
        let sharing = annotation::value(service, ALLOW_SHARED_IP).map(|(_, name)| {
            let backend = match service.external_traffic_policy {
                ExternalTrafficPolicy::Cluster => Labels::new(),
                ExternalTrafficPolicy::Local => service.selector.clone(),
            };
            Arc::new(SharingKey { name: name.to_owned(), backend })
        });

        let mut ports = service.ports.clone();
        ports.sort_unstable();
        ports.dedup();

        Self { sharing, ports: ports.into_boxed_slice() }
    }

    fn has_port(&self, port: ServicePort) -> bool {
        self.ports.binary_search(&port).is_ok()
    }
}

/// The Services that hold one address.
///
/// Most addresses have one holder and there are thousands of them, so this is only two pointers large.
#[derive(Clone, Debug)]
pub(super) enum Holders {
    /// One Service.
    One(Holder),
    /// Two Services or more.
    Several(Box<SharedHolders>),
}

/// A Service that holds an address.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    key: ServiceKey,
    terms: Arc<SharingTerms>,
}

/// The Services that share one address.
#[derive(Clone, Debug)]
pub(super) struct SharedHolders {
    /// The Services by key. All have the same sharing key.
    holders: Vec<Holder>,
    /// Each port and the Service that uses it, sorted by port.
    ports: Vec<(ServicePort, ServiceKey)>,
}

impl Holders {
    /// Makes the holders of an address that only this Service holds.
    pub(super) fn one(key: &ServiceKey, terms: &Arc<SharingTerms>) -> Self {
        Self::One(Holder { key: key.clone(), terms: Arc::clone(terms) })
    }

    /// Checks that a Service with these terms may join the holders.
    ///
    /// # Errors
    ///
    /// The rule that forbids it, and the holder in conflict.
    pub(super) fn accept(&self, terms: &SharingTerms) -> Result<(), SharingConflict> {
        let [first, ..] = self.as_slice() else { return Ok(()) };

        if let Some(reason) = first.terms.key_conflict(terms) {
            return Err(SharingConflict { holder: first.key.clone(), reason });
        }

        for &port in &terms.ports {
            if let Some(holder) = self.holder_of(port) {
                let reason = ConflictReason::SamePort(port);
                return Err(SharingConflict { holder: holder.clone(), reason });
            }
        }

        Ok(())
    }

    /// Adds a Service that [`Holders::accept`] allowed, or that holds the address with these terms already.
    pub(super) fn add(&mut self, key: &ServiceKey, terms: &Arc<SharingTerms>) {
        match self {
            Self::One(first) if first.key == *key => {}
            Self::One(first) => {
                let mut shared = Box::new(SharedHolders::of(first.clone()));
                shared.add(key, terms);
                *self = Self::Several(shared);
            }
            Self::Several(shared) => shared.add(key, terms),
        }
    }

    /// Removes a Service. Returns true if another one still holds the address; if not, the caller must drop this value,
    /// which still has the last holder in it.
    pub(super) fn remove(&mut self, key: &ServiceKey) -> bool {
        let shared = match self {
            Self::One(only) => return only.key != *key,
            Self::Several(shared) => shared,
        };

        shared.holders.retain(|holder| holder.key != *key);
        shared.ports.retain(|(_, holder)| holder != key);
        if let [last] = shared.holders.as_slice() {
            *self = Self::One(last.clone());
        }
        true
    }

    /// The terms of one of these Services.
    pub(super) fn terms_of(&self, key: &ServiceKey) -> Option<&Arc<SharingTerms>> {
        let holders = self.as_slice();
        let position = holders.binary_search_by(|holder| holder.key.cmp(key)).ok()?;
        Some(&holders[position].terms)
    }

    /// Returns true if a holder uses this port.
    pub(super) fn uses_port(&self, port: ServicePort) -> bool {
        self.holder_of(port).is_some()
    }

    fn as_slice(&self) -> &[Holder] {
        match self {
            Self::One(holder) => slice::from_ref(holder),
            Self::Several(shared) => &shared.holders,
        }
    }

    fn holder_of(&self, port: ServicePort) -> Option<&ServiceKey> {
        match self {
            Self::One(holder) => holder.terms.has_port(port).then_some(&holder.key),
            Self::Several(shared) => {
                let position = shared.find(port).ok()?;
                Some(&shared.ports[position].1)
            }
        }
    }
}

impl SharingTerms {
    /// Returns the reason why the sharing keys forbid that a Service with the other terms joins a holder with these.
    fn key_conflict(&self, other: &Self) -> Option<ConflictReason> {
        let (Some(present), Some(joining)) = (&self.sharing, &other.sharing) else {
            return Some(ConflictReason::NoKey);
        };
        if present.name != joining.name {
            return Some(ConflictReason::OtherKey { key: present.name.clone() });
        }
        if present.backend != joining.backend {
            return Some(ConflictReason::OtherBackend);
        }
        None
    }
}

impl SharedHolders {
    /// Makes a list with one holder, which others are about to join.
    fn of(first: Holder) -> Self {
        let ports = first.terms.ports.iter().map(|port| (*port, first.key.clone())).collect();
        Self { ports, holders: vec![first] }
    }

    fn add(&mut self, key: &ServiceKey, terms: &Arc<SharingTerms>) {
        let Err(position) = self.holders.binary_search_by(|holder| holder.key.cmp(key)) else {
            return;
        };
        self.holders.reserve_exact(1);
        self.holders.insert(position, Holder { key: key.clone(), terms: Arc::clone(terms) });

        self.ports.reserve_exact(terms.ports.len());
        for port in &terms.ports {
            match self.find(*port) {
                Ok(position) => self.ports[position].1 = key.clone(),
                Err(position) => self.ports.insert(position, (*port, key.clone())),
            }
        }
    }

    fn find(&self, port: ServicePort) -> Result<usize, usize> {
        self.ports.binary_search_by_key(&port, |(port, _)| *port)
    }
}

/// Another Service that holds an address and cannot share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SharingConflict {
    /// The Service that holds the address; the first by name if there are several.
    pub holder: ServiceKey,
    /// The rule that forbids sharing.
    pub reason: ConflictReason,
}

impl fmt::Display for SharingConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in use by {}, {}", self.holder, self.reason)
    }
}

/// The rule that keeps two Services from sharing an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConflictReason {
    /// At least one of the two has no annotation `allow-shared-ip`.
    NoKey,
    /// The annotations `allow-shared-ip` differ.
    OtherKey {
        /// The holder's value.
        key: String,
    },
    /// Only one has externalTrafficPolicy Local, or both have it and select different pods: a node would attract
    /// traffic for which it has no pod.
    OtherBackend,
    /// Both use this port.
    SamePort(ServicePort),
}

impl fmt::Display for ConflictReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("and not both Services have the annotation allow-shared-ip"),
            Self::OtherKey { key } => write!(f, "whose annotation allow-shared-ip is {key:?}"),
            Self::OtherBackend => f.write_str(
                "and with externalTrafficPolicy Local, Services share an address only if both have \
                 that policy and the same selector",
            ),
            Self::SamePort(port) => write!(f, "which also has port {port}"),
        }
    }
}
