//! One TCP connection of a peer: its state machine and the octets received on it.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use crate::fsm::{Fsm, FsmConfig};
use crate::peer::Endpoints;
use crate::wire::Open;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) fsm: Fsm,
    /// Received and not yet understood: less than one message between two calls, or what follows a [`WaitingOpen`].
    pub(super) buffer: BytesMut,
    /// Where the connection runs; `None` while there is none.
    pub(super) endpoints: Option<Endpoints>,
    /// When the connection was made; `None` while there is none.
    pub(super) since: Option<Instant>,
    /// The peer's OPEN, while a collision that it is part of cannot be settled yet.
    pub(super) waiting: Option<WaitingOpen>,
}

/// An OPEN that the state machine does not know of yet: it waits for one on the peer's other connection.
#[derive(Debug)]
pub(super) struct WaitingOpen {
    pub(super) open: Open,
    /// When it has waited long enough.
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
        }
    }

    pub(super) fn incoming(config: Arc<FsmConfig>, now: Instant, endpoints: Endpoints) -> Self {
        Self {
            fsm: Fsm::incoming(config, now),
            buffer: BytesMut::new(),
            endpoints: Some(endpoints),
            since: Some(now),
            waiting: None,
        }
    }

    /// The connection is gone, or to be closed.
    pub(super) fn forget(&mut self) {
        self.buffer.clear();
        self.endpoints = None;
        self.since = None;
        self.waiting = None;
    }
}
