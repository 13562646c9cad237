//! The view of a lab's cluster, and its differences from the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use bgp_session::{Origin, RoutePath, RoutePaths};
use ferrolb_node::sessions::SessionKey;
use ipnet::IpNet;
use lb_adapter::engine::{Engine, peer_label};
use lb_adapter::model::{Community, Peer, ServiceType};
use lb_adapter::planner::{Gate, Plan, RouterPath, RouterTable};

use super::cluster::LabCluster;
use super::layout::dialled_sessions;
use crate::output::{ClusterView, RouteRow, ServiceRow, SessionRow, WithheldRow};

impl LabCluster {
    /// Returns the view of this moment.
    pub(super) fn view(&self) -> ClusterView {
        if self.engine.config().is_none() {
            return ClusterView::default();
        }
        ClusterView {
            sessions: self.session_rows(),
            services: service_rows(&self.engine),
            routes: self.route_rows(),
            withheld: withheld_rows(&self.engine),
            notes: self.notes(),
        }
    }

    /// Returns true if everything is as planned. While much is missing, this is much faster than
    /// [`differences`](Self::differences).
    pub(super) fn is_as_planned(&self) -> bool {
        if !self.session_rows().iter().all(SessionRow::is_established) {
            return false;
        }
        let mut tables = self.expected.iter();
        if tables.any(|(router, expected)| self.routers.prefix_count(*router) < expected.len()) {
            return false;
        }
        self.differences().is_empty()
    }

    /// Returns the differences from the plan.
    pub(super) fn differences(&self) -> Vec<String> {
        let mut differences = Vec::new();
        for row in self.session_rows() {
            if !row.is_established() {
                let reason = row.reason.as_deref().unwrap_or("not yet up");
                let SessionRow { node, peer, state, .. } = &row;
                differences.push(format!("session {node} with {peer}: {state}: {reason}"));
            }
        }

        for (router, expected) in &self.expected {
            let address = router.ip();
            for difference in expected.diff(&self.router_table(*router)) {
                differences.push(format!("router {address}: {difference}"));
            }
        }
        differences
    }

    fn notes(&self) -> Vec<String> {
        let mut notes: Vec<_> = self.engine.attribute_warnings().into_iter().collect();
        if self.engine.plans().next().is_none() {
            notes.push("there is no Node in the files, so nothing is announced".to_owned());
        }

        for (router, address) in self.routers.listen_addresses() {
            let router = router_label(&self.engine, router);
            notes.push(format!("router {router} listens on {address}"));
        }

        for peer in self.engine.config().into_iter().flat_map(|config| &config.peers) {
            if peer.address.ip().is_none() {
                let peer = peer_label(peer);
                notes.push(format!("peer {peer} is at an interface, and a lab has no interfaces"));
            }
        }
        notes.extend(self.loopback_notes());
        notes
    }

    fn session_rows(&self) -> Vec<SessionRow> {
        let sessions = dialled_sessions(&self.engine);
        sessions.map(|(plan, peer_plan, _)| self.session_row(plan, &peer_plan.peer)).collect()
    }

    fn session_row(&self, plan: &Plan, peer: &Peer) -> SessionRow {
        let mut row = SessionRow {
            node: plan.node().to_owned(),
            peer: peer_label(peer),
            state: "Idle".to_owned(),
            reason: Some("the router is not running".to_owned()),
            up: None,
        };

        let key = SessionKey::new(plan.node(), &peer.name);
        if let Some(status) = self.status(&key) {
            let established = status.peer.as_ref().filter(|_| status.is_established());
            row.state = status.state().to_string();
            row.up = established.map(|peer| (peer.since, status.last_down()));
            row.reason = if row.up.is_some() { None } else { status.reason() };
        }
        row
    }

    /// Returns the table of a router in the form of the planner's expected tables.
    fn router_table(&self, router: SocketAddr) -> RouterTable {
        let mut table = RouterTable::new();
        let Some(received) = self.routers.table(router) else { return table };
        for (prefix, paths) in &received {
            let paths = paths.iter().filter(|path| self.next_hop(router, path).is_some());
            for path in paths.filter_map(|path| router_path(&path)) {
                table.insert(prefix, path);
            }
        }
        table
    }

    /// Returns the next hop of a path; `None` if it is the loopback address of a session, which stands for an address of
    /// the node that the manifests do not have.
    fn next_hop(&self, router: SocketAddr, path: &RoutePath) -> Option<IpAddr> {
        let next_hop = path.attributes.next_hop?.address();
        if next_hop != path.peer.address() {
            return Some(next_hop);
        }

        let node = self.routers.node(router, path.peer.address())?;
        let addresses = &self.engine.plan(node)?.context.node.addresses;
        addresses.contains(&next_hop).then_some(next_hop)
    }

