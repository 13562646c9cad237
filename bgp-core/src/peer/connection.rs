//! One TCP connection of a peer: its state machine and the octets received on it.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use crate::fsm::{Fsm, FsmConfig};
use crate::peer::Endpoints;
use crate::peer::last_messages::Opens;
use crate::wire::Open;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) fsm: Fsm,
    /// Octets received and not yet decoded: less than one message between two calls, or those after a [`WaitingOpen`].
    pub(super) buffer: BytesMut,
    /// Both ends of the connection. `None` while there is none.
    pub(super) endpoints: Option<Endpoints>,
    /// The time at which the connection was opened. `None` while there is none.
    pub(super) since: Option<Instant>,
    /// The peer's OPEN, while its collision cannot be resolved yet.
    pub(super) waiting: Option<WaitingOpen>,
    /// The OPENs exchanged on the connection.
    pub(super) opens: Opens,
}

/// An OPEN that waits for one on the peer's other connection. The state machine has not received it yet.
#[derive(Debug)]
pub(super) struct WaitingOpen {
    pub(super) open: Open,
    /// The end of the wait.
    pub(super) until: Instant,
}

impl Connection {
    pub(super) fn outgoing(config: Arc<FsmConfig>) -> Self {
        Self {
            fsm: Fsm::outgoing(config),
            buffer: BytesMut::new(),
            endpoints: None,
            since: None,
            waiting: None,
            opens: Opens::default(),
        }
    }

    pub(super) fn incoming(config: Arc<FsmConfig>, now: Instant, endpoints: Endpoints) -> Self {
        Self {
            fsm: Fsm::incoming(config, now),
            buffer: BytesMut::new(),
            endpoints: Some(endpoints),
            since: Some(now),
            waiting: None,
            opens: Opens::default(),
        }
    }

    /// Clears the data of a connection that is gone or will be closed.
    pub(super) fn forget(&mut self) {
        self.buffer.clear();
        self.endpoints = None;
        self.since = None;
        self.waiting = None;
        self.opens = Opens::default();
    }
}
