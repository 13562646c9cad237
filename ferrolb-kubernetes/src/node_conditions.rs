//! The conditions of a BGPNodeStatus: Ready and Degraded.
//!
//! Owns their reasons and messages, and which problem is the worst. It decides from facts that others have observed, and must not
//! read them itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::configuration_state::NO_CONFIGURATION;
use super::object_cache::ConfigStatus;
use bgp_session::bfd::State;
use ferrolb_node::metrics::{DrainSample, SessionSample};

/// A peer that the configuration gives to the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfiguredPeer {
    pub(super) name: String,
    /// Its address and port.
    pub(super) endpoint: String,
    /// True if BFD should watch it.
    pub(super) has_bfd: bool,
}

/// A configured peer and the state of its session, which may not exist.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerState {
    pub(super) name: String,
    pub(super) endpoint: String,
    pub(super) is_established: bool,
    /// True if an operator has disabled the peer.
    pub(super) is_disabled: bool,
    /// The reason why there is no session.
    pub(super) error: Option<String>,
    /// True if BFD should watch the peer.
    pub(super) has_bfd: bool,
    pub(super) bfd: Option<State>,
    pub(super) bfd_problem: Option<String>,
    /// The number of routes that the session cannot carry, and one of them with the reason.
    pub(super) unsendable: (usize, Option<String>),
}

impl PeerState {
    /// Returns the state of a configured peer.
    pub(super) fn new(peer: &ConfiguredPeer, sessions: &[SessionSample]) -> Self {
        let state = Self {
            name: peer.name.clone(),
            endpoint: peer.endpoint.clone(),
            has_bfd: peer.has_bfd,
            ..Self::default()
        };
        let Some(session) = sessions.iter().find(|session| session.name == peer.name) else {
            return state;
        };

        let status = &session.status;
        let example =
            session.unsendable.first().map(|route| format!("{} ({})", route.prefix, route.why));
        Self {
            is_established: status.is_established(),
            is_disabled: status.is_disabled(),
            error: status.reason(),
            bfd: status.bfd.as_ref().map(|bfd| bfd.state),
            bfd_problem: status.bfd_problem().map(str::to_owned),
            unsendable: (status.unsendable(), example),
            ..state
        }
    }

    fn title(&self) -> String {
        format!("{} ({})", self.name, self.endpoint)
    }
}

/// The problems of the node's dataplane.
#[derive(Clone, Debug, Default)]
pub(super) struct DataplaneProblems {
    /// True if kube-proxy has answered and fails now.
    pub(super) has_proxy_failed: bool,
    /// The Services with a problem that is not a short delay, each with the reason.
    pub(super) services: Vec<(String, String)>,
}

/// The facts by which the conditions are decided.
pub(super) struct Facts<'a> {
    pub(super) config: &'a ConfigStatus,
    /// The configured peers of the node.
    pub(super) peers: &'a [PeerState],
    pub(super) drain: DrainSample,
    /// The resources that the API server refuses, each with its reason.
    pub(super) refused: &'a BTreeMap<&'static str, String>,
    pub(super) dataplane: &'a DataplaneProblems,
}

/// The conditions of a node.
pub(super) struct NodeConditions {
    pub(super) conditions: Value,
    /// The reason of the worst problem, with the names of the peers or Services that have it.
    pub(super) problem: Option<String>,
}

/// The type of the condition that the speaker announces what it should.
pub(super) const READY: &str = "Ready";
/// The type of the condition that something is not as it should be.
pub(super) const DEGRADED: &str = "Degraded";

/// A problem.
struct Problem {
    reason: &'static str,
    /// The names of the peers or Services that have it.
    names: Vec<String>,
    message: String,
}

/// The number of peers or Services that a message lists, since a condition is read on one screen.
const LISTED: usize = 10;
/// The number of them in the column.
const NAMED: usize = 3;

/// Returns the conditions of a node whose speaker reports.
pub(super) fn conditions(facts: &Facts<'_>) -> NodeConditions {
    let obstacle = obstacle(facts);
    let problems = problems(facts);

    let ready = match &obstacle {
        Some(obstacle) => condition(READY, "False", obstacle.reason, &obstacle.message),
        None if problems.is_empty() => {
            condition(READY, "True", "SpeakerReady", "the speaker announces what it should")
        }
        None => {
            let message = "the speaker announces, with the problems of the condition Degraded";
            condition(READY, "True", "SpeakerReady", message)
        }
    };

    let worst = problems.first().or(obstacle.as_ref());
    let problem = worst.map(Problem::summary);
    let degraded = match problems.first() {
        Some(worst) => {
            let messages: Vec<_> = problems.iter().map(|problem| &*problem.message).collect();
            condition(DEGRADED, "True", worst.reason, &messages.join("\n"))
        }
        None => not_degraded(facts),
    };
    NodeConditions { conditions: json!([ready, degraded]), problem }
}

