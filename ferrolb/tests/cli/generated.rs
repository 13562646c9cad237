//! Small random clusters, and the file formats for their objects.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A cluster of one or two nodes.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) nodes: Vec<GeneratedNode>,
    pub(crate) peers: Vec<GeneratedPeer>,
    pub(crate) services: Vec<GeneratedService>,
    /// True if the pool has IPv6 addresses too.
    pub(crate) ipv6_pool: bool,
    /// True if the advertisement names its community by an alias.
    pub(crate) alias: bool,
    pub(crate) aggregation_length: u8,
}

#[derive(Clone, Debug)]
pub(crate) struct GeneratedNode {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    pub(crate) ipv6: bool,
    pub(crate) ready: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct GeneratedPeer {
    pub(crate) name: &'static str,
    pub(crate) address: &'static str,
    pub(crate) port: u16,
    pub(crate) dual_stack: bool,
    /// True if the advertisement is for this peer.
    pub(crate) advertised: bool,
    /// The state of the router, in tests that run one.
    pub(crate) router: Router,
}

/// The families that a router offers to the node, if it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Router {
    Down,
    OffersBoth,
    OffersIpv4,
    OffersIpv6,
}

#[derive(Clone, Debug)]
pub(crate) struct GeneratedService {
    pub(crate) name: String,
    pub(crate) families: &'static [&'static str],
    pub(crate) local: bool,
    /// The nodes that have an endpoint, each with true if it is ready.
    pub(crate) endpoints: Vec<(&'static str, bool)>,
}

const NODES: [(&str, &str); 2] = [("kube1", "127.22.35.25"), ("kube2", "127.22.35.26")];
const PEERS: [(&str, &str); 2] = [("rack", "127.22.35.1"), ("spine", "127.22.35.2")];
const FAMILIES: [&[&str]; 4] = [&["IPv4"], &["IPv6"], &["IPv4", "IPv6"], &["IPv6", "IPv4"]];

/// A strategy that generates small clusters.
pub(crate) fn worlds() -> impl Strategy<Value = World> {
    let nodes = prop::collection::vec((any::<bool>(), prop::bool::weighted(0.9)), 1..3);
    let router = prop_oneof![
        1 => Just(Router::Down),
        3 => Just(Router::OffersBoth),
        2 => Just(Router::OffersIpv4),
        1 => Just(Router::OffersIpv6),
    ];
    let peer = (any::<bool>(), prop::bool::weighted(0.8), router);
    let peers = prop::collection::vec(peer, 1..3);
    let endpoint = prop::option::weighted(0.8, prop::bool::weighted(0.8));
    let service = (0..FAMILIES.len(), any::<bool>(), [endpoint.clone(), endpoint]);
    let services = prop::collection::vec(service, 1..4);
    let rest =
        (prop::bool::weighted(0.8), any::<bool>(), prop_oneof![3 => Just(32_u8), 1 => Just(28)]);

    (nodes, peers, services, rest).prop_map(|(nodes, peers, services, rest)| {
        let (ipv6_pool, alias, aggregation_length) = rest;
        let nodes = NODES
            .iter()
            .zip(nodes)
            .map(|(&(name, address), (ipv6, ready))| GeneratedNode { name, address, ipv6, ready });
        let nodes: Vec<_> = nodes.collect();
        let peers = PEERS.iter().zip(peers).map(|(&(name, address), it)| {
            let (dual_stack, advertised, router) = it;
            GeneratedPeer { name, address, port: 179, dual_stack, advertised, router }
        });
        let services = services.into_iter().enumerate().map(|(number, it)| {
            let (families, local, endpoints) = it;
            let endpoints = nodes.iter().zip(endpoints);
            GeneratedService {
                name: format!("shop{number}"),
                families: FAMILIES[families],
                local,
                endpoints: endpoints
                    .filter_map(|(node, ready)| Some((node.name, ready?)))
                    .collect(),
            }
        });
        World {
            peers: peers.collect(),
            services: services.collect(),
            nodes,
            ipv6_pool,
            alias,
            aggregation_length,
        }
    })
}

impl GeneratedNode {
    /// Returns true if this is one of its addresses.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let own = address.to_string();
        own == self.address || self.ipv6_address().is_some_and(|it| it == own)
    }

    fn ipv6_address(&self) -> Option<String> {
        let last = self.address.rsplit_once('.').map_or("", |(_, last)| last);
        self.ipv6.then(|| format!("2001:db8:35::{last}"))
    }
}

impl World {
    /// All objects, in an arbitrary order.
    pub(crate) fn objects(&self) -> Vec<Value> {
        let mut objects: Vec<_> = self.nodes.iter().map(node).collect();
        objects.extend(self.peers.iter().map(peer));
        objects.extend(self.configuration());
        for service in &self.services {
            objects.push(self.service(service));
            objects.push(slice(service));
        }
        objects
    }

