//! [`ChangeLog`]: the latest changes of the table, for their readers.
//!
//! It keeps what some reader has not read yet, up to a limit. A reader that is further behind is forgotten, and finds that out
//! when it reads.

use std::collections::{BTreeMap, VecDeque};

use super::RouteChange;

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

    pub(super) fn remove_reader(&mut self, reader: ReaderId) {
        self.readers.remove(&reader);
        self.forget_read();
    }

    pub(super) fn push(&mut self, change: RouteChange) {
        if self.changes.len() >= self.capacity {
            let oldest = self.changes.pop_front();
            self.readers.retain(|_, known| oldest.as_ref().is_none_or(|it| it.version <= *known));
        }
        // If that was the last reader, nobody wants the others.
        if self.readers.is_empty() {
            self.changes = VecDeque::new();
        } else {
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

    /// Drops what all readers have read.
    fn forget_read(&mut self) {
        let Some(known) = self.readers.values().min() else {
            self.changes = VecDeque::new();
            return;
        };
        while self.changes.front().is_some_and(|change| change.version <= *known) {
            self.changes.pop_front();
        }
    }
}
