//! The words the tests are written in: a cluster of the reference case, changed where a test says.

mod attributes;
mod gates;
mod properties;
mod reference;
mod router;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::allocator::{Allocator, Held};
use crate::model::{
    Asn, BgpAdvertisement, Config, Endpoint, EndpointSlice, ExternalTrafficPolicy, Node, Peer,
    Pool, PoolSelection, Service, ServiceKey,
};

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
        slice.endpoints = on.iter().map(|node| endpoint(node)).collect();
        self.services.push(service);
        self.slices.push(slice);
        self
    }

    /// Changes the advertisement, the pool or the peer of the one there is.
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Adds advertisements of one pool only.
    fn announce(&mut self, pool: &str, advertisements: Vec<BgpAdvertisement>) {
        self.config.bgp_advertisements.extend(advertisements.into_iter().map(|mut it| {
            it.pools = PoolSelection::only(pool);
            it
        }));
    }

    fn plan(&self, node: &str) -> Plan {
        self.plan_of(node, &self.services)
    }

    /// The plan for some of the Services, when all of them have their addresses.
    fn plan_of(&self, node: &str, services: &[Service]) -> Plan {
        let mut allocator = self.class.clone().map_or_else(Allocator::new, Allocator::for_class);
        let allocation = allocator.reconcile(&self.config.pools, &self.services, &Held::new());
        let endpoints = Endpoints::of(&self.slices);
        let mut context = Context::new(&self.config, &allocation, &endpoints);
        context.class = self.class.as_deref();
        context.next_hop = self.next_hop;
        let node = self.nodes.iter().find(|it| it.name == node).unwrap();
        plan(&context, node, services)
    }

    fn plans(&self) -> Vec<Plan> {
        self.nodes.iter().map(|node| self.plan(&node.name)).collect()
    }
}

fn endpoint(node: &str) -> Endpoint {
    let mut endpoint = Endpoint::new(vec![ip("10.244.0.7")]);
    endpoint.node_name = Some(node.to_owned());
    endpoint
}

fn local(service: &mut Service) {
    service.external_traffic_policy = ExternalTrafficPolicy::Local;
}

impl Plan {
    /// Why a Service is not announced to the router: gate and sentence, and what would mend it.
    fn why_not(&self, service: &str) -> (Gate, String, Option<String>) {
        let reason = self.services[&key(service)].at(ROUTER).unwrap_err().unwrap();
        (reason.gate(), reason.to_string(), reason.mend())
    }

    fn prefixes(&self) -> Vec<String> {
        self.peers[0].routes.keys().map(ToString::to_string).collect()
    }
}
