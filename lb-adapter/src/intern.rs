//! Values that many have in common, each there once.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The values that are shared. It keeps none alive for long that nobody else has.
#[derive(Debug)]
pub struct Interner<T: ?Sized> {
    all: BTreeSet<Arc<T>>,
    /// How many there may be before those that nobody has any more are dropped.
    limit: usize,
}

impl<T: Ord + ?Sized> Interner<T> {
    /// The value, as everybody has it.
    pub fn intern<V: Borrow<T> + Into<Arc<T>>>(&mut self, value: V) -> Arc<T> {
        if let Some(known) = self.all.get(value.borrow()) {
            return Arc::clone(known);
        }
        if self.all.len() >= self.limit {
            self.all.retain(|it| Arc::strong_count(it) > 1);
            self.limit = (2 * self.all.len()).max(KEPT);
        }
        let value = value.into();
        self.all.insert(Arc::clone(&value));
        value
    }
}

/// Without asking for clones of the values.
impl<T: ?Sized> Clone for Interner<T> {
    fn clone(&self) -> Self {
        Self { all: self.all.clone(), limit: self.limit }
    }
}

impl<T: ?Sized> Default for Interner<T> {
    fn default() -> Self {
        Self { all: BTreeSet::new(), limit: KEPT }
    }
}

/// A way to save memory, not a part of what somebody says who has it.
impl<T: ?Sized> PartialEq for Interner<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T: ?Sized> Eq for Interner<T> {}

/// Values that are kept without asking who has them.
const KEPT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_and_those_that_nobody_has_go() {
        let mut shared = Interner::<str>::default();
        let first = shared.intern(Arc::from("kube1"));
        assert!(Arc::ptr_eq(&first, &shared.intern(Arc::from("kube1"))));
        for number in 0..1_000 {
            shared.intern(Arc::from(number.to_string()));
        }
        assert!(shared.all.len() <= KEPT, "{}", shared.all.len());
        assert!(Arc::ptr_eq(&first, &shared.intern(Arc::from("kube1"))));
    }
}
