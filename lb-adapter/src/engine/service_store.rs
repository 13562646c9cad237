//! The objects of the cluster, in little memory.
//!
//! Owns the current state of each object. There are thousands of them, so they are kept packed, and names that several
//! have in common are kept once. Must not decide anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::allocator;
use crate::compact;
use crate::model::Interner;
use crate::model::{Endpoint, EndpointSlice, Namespace, Node, Service, ServiceKey};
use crate::planner;

use super::packed_objects::{PackedEndpoints, PackedService};

/// The objects of the cluster, except its configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceStore {
    services: BTreeMap<ServiceKey, PackedService>,
    endpoints: BTreeMap<ServiceKey, StoredEndpoints>,
    /// The Service of each slice, which may change.
    slices: BTreeMap<SliceName, ServiceKey>,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) namespaces: BTreeMap<String, Namespace>,
    /// The namespaces in the names of Services and slices.
    namespace_names: Interner<str>,
}

/// Namespace and name.
type SliceName = Arc<(Arc<str>, Box<str>)>;

/// The endpoints of one Service.
#[derive(Clone, Debug, Default)]
struct StoredEndpoints {
    /// Sorted by the names of the slices.
    slices: Box<[(SliceName, PackedEndpoints)]>,
    /// From an Endpoints object, which counts only if there is no slice.
    object: Option<PackedEndpoints>,
}

impl StoredEndpoints {
    fn iter(&self) -> impl Iterator<Item = Endpoint<&str>> {
        let object = self.object.iter().filter(|_| self.slices.is_empty());
        let slices = self.slices.iter().map(|(_, endpoints)| endpoints);
        slices.chain(object).flat_map(PackedEndpoints::iter)
    }

    /// Adds or replaces a slice. Returns false if it was the same before.
    fn put_slice(&mut self, name: SliceName, endpoints: PackedEndpoints) -> bool {
        match self.slices.binary_search_by(|(other, _)| other.cmp(&name)) {
            Ok(position) => {
                let (_, before) = &mut self.slices[position];
                let is_changed = *before != endpoints;
                *before = endpoints;
                is_changed
            }
            Err(position) => {
                let mut slices = std::mem::take(&mut self.slices).into_vec();
                slices.insert(position, (name, endpoints));
                self.slices = slices.into_boxed_slice();
                true
            }
        }
    }

    fn remove_slice(&mut self, name: &SliceName) {
        let mut slices = std::mem::take(&mut self.slices).into_vec();
        slices.retain(|(other, _)| other != name);
        self.slices = slices.into_boxed_slice();
    }

    fn is_empty(&self) -> bool {
        self.slices.is_empty() && self.object.is_none()
    }
}

impl ServiceStore {
    /// Adds or replaces a Service, whose status has the addresses that it holds. Returns the shared copy of its key.
    /// Annotations without a meaning here are dropped.
    pub(super) fn put_service(&mut self, mut service: Service) -> ServiceKey {
        service
            .annotations
            .retain(|name| allocator::reads_annotation(name) || planner::reads_annotation(name));
        let packed = PackedService::of(&service);
        let key = self.shared_key(service.key);
        self.services.insert(key.clone(), packed);
        key
    }

    /// Returns the shared copy of a Service's key.
    pub(super) fn key_of(&self, key: &ServiceKey) -> Option<&ServiceKey> {
        self.services.get_key_value(key).map(|(shared, _)| shared)
    }

    /// Returns a Service.
    pub(super) fn service(&self, key: &ServiceKey) -> Option<Service> {
        self.services.get_key_value(key).map(|(key, packed)| packed.unpack(key))
    }

    /// Returns all Services, by namespace and name.
    pub(super) fn services(&self) -> impl Iterator<Item = Service> {
        self.services.iter().map(|(key, packed)| packed.unpack(key))
    }

    /// Returns the keys of all Services.
    pub(super) fn service_keys(&self) -> impl Iterator<Item = &ServiceKey> {
        self.services.keys()
    }

    /// Returns the keys of all Services from this one on.
    pub(super) fn service_keys_from(&self, key: &ServiceKey) -> impl Iterator<Item = &ServiceKey> {
        self.services.range(key..).map(|(key, _)| key)
    }

    pub(super) fn has_service(&self, key: &ServiceKey) -> bool {
        self.services.contains_key(key)
    }

    /// Returns the addresses in a Service's status. Another controller may have written them.
    pub(super) fn status_addresses(&self, key: &ServiceKey) -> Option<Vec<String>> {
        self.services.get(key).map(PackedService::status_addresses)
    }

