//! Compact B-trees.
//!
//! Owns the repacking of maps with thousands of entries, so that they take no more memory than they need.

use std::collections::BTreeMap;

/// Rebuilds a map so that its nodes are full. The nodes of a map that was filled in the order of its keys, as a list
/// of objects fills it, are half empty.
pub(crate) fn pack<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}
