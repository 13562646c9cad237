//! The network of a site: a LAN with a router, an API server and nodes, the pods behind each node, and a client behind
//! the router.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;

use test_peers::{Host, Lan};

/// The network of all pods. The pods of node number N (from 1) are in `10.244.N.0/24`.
pub const POD_CIDR: &str = "10.244.0.0/16";
/// The address of the client.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

const CLIENT_GATEWAY: &str = "198.51.100.1";

/// One node, and the namespace of its pods.
#[derive(Debug)]
#[non_exhaustive]
pub struct Node {
    /// Its host.
    pub host: Host,
    /// Its address on the LAN.
    pub address: Ipv4Addr,
    /// The host of its pods.
    pub pods: Host,
    number: u8,
}

/// The hosts of a site.
#[derive(Debug)]
#[non_exhaustive]
pub struct Network {
    /// The router between the nodes and the client.
    pub router: Host,
    /// The host of the API server and the controller.
    pub api: Host,
    /// The client behind the router.
    pub client: Host,
    /// The nodes by name.
    pub nodes: BTreeMap<&'static str, Node>,
}

impl Network {
    /// Builds the network. All addresses are in one LAN with a prefix length of 24.
    ///
    /// # Panics
    ///
    /// If this process may not create namespaces.
    #[must_use]
    pub fn build(router: Ipv4Addr, api: Ipv4Addr, nodes: &[(&'static str, Ipv4Addr)]) -> Self {
        let (lan, link) = (Lan::new(), Lan::new());
        let on_lan = |name: &str, address| lan.host(name, &[&format!("{address}/24")]);

        let gateway = router;
        let router = on_lan("router", router);
        let api = on_lan("api", api);
        link.join(&router, "wan0", &[&format!("{CLIENT_GATEWAY}/24")]);
        let client = link.host("client", &[&format!("{CLIENT}/24")]);
        client.ip(&format!("route add default via {CLIENT_GATEWAY}"));

        let mut all = BTreeMap::new();
        for (number, (name, address)) in (1..).zip(nodes) {
            let host = on_lan(name, *address);
            host.ip(&format!("route add default via {gateway}"));
            host.forward_packets();

            let pods = Lan::new();
            pods.join(&host, "pods0", &[&format!("10.244.{number}.1/24")]);
            let pods = pods.host("pods", &[&format!("10.244.{number}.2/24")]);
            pods.ip(&format!("route add default via 10.244.{number}.1"));
            all.insert(*name, Node { host, address: *address, pods, number });
        }

        for (name, node) in &all {
            for (_, other) in all.iter().filter(|(other, _)| *other != name) {
                let pods = format!("10.244.{}.0/24", other.number);
                node.host.ip(&format!("route add {pods} via {}", other.address));
            }
        }
        Self { router, api, client, nodes: all }
    }

    /// The name of the node with this address.
    #[must_use]
    pub fn node_at(&self, address: IpAddr) -> Option<&'static str> {
        let mut nodes = self.nodes.iter();
        nodes.find(|(_, node)| IpAddr::from(node.address) == address).map(|(name, _)| *name)
    }
}

impl Node {
    /// Applies commands of `nft` on the node's host, beside the rules of kube-proxy.
    ///
    /// # Panics
    ///
    /// If they are refused.
    pub fn nft(&self, commands: &str) {
        let mut nft = self.host.command(Path::new("nft"));
        let mut nft =
            nft.args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("`nft` can be started");
        let written = nft.stdin.take().expect("a pipe").write_all(commands.as_bytes());
        written.expect("`nft` reads its commands");
        let status = nft.wait().expect("`nft` ends");
        assert!(status.success(), "nft: {status}: {commands}");
    }

    /// The address of the pod with this number, with a port. The host of the pods has it from now on.
    ///
    /// # Panics
    ///
    /// If it cannot be set.
    #[must_use]
    pub fn add_pod_address(&self, number: u8, port: u16) -> SocketAddr {
        let address = Ipv4Addr::new(10, 244, self.number, number);
        self.pods.ip(&format!("address replace {address}/24 dev lan0"));
        (address, port).into()
    }
}
