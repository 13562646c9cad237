//! The objects of a recording, read by the readers of manifests.

use std::fmt;

use serde_json::{Map, Value};

use crate::config::Diagnostic;
use crate::config::Severity;
use crate::engine::{Change, Engine};
use crate::manifest::{Manifests, Options, Source, is_misspelt_kind, parse_with};
use crate::model::ServiceKey;

/// One object as it is written.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) name: Name,
    pub(super) fields: Map<String, Value>,
}

/// Which object: what is unique in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) kind: Kind,
    /// Empty where the kind has none.
    namespace: String,
    name: String,
}

/// The kinds that mean something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    ConfigMap,
    Secret,
    /// A `metallb.io` resource.
    Resource(String),
    Service,
    EndpointSlice,
    Endpoints,
    Node,
    Namespace,
    /// Any other.
    Other(String),
}

impl Kind {
    /// By its name and version; where no version is told, the name decides.
    pub(super) fn of(api_version: Option<&str>, kind: &str) -> Self {
        let group = api_version.map(|it| it.rsplit_once('/').map_or("", |(group, _)| group));
        let is = |wanted: &str| group.is_none_or(|group| group == wanted);
        match kind {
            "ConfigMap" if is("") => Self::ConfigMap,
            "Secret" if is("") => Self::Secret,
            "Service" if is("") => Self::Service,
            "Endpoints" if is("") => Self::Endpoints,
            "Node" if is("") => Self::Node,
            "Namespace" if is("") => Self::Namespace,
            "EndpointSlice" if is("discovery.k8s.io") => Self::EndpointSlice,
            _ if RESOURCES.contains(&kind) && is("metallb.io") => Self::Resource(kind.to_owned()),
            // It is refused, as it is in a file.
            _ if api_version.is_some_and(|it| is_misspelt_kind(it, kind)) => {
                Self::Resource(kind.to_owned())
            }
            _ => Self::Other(kind.to_owned()),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Endpoints => "Endpoints",
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::Resource(kind) | Self::Other(kind) => kind,
        }
    }

    /// Whether the configuration is made of it.
    pub(super) fn configures(&self) -> bool {
        matches!(self, Self::ConfigMap | Self::Secret | Self::Resource(_))
    }

    /// Whether it means anything.
    pub(super) fn is_read(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

impl Name {
    pub(super) fn new(kind: Kind, namespace: Option<String>, name: String) -> Self {
        let namespace = match kind {
            Kind::Node | Kind::Namespace => String::new(),
            // It depends on where the configuration is.
            Kind::Resource(_) => namespace.unwrap_or_default(),
            _ => namespace.unwrap_or_else(|| "default".to_owned()),
        };
        Self { kind, namespace, name }
    }

    /// Puts a resource without a namespace into that of the configuration.
    pub(super) fn placed(mut self, configuration: &str) -> Self {
        if matches!(self.kind, Kind::Resource(_)) && self.namespace.is_empty() {
            configuration.clone_into(&mut self.namespace);
        }
        self
    }

    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.namespace == namespace
    }

    /// Returns the namespace, if the object names one.
    pub(super) fn namespace(self) -> Option<String> {
        Some(self.namespace).filter(|namespace| !namespace.is_empty())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.name
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name
    }

    fn key(&self) -> ServiceKey {
        ServiceKey::new(&self.namespace, &self.name)
    }

    /// The change that the object is gone; nothing if it is not there.
    pub(super) fn gone(&self, engine: &Engine) -> Option<Change> {
        let (namespace, name, key) = (self.namespace.clone(), self.name.clone(), self.key());
        let (there, change) = match self.kind {
            Kind::Service => (engine.service_of(&key).is_some(), Change::ServiceGone(key)),
            Kind::EndpointSlice => {
                (engine.has_slice(&namespace, &name), Change::SliceGone { namespace, name })
            }
            Kind::Endpoints => (engine.has_endpoints(&key), Change::EndpointsGone(key)),
            Kind::Node => (engine.nodes().any(|it| it.name == name), Change::NodeGone(name)),
            Kind::Namespace => (engine.has_namespace(&name), Change::NamespaceGone(name)),
            Kind::ConfigMap | Kind::Secret | Kind::Resource(_) | Kind::Other(_) => return None,
        };
        there.then_some(change)
    }
}

/// `Service default/smtp`, `Node kube1`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        match namespace.as_str() {
            "" => write!(f, "{} {name}", kind.as_str()),
            _ => write!(f, "{} {namespace}/{name}", kind.as_str()),
        }
    }
}

impl Object {
    /// What follows from it being there; nothing for a kind or an object that means nothing.
    pub(super) fn read(&self, options: &Options) -> Result<Option<Change>, Vec<String>> {
        if !self.kind.is_read() {
            return Ok(None);
        }
        let manifests = parse(options, [self])?;
        let Manifests { services, slices, nodes, namespaces, .. } = manifests;
        Ok(match self.kind {
            Kind::Service => services.into_iter().next().map(|service| {
                let told = self.fields.get("status").is_some_and(|status| !status.is_null());
                let status = told.then(|| service.status_addresses.clone());
                Change::Service { service: Box::new(service), status }
            }),
            Kind::EndpointSlice => slices.into_iter().next().map(Change::Slice),
            Kind::Endpoints => slices.into_iter().next().map(Change::Endpoints),
            Kind::Node => nodes.into_iter().next().map(Change::Node),
            Kind::Namespace => namespaces.into_iter().next().map(Change::Namespace),
            Kind::ConfigMap | Kind::Secret | Kind::Resource(_) | Kind::Other(_) => None,
        })
    }

    fn source(&self) -> Source {
        let text = Value::Object(self.fields.clone()).to_string();
        Source { name: self.name.to_string(), octets: escaped(&text).into_bytes() }
    }
}

/// Reads objects together.
pub(super) fn parse<'a>(
    options: &Options,
    objects: impl IntoIterator<Item = &'a Object>,
) -> Result<Manifests, Vec<String>> {
    let sources: Vec<_> = objects.into_iter().map(Object::source).collect();
    parse_with(options, "the objects", &sources).map_err(|problems| {
        let errors = problems.into_iter().filter(|it| it.severity == Severity::Error);
        errors.map(|problem| shown(&problem)).collect()
    })
}

/// Where it is wrong and how: lines of an object that is one line say nothing.
pub(super) fn shown(problem: &Diagnostic) -> String {
    let Diagnostic { file, path, message, .. } = problem;
    match path.as_str() {
        "" => format!("{file}: {message}"),
        _ => format!("{file}: {path}: {message}"),
    }
}

/// JSON as a reader of YAML takes it, for which some characters have to be escaped.
pub(super) fn escaped(text: &str) -> String {
    let plain = |c: char| matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}');
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if plain(c) => escaped.push(c),
            _ => escaped.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    escaped
}

/// Those of the kinds of `metallb.io` that configure.
const RESOURCES: [&str; 7] = [
    "BGPPeer",
    "IPAddressPool",
    "AddressPool",
    "BGPAdvertisement",
    "L2Advertisement",
    "Community",
    "BFDProfile",
];
