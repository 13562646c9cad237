//! When two Services may hold one address.
//!
//! Owns the rules of the annotation `allow-shared-ip`. Knows nothing of pools.

use std::fmt;
use std::sync::Arc;

use crate::model::{ExternalTrafficPolicy, Labels, Service, ServiceKey, ServicePort};

use super::annotation::{self, ALLOW_SHARED_IP};

/// What a Service brings to the question whether it may share an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    /// The two keys that must be equal; `None` shares with nobody.
    pub(super) sharing: Option<Arc<SharingKey>>,
    /// No two holders of an address may have a port in common.
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

impl Terms {
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
}

/// Who holds one address.
#[derive(Clone, Debug, Default)]
pub(super) struct Holders {
    /// Common to all holders; that of the one holder if there is one.
    sharing: Option<Arc<SharingKey>>,
    /// In their order.
    services: Vec<ServiceKey>,
    /// Whose each port is, by port.
    ports: Vec<(ServicePort, ServiceKey)>,
}

impl Holders {
    /// Whether a Service with these terms may join.
    ///
    /// # Errors
    ///
    /// Which rule forbids it, and because of whom.
    pub(super) fn accept(&self, terms: &Terms) -> Result<(), InUse> {
        let Some(holder) = self.services.first() else { return Ok(()) };
        let in_use = |why, holder: &ServiceKey| Err(InUse { holder: holder.clone(), why });
        let (Some(wanted), Some(present)) = (&terms.sharing, &self.sharing) else {
            return in_use(WhyNotShared::NoKey, holder);
        };
        if wanted.name != present.name {
            return in_use(WhyNotShared::OtherKey { key: present.name.clone() }, holder);
        }
        if wanted.backend != present.backend {
            return in_use(WhyNotShared::OtherBackend, holder);
        }
        match terms.ports.iter().find_map(|port| Some((port, self.holder_of(*port)?))) {
            Some((port, holder)) => in_use(WhyNotShared::SamePort(*port), holder),
            None => Ok(()),
        }
    }

    /// Adds a Service that [`Holders::accept`] let in.
    pub(super) fn add(&mut self, key: &ServiceKey, terms: &Terms) {
        self.sharing.clone_from(&terms.sharing);
        if let Err(at) = self.services.binary_search(key) {
            self.services.reserve_exact(1);
            self.services.insert(at, key.clone());
        }
        self.ports.reserve_exact(terms.ports.len());
        for port in &terms.ports {
            match self.find(*port) {
                Ok(at) => self.ports[at].1 = key.clone(),
                Err(at) => self.ports.insert(at, (*port, key.clone())),
            }
        }
    }

    /// Takes a Service out; gives back the ports it had.
    pub(super) fn remove(&mut self, key: &ServiceKey) -> Vec<ServicePort> {
        self.services.retain(|holder| holder != key);
        self.ports.extract_if(.., |(_, holder)| holder == key).map(|(port, _)| port).collect()
    }

    /// Whether a holder has this port.
    pub(super) fn uses(&self, port: ServicePort) -> bool {
        self.holder_of(port).is_some()
    }

    fn holder_of(&self, port: ServicePort) -> Option<&ServiceKey> {
        self.find(port).ok().map(|at| &self.ports[at].1)
    }

    fn find(&self, port: ServicePort) -> Result<usize, usize> {
        self.ports.binary_search_by_key(&port, |(port, _)| *port)
    }

    /// The keys on which a newcomer must agree; `None` if none can.
    pub(super) fn sharing(&self) -> Option<&SharingKey> {
        self.sharing.as_deref()
    }

    /// Whether nobody holds the address any more.
    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty()
    }
}

/// An address that another Service holds and that cannot be shared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InUse {
    /// The Service that holds it; the first by name if there are several.
    pub holder: ServiceKey,
    /// The rule of sharing that forbids it.
    pub why: WhyNotShared,
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in use by {}, {}", self.holder, self.why)
    }
}

/// The rule that keeps two Services from sharing an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyNotShared {
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

impl fmt::Display for WhyNotShared {
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
