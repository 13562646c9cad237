//! [`Tree`]: an ordered map whose clones share their nodes (a B+ tree with copy-on-write).
//!
//! A clone costs the same for any size of the map. A change copies the nodes on the way to its entry if a clone still
//! shares them, and they are few. It knows nothing of routes.

mod visit;

use std::cmp::Ordering;
use std::sync::Arc;

use crate::rib::search::{self, count_before};

pub(crate) use self::visit::Visited;

/// The most entries of a leaf: few enough that copying and moving them is cheap.
const LEAF: usize = 64;
/// The most children of an inner node.
const INNER: usize = 64;

/// An ordered map. Entries are found with a comparison, so that a search needs no whole key.
#[derive(Clone, Debug)]
pub(crate) struct Tree<K, V> {
    root: Option<Arc<Node<K, V>>>,
    len: usize,
}

/// A part of the tree. It is never empty.
#[derive(Clone, Debug)]
enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    /// The children, each with a key that is at most its first one and greater than all keys before it. That of the first child
    /// is never read.
    Inner(Vec<Child<K, V>>),
}

type Child<K, V> = (K, Arc<Node<K, V>>);

/// The outcome of [`Tree::upsert`] below a node.
enum Upserted<K, V> {
    /// There is no other entry than before.
    Changed,
    /// There is one more entry.
    Added,
    /// There is one more entry, and this node is to follow the one into which it was inserted.
    Split(Child<K, V>),
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Self { root: None, len: 0 }
    }
}

impl<K, V> Tree<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry whose key compares as equal. `compare` returns how a key compares with the wanted one.
    pub(crate) fn get(&self, compare: impl Fn(&K) -> Ordering) -> Option<(&K, &V)> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let at = search::find(entries, |(key, _)| compare(key)).ok()?;
                    return entries.get(at).map(|(key, value)| (key, value));
                }
                Node::Inner(children) => {
                    let at = child_of(children, |key| compare(key).is_le());
                    node = &children.get(at)?.1;
                }
            }
        }
    }

    pub(crate) fn first(&self) -> Option<(&K, &V)> {
        self.iter().next()
    }

    pub(crate) fn iter(&self) -> TreeIter<'_, K, V> {
        let mut iter = TreeIter::default();
        let mut below = self.root.as_deref();
        while let Some(Node::Inner(children)) = below {
            iter.height += 1;
            below = children.first().map(|(_, child)| &**child);
        }
        if let Some(root) = &self.root {
            iter.open(root);
        }
        iter
    }

    /// The entries from the first one that is not before the wanted place. `is_before` returns true for the keys before it.
    pub(crate) fn iter_from(&self, is_before: impl Fn(&K) -> bool) -> TreeIter<'_, K, V> {
        let mut iter = TreeIter::default();
        let mut node = self.root.as_deref();
        while let Some(Node::Inner(children)) = node {
            let at = child_of(children, &is_before);
            let mut rest = children.get(at..).unwrap_or_default().iter();
            node = rest.next().map(|(_, child)| &**child);
            iter.stack.push(rest);
        }
        iter.height = iter.stack.len();

        if let Some(Node::Leaf(entries)) = node {
            let at = count_before(entries, |(key, _)| is_before(key));
            iter.leaf = entries.get(at..).unwrap_or_default().iter();
        }
        iter
    }

    /// The first entry that is not before the wanted place.
    pub(crate) fn first_from(&self, is_before: impl Fn(&K) -> bool) -> Option<(&K, &V)> {
        let mut node = self.root.as_deref()?;
        // The closest node to the right, in which the entry is if all of the leaf are before the place.
        let mut right = None;
        loop {
            match node {
                Node::Inner(children) => {
                    let at = child_of(children, &is_before);
                    right = children.get(at + 1).map(|(_, child)| &**child).or(right);
                    node = &children.get(at)?.1;
                }
                Node::Leaf(entries) => {
                    let at = entries.partition_point(|(key, _)| is_before(key));
                    if let Some((key, value)) = entries.get(at) {
                        return Some((key, value));
                    }
                    node = right.take()?;
                }
            }
        }
    }

    /// Returns true if both share all nodes, so that no comparison is needed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// Adds an entry, or replaces the value of the key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.upsert(key, |known| match known {
            Some(known) => {
                *known = value;
                None
            }
            None => Some(value),
        });
    }

    /// Calls `change` with the value of the key, to change it. If there is none, adds the value that it returns.
    pub(crate) fn upsert(&mut self, key: K, change: impl FnOnce(Option<&mut V>) -> Option<V>) {
        let Some(root) = &mut self.root else {
            if let Some(value) = change(None) {
                self.root = Some(Arc::new(Node::Leaf(vec![(key, value)])));
                self.len = 1;
            }
            return;
        };

        match upsert(root, key, change, true) {
            Upserted::Changed => return,
            Upserted::Added => {}
            Upserted::Split((at, new)) => {
                let first = (at.clone(), Arc::clone(root));
                *root = Arc::new(Node::Inner(vec![first, (at, new)]));
            }
        }
        self.len += 1;
    }

    /// Changes the value of a key, if there is one, or removes the entry if `change` returns `None`. Returns what `change` returns.
    pub(crate) fn change<T>(
        &mut self,
        key: &K,
        change: impl FnOnce(&mut V) -> Option<T>,
    ) -> Option<Option<T>> {
        // A search first, so that a miss copies nothing.
        self.get(|known| known.cmp(key))?;
        let root = self.root.as_mut()?;
        let changed = change_below(root, key, change)?;
        if changed.is_some() {
            return Some(changed);
        }

        self.len -= 1;
        match &**root {
            Node::Leaf(entries) if entries.is_empty() => self.root = None,
            Node::Inner(children) if children.len() == 1 => {
                self.root = children.first().map(|(_, child)| Arc::clone(child));
            }
            Node::Leaf(_) | Node::Inner(_) => {}
        }
        Some(None)
    }

    /// Removes an entry. Returns true if there was one.
    pub(crate) fn remove(&mut self, key: &K) -> bool {
        self.change(key, |_| None::<()>).is_some()
    }
}