    /// Replaces the addresses in a Service's status.
    pub(super) fn set_status_addresses(&mut self, key: &ServiceKey, addresses: Vec<String>) {
        let Some(packed) = self.services.get_mut(key) else { return };
        let service = Service { status_addresses: addresses, ..packed.unpack(key) };
        *packed = PackedService::of(&service);
    }

    pub(super) fn remove_service(&mut self, key: &ServiceKey) {
        self.services.remove(key);
    }

    /// Removes all Services, and returns them.
    pub(super) fn take_services(&mut self) -> BTreeMap<ServiceKey, PackedService> {
        std::mem::take(&mut self.services)
    }

    /// Returns the endpoints of a Service.
    pub(super) fn endpoints_of(&self, key: &ServiceKey) -> impl Iterator<Item = Endpoint<&str>> {
        self.endpoints.get(key).into_iter().flat_map(StoredEndpoints::iter)
    }

    /// Returns the namespace and name of each slice.
    pub(super) fn slices(&self) -> impl Iterator<Item = (&str, &str)> {
        self.slices.keys().map(|name| (&*name.0, &*name.1))
    }

    pub(super) fn has_slice(&self, namespace: &str, name: &str) -> bool {
        self.slices.contains_key(&slice_name(namespace, name))
    }

    pub(super) fn has_endpoints_object(&self, key: &ServiceKey) -> bool {
        self.endpoints.get(key).is_some_and(|stored| stored.object.is_some())
    }

    /// Adds or replaces a slice. Returns the Services whose endpoints changed.
    pub(super) fn put_slice(&mut self, slice: EndpointSlice) -> BTreeSet<ServiceKey> {
        let service = self.shared_key(slice.service);
        let name = slice_name(&slice.namespace, &slice.name);
        let name = match self.slices.get_key_value(&name) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new((self.namespace_names.intern(Arc::clone(&name.0)), name.1.clone())),
        };

        // The slice may have belonged to another Service.
        let mut affected = BTreeSet::new();
        if let Some(before) = self.slices.insert(Arc::clone(&name), service.clone())
            && before != service
        {
            self.detach_slice(&before, &name);
            affected.insert(before);
        }

        let endpoints = PackedEndpoints::of(&slice.endpoints);
        if self.endpoints.entry(service.clone()).or_default().put_slice(name, endpoints) {
            affected.insert(service);
        }
        affected
    }

    /// Removes a slice. Returns its Service.
    pub(super) fn remove_slice(&mut self, namespace: &str, name: &str) -> Option<ServiceKey> {
        let name = slice_name(namespace, name);
        let service = self.slices.remove(&name)?;
        self.detach_slice(&service, &name);
        Some(service)
    }

    fn detach_slice(&mut self, service: &ServiceKey, name: &SliceName) {
        if let Some(stored) = self.endpoints.get_mut(service) {
            stored.remove_slice(name);
        }
        self.remove_if_empty(service);
    }

    /// Replaces or removes the endpoints from an Endpoints object.
    pub(super) fn put_endpoints_object(
        &mut self,
        key: &ServiceKey,
        endpoints: Option<&[Endpoint]>,
    ) {
        let endpoints = endpoints.map(PackedEndpoints::of);
        let key = self.shared_key(key.clone());
        self.endpoints.entry(key.clone()).or_default().object = endpoints;
        self.remove_if_empty(&key);
    }

    /// Removes all endpoints.
    pub(super) fn clear_endpoints(&mut self) {
        self.endpoints.clear();
        self.slices.clear();
    }

    fn remove_if_empty(&mut self, key: &ServiceKey) {
        if self.endpoints.get(key).is_some_and(StoredEndpoints::is_empty) {
            self.endpoints.remove(key);
        }
    }

    /// Frees memory after many objects were added at once.
    pub(super) fn pack(&mut self) {
        compact::pack(&mut self.services);
        compact::pack(&mut self.endpoints);
        compact::pack(&mut self.slices);
    }

    /// Returns the copy of a key that all maps share, or makes it.
    fn shared_key(&mut self, key: ServiceKey) -> ServiceKey {
        if let Some((shared, _)) = self.services.get_key_value(&key) {
            return shared.clone();
        }
        if let Some((shared, _)) = self.endpoints.get_key_value(&key) {
            return shared.clone();
        }
        key.intern_namespace(&mut self.namespace_names)
    }
}

fn slice_name(namespace: &str, name: &str) -> SliceName {
    Arc::new((namespace.into(), name.into()))
}
