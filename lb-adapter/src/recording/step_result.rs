//! The state after a step, in the form that `ferrolb replay` prints.
//!
//! Owns the names and the order of the fields and rows. The engine owns the values.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use crate::allocator::{Event, check_served};
use crate::engine::{Effects, Engine};
use crate::model::{Community, Peer, PeerAsn, Service, ServiceKey};
use crate::planner::{PeerPlan, Plan, PlannedRoute};

/// The state after one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StepResult {
    /// The number of the step, from 1.
    pub step: usize,
    /// True if the step refused nothing. An object that is refused changes nothing; the other objects of a list take effect.
    pub ok: bool,
    /// The reasons why the step, or objects of it, were refused.
    pub problems: Vec<String>,
    /// The Services that this load balancer serves, by namespace and name.
    pub services: Vec<ServiceRow>,
    /// The sessions, by node and peer.
    pub peers: Vec<PeerRow>,
    /// The announced routes, by node, peer and prefix.
    pub routes: Vec<RouteRow>,
    /// The missing routes, by node and Service.
    pub not_announced: Vec<WithheldRow>,
}

/// One Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServiceRow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<String>,
    /// The pool of its addresses.
    pub pool: Option<String>,
    /// True if this step wrote its status.
    pub changed: bool,
    /// Its events in this step.
    pub events: Vec<EventRow>,
}

/// One event, as in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EventRow {
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// The event's reason: one word, which programs match on.
    pub reason: &'static str,
    /// The event's message: a sentence.
    pub message: String,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeerRow {
    /// The node.
    pub node: String,
    /// The router, as `address:port`.
    pub peer: String,
    /// The AS of the node.
    pub my_asn: u32,
    /// The AS of the router. `None` accepts any AS but the node's.
    pub peer_asn: Option<u32>,
    /// The proposed hold time, in seconds.
    pub hold_time: u64,
}

/// One route to one peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RouteRow {
    /// The node.
    pub node: String,
    /// The router, as `address:port`.
    pub peer: String,
    /// The destination.
    pub prefix: String,
    /// The next hop. `None` stands for the session's own address.
    pub next_hop: Option<String>,
    /// LOCAL_PREF, as sent to this peer.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC, if a Service or its health sets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// The AS numbers that are prepended to the session's AS_PATH.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepended: Vec<u32>,
    /// True if the Services are unhealthy on this node, so that other nodes should be preferred.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub depreferenced: bool,
    /// COMMUNITIES.
    pub communities: Vec<String>,
    /// EXTENDED_COMMUNITIES: the link bandwidth.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<String>,
    /// LARGE_COMMUNITY.
    pub large_communities: Vec<String>,
    /// The Services of the route.
    pub services: Vec<String>,
}

/// One Service that a node does not announce, either to one peer or to any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WithheldRow {
    /// The node.
    pub node: String,
    /// The Service.
    pub service: String,
    /// The peer, if the reason concerns only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The first gate that failed.
    pub gate: &'static str,
    /// The reason why it failed.
    pub reason: String,
}

impl StepResult {
    pub(super) fn of(
        engine: &Engine,
        step: usize,
        problems: Vec<String>,
        effects: &Effects,
    ) -> Self {
        let mut result = Self {
            step,
            ok: problems.is_empty(),
            problems,
            services: Vec::new(),
            peers: Vec::new(),
            routes: Vec::new(),
            not_announced: Vec::new(),
        };

        let class = engine.options().class.as_deref();
        for service in engine.services() {
            if check_served(&service, class).is_ok() {
                result.services.push(service_row(engine, &service, effects));
            }
        }

        for plan in engine.plans() {
            let mut peers: Vec<&PeerPlan> = plan.peers.iter().collect();
            peers.sort_by_key(|peer_plan| peer_plan.peer.endpoint());
            for peer_plan in peers {
                result.peers.push(peer_row(plan, &peer_plan.peer));
                for (prefix, route) in &peer_plan.routes {
                    result.routes.push(route_row(plan, &peer_plan.peer, prefix, route));
                }
            }
            add_withheld(&mut result.not_announced, engine, plan);
        }

        // Routes are sorted by node and peer, and each peer's routes by prefix.
        result.routes.sort_by(|a, b| (&a.node, &a.peer).cmp(&(&b.node, &b.peer)));
        result
    }
}

