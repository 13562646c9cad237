//! `ferrolb explain`: why a Service is announced, or why it is not.
//!
//! ```text
//! type  class  sync  config  pool  address  node  peer  advertisement  endpoints  drain  policy  session  sent
//! ```
//!
//! Owns the walk along the gates as people see it: what each found, the first that failed, and what
//! would mend it. Which one that is, the planner says; nothing is decided here.

mod text;

use ipnet::IpNet;
use serde::Serialize;

use crate::engine::peer_label;
use crate::model::{ConfigFormat, Peer, Service, ServiceKey};
use crate::planner::{Gate, NotAnnounced, PeerPlan, Plan, PlannedRoute, Reason, RouteAnnotations};
use crate::recording::{Cluster, Sent, SessionState, Unsent};

pub use text::{indent_of, write_text};

/// What there is to say about one Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Explanation {
    /// Namespace and name.
    pub service: String,
    /// What it holds.
    pub addresses: Vec<String>,
    /// The pool that its addresses are of.
    pub pool: Option<String>,
    /// What stands in its annotations without effect.
    pub complaints: Vec<String>,
    /// The same for each node, by name.
    pub nodes: Vec<NodeExplained>,
}

/// One node and the Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeExplained {
    /// The node.
    pub node: String,
    /// Whether this node tells a router of the Service. A session of unknown state is assumed to be up.
    pub announced: bool,
    /// The conditions that concern no single peer, in their order.
    pub gates: Vec<GateExplained>,
    /// The peers that the node speaks to.
    pub peers: Vec<PeerExplained>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GateExplained {
    /// Its name.
    pub gate: &'static str,
    /// Whether it holds; nothing is known of those after one that does not.
    pub passed: Option<bool>,
    /// What it found.
    pub found: String,
    /// What would mend it, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeerExplained {
    /// The router, as `address:port`.
    pub peer: String,
    /// The conditions from here on, in their order.
    pub gates: Vec<GateExplained>,
    /// The routes that the router gets, each with its attributes.
    pub routes: Vec<String>,
}

