//! Clusters of any size for lb-adapter: ordinary Services, one node, some peers.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{
    Asn, Config, Endpoint, EndpointSlice, ExternalTrafficPolicy, IpFamily, Node, Peer, Pool,
    Service, ServiceKey, ServicePort, TransportProtocol,
};
use lb_adapter::planner::PlannerOptions;

/// Services of one family, with the API server's defaults; every other one has policy Local.
#[must_use]
pub fn services(count: usize, family: IpFamily) -> Vec<Service> {
    (0..count).map(|number| service(number, family)).collect()
}

fn service(number: usize, family: IpFamily) -> Service {
    let namespace = format!("namespace-{}", number % 50);
    let mut service = Service::new(ServiceKey::new(namespace, format!("service-{number:05}")));
    service.ports = vec![ServicePort { protocol: TransportProtocol::Tcp, port: 443 }];
    service.selector.insert("app".to_owned(), format!("app-{number}"));
    service.cluster_ips = vec![match family {
        IpFamily::Ipv4 => IpAddr::from([10, 96, 0, 1]),
        IpFamily::Ipv6 => IpAddr::from([0xfd96, 0, 0, 0, 0, 0, 0, 1]),
    }];
    if number % 2 == 1 {
        service.external_traffic_policy = ExternalTrafficPolicy::Local;
    }
    service
}

/// Three ready endpoints of a Service. If `here` is true, one is on the node, otherwise none.
#[must_use]
pub fn slice(service: &Service, here: bool) -> EndpointSlice {
    let mut slice = EndpointSlice::new(format!("{}-abcde", service.key.name), service.key.clone());
    slice.endpoints = (0..3_u8)
        .map(|number| {
            let mut endpoint = Endpoint::new(IpAddr::from([10, 244, number, 7]));
            let node = if number == 0 && here {
                "kube0".to_owned()
            } else {
                format!("kube{}", number + 1)
            };
            endpoint.node_name = Some(node.into());
            endpoint.ready = Some(true);
            endpoint
        })
        .collect();
    slice
}

/// The node to plan for.
#[must_use]
pub fn node() -> Node {
    let mut node = Node::new("kube0");
    node.addresses = vec![IpAddr::from([172, 22, 35, 25])];
    node
}

/// One pool, some external peers, one advertisement.
///
/// # Panics
///
/// If `range` is not an address range.
#[must_use]
pub fn config(range: &str, peers: u8) -> Config {
    let addresses = (1..=peers).map(|number| IpAddr::V4(Ipv4Addr::new(172, 22, 35, number)));
    let peers = addresses.map(|address| Peer::new(Asn(64_636), Asn(64_635), address));
    let range = range.parse().unwrap_or_else(|_| panic!("expected a range, found {range}"));
    Config::new(peers.collect(), vec![Pool::new("default", vec![range])])
}

/// A cluster whose Services all have addresses and are announced.
#[must_use]
pub fn engine(count: usize, peers: u8) -> Engine {
    let mut engine = Engine::new(PlannerOptions::default(), Some("kube0".to_owned()));
    for service in services(count, IpFamily::Ipv4) {
        engine.apply(Change::Slice(slice(&service, true)));
        engine.apply(Change::Service { service: Box::new(service), status: None });
    }
    engine.apply(Change::Node(node()));
    engine.apply(Change::Config(Arc::new(config("10.0.0.0/16", peers))));
    engine.apply(Change::Synced);
    engine
}
