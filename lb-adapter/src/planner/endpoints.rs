//! Which nodes can take traffic for a Service.
//!
//! Owns the rule which endpoints count. Kubernetes cuts a Service's endpoints into any number of
//! slices; here they are one again.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Endpoint, EndpointSlice, ExternalTrafficPolicy, Service, ServiceKey};

use super::reason::Reason;

/// The endpoints of every Service.
#[derive(Clone, Debug, Default)]
pub struct Endpoints<'a> {
    of: BTreeMap<&'a ServiceKey, Vec<&'a Endpoint>>,
}

impl<'a> Endpoints<'a> {
    /// Those of these slices, whose order is of no consequence.
    pub fn of(slices: impl IntoIterator<Item = &'a EndpointSlice>) -> Self {
        let mut of: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for slice in slices {
            of.entry(&slice.service).or_default().extend(&slice.endpoints);
        }
        Self { of }
    }

    /// Whether traffic for the Service may be attracted to the node.
    ///
    /// With policy Cluster one usable endpoint anywhere is enough, with policy Local it has to be
    /// on the node itself.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn check(&self, service: &Service, node: &str) -> Result<(), Reason> {
        let all = self.of.get(&service.key).map_or(&[][..], Vec::as_slice);
        if all.is_empty() {
            return Err(Reason::NoEndpoints);
        }
        let mut usable = all.iter().filter(|endpoint| is_usable(service, endpoint)).peekable();
        if usable.peek().is_none() {
            return Err(Reason::NoneUsable { endpoints: all.len() });
        }
        match service.external_traffic_policy {
            ExternalTrafficPolicy::Cluster => Ok(()),
            ExternalTrafficPolicy::Local => {
                let nodes: BTreeSet<_> = usable.filter_map(|e| e.node_name.as_deref()).collect();
                if nodes.contains(node) {
                    return Ok(());
                }
                let elsewhere = nodes.into_iter().map(str::to_owned).collect();
                Err(Reason::NoneLocal { node: node.to_owned(), elsewhere })
            }
        }
    }
}

/// One that is ready, or is going away and still answers; of a Service that publishes them, any.
fn is_usable(service: &Service, endpoint: &Endpoint) -> bool {
    let answers = service.publish_not_ready_addresses
        || endpoint.is_ready()
        || endpoint.serving == Some(true);
    answers && !endpoint.addresses.is_empty()
}
