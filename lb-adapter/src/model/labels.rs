//! Labels and annotations of Kubernetes objects.

use serde::{Serialize, Serializer};

/// The labels or annotations of a Kubernetes object, or the equalities of a selector, sorted by key.
///
/// Every object has some, and most have a few entries that never change. So they take as little memory as possible, at
/// the price that an insertion moves all entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// Makes an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The entry of a key.
    pub fn get_key_value(&self, key: &str) -> Option<(&str, &str)> {
        let position = self.0.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        let (key, value) = &self.0[position];
        Some((key, value))
    }

    /// Returns true if the key exists.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get_key_value(key).is_some()
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: impl Into<Box<str>>, value: impl Into<Box<str>>) {
        self.extend([(key, value)]);
    }

    /// Keeps only the entries whose keys are wanted.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        let mut entries = std::mem::take(&mut self.0).into_vec();
        entries.retain(|(key, _)| wanted(key));
        self.0 = entries.into_boxed_slice();
    }

    /// The keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// If a key occurs twice, its last value counts.
impl<K: Into<Box<str>>, V: Into<Box<str>>> Extend<(K, V)> for Labels {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let mut all = std::mem::take(&mut self.0).into_vec();
        for (key, value) in entries {
            let (key, value) = (key.into(), value.into());
            match all.binary_search_by(|(other, _)| other.cmp(&key)) {
                Ok(position) => all[position].1 = value,
                Err(position) => all.insert(position, (key, value)),
            }
        }
        self.0 = all.into_boxed_slice();
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries: Vec<(Box<str>, Box<str>)> =
            entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        // Entries usually come sorted.
        if entries.is_sorted_by(|(a, _), (b, _)| a < b) {
            return Self(entries.into_boxed_slice());
        }

        let mut labels = Self::new();
        labels.extend(entries);
        labels
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>, const N: usize> From<[(K, V); N]> for Labels {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

/// Serializes as a mapping.
impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_key_and_sorted_by_key() {
        let mut labels = Labels::from([("rack", "b"), ("app", "web"), ("rack", "a")]);
        assert_eq!((labels.get("rack"), labels.get("app")), (Some("a"), Some("web")));
        assert_eq!((labels.get("ap"), labels.contains_key("appl")), (None, false));
        labels.insert("zone", "dmz");
        labels.insert("app", "mail");
        let entries: Vec<_> = labels.iter().collect();
        assert_eq!(entries, [("app", "mail"), ("rack", "a"), ("zone", "dmz")]);
        labels.retain(|key| key != "rack");
        assert_eq!((labels.len(), labels.get("zone")), (2, Some("dmz")));
    }
}
