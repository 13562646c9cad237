//! The engine's use of the planner: the plans to update after each change.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::allocator::{Allocator, Assignment, Refusal};
use crate::model::{Pool, ServiceKey};
use crate::planner::{NodeContext, Plan, ServiceEndpoints, ServiceInput};

use super::{Effects, Engine};

impl Engine {
    /// Plans a node as one that is being drained, until [`Self::restart`]. It announces nothing.
    pub fn drain(&mut self, node: &str) -> Effects {
        self.draining.insert(node.to_owned());

        let mut effects = Effects::default();
        self.plan_node(node, &mut effects);
        effects
    }

    /// Plans some Services on all nodes.
    pub(super) fn replan(&mut self, keys: &BTreeSet<ServiceKey>, effects: &mut Effects) {
        effects.planned.extend(keys.iter().cloned());
        // No node announces anything yet, and the slices of a large Service come one by one.
        if !self.synced {
            return;
        }

        for key in keys {
            let Some(service) = self.store.service(key) else {
                for (node, plan) in &mut self.plans {
                    effects.add_routes(node, plan.remove(key));
                }
                continue;
            };

            let endpoints = ServiceEndpoints::of(&service, self.store.endpoints_of(key));
            for (node, plan) in &mut self.plans {
                let held = held(&self.allocator, key);
                let mut input = ServiceInput::new(&service, held, &endpoints);
                self.observations.add_to(&mut input, node);
                effects.add_routes(node, plan.update(&input));
            }
        }
    }

    /// Returns a pool of the configuration that plans are made from.
    pub(super) fn effective_pool(&self, name: &str) -> Option<&Pool> {
        self.config_index.pool(self.effective_config.as_deref()?, name)
    }

    /// Plans all Services on one node.
    pub(super) fn plan_node(&mut self, name: &str, effects: &mut Effects) {
        if self.only_node.as_deref().is_some_and(|only| only != name) {
            return;
        }
        let Some(node) = self.store.nodes.get(name) else { return };
        let context = NodeContext {
            node: node.clone(),
            config: self.effective_config.clone(),
            synced: self.synced,
            draining: self.draining.contains(name),
            options: self.options.clone(),
            index: Arc::clone(&self.config_index),
        };

        let plan = match self.plans.get_mut(name) {
            Some(plan) => {
                plan.set_context(context);
                plan
            }
            None => self.plans.entry(name.to_owned()).or_insert_with(|| Plan::new(context)),
        };

        let gone = plan.services().filter(|key| !self.store.has_service(key));
        let gone: Vec<_> = gone.cloned().collect();
        for key in gone {
            effects.add_routes(name, plan.remove(&key));
        }
        for service in self.store.services() {
            let endpoints = ServiceEndpoints::of(&service, self.store.endpoints_of(&service.key));
            let held = held(&self.allocator, &service.key);
            let mut input = ServiceInput::new(&service, held, &endpoints);
            self.observations.add_to(&mut input, name);
            effects.add_routes(name, plan.update(&input));
        }
        plan.pack();
    }
}

/// Returns the addresses of a Service, or the reason why it has none.
fn held<'a>(
    allocator: &'a Allocator,
    key: &ServiceKey,
) -> Result<&'a Assignment, Option<&'a Refusal>> {
    allocator.assignment(key).ok_or_else(|| allocator.refusal(key))
}
