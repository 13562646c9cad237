//! Connection collision: which of the peer's two connections becomes the session (RFC 4271, section 6.8).
//!
//! The rule is in [`resolve_collision`]. If it cannot decide yet, the OPEN waits here for a bounded time: its state machine
//! stays in OpenSent, and no further message is read from its connection.

use std::time::{Duration, Instant};

use tracing::debug;

use crate::Direction;
use crate::fsm::{Event, Resolution, SpeakerId, StateKind, Timer, after, resolve_collision};
use crate::peer::Peer;
use crate::peer::connection::WaitingOpen;
use crate::wire::{Frame, Message, Open, WireContext};

/// The time that an OPEN waits for one on the other connection. Both were sent within one round trip, so the second is
/// late only if a packet was lost.
const OPEN_WAIT: Duration = Duration::from_secs(1);

/// The age at which a connection without an OPEN of the peer is no longer waited for.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// The number of unread octets that ends the wait. They are more than the KEEPALIVE that may follow an OPEN, so the peer
/// does not wait for us.
const MOST_UNREAD: usize = 4_096;

impl Peer {
    /// Handles an OPEN. Resolves the collision first, because an OPEN on the losing connection must not be answered. An OPEN
    /// that will be refused takes no part in it: a stranger at the peer's address must not end the peer's attempt.
    pub(super) fn handle_open(&mut self, now: Instant, direction: Direction, open: Open) {
        if self.offered.judge(&open).is_err() {
            self.handle(now, direction, Event::BgpOpen(open));
            return;
        }

        let other = direction.opposite();
        match self.judge_collision(direction, &open) {
            Resolution::NoCollision => {}
            Resolution::DumpOther => self.handle(now, other, Event::OpenCollisionDump),
            Resolution::DumpThis => {
                self.handle(now, direction, Event::OpenCollisionDump);
                return;
            }
            Resolution::Wait => {
                let until = self.open_awaited_until(now, other);
                if let Some(connection) = self.connection_mut(direction).filter(|_| now < until) {
                    debug!(?direction, "the OPEN waits for one on the peer's other connection");
                    let hold = connection.fsm.deadline(Timer::Hold).unwrap_or(until);
                    connection.waiting = Some(WaitingOpen { open, until: until.min(hold) });
                    return;
                }
            }
        }
        self.handle(now, direction, Event::BgpOpen(open));
    }

    /// Applies the rule to the OPEN that has arrived on this connection.
    fn judge_collision(&self, direction: Direction, open: &Open) -> Resolution {
        let fsm = &self.settings.fsm;
        let local = SpeakerId { identifier: fsm.local_identifier, asn: fsm.local_asn };
        let remote = SpeakerId { identifier: open.identifier, asn: open.asn };

        let other = self.connection(direction.opposite());
        let state = match other.map_or(StateKind::Idle, |other| other.fsm.state()) {
            // With CollisionDetectEstablishedState, a session counts as a connection in OpenConfirm.
            StateKind::Established if self.settings.collision_detect_established_state => {
                StateKind::OpenConfirm
            }
            // Its OPEN has arrived, and only waits for this one.
            StateKind::OpenSent if other.is_some_and(|other| other.waiting.is_some()) => {
                StateKind::OpenConfirm
            }
            state => state,
        };
        resolve_collision(local, remote, direction, state)
    }

    /// The time until which we wait for the peer's OPEN on this connection.
    fn open_awaited_until(&self, now: Instant, direction: Direction) -> Instant {
        let since = self.connection(direction).and_then(|connection| connection.since);
        let silent = since.map_or(now, |since| after(since, SILENT_AFTER));
        silent.min(after(now, OPEN_WAIT))
    }

    /// Handles each OPEN that need not wait any longer, because the other connection is gone or has its OPEN, or because the
    /// time is over.
    pub(super) fn resume_waiting(&mut self, now: Instant) {
        for direction in [Direction::Outgoing, Direction::Incoming] {
            let other = self.connection(direction.opposite());
            let awaited = other.is_some_and(|other| {
                other.fsm.state() == StateKind::OpenSent && other.waiting.is_none()
            });

            let Some(connection) = self.connection_mut(direction) else { continue };
            let unread = connection.buffer.len();
            let waited_enough = connection
                .waiting
                .take_if(|waiting| !awaited || waiting.until <= now || unread >= MOST_UNREAD);
            let Some(WaitingOpen { open, .. }) = waited_enough else { continue };

            // If the other connection is still silent, it has lost its chance and this OPEN needs no second check.
            if awaited {
                self.handle(now, direction, Event::BgpOpen(open));
            } else {
                self.handle_open(now, direction, open);
            }
            self.settle(now);
            self.received(now, direction);
        }
    }

    /// Passes the OPEN that waits on a lost connection to its state machine, followed by the NOTIFICATION with which the peer
    /// closed the connection, if it sent one.
    pub(super) fn lost_while_waiting(&mut self, now: Instant, direction: Direction) {
        let Some(connection) = self.connection_mut(direction) else { return };
        let Some(WaitingOpen { open, .. }) = connection.waiting.take() else { return };
        let unread = std::mem::take(&mut connection.buffer);
        self.handle(now, direction, Event::BgpOpen(open));

        let cx = WireContext::new(self.settings.fsm.peer_type());
        let mut rest = unread.as_ref();
        while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
            rest = rest.get(frame.as_bytes().len()..).unwrap_or_default();
            if let Ok(Message::Notification(notification)) = Message::decode(frame, cx) {
                self.keep_received_notification(now, &notification);
                self.handle(now, direction, Event::NotifMsg(notification));
                return;
            }
        }
    }

    /// The time at which [`Peer::resume_waiting`] has an OPEN to handle, unless the other connection ends the wait before.
    pub(super) fn waiting_until(&self) -> Option<Instant> {
        let connections = [Some(&self.outgoing), self.incoming.as_ref()];
        let waiting =
            connections.into_iter().flatten().filter_map(|connection| connection.waiting.as_ref());
        waiting.map(|waiting| waiting.until).min()
    }
}
