//! The endpoints of a Service, counted for each node.
//!
//! Owns the rule that decides which endpoints count. Kubernetes splits the endpoints of a Service over any number of
//! slices, and may list one endpoint in several of them for a while. It lists a pod of a dual-stack Service once for
//! each family. This module counts each pod once, whatever the order of slices and endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::model::{Endpoint, ExternalTrafficPolicy, Service};

use super::reason::Reason;

/// The endpoints of one Service, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceEndpoints<'a> {
    total: EndpointCount,
    /// The number of nodes with usable endpoints.
    usable_nodes: usize,
    /// The endpoints that name their node.
    by_node: BTreeMap<&'a str, EndpointCount>,
}

/// The number of endpoints on one node or on all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointCount {
    /// All endpoints.
    pub all: usize,
    /// The endpoints that take traffic: ready ones, and terminating ones that still serve. If the Service publishes
    /// addresses that are not ready, all endpoints with an address.
    pub usable: usize,
    /// The endpoints that take new connections.
    pub ready: usize,
}

impl<'a> ServiceEndpoints<'a> {
    /// Counts the endpoints of a Service, in any order.
    pub fn of<E: Into<Endpoint<&'a str>>>(
        service: &Service,
        endpoints: impl IntoIterator<Item = E>,
    ) -> Self {
        let mut pods = Pods::default();
        for endpoint in endpoints {
            let endpoint = endpoint.into();
            let usable = is_usable(service, &endpoint);
            let ready = usable && (service.publish_not_ready_addresses || endpoint.is_ready());

            let pod = pods.pod_of(&endpoint);
            pod.usable |= usable;
            pod.ready |= ready;
            if let Some(node) = endpoint.node_name {
                pod.add_node(node);
            }
        }

        pods.count()
    }

    /// Returns the endpoints that count on a node: with policy Cluster all, with policy Local the node's own.
    pub fn counting(&self, policy: ExternalTrafficPolicy, node: &str) -> EndpointCount {
        match policy {
            ExternalTrafficPolicy::Cluster => self.total,
            ExternalTrafficPolicy::Local => self.on(node),
        }
    }

    /// Returns the endpoints that run on a node.
    pub fn on(&self, node: &str) -> EndpointCount {
        self.by_node.get(node).copied().unwrap_or_default()
    }

    /// Returns true if another node has a usable endpoint.
    pub(crate) fn are_usable_beside(&self, node: &str) -> bool {
        self.usable_nodes > usize::from(self.on(node).usable > 0)
    }

    /// Checks that the node may attract traffic for the Service.
    ///
    /// With policy Cluster one usable endpoint anywhere is enough, with policy Local it has to be
    /// on the node itself.
    ///
    /// # Errors
    ///
    /// The reason why the node may not.
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
        let elsewhere = usable.map(|(node, _)| (*node).to_owned()).take(MOST_NAMED_NODES);
        let elsewhere: BTreeSet<_> = elsewhere.collect();
        let more = self.usable_nodes - elsewhere.len();
        Err(Reason::NoneLocal { node: node.to_owned(), elsewhere, more })
    }
}

impl EndpointCount {
    fn add(&mut self, pod: &Pod<'_>) {
        self.all += 1;
        self.usable += usize::from(pod.usable);
        self.ready += usize::from(pod.ready);
    }
}

/// The pods behind a set of endpoints. Endpoints are the same pod if they have the same address or the same target.
///
/// An endpoint may have the address of one known pod and the target of another. Then the two are merged, so that the result
/// does not depend on the order of the endpoints.
#[derive(Default)]
struct Pods<'a> {
    all: Vec<Pod<'a>>,
    /// Positions in `all`, perhaps of pods that were merged since.
    by_address: BTreeMap<IpAddr, usize>,
    by_target: BTreeMap<u64, usize>,
}

/// One pod.
#[derive(Default)]
struct Pod<'a> {
    /// Without repetitions; more than one only while a slice is out of date.
    nodes: SmallVec<[&'a str; 1]>,
    usable: bool,
    ready: bool,
    /// The position of the pod that this one was merged into.
    merged_into: Option<usize>,
}

impl<'a> Pod<'a> {
    fn add_node(&mut self, node: &'a str) {
        if !self.nodes.contains(&node) {
            self.nodes.push(node);
        }
    }
}

