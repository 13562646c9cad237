//! The observations of nodes: the results of probes, and the states of dataplanes.
//!
//! Owns only the values. The planner decides what follows from them.

use std::collections::BTreeMap;

use crate::compact;
use crate::model::ServiceKey;
use crate::planner::{DataplaneStatus, ProbeStatus, ServiceInput};

/// The observations of all nodes.
#[derive(Debug, Default)]
pub(super) struct Observations {
    nodes: BTreeMap<String, NodeObservations>,
}

/// The observations of one node, by Service.
#[derive(Debug, Default)]
struct NodeObservations {
    probes: BTreeMap<ServiceKey, ProbeStatus>,
    dataplane: BTreeMap<ServiceKey, DataplaneStatus>,
}

impl Observations {
    /// Sets or removes the result of a probe.
    pub(super) fn set_probe(
        &mut self,
        node: String,
        service: ServiceKey,
        found: Option<ProbeStatus>,
    ) {
        let probes = &mut self.nodes.entry(node).or_default().probes;
        set(probes, service, found);
    }

    /// Sets or removes the state of a node's dataplane for a Service.
    pub(super) fn set_dataplane(
        &mut self,
        node: String,
        service: ServiceKey,
        found: Option<DataplaneStatus>,
    ) {
        let dataplane = &mut self.nodes.entry(node).or_default().dataplane;
        set(dataplane, service, found);
    }

    /// Removes all observations of a node.
    pub(super) fn forget_node(&mut self, node: &str) {
        self.nodes.remove(node);
    }

    /// Removes all observations of a Service.
    pub(super) fn forget_service(&mut self, service: &ServiceKey) {
        for node in self.nodes.values_mut() {
            node.probes.remove(service);
            node.dataplane.remove(service);
        }
    }

    /// Frees memory after many observations were added at once.
    pub(super) fn pack(&mut self) {
        for node in self.nodes.values_mut() {
            compact::pack(&mut node.probes);
            compact::pack(&mut node.dataplane);
        }
    }

    /// Adds the observations of a node to the planner's input for a Service.
    pub(super) fn add_to<'a>(&'a self, input: &mut ServiceInput<'a>, node: &str) {
        let Some(observations) = self.nodes.get(node) else { return };
        let service = &input.service.key;
        input.probe_status = observations.probes.get(service);
        input.dataplane_status = observations.dataplane.get(service);
    }

    /// Returns the results of a node's probes.
    pub(super) fn probes(&self, node: &str) -> impl Iterator<Item = (&ServiceKey, &ProbeStatus)> {
        self.nodes.get(node).into_iter().flat_map(|observations| &observations.probes)
    }

    /// Returns the state of a node's dataplane for a Service.
    pub(super) fn dataplane_status(
        &self,
        node: &str,
        service: &ServiceKey,
    ) -> Option<&DataplaneStatus> {
        self.nodes.get(node)?.dataplane.get(service)
    }
}

fn set<T>(values: &mut BTreeMap<ServiceKey, T>, service: ServiceKey, found: Option<T>) {
    match found {
        Some(value) => {
            values.insert(service, value);
        }
        None => {
            values.remove(&service);
        }
    }
}
