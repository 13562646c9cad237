//! [`RouteChanges`]: the table and its changes as a stream, for programs that follow it.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
};

use ipnet::IpNet;
use tokio::{sync::watch, task::yield_now};

use super::{LocRibSnapshot, MOST_LOCKED, RoutePaths, TableState, lock, log::ReaderId};

/// What a reader of [`RouteChanges`] gets.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a reader needs nothing but the table and its changes")]
pub enum RouteUpdate {
    /// The whole table. It is the first update, and it comes again in place of the changes that a reader has missed because it
    /// was too slow. Everything that the reader knew is replaced by it;
    /// [`LocRibSnapshot::differences`] finds what has changed since an older one.
    Table(LocRibSnapshot),
    /// One prefix has changed since the update before.
    Change(RouteChange),
}

/// The change of a prefix in the Loc-RIB.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct RouteChange {
    /// The number of this change. The table had the one before it, and has this one from now on, see
    /// [`LocRibSnapshot::version`].
    pub version: u64,
    /// The prefix.
    pub prefix: IpNet,
    /// All paths to it now, the best first. If there are none, the prefix is withdrawn.
    pub paths: RoutePaths,
    /// False if the paths over which traffic may be spread, and the best among them, are certainly the same as before.
    pub is_best_changed: bool,
}

impl RouteChange {
    /// Returns true if there is no path to the prefix any more.
    pub fn is_withdrawn(&self) -> bool {
        self.paths.is_empty()
    }
}

/// A reader of the Loc-RIB and of its changes, from [`Speaker::route_changes`](crate::Speaker::route_changes).
///
/// Changes wait for the reader up to [a limit](crate::SpeakerBuilder::route_change_capacity). A reader that is further behind
/// gets the table again. It never delays a peer.
pub struct RouteChanges {
    table: Arc<Mutex<TableState>>,
    version: watch::Receiver<u64>,
    /// `None`: the table is due.
    reader: Option<ReaderId>,
    /// The next changes. Most calls are answered from here, without the lock.
    next: VecDeque<RouteChange>,
}

impl RouteChanges {
    pub(super) fn new(table: Arc<Mutex<TableState>>, version: watch::Receiver<u64>) -> Self {
        Self { table, version, reader: None, next: VecDeque::new() }
    }

    /// Waits for the next update. Returns `None` when the speaker is gone and all is read.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before it is done loses no update. The next call returns it.
    pub async fn next(&mut self) -> Option<RouteUpdate> {
        loop {
            // Marked as seen first, so that a change after the look at the table wakes this again.
            let is_closed = self.version.has_changed().is_err();
            self.version.mark_unchanged();
            if self.next.is_empty() && self.fill() >= MOST_LOCKED {
                // Others run before this reader goes on.
                yield_now().await;
            }
            if let Some(update) = self.try_next() {
                return Some(update);
            }
            if is_closed {
                return None;
            }
            // An error: the speaker is gone. What is left is read in the next round.
            let _ = self.version.changed().await;
        }
    }

    /// The next update, if there is one already.
    pub fn try_next(&mut self) -> Option<RouteUpdate> {
        if self.next.is_empty() {
            self.fill();
        }
        if let Some(change) = self.next.pop_front() {
            return Some(RouteUpdate::Change(change));
        }
        if self.reader.is_some() {
            return None;
        }

        let mut state = lock(&self.table);
        let snapshot = state.snapshot();
        self.reader = Some(state.log.add_reader(snapshot.version));
        Some(RouteUpdate::Table(snapshot))
    }

    /// Takes the next changes from the table. Returns their number.
    fn fill(&mut self) -> usize {
        if let Some(reader) = self.reader {
            if !lock(&self.table).log.read(reader, MOST_LOCKED, &mut self.next) {
                self.reader = None;
            }
        }
        self.next.len()
    }
}

impl Drop for RouteChanges {
    fn drop(&mut self) {
        if let Some(reader) = self.reader {
            // Dropped after the lock, which is held for this statement only.
            let _unwanted = lock(&self.table).log.remove_reader(reader);
        }
    }
}

impl fmt::Debug for RouteChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteChanges").field("reader", &self.reader).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