    fn configuration(&self) -> Vec<Value> {
        let mut addresses = vec!["192.0.2.16/28"];
        addresses.extend(self.ipv6_pool.then_some("2001:db8:16::/124"));
        let names: Vec<_> =
            self.peers.iter().filter(|it| it.advertised).map(|it| it.name).collect();
        let peers = if names.is_empty() { vec!["missing"] } else { names };
        let community = if self.alias { "shops" } else { "64636:20" };
        let advertisement = json!({
            "peers": peers, "communities": [community], "aggregationLength": self.aggregation_length,
        });
        let alias = json!({"communities": [{"name": "shops", "value": "64636:20"}]});
        let resource = |version: &str, kind: &str, name: &str, spec: Value| {
            json!({
                "apiVersion": format!("metallb.io/{version}"), "kind": kind,
                "metadata": {"name": name, "namespace": "metallb-system"}, "spec": spec,
            })
        };

        vec![
            resource("v1beta1", "IPAddressPool", "public", json!({"addresses": addresses})),
            resource("v1beta1", "BGPAdvertisement", "all", advertisement),
            resource("v1beta1", "Community", "all", alias),
        ]
    }

    fn service(&self, service: &GeneratedService) -> Value {
        let ips = service
            .families
            .iter()
            .map(|it| if *it == "IPv4" { "10.96.7.1" } else { "fd00:96::1" });
        let ips: Vec<_> = ips.collect();
        let policy = if service.families.len() > 1 { "RequireDualStack" } else { "SingleStack" };

        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": service.name, "namespace": "web"},
            "spec": {
                "type": "LoadBalancer", "selector": {"app": service.name},
                "clusterIP": ips[0], "clusterIPs": ips,
                "ipFamilies": service.families, "ipFamilyPolicy": policy,
                "externalTrafficPolicy": if service.local { "Local" } else { "Cluster" },
                "ports": [{"name": "https", "port": 443, "protocol": "TCP"}],
            },
        })
    }

    /// The objects as manifests in one file.
    pub(crate) fn manifests(&self) -> Written {
        Written::folder(&[self.objects()])
    }
}

fn node(node: &GeneratedNode) -> Value {
    let mut addresses = vec![json!({"type": "InternalIP", "address": node.address})];
    let ipv6 = node.ipv6_address();
    addresses.extend(ipv6.map(|it| json!({"type": "InternalIP", "address": it})));
    let ready = if node.ready { "True" } else { "False" };
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name, "labels": {}},
        "status": {"addresses": addresses, "conditions": [{"type": "Ready", "status": ready}]},
    })
}

fn peer(peer: &GeneratedPeer) -> Value {
    json!({
        "apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer",
        "metadata": {"name": peer.name, "namespace": "metallb-system"},
        "spec": {
            "myASN": 64636, "peerASN": 64635, "peerAddress": peer.address, "peerPort": peer.port,
            "dualStackAddressFamily": peer.dual_stack,
        },
    })
}

fn slice(service: &GeneratedService) -> Value {
    let endpoints = service.endpoints.iter().enumerate().map(|(number, (node, ready))| {
        json!({
            "addresses": [format!("10.244.{number}.9")], "nodeName": node,
            "conditions": {"ready": ready, "serving": ready, "terminating": false},
        })
    });
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{}-x1", service.name), "namespace": "web",
            "labels": {"kubernetes.io/service-name": service.name},
        },
        "addressType": "IPv4", "ports": [{"name": "https", "port": 443, "protocol": "TCP"}],
        "endpoints": endpoints.collect::<Vec<_>>(),
    })
}

/// Objects in files of a temporary directory.
pub(crate) struct Written {
    directory: TempDir,
    path: PathBuf,
}

impl Written {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn text(&self) -> String {
        self.path.to_str().unwrap().to_owned()
    }

    /// A path beside the files.
    pub(crate) fn beside(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(name: &str, text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        Self { directory, path }
    }

    /// A folder with a file for each group of objects.
    pub(crate) fn folder(files: &[Vec<Value>]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("manifests");
        fs::create_dir(&path).unwrap();
        for (number, objects) in files.iter().enumerate() {
            fs::write(path.join(format!("{number}.yaml")), stream(objects)).unwrap();
        }
        Self { directory, path }
    }

    /// One file with a document for each object.
    pub(crate) fn stream(objects: &[Value]) -> Self {
        Self::file("stream.yaml", &stream(objects))
    }

    /// One file with a List, as `kubectl get` prints it.
    pub(crate) fn list(objects: &[Value]) -> Self {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        Self::file("list.json", &list.to_string())
    }

    /// A recording that applies one object after the other.
    pub(crate) fn recording(objects: &[Value]) -> Self {
        let lines = objects.iter().map(|object| format!("{}\n", json!({ "apply": object })));
        Self::file("recording.jsonl", &lines.collect::<String>())
    }

    /// A recording that applies a List.
    pub(crate) fn list_recording(objects: &[Value]) -> Self {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        Self::file("list.jsonl", &format!("{}\n", json!({ "apply": list })))
    }
}

fn stream(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}
