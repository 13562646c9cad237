//! From manifests to what each node should announce: the one path that every way of running shares.
//!
//! ```text
//! Manifests, what Services hold  --->  Allocator  --->  planner, for each node  --->  View
//! ```
//!
//! Owns the memory of what Services hold, from one set of manifests to the next. It reads and writes
//! no file and opens no session. A set of manifests with an error never gets here.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use bgp_session::BgpIdentifier;

use crate::allocator::{Allocator, Event, EventReason, Held, Outcome};
use crate::manifest::Manifests;
use crate::model::{Peer, Service, ServiceKey};
use crate::planner::{self, Context, Endpoints, NextHopPolicy, PeerPlan, Plan};

/// Turns manifests into plans.
#[derive(Debug, Default)]
pub struct Engine {
    allocator: Allocator,
    held: Held,
    /// What was told of a status that a Service cannot keep.
    told: Vec<Event>,
}

/// What follows from one set of manifests.
#[derive(Debug)]
#[non_exhaustive]
pub struct View {
    /// The manifests.
    pub manifests: Manifests,
    /// Which Service has which address.
    pub allocation: Outcome,
    /// What nodes announce: one for each that was asked about, in the order of the manifests.
    pub plans: Vec<Plan>,
}

impl Engine {
    /// Begins with what is remembered.
    pub fn new(held: Held) -> Self {
        Self { held, ..Self::default() }
    }

    /// Gives addresses to the Services of these manifests, and plans for the nodes asked about.
    ///
    /// A Service of which nothing is remembered holds what its manifest's status says.
    pub fn apply(&mut self, manifests: Manifests, nodes: impl Fn(&str) -> bool) -> View {
        let mut by_status = BTreeSet::new();
        for service in &manifests.services {
            if !self.held.contains_key(&service.key)
                && let Some(held) = status_of(service)
            {
                by_status.insert(service.key.clone());
                self.held.insert(service.key.clone(), held);
            }
        }
        let mut allocation =
            self.allocator.reconcile(&manifests.config.pools, &manifests.services, &self.held);
        self.tell_once(&by_status, &mut allocation.changes.events);
        self.held = allocation.held();
        let endpoints = Endpoints::of(&manifests.slices);
        let mut context = Context::new(&manifests.config, &allocation, &endpoints);
        // The sessions of a lab run between other addresses, those of a real node may: through a
        // router in between, or from the address that its kernel prefers.
        context.next_hop = NextHopPolicy::NodeAddress;
        let plans = manifests
            .nodes
            .iter()
            .filter(|node| nodes(&node.name))
            .map(|node| planner::plan(&context, node, &manifests.services))
            .collect();
        View { manifests, allocation, plans }
    }

    /// A status that cannot be kept stands in the files for as long as they are not mended, and is
    /// no news with each of their changes.
    fn tell_once(&mut self, by_status: &BTreeSet<ServiceKey>, events: &mut Vec<Event>) {
        let cleared = events.iter().filter(|event| {
            event.reason == EventReason::ClearAssignment && by_status.contains(&event.service)
        });
        let told = std::mem::replace(&mut self.told, cleared.cloned().collect());
        events.retain(|event| !told.contains(event) || !self.told.contains(event));
    }

    /// Which Service holds which address: what to remember.
    pub fn held(&self) -> &Held {
        &self.held
    }
}

impl View {
    /// What the last change did to Services, in sentences for a log.
    pub fn events(&self) -> &[Event] {
        &self.allocation.changes.events
    }

    /// Each plan for a peer, with its node's and with the peer as it is configured.
    pub fn sessions(&self) -> impl Iterator<Item = (&Plan, &PeerPlan, &Peer)> {
        let plans = self.plans.iter();
        let of_peers = plans.flat_map(|plan| plan.peers.iter().map(move |peer| (plan, peer)));
        of_peers.filter_map(|(plan, peer)| {
            let configured = self.manifests.config.peers.iter().find(|it| it.name == peer.peer)?;
            Some((plan, peer, configured))
        })
    }

