//! [`Live`]: one session as the driver holds it, with its sockets and who hears of it.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::error::TrySendError;

use super::{
    BfdStatus, Packet, Session, Transition,
    driver::{Place, is_lost},
    endpoint::Hops,
    service::Order,
};
use crate::socket::bfd::{Receiver, Sender};

pub(super) struct Live {
    pub(super) order: Order,
    pub(super) session: Session,
    pub(super) ports: Option<Ports>,
    /// When to open the sockets that aren't.
    pub(super) retry: Instant,
    problem: Option<String>,
    /// What the peer's task had no room for; of several the one that matters most.
    untold: Option<Transition>,
    /// Out of service, to be forgotten then.
    pub(super) leaving: Option<Instant>,
    pub(super) deadline: Option<Instant>,
}

pub(super) struct Ports {
    pub(super) sender: Sender,
    pub(super) place: Place,
    pub(super) hops: Hops,
    /// Kept for its count: a receiver without sessions is closed.
    pub(super) _receiver: Arc<Receiver>,
}

impl Live {
    pub(super) fn new(order: Order, session: Session, now: Instant) -> Self {
        Self {
            order,
            session,
            ports: None,
            retry: now,
            problem: None,
            untold: None,
            leaving: None,
            deadline: None,
        }
    }

    pub(super) fn opened(&mut self, ports: Ports) {
        let local = ports.sender.local();
        tracing::debug!(peer = %self.order.endpoint.peer, %local, "session begins");
        self.ports = Some(ports);
        self.problem = None;
    }

    pub(super) fn failed_to_open(&mut self, retry: Instant, error: &io::Error) {
        let problem = error.to_string();
        if self.problem.as_ref() != Some(&problem) {
            tracing::warn!(peer = %self.order.endpoint.peer, %problem, "no BFD session, trying again");
        }
        self.problem = Some(problem);
        self.retry = retry;
    }

    /// A packet has come further than it may.
    pub(super) fn came_too_far(&mut self, hops: Hops, ttl: u8) {
        let expected = match hops {
            Hops::Single => "255: it comes not from the link",
            Hops::Multi { minimum_ttl } => {
                &format!("at least {minimum_ttl}, by the profile's minimum_ttl")
            }
        };
        let problem =
            format!("the router's packets arrive with a TTL of {ttl}, expected {expected}");
        if self.problem.as_ref() != Some(&problem) {
            tracing::warn!(peer = %self.order.endpoint.peer, %problem, "BFD packets discarded");
        }
        self.problem = Some(problem);
    }

    /// A packet was the router's.
    pub(super) fn received(&mut self, now: Instant, packet: &Packet) {
        self.problem = None;
        self.session.receive(now, packet);
    }

    /// Sends what is due. A way that is lost is looked for anew, for it may be another by then.
    pub(super) fn transmit(&mut self, now: Instant, pause: Duration) {
        while let Some(ports) = &self.ports {
            let Some(packet) = self.session.poll_transmit(now) else { break };
            if let Err(error) = ports.sender.send(&packet.encode()) {
                tracing::trace!(peer = %self.order.endpoint.peer, %error, "cannot send");
                if is_lost(self.session.state(), &error) {
                    self.problem = Some(format!("cannot send: {error}"));
                    self.ports = None;
                    self.retry = now + pause;
                }
            }
        }
    }

    /// Tells the peer's task and everybody who looks.
    pub(super) fn report(&mut self) {
        while let Some(transition) = self.session.poll_event() {
            let Transition { from, to, diagnostic, .. } = transition;
            tracing::info!(peer = %self.order.endpoint.peer, %from, %to, %diagnostic, "BFD");
            // A failure must be heard of, whatever came after it.
            if !self.untold.is_some_and(|it| it.is_failure()) {
                self.untold = Some(transition);
            }
            self.tell();
        }
        self.tell();
        if self.leaving.is_some() {
            return;
        }
        self.order.status.send_if_modified(|status| {
            let known = status.get_or_insert_with(BfdStatus::default);
            let before = (known.state, known.problem.clone());
            known.update(&self.session);
            known.problem.clone_from(&self.problem);
            before != (known.state, known.problem.clone())
        });
    }

    fn tell(&mut self) {
        let Some(transition) = self.untold.take() else { return };
        if let Err(TrySendError::Full(transition)) = self.order.transitions.try_send(transition) {
            self.untold = Some(transition);
        }
    }

    /// When to look at the session again.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let session = match (&self.ports, self.leaving) {
            (None, Some(_)) => None,
            (None, None) => Some(self.retry),
            (Some(_), _) => self.session.poll_timeout(),
        };
        let untold = self.untold.map(|_| now + UNTOLD);
        [session, self.leaving, untold].into_iter().flatten().min()
    }
}

/// How soon a transition is offered again to a task that was too busy for it.
const UNTOLD: Duration = Duration::from_millis(10);
