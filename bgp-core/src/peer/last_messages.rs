//! The OPENs and NOTIFICATIONs that were exchanged with a peer last, each with its time, and the octets of a session's OPENs.
//!
//! Owns one message of each kind and direction, however many sessions come and go. An embedder shows them to an operator;
//! nothing in this crate depends on them.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::Direction;
use crate::fsm::Control;
use crate::peer::{Endpoints, Peer};
use crate::wire::{Notification, Open};

/// A message, and the time at which it was sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a message and a time")]
pub struct Timed<T> {
    /// The time.
    pub at: Instant,
    /// The message.
    pub message: T,
}

/// The last OPEN and the last NOTIFICATION in each direction. They outlive the session, so that an operator can see why
/// there is none. A clone shares them.
///
/// While a session is up, the OPENs are those of its connection. Otherwise they are the latest ones, also those of an
/// attempt that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastMessages {
    /// Our OPEN, as it was composed. Its capabilities are those that were offered on that connection: fewer than
    /// configured if the peer has refused some of them.
    pub open_sent: Option<Arc<Timed<Open>>>,
    /// The peer's OPEN, also if it was refused. One that could not be decoded is not kept.
    pub open_received: Option<Arc<Timed<Open>>>,
    /// Our NOTIFICATION, as it was composed: the peer does not get it if the connection is lost.
    pub notification_sent: Option<Arc<Timed<Notification>>>,
    /// The peer's NOTIFICATION.
    pub notification_received: Option<Arc<Timed<Notification>>>,
}

/// The OPENs of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Opens {
    sent: Option<Arc<Timed<Open>>>,
    received: Option<Arc<Timed<Open>>>,
    sent_octets: Bytes,
    received_octets: Bytes,
}

/// The beginning of a session: its connection, and both OPENs octet by octet, as a monitoring station wants them (RFC 7854
/// section 4.10).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStart {
    /// Both ends of the connection.
    pub endpoints: Endpoints,
    /// Our OPEN with its header.
    pub sent_open: Bytes,
    /// The peer's OPEN with its header.
    pub received_open: Bytes,
}

impl Peer {
    /// The last OPEN and NOTIFICATION in each direction.
    #[must_use]
    pub fn last_messages(&self) -> &LastMessages {
        &self.last_messages
    }

    /// The beginning of the session, or of the last one if none is up.
    #[must_use]
    pub fn session_start(&self) -> Option<&SessionStart> {
        self.session_start.as_ref()
    }

    /// Keeps the octets of an OPEN that was composed for this connection.
    pub(super) fn keep_sent_octets(&mut self, direction: Direction, open: &[u8]) {
        if let Some(connection) = self.connection_mut(direction) {
            connection.opens.sent_octets = Bytes::copy_from_slice(open);
        }
    }

    /// Keeps the octets of an OPEN that arrived on this connection, unless it is the second one.
    pub(super) fn keep_received_octets(&mut self, direction: Direction, open: &[u8]) {
        let Some(connection) = self.connection_mut(direction) else { return };
        if connection.opens.received_octets.is_empty() {
            connection.opens.received_octets = Bytes::copy_from_slice(open);
        }
    }

    /// Keeps a message that was composed for this connection.
    pub(super) fn keep_sent(&mut self, now: Instant, direction: Direction, control: &Control) {
        match control {
            Control::Open(open) => {
                let open = Some(timed(now, open));
                self.keep_opens(direction, |opens| opens.sent = open);
            }
            Control::Notification(notification) => {
                self.last_messages.notification_sent = Some(timed(now, notification));
            }
            Control::Keepalive => {}
        }
    }

    /// Keeps an OPEN that arrived on this connection.
    pub(super) fn keep_received_open(&mut self, now: Instant, direction: Direction, open: &Open) {
        let open = Some(timed(now, open));
        self.keep_opens(direction, |opens| opens.received = open);
    }

    /// Keeps a NOTIFICATION of the peer.
    pub(super) fn keep_received_notification(&mut self, now: Instant, message: &Notification) {
        self.last_messages.notification_received = Some(timed(now, message));
    }

    /// Shows the OPENs of the connection that has become the session.
    pub(super) fn keep_session_opens(&mut self, direction: Direction) {
        self.keep_opens(direction, |_| {});

        let Some(connection) = self.connection(direction) else { return };
        let Opens { sent_octets, received_octets, .. } = connection.opens.clone();
        self.session_start = connection.endpoints.map(|endpoints| SessionStart {
            endpoints,
            sent_open: sent_octets,
            received_open: received_octets,
        });
    }

    /// Changes the OPENs of a connection. They are the last ones unless another connection is the session.
    fn keep_opens(&mut self, direction: Direction, change: impl FnOnce(&mut Opens)) {
        let Some(connection) = self.connection_mut(direction) else { return };
        change(&mut connection.opens);
        let Opens { sent, received, .. } = connection.opens.clone();

        if self.established().is_none_or(|session| session == direction) {
            let last = &mut self.last_messages;
            last.open_sent = sent.or_else(|| last.open_sent.take());
            last.open_received = received.or_else(|| last.open_received.take());
        }
    }
}

fn timed<T: Clone>(at: Instant, message: &T) -> Arc<Timed<T>> {
    Arc::new(Timed { at, message: message.clone() })
}
