//! The state of a process in the form in which `lb_adapter` explains Services and makes recordings.
//!
//! Owns the conversion. It asks no session: what a session cannot carry is what it said at the last refresh.

use lb_adapter::manifest::Source;
use lb_adapter::recording::{ProcessSnapshot, SessionState, SessionStates};

use super::Process;
use super::peers::{self, PeerFacts};
use crate::sessions::SessionKey;

/// Returns the state of a process that has read these files. The caller adds where the configuration is.
pub fn snapshot(process: &impl Process, sources: Vec<Source>) -> ProcessSnapshot {
    let Some(engine) = process.engine() else { return ProcessSnapshot::default() };
    let held = engine.service_keys().filter_map(|key| {
        let holding = engine.holding(key)?;
        Some((key.clone(), holding.addresses.to_vec()))
    });
    let probed = engine.plans().flat_map(|plan| {
        let node = plan.node();
        let statuses = engine.probe_statuses(node);
        statuses.map(move |(key, status)| ((node.to_owned(), key.clone()), status.clone()))
    });
    ProcessSnapshot {
        sources,
        held: held.collect(),
        sessions: session_states(process),
        probed: probed.collect(),
        ..ProcessSnapshot::default()
    }
}

/// Returns the states of all sessions of a process.
pub(super) fn session_states(process: &impl Process) -> SessionStates {
    let Some(engine) = process.engine() else { return SessionStates::new() };
    let states = peers::all(process, engine).map(|peer| {
        let key = (peer.node.to_owned(), peer.plan.peer.endpoint());
        let state = state(process, &peer);
        (key, state)
    });
    states.collect()
}

fn state(process: &impl Process, peer: &PeerFacts<'_>) -> SessionState {
    let status = &peer.status;
    let is_up = status.is_established();
    let reason = if is_up { None } else { status.reason() };

    let key = SessionKey::new(peer.node, &peer.plan.peer.name);
    let unsendable = process.sessions().map(|sessions| sessions.unsendable(&key));
    let mut state =
        SessionState::new(is_up, reason).with_unsendable(&unsendable.unwrap_or_default());
    state.bfd_problem = status.bfd_problem().map(str::to_owned);
    state.families = status.families();
    state
}