fn not_degraded(facts: &Facts<'_>) -> Value {
    let (reason, message) = if facts.drain != DrainSample::Serving {
        ("Draining", "the node is being drained: its sessions end on purpose")
    } else if facts.peers.is_empty() {
        ("NoPeers", "the configuration has no peer for this node")
    } else if let Some(disabled) = disabled_peers(facts) {
        return condition(DEGRADED, "False", disabled.reason, &disabled.message);
    } else {
        ("AsExpected", "no problem is known")
    };
    condition(DEGRADED, "False", reason, message)
}

/// Returns the peers that an operator has disabled. This is no problem, but the reason why sessions are missing.
fn disabled_peers(facts: &Facts<'_>) -> Option<Problem> {
    let disabled = facts.peers.iter().filter(|peer| peer.is_disabled);
    let disabled = disabled.map(|peer| (peer.name.clone(), peer.title())).collect();
    Problem::of("PeersDisabled", "an operator has disabled", disabled)
}

/// Returns the conditions of a speaker that has stopped reporting.
pub(super) fn stopped_reporting(heartbeat: &str) -> NodeConditions {
    let message = format!(
        "the speaker has not reported since {heartbeat}: the state of its sessions is unknown"
    );
    NodeConditions::of_no_speaker("Unknown", "SpeakerStoppedReporting", &message)
}

/// Returns the conditions of a speaker that has ended.
pub(super) fn ended() -> NodeConditions {
    NodeConditions::of_no_speaker("False", "SpeakerEnded", "the speaker was stopped")
}

impl NodeConditions {
    fn of_no_speaker(ready: &str, reason: &str, message: &str) -> Self {
        let ready = condition(READY, ready, reason, message);
        let degraded = condition(DEGRADED, "Unknown", reason, message);
        Self { conditions: json!([ready, degraded]), problem: Some(reason.to_owned()) }
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": message})
}

impl Problem {
    fn new(reason: &'static str, message: String) -> Self {
        Self { reason, names: Vec::new(), message }
    }

    /// A problem of these peers or Services, each with its own text, or `None` if there is none. The message begins with
    /// `what`.
    fn of(reason: &'static str, what: &str, them: Vec<(String, String)>) -> Option<Self> {
        if them.is_empty() {
            return None;
        }

        let more = them.len().saturating_sub(LISTED);
        let (names, mut texts): (Vec<_>, Vec<_>) = them.into_iter().unzip();
        texts.truncate(LISTED);
        let mut message = format!("{what} {}", texts.join("; "));
        if more > 0 {
            message.push_str(&format!("; and {more} more"));
        }
        Some(Self { reason, names, message })
    }

    fn summary(&self) -> String {
        if self.names.is_empty() {
            return self.reason.to_owned();
        }

        let more = self.names.len().saturating_sub(NAMED);
        let named: Vec<_> = self.names.iter().take(NAMED).map(String::as_str).collect();
        let named = named.join(", ");
        if more == 0 {
            format!("{}: {named}", self.reason)
        } else {
            format!("{}: {named} and {more} more", self.reason)
        }
    }
}

/// Returns the reason why the speaker does not announce what it should, to any peer.
fn obstacle(facts: &Facts<'_>) -> Option<Problem> {
    if let Some(refused) = refused_watches(facts) {
        return Some(refused);
    }
    if facts.config.is_absent {
        return Some(Problem::new("NoConfiguration", NO_CONFIGURATION.to_owned()));
    }
    if !facts.config.loaded {
        let message = "there has been no valid configuration yet";
        return Some(Problem::new("NoConfiguration", message.to_owned()));
    }

    let mut local = Vec::new();
    for peer in wanted_peers(facts) {
        if let Some(problem) = &peer.bfd_problem {
            local.push((peer.name.clone(), format!("{}: {problem}", peer.title())));
        }
    }
    if let Some(problem) = Problem::of("BFDNotUp", "no BFD session with", local) {
        return Some(problem);
    }

    if wanted_peers(facts).any(|peer| peer.is_established) {
        return None;
    }
    down_sessions(facts).map(|problem| Problem { reason: "NoSession", ..problem })
}

/// Returns the problems, the worst first.
fn problems(facts: &Facts<'_>) -> Vec<Problem> {
    let found = [
        refused_watches(facts),
        down_sessions(facts),
        missing_bfd(facts),
        failing_proxy(facts),
        unsendable_routes(facts),
        stale_configuration(facts),
        held_services(facts),
    ];
    found.into_iter().flatten().collect()
}

/// Returns the peers with which there should be a session: none during a drain.
fn wanted_peers<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a PeerState> + use<'a> {
    let is_serving = facts.drain == DrainSample::Serving;
    facts.peers.iter().filter(move |peer| is_serving && !peer.is_disabled)
}