    /// What is configured without effect, a sentence for each.
    pub fn notes(&self) -> BTreeSet<String> {
        let notes = self.plans.iter().flat_map(|plan| &plan.peers).flat_map(|peer| &peer.notes);
        notes.map(ToString::to_string).collect()
    }
}

/// The BGP Identifier of a node towards a peer: the configured one, the node's first IPv4 address, or
/// for a node without one a number made of its name.
pub fn identifier(plan: &Plan, peer: &Peer) -> BgpIdentifier {
    let own = || {
        plan.node_addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        })
    };
    let address = peer.router_id.map(|configured| configured.0).or_else(own);
    BgpIdentifier(address.unwrap_or_else(|| Ipv4Addr::from(fnv1a(&plan.node).max(1))))
}

/// How a peer is called where people read it: its name without the port of BGP.
pub fn peer_label(peer: &Peer) -> String {
    let [plain, bracketed] = [format!("{}", peer.address), format!("[{}]", peer.address)];
    let with_port = |address: &str| {
        let rest = peer.name.strip_prefix(address)?.strip_prefix(":179")?;
        (rest.is_empty() || rest.starts_with('#')).then(|| format!("{plain}{rest}"))
    };
    with_port(&plain).or_else(|| with_port(&bracketed)).unwrap_or_else(|| peer.name.clone())
}

/// The hash FNV-1a, the same on every host and in every version, unlike those of the library.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What the manifest of a Service says that it holds.
fn status_of(service: &Service) -> Option<Vec<IpAddr>> {
    let addresses: Result<Vec<IpAddr>, _> =
        service.status_addresses.iter().map(|text| text.parse()).collect();
    addresses.ok().filter(|addresses| !addresses.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Source, parse};
    use crate::model::Asn;

    #[test]
    fn a_status_that_cannot_be_kept_is_told_once_and_again_only_when_it_is_another() {
        let text = |status: &str| {
            format!(
                "{{apiVersion: v1, kind: ConfigMap, metadata: {{namespace: metallb-system, name: \
                 config}}, data: {{config: ''}}}}\n---\n{{apiVersion: v1, kind: Service, metadata: \
                 {{name: a}}, spec: {{type: ClusterIP, ports: [{{port: 80}}]}}, status: \
                 {{loadBalancer: {{ingress: [{{ip: {status}}}]}}}}}}"
            )
        };
        let mut engine = Engine::default();
        let mut events = |status: &str| {
            let source = Source { name: "a.yaml".to_owned(), octets: text(status).into_bytes() };
            let view = engine.apply(parse("manifests", &[source]).unwrap(), |_| true);
            view.events().iter().map(|event| event.message.clone()).collect::<Vec<_>>()
        };
        let first = ["took back 192.0.2.1: the Service is not of type LoadBalancer"];
        assert_eq!(events("192.0.2.1"), first);
        assert_eq!(events("192.0.2.1"), [""; 0]);
        assert_eq!(events("192.0.2.2").len(), 1);
        assert_eq!(events("192.0.2.1"), first);
    }

    #[test]
    fn a_peer_is_called_by_its_address_where_the_port_says_nothing() {
        let label = |address: &str, name: &str| {
            let mut peer = Peer::new(Asn(1), Asn(2), address.parse::<IpAddr>().unwrap());
            peer.name = name.to_owned();
            peer_label(&peer)
        };
        assert_eq!(label("172.22.35.1", "172.22.35.1:179"), "172.22.35.1");
        assert_eq!(label("172.22.35.1", "172.22.35.1:179#2"), "172.22.35.1#2");
        assert_eq!(label("172.22.35.1", "172.22.35.1:1790"), "172.22.35.1:1790");
        assert_eq!(label("fd00::1", "[fd00::1]:179"), "fd00::1");
        assert_eq!(label("172.22.35.1", "tor"), "tor");
    }
}
