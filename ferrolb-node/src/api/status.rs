//! `/v1/status`: everything about a process that fits on one screen.
//!
//! Owns what counts as a problem, and the order of problems.

use std::collections::BTreeSet;

use bgp_session::bfd::State;
use ferrolb_api::{
    BfdCount, Configuration, ConfigurationState, Drain, DrainStage, PeerCount, PrefixCounts,
    Problem, ServiceCount, Severity, Status,
};
use lb_adapter::engine::Engine;

use super::peers::{self, PeerFacts};
use super::{Process, bfd};

/// Returns the answer to `/v1/status`.
pub(super) fn status(process: &impl Process) -> Status {
    let identity = process.identity();
    let engine = process.engine();
    let peers: Vec<_> = engine.into_iter().flat_map(|engine| peers::all(process, engine)).collect();
    let mut status = Status {
        time: identity.time_of(tokio::time::Instant::now().into_std()),
        program: identity.program(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: identity.started_at(),
        node: identity.node().map(str::to_owned),
        leader: process.is_leader(),
        not_ready: process.not_ready(),
        problems: Vec::new(),
        configuration: process.configuration(),
        peers: peer_count(&peers),
        bfd: bfd_count(&peers),
        prefixes: prefix_counts(&peers),
        services: engine.map(|engine| service_count(engine, &peers)).unwrap_or_default(),
        drain: process.drain(),
        watches: process.watches(),
        dataplane: process.dataplane(),
        log_level: identity.log().filter(),
    };
    status.problems = problems(&status, &peers);
    status
}

fn peer_count(peers: &[PeerFacts<'_>]) -> PeerCount {
    PeerCount {
        expected: peers.len(),
        established: peers.iter().filter(|peer| peer.status.is_established()).count(),
        disabled: peers.iter().filter(|peer| peer.status.is_disabled()).count(),
    }
}

fn bfd_count(peers: &[PeerFacts<'_>]) -> BfdCount {
    let expected = peers.iter().filter(|peer| peer.has_bfd());
    let is_up =
        |peer: &&PeerFacts<'_>| peer.status.bfd.as_ref().is_some_and(|bfd| bfd.state == State::Up);
    BfdCount { expected: expected.clone().count(), up: expected.filter(is_up).count() }
}

fn prefix_counts(peers: &[PeerFacts<'_>]) -> PrefixCounts {
    let mut sum = PrefixCounts::default();
    for peer in peers {
        let prefixes = peer.prefixes();
        sum.planned += prefixes.planned;
        sum.sent += prefixes.sent;
        sum.unsendable += prefixes.unsendable;
    }
    sum
}

fn service_count(engine: &Engine, peers: &[PeerFacts<'_>]) -> ServiceCount {
    let mut count = ServiceCount { announced: announced(engine, peers), ..Default::default() };
    for key in engine.service_keys() {
        match engine.holding(key) {
            Some(_) => count.total += 1,
            None if engine.is_pending(key) => {
                count.total += 1;
                count.pending += 1;
            }
            None => {}
        }
    }
    count
}

/// Returns the number of Services that a node announces to a peer whose session is Established.
fn announced(engine: &Engine, peers: &[PeerFacts<'_>]) -> usize {
    let established: BTreeSet<_> = peers
        .iter()
        .filter(|peer| peer.status.is_established())
        .map(|peer| (peer.node, peer.plan.peer.name.as_str()))
        .collect();

    let mut services = BTreeSet::new();
    for plan in engine.plans() {
        let is_up = |name: &str| established.contains(&(plan.node(), name));
        for service in plan.services() {
            if plan.announced(service).any(|(peer, _)| is_up(&peer.peer.name)) {
                services.insert(service);
            }
        }
    }
    services.len()
}

/// Returns what an operator should look at, the most severe first.
fn problems(status: &Status, peers: &[PeerFacts<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(reason) = &status.not_ready {
        problems.push(problem(Severity::Error, "process", reason.clone()));
    }
    problems.extend(of_configuration(&status.configuration));
    problems.extend(of_drain(&status.drain));
    problems.extend(peers.iter().flat_map(of_peer));
    for watch in &status.watches {
        if let Some(error) = &watch.error {
            let subject = format!("watch {}", watch.resource);
            problems.push(problem(Severity::Warning, &subject, error.clone()));
        }
    }
    if status.services.pending > 0 {
        let text = format!("{} have no address", counted(status.services.pending, "Service"));
        let hint = Some("`ferrolb services --problems` names them".to_owned());
        problems.push(Problem { hint, ..problem(Severity::Warning, "services", text) });
    }

    problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
    problems.truncate(MOST_PROBLEMS);
    problems
}

fn of_configuration(configuration: &Configuration) -> Option<Problem> {
    let first = configuration.errors.first();
    match configuration.state {
        ConfigurationState::Missing => {
            let text = first.map_or("there has been no valid configuration yet", String::as_str);
            Some(problem(Severity::Error, "configuration", text.to_owned()))
        }
        ConfigurationState::Stale => {
            let text = match first {
                Some(error) => format!("an older configuration is in force: {error}"),
                None => "an older configuration is in force".to_owned(),
            };
            let hint = Some("correct the errors: `ferrolb check` shows all of them".to_owned());
            Some(Problem { hint, ..problem(Severity::Warning, "configuration", text) })
        }
        _ => None,
    }
}

fn of_drain(drain: &Drain) -> Option<Problem> {
    let text = match drain.stage {
        DrainStage::Marked => "routes are marked with GRACEFUL_SHUTDOWN",
        DrainStage::Withdrawn => "routes are withdrawn, and the sessions are up",
        DrainStage::Drained => "the sessions have ended",
        _ => return None,
    };
    let by = drain.requested_by.as_ref().map(|by| format!(" (requested by {by})"));
    let text = format!("the node is being drained: {text}{}", by.unwrap_or_default());
    Some(problem(Severity::Warning, "drain", text))
}

pub(super) fn of_peer(peer: &PeerFacts<'_>) -> Vec<Problem> {
    let subject = format!("peer {}", peer.plan.peer.name);
    let mut problems = Vec::new();
    if !peer.status.is_established() {
        let is_disabled = peer.status.is_disabled();
        let error = peer.last_error();
        let reason = error.as_ref().map(|error| format!(": {}", error.text)).unwrap_or_default();
        let (severity, state) = if is_disabled {
            (Severity::Warning, "an operator has disabled the peer".to_owned())
        } else {
            (
                Severity::Error,
                format!("the session of {} is {}{reason}", peer.node, peer.status.state()),
            )
        };
        let hint = error.filter(|_| !is_disabled).and_then(|error| error.hint);
        problems.push(Problem { hint, ..problem(severity, &subject, state) });
    }

    if peer.has_bfd()
        && let Some(reason) = peer.status.bfd.as_ref().and_then(bfd::reason)
    {
        let text = format!("BFD of {} is not up: {reason}", peer.node);
        problems.push(problem(Severity::Warning, &subject, text));
    }
    if peer.status.unsendable() > 0 {
        let routes = counted(peer.status.unsendable(), "route");
        let text = format!("the session of {} cannot carry {routes}", peer.node);
        let hint =
            Some("`ferrolb routes --peer NAME` says why".replace("NAME", &peer.plan.peer.name));
        problems.push(Problem { hint, ..problem(Severity::Error, &subject, text) });
    }
    problems
}

fn problem(severity: Severity, subject: &str, text: String) -> Problem {
    Problem { severity, subject: subject.to_owned(), text, hint: None }
}

fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// The most problems of one answer.
const MOST_PROBLEMS: usize = 50;
