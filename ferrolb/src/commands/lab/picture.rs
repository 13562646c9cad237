//! The cluster as it is to be seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use bgp_session::{Origin, RoutePath};
use ipnet::IpNet;

use super::cluster::Cluster;
use super::layout::dialled;
use crate::output::{Picture, RouteRow, ServiceRow, SessionRow, WithheldRow};
use ferrolb_node::sessions::{SessionKey, SessionStatus};
use lb_adapter::engine::{Engine, peer_label};
use lb_adapter::model::{Community, LargeCommunity, Peer, Service, ServiceType};
use lb_adapter::planner::{Gate, Plan, RouterPath, RouterTable};

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
                .attribute_warnings()
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
            let not_running =
                || ("Idle".to_owned(), Some("the router is not running".to_owned()), None);
            let told = |status: SessionStatus| {
                let since = status.peer.as_ref().filter(|_| status.is_established());
                let up = since.map(|peer| (peer.since, status.last_down()));
                let reason = if up.is_some() { None } else { status.reason() };
                (status.state().to_string(), reason, up)
            };
            let (state, reason, up) = self.status(&key).map_or_else(not_running, told);
            SessionRow { node: plan.node().to_owned(), peer: peer_label(peer), state, reason, up }
        };
        dialled(&self.engine).map(|(plan, peer_plan, _)| row(plan, &peer_plan.peer)).collect()
    }

    /// What a router holds, in the form in which the planner says what it should.
    pub(super) fn table(&self, router: SocketAddr) -> RouterTable {
        let mut table = RouterTable::new();
        let Some(held) = self.routers.table(router) else { return table };
        for (prefix, paths) in &held {
            let known = paths.iter().filter(|path| self.next_hop(router, path).is_some());
            for path in known.filter_map(router_path) {
                table.insert(prefix, path);
            }
        }
        table
    }

    /// Returns the next hop of a path; nothing if it is the loopback address of a lab's session, which stands for an
    /// address of the node that the manifests do not have.
    fn next_hop(&self, router: SocketAddr, path: &RoutePath) -> Option<IpAddr> {
        let next_hop = path.attributes.next_hop?.address();
        let node = self.routers.node(router, path.peer.address());
        let plan = node.and_then(|node| self.engine.plan(node));
        let is_own = || plan.is_some_and(|it| it.context.node.addresses.contains(&next_hop));
        (next_hop != path.peer.address() || is_own()).then_some(next_hop)
    }

    fn routes(&self) -> Vec<RouteRow> {
        let mut rows = Vec::new();
        let several = self.routers.listening().count() > 1;
        for (router, held) in self.routers.tables() {
            let label = several.then(|| router_label(&self.engine, router));
            for (prefix, paths) in &held {
                let from = |path: &RoutePath| {
                    let node = self.routers.node(router, path.peer.address());
                    (self.next_hop(router, path), node.unwrap_or("?").to_owned())
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
    from: impl Fn(&RoutePath) -> Hop,
) -> Vec<RouteRow> {
    let mut groups: Vec<(RouterPath, BTreeSet<Hop>)> = Vec::new();
    for path in paths {
        let Some(common) = router_path(path) else { continue };
        let hop = from(path);
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

    let row = |(common, hops): (RouterPath, BTreeSet<Hop>)| {
        let (next_hops, nodes) = hops.into_iter().unzip();
        RouteRow {
            router: router.cloned(),
            prefix,
            next_hops,
            as_path: common.as_path.iter().map(|asn| asn.0).collect(),
            local_pref: common.local_pref,
            origin: (common.origin != Origin::default()).then(|| common.origin.to_string()),
            med: common.med,
            communities: common.communities.iter().map(digits).collect(),
            large_communities: common.large_communities.iter().map(large_digits).collect(),
            extended_communities: texts(&common.extended_communities),
            nodes,
        }
    };
    groups.into_iter().map(row).collect()
}

/// The next hop, if it is known, and the node.
type Hop = (Option<IpAddr>, String);

fn texts<T: ToString>(values: &BTreeSet<T>) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

fn large_digits(community: &LargeCommunity) -> String {
    let LargeCommunity { global_administrator, local_data_1, local_data_2 } = community;
    format!("{global_administrator}:{local_data_1}:{local_data_2}")
}

/// As the configuration writes it, well-known ones too.
fn digits(community: &Community) -> String {
    format!("{}:{}", community.0 >> 16, community.0 & 0xFFFF)
}

/// A received path as the planner would write it.
fn router_path(path: &RoutePath) -> Option<RouterPath> {
    let next_hop = path.attributes.next_hop?.address();
    Some(RouterPath::of(next_hop, &path.attributes))
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
                let concerns_all = it.peer.is_none() || !plan.is_announced(key);
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
