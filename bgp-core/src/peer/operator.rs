//! What the operator does to a peer: start, stop, reset, another configuration; and the pauses that only an operator
//! or time ends.

use std::time::{Duration, Instant};

use crate::Direction;
use crate::fsm::{Event, StateKind, after};
use crate::peer::{Import, Peer, PeerSettings};
use crate::wire::{CeaseSubcode, Notification};

/// How long a peer is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// Until then.
    Until(Instant),
    /// Until the operator starts it.
    ForOperator,
}

impl Peer {
    /// Starts the peer: ManualStart (event 1), or event 4 where it is passive. One that waits after a failure
    /// begins anew at once; a session that is up, or about to be, is left alone.
    pub fn start(&mut self, now: Instant) {
        self.started = true;
        self.pause = None;
        self.offer_all();
        if self.incoming_state() < StateKind::OpenConfirm {
            self.outgoing.fsm.handle(now, Event::ManualStart);
        }
        self.settle(now);
    }

    /// Stops the peer: ManualStop (event 2). `cease` is what a peer that has our OPEN is told.
    pub fn stop(&mut self, now: Instant, cease: Notification) {
        self.started = false;
        self.pause = None;
        let cease = self.hard(cease);
        self.stop_connections(now, cease);
        self.settle(now);
        self.forget_stale();
    }

    /// Ends the session, or the attempt to get one, with `cease`, and begins anew after an IdleHoldTime: a peer that is
    /// dialled before it has read the `cease` refuses. Does nothing to a peer that is stopped.
    pub fn reset(&mut self, now: Instant, cease: Notification) {
        if self.started {
            self.pause = None;
            self.offer_all();
            let cease = self.hard(cease);
            self.stop_connections(now, cease);
            self.settle(now);
        }
    }

    /// Ends the IdleHoldTime after a failure or a [`Peer::reset`], as [`Peer::start`] does. Does nothing to a peer that is
    /// stopped, or that is left alone because it sent too many prefixes.
    pub fn begin(&mut self, now: Instant) {
        if self.started && self.pause.is_none() {
            self.start(now);
        }
    }

    /// Takes another configuration. A session goes on; what of it was settled by the OPENs holds until the next one,
    /// the rest from now on ([`PeerSettings::changes`] says which is which). An attempt to get a session begins again.
    pub fn reconfigure(&mut self, now: Instant, settings: PeerSettings) {
        if self.settings == settings {
            return;
        }

        let attempt = self.started && self.pause.is_none() && self.established().is_none();
        if attempt {
            self.stop_connections(
                now,
                Notification::cease(CeaseSubcode::OTHER_CONFIGURATION_CHANGE),
            );
            self.settle_stopped(now);
        }

        let before = std::mem::replace(&mut self.settings, settings);
        self.offer_all();
        self.settings_changed(&before);
        if attempt {
            self.start(now);
        }
        if let Some(session) = self.established() {
            self.apply_at_once(now, session, &before);
        }
        self.settle(now);
    }

    /// What of a new configuration holds in the session that is up.
    fn apply_at_once(&mut self, now: Instant, session: Direction, before: &PeerSettings) {
        if before.min_route_advertisement_interval != self.settings.min_route_advertisement_interval
        {
            self.next_advertisement = None;
        }
        if self.settings.import == Import::Drop {
            self.forget_received();
        }
        self.enforce_limits(now, session);
    }

    fn stop_connections(&mut self, now: Instant, cease: Notification) {
        self.outgoing.fsm.handle(now, Event::ManualStop(cease.clone()));
        if let Some(incoming) = &mut self.incoming {
            incoming.fsm.handle(now, Event::ManualStop(cease));
        }
    }

    /// Settles without a new beginning.
    fn settle_stopped(&mut self, now: Instant) {
        self.started = false;
        self.settle(now);
        self.started = true;
    }

    /// Whether the peer is left alone for a time, or until the operator starts it: it sent too many prefixes.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// Leaves the peer alone for so long; `None`: until the operator starts it.
    pub(super) fn pause_for(&mut self, now: Instant, time: Option<Duration>) {
        self.pause = Some(time.map_or(Pause::ForOperator, |time| Pause::Until(after(now, time))));
    }

    pub(super) fn pause_end(&self) -> Option<Instant> {
        match self.pause {
            Some(Pause::Until(end)) => Some(end),
            Some(Pause::ForOperator) | None => None,
        }
    }

    pub(super) fn end_pause(&mut self, now: Instant) {
        if self.pause_end().is_some_and(|end| end <= now) {
            self.pause = None;
            self.outgoing.fsm.handle(now, Event::AutomaticStart);
        }
    }
}
