//! A namespace, which pools may be restricted to.

use super::Labels;

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// Unique in the cluster.
    pub name: String,
    /// What selectors see. The label that the API server gives to each namespace is always there.
    pub labels: Labels,
}

impl Namespace {
    /// A namespace without labels of its own.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), name.clone())]);
        Self { name, labels }
    }
}
