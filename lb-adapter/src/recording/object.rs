//! The objects of a recording, read by the readers of manifests.

use std::fmt;

use serde_json::{Map, Value};

use crate::config::{Diagnostic, Severity};
use crate::engine::{Change, Engine};
use crate::manifest::{Manifests, Options, Source, is_misspelt_kind, parse_with};
use crate::model::ServiceKey;

/// An object as written.
#[derive(Clone, Debug)]
pub(super) struct RecordedObject {
    pub(super) kind: RecordedKind,
    pub(super) name: ObjectName,
    pub(super) fields: Map<String, Value>,
}

/// The kind, namespace and name of an object, which are unique in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectName {
    pub(super) kind: RecordedKind,
    /// Empty for a kind without namespaces.
    namespace: String,
    name: String,
}

/// The kind of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RecordedKind {
    ConfigMap,
    Secret,
    /// A `metallb.io` resource.
    Resource(String),
    Service,
    EndpointSlice,
    Endpoints,
    Node,
    Namespace,
    /// Any other kind, which has no effect.
    Other(String),
}

impl RecordedKind {
    /// Returns the kind with this name and API version. Without an API version, the name decides.
    pub(super) fn of(api_version: Option<&str>, kind: &str) -> Self {
        let group =
            api_version.map(|version| version.rsplit_once('/').map_or("", |(group, _)| group));
        let core = group.is_none_or(str::is_empty);
        let discovery = group.is_none_or(|group| group == "discovery.k8s.io");
        let metallb = group.is_none_or(|group| group == "metallb.io");

        match kind {
            "ConfigMap" if core => Self::ConfigMap,
            "Secret" if core => Self::Secret,
            "Service" if core => Self::Service,
            "Endpoints" if core => Self::Endpoints,
            "Node" if core => Self::Node,
            "Namespace" if core => Self::Namespace,
            "EndpointSlice" if discovery => Self::EndpointSlice,
            _ if RESOURCES.contains(&kind) && metallb => Self::Resource(kind.to_owned()),
            // The readers of resources refuse it, as in a file.
            _ if api_version.is_some_and(|version| is_misspelt_kind(version, kind)) => {
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

    /// Returns true if objects of this kind are part of the configuration.
    pub(super) fn is_configuration(&self) -> bool {
        matches!(self, Self::ConfigMap | Self::Secret | Self::Resource(_))
    }

    /// Returns true if objects of this kind have an effect.
    pub(super) fn is_known(&self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

impl ObjectName {
    pub(super) fn new(kind: RecordedKind, namespace: Option<String>, name: String) -> Self {
        let namespace = match kind {
            RecordedKind::Node | RecordedKind::Namespace => String::new(),
            // The namespace of the configuration is filled in later.
            RecordedKind::Resource(_) => namespace.unwrap_or_default(),
            _ => namespace.unwrap_or_else(|| "default".to_owned()),
        };
        Self { kind, namespace, name }
    }

    /// Puts a resource without a namespace into the namespace of the configuration.
    pub(super) fn qualified(mut self, configuration: &str) -> Self {
        if matches!(self.kind, RecordedKind::Resource(_)) && self.namespace.is_empty() {
            configuration.clone_into(&mut self.namespace);
        }
        self
    }

    pub(super) fn is_in(&self, namespace: &str) -> bool {
        self.namespace == namespace
    }

    /// Returns the namespace, if the object has one.
    pub(super) fn namespace(self) -> Option<String> {
        Some(self.namespace).filter(|namespace| !namespace.is_empty())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.name
    }

    fn key(&self) -> ServiceKey {
        ServiceKey::new(&self.namespace, &self.name)
    }

    /// Returns the change that deletes the object, and `None` if it does not exist.
    pub(super) fn deletion(&self, engine: &Engine) -> Option<Change> {
        let (namespace, name, key) = (self.namespace.clone(), self.name.clone(), self.key());
        let (exists, change) = match self.kind {
            RecordedKind::Service => (engine.has_service(&key), Change::ServiceGone(key)),
            RecordedKind::EndpointSlice => {
                (engine.has_slice(&namespace, &name), Change::SliceGone { namespace, name })
            }
            RecordedKind::Endpoints => {
                (engine.has_endpoints_object(&key), Change::EndpointsGone(key))
            }
            RecordedKind::Node => {
                (engine.nodes().any(|node| node.name == name), Change::NodeGone(name))
            }
            RecordedKind::Namespace => (engine.has_namespace(&name), Change::NamespaceGone(name)),
            RecordedKind::ConfigMap
            | RecordedKind::Secret
            | RecordedKind::Resource(_)
            | RecordedKind::Other(_) => return None,
        };
        exists.then_some(change)
    }
}

/// `Service default/smtp`, `Node kube1`.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        match namespace.as_str() {
            "" => write!(f, "{} {name}", kind.as_str()),
            _ => write!(f, "{} {namespace}/{name}", kind.as_str()),
        }
    }
}

impl RecordedObject {
    /// Returns the change that adds or replaces the object, and `None` if the object has no effect.
    pub(super) fn to_change(&self, options: &Options) -> Result<Option<Change>, Vec<String>> {
        if !self.kind.is_known() {
            return Ok(None);
        }

        let Manifests { services, slices, nodes, namespaces, .. } = self.parse(options)?;
        Ok(match self.kind {
            RecordedKind::Service => services.into_iter().next().map(|service| {
                let has_status = self.fields.get("status").is_some_and(|status| !status.is_null());
                let status = has_status.then(|| service.status_addresses.clone());
                Change::Service { service: Box::new(service), status }
            }),
            RecordedKind::EndpointSlice => slices.into_iter().next().map(Change::Slice),
            RecordedKind::Endpoints => slices.into_iter().next().map(Change::Endpoints),
            RecordedKind::Node => nodes.into_iter().next().map(Change::Node),
            RecordedKind::Namespace => namespaces.into_iter().next().map(Change::Namespace),
            RecordedKind::ConfigMap
            | RecordedKind::Secret
            | RecordedKind::Resource(_)
            | RecordedKind::Other(_) => None,
        })
    }

    fn parse(&self, options: &Options) -> Result<Manifests, Vec<String>> {
        let text = Value::Object(self.fields.clone()).to_string();
        let source = Source { name: self.name.to_string(), octets: escaped(&text).into_bytes() };
        parse_with(options, "the objects", &[source]).map_err(|problems| {
            let errors = problems.into_iter().filter(|it| it.severity == Severity::Error);
            errors.map(|error| without_line(&error)).collect()
        })
    }
}

/// Writes a problem with its field but without a line, since the object is all on one line.
pub(super) fn without_line(problem: &Diagnostic) -> String {
    let Diagnostic { file, path, message, .. } = problem;
    match path.as_str() {
        "" => format!("{file}: {message}"),
        _ => format!("{file}: {path}: {message}"),
    }
}

/// Escapes the characters of a JSON text that YAML does not allow as they are.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' => escaped.push(c),
            _ => escaped.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    escaped
}

/// The kinds of `metallb.io` that are part of the configuration.
const RESOURCES: [&str; 7] = [
    "BGPPeer",
    "IPAddressPool",
    "AddressPool",
    "BGPAdvertisement",
    "L2Advertisement",
    "Community",
    "BFDProfile",
];
