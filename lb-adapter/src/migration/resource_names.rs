//! Names of resources, from the names of a ConfigMap.

use std::collections::{BTreeMap, BTreeSet};

/// The names of one kind.
#[derive(Debug, Default)]
pub(super) struct ResourceNames {
    by_old: BTreeMap<String, String>,
    taken: BTreeSet<String>,
}

impl ResourceNames {
    /// Assigns a new name to the object with this old name: `wanted`, or a similar name if Kubernetes does not allow `wanted`
    /// or another object has it.
    pub(super) fn assign(&mut self, old: &str, wanted: &str) -> String {
        let base = dns_label(wanted);
        let mut name = base.clone();
        let mut number = 2;
        while self.taken.contains(&name) {
            name = format!("{base}-{number}");
            number += 1;
        }

        self.taken.insert(name.clone());
        self.by_old.insert(old.to_owned(), name.clone());
        name
    }

    /// Returns the new name of the object with this old one, if it has one.
    pub(super) fn get(&self, old: &str) -> Option<&str> {
        self.by_old.get(old).map(String::as_str)
    }
}

/// Returns an RFC 1123 label as MetalLB's converter makes it: in lower case, with dashes for characters that are not allowed.
fn dns_label(name: &str) -> String {
    let mut label = String::new();
    for c in name.chars().take(MAX_LENGTH) {
        match c.to_ascii_lowercase() {
            c @ ('a'..='z' | '0'..='9' | '.') => label.push(c),
            _ => label.push('-'),
        }
    }

    match label.trim_matches(['-', '.']) {
        "" => "unnamed".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

const MAX_LENGTH: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_labels_and_stay_unique() {
        assert_eq!(dns_label("default"), "default");
        assert_eq!(dns_label("My_Pool 1"), "my-pool-1");
        assert_eq!(dns_label("_é_"), "unnamed");
        assert_eq!(dns_label(&"x".repeat(100)).len(), 63);
        let mut names = ResourceNames::default();
        assert_eq!(names.assign("A", "A"), "a");
        assert_eq!(names.assign("a", "a"), "a-2");
        assert_eq!((names.get("A"), names.get("b")), (Some("a"), None));
    }
}