fn refused_watches(facts: &Facts<'_>) -> Option<Problem> {
    let refused = facts.refused.iter();
    let refused: Vec<_> = refused
        .map(|(resource, why)| ((*resource).to_owned(), format!("{resource}: {why}")))
        .collect();
    Problem::of("WatchRefused", "the API server refuses to list or to watch", refused)
}

fn down_sessions(facts: &Facts<'_>) -> Option<Problem> {
    let mut down = Vec::new();
    for peer in wanted_peers(facts).filter(|peer| !peer.is_established) {
        let why = peer.error.as_deref().unwrap_or("none has been established yet");
        down.push((peer.name.clone(), format!("{}: {why}", peer.title())));
    }
    Problem::of("SessionDown", "no session with", down)
}

/// Returns the problem of peers that have a session but no BFD, or whose BFD cannot begin.
fn missing_bfd(facts: &Facts<'_>) -> Option<Problem> {
    let mut missing = Vec::new();
    for peer in wanted_peers(facts).filter(|peer| peer.has_bfd && peer.bfd != Some(State::Up)) {
        let text = match (&peer.bfd_problem, peer.bfd) {
            (Some(problem), _) => format!("{}: {problem}", peer.title()),
            // The end of the session says it already.
            (None, _) if !peer.is_established => continue,
            (None, Some(state)) => format!("{}: its state is {state}", peer.title()),
            (None, None) => peer.title(),
        };
        missing.push((peer.name.clone(), text));
    }
    Problem::of("BFDNotUp", "no BFD session with", missing)
}

/// Returns true if the node should announce: only then its dataplane matters.
fn should_announce(facts: &Facts<'_>) -> bool {
    wanted_peers(facts).next().is_some()
}

fn failing_proxy(facts: &Facts<'_>) -> Option<Problem> {
    if !facts.dataplane.has_proxy_failed || !should_announce(facts) {
        return None;
    }
    let message = "kube-proxy on this node fails or does not respond";
    Some(Problem::new("KubeProxyFailing", message.to_owned()))
}

fn unsendable_routes(facts: &Facts<'_>) -> Option<Problem> {
    let mut unsendable = Vec::new();
    for peer in wanted_peers(facts) {
        let (count, example) = &peer.unsendable;
        if *count == 0 || !peer.is_established {
            continue;
        }

        let title = peer.title();
        let text = match (count, example) {
            (1, Some(route)) => format!("{title}: {route}"),
            (count, Some(route)) => format!("{title}: {count} routes, among them {route}"),
            (count, None) => format!("{title}: {count} routes"),
        };
        unsendable.push((peer.name.clone(), text));
    }
    Problem::of("RoutesUnsendable", "routes that cannot be sent to", unsendable)
}

fn stale_configuration(facts: &Facts<'_>) -> Option<Problem> {
    let error = facts.config.errors.first()?;
    let what = if facts.config.loaded {
        "the configuration is not valid, and an older one is in force"
    } else {
        "the configuration is not valid"
    };
    Some(Problem::new("ConfigurationStale", format!("{what}: {error}")))
}

fn held_services(facts: &Facts<'_>) -> Option<Problem> {
    if !should_announce(facts) {
        return None;
    }
    let services = facts.dataplane.services.iter();
    let services = services.map(|(name, why)| (name.clone(), format!("{name}: {why}"))).collect();
    Problem::of("ServicesHeld", "the dataplane does not forward to", services)
}

#[cfg(test)]
#[path = "node_conditions_tests.rs"]
mod tests;
