//! [`Event`]: the changes at the speaker's peers, in order, for logs and reactions.
//!
//! A slow reader may miss events, and learns how many. The present facts are in a peer's
//! [`PeerStatus`](crate::PeerStatus).

use std::{fmt, sync::Arc};

use bgp_core::{
    AfiSafi,
    fsm::{DownReason, Negotiated, StateKind},
};
use tokio::sync::broadcast::{self, error::RecvError};

use crate::{DrainStage, PeerId, Updated, bfd};

/// A change at a peer. It prints as a line of a log without the time:
/// `192.0.2.1: the session with AS 64500, 192.0.2.1, is up: ipv4-unicast`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Event {
    /// The peer.
    pub peer: PeerId,
    /// The change.
    pub kind: EventKind,
}

/// The kinds of changes at a peer. Each prints as a short sentence.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum EventKind {
    /// The peer was added to the speaker.
    Added,
    /// The session is Established with these values.
    Up(Arc<Negotiated>),
    /// The session ended. Both sides drop the routes that were announced over it, unless graceful restart keeps them.
    Down(DownReason),
    /// An attempt to get a session failed.
    Failed(DownReason),
    /// The state machine entered another state.
    StateChange {
        /// The state before.
        from: StateKind,
        /// The state after.
        to: StateKind,
    },
    /// The peer's BFD session changed its state.
    Bfd(bfd::Transition),
    /// The routes that cannot be sent on the session have changed: [`PeerHandle::unsendable`] lists them, with the reasons.
    ///
    /// [`PeerHandle::unsendable`]: crate::PeerHandle::unsendable
    Unsendable {
        /// The number of such routes now.
        routes: usize,
    },
    /// The peer has announced all its routes of this family (End-of-RIB, RFC 4724): its part of the Loc-RIB is complete.
    EndOfRib(AfiSafi),
    /// Received routes changed, see [`Speaker::loc_rib`](crate::Speaker::loc_rib). Only from peers
    /// with [`Import::Keep`](crate::Import::Keep).
    RoutesChanged {
        /// The number of new and replaced routes.
        announced: usize,
        /// The number of withdrawn routes.
        withdrawn: usize,
    },
    /// The peer has sent so many prefixes of a family that its limit is near, or reached (RFC 4486). Reported once, and
    /// again only after the number has fallen.
    PrefixWarning {
        /// The family.
        family: AfiSafi,
        /// The number of prefixes that are kept.
        held: u32,
        /// The limit.
        limit: u32,
    },
    /// A [drain](crate::Speaker::drain) of the speaker reached this stage at the peer. The changed routes are sent as soon as
    /// the peer accepts them.
    Draining(DrainStage),
    /// The peer asked for our routes of this family again (RFC 2918).
    RefreshRequested(AfiSafi),
    /// A handle acted on the peer, as an operator does.
    Operator(OperatorAction),
    /// The peer's configuration was [changed in place](crate::PeerHandle::update).
    Updated(Arc<Updated>),
    /// The peer's session has ended for good and its connections are closed.
    Removed,
}

/// An action of an operator on one peer. It prints as a short sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum OperatorAction {
    /// [`PeerHandle::disable`](crate::PeerHandle::disable), with this text.
    Disable(String),
    /// [`PeerHandle::enable`](crate::PeerHandle::enable).
    Enable,
    /// [`PeerHandle::reset`](crate::PeerHandle::reset), with this text.
    Reset(String),
    /// [`PeerHandle::refresh`](crate::PeerHandle::refresh): the peer is asked for its routes of this family.
    Refresh(AfiSafi),
    /// [`PeerHandle::resend`](crate::PeerHandle::resend): the peer gets our routes of this family again.
    Resend(AfiSafi),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.peer, self.kind)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("the peer was added"),
            Self::Up(negotiated) => {
                let Negotiated { remote_asn, remote_identifier, families, .. } = &**negotiated;
                write!(f, "the session with AS {remote_asn}, {remote_identifier}, is up")?;
                separated(f, ": ", families)
            }
            Self::Down(reason) => write!(f, "the session is down: {reason}"),
            Self::Failed(reason) => write!(f, "no session: {reason}"),
            Self::StateChange { from, to } => write!(f, "the state changed from {from} to {to}"),
            Self::Bfd(transition) => transition.fmt(f),
            Self::Unsendable { routes: 0 } => f.write_str("every route can be sent"),
            Self::Unsendable { routes } => {
                write!(f, "{} cannot be sent on the session", counted(*routes, "route"))
            }
            Self::EndOfRib(family) => write!(f, "the peer has sent all its routes of {family}"),
            Self::RoutesChanged { announced, withdrawn } => {
                let announced = counted(*announced, "route");
                write!(f, "the peer announced {announced} and withdrew {withdrawn}")
            }
            Self::PrefixWarning { family, held, limit } => {
                write!(f, "the peer has sent {held} prefixes of {family}; the limit is {limit}")
            }
            Self::Draining(stage) => stage.fmt(f),
            Self::RefreshRequested(family) => {
                write!(f, "the peer asked for the routes of {family} again")
            }
            Self::Operator(action) => action.fmt(f),
            Self::Updated(updated) => updated.fmt(f),
            Self::Removed => f.write_str("the peer was removed"),
        }
    }
}

