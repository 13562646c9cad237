//! [`ActiveSession`]: one session of the driver, with its sockets and the channels to report on.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::error::TrySendError;

use super::{
    BfdStatus, Packet, Session, State, Transition, endpoint::Hops, requests::SessionRequest,
};
use crate::socket::bfd::{Receiver, Sender};

pub(super) struct ActiveSession {
    pub(super) request: SessionRequest,
    pub(super) session: Session,
    pub(super) sockets: Option<SessionSockets>,
    /// The time at which to open the sockets if they are closed.
    pub(super) retry: Instant,
    problem: Option<String>,
    /// A transition for which the peer's task had no room; of several the most important one.
    unreported: Option<Transition>,
    /// The time at which the session is removed, if it is out of service.
    pub(super) leaving: Option<Instant>,
    pub(super) deadline: Option<Instant>,
}

/// The sockets of a session: one to send, and one to receive, which it shares with those at the same address.
pub(super) struct SessionSockets {
    pub(super) sender: Sender,
    pub(super) address: ReceiverAddress,
    pub(super) hops: Hops,
    /// Held for the reference count: a receiver without sessions is closed.
    pub(super) _receiver: Arc<Receiver>,
}

/// The local address of a receiver, and the interface that it is bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReceiverAddress {
    pub(super) local: SocketAddr,
    pub(super) device: Option<String>,
}

impl ActiveSession {
    pub(super) fn new(request: SessionRequest, session: Session, now: Instant) -> Self {
        Self {
            request,
            session,
            sockets: None,
            retry: now,
            problem: None,
            unreported: None,
            leaving: None,
            deadline: None,
        }
    }

    pub(super) fn opened(&mut self, sockets: SessionSockets) {
        let local = sockets.sender.local();
        tracing::debug!(peer = %self.request.endpoint.peer, %local, "session begins");
        self.sockets = Some(sockets);
        self.problem = None;
    }

    pub(super) fn failed_to_open(&mut self, retry: Instant, error: &io::Error) {
        let problem = error.to_string();
        if self.problem.as_ref() != Some(&problem) {
            tracing::debug!(peer = %self.request.endpoint.peer, %problem, "no BFD session, trying again");
        }
        self.problem = Some(problem);
        self.retry = retry;
    }

    /// Reports a packet that has come further than it may.
    pub(super) fn came_too_far(&mut self, hops: Hops, ttl: u8) {
        let expected = match hops {
            Hops::Single => "255, as from the link",
            Hops::Multi { minimum_ttl } => {
                &format!("at least {minimum_ttl}, the profile's minimum_ttl")
            }
        };
        let problem =
            format!("the router's packets arrive with a TTL of {ttl}, expected {expected}");
        if self.problem.as_ref() != Some(&problem) {
            tracing::debug!(peer = %self.request.endpoint.peer, %problem, "BFD packets discarded");
        }
        self.problem = Some(problem);
    }

    /// Handles a packet of the router.
    pub(super) fn received(&mut self, now: Instant, packet: &Packet) {
        self.problem = None;
        self.session.receive(now, packet);
    }

    /// Sends the packets that are due. If the path is lost, the sockets are opened again later: the local address may be
    /// another by then.
    pub(super) fn transmit(&mut self, now: Instant, pause: Duration) {
        while let Some(sockets) = &self.sockets {
            let Some(packet) = self.session.poll_transmit(now) else { break };
            if let Err(error) = sockets.sender.send(&packet.encode()) {
                tracing::trace!(peer = %self.request.endpoint.peer, %error, "cannot send");
                if is_lost(self.session.state(), &error) {
                    self.problem = Some(format!("cannot send: {error}"));
                    self.sockets = None;
                    self.retry = now + pause;
                }
            }
        }
    }

    /// Reports to the peer's task, and updates the status.
    pub(super) fn report(&mut self) {
        while let Some(transition) = self.session.poll_event() {
            let Transition { from, to, diagnostic, .. } = transition;
            tracing::debug!(peer = %self.request.endpoint.peer, %from, %to, %diagnostic, "BFD");

            // A later transition must not replace a failure.
            if !self.unreported.is_some_and(|unreported| unreported.is_failure()) {
                self.unreported = Some(transition);
            }
            self.send_transition();
        }
        self.send_transition();

        if self.leaving.is_some() {
            return;
        }
        self.request.status.send_if_modified(|status| {
            let known = status.get_or_insert_with(BfdStatus::default);
            let before = (known.state, known.problem.clone());
            known.update(&self.session);
            known.problem.clone_from(&self.problem);
            before != (known.state, known.problem.clone())
        });
    }

    fn send_transition(&mut self) {
        let Some(transition) = self.unreported.take() else { return };
        if let Err(TrySendError::Full(transition)) = self.request.transitions.try_send(transition) {
            self.unreported = Some(transition);
        }
    }

    /// The next time at which the session has something to do.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let session = match (&self.sockets, self.leaving) {
            (None, Some(_)) => None,
            (None, None) => Some(self.retry),
            (Some(_), _) => self.session.poll_timeout(),
        };
        let report = self.unreported.map(|_| now + REPORT_AGAIN);
        [session, self.leaving, report].into_iter().flatten().min()
    }
}

/// Returns true if a session that can't send should open its sockets again.
fn is_lost(state: State, error: &io::Error) -> bool {
    state != State::Up && error.kind() != io::ErrorKind::ConnectionRefused
}

/// The pause before a transition is offered again to a task that was too busy for it.
const REPORT_AGAIN: Duration = Duration::from_millis(10);
