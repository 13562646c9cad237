//! A node and three routers that monitor it by BFD: one on the link over IPv4, one over IPv6, and an internal one behind
//! another router.

use std::net::IpAddr;

use test_peers::{Host, Lan, WrittenBird, WrittenFrr};

/// The addresses of the node.
pub(crate) const NODE: [&str; 2] = ["172.22.35.26", "fd22::26"];

/// The configuration of the node, as in the ConfigMap. BIRD sends over several hops with a TTL of 64.
pub(crate) const CONFIG: &str = "bfd-profiles: [{name: fast, minimum-ttl: 63}]
peers:
- {my-asn: 64636, peer-asn: 64635, peer-address: 172.22.35.1, bfd-profile: fast}
- {my-asn: 64636, peer-asn: 64635, peer-address: \"fd22::2\", bfd-profile: fast}
- {my-asn: 64636, peer-asn: 64636, peer-address: 10.2.0.1, bfd-profile: fast}
address-pools: [{name: a, protocol: bgp, addresses: [172.22.35.70/32]}]
";

/// The hosts and the routers.
pub(crate) struct Site<R> {
    pub(crate) node: Host,
    pub(crate) hosts: [Host; 3],
    pub(crate) routers: [R; 3],
    _between: Host,
}

impl<R: BfdRouter> Site<R> {
    /// Plugs the hosts into the LAN, except for the last router, which has a link of its own.
    pub(crate) fn on(lan: &Lan) -> Self {
        let far = Lan::new();
        let node = lan.host("node", &["172.22.35.26/24", "fd22::26/64"]);

        // FRR has no IPv6 session without a link-local address.
        let on_link = [1, 2].map(|n| {
            let addresses =
                [format!("172.22.35.{n}/24"), format!("fd22::{n}/64"), format!("fe80::{n}/64")];
            lan.host(&format!("router{n}"), &addresses.each_ref().map(String::as_str))
        });

        let behind = far.host("router3", &["10.2.0.1/24"]);
        let between = lan.host("between", &["172.22.35.254/24"]);
        far.join(&between, "lan1", &["10.2.0.254/24"]);
        between.forward_packets();

        node.ip("route add 10.2.0.0/24 via 172.22.35.254");
        behind.ip("route add default via 10.2.0.254");

        let routers = [
            R::start(&on_link[0], "172.22.35.1", NODE[0], false),
            R::start(&on_link[1], "172.22.35.2", NODE[1], false),
            R::start(&behind, "10.2.0.1", NODE[0], true),
        ];
        let [first, second] = on_link;
        Self { node, hosts: [first, second, behind], routers, _between: between }
    }

    /// Fails unless the BFD sessions of all routers are up.
    pub(crate) fn is_watched(&self) -> Result<(), String> {
        let nodes = [NODE[0], NODE[1], NODE[0]];
        self.routers.iter().zip(nodes).try_for_each(|(router, node)| router.bfd(node).map(drop))
    }
}

/// A router with BFD, from any daemon.
pub(crate) trait BfdRouter: Sized + Send + Sync {
    /// Starts the router with the node as its peer: an external one on the link, or an internal one behind another router.
    fn start(host: &Host, identifier: &str, node: &str, internal: bool) -> Self;

    /// The router's output about its BFD session with the node. Fails unless the session is up.
    fn bfd(&self, node: &str) -> Result<String, String>;
}

impl BfdRouter for WrittenBird {
    fn start(host: &Host, identifier: &str, node: &str, internal: bool) -> Self {
        // BIRD needs the local address of a session over several hops.
        let (local, reach) = if internal {
            (format!("{identifier} as 64636"), "multihop")
        } else {
            ("as 64635".to_owned(), "direct")
        };

        let family = if node.contains(':') { "ipv6" } else { "ipv4" };
        let config = format!(
            "router id {identifier};
protocol bfd {{
  interface \"*\" {{ interval 300 ms; multiplier 3; }};
  multihop {{ interval 300 ms; multiplier 3; }};
}}
protocol bgp node {{
  local {local}; neighbor {node} as 64636; {reach}; bfd on;
  connect delay time 1; error wait time 1,2;
  {family} {{ import all; export none; }};
}}
"
        );
        Self::start(host, &config)
    }

    fn bfd(&self, node: &str) -> Result<String, String> {
        let reply = self.ask("show bfd sessions")?;
        let line = reply.lines().find(|line| line.starts_with(node) && line.contains(" Up "));
        line.map(str::to_owned).ok_or(reply)
    }
}

impl BfdRouter for WrittenFrr {
    fn start(host: &Host, identifier: &str, node: &str, internal: bool) -> Self {
        let profile = "bfd\n profile fast\n  receive-interval 300\n  transmit-interval 300\n  \
                       detect-multiplier 3\n  minimum-ttl 254\n exit\nexit\n";
        let asn = if internal { 64636 } else { 64635 };
        // FRR begins BFD again, and with it BGP, if only the first connection shows the address to use.
        let is_own = |own: &&IpAddr| own.is_ipv6() == node.contains(':');
        let own = host.addresses().iter().find(is_own).expect("an address of the family");
        let bgp = format!(
            "router bgp {asn}\n bgp router-id {identifier}\n no bgp ebgp-requires-policy\n \
             neighbor {node} remote-as 64636\n neighbor {node} timers connect 1\n \
             neighbor {node} update-source {own}\n neighbor {node} bfd\n \
             neighbor {node} bfd profile fast\n"
        );
        Self::start(host, profile, &bgp)
    }

    fn bfd(&self, node: &str) -> Result<String, String> {
        let reply = self.json("bfdd", "show bfd peers json")?;
        let mut peers = reply.as_array().into_iter().flatten();
        let up = peers.find(|peer| peer["peer"] == node && peer["status"] == "up");
        up.map(ToString::to_string).ok_or_else(|| reply.to_string())
    }
}
