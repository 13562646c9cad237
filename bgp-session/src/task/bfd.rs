//! [`BfdMonitor`]: a peer's BFD session, and its effect on the BGP session.
//!
//! A failure of the path ends the BGP session (RFC 9384) and holds off the next one until BFD is up again, for a limited
//! time. BFD that was never up does not hold a session off. The module `bfd` of this crate runs the BFD
//! sessions themselves.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bgp_core::{
    Asn,
    wire::{CeaseSubcode, Notification},
};
use tokio::sync::{mpsc, watch};

use super::PeerTask;
use crate::{
    PeerConfig,
    bfd::{Attachment, Bfd, BfdStatus, Endpoint, State, Transition, WAITING_TRANSITIONS},
    clock,
    registry::Registry,
};

/// A wait for the next change of a status. It returns the receiver, for the wait after it.
type StatusChange = Pin<Box<dyn Future<Output = watch::Receiver<Option<BfdStatus>>> + Send>>;

fn next_change(mut status: watch::Receiver<Option<BfdStatus>>) -> StatusChange {
    Box::pin(async move {
        // The sender lives as long as the task that waits here.
        let _ = status.changed().await;
        status
    })
}

/// A peer's BFD session, from the view of the peer's task.
pub(crate) struct BfdMonitor {
    bfd: Bfd,
    registry: Arc<Registry>,
    attachment: Option<Attachment>,
    transitions: mpsc::Sender<Transition>,
    received: mpsc::Receiver<Transition>,
    status: watch::Sender<Option<BfdStatus>>,
    /// The next change of the status.
    change: StatusChange,
    /// The time until which BFD holds the next session off, if it has ended one.
    held_until: Option<Instant>,
    /// True if the operator has disabled the peer.
    disabled: bool,
}

impl BfdMonitor {
    pub(crate) fn new(
        bfd: Bfd,
        registry: Arc<Registry>,
        status: watch::Sender<Option<BfdStatus>>,
    ) -> Self {
        let (transitions, received) = mpsc::channel(WAITING_TRANSITIONS);
        let change = next_change(status.subscribe());
        let (attachment, held_until, disabled) = (None, None, false);
        Self {
            bfd,
            registry,
            attachment,
            transitions,
            received,
            status,
            change,
            held_until,
            disabled,
        }
    }

    /// The latest time at which a session that is held off may be tried again.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// Notes that the operator disabled or enabled the peer. In both cases BFD no longer holds a session off.
    pub(super) fn disabled(&mut self, disabled: bool) {
        self.disabled = disabled;
        self.held_until = None;
    }

    /// Returns true if the operator has disabled the peer.
    pub(super) fn is_disabled(&self) -> bool {
        self.disabled
    }

    pub(super) fn poll_transition(&mut self, cx: &mut Context<'_>) -> Poll<Transition> {
        match self.received.poll_recv(cx) {
            Poll::Ready(Some(transition)) => Poll::Ready(transition),
            // The channel can't end: one of its senders is ours.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Waits for a change of the session's state, or of the problem that keeps it from coming up.
    pub(super) fn poll_status(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.change.as_mut().poll(cx).map(|status| self.change = next_change(status))
    }

    /// The problem that keeps the session from coming up, if one is known.
    pub(super) fn problem(&self) -> Option<String> {
        self.status.borrow().as_ref().and_then(|status| status.problem.clone())
    }

    fn set(&mut self, config: &PeerConfig, asn: Asn) {
        let Some(profile) = config.bfd else {
            self.attachment = None;
            return;
        };

        let endpoint = Endpoint::new(config, &profile, asn);
        match &self.attachment {
            Some(attachment) => attachment.change(endpoint, profile),
            None => {
                self.attachment = Some(self.bfd.attach(
                    self.registry.count_task(),
                    endpoint,
                    profile,
                    self.transitions.clone(),
                    self.status.clone(),
                ));
            }
        }
    }

    /// Returns true if the BFD session is up.
    pub(super) fn is_up(&self) -> bool {
        self.state() == Some(State::Up)
    }

    fn state(&self) -> Option<State> {
        self.status.borrow().as_ref().map(|status| status.state)
    }
}

impl PeerTask {
    /// Begins, changes or ends the peer's BFD session as configured. The BGP session is left alone.
    pub(super) fn follow_bfd_config(&mut self) {
        let was_attached = self.bfd.attachment.is_some();
        let (asn, _) = self.speaker;
        self.bfd.set(&self.config, asn);

        match (was_attached, self.config.bfd) {
            (false, Some(_)) => self.reports.bfd_state(Some(State::Down)),
            (true, None) => {
                self.reports.bfd_state(None);
                self.release();
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Handles a change of the BFD session's state.
    pub(super) fn bfd_changed(&mut self, transition: Transition) {
        if self.bfd.attachment.is_none() {
            return;
        }

        self.reports.bfd_changed(transition);
        if transition.is_failure() {
            self.path_failed();
        }

        // A later transition may have found no room in the queue, so the status counts.
        let out_of_service = transition.remote_state == State::AdminDown;
        if out_of_service || self.bfd.is_up() {
            self.release();
        }
    }

    fn path_failed(&mut self) {
        let Some(profile) = self.config.bfd.filter(|_| !self.bfd.disabled) else { return };
        let now = clock::now();
        self.bfd.held_until = now.checked_add(profile.hold);
        self.peer.stop(now, Notification::cease(CeaseSubcode::BFD_DOWN));
    }

    /// Allows a session that BFD has held off when the longest pause is over.
    pub(super) fn release_when_due(&mut self) {
        if self.bfd.held_until.is_some_and(|until| until <= clock::now()) {
            self.release();
        }
    }

    fn release(&mut self) {
        if self.bfd.held_until.take().is_some() {
            self.peer.start(clock::now());
        }
    }
}
