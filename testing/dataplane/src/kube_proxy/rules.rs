//! The rules of one node, with the chains, maps and verdicts of kube-proxy in nftables mode. It writes text, and does
//! not run it.
//!
//! Not covered: session affinity, external IPs, source ranges, topology hints, and internal traffic policy `Local`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::model::Port;

const TABLE: &str = "ip kube-proxy";

/// The base chains and what is in every table, whatever the Services. `NODE` stands for the node's address.
///
/// The first two lines remove the rules of an earlier process, in the same transaction.
const BASE: &str = r#"add table ip kube-proxy
delete table ip kube-proxy
add table ip kube-proxy
add map ip kube-proxy service-ips { type ipv4_addr . inet_proto . inet_service : verdict ; }
add map ip kube-proxy service-nodeports { type inet_proto . inet_service : verdict ; }
add map ip kube-proxy no-endpoint-services { type ipv4_addr . inet_proto . inet_service : verdict ; }
add map ip kube-proxy no-endpoint-nodeports { type inet_proto . inet_service : verdict ; }
add set ip kube-proxy nodeport-ips { type ipv4_addr ; }
add element ip kube-proxy nodeport-ips { NODE }
add chain ip kube-proxy reject-chain
add chain ip kube-proxy mark-for-masquerade
add chain ip kube-proxy services
add chain ip kube-proxy service-endpoints-check
add chain ip kube-proxy nodeport-endpoints-check
add chain ip kube-proxy masquerading
add chain ip kube-proxy filter-input { type filter hook input priority -110 ; }
add chain ip kube-proxy filter-forward { type filter hook forward priority -110 ; }
add chain ip kube-proxy filter-output { type filter hook output priority -110 ; }
add chain ip kube-proxy nat-prerouting { type nat hook prerouting priority -100 ; }
add chain ip kube-proxy nat-output { type nat hook output priority -100 ; }
add chain ip kube-proxy nat-postrouting { type nat hook postrouting priority 100 ; }
add rule ip kube-proxy filter-input ct state new jump nodeport-endpoints-check
add rule ip kube-proxy filter-input ct state new jump service-endpoints-check
add rule ip kube-proxy filter-forward ct state new jump service-endpoints-check
add rule ip kube-proxy filter-output ct state new jump service-endpoints-check
add rule ip kube-proxy nat-prerouting jump services
add rule ip kube-proxy nat-output jump services
add rule ip kube-proxy nat-postrouting jump masquerading
add rule ip kube-proxy masquerading mark and 0x4000 == 0 return
add rule ip kube-proxy masquerading mark set mark xor 0x4000
add rule ip kube-proxy masquerading masquerade fully-random
add rule ip kube-proxy mark-for-masquerade mark set mark or 0x4000
add rule ip kube-proxy reject-chain reject
add rule ip kube-proxy service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services
add rule ip kube-proxy nodeport-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports
add rule ip kube-proxy services ip daddr . meta l4proto . th dport vmap @service-ips
add rule ip kube-proxy services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports
"#;

/// A map and a key in it.
type Element = (&'static str, String);

/// The chains and the elements of maps that belong to Services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ruleset {
    chains: BTreeMap<String, Vec<String>>,
    elements: BTreeMap<Element, String>,
}

impl Ruleset {
    /// The rules for these ports on a node. `pod_cidr` has the pods of all nodes.
    pub(super) fn of(ports: &[Port], pod_cidr: &str) -> Self {
        let mut rules = Self::default();
        for port in ports {
            rules.add_port(port, pod_cidr);
        }
        rules
    }

    fn add_port(&mut self, port: &Port, pod_cidr: &str) {
        let Port { name, protocol, .. } = port;
        let cluster = format!("service-{name}");
        let local = format!("local-{name}");
        let external = format!("external-{name}");
        self.capture(port, &cluster, &external);

        if !port.has_endpoints {
            return;
        }

        // Traffic from outside the cluster to the cluster IP may leave the node again.
        let (ip, number) = (port.cluster_ip, port.port);
        self.rule(
            &cluster,
            format!(
                "ip daddr {ip} {protocol} dport {number} ip saddr != {pod_cidr} jump mark-for-masquerade"
            ),
        );
        self.balance(&cluster, port, &port.cluster_endpoints);

        if port.external_local {
            // Pods and the node itself reach the endpoints of all nodes.
            self.rule(&external, format!("ip saddr {pod_cidr} goto {cluster}"));
            self.rule(&external, "fib saddr type local jump mark-for-masquerade".to_owned());
            self.rule(&external, format!("fib saddr type local goto {cluster}"));
            if !port.local_endpoints.is_empty() {
                self.rule(&external, format!("goto {local}"));
                self.balance(&local, port, &port.local_endpoints);
            }
        } else {
            self.rule(&external, "jump mark-for-masquerade".to_owned());
            self.rule(&external, format!("goto {cluster}"));
        }
    }

