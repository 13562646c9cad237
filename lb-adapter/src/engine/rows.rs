//! The objects as they are now, one row for each.
//!
//! Owns what is known, in little memory: there are thousands of rows, which are kept packed, and names that several have
//! in common are there once. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::allocator;
use crate::compact;
use crate::intern::Interner;
use crate::model::{Endpoint, EndpointSlice, Namespace, Node, Service, ServiceKey};
use crate::planner;

use super::packed::{PackedEndpoints, PackedService};

/// Everything that is known of a cluster, its configuration aside.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    services: BTreeMap<ServiceKey, PackedService>,
    endpoints: BTreeMap<ServiceKey, EndpointRows>,
    /// The Service of each slice, which may be another one tomorrow.
    slices: BTreeMap<SliceName, ServiceKey>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) namespaces: BTreeMap<String, Namespace>,
    /// What stands in the names of many.
    namespace_names: Interner<str>,
}

/// Namespace and name.
type SliceName = Arc<(Arc<str>, Box<str>)>;

/// The endpoints of one Service.
#[derive(Clone, Debug, Default)]
struct EndpointRows {
    /// By the names of the slices.
    slices: Box<[(SliceName, PackedEndpoints)]>,
    /// From an Endpoints object, which counts where there is no slice.
    object: Option<PackedEndpoints>,
}

impl EndpointRows {
    fn iter(&self) -> impl Iterator<Item = Endpoint<&str>> {
        let object = self.object.iter().filter(|_| self.slices.is_empty());
        let slices = self.slices.iter().map(|(_, endpoints)| endpoints);
        slices.chain(object).flat_map(PackedEndpoints::iter)
    }

    fn put(&mut self, name: SliceName, endpoints: PackedEndpoints) {
        match self.slices.binary_search_by(|(other, _)| other.cmp(&name)) {
            Ok(at) => self.slices[at].1 = endpoints,
            Err(at) => {
                let mut slices = std::mem::take(&mut self.slices).into_vec();
                slices.insert(at, (name, endpoints));
                self.slices = slices.into_boxed_slice();
            }
        }
    }

    fn take(&mut self, name: &SliceName) {
        let mut slices = std::mem::take(&mut self.slices).into_vec();
        slices.retain(|(other, _)| other != name);
        self.slices = slices.into_boxed_slice();
    }

    fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.object.is_none()
    }
}

impl Rows {
    /// Takes in a Service, whose status has what it holds by whatever remembers it; gives back its key, as everybody is
    /// to have it. Of its annotations those are kept that mean something here.
    pub(super) fn put_service(&mut self, mut service: Service) -> ServiceKey {
        service
            .annotations
            .retain(|name| allocator::reads_annotation(name) || planner::is_read(name));
        let packed = PackedService::of(&service);
        let key = self.known(service.key);
        self.services.insert(key.clone(), packed);
        key
    }

    /// The key of a Service as everybody is to have it.
    pub(super) fn key_of(&self, key: &ServiceKey) -> Option<&ServiceKey> {
        self.services.get_key_value(key).map(|(known, _)| known)
    }

    /// A Service.
    pub(super) fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.services.get_key_value(key).map(|(key, packed)| packed.unpack(key))
    }

    /// All Services, by namespace and name.
    pub(super) fn services(&self) -> impl Iterator<Item = Service> {
        self.services.iter().map(|(key, packed)| packed.unpack(key))
    }

    /// The names of all Services.
    pub(super) fn service_keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys()
    }

    pub(super) fn has_service(&self, key: &ServiceKey) -> bool {
        self.services.contains_key(key)
    }

    /// What a Service holds, as its status has it: who wrote it need not have been us.
    pub(super) fn status_addresses(&self, key: &ServiceKey) -> Option<Vec<String>> {
        self.services.get(key).map(PackedService::status_addresses)
    }

    /// Changes what a Service holds.
    pub(super) fn set_status_addresses(&mut self, key: &ServiceKey, addresses: Vec<String>) {
        let Some(packed) = self.services.get_mut(key) else { return };
        let service = Service { status_addresses: addresses, ..packed.unpack(key) };
        *packed = PackedService::of(&service);
    }

    pub(super) fn remove_service(&mut self, key: &ServiceKey) {
        self.services.remove(key);
    }

    /// Forgets all Services.
    pub(super) fn take_services(&mut self) -> BTreeMap<ServiceKey, PackedService> {
        std::mem::take(&mut self.services)
    }

    /// The endpoints of a Service.
    pub(super) fn endpoints_of(&self, key: &ServiceKey) -> impl Iterator<Item = Endpoint<&str>> {
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
            None => Arc::new((self.namespace_names.intern(Arc::clone(&name.0)), name.1.clone())),
        };
        let mut touched = BTreeSet::from([service.clone()]);
        if let Some(before) = self.slices.insert(Arc::clone(&name), service.clone())
            && before != service
        {
            self.take_slice(&before, &name);
            touched.insert(before);
        }
        let endpoints = PackedEndpoints::of(&slice.endpoints);
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
            rows.take(name);
        }
        self.drop_if_empty(service);
    }

    /// Makes the most of the memory, when much has come in at once.
    pub(super) fn pack(&mut self) {
        compact::pack(&mut self.services);
        compact::pack(&mut self.endpoints);
        compact::pack(&mut self.slices);
    }

    /// Forgets all endpoints.
    pub(super) fn clear_endpoints(&mut self) {
        self.endpoints.clear();
        self.slices.clear();
    }

    /// Takes in the endpoints of an Endpoints object, or forgets them.
    pub(super) fn put_object(&mut self, key: &ServiceKey, endpoints: Option<&[Endpoint]>) {
        let endpoints = endpoints.map(PackedEndpoints::of);
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
        known.unwrap_or_else(|| key.intern_namespace(&mut self.namespace_names))
    }
}

fn slice_name(namespace: &str, name: &str) -> SliceName {
    Arc::new((namespace.into(), name.into()))
}
