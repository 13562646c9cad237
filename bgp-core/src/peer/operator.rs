//! The operator's commands to a peer: start, stop, reset and reconfigure. Also the pauses that end by time or by the
//! operator.

use std::time::{Duration, Instant};

use crate::Direction;
use crate::fsm::{Event, StateKind, after};
use crate::peer::{Import, Peer, PeerSettings};
use crate::wire::{CeaseSubcode, Notification};

/// The end of a pause, during which the peer has no connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    /// The pause ends at this time.
    Until(Instant),
    /// The pause ends when the operator starts the peer.
    ForOperator,
}

impl Peer {
    /// Starts the peer: ManualStart (event 1), or event 4 for a passive peer. Ends the pause after a failure. A session that
    /// is up, or about to be, is not affected.
    pub fn start(&mut self, now: Instant) {
        self.started = true;
        self.pause = None;
        self.offer_all();
        if self.incoming_state() < StateKind::OpenConfirm {
            self.outgoing.fsm.handle(now, Event::ManualStart);
        }
        self.settle(now);
    }

    /// Stops the peer: ManualStop (event 2). A peer that has our OPEN receives `cease`.
    pub fn stop(&mut self, now: Instant, cease: Notification) {
        self.started = false;
        self.pause = None;

        let cease = self.hard_reset_if_final(cease);
        self.stop_connections(now, cease);
        self.settle(now);
        self.forget_stale();
    }

    /// Ends the session, or the attempt to establish one, with `cease`, and starts again after an IdleHoldTime: a peer that
    /// is dialled before it has read the `cease` would refuse. Does nothing to a stopped peer.
    pub fn reset(&mut self, now: Instant, cease: Notification) {
        if !self.started {
            return;
        }

        self.pause = None;
        self.offer_all();
        let cease = self.hard_reset_if_final(cease);
        self.stop_connections(now, cease);
        self.settle(now);
    }

    /// Starts the outgoing machine of a started peer again if it is Idle. Once the peer's own connection is confirmed, it
    /// cancels that start instead.
    pub(super) fn restart(&mut self, now: Instant) {
        if !self.started {
            return;
        }
        if self.pause.is_some() || self.incoming_state() >= StateKind::OpenConfirm {
            self.outgoing.fsm.cancel_restart();
            return;
        }
        if self.outgoing.fsm.state() != StateKind::Idle {
            return;
        }

        if self.settings.fsm.connect_mode.dials() {
            self.outgoing.fsm.restart_after_pause(now);
        } else {
            self.outgoing.fsm.handle(now, Event::AutomaticStart);
        }
    }

    /// Ends the IdleHoldTime after a failure or a [`Peer::reset`], as [`Peer::start`] does. Does nothing to a peer that is
    /// stopped, or paused because it sent too many prefixes.
    pub fn begin(&mut self, now: Instant) {
        if self.started && self.pause.is_none() {
            self.start(now);
        }
    }

    /// Replaces the configuration. A session continues: values negotiated by the OPENs apply with the next session, the
    /// others at once (see [`PeerSettings::changes`]). An attempt to establish a session starts again.
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

    /// Applies the values that take effect in the current session.
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

    /// Settles without a restart of the outgoing machine.
    fn settle_stopped(&mut self, now: Instant) {
        self.started = false;
        self.settle(now);
        self.started = true;
    }

    /// Returns true if the peer is paused, for a time or until the operator starts it, because it sent too many prefixes.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// Pauses the peer for this time. `None`: until the operator starts it.
    pub(super) fn pause_for(&mut self, now: Instant, time: Option<Duration>) {
        self.pause = Some(match time {
            Some(time) => Pause::Until(after(now, time)),
            None => Pause::ForOperator,
        });
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
