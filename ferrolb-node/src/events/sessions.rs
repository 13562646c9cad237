//! The events of sessions in the form of the event log.
//!
//! Owns their severity, and which of them are recorded; the words are those of `bgp-session`. Transitions between the states of
//! RFC 4271, and changes of routes that a router sends, are left out: they come in great numbers, and the events about the session
//! itself say what an operator needs.

use std::collections::BTreeMap;

use bgp_session::bfd::{State, Transition};
use bgp_session::wire::ErrorCode;
use bgp_session::{CeaseSubcode, DownReason, EventKind as SessionEvent, Events, PeerId};
use ferrolb_api::{EventKind, Severity};

use super::{EventLog, NewEvent};

/// Records the events of a speaker until it is gone. `name` returns the name of a peer in the configuration, if it is known, and
/// `noticed` is called at each event, also at those that are not recorded.
pub(crate) async fn record_session_events(
    log: EventLog,
    node: String,
    mut events: Events,
    name: impl Fn(PeerId) -> Option<String>,
    noticed: impl Fn(),
) {
    let mut failures: BTreeMap<PeerId, DownReason> = BTreeMap::new();
    while let Some(event) = events.next().await {
        noticed();
        let (peer, kind) = match event {
            Ok(event) => (event.peer, event.kind),
            Err(missed) => {
                let text =
                    format!("{} events of sessions were lost: too many at a time", missed.events);
                log.record(NewEvent::warning(EventKind::Peer, text).node(&node));
                continue;
            }
        };

        if is_repeated(&mut failures, peer, &kind) {
            continue;
        }
        if let Some(event) = describe(&kind) {
            let name = name(peer).unwrap_or_else(|| peer.to_string());
            log.record(event.node(&node).peer(name));
        }
    }
}

/// Returns true if an attempt failed for the same reason as the one before. A router that is down for long would fill the log.
fn is_repeated(
    failures: &mut BTreeMap<PeerId, DownReason>,
    peer: PeerId,
    kind: &SessionEvent,
) -> bool {
    match kind {
        SessionEvent::Failed(reason) => {
            failures.insert(peer, reason.clone()).as_ref() == Some(reason)
        }
        SessionEvent::Up(_) | SessionEvent::Removed => {
            failures.remove(&peer);
            false
        }
        _ => false,
    }
}

/// Returns the event in words, unless it is of no interest to an operator.
fn describe(kind: &SessionEvent) -> Option<NewEvent> {
    let (what, severity) = match kind {
        SessionEvent::Added | SessionEvent::Removed | SessionEvent::Updated(_) => {
            (EventKind::Peer, Severity::Info)
        }
        SessionEvent::Up(_) => (EventKind::SessionUp, Severity::Info),
        SessionEvent::Down(reason) => (EventKind::SessionDown, down_severity(reason)),
        SessionEvent::Failed(_) => (EventKind::SessionFailed, Severity::Error),
        SessionEvent::Bfd(transition) => (EventKind::Bfd, bfd_severity(transition)),
        SessionEvent::Unsendable { routes: 0 } => (EventKind::Unsendable, Severity::Info),
        SessionEvent::Unsendable { .. } => (EventKind::Unsendable, Severity::Error),
        SessionEvent::PrefixWarning { .. } => (EventKind::PrefixLimit, Severity::Warning),
        SessionEvent::Draining(_) => (EventKind::Drain, Severity::Info),
        SessionEvent::RefreshRequested(_) => (EventKind::Refresh, Severity::Info),
        // The module `actions` records what an operator did, once for all families.
        SessionEvent::Operator(_) => return None,
        _ => return None,
    };
    Some(NewEvent::new(what, severity, kind.to_string()))
}

/// Returns how much the end of a session matters. One that this side ended on purpose is no failure.
fn down_severity(reason: &DownReason) -> Severity {
    match reason {
        DownReason::Local(cease)
            if cease.code == ErrorCode::CEASE
                && INTENDED.contains(&CeaseSubcode(cease.subcode)) =>
        {
            Severity::Warning
        }
        _ => Severity::Error,
    }
}

/// The reasons for which this side ends a session on purpose.
const INTENDED: [CeaseSubcode; 4] = [
    CeaseSubcode::ADMINISTRATIVE_SHUTDOWN,
    CeaseSubcode::ADMINISTRATIVE_RESET,
    CeaseSubcode::PEER_DECONFIGURED,
    CeaseSubcode::OTHER_CONFIGURATION_CHANGE,
];

fn bfd_severity(transition: &Transition) -> Severity {
    match transition.to {
        State::Up | State::Init => Severity::Info,
        State::AdminDown | State::Down if transition.is_failure() => Severity::Error,
        State::AdminDown | State::Down => Severity::Warning,
    }
}