/// The index of the child that a key is in or belongs to. `is_at_most` returns true for the keys up to it.
fn child_of<K, V>(children: &[Child<K, V>], is_at_most: impl Fn(&K) -> bool) -> usize {
    let others = children.get(1..).unwrap_or_default();
    count_before(others, |(key, _)| is_at_most(key))
}

/// Changes or inserts below a node, which is the last of all on its level if `is_last`.
fn upsert<K: Ord + Clone, V: Clone>(
    node: &mut Arc<Node<K, V>>,
    key: K,
    change: impl FnOnce(Option<&mut V>) -> Option<V>,
    is_last: bool,
) -> Upserted<K, V> {
    match Arc::make_mut(node) {
        Node::Leaf(entries) => match find(entries, &key, is_last) {
            Ok(at) => {
                if let Some((_, known)) = entries.get_mut(at) {
                    change(Some(known));
                }
                Upserted::Changed
            }
            Err(at) => match change(None) {
                Some(value) => match add(entries, at, (key, value), LEAF, is_last) {
                    Some(new) => split_off(first_key(&new), Node::Leaf(new)),
                    None => Upserted::Added,
                },
                None => Upserted::Changed,
            },
        },
        Node::Inner(children) => {
            let at = child_of(children, |known| *known <= key);
            let is_last = is_last && at + 1 == children.len();
            let Some((_, child)) = children.get_mut(at) else { return Upserted::Changed };

            match upsert(child, key, change, is_last) {
                Upserted::Split(new) => match add(children, at + 1, new, INNER, is_last) {
                    Some(new) => split_off(first_key(&new), Node::Inner(new)),
                    None => Upserted::Added,
                },
                other => other,
            }
        }
    }
}

/// The index of an entry, or else the index at which to insert it.
fn find<K: Ord, V>(entries: &[(K, V)], key: &K, is_last: bool) -> Result<usize, usize> {
    // A key that is appended in order is found without a search.
    if is_last && entries.last().is_some_and(|(last, _)| last < key) {
        return Err(entries.len());
    }
    search::find(entries, |(known, _)| known.cmp(key))
}

/// Inserts into the contents of a node. If they are full, returns those of a node that is to follow. A node to which all is
/// appended in order stays full, others are split in the middle.
fn add<T>(items: &mut Vec<T>, at: usize, item: T, most: usize, is_last: bool) -> Option<Vec<T>> {
    if items.len() < most {
        if items.len() == items.capacity() {
            // Doubling would leave a quarter of all memory unused.
            items.reserve_exact((items.len() / 4).clamp(1, most - items.len()));
        }
        items.insert(at, item);
        return None;
    }

    if is_last && at == items.len() {
        return Some(vec![item]);
    }
    let mut new = items.split_off(most / 2);
    match at.checked_sub(items.len()) {
        Some(at) if at > 0 => new.insert(at, item),
        _ => items.insert(at, item),
    }
    items.shrink_to(most / 2 + most / 8);
    Some(new)
}

/// The outcome of a split: a new node, whose contents are never empty.
fn split_off<K, V>(first: Option<K>, new: Node<K, V>) -> Upserted<K, V> {
    first.map_or(Upserted::Added, |first| Upserted::Split((first, Arc::new(new))))
}

fn first_key<K: Clone, T>(items: &[(K, T)]) -> Option<K> {
    items.first().map(|(key, _)| key.clone())
}

/// Changes or removes the entry of a key below a node.
fn change_below<K: Ord + Clone, V: Clone, T>(
    node: &mut Arc<Node<K, V>>,
    key: &K,
    change: impl FnOnce(&mut V) -> Option<T>,
) -> Option<Option<T>> {
    match Arc::make_mut(node) {
        Node::Leaf(entries) => {
            let at = search::find(entries, |(known, _)| known.cmp(key)).ok()?;
            let changed = change(&mut entries.get_mut(at)?.1);
            if changed.is_none() {
                entries.remove(at);
            }
            Some(changed)
        }
        Node::Inner(children) => {
            let at = child_of(children, |known| known <= key);
            let changed = change_below(&mut children.get_mut(at)?.1, key, change)?;
            if changed.is_none() {
                tidy(children, at);
            }
            Some(changed)
        }
    }
}

