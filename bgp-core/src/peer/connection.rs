//! One TCP connection of a peer: its state machine and the octets received on it.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use crate::fsm::{Fsm, FsmConfig};
use crate::peer::Endpoints;

#[derive(Debug)]
pub(super) struct Connection {
    pub(super) fsm: Fsm,
    /// Received and not yet understood: less than one message between two calls.
    pub(super) buffer: BytesMut,
    /// Where the connection runs; `None` while there is none.
    pub(super) endpoints: Option<Endpoints>,
}

impl Connection {
    pub(super) fn outgoing(config: Arc<FsmConfig>) -> Self {
        Self { fsm: Fsm::outgoing(config), buffer: BytesMut::new(), endpoints: None }
    }

    pub(super) fn incoming(config: Arc<FsmConfig>, now: Instant, endpoints: Endpoints) -> Self {
        Self {
            fsm: Fsm::incoming(config, now),
            buffer: BytesMut::new(),
            endpoints: Some(endpoints),
        }
    }

    /// The connection is gone, or to be closed.
    pub(super) fn forget(&mut self) {
        self.buffer.clear();
        self.endpoints = None;
    }
}
