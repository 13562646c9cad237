//! [`ChangeLog`]: the latest changes of the table, for their readers.
//!
//! It keeps what some reader has not read yet, up to a limit. A reader that is further behind is forgotten, and finds that out
//! when it reads.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
};

use super::{MOST_LOCKED, RouteChange};

/// The number that names a reader.
pub(super) type ReaderId = u64;

/// The changes that are not read yet, in order, without a gap.
pub(super) struct ChangeLog {
    changes: VecDeque<RouteChange>,
    /// The most changes that are kept.
    capacity: usize,
    /// The version that each reader knows.
    readers: BTreeMap<ReaderId, u64>,
    last_reader: ReaderId,
}

impl ChangeLog {
    pub(super) fn new(capacity: usize) -> Self {
        let (changes, readers) = (VecDeque::new(), BTreeMap::new());
        Self { changes, capacity: capacity.max(1), readers, last_reader: 0 }
    }

    /// Returns true if a reader will read the next change.
    pub(super) fn is_read(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Adds a reader, which knows the table of this version.
    pub(super) fn add_reader(&mut self, version: u64) -> ReaderId {
        self.last_reader += 1;
        self.readers.insert(self.last_reader, version);
        self.last_reader
    }

    /// Removes a reader. Returns what is left to drop, as [`take_unwanted`](Self::take_unwanted) does.
    #[must_use]
    pub(super) fn remove_reader(&mut self, reader: ReaderId) -> VecDeque<RouteChange> {
        self.readers.remove(&reader);
        self.forget_read();
        self.take_unwanted()
    }

    /// The changes that no reader is left for. They may be many, so that they should be dropped when the table is not locked.
    #[must_use]
    pub(super) fn take_unwanted(&mut self) -> VecDeque<RouteChange> {
        if self.is_read() { VecDeque::new() } else { mem::take(&mut self.changes) }
    }

    /// Adds a change. That may leave no reader, see [`take_unwanted`](Self::take_unwanted).
    pub(super) fn push(&mut self, change: RouteChange) {
        if self.changes.len() >= self.capacity {
            let oldest = self.changes.pop_front();
            self.readers.retain(|_, known| oldest.as_ref().is_none_or(|it| it.version <= *known));
        }
        if self.is_read() {
            self.changes.push_back(change);
        }
    }

    /// Moves the next changes of a reader to `to`, at most `most` of them. Returns false if the reader was too far behind.
    pub(super) fn read(
        &mut self,
        reader: ReaderId,
        most: usize,
        to: &mut VecDeque<RouteChange>,
    ) -> bool {
        let Some(known) = self.readers.get_mut(&reader) else { return false };
        let from = self.changes.partition_point(|change| change.version <= *known);
        to.extend(self.changes.range(from..).take(most).cloned());
        if let Some(last) = to.back() {
            *known = last.version;
        }
        self.forget_read();
        true
    }

    /// Drops the oldest of the changes that all readers have read.
    fn forget_read(&mut self) {
        let Some(known) = self.readers.values().min() else { return };
        let read = self.changes.iter().take(MOST_LOCKED);
        let read = read.take_while(|change| change.version <= *known).count();
        self.changes.drain(..read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::RoutePaths;

    #[test]
    fn no_call_drops_more_than_some_changes_unless_none_are_wanted() {
        let most = MOST_LOCKED as u64;
        let mut log = ChangeLog::new(usize::MAX);
        let (quick, slow) = (log.add_reader(0), log.add_reader(0));
        for version in 1..=3 * most {
            let (prefix, paths) = (ipnet::IpNet::default(), RoutePaths::default());
            log.push(RouteChange { version, prefix, paths, is_best_changed: true });
        }
        assert!(log.read(quick, usize::MAX, &mut VecDeque::new()));
        assert_eq!(log.changes.len(), 3 * MOST_LOCKED);

        assert!(log.remove_reader(slow).is_empty());
        assert_eq!(log.changes.len(), 2 * MOST_LOCKED);
        assert!(log.read(quick, usize::MAX, &mut VecDeque::new()));
        assert_eq!(log.changes.len(), MOST_LOCKED);
        assert_eq!(log.remove_reader(quick).len(), MOST_LOCKED);
        assert!(log.changes.is_empty());
    }
}
