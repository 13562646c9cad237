//! [`TreeDifferences`]: what differs between two trees with a common origin.

use std::cmp::Ordering;

use crate::rib::tree::{Tree, TreeIter};

/// The keys at which two trees may differ, with the values in each, in order. Shared nodes are skipped, so that the cost grows
/// with the number of changes between a tree and its clone.
#[derive(Clone, Debug)]
pub(crate) struct TreeDifferences<'a, K, V> {
    old: TreeIter<'a, K, V>,
    new: TreeIter<'a, K, V>,
}

impl<'a, K, V> TreeDifferences<'a, K, V> {
    pub(crate) fn new(old: &'a Tree<K, V>, new: &'a Tree<K, V>) -> Self {
        if old.is_same(new) {
            return Self { old: TreeIter::default(), new: TreeIter::default() };
        }
        Self { old: old.iter(), new: new.iter() }
    }
}

impl<'a, K: Ord, V> Iterator for TreeDifferences<'a, K, V> {
    type Item = (&'a K, Option<&'a V>, Option<&'a V>);

    fn next(&mut self) -> Option<Self::Item> {
        self.old.skip_shared(&mut self.new);
        let order = match (self.old.peek(), self.new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((old, _)), Some((new, _))) => old.cmp(new),
        };

        let old = if order.is_le() { self.old.next() } else { None };
        let new = if order.is_ge() { self.new.next() } else { None };
        let (key, _) = new.or(old)?;
        Some((key, old.map(|(_, value)| value), new.map(|(_, value)| value)))
    }
}
