//! Names that Kubernetes takes, from names that the ConfigMap took.

use std::collections::{BTreeMap, BTreeSet};

/// The names of one kind.
#[derive(Debug, Default)]
pub(super) struct Names {
    by_old: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl Names {
    /// The new name of an old one: itself if it may stay.
    pub(super) fn give(&mut self, old: &str, wanted: &str) -> String {
        let safe = dns_safe(wanted);
        let numbered = (2..).map(|count: u32| format!("{safe}-{count}"));
        let name = std::iter::once(safe.clone())
            .chain(numbered)
            .find(|name| !self.taken.contains(name))
            .unwrap_or(safe);
        self.taken.insert(name.clone());
        self.by_old.insert(old.to_owned(), name.clone());
        name
    }

    /// The new name of an old one, if there is such a thing.
    pub(super) fn of(&self, old: &str) -> Option<&str> {
        self.by_old.get(old).map(String::as_str)
    }
}

/// An RFC 1123 label, as MetalLB's converter makes them: lower case, dashes for what may not be.
fn dns_safe(name: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' => c,
        _ => '-',
    };
    let mapped: String = name.chars().map(plain).take(LONGEST).collect();
    let trimmed = mapped.trim_matches(['-', '.']);
    if trimmed.is_empty() { "unnamed".to_owned() } else { trimmed.to_owned() }
}

const LONGEST: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels_and_stay_different() {
        assert_eq!(dns_safe("default"), "default");
        assert_eq!(dns_safe("My_Pool 1"), "my-pool-1");
        assert_eq!(dns_safe("_é_"), "unnamed");
        assert_eq!(dns_safe(&"x".repeat(100)).len(), 63);
        let mut names = Names::default();
        assert_eq!(names.give("A", "A"), "a");
        assert_eq!(names.give("a", "a"), "a-2");
        assert_eq!((names.of("A"), names.of("b")), (Some("a"), None));
    }
}
