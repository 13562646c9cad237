//! The gates that concern all peers of a node.

use super::{ClusterState, GateExplanation, NodeExplanation, format_of, peer};
use crate::engine::{ServiceState, peer_label};
use crate::model::Service;
use crate::planner::{
    DataplaneStatus, Gate, NotAnnounced, Plan, Reason, ServiceInput, service_routes,
};

/// Explains a Service on a node.
pub(super) fn explain(
    cluster: ClusterState<'_>,
    state: &ServiceState<'_>,
    plan: &Plan,
) -> NodeExplanation {
    let (service, input) = (state.service, state.input_on(plan.node()));
    let reasons = service_routes(&plan.context, &input).not_announced;
    let announced = plan.is_announced(&service.key);
    let (of_peers, mut of_node): (Vec<_>, Vec<_>) =
        reasons.iter().partition(|missing| missing.peer.is_some());

    // The last reason for all peers stopped the Service, unless it passed all gates before the peers. The earlier reasons are
    // about one of two addresses. A reason for one peer is explained with that peer, unless no peer is left.
    let stopped_by = if announced {
        None
    } else if of_peers.is_empty() {
        of_node.pop()
    } else if plan.peers.is_empty() {
        of_peers.first().copied()
    } else {
        None
    };
    let stopped_by = stopped_by.map(|missing| &missing.reason);

    let peers = match stopped_by {
        Some(_) => Vec::new(),
        None => peer::explain_all(cluster, service, plan, &reasons),
    };
    NodeExplanation {
        node: plan.node().to_owned(),
        announced: peers.iter().any(|peer| !peer.routes.is_empty()),
        gates: gates(cluster, &input, plan, stopped_by, &of_node),
        peers,
    }
}

/// Returns all gates, and then the failures that concern one of two addresses.
fn gates(
    cluster: ClusterState<'_>,
    input: &ServiceInput<'_>,
    plan: &Plan,
    stopped_by: Option<&Reason>,
    partial: &[&NotAnnounced],
) -> Vec<GateExplanation> {
    let format = format_of(cluster);
    let mut gates = Vec::new();
    for gate in GATES {
        gates.push(match stopped_by {
            Some(reason) if gate == reason.gate() => GateExplanation::failed(reason, format),
            Some(reason) if gate > reason.gate() => GateExplanation::unknown(gate.as_str()),
            _ => GateExplanation::passed(gate.as_str(), findings(cluster, input, plan, gate)),
        });
    }

    for missing in partial {
        gates.push(GateExplanation::failed(&missing.reason, format));
    }
    gates
}

/// Returns the values that let a gate pass.
fn findings(
    cluster: ClusterState<'_>,
    input: &ServiceInput<'_>,
    plan: &Plan,
    gate: Gate,
) -> String {
    let service = input.service;
    match gate {
        Gate::Type => service.type_.to_string(),
        Gate::Class => match &service.load_balancer_class {
            Some(class) => format!("{class:?}"),
            None => "none".to_owned(),
        },
        Gate::Pool => match cluster.engine.holding(&service.key) {
            Some(assignment) => format!("{:?}", assignment.pool),
            None => String::new(),
        },
        Gate::Address => addresses(cluster, service),
        Gate::Node => plan.node().to_owned(),
        Gate::Peer => {
            let labels: Vec<_> = plan.peers.iter().map(|plan| peer_label(&plan.peer)).collect();
            labels.join(", ")
        }
        Gate::Advertisement => advertisements(cluster, service, plan),
        Gate::Endpoints => endpoints(input, plan),
        Gate::Dataplane => dataplane(input),
        Gate::Sync | Gate::Config | Gate::Drain | Gate::Policy => String::new(),
    }
}

fn addresses(cluster: ClusterState<'_>, service: &Service) -> String {
    let Some(assignment) = cluster.engine.holding(&service.key) else { return String::new() };
    let addresses: Vec<_> = assignment.addresses.iter().map(ToString::to_string).collect();
    addresses.join(" and ")
}

/// Returns the names of the advertisements that apply to the Service on the node.
fn advertisements(cluster: ClusterState<'_>, service: &Service, plan: &Plan) -> String {
    let Some(config) = &plan.context.config else { return String::new() };
    let holding = cluster.engine.holding(&service.key);
    let Some(pool) = holding.and_then(|it| config.pool(&it.pool)) else { return String::new() };

    let mut names = Vec::new();
    for advertisement in config.advertisements_of(pool) {
        if advertisement.selects_node(&plan.context.node.labels)
            && advertisement.selects_service(&service.labels)
        {
            names.push(advertisement.name.as_str());
        }
    }
    names.join(", ")
}

fn endpoints(input: &ServiceInput<'_>, plan: &Plan) -> String {
    let policy = input.service.external_traffic_policy;
    let count = input.endpoints.counting(policy, plan.node());
    format!("{policy:?}: {} of {} usable", count.usable, count.all)
}

/// Returns the state of the node's dataplane, if the node has reported it.
fn dataplane(input: &ServiceInput<'_>) -> String {
    match input.dataplane_status {
        Some(DataplaneStatus::Ready) => "forwards to the Service".to_owned(),
        Some(DataplaneStatus::Depreferenced(problem)) => {
            format!("announced with a lower preference: {problem}")
        }
        Some(DataplaneStatus::Leaving) => {
            "announced with a lower preference until other nodes serve".to_owned()
        }
        _ => String::new(),
    }
}

/// The gates that concern all peers, in their order.
const GATES: [Gate; 13] = [
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
    Gate::Dataplane,
    Gate::Drain,
    Gate::Policy,
];
