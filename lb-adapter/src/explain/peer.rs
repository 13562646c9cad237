//! The gates that concern one peer: its own reasons, its session, and the delivery of each route.

use std::collections::BTreeMap;
use std::fmt::Display;

use ipnet::IpNet;

use super::{ClusterState, CommonFinding, GateExplanation, PeerExplanation, format_of};
use crate::engine::peer_label;
use crate::model::{Peer, Service, ServiceKey};
use crate::planner::{NotAnnounced, PeerPlan, Plan, PlannedRoute};
use crate::recording::{RouteDelivery, SessionState, UnsendableReason};

/// Explains a Service for each peer of a node.
pub(super) fn explain_all(
    cluster: ClusterState<'_>,
    service: &Service,
    plan: &Plan,
    reasons: &[NotAnnounced],
) -> Vec<PeerExplanation> {
    let mut by_peer: BTreeMap<&str, Vec<IpNet>> = BTreeMap::new();
    for (to, prefix) in plan.announced(&service.key) {
        by_peer.entry(&to.peer.name).or_default().push(prefix);
    }

    let mut peers = Vec::new();
    for peer_plan in &plan.peers {
        let prefixes = by_peer.get(peer_plan.peer.name.as_str()).map_or(&[][..], Vec::as_slice);
        peers.push(explain(cluster, plan, peer_plan, prefixes, reasons));
    }
    peers
}

/// Explains a Service for one peer, with the prefixes of its routes to the peer.
fn explain(
    cluster: ClusterState<'_>,
    plan: &Plan,
    peer_plan: &PeerPlan,
    prefixes: &[IpNet],
    reasons: &[NotAnnounced],
) -> PeerExplanation {
    let format = format_of(cluster);
    let peer = &peer_plan.peer;
    let mut explanation =
        PeerExplanation { peer: peer.endpoint(), gates: Vec::new(), routes: Vec::new() };

    for missing in reasons {
        if missing.peer.as_ref() == Some(&peer.name) {
            explanation.gates.push(GateExplanation::failed(&missing.reason, format));
        }
    }
    // One of two addresses may be announced to the peer even if the other is not.
    if !explanation.gates.is_empty() && prefixes.is_empty() {
        explanation.gates.push(GateExplanation::unknown(SENT));
        return explanation;
    }

    let state = cluster.sessions.get(&(plan.node().to_owned(), peer.endpoint()));
    explanation.gates.push(session_gate(peer, state));
    add_deliveries(&mut explanation, state, plan, peer_plan, prefixes);
    explanation
}

/// Returns the gate that the session with the peer is up.
fn session_gate(peer: &Peer, state: Option<&SessionState>) -> GateExplanation {
    let Some(state) = state else {
        let found = "unknown".to_owned();
        return GateExplanation { found, ..GateExplanation::unknown(SESSION) };
    };

    if state.up {
        let found = match &state.bfd_problem {
            Some(problem) => format!("Established, but without BFD: {problem}"),
            None => "Established".to_owned(),
        };
        return GateExplanation::passed(SESSION, found);
    }

    let reason = match &state.reason {
        Some(reason) => format!(": {reason}"),
        None => String::new(),
    };
    GateExplanation {
        passed: Some(false),
        found: format!("the session with {} is not up{reason}", peer_label(peer)),
        hint: Some("see the logs of the node and of the router".to_owned()),
        ..GateExplanation::unknown(SESSION)
    }
}

/// Returns the prefixes of the routes for a Service that a node's routers have. A session in an unknown state counts as up.
pub fn announced_prefixes<'a>(
    cluster: impl Into<ClusterState<'a>>,
    plan: &Plan,
    service: &ServiceKey,
) -> Vec<IpNet> {
    let cluster = cluster.into();
    let mut prefixes = Vec::new();
    for (peer_plan, prefix) in plan.announced(service) {
        let session = (plan.node().to_owned(), peer_plan.peer.endpoint());
        if delivery(cluster.sessions.get(&session), prefix) == Some(RouteDelivery::Sent) {
            prefixes.push(prefix);
        }
    }
    prefixes
}

