//! The backlog of a peer's task: messages and routes that are handled in parts, each with a work permit.
//!
//! While there is more to read, changes of routes are only gathered. Many changes in the order of prefixes take far less time
//! than one by one in the order of the sender, whose tables have another. Changes that come alone are made at once, and none waits
//! for long.

use std::time::Duration;

use bgp_core::Direction;

use super::PeerTask;
use crate::clock;

/// The most octets of messages that a task handles with one work permit: some 800 routes, whose changes are only gathered.
/// Dozens of tasks with a permit may run before the runtime looks at its timers again.
const MOST_OCTETS: usize = 4 * 1_024;

/// The longest time for which changes are gathered. A peer that sends without a pause, but not much, would never fill a batch.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// The most octets of a message, or of a few, whose changes are made at once if nothing follows.
const ALONE: usize = 1_024;

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
        let had_gathered = self.peer.has_gathered();
        let is_alone = !had_gathered && self.peer.read_buffer(direction).len() <= ALONE;

        let now = clock::now();
        if self.peer.gather_some(now, direction, MOST_OCTETS) {
            self.unread.push(direction);
        } else if is_alone {
            self.peer.apply_gathered(MOST_APPLIED);
        }
        if !had_gathered {
            self.gathered_since = Some(now);
        }
    }

    /// Returns true if the gathered changes have to be made before more is read: they are many, or the first has waited for long.
    fn must_apply(&self) -> bool {
        let has_waited = |since| clock::now().saturating_duration_since(since) >= LONGEST_WAIT;
        self.peer.has_gathered()
            && (!self.peer.can_gather() || self.gathered_since.is_some_and(has_waited))
    }

    /// Returns true if something that has been read waits for a permit: messages, changes of routes, or routes whose validity
    /// may have changed.
    pub(super) fn has_backlog(&self) -> bool {
        self.must_catch_up() || self.peer.has_gathered()
    }

    /// Returns true if that is so, and nothing more is read until then, except at a deadline. Gathered changes alone wait until
    /// there is nothing more to read, until they are many, or for [`LONGEST_WAIT`].
    pub(super) fn must_catch_up(&self) -> bool {
        self.reports.has_pending_routes()
            || !self.unread.is_empty()
            || self.must_apply()
            || self.peer.has_unvalidated()
    }

    /// Handles some of the backlog, now that this task has a permit.
    pub(super) fn catch_up(&mut self) {
        let unread = self.unread.first().copied().filter(|_| !self.must_apply());
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
