//! The engine's use of the allocator: the Services to reconsider after each change.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::allocator::{Changes, Event, EventReason, HeldAddresses, check_served};
use crate::model::{Service, ServiceKey};
use crate::planner::RouteAnnotations;

use super::{Effects, Engine, addresses, texts};

impl Engine {
    /// Adds or updates a Service. Without a status it holds the addresses that it held before, or those remembered.
    pub(super) fn put_service(
        &mut self,
        mut service: Service,
        status: Option<Vec<String>>,
        effects: &mut Effects,
    ) {
        let status = status
            .or_else(|| self.store.status_addresses(&service.key))
            .or_else(|| self.remembered.get(&service.key).map(|addresses| texts(addresses)));
        service.status_addresses = status.unwrap_or_default();

        let key = self.store.put_service(service);
        if self.is_ready() {
            self.allocate(&key, effects);
        }
    }

    pub(super) fn remove_service(&mut self, key: ServiceKey, effects: &mut Effects) {
        self.store.remove_service(&key);
        self.invalid_annotations.remove(&key);
        self.observations.forget_service(&key);

        if self.is_ready() {
            let changes = self.allocator.remove(&key);
            self.settle(changes, key, effects);
        }
    }

    /// Assigns addresses to all Services, and plans all nodes.
    pub(super) fn update_all(&mut self, effects: &mut Effects) {
        if self.synced
            && let Some(config) = self.config.clone()
        {
            self.allocator.set_namespaces(self.store.namespaces.values().cloned());
            let keys: Vec<_> = self.store.service_keys().cloned().collect();
            let mut held = HeldAddresses::new();
            for key in &keys {
                held.insert(key.clone(), self.held_by_status(key, effects));
            }

            let services = self.store.services();
            let changes = self.allocator.reconcile_changes(&config.pools, services, &held);
            self.write_statuses(changes, effects);
            for key in &keys {
                self.report_invalid_annotations(key, effects);
            }
        }

        self.plans.retain(|name, _| self.store.nodes.contains_key(name));
        self.store.pack();
        let nodes: Vec<_> = self.store.nodes.keys().cloned().collect();
        for name in &nodes {
            self.plan_node(name, effects);
        }
    }

    /// Updates the Services in a namespace, since other pools may admit them now.
    pub(super) fn update_namespace(&mut self, name: &str, effects: &mut Effects) {
        // Before that, all are set together.
        if !self.is_ready() {
            return;
        }
        self.allocator.set_namespace(name, self.store.namespaces.get(name).cloned());
        if !self.allocator.uses_namespaces() {
            return;
        }

        let first = ServiceKey::new(name, "");
        let from_first = self.store.service_keys_from(&first);
        let keys: Vec<_> = from_first.take_while(|key| *key.namespace == *name).cloned().collect();
        for key in &keys {
            self.allocate(key, effects);
        }
    }

    /// Assigns addresses to one Service, and plans it.
    fn allocate(&mut self, key: &ServiceKey, effects: &mut Effects) {
        let held = self.held_by_status(key, effects);
        let Some(service) = self.store.service(key) else { return };
        let changes = self.allocator.upsert(&service, &held);
        self.settle(changes, key.clone(), effects);
    }

    /// Returns the addresses that a Service holds by its status. Clears a status with anything but IP addresses.
    fn held_by_status(&mut self, key: &ServiceKey, effects: &mut Effects) -> Vec<IpAddr> {
        let written = self.store.status_addresses(key).unwrap_or_default();
        if let Some(held) = addresses(&written) {
            return held;
        }

        self.store.set_status_addresses(key, Vec::new());
        let class = self.options.class.as_deref();
        if self.store.service(key).is_some_and(|service| check_served(&service, class).is_ok()) {
            effects.written.insert(key.clone());
            effects.events.push(Event {
                service: key.clone(),
                reason: EventReason::ClearAssignment,
                message: format!("took back {}: expected IP addresses", written.join(" and ")),
            });
        }
        Vec::new()
    }

    /// Applies the allocator's changes after a change of one Service. The addresses of other Services may have changed too.
    fn settle(&mut self, changes: Changes, changed: ServiceKey, effects: &mut Effects) {
        let mut affected = BTreeSet::from([changed]);
        affected.extend(changes.services.iter().cloned());

        self.write_statuses(changes, effects);
        for key in &affected {
            self.report_invalid_annotations(key, effects);
        }
        self.replan(&affected, effects);
    }

    fn write_statuses(&mut self, changes: Changes, effects: &mut Effects) {
        // A follower keeps the status as it is: the next configuration may allow it.
        if self.options.follow_status {
            return;
        }

        for key in &changes.services {
            let addresses = match self.allocator.assignment(key) {
                Some(assignment) => texts(&assignment.addresses),
                None => Vec::new(),
            };
            self.store.set_status_addresses(key, addresses);
        }
        effects.events.extend(changes.events);
        effects.written.extend(changes.services);
    }

    /// Reports each annotation without effect once.
    fn report_invalid_annotations(&mut self, key: &ServiceKey, effects: &mut Effects) {
        let Some(assignment) = self.allocator.assignment(key) else { return };
        let Some(pool) = self.effective_pool(&assignment.pool) else { return };
        let Some(service) = self.store.service(key) else { return };

        let invalid = RouteAnnotations::of(&service, pool).invalid;
        let before = if invalid.is_empty() {
            self.invalid_annotations.remove(key)
        } else {
            self.invalid_annotations.insert(key.clone(), invalid.clone())
        };

        let before = before.unwrap_or_default();
        for annotation in invalid {
            if before.contains(&annotation) {
                continue;
            }
            effects.events.push(Event {
                service: key.clone(),
                reason: EventReason::InvalidAnnotation,
                message: annotation.to_string(),
            });
        }
    }
}