/// Returns the delivery of a route; `None` if the session is down.
fn delivery(state: Option<&SessionState>, prefix: IpNet) -> Option<RouteDelivery> {
    match state {
        Some(state) if !state.up => None,
        Some(state) => Some(state.delivery_of(prefix)),
        None => Some(RouteDelivery::Sent),
    }
}

/// Adds one gate for the routes that the session sends, and then one for each route that it cannot send.
fn add_deliveries(
    explanation: &mut PeerExplanation,
    state: Option<&SessionState>,
    plan: &Plan,
    peer_plan: &PeerPlan,
    prefixes: &[IpNet],
) {
    let (mut not_sent, mut common_routes) = (Vec::new(), Vec::new());
    for prefix in prefixes {
        let Some(route) = peer_plan.routes.get(prefix) else { continue };
        let Some(delivery) = delivery(state, *prefix) else { continue };

        match delivery {
            RouteDelivery::Sent => {
                explanation.routes.push(format!("{prefix}{}", describe_attributes(route)));
                let common = describe(route, next_hop_of_node(plan, route));
                common_routes.push(format!("{prefix}{common}"));
            }
            RouteDelivery::Unsendable(UnsendableReason { reason, hint }) => {
                not_sent.push(GateExplanation {
                    passed: Some(false),
                    found: format!("{prefix}: {reason}"),
                    hint,
                    ..GateExplanation::unknown(SENT)
                });
            }
            RouteDelivery::Unknown(routes) => {
                let found = format!(
                    "{prefix}: may be one of {routes} routes that the session cannot carry"
                );
                not_sent.push(GateExplanation { found, ..GateExplanation::unknown(SENT) });
            }
        }
    }

    if !explanation.routes.is_empty() {
        let found = explanation.routes.join(", ");
        let common = CommonFinding { found: common_routes.join(", "), hint: None };
        let sent = GateExplanation::passed(SENT, found);
        explanation.gates.push(GateExplanation { common: Some(common), ..sent });
    } else if not_sent.is_empty() {
        explanation.gates.push(GateExplanation::unknown(SENT));
    }
    explanation.gates.extend(not_sent);
}

/// Returns the next hop of a route, in words that hold for other nodes too if it is an address of the node.
fn next_hop_of_node(plan: &Plan, route: &PlannedRoute) -> Option<String> {
    let next_hop = route.next_hop()?;
    Some(if plan.context.node.addresses.contains(&next_hop) {
        "an address of the node".to_owned()
    } else {
        next_hop.to_string()
    })
}

/// Returns a text with the attributes of a route. It is empty or starts with a space.
pub fn describe_attributes(route: &PlannedRoute) -> String {
    describe(route, route.next_hop())
}

/// Returns a text with the attributes of a route, with these words for its next hop.
fn describe(route: &PlannedRoute, next_hop: Option<impl Display>) -> String {
    let attributes = route.attributes();
    let mut text = String::new();
    if let Some(next_hop) = next_hop {
        text.push_str(&format!(" through {next_hop}"));
    }
    if let Some(local_pref) = route.local_pref() {
        text.push_str(&format!(" LOCAL_PREF {local_pref}"));
    }
    if let Some(med) = attributes.med {
        text.push_str(&format!(" MED {med}"));
    }

    let prepended: usize = attributes.as_path.segments.iter().map(|it| it.asns.len()).sum();
    if prepended > 0 {
        text.push_str(&format!(" prepended {prepended}"));
    }

    let mut communities: Vec<String> = Vec::new();
    communities.extend(route.communities().iter().map(ToString::to_string));
    // As the configuration writes them.
    communities.extend(route.large_communities().iter().map(|large| format!("large:{large}")));
    communities.extend(attributes.extended_communities.iter().map(ToString::to_string));
    if !communities.is_empty() {
        text.push_str(&format!(" communities {}", communities.join(" ")));
    }

    if route.is_depreferenced() {
        text.push_str(" depreferenced");
    }
    text
}

const SESSION: &str = "session";
pub(super) const SENT: &str = "sent";
