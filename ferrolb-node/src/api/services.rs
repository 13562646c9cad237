//! `/v1/services` and `/v1/services/NAMESPACE/NAME`: the Services of a process, and the gates between one and the routers.
//!
//! Owns which reason is the most important one. The planner decides what is announced, and [`lb_adapter::explain`] explains it.

use ferrolb_api::{
    ApiError, Gate, NodeExplanation, PeerExplanation, Service, ServiceExplanation, ServiceList,
    ServiceProblem, ServiceState,
};
use lb_adapter::allocator::check_served;
use lb_adapter::engine::Engine;
use lb_adapter::explain::{ClusterState, Explanation, GateExplanation, announced_prefixes};
use lb_adapter::model::{ConfigFormat, ServiceKey};
use lb_adapter::planner::{Plan, Reason};
use lb_adapter::recording::SessionStates;

use super::process::leading_engine;
use super::recorded::session_states;
use super::{Process, Refused};

/// Which Services to list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of the path")]
pub struct ServicePage {
    /// True for those whose problem needs an action.
    pub problems: bool,
    /// The first Service of the page, as NAMESPACE/NAME.
    pub from: Option<ServiceKey>,
    /// The most Services.
    pub limit: usize,
}

/// Returns the answer to `/v1/services`. It examines a bounded number of Services, so that the main loop does not stop for long.
pub(super) fn list(process: &impl Process, page: &ServicePage) -> Result<ServiceList, Refused> {
    let engine = leading_engine(process)?;
    let sessions = session_states(process);
    let judge = Judge {
        engine,
        sessions: &sessions,
        format: engine.config().map(|config| config.format).unwrap_or_default(),
        speaks: process.sessions().is_some(),
    };

    let mut list = ServiceList::default();
    let from = page.from.clone().unwrap_or_else(|| ServiceKey::new("", ""));
    for (examined, key) in engine.service_keys_from(&from).enumerate() {
        if list.services.len() == page.limit || examined == MOST_EXAMINED {
            list.next = Some(key.to_string());
            break;
        }
        let Some(service) = judge.service(key) else { continue };
        let is_wanted = |problem: &ServiceProblem| problem.needs_action;
        if !page.problems || service.problem.as_ref().is_some_and(is_wanted) {
            list.services.push(service);
        }
    }
    Ok(list)
}

/// The facts from which Services are judged.
#[derive(Debug)]
struct Judge<'a> {
    engine: &'a Engine,
    sessions: &'a SessionStates,
    format: ConfigFormat,
    /// True if the process speaks BGP.
    speaks: bool,
}

