//! The objects as they are now, one row for each.
//!
//! Owns what is known, in little memory: there are thousands of rows, so that what several have in common is there
//! once. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::allocator;
use crate::model::{Endpoint, EndpointSlice, Namespace, Node, Service, ServiceKey};
use crate::planner;
use crate::shared::Shared;

/// Everything that is known of a cluster, its configuration aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) services: BTreeMap<ServiceKey, Box<ServiceRow>>,
    endpoints: BTreeMap<ServiceKey, EndpointRows>,
    /// The Service of each slice, which may be another one tomorrow.
    slices: BTreeMap<SliceName, ServiceKey>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) namespaces: BTreeMap<String, Namespace>,
    /// What stands in many rows: namespaces, keys of labels, the nodes that endpoints are on.
    words: Shared<str>,
}

/// A Service and what it holds by whatever remembers it.
#[derive(Clone, Debug)]
pub(super) struct ServiceRow {
    pub(super) service: Service,
    /// As written: who wrote it need not have been us.
    pub(super) status: Vec<String>,
}

/// Namespace and name.
type SliceName = Arc<(Arc<str>, Box<str>)>;

/// The endpoints of one Service.
#[derive(Clone, Debug, Default)]
struct EndpointRows {
    /// By the names of the slices.
    slices: Vec<(SliceName, Box<[Endpoint]>)>,
    /// From an Endpoints object, which counts where there is no slice.
    object: Option<Box<[Endpoint]>>,
}

impl ServiceRow {
    /// The addresses that it holds; nothing if its status has what is no address.
    pub(super) fn held(&self) -> Option<Vec<IpAddr>> {
        self.status.iter().map(|text| text.parse().ok()).collect()
    }
}

impl EndpointRows {
    fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        let object = self.object.iter().filter(|_| self.slices.is_empty());
        self.slices.iter().map(|(_, endpoints)| endpoints).chain(object).flatten()
    }

    fn put(&mut self, name: SliceName, endpoints: Box<[Endpoint]>) {
        match self.slices.binary_search_by(|(other, _)| other.cmp(&name)) {
            Ok(at) => self.slices[at].1 = endpoints,
            Err(at) => {
                self.slices.reserve_exact(1);
                self.slices.insert(at, (name, endpoints));
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.object.is_none()
    }
}

impl Rows {
    /// Takes in a Service and what it holds. Of its annotations those are kept that mean something here.
    pub(super) fn put_service(&mut self, mut service: Service, status: Vec<String>) {
        service.annotations.retain(|name| allocator::is_read(name) || planner::is_read(name));
        service.labels = service.labels.sharing(&mut self.words);
        service.selector = service.selector.sharing(&mut self.words);
        service.key = self.known(service.key);
        let key = service.key.clone();
        self.services.insert(key, Box::new(ServiceRow { service, status }));
    }

    /// The endpoints of a Service.
    pub(super) fn endpoints_of(&self, key: &ServiceKey) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.get(key).into_iter().flat_map(EndpointRows::iter)
    }

    /// Namespace and name of each slice.
    pub(super) fn slices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.slices.keys().map(|name| (&*name.0, &*name.1))
    }

    pub(super) fn has_slice(&self, namespace: &str, name: &str) -> bool {
        self.slices.contains_key(&slice_name(namespace, name))
    }

    pub(super) fn has_object(&self, key: &ServiceKey) -> bool {
        self.endpoints.get(key).is_some_and(|rows| rows.object.is_some())
    }

    /// Takes in a slice; gives back the Services whose endpoints are others now.
    pub(super) fn put_slice(&mut self, slice: EndpointSlice) -> BTreeSet<ServiceKey> {
        let name = slice_name(&slice.namespace, &slice.name);
        let service = self.known(slice.service);
        let name = match self.slices.get_key_value(&name) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new((self.words.share(Arc::clone(&name.0)), name.1.clone())),
        };
        let mut touched = BTreeSet::from([service.clone()]);
        if let Some(before) = self.slices.insert(Arc::clone(&name), service.clone())
            && before != service
        {
            self.take_slice(&before, &name);
            touched.insert(before);
        }
        let endpoints = self.shared(slice.endpoints);
        self.endpoints.entry(service).or_default().put(name, endpoints);
        touched
    }

    /// Forgets a slice; gives back its Service.
    pub(super) fn remove_slice(&mut self, namespace: &str, name: &str) -> Option<ServiceKey> {
        let name = slice_name(namespace, name);
        let service = self.slices.remove(&name)?;
        self.take_slice(&service, &name);
        Some(service)
    }

    fn take_slice(&mut self, service: &ServiceKey, name: &SliceName) {
        if let Some(rows) = self.endpoints.get_mut(service) {
            rows.slices.retain(|(other, _)| other != name);
        }
        self.drop_if_empty(service);
    }

    /// Forgets all endpoints.
    pub(super) fn clear_endpoints(&mut self) {
        self.endpoints.clear();
        self.slices.clear();
    }

    /// Takes in the endpoints of an Endpoints object, or forgets them.
    pub(super) fn put_object(&mut self, key: &ServiceKey, endpoints: Option<Vec<Endpoint>>) {
        let endpoints = endpoints.map(|endpoints| self.shared(endpoints));
        let key = self.known(key.clone());
        self.endpoints.entry(key.clone()).or_default().object = endpoints;
        self.drop_if_empty(&key);
    }

    fn drop_if_empty(&mut self, key: &ServiceKey) {
        if self.endpoints.get(key).is_some_and(EndpointRows::is_empty) {
            self.endpoints.remove(key);
        }
    }

    /// The key under which there is something of a Service already, so that all share its names.
    fn known(&mut self, key: ServiceKey) -> ServiceKey {
        let service = self.services.get_key_value(&key).map(|(known, _)| known);
        let known = service.or_else(|| Some(self.endpoints.get_key_value(&key)?.0));
        let known = known.cloned();
        known.unwrap_or_else(|| key.sharing(&mut self.words))
    }

    /// Endpoints that share the names of their nodes.
    fn shared(&mut self, mut endpoints: Vec<Endpoint>) -> Box<[Endpoint]> {
        for name in endpoints.iter_mut().filter_map(|endpoint| endpoint.node_name.as_mut()) {
            *name = self.words.share(Arc::clone(name));
        }
        endpoints.into_boxed_slice()
    }
}

fn slice_name(namespace: &str, name: &str) -> SliceName {
    Arc::new((namespace.into(), name.into()))
}
