//! The words the tests are written in: a cluster of the reference case, changed where a test says.

mod attributes;
mod gates;
mod health;
mod hints;
mod properties;
mod reference;
mod router;

use std::net::IpAddr;

use ipnet::IpNet;

use crate::allocator::{Allocator, HeldAddresses};
use crate::model::{
    Asn, BgpAdvertisement, Config, Endpoint, EndpointSlice, ExternalTrafficPolicy, NextHopPolicy,
    Node, Peer, Pool, PoolSelection, Service, ServiceKey,
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

    fn scene(&self, node: &str) -> Scene {
        let node = self.nodes.iter().find(|it| it.name == node).unwrap();
        let mut scene = Scene::new(node.clone(), Arc::new(self.config.clone()));
        scene.options.class.clone_from(&self.class);
        scene.options.next_hop = self.next_hop.clone();
        scene.options.ignore_exclude_label = self.ignore_exclude_label;
        scene
    }

    /// Looks at each of some Services, when all of them have their addresses.
    fn each<'a>(&'a self, services: &'a [Service], mut see: impl FnMut(&Subject<'_>)) {
        let mut allocator = self.class.clone().map_or_else(Allocator::new, Allocator::for_class);
        allocator.reconcile(&self.config.pools, &self.services, &HeldAddresses::new());
        for service in services {
            let slices = self.slices.iter().filter(|slice| slice.service == service.key);
            let endpoints = Endpoints::of(service, slices.flat_map(|slice| &slice.endpoints));
            let held = allocator.assignment(&service.key);
            let held = held.ok_or_else(|| allocator.refusal(&service.key));
            see(&Subject::new(service, held, &endpoints));
        }
    }

    fn plan(&self, node: &str) -> Planned {
        self.plan_of(node, &self.services)
    }

    fn plan_of(&self, node: &str, services: &[Service]) -> Planned {
        let mut planned = Planned { plan: Plan::new(self.scene(node)), services: BTreeMap::new() };
        self.each(services, |subject| {
            planned.plan.update(subject);
            let addresses =
                subject.held.map_or_else(|_| Vec::new(), |held| held.addresses.to_vec());
            let routes = service_routes(&planned.plan.scene, subject);
            planned.services.insert(subject.service.key.clone(), (addresses, routes.not_announced));
        });
        planned
    }

    fn plans(&self) -> Vec<Planned> {
        self.nodes.iter().map(|node| self.plan(&node.name)).collect()
    }
}

/// A plan, and what it was made of.
#[derive(Clone, Debug, PartialEq)]
struct Planned {
    plan: Plan,
    /// The Services' addresses, and why they are not announced.
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

    /// The prefixes that a peer gets for a Service, or why there are none.
    fn at(&self, service: &ServiceKey, peer: &str) -> Result<BTreeSet<IpNet>, Option<&Reason>> {
        let announced = self.plan.announced(service).iter();
        let to_peer = announced.filter(|(at, _)| self.plan.peers[*at].peer.name == peer);
        let prefixes: BTreeSet<_> = to_peer.map(|(_, prefix)| *prefix).collect();
        if !prefixes.is_empty() {
            return Ok(prefixes);
        }
        let not_announced = &self.services[service].1;
        let of_peer = not_announced.iter().find(|it| it.peer.as_deref() == Some(peer));
        let of_all = || not_announced.iter().find(|it| it.peer.is_none());
        Err(of_peer.or_else(of_all).map(|it| &it.reason))
    }

    /// Why a Service is not announced to the router: gate and sentence, and what would mend it.
    fn why_not(&self, service: &str) -> (Gate, String, Option<String>) {
        let reason = self.at(&key(service), ROUTER).unwrap_err().unwrap();
        let format = self.plan.scene.config.as_ref().map(|it| it.format).unwrap_or_default();
        (reason.gate(), reason.to_string(), reason.mend(format))
    }

    fn prefixes(&self) -> Vec<String> {
        self.peers[0].routes.keys().map(ToString::to_string).collect()
    }

    fn notes(&self) -> Vec<String> {
        let notes = self.plan.notes(&self.peers[0]);
        notes.iter().map(ToString::to_string).collect()
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