impl Explanation {
    /// What there is to say about this Service; nothing if there is none.
    pub fn of(cluster: &Cluster, key: &ServiceKey) -> Option<Self> {
        let engine = &cluster.engine;
        let service = engine.service_of(key)?;
        let holding = engine.holding(key);
        let pool = holding.as_ref().map(|it| it.pool.to_string()).filter(|pool| !pool.is_empty());
        let configured = pool.as_ref().and_then(|pool| engine.config()?.pool(pool));
        let complaints = configured.map(|pool| RouteAnnotations::of(&service, pool).invalid);
        let addresses = holding.map(|it| it.addresses.to_vec()).unwrap_or_default();
        Some(Self {
            service: key.to_string(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            pool,
            complaints: complaints.iter().flatten().map(ToString::to_string).collect(),
            nodes: engine.plans().map(|plan| explain_node(cluster, &service, plan)).collect(),
        })
    }

    /// Whether some node announces it.
    pub fn is_announced(&self) -> bool {
        self.nodes.iter().any(|node| node.announced)
    }
}

fn explain_node(cluster: &Cluster, service: &Service, plan: &Plan) -> NodeExplained {
    let reasons = cluster.engine.not_announced(plan, &service.key);
    let format = cluster.engine.config().map(|config| config.format).unwrap_or_default();
    let announced = plan.is_announced(&service.key);
    // A reason about one peer stands with that peer, unless no peer is left. Of the other reasons the last one stopped the
    // Service, unless it came as far as the peers; those before it are about one of two addresses.
    let (by_peer, mut partial): (Vec<_>, Vec<_>) = reasons.iter().partition(|it| it.peer.is_some());
    let first = if announced {
        None
    } else if by_peer.is_empty() {
        partial.pop()
    } else if plan.peers.is_empty() {
        by_peer.first().copied()
    } else {
        None
    };
    let first = first.map(|it| &it.reason);

    let mut gates = Vec::new();
    for gate in FOR_ALL {
        gates.push(match first {
            Some(reason) if gate == reason.gate() => {
                GateExplained::failed(gate.as_str(), reason, format)
            }
            Some(reason) if gate > reason.gate() => GateExplained::unknown(gate.as_str()),
            _ => GateExplained::passed(gate.as_str(), found(cluster, service, plan, gate)),
        });
    }
    for NotAnnounced { reason, .. } in partial {
        gates.push(GateExplained::failed(reason.gate().as_str(), reason, format));
    }

    let peers = match first {
        Some(_) => Vec::new(),
        None => explain_peers(cluster, service, plan, &reasons),
    };
    let announced = peers.iter().any(|peer| !peer.routes.is_empty());
    NodeExplained { node: plan.node().to_owned(), announced, gates, peers }
}

fn explain_peers(
    cluster: &Cluster,
    service: &Service,
    plan: &Plan,
    reasons: &[NotAnnounced],
) -> Vec<PeerExplained> {
    let peers = plan.peers.iter();
    peers.map(|peer_plan| explain_peer(cluster, service, plan, peer_plan, reasons)).collect()
}

/// Explains one peer of the plan.
fn explain_peer(
    cluster: &Cluster,
    service: &Service,
    plan: &Plan,
    peer_plan: &PeerPlan,
    reasons: &[NotAnnounced],
) -> PeerExplained {
    let format = cluster.engine.config().map(|config| config.format).unwrap_or_default();
    let peer = &peer_plan.peer;
    let mut explained =
        PeerExplained { peer: peer.endpoint(), gates: Vec::new(), routes: Vec::new() };

    let own = reasons.iter().filter(|it| it.peer.as_ref() == Some(&peer.name));
    for NotAnnounced { reason, .. } in own {
        explained.gates.push(GateExplained::failed(reason.gate().as_str(), reason, format));
    }
    // Of two addresses one may be announced to the peer all the same.
    let announced = plan.announced(&service.key).filter(|(it, _)| it.peer.name == peer.name);
    let prefixes: Vec<_> = announced.map(|(_, prefix)| prefix).collect();
    if !explained.gates.is_empty() && prefixes.is_empty() {
        explained.gates.push(GateExplained::unknown(SENT));
        return explained;
    }

    let state = cluster.sessions.get(&(plan.node().to_owned(), peer.endpoint()));
    explained.gates.push(session_gate(peer, state));

    let routes = prefixes.into_iter().filter_map(|prefix| {
        let route = peer_plan.routes.get(&prefix)?;
        Some((prefix, format!("{prefix}{}", attributes(route))))
    });
    explain_sent(&mut explained, state, routes);
    explained
}

/// The condition that the session with the peer is up.
fn session_gate(peer: &Peer, state: Option<&SessionState>) -> GateExplained {
    let Some(state) = state else {
        let found = "not known here".to_owned();
        return GateExplained { found, ..GateExplained::unknown(SESSION) };
    };
    if state.up {
        let bfd = state.bfd_problem.as_ref();
        let bfd = bfd.map(|why| format!(", but without BFD: {why}")).unwrap_or_default();
        return GateExplained::passed(SESSION, format!("Established{bfd}"));
    }

    let why = state.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    GateExplained {
        gate: SESSION,
        passed: Some(false),
        found: format!("the session with {} is not up{why}", peer_label(peer)),
        mend: Some("see the log of the node, and of the router".to_owned()),
    }
}

/// Adds the conditions about each route: first those that the session sends, then those that it cannot send.
fn explain_sent(
    explained: &mut PeerExplained,
    state: Option<&SessionState>,
    routes: impl Iterator<Item = (IpNet, String)>,
) {
    let mut others = Vec::new();
    for (prefix, text) in routes {
        let sent = match state {
            Some(state) if !state.up => continue,
            Some(state) => state.sends(prefix),
            None => Sent::Yes,
        };
        match sent {
            Sent::Yes => explained.routes.push(text),
            Sent::No(Unsent { reason, mend }) => others.push(GateExplained {
                gate: SENT,
                passed: Some(false),
                found: format!("{prefix}: {reason}"),
                mend,
            }),
            Sent::Unknown(routes) => others.push(GateExplained {
                found: format!(
                    "{prefix}: may be one of {routes} routes that the session cannot carry"
                ),
                ..GateExplained::unknown(SENT)
            }),
        }
    }

    if !explained.routes.is_empty() {
        explained.gates.push(GateExplained::passed(SENT, explained.routes.join(", ")));
    } else if others.is_empty() {
        explained.gates.push(GateExplained::unknown(SENT));
    }
    explained.gates.extend(others);
}

/// What a condition that holds has found.
fn found(cluster: &Cluster, service: &Service, plan: &Plan, gate: Gate) -> String {
    let engine = &cluster.engine;
    let holding = engine.holding(&service.key);
    match gate {
        Gate::Type => service.type_.to_string(),
        Gate::Class => match &service.load_balancer_class {
            Some(class) => format!("{class:?}"),
            None => "none".to_owned(),
        },
        Gate::Pool => holding.map(|it| format!("{:?}", it.pool)).unwrap_or_default(),
        Gate::Address => {
            let addresses = holding.map(|it| it.addresses.to_vec()).unwrap_or_default();
            let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            texts.join(" and ")
        }
        Gate::Node => plan.node().to_owned(),
        Gate::Peer => {
            let peers: Vec<_> = plan.peers.iter().map(|it| peer_label(&it.peer)).collect();
            peers.join(", ")
        }
        Gate::Advertisement => advertisements(cluster, service, plan),
        Gate::Endpoints => endpoints(cluster, service, plan),
        Gate::Sync | Gate::Config | Gate::Drain | Gate::Policy => String::new(),
    }
}

/// The advertisements that apply to the Service on the node.
fn advertisements(cluster: &Cluster, service: &Service, plan: &Plan) -> String {
    let Some(config) = &plan.context.config else { return String::new() };
    let holding = cluster.engine.holding(&service.key);
    let Some(pool) = holding.and_then(|it| config.pool(&it.pool)) else { return String::new() };
    let applies = config.advertisements_of(pool).filter(|it| {
        it.selects_node(&plan.context.node.labels) && it.selects_service(&service.labels)
    });
    let names: Vec<_> = applies.map(|it| it.name.as_str()).collect();
    names.join(", ")
}

fn endpoints(cluster: &Cluster, service: &Service, plan: &Plan) -> String {
    let policy = service.external_traffic_policy;
    let count = |subject: &crate::planner::ServiceInput<'_>| {
        let counting = subject.endpoints.counting(policy, plan.node());
        format!("{policy:?}: {} of {} usable", counting.usable, counting.all)
    };
    cluster.engine.with_service_input(plan.node(), &service.key, count).unwrap_or_default()
}

