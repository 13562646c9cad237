//! [`Gathered`]: changes of an Adj-RIB-In that are made together, in the order of prefixes.
//!
//! A router sends its routes in the order of its own tables, so that each prefix belongs somewhere else in ours, and a change by
//! itself waits for memory at each step of the search. Of many changes in order, most are next to the one before. Owns the
//! changes and their order; the Adj-RIB-In makes them.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::AfiSafi;
use crate::rib::Nlri;
use crate::rib::key::{Key, Key4, Key6};
use crate::wire::PathAttributes;

/// Changes that are not made yet. Of several changes of one route, only the last will be.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    v4: Changes<Key4>,
    v6: Changes<Key6>,
    /// True if the changes are in order, and some may be made already. Nothing is added before the others are.
    is_sorted: bool,
    /// The octets of the messages since the first change was added.
    octets: usize,
}

/// The changes of one family.
#[derive(Debug)]
struct Changes<K: Key>(Vec<Change<K>>);

/// A route with its new attributes; `None` if it is removed.
#[derive(Debug)]
struct Change<K: Key> {
    prefix: K::Bare,
    path_id: u32,
    /// The number of changes that were added before this one.
    number: u32,
    attributes: Option<Twice>,
}

/// Attributes for the Adj-RIB-In and for the report of the change. Both are cloned early: when the change is made, the counter
/// would be in no cache any more.
type Twice = [Arc<PathAttributes>; 2];

/// A key with its new attributes; `None` if the route is removed.
pub(crate) type KeyChange<K> = (K, Option<Twice>);

impl Gathered {
    /// The number of changes that were added and that are left.
    pub(crate) fn len(&self) -> usize {
        self.v4.0.len() + self.v6.0.len()
    }

    pub(crate) fn len_of(&self, family: AfiSafi) -> usize {
        match family {
            AfiSafi::IPV4_UNICAST => self.v4.0.len(),
            AfiSafi::IPV6_UNICAST => self.v6.0.len(),
            _ => 0,
        }
    }

    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// Counts the octets of messages, unless there are no changes.
    pub(crate) fn note_octets(&mut self, octets: usize) {
        if !self.is_empty() {
            self.octets = self.octets.saturating_add(octets);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if changes can be added: none has been taken since they were.
    pub(crate) fn takes_more(&self) -> bool {
        !self.is_sorted
    }

    /// Adds a change. `None` removes the route.
    pub(crate) fn push(&mut self, nlri: Nlri, attributes: Option<Arc<PathAttributes>>) {
        debug_assert!(self.takes_more(), "the changes before are not made yet");
        let Nlri { prefix, path_id } = nlri;
        let attributes = attributes.map(|it| [Arc::clone(&it), it]);
        if let Some(key) = Key4::new(prefix, path_id) {
            self.v4.push(key, attributes);
        } else if let Some(key) = Key6::new(prefix, path_id) {
            self.v6.push(key, attributes);
        }
    }

    /// Puts the changes in order. From now on they are only taken.
    pub(crate) fn sort(&mut self) {
        if !self.is_sorted && !self.is_empty() {
            self.v4.sort();
            self.v6.sort();
            self.is_sorted = true;
        }
    }

    /// The first change of IPv4.
    pub(crate) fn next4(&mut self) -> Option<KeyChange<Key4>> {
        self.v4.next()
    }

    /// The first change of IPv6.
    pub(crate) fn next6(&mut self) -> Option<KeyChange<Key6>> {
        self.v6.next()
    }

    /// Forgets that changes were taken if there are none left, and gives their memory back.
    pub(crate) fn end_if_empty(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Forgets all changes.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<K: Key> Default for Changes<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Key> Changes<K> {
    fn push(&mut self, key: K, attributes: Option<Twice>) {
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let (prefix, path_id) = (key.bare(), key.path_id());
        self.0.push(Change { prefix, path_id, number, attributes });
    }

    /// Sorts the changes so that the first one is at the end, from which it is taken.
    fn sort(&mut self) {
        let place = |change: &Change<K>| (change.prefix, change.path_id, change.number);
        self.0.sort_unstable_by_key(|change| Reverse(place(change)));
    }

    /// Takes the first change, without those that a later one of the same route makes void.
    fn next(&mut self) -> Option<KeyChange<K>> {
        let mut first = self.0.pop()?;
        let key = |change: &Change<K>| (change.prefix, change.path_id);
        while self.0.last().is_some_and(|next| key(next) == key(&first)) {
            first = self.0.pop()?;
        }
        Some((K::from_bare(first.prefix, first.path_id), first.attributes))
    }
}
