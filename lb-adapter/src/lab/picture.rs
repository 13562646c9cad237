//! The cluster as it is to be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use bgp_session::RoutePath;
use ipnet::IpNet;

use super::cluster::Cluster;
use super::layout::dialled;
use crate::engine::{Engine, peer_label};
use crate::model::{Community, Peer, Service, ServiceType};
use crate::planner::{Gate, Plan, RouterPath, RouterTable};
use crate::report::{Picture, RouteRow, ServiceRow, SessionRow, WithheldRow};
use crate::sessions::{SessionKey, SessionStatus};

impl Cluster {
    /// What there is to see now.
    pub(super) fn picture(&self) -> Picture {
        let engine = &self.engine;
        if engine.config().is_none() {
            return Picture::default();
        }
        let routers = self.routers.listening().map(|(router, listens_at)| {
            format!("router {} listens on {listens_at}", router_label(engine, router))
        });
        let peers = engine.config().into_iter().flat_map(|config| &config.peers);
        let at_interfaces = peers.filter(|peer| peer.address.ip().is_none()).map(|peer| {
            format!("peer {} is at an interface, which a lab has none of", peer_label(peer))
        });
        let no_nodes = engine.plans().next().is_none().then(|| NO_NODES.to_owned());
        Picture {
            sessions: self.picture_of_sessions(),
            services: services(engine),
            routes: self.routes(),
            withheld: withheld(engine),
            notes: engine
                .notes()
                .into_iter()
                .chain(no_nodes)
                .chain(routers)
                .chain(at_interfaces)
                .chain(self.loopback_notes())
                .collect(),
        }
    }

    pub(super) fn picture_of_sessions(&self) -> Vec<SessionRow> {
        let row = |plan: &Plan, peer: &Peer| {
            let key = SessionKey::new(plan.node(), &peer.name);
            let not_running = || ("Idle".to_owned(), Some("the router is not running".to_owned()));
            let told = |status: SessionStatus| {
                let reason = || status.reason();
                let reason = if status.is_established() { None } else { reason() };
                (status.state().to_string(), reason)
            };
            let (state, reason) = self.status(&key).map_or_else(not_running, told);
            SessionRow { node: plan.node().to_owned(), peer: peer_label(peer), state, reason }
        };
        dialled(&self.engine).map(|(plan, peer_plan, _)| row(plan, &peer_plan.peer)).collect()
    }

    /// What a router holds, in the form in which the planner says what it should.
    pub(super) fn table(&self, router: SocketAddr) -> RouterTable {
        let mut table = RouterTable::new();
        let Some(held) = self.routers.table(router) else { return table };
        for (prefix, paths) in &held {
            for path in paths.iter().filter_map(router_path) {
                table.insert(prefix, path);
            }
        }
        table
    }

    fn routes(&self) -> Vec<RouteRow> {
        let mut rows = Vec::new();
        let several = self.routers.listening().count() > 1;
        for (router, held) in self.routers.tables() {
            let label = several.then(|| router_label(&self.engine, router));
            for (prefix, paths) in &held {
                let from = |path: &RoutePath| {
                    self.routers.node(router, path.peer.address()).unwrap_or("?").to_owned()
                };
                rows.extend(rows_of(label.as_ref(), prefix, paths, from));
            }
        }
        rows
    }
}

/// One row for paths that are alike but for their next hops; the row of the best path first.
fn rows_of(
    router: Option<&String>,
    prefix: IpNet,
    paths: &[RoutePath],
    node: impl Fn(&RoutePath) -> String,
) -> Vec<RouteRow> {
    let mut groups: Vec<(RouterPath, BTreeSet<(IpAddr, String)>)> = Vec::new();
    for path in paths {
        let Some(common) = router_path(path) else { continue };
        let hop = (common.next_hop, node(path));
        let alike = |(other, _): &&mut (RouterPath, _)| {
            RouterPath { next_hop: other.next_hop, ..common.clone() } == *other
        };
        match groups.iter_mut().find(alike) {
            Some((_, hops)) => {
                hops.insert(hop);
            }
            None => groups.push((common, BTreeSet::from([hop]))),
        }
    }
    let row = |(common, hops): (RouterPath, BTreeSet<(IpAddr, String)>)| {
        let (next_hops, nodes) = hops.into_iter().unzip();
        RouteRow {
            router: router.cloned(),
            prefix,
            next_hops,
            as_path: common.as_path.iter().map(|asn| asn.0).collect(),
            local_pref: common.local_pref,
            communities: common.communities.iter().map(digits).collect(),
            nodes,
        }
    };
    groups.into_iter().map(row).collect()
}

/// As the configuration writes it, well-known ones too.
fn digits(community: &Community) -> String {
    format!("{}:{}", community.0 >> 16, community.0 & 0xFFFF)
}

/// A received path as the planner would write it.
fn router_path(path: &RoutePath) -> Option<RouterPath> {
    let attributes = &path.attributes;
    let mut router_path = RouterPath::through(attributes.next_hop?.address());
    let asns = attributes.as_path.segments.iter().flat_map(|segment| &segment.asns);
    router_path.as_path = asns.copied().collect();
    router_path.local_pref = attributes.local_pref;
    router_path.communities = attributes.communities.iter().copied().collect();
    Some(router_path)
}

fn services(engine: &Engine) -> Vec<ServiceRow> {
    let row = |service: Service| {
        let assignment = engine.holding(&service.key);
        ServiceRow {
            namespace: service.key.namespace.to_string(),
            name: service.key.name.to_string(),
            pool: assignment.as_ref().map(|it| it.pool.to_string()),
            addresses: assignment.map(|it| it.addresses.to_vec()).unwrap_or_default(),
        }
    };
    engine.services().filter(is_load_balancer).map(row).collect()
}

fn is_load_balancer(service: &Service) -> bool {
    service.type_ == ServiceType::LoadBalancer
}

/// What is not announced, by Service and reason.
fn withheld(engine: &Engine) -> Vec<WithheldRow> {
    let mut nodes_of: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for plan in engine.plans() {
        for key in engine.service_keys() {
            let not_announced = engine.not_announced(plan, key);
            // That one peer of several gets nothing from this node is how it was configured.
            let told = not_announced.iter().filter(|it| {
                let concerns_all = it.peer.is_none() || plan.announced(key).is_empty();
                concerns_all && it.reason.gate() != Gate::Type
            });
            for reason in told.map(|it| it.reason.to_string()) {
                let nodes = nodes_of.entry((key.to_string(), reason)).or_default();
                nodes.push(plan.node().to_owned());
            }
        }
    }
    let row = |((service, reason), mut nodes): ((String, String), Vec<String>)| {
        if nodes.len() == engine.plans().count() && nodes.len() > 1 {
            nodes.clear();
        }
        WithheldRow { service, nodes, reason }
    };
    nodes_of.into_iter().map(row).collect()
}

/// How a router is called: by the first peer that is configured with its address.
fn router_label(engine: &Engine, router: SocketAddr) -> String {
    let mut peers = engine.config().into_iter().flat_map(|config| &config.peers);
    let peer = peers.find(|peer| peer.socket_address() == Some(router));
    peer.map_or_else(|| router.to_string(), peer_label)
}

/// Without a node there is nobody for a reason to be about.
const NO_NODES: &str = "there is no Node in the files, so nothing is announced";