impl<'a> Pods<'a> {
    /// Returns the pod of an endpoint, a new one if this is its first endpoint.
    fn pod_of(&mut self, endpoint: &Endpoint<&str>) -> &mut Pod<'a> {
        let by_address = endpoint.address.and_then(|address| self.by_address.get(&address));
        let by_target = endpoint.target.and_then(|target| self.by_target.get(&target));
        let position = match (by_address, by_target) {
            (Some(&first), Some(&second)) => self.merge(first, second),
            (Some(&position), None) | (None, Some(&position)) => self.resolve(position),
            (None, None) => {
                self.all.push(Pod::default());
                self.all.len() - 1
            }
        };

        if let Some(address) = endpoint.address {
            self.by_address.insert(address, position);
        }
        if let Some(target) = endpoint.target {
            self.by_target.insert(target, position);
        }
        &mut self.all[position]
    }

    /// Merges the pods at two positions, and returns the position of the result.
    fn merge(&mut self, first: usize, second: usize) -> usize {
        let (first, second) = (self.resolve(first), self.resolve(second));
        let (kept, merged) = (first.min(second), first.max(second));
        if kept == merged {
            return kept;
        }

        let from = Pod { merged_into: Some(kept), ..Pod::default() };
        let from = std::mem::replace(&mut self.all[merged], from);
        let into = &mut self.all[kept];
        into.usable |= from.usable;
        into.ready |= from.ready;
        for node in from.nodes {
            into.add_node(node);
        }
        kept
    }

    /// Returns the position of the pod that the one at this position was merged into, or the same position.
    fn resolve(&self, mut position: usize) -> usize {
        while let Some(next) = self.all[position].merged_into {
            position = next;
        }
        position
    }

    fn count(self) -> ServiceEndpoints<'a> {
        let mut counted = ServiceEndpoints::default();
        for pod in self.all {
            if pod.merged_into.is_some() {
                continue;
            }

            counted.total.add(&pod);
            for node in &pod.nodes {
                counted.by_node.entry(node).or_default().add(&pod);
            }
        }
        counted.usable_nodes = counted.by_node.values().filter(|count| count.usable > 0).count();
        counted
    }
}

/// The most nodes that a reason names. All other nodes of a cluster may have this reason, and each of them would name all.
const MOST_NAMED_NODES: usize = 8;

/// Returns true if an endpoint takes traffic for its Service.
pub(crate) fn is_usable(service: &Service, endpoint: &Endpoint<&str>) -> bool {
    let answers = service.publish_not_ready_addresses
        || endpoint.is_ready()
        || endpoint.serving == Some(true);
    answers && endpoint.address.is_some()
}

#[cfg(test)]
mod tests {
    use crate::model::ServiceKey;

    use super::*;

    /// Endpoints on nodes with these numbers, of which the even ones are not ready.
    fn endpoints(nodes: std::ops::Range<u8>) -> Vec<Endpoint> {
        let endpoint = |number: u8| {
            let mut endpoint = Endpoint::new(IpAddr::from([10, 244, 0, number]));
            endpoint.node_name = Some(format!("kube{number:03}").into());
            endpoint.ready = Some(number % 2 == 1);
            endpoint
        };
        nodes.map(endpoint).collect()
    }

    #[test]
    fn a_reason_names_a_few_of_the_nodes_that_have_the_endpoints() {
        let service = Service::new(ServiceKey::new("shop", "web"));
        let reason = |nodes| {
            let endpoints = endpoints(nodes);
            let counted = ServiceEndpoints::of(&service, &endpoints);
            counted.check(ExternalTrafficPolicy::Local, "kube000").unwrap_err().to_string()
        };

        let local = "externalTrafficPolicy is Local and no ready endpoint is on kube000, only on";
        assert_eq!(reason(0..4), format!("{local} kube001, kube003"));
        let eight = "kube001, kube003, kube005, kube007, kube009, kube011, kube013, kube015";
        assert_eq!(reason(0..16), format!("{local} {eight}"));
        assert_eq!(reason(0..18), format!("{local} {eight} and 1 more node"));
        assert_eq!(reason(0..200), format!("{local} {eight} and 92 more nodes"));
    }

    #[test]
    fn endpoints_beside_a_node_are_those_of_other_nodes() {
        let service = Service::new(ServiceKey::new("shop", "web"));
        let is_beside = |nodes| {
            let endpoints = endpoints(nodes);
            ServiceEndpoints::of(&service, &endpoints).are_usable_beside("kube001")
        };
        assert!(!is_beside(0..3), "the only ready one is on the node");
        assert!(is_beside(0..4));
        assert!(is_beside(2..4), "none is on the node");
        assert!(!is_beside(2..3), "none is ready");
    }
}
