//! Kubernetes manifests to the rows of the model: what `kubectl apply -f` would take, read without
//! a cluster.
//!
//! ```text
//! files ── YAML documents ── objects ─┬─ ConfigMap metallb-system/config ── Config
//!                                     ├─ Service ───────────────────────── Service
//!                                     ├─ EndpointSlice, Endpoints ──────── EndpointSlice
//!                                     ├─ Node ──────────────────────────── Node
//!                                     └─ Namespace ─────────────────────── Namespace
//! ```
//!
//! Objects are not read strictly: real ones have fields that do not matter here. What matters is
//! typed and checked as the API server would. All problems of all files are found at once; with an
//! error among them nothing takes effect.
//!
//! This module owns the kinds of objects and the reading of files. What a configuration means is
//! [`crate::config`]'s, whether a Service can be served the allocator's.

mod collection;
mod endpoints;
mod files;
mod node;
mod object;
mod service;

use std::path::Path;

use crate::config::{Diagnostic, Diagnostics, settle};
use crate::model::{Config, EndpointSlice, Namespace, Node, Service};
use collection::Collection;
pub use files::files;

/// What a set of files says; the rows are in order of namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifests {
    /// From the ConfigMap.
    pub config: Config,
    /// All Services, of whatever type.
    pub services: Vec<Service>,
    /// The EndpointSlices; for a Service that has none, its Endpoints object as one.
    pub slices: Vec<EndpointSlice>,
    /// The Nodes.
    pub nodes: Vec<Node>,
    /// The Namespaces, which pools may be restricted to.
    pub namespaces: Vec<Namespace>,
    /// What is odd, in order of file and line.
    pub warnings: Vec<Diagnostic>,
}

/// The content of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a file is a name and its octets")]
pub struct Source {
    /// The name that diagnostics call it by.
    pub name: String,
    /// What is in it.
    pub octets: Vec<u8>,
}

/// Reads a file, or those of a directory that [`files`] lists.
///
/// # Errors
///
/// A file cannot be read or has an error; all problems of all files are listed.
pub fn read(path: &Path) -> Result<Manifests, Diagnostics> {
    let mut diagnostics = Vec::new();
    let sources = files::load(path, &mut diagnostics);
    gather(&path.display().to_string(), &sources, diagnostics)
}

/// Reads files that are in memory. `name` is what diagnostics call all of them together.
///
/// # Errors
///
/// A file has an error; all problems of all files are listed.
pub fn parse(name: &str, sources: &[Source]) -> Result<Manifests, Diagnostics> {
    gather(name, sources, Vec::new())
}

fn gather(
    name: &str,
    sources: &[Source],
    mut diagnostics: Vec<Diagnostic>,
) -> Result<Manifests, Diagnostics> {
    let mut collection = Collection::default();
    if !diagnostics.is_empty() {
        collection.set_incomplete();
    }
    for source in sources {
        collection.add(source, &mut diagnostics);
    }
    collection.require_config(name, &mut diagnostics);
    let warnings = settle(diagnostics)?;
    Ok(collection.into_manifests(warnings))
}

#[cfg(test)]
mod tests;
