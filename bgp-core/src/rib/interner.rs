//! [`Interner`]: one copy of path attributes that a peer sends again and again.
//!
//! A sender that does not walk its routes in the order of their attributes repeats a set of attributes in many UPDATEs. The
//! interner finds the copy that earlier routes use, and that of the message before by the octets. It owns no route. Sets
//! that no route uses any more are forgotten as it grows, and all of them when its owner has no routes left.

use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use hashbrown::HashMap;

use crate::AfiSafi;
use crate::wire::PathAttributes;

/// The sets of attributes of one peer's routes.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    /// The sets by hash. Of two sets with one hash only the last is known, so that a peer cannot make the search long. Nothing
    /// depends on the order of the map, which is the same in every run.
    sets: HashMap<u64, Arc<PathAttributes>, BuildHasherDefault<KeyIsHash>>,
    /// The set that was shared last.
    last: Option<Arc<PathAttributes>>,
    /// The set that was read last, with the family and the octets that it was read from.
    last_read: Option<(AfiSafi, Arc<PathAttributes>)>,
    last_octets: Vec<u8>,
    /// The number of sets at which those without routes are forgotten.
    sweep_at: usize,
    /// The number of searches that found a set, since the last sweep.
    found: usize,
}

/// The number of sets up to which none is forgotten.
const FEW: usize = 1_024;
/// The number of sets from which the index of sets is kept only if it finds some of them again.
const MANY: usize = 256 * 1_024;

/// The most octets of attributes that are compared with those of the message before. More may contain prefixes.
const MOST_OCTETS: usize = 256;

/// The bit of a hash that keeps the sets that were read from messages apart from those that rules or a policy have made: the
/// same set in a message would have to be judged by the rules.
const READ: u64 = 1 << 40;

impl Interner {
    /// The set that was read last, if it was read from these octets. Most senders repeat a set in adjacent messages.
    #[inline]
    pub(crate) fn get_last_read(
        &self,
        family: AfiSafi,
        octets: &[u8],
    ) -> Option<&Arc<PathAttributes>> {
        let (last_family, last) = self.last_read.as_ref()?;
        (*last_family == family && self.last_octets == octets).then_some(last)
    }

    /// Remembers the octets that a set was read from. The import rules have accepted it.
    pub(crate) fn set_last_read(
        &mut self,
        family: AfiSafi,
        octets: &[u8],
        set: &Arc<PathAttributes>,
    ) {
        if octets.len() <= MOST_OCTETS {
            self.last_octets.clear();
            self.last_octets.extend_from_slice(octets);
            self.last_read = Some((family, Arc::clone(set)));
        }
    }

    /// A known set that was read from a message with this hash. The import rules have accepted it as it is.
    pub(crate) fn get_read(
        &mut self,
        hash: u64,
        is_wanted: impl Fn(&PathAttributes) -> bool,
    ) -> Option<Arc<PathAttributes>> {
        self.get(hash | READ, is_wanted)
    }

    /// Adds a set that was read from a message with this hash, and that routes are about to use.
    pub(crate) fn insert_read(&mut self, hash: u64, set: &Arc<PathAttributes>) {
        self.insert(hash | READ, set);
    }

    fn get(
        &mut self,
        hash: u64,
        is_wanted: impl Fn(&PathAttributes) -> bool,
    ) -> Option<Arc<PathAttributes>> {
        let known = self.sets.get(&hash).filter(|known| is_wanted(known))?;
        self.found += 1;
        Some(Arc::clone(known))
    }

    fn insert(&mut self, hash: u64, set: &Arc<PathAttributes>) {
        if self.sets.len() >= self.sweep_at.max(FEW) {
            self.sweep();
        }
        self.sets.insert(hash, Arc::clone(set));
    }

    /// The known set that is equal to this one, or else this one, which is then known.
    pub(crate) fn share(&mut self, set: Arc<PathAttributes>) -> Arc<PathAttributes> {
        if let Some(last) = self.last.as_ref().filter(|last| **last == set) {
            return Arc::clone(last);
        }

        let hash = hash_of(&set) & !READ;
        let shared = match self.get(hash, |known| *known == *set) {
            Some(known) => known,
            None => {
                self.insert(hash, &set);
                set
            }
        };
        self.last = Some(Arc::clone(&shared));
        shared
    }

