//! [`Liveness`]: what BFD says of a peer, and what that means for its BGP session.
//!
//! A failure of the path ends the session (RFC 9384) and holds off the next one until BFD is up again, though
//! not for ever. What BFD is like before it was ever up holds nothing off. The sessions of BFD themselves are
//! `bfd`'s.

use std::{
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
    EventKind, PeerConfig,
    bfd::{Attachment, Bfd, BfdStatus, Endpoint, State, Transition, WAITING_TRANSITIONS},
    clock,
    registry::Registry,
};

/// A peer's BFD session as its task holds it.
pub(crate) struct Liveness {
    bfd: Bfd,
    registry: Arc<Registry>,
    attachment: Option<Attachment>,
    transitions: mpsc::Sender<Transition>,
    heard: mpsc::Receiver<Transition>,
    status: watch::Sender<Option<BfdStatus>>,
    /// BFD has ended the session, and until then no other one is tried.
    held_until: Option<Instant>,
    /// The operator wants no session.
    disabled: bool,
}

impl Liveness {
    pub(crate) fn new(
        bfd: Bfd,
        registry: Arc<Registry>,
        status: watch::Sender<Option<BfdStatus>>,
    ) -> Self {
        let (transitions, heard) = mpsc::channel(WAITING_TRANSITIONS);
        let (attachment, held_until, disabled) = (None, None, false);
        Self { bfd, registry, attachment, transitions, heard, status, held_until, disabled }
    }

    /// When a session may be tried again at the latest, if none may now.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// What the operator wants ends what BFD holds off.
    pub(super) fn disabled(&mut self, disabled: bool) {
        self.disabled = disabled;
        self.held_until = None;
    }

    pub(super) fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Transition> {
        match self.heard.poll_recv(cx) {
            Poll::Ready(Some(transition)) => Poll::Ready(transition),
            // It can't end: one of its senders is ours.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
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
                    self.registry.alive(),
                    endpoint,
                    profile,
                    self.transitions.clone(),
                    self.status.clone(),
                ));
            }
        }
    }

    fn state(&self) -> Option<State> {
        self.status.borrow().as_ref().map(|status| status.state)
    }
}

impl PeerTask {
    /// Begins, changes or ends the peer's BFD session as the configuration says. The BGP session is left alone.
    pub(super) fn follow_bfd_config(&mut self) {
        let had_one = self.liveness.attachment.is_some();
        let (asn, _) = self.speaker;
        self.liveness.set(&self.config, asn);
        match (had_one, self.config.bfd) {
            (false, Some(_)) => self.reports.bfd_state(Some(State::Down)),
            (true, None) => {
                self.reports.bfd_state(None);
                self.release();
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// BFD has something to tell.
    pub(super) fn bfd_changed(&mut self, transition: Transition) {
        if self.liveness.attachment.is_none() {
            return;
        }
        self.reports.bfd_state(Some(transition.to));
        self.reports.event(EventKind::Bfd(transition));
        if transition.is_failure() {
            self.path_failed();
        }
        // What has changed meanwhile may have found no room in the queue.
        let out_of_service = transition.remote_state == State::AdminDown;
        if out_of_service || self.liveness.state() == Some(State::Up) {
            self.release();
        }
    }

    fn path_failed(&mut self) {
        let Some(profile) = self.config.bfd.filter(|_| !self.liveness.disabled) else { return };
        let now = clock::now();
        self.liveness.held_until = now.checked_add(profile.hold);
        self.peer.stop(now, Notification::cease(CeaseSubcode::BFD_DOWN));
    }

    /// Lets a session that was held off be tried, if there is one and its time has come.
    pub(super) fn release_when_due(&mut self) {
        if self.liveness.held_until.is_some_and(|until| until <= clock::now()) {
            self.release();
        }
    }

    fn release(&mut self) {
        if self.liveness.held_until.take().is_some() {
            self.peer.start(clock::now());
        }
    }
}
