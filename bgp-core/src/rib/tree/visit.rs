//! [`Tree::visit_all`]: many changes with one search of the tree for all that are in one leaf.

use std::sync::Arc;

use super::{LEAF, Node, Tree, add, child_of};
use crate::rib::search;

/// The outcome of a visit of one key by [`Tree::visit_all`].
pub(crate) enum Visited<V> {
    /// The value stays, as it is or changed. There may be none.
    Stays,
    /// A value for a key that had none.
    Added(V),
    /// The value is removed.
    Removed,
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// Visits keys in turn: calls `visit` with what comes with a key and with its value, if there is one. A key that is in the
    /// same leaf as the one before, and after it, is found without another search of the tree. So many keys in order cost far
    /// less than one by one.
    pub(crate) fn visit_all<T>(
        &mut self,
        visits: impl Iterator<Item = (K, T)>,
        mut visit: impl FnMut(&K, Option<&mut V>, T) -> Visited<V>,
    ) {
        let mut visits = visits.peekable();
        while let Some((key, _)) = visits.peek() {
            let Some((entries, end, len)) = self.leaf_of(key) else {
                let Some((key, with)) = visits.next() else { return };
                if let Visited::Added(value) = visit(&key, None, with) {
                    self.insert(key, value);
                }
                continue;
            };

            // An entry for which there is no room, or one that may leave the leaf too small.
            let mut unusual = None;
            let mut from = 0;
            let mut last: Option<K> = None;
            while let Some((key, with)) = visits.next_if(|(key, _)| {
                last.as_ref().is_none_or(|last| last < key)
                    && end.as_ref().is_none_or(|end| key < end)
            }) {
                let rest = entries.get_mut(from..).unwrap_or_default();
                let found = search::find(rest, |(known, _)| known.cmp(&key));
                let (Ok(at) | Err(at)) = found;
                let known = found.ok().and_then(|at| rest.get_mut(at)).map(|(_, value)| value);
                from += at;
                match visit(&key, known, with) {
                    Visited::Stays => {}
                    Visited::Added(value) if entries.len() < LEAF => {
                        add(entries, from, (key.clone(), value), LEAF, false);
                        *len += 1;
                    }
                    Visited::Removed if entries.len() > LEAF / 4 => {
                        entries.remove(from);
                        *len -= 1;
                    }
                    Visited::Added(value) => {
                        unusual = Some((key, Some(value)));
                        break;
                    }
                    Visited::Removed => {
                        unusual = Some((key, None));
                        break;
                    }
                }
                last = Some(key);
            }

            match unusual {
                Some((key, Some(value))) => self.insert(key, value),
                Some((key, None)) => {
                    self.remove(&key);
                }
                None => {}
            }
        }
    }

    /// The leaf that a key is in or belongs to, the key at which the next one begins, and the number of entries of the tree.
    #[expect(clippy::type_complexity, reason = "parts of this tree, for one caller")]
    fn leaf_of(&mut self, key: &K) -> Option<(&mut Vec<(K, V)>, Option<K>, &mut usize)> {
        let mut end = None;
        let mut node = Arc::make_mut(self.root.as_mut()?);
        loop {
            match node {
                Node::Leaf(entries) => return Some((entries, end, &mut self.len)),
                Node::Inner(children) => {
                    let at = child_of(children, |known| known <= key);
                    if let Some((next, _)) = children.get(at + 1) {
                        end = Some(next.clone());
                    }
                    node = Arc::make_mut(&mut children.get_mut(at)?.1);
                }
            }
        }
    }
}
