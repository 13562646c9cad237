//! What watches have seen, as changes for the engine.
//!
//! ```text
//! Seen ──► Mirror ──► Change (rows)          objects that configure ──► settle ──► Change::Config
//! ```
//!
//! Objects are read by [`crate::manifest`], as those of files are. Only the few that configure are kept, as text;
//! everything else is a row of the engine and nothing more. This module does no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::core::{DynamicObject, TypeMeta};

use super::resource::Kind;
use super::watch::{ObjectName, Seen};
use crate::config::Diagnostic;
use crate::engine::Change;
use crate::manifest::{self, Manifests, Source};
use crate::model::ServiceKey;

/// The objects of a cluster as far as they configure, and what is still to be listed.
#[derive(Debug)]
pub(super) struct Mirror {
    options: manifest::Options,
    /// What has not been listed for the first time.
    awaited: BTreeSet<Kind>,
    configuration: BTreeMap<(Kind, ObjectName), Vec<u8>>,
    /// Whether the configuration has changed since it was read last.
    changed: bool,
    state: ConfigState,
    news: Vec<Diagnostic>,
    /// Objects that were taken in, and how often something could not be.
    counts: (u64, u64),
}

/// What became of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConfigState {
    /// Whether one has been in force.
    pub(super) loaded: bool,
    /// Why the latest is not in force; empty if it is.
    pub(super) errors: Vec<Diagnostic>,
    /// What is odd about it.
    pub(super) warnings: Vec<Diagnostic>,
}

impl ConfigState {
    /// Whether an older one is in force than the one that is written, or none.
    pub(super) fn is_stale(&self) -> bool {
        !self.errors.is_empty()
    }
}

impl Mirror {
    /// Of a cluster whose configuration is in this namespace, once these have been listed. Where Secrets are not among
    /// them, peers are without the passwords that are in one.
    pub(super) fn new(namespace: &str, awaited: impl IntoIterator<Item = Kind>) -> Self {
        let awaited: BTreeSet<Kind> = awaited.into_iter().collect();
        let options = manifest::Options {
            namespace: namespace.to_owned(),
            config_required: false,
            passwords: awaited.contains(&Kind::Secret),
            ..manifest::Options::default()
        };
        Self {
            options,
            awaited,
            configuration: BTreeMap::new(),
            changed: true,
            state: ConfigState::default(),
            news: Vec::new(),
            counts: (0, 0),
        }
    }

    /// Whether everything has been listed once.
    pub(super) fn is_complete(&self) -> bool {
        self.awaited.is_empty()
    }

    pub(super) fn state(&self) -> &ConfigState {
        &self.state
    }

