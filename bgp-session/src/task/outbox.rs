//! The octets to send: fills the outboxes of the connections, closes them, and shows the messages to the monitoring.

use bgp_core::Direction;
use bytes::{Bytes, BytesMut};

use super::{PEER_CLOSES, PeerTask, connection::Connection};
use crate::clock;

impl PeerTask {
    pub(super) fn fill_outboxes(&mut self) {
        for direction in [Direction::Outgoing, Direction::Incoming] {
            let Some(mut connection) = self.connections.remove(direction) else {
                self.discard(direction);
                continue;
            };

            while connection.has_room() && self.compose(direction, &mut connection) {}
            if !connection.outbox.is_empty() {
                self.peer.send_blocked(clock::now(), direction);
            }
            self.connections.insert(direction, connection);
        }
    }

    /// Throws away what a lost connection can no longer carry, so that the core is done with it.
    pub(super) fn discard(&mut self, direction: Direction) {
        let mut discarded = BytesMut::new();
        while self.peer.poll_transmit(clock::now(), direction, &mut discarded) {
            discarded.clear();
        }
    }

    /// Closes a connection in the background. All that the core still has for it are its last messages.
    pub(super) fn close(&mut self, direction: Direction) {
        if direction == Direction::Outgoing {
            self.connecting = None;
        }
        match self.connections.remove(direction) {
            Some(mut connection) => {
                while self.compose(direction, &mut connection) {}
                self.closing.spawn(connection.close(PEER_CLOSES));
            }
            None => self.discard(direction),
        }
    }

    /// Lets the core append one message to the outbox of a connection. Returns false if it has none.
    fn compose(&mut self, direction: Direction, connection: &mut Connection) -> bool {
        let before = connection.outbox.len();
        if !self.peer.poll_transmit(clock::now(), direction, &mut connection.outbox) {
            return false;
        }

        let monitor = &self.reports.monitor;
        if monitor.wants_sent() {
            let octets = connection.outbox.get(before..).unwrap_or_default();
            let octets = Bytes::copy_from_slice(octets);
            monitor.message(&self.peer, connection.endpoints(), true, octets);
        }
        true
    }
}
