//! The backlog of a peer's task: messages and routes that are handled in parts, each with a work permit.

use bgp_core::Direction;

use super::PeerTask;
use crate::clock;

/// The most octets of messages that a task handles with one work permit: some 400 routes. Dozens of tasks with a permit may run
/// before the runtime looks at its timers again.
const MOST_OCTETS: usize = 2 * 1_024;

/// The most routes that a task judges again with one work permit.
const MOST_REVALIDATED: usize = 1_024;

/// The most octets that a task handles without a work permit: KEEPALIVEs, a change of a route. A thousand peers may send so
/// many at once, and all of them are handled before the next KEEPALIVE is sent.
const FEW_OCTETS: usize = 128;

impl PeerTask {
    /// Handles the messages that have been read: at once if they are few, otherwise with a work permit.
    pub(super) fn read(&mut self, direction: Direction) {
        if self.peer.read_buffer(direction).len() > FEW_OCTETS {
            self.unread.retain(|unread| *unread != direction);
            self.unread.push(direction);
        } else {
            self.handle_messages(direction);
        }
    }

    /// Handles as many of the messages that have been read as one permit allows.
    fn handle_messages(&mut self, direction: Direction) {
        self.unread.retain(|unread| *unread != direction);
        if self.peer.received_some(clock::now(), direction, MOST_OCTETS) {
            self.unread.push(direction);
        }
    }

    /// Returns true if something that has been read, or routes whose validity may have changed, wait for a permit. Until then
    /// nothing more is read, except at a deadline.
    pub(super) fn has_backlog(&self) -> bool {
        self.reports.has_pending_routes() || !self.unread.is_empty() || self.peer.has_unvalidated()
    }

    /// Handles some of the backlog, now that this task has a permit.
    pub(super) fn catch_up(&mut self) {
        if self.reports.has_pending_routes() {
            self.reports.apply_some();
        } else if let Some(direction) = self.unread.first().copied() {
            self.handle_messages(direction);
        } else {
            self.peer.revalidate(MOST_REVALIDATED);
        }
    }
}