impl fmt::Display for OperatorAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, text) = match self {
            Self::Disable(text) => ("disabled", text.as_str()),
            Self::Enable => ("enabled", ""),
            Self::Reset(text) => ("reset", text.as_str()),
            Self::Refresh(family) => {
                return write!(f, "the operator asked the peer for its routes of {family} again");
            }
            Self::Resend(family) => {
                return write!(f, "the operator sent the routes of {family} again");
            }
        };

        write!(f, "the operator {action} the peer")?;
        if text.is_empty() { Ok(()) } else { write!(f, ": {text:?}") }
    }
}

/// Writes the values separated by commas, after `lead`; nothing if there are none.
pub(crate) fn separated<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    lead: &str,
    values: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (nth, value) in values.into_iter().enumerate() {
        write!(f, "{}{value}", if nth == 0 { lead } else { ", " })?;
    }
    Ok(())
}

/// Returns the number with the noun, in the plural unless it is one.
fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A reader of a speaker's events, from the moment of [`Speaker::events`](crate::Speaker::events).
#[derive(Debug)]
pub struct Events {
    pub(crate) receiver: broadcast::Receiver<Event>,
}

impl Events {
    /// Waits for the next event. Returns `None` when the speaker is gone.
    ///
    /// # Errors
    ///
    /// [`Missed`] if the oldest events were dropped because they were not read in time. The next call returns the
    /// oldest one that is left. Read the peers' status to catch up.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses no event. The next call returns it.
    pub async fn next(&mut self) -> Option<Result<Event, Missed>> {
        match self.receiver.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(events)) => Some(Err(Missed { events })),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The number of events that a slow reader has missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Missed {
    /// The number of events.
    pub events: u64,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events were missed, expected a reader that keeps up", self.events)
    }
}

impl std::error::Error for Missed {}

#[cfg(test)]
mod tests {
    use bgp_core::{
        fsm::TransportError,
        peer::{ConfigChange, TakesEffect},
    };

    use super::*;
    use crate::bfd::{Diagnostic, State, Transition};

    fn text(kind: EventKind) -> String {
        Event { peer: [192, 0, 2, 1].into(), kind }.to_string()
    }

    #[test]
    fn events_print_as_sentences() {
        let ipv4 = AfiSafi::IPV4_UNICAST;
        let reason = DownReason::Transport(TransportError::Refused);
        let change = |field| ConfigChange { field, takes_effect: TakesEffect::Reset };
        let updated =
            |reset| Arc::new(Updated { changes: vec![change("families"), change("role")], reset });
        let bfd = |to, diagnostic| Transition {
            from: State::Up,
            to,
            diagnostic,
            remote_state: State::Up,
            remote_diagnostic: Diagnostic::NONE,
        };
        let operator = EventKind::Operator;

        for (kind, expected) in [
            (EventKind::Added, "the peer was added"),
            (
                EventKind::Down(reason.clone()),
                "the session is down: the peer refused the TCP connection",
            ),
            (EventKind::Failed(reason), "no session: the peer refused the TCP connection"),
            (
                EventKind::StateChange { from: StateKind::Idle, to: StateKind::Connect },
                "the state changed from Idle to Connect",
            ),
            (EventKind::Bfd(bfd(State::Up, Diagnostic::NONE)), "BFD is up"),
            (
                EventKind::Bfd(bfd(State::Down, Diagnostic::DETECTION_TIME_EXPIRED)),
                "BFD went from Up to Down: control detection time expired; the peer reports no diagnostic",
            ),
            (EventKind::Unsendable { routes: 0 }, "every route can be sent"),
            (EventKind::Unsendable { routes: 1 }, "1 route cannot be sent on the session"),
            (EventKind::Unsendable { routes: 2 }, "2 routes cannot be sent on the session"),
            (EventKind::EndOfRib(ipv4), "the peer has sent all its routes of ipv4-unicast"),
            (
                EventKind::RoutesChanged { announced: 3, withdrawn: 1 },
                "the peer announced 3 routes and withdrew 1",
            ),
            (
                EventKind::PrefixWarning { family: ipv4, held: 900, limit: 1_000 },
                "the peer has sent 900 prefixes of ipv4-unicast; the limit is 1000",
            ),
            (EventKind::Draining(DrainStage::Marked), "routes are marked with GRACEFUL_SHUTDOWN"),
            (
                EventKind::RefreshRequested(ipv4),
                "the peer asked for the routes of ipv4-unicast again",
            ),
            (
                operator(OperatorAction::Disable("rack \"7\"".into())),
                "the operator disabled the peer: \"rack \\\"7\\\"\"",
            ),
            (operator(OperatorAction::Enable), "the operator enabled the peer"),
            (operator(OperatorAction::Reset(String::new())), "the operator reset the peer"),
            (
                operator(OperatorAction::Refresh(ipv4)),
                "the operator asked the peer for its routes of ipv4-unicast again",
            ),
            (
                operator(OperatorAction::Resend(ipv4)),
                "the operator sent the routes of ipv4-unicast again",
            ),
            (
                EventKind::Updated(updated(true)),
                "the session was reset to change it: families, role",
            ),
            (
                EventKind::Updated(updated(false)),
                "the session was changed in place: families, role",
            ),
            (EventKind::Removed, "the peer was removed"),
        ] {
            assert_eq!(text(kind), format!("192.0.2.1: {expected}"));
        }
    }
}