    /// Does the same with a set, unless it is the one that it was made from.
    pub(crate) fn share_changed(
        &mut self,
        set: Arc<PathAttributes>,
        from: &Arc<PathAttributes>,
    ) -> Arc<PathAttributes> {
        if Arc::ptr_eq(&set, from) { set } else { self.share(set) }
    }

    /// Forgets all sets.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets the sets that no route uses. If there are many and hardly any occurs twice, forgets all of them: the index would
    /// take memory and find nothing.
    fn sweep(&mut self) {
        if self.sets.len() >= MANY && self.found < self.sets.len() / 16 {
            self.clear();
            return;
        }
        self.last = None;
        self.last_read = None;
        self.found = 0;
        self.sets.retain(|_, set| Arc::strong_count(set) > 1);
        self.sweep_at = 2 * self.sets.len();
    }
}

/// The hash of a value, the same in every run.
pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A hasher of keys that are hashes already.
#[derive(Debug, Default)]
struct KeyIsHash(u64);

impl Hasher for KeyIsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        // Only keys of 64 bits are hashed, by the method below.
        self.0 = hash_of(&(self.0, octets));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(med: usize) -> Arc<PathAttributes> {
        let med = u32::try_from(med).ok();
        Arc::new(PathAttributes { med, ..PathAttributes::default() })
    }

    #[test]
    fn equal_sets_become_one_however_many_others_are_between_them() {
        let mut interner = Interner::default();
        let first: Vec<_> = (0..5_000).map(|med| interner.share(set(med))).collect();
        for (med, first) in first.iter().enumerate().rev() {
            assert!(Arc::ptr_eq(&interner.share(set(med)), first), "{med}");
        }
    }

    #[test]
    fn sets_without_routes_are_forgotten() {
        let mut interner = Interner::default();
        let kept: Vec<_> = (0..10).map(|med| interner.share(set(med))).collect();
        for med in 10..100_000 {
            interner.share(set(med));
        }
        assert!(interner.sets.len() <= FEW, "{} sets", interner.sets.len());
        assert!(kept.iter().all(|set| interner.sets.values().any(|known| Arc::ptr_eq(known, set))));
    }

    #[test]
    fn an_index_that_finds_nothing_does_not_grow_without_end() {
        let mut interner = Interner::default();
        let all: Vec<_> = (0..MANY + 10).map(|med| interner.share(set(med))).collect();
        assert!(interner.sets.len() < 100, "{} of {}", interner.sets.len(), all.len());
    }

    #[test]
    fn another_set_with_the_same_hash_is_not_taken_for_it() {
        let mut interner = Interner::default();
        interner.insert_read(7, &set(1));
        assert_eq!(interner.get_read(7, |known| known.med == Some(2)), None);
        assert_eq!(interner.get_read(7, |known| known.med == Some(1)), Some(set(1)));
    }

    #[test]
    fn a_set_that_a_rule_has_made_is_not_taken_for_one_from_a_message() {
        let mut interner = Interner::default();
        let made = interner.share(set(1));
        assert_eq!(interner.get_read(hash_of(&made), |known| *known == *made), None);
        interner.insert_read(hash_of(&made), &made);
        assert!(Arc::ptr_eq(&interner.share(set(1)), &made));
    }

    #[test]
    fn the_set_before_is_known_by_its_family_and_octets_until_sets_are_forgotten() {
        let (v4, v6) = (AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST);
        let mut interner = Interner::default();
        let first = set(1);
        interner.set_last_read(v4, b"first", &first);
        assert!(interner.get_last_read(v4, b"first").is_some_and(|it| Arc::ptr_eq(it, &first)));
        assert_eq!(interner.get_last_read(v6, b"first"), None);
        assert_eq!(interner.get_last_read(v4, b"first and more"), None);

        interner.set_last_read(v4, b"second", &set(2));
        assert_eq!(interner.get_last_read(v4, b"first"), None);
        // Octets with prefixes among them are no key, and leave the last ones.
        interner.set_last_read(v4, &[0; MOST_OCTETS + 1], &set(3));
        assert_eq!(interner.get_last_read(v4, b"second"), Some(&set(2)));
        interner.clear();
        assert_eq!(interner.get_last_read(v4, b"second"), None);
    }
}
