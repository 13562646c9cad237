//! The search in sorted slices that are in no cache.

use std::cmp::Ordering;

/// The number of items that are before a place in a sorted slice.
///
/// In a large table they are in no cache, and each step of a binary search would have to wait for the one before it. The reads
/// of every eighth item do not wait for each other, and the others are close to one of these.
#[inline]
pub(crate) fn count_before<T>(items: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    const STRIDE: usize = 8;
    let strides = items.chunks_exact(STRIDE);
    let count = strides.len();
    let before =
        strides.filter_map(<[T]>::first).fold(0, |n, first| n + usize::from(is_before(first)));

    // The place is in the last stride that begins before it, or behind all strides.
    let start = before.saturating_sub(1) * STRIDE;
    let end = if before == count { items.len() } else { start + STRIDE };
    let stride = items.get(start..end).unwrap_or_default();
    start + stride.iter().fold(0, |n, item| n + usize::from(is_before(item)))
}

/// The index of the item that compares as equal, or else the index at which to insert it. `compare` returns how an item compares
/// with the wanted one.
#[inline]
pub(crate) fn find<T>(items: &[T], compare: impl Fn(&T) -> Ordering) -> Result<usize, usize> {
    let at = count_before(items, |item| compare(item).is_lt());
    if items.get(at).is_some_and(|item| compare(item).is_eq()) { Ok(at) } else { Err(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_of_every_slice_is_found() {
        for len in 0..40_u32 {
            let items: Vec<_> = (0..len).map(|n| 2 * n + 1).collect();
            for wanted in 0..2 * len + 2 {
                let expected = items.binary_search(&wanted);
                assert_eq!(find(&items, |item| item.cmp(&wanted)), expected, "{wanted} of {len}");
            }
        }
    }
}
