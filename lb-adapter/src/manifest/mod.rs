//! Kubernetes manifests to the rows of the model: what `kubectl apply -f` would take, read without
//! a cluster.
//!
//! ```text
//! files ── YAML documents ── objects ─┬─ ConfigMap metallb-system/config ── Config
//!                                     ├─ metallb.io, Secret ────────────── Config
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
mod configuration;
mod endpoints;
mod files;
mod in_force;
mod kinds;
mod node;
mod object;
mod places;
mod service;

use std::path::Path;

use crate::config::draft::Draft;
use crate::config::yaml::Value;
use crate::config::{Diagnostic, Diagnostics, settle};
use crate::model::{Config, EndpointSlice, Namespace, Node, Service};
use collection::Collection;
pub use configuration::NAME as CONFIG_MAP;
pub use files::files;
pub use files::{is_stdin, limited, load, shown};
pub use in_force::refers;
pub use in_force::{Configured, InForce, Judged, ObjectKey};
pub(crate) use kinds::is_slip;
pub(crate) use places::{ServicePlace, ServicePlaces};

/// What a set of files says; the rows are in order of namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifests {
    /// From the ConfigMap, or from the resources of today.
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
    /// The files that it was read from, where it was read from files.
    pub sources: Vec<Source>,
}

impl Manifests {
    /// Whether there is nothing but what configures.
    pub fn only_configure(&self) -> bool {
        let Self { services, slices, nodes, namespaces, .. } = self;
        services.is_empty() && slices.is_empty() && nodes.is_empty() && namespaces.is_empty()
    }
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

/// How objects are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The namespace that the configuration is in.
    pub namespace: String,
    /// Name of the ConfigMap that it is in. `None` takes the only ConfigMap with a configuration, under any name.
    pub config_map: Option<String>,
    /// Whether it is an error if there is no configuration.
    pub config_required: bool,
    /// Whether a mapping without kind may be the bare text of a configuration, objects without a
    /// namespace are taken to be where the configuration is, and Secrets may be elsewhere: for files
    /// that are looked at before they are applied.
    pub lenient: bool,
    /// Whether the passwords of peers are wanted: where not, a Secret that is not there means nothing.
    pub passwords: bool,
}

/// As a cluster reads objects, in MetalLB's namespace.
impl Default for Options {
    fn default() -> Self {
        Self {
            namespace: "metallb-system".to_owned(),
            config_map: Some(CONFIG_MAP.to_owned()),
            config_required: true,
            lenient: false,
            passwords: true,
        }
    }
}

/// Reads a file, or those of a directory that [`files`] lists.
///
/// # Errors
///
/// A file cannot be read or has an error; all problems of all files are listed.
pub fn read(path: &Path) -> Result<Manifests, Diagnostics> {
    read_with(&Options::default(), path)
}

/// Reads a file, or those of a directory that [`files`] lists, as the options say.
///
/// # Errors
///
/// A file cannot be read or has an error; all problems of all files are listed.
pub fn read_with(options: &Options, path: &Path) -> Result<Manifests, Diagnostics> {
    let mut diagnostics = Vec::new();
    let sources = load(path, &mut diagnostics);
    parse_loaded(options, &shown(path), sources, diagnostics)
}

/// Reads files that [`load`] has read, with what it reported.
pub fn parse_loaded(
    options: &Options,
    name: &str,
    sources: Vec<Source>,
    diagnostics: Vec<Diagnostic>,
) -> Result<Manifests, Diagnostics> {
    let manifests = gather(options, name, &sources, diagnostics)?;
    Ok(Manifests { sources, ..manifests })
}

/// Reads files that are in memory. `name` is what diagnostics call all of them together.
///
/// # Errors
///
/// A file has an error; all problems of all files are listed.
pub fn parse(name: &str, sources: &[Source]) -> Result<Manifests, Diagnostics> {
    parse_with(&Options::default(), name, sources)
}

/// Reads files that are in memory, as the options say.
///
/// # Errors
///
/// A file has an error; all problems of all files are listed.
pub fn parse_with(
    options: &Options,
    name: &str,
    sources: &[Source],
) -> Result<Manifests, Diagnostics> {
    gather(options, name, sources, Vec::new())
}

/// An object of the API server.
#[derive(Debug)]
pub struct Found<'a> {
    /// What diagnostics call it.
    pub name: String,
    /// Its API version; the items of a list do not say it themselves.
    pub api_version: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its content.
    pub tree: &'a Value,
    /// True if it is not in force as it is: of two objects that contradict each other, the newcomer has the error.
    pub is_newcomer: bool,
}

/// Reads objects of the API server. `name` is what diagnostics call all of them together.
pub fn read_found<'a>(
    options: &Options,
    name: &str,
    objects: impl IntoIterator<Item = Found<'a>>,
) -> Result<Manifests, Diagnostics> {
    let (mut collection, mut diagnostics) = (Collection::new(options), Vec::new());
    for found in objects {
        collection.add_found(&found, &mut diagnostics);
    }
    let config = collection.resolve(name, &mut diagnostics);
    let warnings = settle(diagnostics)?;
    Ok(collection.into_manifests(config, warnings))
}

/// What was found in files that are looked at before they are applied.
#[derive(Debug)]
pub struct Examined {
    /// What they say, if nothing is wrong with them.
    pub manifests: Option<Manifests>,
    /// What the configuration in force says, with its places.
    pub(crate) draft: Option<Draft>,
    /// Where the Services stand.
    pub(crate) services: ServicePlaces,
    /// All errors and warnings, in order of file and line; also what has no effect.
    pub problems: Vec<Diagnostic>,
}

/// Reads files, and looks for what takes effect though it is hardly meant.
pub fn examine(
    options: &Options,
    name: &str,
    sources: &[Source],
    mut diagnostics: Vec<Diagnostic>,
) -> Examined {
    let mut collection = Collection::new(options);
    if !diagnostics.is_empty() {
        collection.set_incomplete();
    }
    for source in sources {
        collection.add(source, &mut diagnostics);
    }
    let config = collection.resolve(name, &mut diagnostics);
    collection.lint(&config, &mut diagnostics);
    let draft = collection.draft().cloned();
    let services = collection.take_places();
    match settle(diagnostics) {
        Ok(problems) => {
            let manifests = collection.into_manifests(config, problems.clone());
            Examined { manifests: Some(manifests), draft, services, problems }
        }
        Err(problems) => {
            let problems = problems.into_iter().collect();
            Examined { manifests: None, draft, services, problems }
        }
    }
}

fn gather(
    options: &Options,
    name: &str,
    sources: &[Source],
    mut diagnostics: Vec<Diagnostic>,
) -> Result<Manifests, Diagnostics> {
    let mut collection = Collection::new(options);
    if !diagnostics.is_empty() {
        collection.set_incomplete();
    }
    for source in sources {
        collection.add(source, &mut diagnostics);
    }
    let config = collection.resolve(name, &mut diagnostics);
    let warnings = settle(diagnostics)?;
    Ok(collection.into_manifests(config, warnings))
}

#[cfg(test)]
mod conflicts_tests;
#[cfg(test)]
mod large_tests;
#[cfg(test)]
mod lint_tests;
#[cfg(test)]
mod resources_tests;
#[cfg(test)]
mod silence_tests;
#[cfg(test)]
mod tests;