    /// How many changes of objects there were, and how many objects or configurations could not be taken in.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// Problems of the configuration that have not been told yet.
    pub(super) fn news(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.news)
    }

    /// Takes in what was seen. Of a Service, its status counts as what it holds.
    pub(super) fn take(&mut self, seen: Seen) -> Option<Change> {
        if !matches!(seen, Seen::Listed(_)) {
            self.counts.0 += 1;
        }
        match seen {
            Seen::Applied(kind, object) => self.applied(kind, *object),
            Seen::Gone(kind, name) => self.gone(kind, name),
            Seen::Listed(kind) => {
                self.awaited.remove(&kind);
                None
            }
        }
    }

    fn applied(&mut self, kind: Kind, object: DynamicObject) -> Option<Change> {
        let name = (
            object.metadata.namespace.clone().unwrap_or_default(),
            object.metadata.name.clone().unwrap_or_default(),
        );
        let text = text_of(kind, object);
        if Kind::CONFIGURATION.contains(&kind) {
            let before = self.configuration.insert((kind, name), text.clone());
            self.changed |= before.is_none_or(|before| before != text);
            return None;
        }
        let source = Source { name: shown(kind, &name), octets: text };
        let rows = manifest::parse_with(&self.options, "the cluster", &[source]);
        match rows {
            Ok(rows) => change_of(kind, rows),
            Err(diagnostics) => {
                self.counts.1 += 1;
                tracing::warn!("{diagnostics}");
                None
            }
        }
    }

    fn gone(&mut self, kind: Kind, (namespace, name): ObjectName) -> Option<Change> {
        Some(match kind {
            Kind::Service => Change::ServiceGone(ServiceKey::new(namespace, name)),
            Kind::EndpointSlice => Change::SliceGone { namespace, name },
            Kind::Node => Change::NodeGone(name),
            Kind::Namespace => Change::NamespaceGone(name),
            _ => {
                self.changed |= self.configuration.remove(&(kind, (namespace, name))).is_some();
                return None;
            }
        })
    }

    /// The configuration, if it has changed and is valid. Call it when nothing more is waiting, so that objects
    /// that belong together take effect together.
    pub(super) fn settle(&mut self) -> Option<Change> {
        if !self.changed || Kind::CONFIGURATION.iter().any(|kind| self.awaited.contains(kind)) {
            return None;
        }
        self.changed = false;
        let others = self.configuration.keys().any(|(kind, _)| *kind != Kind::Secret);
        if self.state.loaded && !others {
            // As with MetalLB, a configuration that is taken away altogether is a mistake until there is another.
            let message = "the configuration is gone; the last one stays in force".to_owned();
            self.state.errors = vec![Diagnostic::file_error("the cluster", message)];
            self.news.clone_from(&self.state.errors);
            return None;
        }
        let sources: Vec<Source> = self
            .configuration
            .iter()
            .map(|((kind, name), text)| Source { name: shown(*kind, name), octets: text.clone() })
            .collect();
        match manifest::parse_with(&self.options, "the cluster", &sources) {
            Ok(Manifests { config, warnings, .. }) => {
                self.news.clone_from(&warnings);
                self.state = ConfigState { loaded: true, errors: Vec::new(), warnings };
                Some(Change::Config(Arc::new(config)))
            }
            Err(diagnostics) => {
                self.counts.1 += 1;
                self.state.errors = diagnostics.into_iter().collect();
                self.news.clone_from(&self.state.errors);
                None
            }
        }
    }
}

fn change_of(kind: Kind, rows: Manifests) -> Option<Change> {
    match kind {
        Kind::Service => rows.services.into_iter().next().map(|mut service| {
            let status = Some(std::mem::take(&mut service.status_addresses));
            Change::Service { service: Box::new(service), status }
        }),
        Kind::EndpointSlice => rows.slices.into_iter().next().map(Change::Slice),
        Kind::Node => rows.nodes.into_iter().next().map(Change::Node),
        Kind::Namespace => rows.namespaces.into_iter().next().map(Change::Namespace),
        _ => None,
    }
}

/// An object without what is large and says nothing here. The items of a list do not say what they are.
fn text_of(kind: Kind, mut object: DynamicObject) -> Vec<u8> {
    let resource = kind.api_resource();
    object.types = Some(TypeMeta { api_version: resource.api_version, kind: resource.kind });
    object.metadata.managed_fields = None;
    if let Some(annotations) = &mut object.metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    if Kind::CONFIGURATION.contains(&kind) {
        // What others say about it is no change of it: the controller itself writes how full pools are.
        (object.metadata.resource_version, object.metadata.generation) = (None, None);
        if let Some(fields) = object.data.as_object_mut() {
            fields.remove("status");
        }
    }
    serde_json::to_vec(&object).unwrap_or_default()
}

/// How diagnostics call it: `BGPPeer metallb-system/tor`.
fn shown(kind: Kind, (namespace, name): &ObjectName) -> String {
    let kind = kind.api_resource().kind;
    if namespace.is_empty() {
        format!("{kind} {name}")
    } else {
        format!("{kind} {namespace}/{name}")
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
