//! The events of sessions in the form of the event log.
//!
//! Owns the words for them. Transitions between the states of RFC 4271, and changes of routes that a router sends, are left out:
//! they come in great numbers, and the events about the session itself say what an operator needs.

use std::collections::BTreeMap;

use bgp_session::bfd::{State, Transition};
use bgp_session::wire::ErrorCode;
use bgp_session::{
    CeaseSubcode, DownReason, DrainStage, EventKind as SessionEvent, Events, Negotiated, PeerId,
    Updated,
};
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
    Some(match kind {
        SessionEvent::Added => NewEvent::info(EventKind::Peer, "the peer was added"),
        SessionEvent::Removed => NewEvent::info(EventKind::Peer, "the peer was removed"),
        SessionEvent::Updated(updated) => NewEvent::info(EventKind::Peer, update_text(updated)),
        SessionEvent::Up(negotiated) => NewEvent::info(EventKind::SessionUp, up_text(negotiated)),
        SessionEvent::Down(reason) => {
            let text = format!("the session is down: {reason}");
            NewEvent::new(EventKind::SessionDown, down_severity(reason), text)
        }
        SessionEvent::Failed(reason) => {
            NewEvent::error(EventKind::SessionFailed, format!("no session: {reason}"))
        }
        SessionEvent::Bfd(transition) => bfd_event(transition),
        SessionEvent::Unsendable { routes: 0 } => {
            NewEvent::info(EventKind::Unsendable, "every route can be sent")
        }
        SessionEvent::Unsendable { routes } => {
            let text = format!("{routes} routes cannot be sent on the session");
            NewEvent::error(EventKind::Unsendable, text)
        }
        SessionEvent::PrefixWarning { family, held, limit } => {
            let text =
                format!("the peer has sent {held} prefixes of {family}; the limit is {limit}");
            NewEvent::warning(EventKind::PrefixLimit, text)
        }
        SessionEvent::Draining(stage) => NewEvent::info(EventKind::Drain, drain_text(*stage)),
        SessionEvent::RefreshRequested(family) => {
            let text = format!("the peer asked for the routes of {family} again");
            NewEvent::info(EventKind::Refresh, text)
        }
        // The module `actions` records what an operator did, once for all families.
        SessionEvent::Operator(_) => return None,
        _ => return None,
    })
}

fn up_text(negotiated: &Negotiated) -> String {
    let families: Vec<_> = negotiated.families.iter().map(ToString::to_string).collect();
    let (asn, identifier) = (negotiated.remote_asn, negotiated.remote_identifier);
    format!("the session with AS {asn}, {identifier}, is up: {}", families.join(", "))
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

fn bfd_event(transition: &Transition) -> NewEvent {
    let Transition { from, to, diagnostic, remote_diagnostic, .. } = transition;
    match to {
        State::Up => NewEvent::info(EventKind::Bfd, "BFD is up"),
        State::Init => {
            NewEvent::info(EventKind::Bfd, "BFD hears the peer, which does not hear us yet")
        }
        State::AdminDown | State::Down => {
            let text = format!(
                "BFD went from {from} to {to}: {diagnostic}; the peer reports {remote_diagnostic}"
            );
            let severity =
                if transition.is_failure() { Severity::Error } else { Severity::Warning };
            NewEvent::new(EventKind::Bfd, severity, text)
        }
    }
}

fn update_text(updated: &Updated) -> String {
    let fields: Vec<_> = updated.changes.iter().map(|change| change.field).collect();
    let fields = fields.join(", ");
    if updated.reset {
        format!("the session was reset to change it: {fields}")
    } else {
        format!("the session was changed in place: {fields}")
    }
}

fn drain_text(stage: DrainStage) -> &'static str {
    match stage {
        DrainStage::Normal => "routes are announced unchanged again",
        DrainStage::Marked => "routes are marked with GRACEFUL_SHUTDOWN",
        DrainStage::Withdrawn => "routes are withdrawn",
    }
}