/// What is sent with a route, for people.
pub fn attributes(route: &PlannedRoute) -> String {
    let attributes = route.attributes();
    let mut text = String::new();
    if let Some(next_hop) = route.next_hop() {
        text.push_str(&format!(" through {next_hop}"));
    }
    if let Some(local_pref) = route.local_pref() {
        text.push_str(&format!(" LOCAL_PREF {local_pref}"));
    }
    if let Some(med) = attributes.med {
        text.push_str(&format!(" MED {med}"));
    }
    let path: Vec<_> = attributes.as_path.segments.iter().flat_map(|it| &it.asns).collect();
    if !path.is_empty() {
        text.push_str(&format!(" prepended {}", path.len()));
    }
    let communities = route.communities().iter().map(ToString::to_string);
    let large = route.large_communities().iter().map(ToString::to_string);
    let extended = attributes.extended_communities.iter().map(ToString::to_string);
    let communities: Vec<_> = communities.chain(large).chain(extended).collect();
    if !communities.is_empty() {
        text.push_str(&format!(" communities {}", communities.join(" ")));
    }
    if route.is_depreferenced() {
        text.push_str(" depreferenced");
    }
    text
}

impl GateExplained {
    fn passed(gate: &'static str, found: String) -> Self {
        Self { gate, passed: Some(true), found, mend: None }
    }

    fn failed(gate: &'static str, reason: &Reason, format: ConfigFormat) -> Self {
        Self { gate, passed: Some(false), found: reason.to_string(), mend: reason.hint(format) }
    }

    fn unknown(gate: &'static str) -> Self {
        Self { gate, passed: None, found: String::new(), mend: None }
    }
}

const FOR_ALL: [Gate; 12] = [
    Gate::Type,
    Gate::Class,
    Gate::Sync,
    Gate::Config,
    Gate::Pool,
    Gate::Address,
    Gate::Node,
    Gate::Peer,
    Gate::Advertisement,
    Gate::Endpoints,
    Gate::Drain,
    Gate::Policy,
];
const SESSION: &str = "session";
const SENT: &str = "sent";
