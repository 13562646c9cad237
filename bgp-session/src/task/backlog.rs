//! The backlog of a peer's task: messages and routes that are handled in parts, each with a work permit.
//!
//! While there is more to read, changes of routes are only gathered. Many changes in the order of prefixes take far less time
//! than one by one in the order of the sender, whose tables have another. A peer that sends little never waits for that.

use bgp_core::Direction;

use super::PeerTask;
use crate::clock;

/// The most octets of messages that a task handles with one work permit: some 1,600 routes, whose changes are only gathered.
/// Dozens of tasks with a permit may run before the runtime looks at its timers again.
const MOST_OCTETS: usize = 8 * 1_024;

/// The most gathered changes of routes that a task makes with one work permit.
const MOST_APPLIED: usize = 512;

/// The most routes that a task judges again with one work permit.
const MOST_REVALIDATED: usize = 1_024;

/// The most octets that a task handles without a work permit: KEEPALIVEs, a change of a route. A thousand peers may send so
/// many at once, and all of them are handled before the next KEEPALIVE is sent.
const FEW_OCTETS: usize = 128;

impl PeerTask {
    /// Handles the messages that have been read: at once if they are few, otherwise with a work permit.
    pub(super) fn read(&mut self, direction: Direction) {
        self.unread.retain(|unread| *unread != direction);
        if self.peer.read_buffer(direction).len() > FEW_OCTETS {
            self.unread.push(direction);
        } else if self.peer.has_gathered() {
            self.handle_messages(direction);
        } else {
            self.peer.received(clock::now(), direction);
        }
    }

    /// Handles as many of the messages that have been read as one permit allows. The changes of routes are gathered.
    fn handle_messages(&mut self, direction: Direction) {
        self.unread.retain(|unread| *unread != direction);
        if self.peer.gather_some(clock::now(), direction, MOST_OCTETS) {
            self.unread.push(direction);
        }
    }

    /// Returns true if something that has been read waits for a permit: messages, changes of routes, or routes whose validity
    /// may have changed.
    pub(super) fn has_backlog(&self) -> bool {
        self.must_catch_up() || self.peer.has_gathered()
    }

    /// Returns true if that is so, and nothing more is read until then, except at a deadline. Gathered changes alone wait until
    /// there is nothing more to read, or until they are many.
    pub(super) fn must_catch_up(&self) -> bool {
        self.reports.has_pending_routes()
            || !self.unread.is_empty()
            || !self.peer.can_gather()
            || self.peer.has_unvalidated()
    }

    /// Handles some of the backlog, now that this task has a permit.
    pub(super) fn catch_up(&mut self) {
        let unread = self.unread.first().copied().filter(|_| self.peer.can_gather());
        if self.reports.has_pending_routes() {
            self.reports.apply_some();
        } else if let Some(direction) = unread {
            self.handle_messages(direction);
        } else if self.peer.has_gathered() {
            self.peer.apply_gathered(MOST_APPLIED);
        } else {
            self.peer.revalidate(MOST_REVALIDATED);
        }
    }
}

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