/// Removes a child without contents, or joins a small one with an adjacent one.
fn tidy<K: Clone, V: Clone>(children: &mut Vec<Child<K, V>>, at: usize) {
    let len = |at: usize| children.get(at).map(|(_, child)| child.len());
    let (own, most) = match children.get(at) {
        Some((_, child)) => (child.len(), child.most()),
        None => return,
    };
    if own == 0 {
        children.remove(at);
        return;
    }
    if own >= most / 4 {
        return;
    }

    let has_room = |len: Option<usize>| len.is_some_and(|len| own + len <= most * 3 / 4);
    let left = match at.checked_sub(1) {
        _ if has_room(len(at + 1)) => at,
        Some(before) if has_room(len(before)) => before,
        _ => return,
    };
    let (first, right) = children.remove(left + 1);
    if let Some((_, node)) = children.get_mut(left) {
        Arc::make_mut(node).append(first, &right);
    }
}

impl<K, V> Node<K, V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(children) => children.len(),
        }
    }

    fn most(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF,
            Self::Inner(_) => INNER,
        }
    }
}

impl<K: Clone, V: Clone> Node<K, V> {
    /// Adds the contents of the node to the right. `first` is at most the first key there.
    fn append(&mut self, first: K, right: &Self) {
        match (self, right) {
            (Self::Leaf(own), Self::Leaf(more)) => own.extend_from_slice(more),
            (Self::Inner(own), Self::Inner(more)) => {
                let at = own.len();
                own.extend_from_slice(more);
                // The key of a first child was not kept up to date.
                if let Some((key, _)) = own.get_mut(at) {
                    *key = first;
                }
            }
            // All nodes of one level are of one kind.
            (Self::Leaf(_), Self::Inner(_)) | (Self::Inner(_), Self::Leaf(_)) => {}
        }
    }
}

/// An iterator over the entries, in order.
#[derive(Clone, Debug)]
pub(crate) struct TreeIter<'a, K, V> {
    /// The children that are left, level by level.
    stack: Vec<std::slice::Iter<'a, Child<K, V>>>,
    leaf: std::slice::Iter<'a, (K, V)>,
    /// The number of levels above the leaves.
    height: usize,
}

impl<K, V> Default for TreeIter<'_, K, V> {
    fn default() -> Self {
        Self { stack: Vec::new(), leaf: [].iter(), height: 0 }
    }
}

impl<'a, K, V> TreeIter<'a, K, V> {
    /// Goes on with the contents of a node.
    fn open(&mut self, node: &'a Node<K, V>) {
        match node {
            Node::Leaf(entries) => self.leaf = entries.iter(),
            Node::Inner(children) => self.stack.push(children.iter()),
        }
    }

    /// The next node that no entry has been read of, and its height. Only at the end of a leaf.
    fn peek_node(&mut self) -> Option<(usize, &'a Arc<Node<K, V>>)> {
        while self.stack.last()?.as_slice().is_empty() {
            self.stack.pop();
        }
        let (_, node) = self.stack.last()?.as_slice().first()?;
        Some((self.height - self.stack.len(), node))
    }

    /// Takes that node, to open or to skip it.
    fn next_node(&mut self) -> Option<&'a Arc<Node<K, V>>> {
        self.peek_node()?;
        self.stack.last_mut()?.next().map(|(_, node)| node)
    }

    fn open_next(&mut self) -> bool {
        let node = self.next_node();
        if let Some(node) = node {
            self.open(node);
        }
        node.is_some()
    }

    fn is_at_end_of_leaf(&self) -> bool {
        self.leaf.as_slice().is_empty()
    }

    /// Skips the nodes that both trees share at this place.
    pub(super) fn skip_shared(&mut self, other: &mut Self) {
        while self.is_at_end_of_leaf() && other.is_at_end_of_leaf() {
            match (self.peek_node(), other.peek_node()) {
                (Some((own, a)), Some((others, b))) if own == others && Arc::ptr_eq(a, b) => {
                    self.next_node();
                    other.next_node();
                }
                (Some((own, _)), Some((others, _))) => {
                    // The higher one is opened, so that both get to the same level.
                    if own >= others {
                        self.open_next();
                    }
                    if others >= own {
                        other.open_next();
                    }
                }
                (None, None) => return,
                (None, Some(_)) | (Some(_), None) => break,
            }
        }

        for iter in [self, other] {
            while iter.is_at_end_of_leaf() && iter.open_next() {}
        }
    }

    pub(super) fn peek(&self) -> Option<&'a (K, V)> {
        self.leaf.as_slice().first()
    }
}

impl<'a, K, V> Iterator for TreeIter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            if !self.open_next() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests;
