//! The objects of a set of files.

use crate::config::Diagnostic;
use crate::model::{Config, EndpointSlice, Namespace, Node, Service};

/// The objects of a set of files, in order of namespace and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifests {
    /// The configuration, from the ConfigMap or from `metallb.io` resources.
    pub config: Config,
    /// All Services, of any type.
    pub services: Vec<Service>,
    /// The EndpointSlices. A Service without any has its Endpoints object as its only slice.
    pub slices: Vec<EndpointSlice>,
    /// The Nodes.
    pub nodes: Vec<Node>,
    /// The Namespaces, which pools may be restricted to.
    pub namespaces: Vec<Namespace>,
    /// The warnings, in order of file and line.
    pub warnings: Vec<Diagnostic>,
    /// The files that the objects were read from, if there are any.
    pub sources: Vec<Source>,
}

impl Manifests {
    /// Returns true if there are no objects besides the configuration.
    pub fn only_configure(&self) -> bool {
        let Self { services, slices, nodes, namespaces, .. } = self;
        services.is_empty() && slices.is_empty() && nodes.is_empty() && namespaces.is_empty()
    }
}

/// A file in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a file is a name and its octets")]
pub struct Source {
    /// The name that diagnostics use.
    pub name: String,
    /// The content.
    pub octets: Vec<u8>,
}