impl Judge<'_> {
    /// Returns the row of a Service; `None` if it is not served here.
    fn service(&self, key: &ServiceKey) -> Option<Service> {
        let service = self.engine.service_of(key)?;
        check_served(&service, self.engine.options().class.as_deref()).ok()?;

        let holding = self.engine.holding(key);
        let plans: Vec<_> = if self.speaks { self.engine.plans().collect() } else { Vec::new() };
        let (announcing, others): (Vec<_>, Vec<_>) =
            plans.iter().copied().partition(|plan| self.is_announced(plan, key));

        let state = match &holding {
            None => ServiceState::Pending,
            Some(_) if !self.speaks => ServiceState::Assigned,
            Some(_) if announcing.is_empty() => ServiceState::NotAnnounced,
            Some(_) => ServiceState::Announced,
        };
        let mut problems: Vec<_> =
            others.iter().filter_map(|plan| self.problem(plan, key)).collect();
        if state == ServiceState::Pending && problems.is_empty() {
            problems.extend(
                self.engine.explain_refusal(key).map(|it| self.of_reason(&Reason::Refused(it))),
            );
        }
        // The first of those that need an action, in the order of nodes.
        problems.sort_by_key(|problem| !problem.needs_action);

        Some(Service {
            namespace: key.namespace.to_string(),
            name: key.name.to_string(),
            state,
            addresses: holding.as_ref().map(|it| it.addresses.to_vec()).unwrap_or_default(),
            pool: holding.map(|it| it.pool.to_string()).filter(|pool| !pool.is_empty()),
            announced_by: announcing.len(),
            nodes: plans.len(),
            problem: problems.into_iter().next(),
        })
    }

    fn is_announced(&self, plan: &Plan, key: &ServiceKey) -> bool {
        let cluster = ClusterState { engine: self.engine, sessions: self.sessions };
        plan.is_announced(key) && !announced_prefixes(cluster, plan, key).is_empty()
    }

    /// Returns the reason why a node does not announce a Service to any router.
    fn problem(&self, plan: &Plan, key: &ServiceKey) -> Option<ServiceProblem> {
        if plan.is_announced(key) {
            return self.undelivered(plan, key);
        }

        let reasons = self.engine.not_announced(plan, key);
        // The gate that stops all peers is behind those that stop one of two addresses.
        let reason = reasons
            .iter()
            .rev()
            .find(|missing| missing.peer.is_none())
            .or_else(|| reasons.first())?;
        Some(self.of_reason(&reason.reason))
    }

    fn of_reason(&self, reason: &Reason) -> ServiceProblem {
        ServiceProblem {
            gate: reason.gate().to_string(),
            reason: reason.to_string(),
            needs_action: reason.needs_action(),
            hint: reason.hint(self.format),
        }
    }

    /// Returns the reason why no router has the routes of a Service that the plan announces: its sessions are down, or cannot
    /// carry them.
    fn undelivered(&self, plan: &Plan, key: &ServiceKey) -> Option<ServiceProblem> {
        let cluster = ClusterState { engine: self.engine, sessions: self.sessions };
        let explanation = Explanation::on_node(cluster, key, plan)?;
        let gates = explanation.peers.iter().flat_map(|peer| &peer.gates);
        let gate = gates.into_iter().find(|gate| gate.passed != Some(true))?;
        Some(ServiceProblem {
            gate: gate.gate.to_owned(),
            reason: gate.found.clone(),
            needs_action: true,
            hint: gate.hint.clone(),
        })
    }
}

/// Returns the answer to `/v1/services/NAMESPACE/NAME`.
pub(super) fn explain(
    process: &impl Process,
    key: &ServiceKey,
) -> Result<ServiceExplanation, Refused> {
    let engine = leading_engine(process)?;
    let sessions = session_states(process);
    let explanation = Explanation::of(ClusterState { engine, sessions: &sessions }, key);
    explanation.map(service_explanation).ok_or_else(|| unknown_service(engine, key))
}

fn unknown_service(engine: &Engine, key: &ServiceKey) -> Refused {
    let namesakes = engine.service_keys().filter(|other| other.name == key.name);
    let namesakes: Vec<_> = namesakes.take(MOST_NAMESAKES).map(ToString::to_string).collect();
    let known = if namesakes.is_empty() {
        String::new()
    } else {
        format!(": expected one of {}", namesakes.join(", "))
    };
    Refused::NotFound(ApiError::new(format!("there is no Service {key}{known}")))
}

/// Returns an explanation in the form of the answers.
pub fn service_explanation(explanation: Explanation) -> ServiceExplanation {
    let (announced, summary) = (explanation.is_announced(), explanation.summary());
    let nodes = explanation.nodes.into_iter().map(|node| NodeExplanation {
        node: node.node,
        announced: node.announced,
        gates: node.gates.into_iter().map(gate).collect(),
        peers: node
            .peers
            .into_iter()
            .map(|peer| PeerExplanation {
                peer: peer.peer,
                gates: peer.gates.into_iter().map(gate).collect(),
                routes: peer.routes,
            })
            .collect(),
    });
    ServiceExplanation {
        service: explanation.service,
        addresses: explanation.addresses,
        pool: explanation.pool,
        complaints: explanation.invalid_annotations,
        nodes: nodes.collect(),
        announced,
        summary,
    }
}

fn gate(gate: GateExplanation) -> Gate {
    Gate { gate: gate.gate.to_owned(), passed: gate.passed, found: gate.found, hint: gate.hint }
}

/// The most Services that one answer examines.
const MOST_EXAMINED: usize = 1_000;
/// The most Services of the same name that an error lists.
const MOST_NAMESAKES: usize = 20;
