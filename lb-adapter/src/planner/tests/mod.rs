//! The fixtures of the tests: the cluster of the reference case, which each test changes as it needs.

mod annotations;
mod attributes;
mod dataplane;
mod gates;
mod health;
mod hints;
mod properties;
mod reference;
mod router_table;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::allocator::{Allocator, Assignment, HeldAddresses};
use crate::model::{
    Asn, BgpAdvertisement, Config, Endpoint, EndpointSlice, ExternalTrafficPolicy, IpFamily,
    NextHopPolicy, Node, Peer, Pool, PoolSelection, Service, ServiceKey,
};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bgp_core::wire::PathAttributes;

use super::*;

const ROUTER: &str = "172.22.35.1:179";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

/// Three nodes, one router, one pool; no Services.
struct Cluster {
    config: Config,
    nodes: Vec<Node>,
    services: Vec<Service>,
    slices: Vec<EndpointSlice>,
    class: Option<String>,
    next_hop: NextHopPolicy,
    ignore_exclude_label: bool,
}

impl Default for Cluster {
    fn default() -> Self {
        let peer = Peer::new(Asn(64636), Asn(64635), ip("172.22.35.1"));
        let pool = Pool::new("default", vec!["172.22.35.64/26".parse().unwrap()]);
        let nodes =
            [("kube1", "172.22.35.25"), ("kube2", "172.22.35.26"), ("kube3", "172.22.35.27")];
        Self {
            config: Config::new(vec![peer], vec![pool]),
            nodes: nodes.map(|(name, address)| node(name, address)).into(),
            services: Vec::new(),
            slices: Vec::new(),
            class: None,
            next_hop: NextHopPolicy::SessionAddress,
            ignore_exclude_label: false,
        }
    }
}

fn node(name: &str, address: &str) -> Node {
    let mut node = Node::new(name);
    node.addresses.push(ip(address));
    node
}

impl Cluster {
    /// Adds a Service with ready endpoints on these nodes.
    fn service(mut self, name: &str, on: &[&str], change: impl FnOnce(&mut Service)) -> Self {
        let mut service = Service::new(key(name));
        change(&mut service);
        let mut slice = EndpointSlice::new(format!("{name}-1"), service.key.clone());
        let numbered = (1..).zip(on).map(|(number, node)| Endpoint {
            address: Some(ip(&format!("10.244.0.{number}"))),
            ..endpoint(node)
        });
        slice.endpoints = numbered.collect();
        self.services.push(service);
        self.slices.push(slice);
        self
    }

    /// Changes the cluster.
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Adds advertisements of one pool only.
    fn announce(&mut self, pool: &str, advertisements: Vec<BgpAdvertisement>) {
        self.config.bgp_advertisements.extend(advertisements.into_iter().map(
            |mut advertisement| {
                advertisement.pools = PoolSelection::only(pool);
                advertisement
            },
        ));
    }

    fn context(&self, node: &str) -> NodeContext {
        let node = self.nodes.iter().find(|known| known.name == node).unwrap();
        let mut context = NodeContext::new(node.clone(), Arc::new(self.config.clone()));
        context.options.class.clone_from(&self.class);
        context.options.next_hop = self.next_hop.clone();
        context.options.ignore_exclude_label = self.ignore_exclude_label;
        context
    }

    /// Calls a function with the input for some Services, after all Services of the cluster were assigned addresses.
    fn each<'a>(&'a self, services: &'a [Service], mut use_input: impl FnMut(&ServiceInput<'_>)) {
        let mut allocator = self.class.clone().map_or_else(Allocator::new, Allocator::for_class);
        allocator.reconcile(&self.config.pools, &self.services, &HeldAddresses::new());
        for service in services {
            let slices = self.slices.iter().filter(|slice| slice.service == service.key);
            let endpoints =
                ServiceEndpoints::of(service, slices.flat_map(|slice| &slice.endpoints));
            let held = allocator.assignment(&service.key);
            let held = held.ok_or_else(|| allocator.refusal(&service.key));
            use_input(&ServiceInput::new(service, held, &endpoints));
        }
    }

    fn plan(&self, node: &str) -> Planned {
        self.plan_of(node, &self.services)
    }

    fn plan_of(&self, node: &str, services: &[Service]) -> Planned {
        let mut planned =
            Planned { plan: Plan::new(self.context(node)), services: BTreeMap::new() };
        self.each(services, |input| {
            planned.plan.update(input);
            let addresses = input.held.map_or_else(|_| Vec::new(), |held| held.addresses.to_vec());
            let routes = service_routes(&planned.plan.context, input);
            planned.services.insert(input.service.key.clone(), (addresses, routes.not_announced));
        });
        planned
    }

    fn plans(&self) -> Vec<Planned> {
        self.nodes.iter().map(|node| self.plan(&node.name)).collect()
    }
}

/// A plan and its input.
#[derive(Clone, Debug, PartialEq)]
struct Planned {
    plan: Plan,
    /// The addresses of the Services, and the reasons why they are not announced.
    services: BTreeMap<ServiceKey, (Vec<IpAddr>, Vec<NotAnnounced>)>,
}

impl std::ops::Deref for Planned {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl Planned {
    fn addresses(&self, service: &str) -> &[IpAddr] {
        &self.services[&key(service)].0
    }

    /// Returns the prefixes that a peer gets for a Service, or the reason why there are none.
    fn announced_to(
        &self,
        service: &ServiceKey,
        peer: &str,
    ) -> Result<BTreeSet<IpNet>, Option<&Reason>> {
        let announced = self.plan.announced(service);
        let to_peer = announced.filter(|(peer_plan, _)| peer_plan.peer.name == peer);
        let prefixes: BTreeSet<_> = to_peer.map(|(_, prefix)| prefix).collect();
        if !prefixes.is_empty() {
            return Ok(prefixes);
        }
        let not_announced = &self.services[service].1;
        let of_peer = not_announced.iter().find(|entry| entry.peer.as_deref() == Some(peer));
        let of_all = not_announced.iter().find(|entry| entry.peer.is_none());
        Err(of_peer.or(of_all).map(|entry| &entry.reason))
    }

    /// Returns why a Service is not announced to the router: the gate, the sentence and the hint.
    fn why_not(&self, service: &str) -> (Gate, String, Option<String>) {
        let reason = self.announced_to(&key(service), ROUTER).unwrap_err().unwrap();
        let format =
            self.plan.context.config.as_ref().map(|config| config.format).unwrap_or_default();
        (reason.gate(), reason.to_string(), reason.hint(format))
    }

    fn prefixes(&self) -> Vec<String> {
        self.peers[0].routes.keys().map(ToString::to_string).collect()
    }

    fn warnings(&self) -> Vec<String> {
        let warnings = self.plan.warnings(&self.peers[0]);
        warnings.iter().map(ToString::to_string).collect()
    }

    fn route(&self, prefix: &str) -> &PlannedRoute {
        &self.peers[0].routes[&net(prefix)]
    }
}

fn endpoint(node: &str) -> Endpoint {
    let mut endpoint = Endpoint::new(ip("10.244.0.7"));
    endpoint.node_name = Some(node.into());
    endpoint
}

fn local(service: &mut Service) {
    service.external_traffic_policy = ExternalTrafficPolicy::Local;
}
