//! What there is after a step: the form of the answers.

use serde::Serialize;

use crate::allocator::{Event, check_served};
use crate::engine::{Effects, Engine};
use crate::model::{Community, LargeCommunity, Peer, PeerAsn, Service, ServiceKey};
use crate::planner::{PeerPlan, Plan, PlannedRoute};

/// The state after one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Answer {
    /// Which step, from 1.
    pub step: usize,
    /// Whether the step had an effect; if not, the state is the one before.
    pub ok: bool,
    /// Why it had none.
    pub problems: Vec<String>,
    /// The Services that are served here, by namespace and name.
    pub services: Vec<ServiceRow>,
    /// The sessions that each node keeps, by node and peer.
    pub peers: Vec<PeerRow>,
    /// What is announced, by node, peer and prefix.
    pub routes: Vec<RouteRow>,
    /// What is not, by node and Service.
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
    /// What it holds.
    pub addresses: Vec<String>,
    /// The pool that its addresses are of.
    pub pool: Option<String>,
    /// Whether this step wrote its status.
    pub changed: bool,
    /// What this step told about it.
    pub events: Vec<EventRow>,
}

/// One event, as Kubernetes shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EventRow {
    /// Normal or Warning.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// What happened, in a word.
    pub reason: &'static str,
    /// What happened, in a sentence.
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
    /// The AS of the router; none for any but the node's.
    pub peer_asn: Option<u32>,
    /// The hold time to propose, in seconds.
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
    /// Where to.
    pub prefix: String,
    /// The next hop; none is the session's own address.
    pub next_hop: Option<String>,
    /// LOCAL_PREF, as it would be sent.
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC, where a Service or its health has one sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// What is prepended to the AS_PATH of the session.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prepended: Vec<u32>,
    /// Whether its Services are not healthy here, and other nodes should be preferred.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub depreferenced: bool,
    /// COMMUNITIES.
    pub communities: Vec<String>,
    /// EXTENDED_COMMUNITIES: the link bandwidth.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<String>,
    /// LARGE_COMMUNITY.
    pub large_communities: Vec<String>,
    /// The Services that it is for.
    pub services: Vec<String>,
}

/// One Service that a node does not announce, to one peer or to any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WithheldRow {
    /// The node.
    pub node: String,
    /// The Service.
    pub service: String,
    /// The peer, where only one is concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The first condition that failed.
    pub gate: &'static str,
    /// What it found.
    pub reason: String,
}

impl Answer {
    pub(super) fn of(
        engine: &Engine,
        step: usize,
        problems: Vec<String>,
        effects: &Effects,
    ) -> Self {
        let class = engine.options().class.as_deref();
        let served = engine.services().filter(|service| check_served(service, class).is_ok());
        let mut answer = Self {
            step,
            ok: problems.is_empty(),
            problems,
            services: served.map(|it| service_row(engine, &it, effects)).collect(),
            peers: Vec::new(),
            routes: Vec::new(),
            not_announced: engine.plans().flat_map(|plan| withheld(engine, plan)).collect(),
        };
        for plan in engine.plans() {
            let mut peers: Vec<_> = plan.peers.iter().collect();
            peers.sort_by_key(|it| it.peer.endpoint());
            answer.peers.extend(peers.iter().map(|it| peer_row(plan, &it.peer)));
            answer.routes.extend(peers.iter().flat_map(|it| route_rows(plan, it)));
        }
        // Of peers that are alike the routes stand together.
        answer.routes.sort_by(|a, b| (&a.node, &a.peer).cmp(&(&b.node, &b.peer)));
        answer
    }
}

fn service_row(engine: &Engine, service: &Service, effects: &Effects) -> ServiceRow {
    let holding = engine.holding(&service.key);
    let (addresses, pool) = holding.map(|it| (it.addresses.to_vec(), it.pool.to_string())).unzip();
    let events = effects.events.iter().filter(|event| event.service == service.key);
    ServiceRow {
        namespace: service.key.namespace.to_string(),
        name: service.key.name.to_string(),
        addresses: addresses.unwrap_or_default().iter().map(ToString::to_string).collect(),
        pool: pool.filter(|pool| !pool.is_empty()),
        changed: effects.written.contains(&service.key),
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

fn route_rows(plan: &Plan, peer: &PeerPlan) -> Vec<RouteRow> {
    let row = |(prefix, route): (&ipnet::IpNet, &PlannedRoute)| {
        let attributes = route.attributes();
        let prepended = attributes.as_path.segments.iter().flat_map(|it| &it.asns);
        RouteRow {
            node: plan.node().to_owned(),
            peer: peer.peer.endpoint(),
            prefix: prefix.to_string(),
            next_hop: route.next_hop().map(|it| it.to_string()),
            local_pref: route.local_pref(),
            med: attributes.med,
            prepended: prepended.map(|asn| asn.0).collect(),
            depreferenced: route.is_depreferenced(),
            communities: route.communities().iter().map(|it| numbers(*it)).collect(),
            extended_communities: texts(&attributes.extended_communities),
            large_communities: route.large_communities().iter().map(large_numbers).collect(),
            services: route.services().map(ToString::to_string).collect(),
        }
    };
    peer.routes.iter().map(row).collect()
}

fn withheld(engine: &Engine, plan: &Plan) -> Vec<WithheldRow> {
    let endpoint = |name: &String| {
        let peers = plan.context.config.iter().flat_map(|config| &config.peers);
        let peer = peers.into_iter().find(|peer| peer.name == *name);
        peer.map_or_else(|| name.clone(), Peer::endpoint)
    };
    let of_service = |key: &ServiceKey| {
        let not_announced = engine.not_announced(plan, key).into_iter();
        let mut rows: Vec<_> = not_announced
            .map(|it| WithheldRow {
                node: plan.node().to_owned(),
                service: key.to_string(),
                peer: it.peer.as_ref().map(endpoint),
                gate: it.reason.gate().as_str(),
                reason: it.reason.to_string(),
            })
            .collect();
        rows.sort_by(|a, b| a.peer.cmp(&b.peer));
        rows
    };
    engine.service_keys().flat_map(of_service).collect()
}

/// `64635:100`, well-known ones too.
fn numbers(community: Community) -> String {
    format!("{}:{}", community.0 >> 16, community.0 & 0xFFFF)
}

fn large_numbers(community: &LargeCommunity) -> String {
    let LargeCommunity { global_administrator, local_data_1, local_data_2 } = community;
    format!("{global_administrator}:{local_data_1}:{local_data_2}")
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
