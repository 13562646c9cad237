//! Labels and annotations: what names what.

use serde::{Serialize, Serializer};

/// The labels or the annotations of a Kubernetes object, or the equalities of a selector; in the order of keys.
///
/// There are as many of these as there are objects, most of them with a few entries that never change: so they
/// are kept in no more memory than they need, and an insertion moves all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Box<[(Box<str>, Box<str>)]>);

impl Labels {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// The entry of a key.
    pub fn get_key_value(&self, key: &str) -> Option<(&str, &str)> {
        let at = self.0.binary_search_by(|(other, _)| (**other).cmp(key)).ok()?;
        let (key, value) = &self.0[at];
        Some((key, value))
    }

    /// Whether there is such a key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get_key_value(key).is_some()
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: impl Into<Box<str>>, value: impl Into<Box<str>>) {
        self.extend([(key, value)]);
    }

    /// Keeps the entries whose keys are wanted.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        let mut entries = std::mem::take(&mut self.0).into_vec();
        entries.retain(|(key, _)| wanted(key));
        self.0 = entries.into_boxed_slice();
    }

    /// Keys and values, in the order of keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of a key that comes twice the last value counts.
impl<K: Into<Box<str>>, V: Into<Box<str>>> Extend<(K, V)> for Labels {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        let mut all = std::mem::take(&mut self.0).into_vec();
        for (key, value) in entries {
            let (key, value) = (key.into(), value.into());
            match all.binary_search_by(|(other, _)| other.cmp(&key)) {
                Ok(at) => all[at].1 = value,
                Err(at) => all.insert(at, (key, value)),
            }
        }
        self.0 = all.into_boxed_slice();
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries: Vec<(Box<str>, Box<str>)> =
            entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        // As they mostly come.
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

/// As a mapping.
impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_key_and_come_in_the_order_of_keys() {
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
