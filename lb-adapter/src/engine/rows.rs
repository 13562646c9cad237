//! The objects as they are now, one row for each.
//!
//! Owns what is known; decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::{Endpoint, EndpointSlice, Namespace, Node, Service, ServiceKey};

/// Everything that is known of a cluster, its configuration aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) services: BTreeMap<ServiceKey, ServiceRow>,
    endpoints: BTreeMap<ServiceKey, EndpointRows>,
    /// The Service of each slice, which may be another one tomorrow.
    slices: BTreeMap<(String, String), ServiceKey>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) namespaces: BTreeMap<String, Namespace>,
}

/// A Service and what it holds by whatever remembers it.
#[derive(Clone, Debug)]
pub(super) struct ServiceRow {
    pub(super) service: Service,
    /// As written: who wrote it need not have been us.
    pub(super) status: Vec<String>,
}

/// The endpoints of one Service.
#[derive(Clone, Debug, Default)]
pub(super) struct EndpointRows {
    /// By the names of the slices.
    slices: BTreeMap<String, Vec<Endpoint>>,
    /// From an Endpoints object, which counts where there is no slice.
    object: Option<Vec<Endpoint>>,
}

impl ServiceRow {
    /// The addresses that it holds; nothing if its status has what is no address.
    pub(super) fn held(&self) -> Option<Vec<IpAddr>> {
        self.status.iter().map(|text| text.parse().ok()).collect()
    }
}

impl EndpointRows {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        let object = self.object.iter().filter(|_| self.slices.is_empty());
        self.slices.values().chain(object).flatten()
    }

    fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.object.is_none()
    }
}

impl Rows {
    /// The endpoints of a Service.
    pub(super) fn endpoints_of(&self, key: &ServiceKey) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.get(key).into_iter().flat_map(EndpointRows::iter)
    }

    pub(super) fn has_slice(&self, namespace: &str, name: &str) -> bool {
        self.slices.contains_key(&(namespace.to_owned(), name.to_owned()))
    }

    pub(super) fn has_object(&self, key: &ServiceKey) -> bool {
        self.endpoints.get(key).is_some_and(|rows| rows.object.is_some())
    }

    /// Takes in a slice; gives back the Services whose endpoints are others now.
    pub(super) fn put_slice(&mut self, slice: EndpointSlice) -> BTreeSet<ServiceKey> {
        let name = (slice.namespace, slice.name);
        let mut touched = BTreeSet::from([slice.service.clone()]);
        if let Some(before) = self.slices.insert(name.clone(), slice.service.clone())
            && before != slice.service
        {
            self.take_slice(&before, &name.1);
            touched.insert(before);
        }
        self.endpoints.entry(slice.service).or_default().slices.insert(name.1, slice.endpoints);
        touched
    }

    /// Forgets a slice; gives back its Service.
    pub(super) fn remove_slice(&mut self, namespace: &str, name: &str) -> Option<ServiceKey> {
        let service = self.slices.remove(&(namespace.to_owned(), name.to_owned()))?;
        self.take_slice(&service, name);
        Some(service)
    }

    fn take_slice(&mut self, service: &ServiceKey, name: &str) {
        if let Some(rows) = self.endpoints.get_mut(service) {
            rows.slices.remove(name);
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
        self.endpoints.entry(key.clone()).or_default().object = endpoints;
        self.drop_if_empty(key);
    }

    fn drop_if_empty(&mut self, key: &ServiceKey) {
        if self.endpoints.get(key).is_some_and(EndpointRows::is_empty) {
            self.endpoints.remove(key);
        }
    }
}
