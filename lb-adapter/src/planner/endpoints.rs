//! The nodes that can take traffic for a Service.
//!
//! Owns the rule that says which endpoints count. Kubernetes cuts a Service's endpoints into any number of
//! slices, and may list one endpoint in several of them for a while; a pod of a dual-stack Service is
//! listed once for each family. Each pod is counted once here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use smallvec::SmallVec;

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
        let mut pods = Pods::default();
        for endpoint in endpoints {
            let endpoint = endpoint.into();
            let usable = is_usable(service, &endpoint);
            let pod = pods.of(&endpoint);
            pod.usable |= usable;
            pod.ready |= usable && (service.publish_not_ready_addresses || endpoint.is_ready());
            if let Some(node) = endpoint.node_name
                && !pod.nodes.contains(&node)
            {
                pod.nodes.push(node);
            }
        }

        let mut counted = Self::default();
        for pod in pods.all {
            counted.total.add(&pod);
            pod.nodes.iter().for_each(|node| counted.by_node.entry(node).or_default().add(&pod));
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

impl Count {
    fn add(&mut self, pod: &Pod<'_>) {
        self.all += 1;
        self.usable += usize::from(pod.usable);
        self.ready += usize::from(pod.ready);
    }
}

/// The endpoints of a Service without repetitions.
#[derive(Default)]
struct Pods<'a> {
    all: Vec<Pod<'a>>,
    /// Positions in `all`.
    by_address: BTreeMap<IpAddr, usize>,
    by_target: BTreeMap<u64, usize>,
}

/// The endpoints that are the same pod: they have the same address, or stand for the same object.
#[derive(Default)]
struct Pod<'a> {
    /// More than one only while a slice is out of date.
    nodes: SmallVec<[&'a str; 1]>,
    usable: bool,
    ready: bool,
}

impl<'a> Pods<'a> {
    /// Returns the pod of an endpoint; a new one if this is its first endpoint.
    fn of(&mut self, endpoint: &Endpoint<&str>) -> &mut Pod<'a> {
        let by_address = endpoint.address.and_then(|it| self.by_address.get(&it));
        let by_target = || endpoint.target.and_then(|it| self.by_target.get(&it));
        let at = by_address.or_else(by_target).copied().unwrap_or(self.all.len());
        if at == self.all.len() {
            self.all.push(Pod::default());
        }

        if let Some(address) = endpoint.address {
            self.by_address.insert(address, at);
        }
        if let Some(target) = endpoint.target {
            self.by_target.insert(target, at);
        }
        &mut self.all[at]
    }
}

/// Whether an endpoint takes traffic for its Service.
pub(crate) fn is_usable(service: &Service, endpoint: &Endpoint<&str>) -> bool {
    let answers = service.publish_not_ready_addresses
        || endpoint.is_ready()
        || endpoint.serving == Some(true);
    answers && endpoint.address.is_some()
}
