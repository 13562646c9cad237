//! Clusters of any size for lb-adapter: ordinary Services on one node, or on several of which each number can be chosen.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use lb_adapter::engine::{Change, Engine};
use lb_adapter::model::{
    Asn, BgpAdvertisement, Config, Endpoint, EndpointSlice, ExternalTrafficPolicy, IpFamily, Node,
    Peer, Pool, PoolSelection, Service, ServiceKey, ServicePort, TransportProtocol,
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

/// The numbers of things in a cluster of several nodes.
#[derive(Clone, Copy, Debug)]
pub struct ClusterSize {
    /// The Services; every other one has policy Local.
    pub services: usize,
    /// The nodes, `kube0` and so on.
    pub nodes: usize,
    /// The peers of each node.
    pub peers: usize,
    /// The ready endpoints of each Service, on consecutive nodes.
    pub endpoints: usize,
    /// The pools. Several pools have an advertisement each, and the Services request them in turn.
    pub pools: usize,
}

impl Default for ClusterSize {
    fn default() -> Self {
        Self { services: 100, nodes: 1, peers: 2, endpoints: 3, pools: 1 }
    }
}

impl ClusterSize {
    /// A cluster of which all objects are known and nothing is planned before [`Change::Synced`].
    ///
    /// # Panics
    ///
    /// There are more pools than fit 10.0.0.0/8.
    #[must_use]
    pub fn unplanned(self) -> Engine {
        let mut engine = Engine::new(PlannerOptions::default(), None);
        for number in 0..self.services {
            let service = self.service(number);
            for slice in self.slices(number) {
                engine.apply(Change::Slice(slice));
            }
            engine.apply(Change::Service { service: Box::new(service), status: None });
        }
        for number in 0..self.nodes {
            engine.apply(Change::Node(self.node(number)));
        }
        engine.apply(Change::Config(Arc::new(self.config())));
        engine
    }

    /// A cluster whose Services all have addresses and are planned on all nodes.
    #[must_use]
    pub fn planned(self) -> Engine {
        let mut engine = self.unplanned();
        engine.apply(Change::Synced);
        engine
    }

    /// A Service of the cluster, by its number.
    #[must_use]
    pub fn service(self, number: usize) -> Service {
        let mut service = service(number, IpFamily::Ipv4);
        if self.pools > 1 {
            let pool = format!("pool-{}", number % self.pools);
            service.annotations.insert("metallb.io/address-pool", pool);
        }
        service
    }

    /// The EndpointSlices of a Service, by its number. Each has at most 100 endpoints, as in Kubernetes.
    #[must_use]
    pub fn slices(self, number: usize) -> Vec<EndpointSlice> {
        let key = service(number, IpFamily::Ipv4).key;
        let numbers: Vec<_> = (0..self.endpoints).collect();
        let slices = numbers.chunks(100).enumerate().map(|(part, numbers)| {
            let mut slice = EndpointSlice::new(format!("{}-{part:05}", key.name), key.clone());
            slice.endpoints = numbers.iter().map(|at| self.endpoint(number + at)).collect();
            slice
        });
        slices.collect()
    }

    fn endpoint(self, number: usize) -> Endpoint {
        let [_, b, c, d] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let mut endpoint = Endpoint::new(IpAddr::from([10, 128 | b, c, d]));
        endpoint.node_name = Some(format!("kube{}", number % self.nodes).into());
        endpoint.ready = Some(true);
        endpoint
    }

    /// A node of the cluster, by its number.
    #[must_use]
    pub fn node(self, number: usize) -> Node {
        let [_, _, c, d] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
        let mut node = Node::new(format!("kube{number}"));
        node.addresses = vec![IpAddr::from([172, 23, c, d])];
        node
    }

    /// The configuration.
    ///
    /// # Panics
    ///
    /// There are more pools than fit 10.0.0.0/8.
    #[must_use]
    pub fn config(self) -> Config {
        let peers = (0..self.peers).map(|number| {
            let [_, _, c, d] = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
            Peer::new(Asn(64_636), Asn(64_635), IpAddr::from([172, 22, c, d]))
        });
        let ranges = (0..self.pools).map(|number| match self.pools {
            1 => "10.0.0.0/9".to_owned(),
            _ => format!("10.{}.{}.0/24", number / 256, number % 256),
        });
        let pools = ranges.enumerate().map(|(number, range)| {
            let range = range.parse().unwrap_or_else(|_| panic!("expected a range, found {range}"));
            Pool::new(format!("pool-{number}"), vec![range])
        });

        let mut config = Config::new(peers.collect(), pools.collect());
        if self.pools > 1 {
            let advertisement = |pool: &Pool| {
                let mut advertisement = BgpAdvertisement::new(format!("of-{}", pool.name));
                advertisement.pools = PoolSelection::only(pool.name.clone());
                advertisement
            };
            config.bgp_advertisements = config.pools.iter().map(advertisement).collect();
        }
        config
    }
}
