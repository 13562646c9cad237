//! Equal values that are stored once and shared.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A set of shared values. A value that is no longer used elsewhere is dropped from it after a while.
#[derive(Debug)]
pub struct Interner<T: ?Sized> {
    values: BTreeSet<Arc<T>>,
    /// The number of values at which the unused ones are dropped.
    limit: usize,
}

impl<T: Ord + ?Sized> Interner<T> {
    /// Returns the shared copy of a value.
    pub fn intern<V: Borrow<T> + Into<Arc<T>>>(&mut self, value: V) -> Arc<T> {
        if let Some(shared) = self.values.get(value.borrow()) {
            return Arc::clone(shared);
        }

        if self.values.len() >= self.limit {
            self.values.retain(|shared| Arc::strong_count(shared) > 1);
            self.limit = (2 * self.values.len()).max(INITIAL_LIMIT);
        }

        let value = value.into();
        self.values.insert(Arc::clone(&value));
        value
    }
}

/// Written by hand, since `T` need not implement `Clone`.
impl<T: ?Sized> Clone for Interner<T> {
    fn clone(&self) -> Self {
        Self { values: self.values.clone(), limit: self.limit }
    }
}

impl<T: ?Sized> Default for Interner<T> {
    fn default() -> Self {
        Self { values: BTreeSet::new(), limit: INITIAL_LIMIT }
    }
}

/// All interners are equal: one only saves memory and is not part of its owner's value.
impl<T: ?Sized> PartialEq for Interner<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T: ?Sized> Eq for Interner<T> {}

/// The number of values that are kept before unused ones are looked for.
const INITIAL_LIMIT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_shared_and_unused_ones_are_dropped() {
        let mut interner = Interner::<str>::default();
        let first = interner.intern(Arc::from("kube1"));
        assert!(Arc::ptr_eq(&first, &interner.intern(Arc::from("kube1"))));

        for number in 0..1_000 {
            interner.intern(Arc::from(number.to_string()));
        }
        assert!(interner.values.len() <= INITIAL_LIMIT, "{}", interner.values.len());
        assert!(Arc::ptr_eq(&first, &interner.intern(Arc::from("kube1"))));
    }
}
