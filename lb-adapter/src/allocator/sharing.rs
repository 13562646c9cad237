//! When two Services may hold one address.
//!
//! Owns the rules of the annotation `allow-shared-ip`. Knows nothing of pools.

use std::fmt;
use std::slice;
use std::sync::Arc;

use crate::model::{ExternalTrafficPolicy, Labels, Service, ServiceKey, ServicePort};

use super::annotation::{self, ALLOW_SHARED_IP};

/// What a Service brings to the question whether it may share an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SharingTerms {
    /// The two keys that must be equal; `None` shares with nobody.
    pub(super) sharing: Option<Arc<SharingKey>>,
    /// In their order. No two holders of an address may have a port in common.
    pub(super) ports: Box<[ServicePort]>,
}

/// The keys on which all holders of a shared address agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SharingKey {
    /// The value of the annotation.
    name: String,
    /// The pods behind the address as far as they decide which nodes announce it: the selector
    /// with policy Local, nothing with policy Cluster, where all nodes do.
    backend: Labels,
}

impl SharingKey {
    /// The value of the annotation.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl SharingTerms {
    /// The terms of a Service as it stands.
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

    fn has(&self, port: ServicePort) -> bool {
        self.ports.binary_search(&port).is_ok()
    }
}

/// Who holds one address.
///
/// There are thousands of addresses that one Service has for itself, so that this is two pointers.
#[derive(Clone, Debug)]
pub(super) enum Holders {
    /// One.
    One(Holder),
    /// More than one.
    Sharers(Box<Sharers>),
}

/// A Service that holds an address.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    key: ServiceKey,
    terms: Arc<SharingTerms>,
}

/// The Services that share one address.
#[derive(Clone, Debug)]
pub(super) struct Sharers {
    /// By their keys. All have the same sharing key.
    holders: Vec<Holder>,
    /// Whose each port is, by port.
    ports: Vec<(ServicePort, ServiceKey)>,
}

impl Holders {
    /// A Service alone.
    pub(super) fn one(key: &ServiceKey, terms: &Arc<SharingTerms>) -> Self {
        Self::One(Holder { key: key.clone(), terms: Arc::clone(terms) })
    }

    /// Whether a Service with these terms may join.
    ///
    /// # Errors
    ///
    /// Which rule forbids it, and because of whom.
    pub(super) fn accept(&self, terms: &SharingTerms) -> Result<(), SharingConflict> {
        let [first, ..] = self.all() else { return Ok(()) };
        let in_use =
            |why, holder: &ServiceKey| Err(SharingConflict { holder: holder.clone(), why });
        let (Some(wanted), Some(present)) = (&terms.sharing, &first.terms.sharing) else {
            return in_use(ConflictReason::NoKey, &first.key);
        };
        if wanted.name != present.name {
            let key = present.name.clone();
            return in_use(ConflictReason::OtherKey { key }, &first.key);
        }
        if wanted.backend != present.backend {
            return in_use(ConflictReason::OtherBackend, &first.key);
        }
        match terms.ports.iter().find_map(|port| Some((port, self.holder_of(*port)?))) {
            Some((port, holder)) => in_use(ConflictReason::SamePort(*port), holder),
            None => Ok(()),
        }
    }

    /// Adds a Service that [`Holders::accept`] let in, or that is there with these terms already.
    pub(super) fn add(&mut self, key: &ServiceKey, terms: &Arc<SharingTerms>) {
        let several = match self {
            Self::One(first) if first.key == *key => return,
            Self::One(first) => Sharers::of(first.clone()),
            Self::Sharers(several) => {
                several.add(key, terms);
                return;
            }
        };
        let mut several = Box::new(several);
        several.add(key, terms);
        *self = Self::Sharers(several);
    }

    /// Takes a Service out, and says whether anybody is left. The last one stays: with it all this
    /// is to be dropped.
    pub(super) fn remove(&mut self, key: &ServiceKey) -> bool {
        let several = match self {
            Self::One(only) => return only.key != *key,
            Self::Sharers(several) => several,
        };
        several.holders.retain(|holder| holder.key != *key);
        several.ports.retain(|(_, holder)| holder != key);
        if let [last] = several.holders.as_slice() {
            *self = Self::One(last.clone());
        }
        true
    }

    /// The terms of one of these Services.
    pub(super) fn terms_of(&self, key: &ServiceKey) -> Option<&Arc<SharingTerms>> {
        let all = self.all();
        let at = all.binary_search_by(|holder| holder.key.cmp(key)).ok()?;
        Some(&all[at].terms)
    }

    /// Whether a holder has this port.
    pub(super) fn uses(&self, port: ServicePort) -> bool {
        self.holder_of(port).is_some()
    }

    fn all(&self) -> &[Holder] {
        match self {
            Self::One(holder) => slice::from_ref(holder),
            Self::Sharers(several) => &several.holders,
        }
    }

    fn holder_of(&self, port: ServicePort) -> Option<&ServiceKey> {
        match self {
            Self::One(holder) => holder.terms.has(port).then_some(&holder.key),
            Self::Sharers(several) => several.find(port).ok().map(|at| &several.ports[at].1),
        }
    }
}

impl Sharers {
    /// One that others are to join.
    fn of(first: Holder) -> Self {
        let ports = first.terms.ports.iter().map(|port| (*port, first.key.clone())).collect();
        Self { ports, holders: vec![first] }
    }

    fn add(&mut self, key: &ServiceKey, terms: &Arc<SharingTerms>) {
        let Err(at) = self.holders.binary_search_by(|holder| holder.key.cmp(key)) else { return };
        self.holders.reserve_exact(1);
        self.holders.insert(at, Holder { key: key.clone(), terms: Arc::clone(terms) });
        self.ports.reserve_exact(terms.ports.len());
        for port in &terms.ports {
            match self.find(*port) {
                Ok(at) => self.ports[at].1 = key.clone(),
                Err(at) => self.ports.insert(at, (*port, key.clone())),
            }
        }
    }

    fn find(&self, port: ServicePort) -> Result<usize, usize> {
        self.ports.binary_search_by_key(&port, |(port, _)| *port)
    }
}

/// An address that another Service holds and that cannot be shared with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SharingConflict {
    /// The Service that holds it; the first by name if there are several.
    pub holder: ServiceKey,
    /// The rule of sharing that forbids it.
    pub why: ConflictReason,
}

impl fmt::Display for SharingConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in use by {}, {}", self.holder, self.why)
    }
}

/// The rule that keeps two Services from sharing an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConflictReason {
    /// One of the two has no annotation `allow-shared-ip`.
    NoKey,
    /// The annotations `allow-shared-ip` differ.
    OtherKey {
        /// The one of the holder.
        key: String,
    },
    /// One has externalTrafficPolicy Local and the other does not, or both have it and select
    /// different pods: a node would attract traffic that it has no pod for.
    OtherBackend,
    /// Both want this port.
    SamePort(ServicePort),
}

impl fmt::Display for ConflictReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("and not both have the annotation allow-shared-ip"),
            Self::OtherKey { key } => write!(f, "whose annotation allow-shared-ip is {key:?}"),
            Self::OtherBackend => f.write_str(
                "and with externalTrafficPolicy Local an address is shared only between Services \
                 with that policy and the same selector",
            ),
            Self::SamePort(port) => write!(f, "which has port {port} too"),
        }
    }
}