fn service_row(engine: &Engine, service: &Service, effects: &Effects) -> ServiceRow {
    let key = &service.key;
    let (addresses, pool): (Vec<IpAddr>, String) = match engine.holding(key) {
        Some(assignment) => (assignment.addresses.to_vec(), assignment.pool.to_string()),
        None => (Vec::new(), String::new()),
    };
    let events = effects.events.iter().filter(|event| event.service == *key);

    ServiceRow {
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
        addresses: texts(&addresses),
        pool: Some(pool).filter(|pool| !pool.is_empty()),
        changed: effects.written.contains(key),
        events: events.map(event_row).collect(),
    }
}

fn event_row(event: &Event) -> EventRow {
    EventRow {
        type_: if event.reason.is_warning() { "Warning" } else { "Normal" },
        reason: event.reason.as_str(),
        message: event.message.clone(),
    }
}

fn peer_row(plan: &Plan, peer: &Peer) -> PeerRow {
    let peer_asn = match peer.peer_asn {
        PeerAsn::Number(asn) => Some(asn),
        PeerAsn::Internal => Some(peer.shown_asn()),
        PeerAsn::External => None,
    };

    PeerRow {
        node: plan.node().to_owned(),
        peer: peer.endpoint(),
        my_asn: peer.my_asn.0,
        peer_asn: peer_asn.map(|asn| asn.0),
        hold_time: peer.hold_time.as_secs(),
    }
}

fn route_row(plan: &Plan, peer: &Peer, prefix: &IpNet, route: &PlannedRoute) -> RouteRow {
    let attributes = route.attributes();
    let prepended = attributes.as_path.segments.iter().flat_map(|segment| &segment.asns);

    RouteRow {
        node: plan.node().to_owned(),
        peer: peer.endpoint(),
        prefix: prefix.to_string(),
        next_hop: route.next_hop().map(|next_hop| next_hop.to_string()),
        local_pref: route.local_pref(),
        med: attributes.med,
        prepended: prepended.map(|asn| asn.0).collect(),
        depreferenced: route.is_depreferenced(),
        communities: route.communities().iter().map(numeric).collect(),
        extended_communities: texts(&attributes.extended_communities),
        large_communities: route.large_communities().iter().map(ToString::to_string).collect(),
        services: route.services().map(ToString::to_string).collect(),
    }
}

/// Adds the reasons of a node's missing routes, by Service and peer.
fn add_withheld(rows: &mut Vec<WithheldRow>, engine: &Engine, plan: &Plan) {
    for key in engine.service_keys() {
        let mut of_service = withheld_rows(engine, plan, key);
        of_service.sort_by(|a, b| a.peer.cmp(&b.peer));
        rows.append(&mut of_service);
    }
}

fn withheld_rows(engine: &Engine, plan: &Plan, key: &ServiceKey) -> Vec<WithheldRow> {
    let mut rows = Vec::new();
    for missing in engine.not_announced(plan, key) {
        rows.push(WithheldRow {
            node: plan.node().to_owned(),
            service: key.to_string(),
            peer: missing.peer.map(|name| endpoint_of(plan, name)),
            gate: missing.reason.gate().as_str(),
            reason: missing.reason.to_string(),
        });
    }
    rows
}

/// Returns the endpoint of the peer with this name, or the name if no peer has it.
fn endpoint_of(plan: &Plan, name: String) -> String {
    let mut peers = plan.context.config.iter().flat_map(|config| &config.peers);
    match peers.find(|peer| peer.name == name) {
        Some(peer) => peer.endpoint(),
        None => name,
    }
}

/// Returns a community as `64635:100`, even if it is a well-known one with a name.
fn numeric(community: &Community) -> String {
    format!("{}:{}", community.0 >> 16, community.0 & 0xFFFF)
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