    /// Directs the addresses and the node port to the chains of a Service, or to a verdict without endpoints.
    fn capture(&mut self, port: &Port, cluster: &str, external: &str) {
        let Port { protocol, port: number, .. } = port;
        let key = |address: Ipv4Addr| format!("{address} . {protocol} . {number}");
        let node_port = port.node_port.map(|node_port| format!("{protocol} . {node_port}"));

        if port.has_endpoints {
            self.element("service-ips", key(port.cluster_ip), format!("goto {cluster}"));
            for vip in &port.vips {
                self.element("service-ips", key(*vip), format!("goto {external}"));
            }
            if let Some(node_port) = &node_port {
                self.element("service-nodeports", node_port.clone(), format!("goto {external}"));
            }
        } else {
            let verdict = "goto reject-chain".to_owned();
            self.element("no-endpoint-services", key(port.cluster_ip), verdict);
        }

        if port.serves_external() {
            return;
        }
        // Policy `Local` drops what arrives for the pods of other nodes.
        let verdict = if port.has_endpoints { "drop" } else { "goto reject-chain" };
        for vip in &port.vips {
            self.element("no-endpoint-services", key(*vip), verdict.to_owned());
        }
        if let Some(node_port) = node_port {
            self.element("no-endpoint-nodeports", node_port, verdict.to_owned());
        }
    }

    /// Spreads the traffic of a chain over endpoints at random.
    fn balance(&mut self, chain: &str, port: &Port, endpoints: &[String]) {
        let mut targets = Vec::new();
        for (number, endpoint) in endpoints.iter().enumerate() {
            let name = format!("endpoint-{}__{}", port.name, endpoint.replace(':', "/"));
            targets.push(format!("{number} : goto {name}"));

            let address = endpoint.split(':').next().unwrap_or_default();
            self.chains.entry(name).or_insert_with(|| {
                vec![
                    // A pod that reaches itself through its Service.
                    format!("ip saddr {address} jump mark-for-masquerade"),
                    format!("meta l4proto {} dnat to {endpoint}", port.protocol),
                ]
            });
        }
        let (count, targets) = (endpoints.len(), targets.join(" , "));
        self.rule(chain, format!("numgen random mod {count} vmap {{ {targets} }}"));
    }

    fn rule(&mut self, chain: &str, rule: String) {
        self.chains.entry(chain.to_owned()).or_default().push(rule);
    }

    fn element(&mut self, map: &'static str, key: String, verdict: String) {
        self.elements.insert((map, key), verdict);
    }

    /// Returns true if there is a chain of this name.
    pub(super) fn has_chain(&self, name: &str) -> bool {
        self.chains.contains_key(name)
    }

    /// The names of the chains.
    pub(super) fn chains(&self) -> impl Iterator<Item = &String> {
        self.chains.keys()
    }

    /// The transaction that makes these rules of nothing, or of what an earlier process has left.
    pub(super) fn create(&self, node: Ipv4Addr) -> String {
        let mut text = BASE.replace("NODE", &node.to_string());
        text.push_str(&self.change(&Self::default()));
        text
    }

    /// The transaction that makes these rules of others.
    ///
    /// A chain that is no longer used is emptied. It is deleted later, as kube-proxy does, because older kernels
    /// hold it for a moment.
    pub(super) fn change(&self, from: &Self) -> String {
        let changed: Vec<_> = self
            .chains
            .iter()
            .filter(|(name, rules)| from.chains.get(*name) != Some(*rules))
            .collect();

        // All chains exist before a rule names one.
        let mut text = String::new();
        for (chain, _) in &changed {
            let _ = writeln!(text, "add chain {TABLE} {chain}\nflush chain {TABLE} {chain}");
        }
        for (chain, rules) in changed {
            for rule in rules {
                let _ = writeln!(text, "add rule {TABLE} {chain} {rule}");
            }
        }

        for ((map, key), verdict) in &from.elements {
            if self.elements.get(&(*map, key.clone())) != Some(verdict) {
                let _ = writeln!(text, "delete element {TABLE} {map} {{ {key} }}");
            }
        }
        for ((map, key), verdict) in &self.elements {
            if from.elements.get(&(*map, key.clone())) != Some(verdict) {
                let _ = writeln!(text, "add element {TABLE} {map} {{ {key} : {verdict} }}");
            }
        }

        for chain in from.chains.keys().filter(|chain| !self.chains.contains_key(*chain)) {
            let _ = writeln!(text, "flush chain {TABLE} {chain}");
        }
        text
    }

    /// The transaction that deletes chains which no rule uses.
    pub(super) fn delete_chains<'a>(chains: impl Iterator<Item = &'a String>) -> String {
        let mut text = String::new();
        for chain in chains {
            let _ = writeln!(text, "delete chain {TABLE} {chain}");
        }
        text
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
