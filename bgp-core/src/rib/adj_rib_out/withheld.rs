//! The routes of one family that a session cannot carry, each with the reason.
//!
//! Nearly always empty. The routes of a group share one reason, so that a route costs only its key and a pointer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::rib::Unsendable;
use crate::rib::key::Key;

/// Keys of routes that cannot be sent, with the reasons.
#[derive(Debug)]
pub(in crate::rib) struct Withheld<K> {
    reasons: BTreeMap<K, Arc<Unsendable>>,
    /// The last reason, to share with the next key.
    last: Option<Arc<Unsendable>>,
    /// The number of changes.
    changes: u64,
}

impl<K> Default for Withheld<K> {
    fn default() -> Self {
        Self { reasons: BTreeMap::new(), last: None, changes: 0 }
    }
}

impl<K: Key> Withheld<K> {
    pub(super) fn insert(&mut self, key: K, why: Unsendable) {
        let shared = match &self.last {
            Some(last) if **last == why => Arc::clone(last),
            _ => Arc::new(why),
        };
        self.last = Some(Arc::clone(&shared));
        self.reasons.insert(key, shared);
        self.changes += 1;
    }

    pub(super) fn remove(&mut self, key: K) {
        if self.reasons.remove(&key).is_some() {
            self.changes += 1;
        }
    }

    pub(super) fn clear(&mut self) {
        if !self.reasons.is_empty() {
            self.reasons.clear();
            self.changes += 1;
        }
        self.last = None;
    }

    pub(super) fn contains(&self, key: K) -> bool {
        // Called for every withdrawal.
        !self.reasons.is_empty() && self.reasons.contains_key(&key)
    }

    /// The reason why a key cannot be sent, if it cannot.
    pub(super) fn get(&self, key: K) -> Option<Unsendable> {
        if self.reasons.is_empty() { None } else { self.reasons.get(&key).map(|why| **why) }
    }

    pub(super) fn len(&self) -> usize {
        self.reasons.len()
    }

    /// The number of changes so far. It never decreases, not even when a session ends.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, Unsendable)> {
        self.reasons.iter().map(|(key, why)| (*key, **why))
    }
}
