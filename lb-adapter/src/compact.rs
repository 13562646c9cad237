//! B-trees with thousands of entries.
//!
//! Owns how they come to need no more memory than they have to.

use std::collections::BTreeMap;

/// Puts the entries into nodes that are full. Those of a map that grew in the order of its keys, as lists come, are half
/// empty.
pub(crate) fn pack<K: Ord, V>(map: &mut BTreeMap<K, V>) {
    *map = std::mem::take(map).into_iter().collect();
}
