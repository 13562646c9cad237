//! A namespace. Pools can be restricted to namespaces.

use super::Labels;

/// One namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Namespace {
    /// Unique in the cluster.
    pub name: String,
    /// The labels, always including the one that the API server sets on each namespace.
    pub labels: Labels,
}

impl Namespace {
    /// Makes a namespace without labels of its own.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), name.clone())]);
        Self { name, labels }
    }
}
