//! Which nodes can take traffic for a Service.
//!
//! Owns the rule which endpoints count. Kubernetes cuts a Service's endpoints into any number of
//! slices; here they are one again, counted once for all nodes.

use std::collections::BTreeMap;

use crate::model::{Endpoint, ExternalTrafficPolicy, Service};

use super::reason::Reason;

/// The endpoints of one Service, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints<'a> {
    total: Count,
    /// Those that say where they are.
    by_node: BTreeMap<&'a str, Count>,
}

/// How many endpoints there are, of one node or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Count {
    /// All.
    pub all: usize,
    /// Those that take traffic: ready ones, and those that are going away and still answer; of a
    /// Service that publishes them, any.
    pub usable: usize,
    /// Those that take new connections.
    pub ready: usize,
}

impl<'a> Endpoints<'a> {
    /// Counts the endpoints of a Service, in any order.
    pub fn of<E: Into<Endpoint<&'a str>>>(
        service: &Service,
        endpoints: impl IntoIterator<Item = E>,
    ) -> Self {
        let mut counted = Self::default();
        for endpoint in endpoints {
            let endpoint = endpoint.into();
            let usable = is_usable(service, &endpoint);
            let ready = usable && (service.publish_not_ready_addresses || endpoint.is_ready());
            let node = endpoint.node_name.map(|node| counted.by_node.entry(node).or_default());
            for count in [Some(&mut counted.total), node].into_iter().flatten() {
                count.all += 1;
                count.usable += usize::from(usable);
                count.ready += usize::from(ready);
            }
        }
        counted
    }

    /// Those that count on a node: with policy Cluster all, with policy Local the node's own.
    pub fn counting(&self, policy: ExternalTrafficPolicy, node: &str) -> Count {
        match policy {
            ExternalTrafficPolicy::Cluster => self.total,
            ExternalTrafficPolicy::Local => self.on(node),
        }
    }

    /// Those that run on a node.
    pub fn on(&self, node: &str) -> Count {
        self.by_node.get(node).copied().unwrap_or_default()
    }

    /// Whether traffic for the Service may be attracted to the node.
    ///
    /// With policy Cluster one usable endpoint anywhere is enough, with policy Local it has to be
    /// on the node itself.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn check(&self, policy: ExternalTrafficPolicy, node: &str) -> Result<(), Reason> {
        if self.total.all == 0 {
            return Err(Reason::NoEndpoints);
        }
        if self.total.usable == 0 {
            return Err(Reason::NoneUsable { endpoints: self.total.all });
        }
        if self.counting(policy, node).usable > 0 {
            return Ok(());
        }
        let usable = self.by_node.iter().filter(|(_, count)| count.usable > 0);
        let elsewhere = usable.map(|(node, _)| (*node).to_owned()).collect();
        Err(Reason::NoneLocal { node: node.to_owned(), elsewhere })
    }
}

/// Whether an endpoint takes traffic for its Service.
pub(crate) fn is_usable(service: &Service, endpoint: &Endpoint<&str>) -> bool {
    let answers = service.publish_not_ready_addresses
        || endpoint.is_ready()
        || endpoint.serving == Some(true);
    answers && endpoint.address.is_some()
}
