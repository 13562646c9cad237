//! [`SecretWatches`]: the watches of the Secrets that the configuration refers to, and of no others.
//!
//! Owns which of them run, and knows when each of their Secrets has been looked for. A watch of its own for each name is all that a
//! right with `resourceNames` allows.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::AbortHandle;

use super::resource::{Kind, ObjectName, WatchTarget};
use super::watch::{WatchEvent, Watches};

/// The watches of Secrets by name.
pub(super) struct SecretWatches {
    /// All Secrets that may be referred to.
    all: WatchTarget,
    watches: BTreeMap<String, SecretWatch>,
}

struct SecretWatch {
    task: AbortHandle,
    target: WatchTarget,
    was_looked_for: bool,
}

impl SecretWatches {
    /// No watches yet. Those to come watch single objects of this target.
    pub(super) fn new(all: WatchTarget) -> Self {
        Self { all, watches: BTreeMap::new() }
    }

    /// Notes that a Secret has been looked for.
    pub(super) fn note(&mut self, (_, name): &ObjectName) {
        if let Some(watch) = self.watches.get_mut(name) {
            watch.was_looked_for = true;
        }
    }

    /// Returns true if a Secret of this name is watched. Events of a watch that was stopped may still come.
    pub(super) fn is_watched(&self, (_, name): &ObjectName) -> bool {
        self.watches.contains_key(name)
    }

    /// Returns true if all Secrets have been looked for.
    pub(super) fn are_complete(&self) -> bool {
        self.watches.values().all(|watch| watch.was_looked_for)
    }

    /// Watches exactly these Secrets. Returns the deletions of those that are no longer watched.
    pub(super) fn follow(
        &mut self,
        names: &BTreeSet<String>,
        watches: &mut Watches,
    ) -> Vec<WatchEvent> {
        for name in names {
            if !self.watches.contains_key(name) {
                let target = self.all.clone().named(name);
                let task = watches.watch(target.clone());
                let watch = SecretWatch { task, target, was_looked_for: false };
                self.watches.insert(name.clone(), watch);
            }
        }

        let namespace = self.all.namespace.clone().unwrap_or_default();
        let unused: Vec<_> =
            self.watches.keys().filter(|name| !names.contains(*name)).cloned().collect();
        let stopped = unused.into_iter().filter_map(|name| {
            let watch = self.watches.remove(&name)?;
            watch.task.abort();
            watches.forget(&watch.target);
            Some(WatchEvent::Deleted(Kind::Secret, (namespace.clone(), name)))
        });
        stopped.collect()
    }
}
