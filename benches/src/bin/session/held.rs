//! The prefixes of a table that a peer holds, as a bitmap.

/// A set of numbers below a bound.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    words: Vec<u64>,
    count: usize,
}

impl Held {
    /// No prefixes, of a table with this many.
    pub(crate) fn new(prefixes: usize) -> Self {
        Self { words: vec![0; prefixes.div_ceil(64)], count: 0 }
    }

    /// The number of prefixes.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// Adds a prefix by its number.
    pub(crate) fn insert(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            let bit = 1 << (number % 64);
            self.count += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Removes a prefix by its number.
    pub(crate) fn remove(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            let bit = 1 << (number % 64);
            self.count -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_counts_once() {
        let mut held = Held::new(100);
        for number in [3, 99, 3, 64] {
            held.insert(number);
        }
        assert_eq!(held.count(), 3);
        held.remove(3);
        held.remove(3);
        held.remove(5);
        assert_eq!(held.count(), 2);
    }

    #[test]
    fn a_prefix_outside_the_table_does_not_count() {
        let mut held = Held::new(10);
        held.insert(1_000);
        held.remove(1_000);
        assert_eq!(held.count(), 0);
    }
}