    fn route_rows(&self) -> Vec<RouteRow> {
        let mut rows = Vec::new();
        let has_several_routers = self.routers.listen_addresses().count() > 1;
        for (router, table) in self.routers.tables() {
            let label = has_several_routers.then(|| router_label(&self.engine, router));
            for (prefix, paths) in &table {
                rows.extend(rows_of_prefix(label.as_ref(), prefix, &paths, |path| {
                    let node = self.routers.node(router, path.peer.address());
                    (self.next_hop(router, path), node.unwrap_or("?").to_owned())
                }));
            }
        }
        rows
    }
}

/// The next hop, if it is known, and the node.
type Hop = (Option<IpAddr>, String);

/// Returns one row for all paths that differ only in their next hops. The row of the best path comes first.
fn rows_of_prefix(
    router: Option<&String>,
    prefix: IpNet,
    paths: &RoutePaths,
    hop_of: impl Fn(&RoutePath) -> Hop,
) -> Vec<RouteRow> {
    let mut groups: Vec<(RouterPath, BTreeSet<Hop>)> = Vec::new();
    for path in paths {
        let Some(attributes) = router_path(&path) else { continue };
        let hop = hop_of(&path);
        let group =
            groups.iter_mut().find(|(other, _)| differ_only_in_next_hop(other, &attributes));
        match group {
            Some((_, hops)) => {
                hops.insert(hop);
            }
            None => groups.push((attributes, BTreeSet::from([hop]))),
        }
    }

    let rows = groups.into_iter().map(|(path, hops)| route_row(router, prefix, &path, hops));
    rows.collect()
}

fn differ_only_in_next_hop(a: &RouterPath, b: &RouterPath) -> bool {
    RouterPath { next_hop: a.next_hop, ..b.clone() } == *a
}

fn route_row(
    router: Option<&String>,
    prefix: IpNet,
    path: &RouterPath,
    hops: BTreeSet<Hop>,
) -> RouteRow {
    let (next_hops, nodes) = hops.into_iter().unzip();
    RouteRow {
        router: router.cloned(),
        prefix,
        next_hops,
        as_path: path.as_path.iter().map(|asn| asn.0).collect(),
        local_pref: path.local_pref,
        origin: (path.origin != Origin::default()).then(|| path.origin.to_string()),
        med: path.med,
        communities: path.communities.iter().map(community_digits).collect(),
        large_communities: path.large_communities.iter().map(ToString::to_string).collect(),
        extended_communities: path.extended_communities.iter().map(ToString::to_string).collect(),
        nodes,
    }
}

/// Returns a community as the configuration writes it, even if it is well known.
fn community_digits(community: &Community) -> String {
    format!("{}:{}", community.0 >> 16, community.0 & 0xFFFF)
}

/// Returns a received path in the planner's form.
fn router_path(path: &RoutePath) -> Option<RouterPath> {
    let next_hop = path.attributes.next_hop?.address();
    Some(RouterPath::of(next_hop, &path.attributes))
}

fn service_rows(engine: &Engine) -> Vec<ServiceRow> {
    let mut rows = Vec::new();
    for service in engine.services() {
        if service.type_ != ServiceType::LoadBalancer {
            continue;
        }
        let holding = engine.holding(&service.key);
        rows.push(ServiceRow {
            namespace: service.key.namespace.to_string(),
            name: service.key.name.to_string(),
            pool: holding.as_ref().map(|holding| holding.pool.to_string()),
            addresses: holding.map(|holding| holding.addresses.to_vec()).unwrap_or_default(),
        });
    }
    rows
}

/// Returns the Services that are not announced, by Service and reason.
fn withheld_rows(engine: &Engine) -> Vec<WithheldRow> {
    let mut nodes_by_reason: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for plan in engine.plans() {
        for key in engine.service_keys() {
            for withheld in engine.not_announced(plan, key) {
                // It is a matter of configuration if only some of the peers get no route from this node.
                let concerns_all_peers = withheld.peer.is_none() || !plan.is_announced(key);
                if concerns_all_peers && withheld.reason.gate() != Gate::Type {
                    let row = (key.to_string(), withheld.reason.to_string());
                    nodes_by_reason.entry(row).or_default().push(plan.node().to_owned());
                }
            }
        }
    }

    let node_count = engine.plans().count();
    let mut rows = Vec::new();
    for ((service, reason), mut nodes) in nodes_by_reason {
        if nodes.len() == node_count && nodes.len() > 1 {
            nodes.clear();
        }
        rows.push(WithheldRow { service, nodes, reason });
    }
    rows
}

/// Returns the name of a router: that of the first peer with its address.
fn router_label(engine: &Engine, router: SocketAddr) -> String {
    let mut peers = engine.config().into_iter().flat_map(|config| &config.peers);
    let peer = peers.find(|peer| peer.socket_address() == Some(router));
    peer.map_or_else(|| router.to_string(), peer_label)
}
