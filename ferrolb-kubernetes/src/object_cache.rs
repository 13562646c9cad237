//! The cache of configuration objects, and the decoder of all other objects.
//!
//! ```text
//! WatchEvent ──► ObjectCache ──► Update, for the engine
//!                     └── configuration objects ──► settle ──► Config
//! ```
//!
//! [`lb_adapter::manifest`] reads each object once, like those in files. Only the few configuration objects are kept; all others
//! are passed to the engine. This module does no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::config_problems::{ConfigProblems, NewProblems};
use super::object_tree::ObjectTree;
use super::resource::{Kind, ObjectId, ObjectName};
use super::watch::{ListedNames, WatchEvent};
use lb_adapter::config::Diagnostic;
use lb_adapter::config::Value;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::manifest::{
    self, ApiObject, ConfigPresence, EffectiveObjects, Manifests, ObjectKey as _, UpdateResult,
    secret_names,
};
use lb_adapter::model::{Config, Service, ServiceKey};

/// The configuration objects of a cluster, and the resources that have not been listed yet.
#[derive(Debug)]
pub(super) struct ObjectCache {
    options: manifest::Options,
    /// The resources that have not been listed for the first time.
    awaited: BTreeSet<Kind>,
    configuration: BTreeMap<ObjectId, Value>,
    /// True if configuration objects have changed since they were last read.
    changed: bool,
    effective: EffectiveObjects<ObjectId>,
    config: Option<Arc<Config>>,
    problems: ConfigProblems,
    /// The error that is reported while the ConfigMap is deleted.
    config_map_gone: Option<Diagnostic>,
    /// True if the labels of the node have changed, which may change the problems that concern it.
    labels_changed: bool,
    status: ConfigStatus,
    new_problems: NewProblems,
    counts: ObjectCounts,
}

/// A change of the cluster, decoded.
#[derive(Debug)]
pub(super) enum Update {
    /// A Service was created or has changed.
    Service(Box<ObservedService>),
    /// Anything else.
    Other(Change),
}

/// A Service as the watch delivered it.
#[derive(Debug)]
pub(super) struct ObservedService {
    pub(super) service: Box<Service>,
    /// The addresses in its status, as text.
    pub(super) addresses: Vec<String>,
    /// The object that it was decoded from.
    pub(super) object: ObjectTree,
}

impl From<Update> for Change {
    /// Returns the change for an engine that takes the addresses of a Service from its status.
    fn from(update: Update) -> Self {
        match update {
            Update::Service(observed) => {
                let ObservedService { service, addresses, .. } = *observed;
                Self::Service { service, status: Some(addresses) }
            }
            Update::Other(change) => change,
        }
    }
}

/// The number of objects that were processed since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ObjectCounts {
    /// The number of changes.
    pub(super) updates: u64,
    /// The number of objects and configurations that could not be decoded.
    pub(super) refused: u64,
}

/// The state of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConfigStatus {
    /// True if a configuration has been in force.
    pub(super) loaded: bool,
    /// The errors of invalid objects that concern this program.
    pub(super) errors: Vec<Diagnostic>,
    /// The warnings about all objects.
    pub(super) warnings: Vec<Diagnostic>,
    /// True if there is no configuration object at all.
    pub(super) is_absent: bool,
}

impl ConfigStatus {
    /// Returns true if the current version of an object is not in force.
    pub(super) fn is_stale(&self) -> bool {
        !self.errors.is_empty()
    }
}

impl ObjectCache {
    /// An empty cache for a cluster whose configuration is in this namespace. It is complete when the `awaited` resources
    /// have been listed. Without Secrets among them, peers have no passwords that come from Secrets.
    pub(super) fn new(namespace: &str, awaited: impl IntoIterator<Item = Kind>) -> Self {
        let awaited: BTreeSet<Kind> = awaited.into_iter().collect();
        // Only a speaker watches a Node, its own.
        let problems = if awaited.contains(&Kind::Node) {
            ConfigProblems::of_speaker()
        } else {
            ConfigProblems::of_controller()
        };
        let options = manifest::Options {
            namespace: namespace.to_owned(),
            // Only the ConfigMap of --config is watched.
            config_map: None,
            config_required: false,
            passwords: awaited.contains(&Kind::Secret),
            ..manifest::Options::default()
        };

        Self {
            options,
            awaited,
            configuration: BTreeMap::new(),
            changed: true,
            effective: EffectiveObjects::default(),
            config: None,
            problems,
            config_map_gone: None,
            labels_changed: false,
            status: ConfigStatus::default(),
            new_problems: NewProblems::default(),
            counts: ObjectCounts::default(),
        }
    }

    /// Returns true if all resources have been listed once.
    pub(super) fn is_complete(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Returns true if all objects of a kind have been listed.
    pub(super) fn has_listed(&self, kind: Kind) -> bool {
        !self.awaited.contains(&kind)
    }

    /// Returns true if all resources of the configuration have been listed, but for the Secrets.
    pub(super) fn has_references(&self) -> bool {
        let mut kinds = Kind::CONFIGURATION.iter().filter(|kind| **kind != Kind::Secret);
        kinds.all(|kind| !self.awaited.contains(kind))
    }

    /// Returns true if the configuration has changed since it was last read.
    pub(super) fn has_changed(&self) -> bool {
        self.changed
    }

    /// Returns the names of the Secrets that the configuration refers to, as it is written and as it is in force: an object with an
    /// error may stay in force in an older version.
    pub(super) fn secret_names(&self) -> BTreeSet<String> {
        let objects = self.configuration.iter().chain(self.effective.iter());
        objects.flat_map(|(id, tree)| secret_names(id, tree)).collect()
    }

    /// Returns the state of the configuration, as of the last [`settle`](Self::settle).
    pub(super) fn config_status(&self) -> &ConfigStatus {
        &self.status
    }

    /// Returns the number of objects that were processed since the start.
    pub(super) fn counts(&self) -> ObjectCounts {
        self.counts
    }

    /// Takes the problems of the configuration that have not been reported yet.
    pub(super) fn take_new_problems(&mut self) -> NewProblems {
        std::mem::take(&mut self.new_problems)
    }

    /// Returns the objects of a resource that the engine or this cache has but a list lacks, because they were deleted while
    /// there was no watch.
    pub(super) fn missing(
        &self,
        kind: Kind,
        listed: &ListedNames,
        engine: &Engine,
    ) -> Vec<ObjectName> {
        let mut known: Vec<ObjectName> = match kind {
            Kind::Service => {
                let keys = engine.service_keys();
                keys.map(|key| (key.namespace.to_string(), key.name.to_string())).collect()
            }
            Kind::EndpointSlice => {
                let names = engine.slices();
                names.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect()
            }
            Kind::Node => engine.nodes().map(|node| cluster_name(&node.name)).collect(),
            Kind::Namespace => {
                engine.namespaces().map(|namespace| cluster_name(&namespace.name)).collect()
            }
            _ => {
                let ids = self.configuration.keys().filter(|id| id.0 == kind);
                ids.map(|id| id.1.clone()).collect()
            }
        };

        known.retain(|name| !listed.contains(name));
        known
    }

    /// Processes an event. Returns the update for the engine, unless the object belongs to the configuration.
    pub(super) fn take(&mut self, event: WatchEvent) -> Option<Update> {
        match event {
            WatchEvent::Applied(kind, object) => {
                self.counts.updates += 1;
                self.applied(kind, *object)
            }
            WatchEvent::Deleted(kind, name) => {
                self.counts.updates += 1;
                self.deleted(kind, name)
            }
            WatchEvent::Listed(kind, _) => {
                self.awaited.remove(&kind);
                None
            }
            WatchEvent::LookedFor(..) => None,
        }
    }

    fn applied(&mut self, kind: Kind, object: ObjectTree) -> Option<Update> {
        let name = object.name();
        if Kind::CONFIGURATION.contains(&kind) {
            // A change of only the status, which FerroLB writes too, does not change the configuration.
            let desired = object.into_desired_state();
            let id = ObjectId(kind, name);
            self.changed |= self.configuration.get(&id) != Some(&desired);
            self.configuration.insert(id, desired);
            return None;
        }

        let objects = [api_object(kind, &name, object.tree())];
        match manifest::read_api_objects(&self.options, "the cluster", objects) {
            Ok(rows) => {
                let update = update_from(kind, rows, object)?;
                if let Update::Other(Change::Node(node)) = &update {
                    self.labels_changed |= self.problems.set_node_labels(&node.labels);
                }
                Some(update)
            }
            Err(diagnostics) => {
                self.counts.refused += 1;
                tracing::warn!("{diagnostics}");
                None
            }
        }
    }

    fn deleted(&mut self, kind: Kind, (namespace, name): ObjectName) -> Option<Update> {
        let change = match kind {
            Kind::Service => Change::ServiceGone(ServiceKey::new(namespace, name)),
            Kind::EndpointSlice => Change::SliceGone { namespace, name },
            Kind::Node => Change::NodeGone(name),
            Kind::Namespace => Change::NamespaceGone(name),
            _ => {
                let id = ObjectId(kind, (namespace, name));
                self.changed |= self.configuration.remove(&id).is_some();
                return None;
            }
        };
        Some(Update::Other(change))
    }

    /// Reads the configuration objects. Returns the configuration if it has changed and is valid. Call this when no event
    /// is waiting, so that objects that belong together take effect together.
    pub(super) fn settle(&mut self) -> Option<Arc<Config>> {
        if std::mem::take(&mut self.labels_changed) {
            self.note_problems();
        }
        if !self.changed || Kind::CONFIGURATION.iter().any(|kind| self.awaited.contains(kind)) {
            return None;
        }

        self.changed = false;
        let UpdateResult { presence, config, warnings, problems } =
            self.effective.update(&self.options, &self.configuration);
        self.status.is_absent = presence == ConfigPresence::Absent;
        self.status.loaded |= config.is_some();

        let new_warnings =
            warnings.iter().filter(|warning| !self.status.warnings.contains(warning));
        self.new_problems.warnings.extend(new_warnings.cloned());
        self.status.warnings = warnings;

        self.config_map_gone = (presence == ConfigPresence::ConfigMapDeleted).then(|| {
            let message = "the ConfigMap is gone; the last configuration stays in force".to_owned();
            Diagnostic::file_error("the cluster", message)
        });
        self.problems.set(problems);
        self.note_problems();

        let config = Arc::new(config?);
        if self.config.as_ref() == Some(&config) {
            return None;
        }
        self.config = Some(Arc::clone(&config));
        Some(config)
    }

    /// Notes the problems that concern this program, which depend on the labels of its node.
    fn note_problems(&mut self) {
        let concerning = self.problems.concerning(&self.configuration);
        let errors: Vec<_> = match &self.config_map_gone {
            Some(gone) => vec![gone.clone()],
            None => concerning.values().flatten().cloned().collect(),
        };

        let known = self.new_problems.errors.len();
        let new = errors.iter().filter(|error| !self.status.errors.contains(error));
        self.new_problems.errors.extend(new.cloned());
        if self.new_problems.errors.len() > known {
            self.counts.refused += 1;
        }

        self.new_problems.invalid.extend(self.problems.invalid(&concerning, &self.configuration));
        self.status.errors = errors;
    }
}

/// Returns the name of an object that has no namespace.
fn cluster_name(name: &str) -> ObjectName {
    (String::new(), name.to_owned())
}

/// Returns the update for an object, from the result of reading it.
fn update_from(kind: Kind, rows: Manifests, object: ObjectTree) -> Option<Update> {
    let change = match kind {
        Kind::Service => {
            let mut service = Box::new(rows.services.into_iter().next()?);
            let addresses = std::mem::take(&mut service.status_addresses);
            return Some(Update::Service(Box::new(ObservedService { service, addresses, object })));
        }
        Kind::EndpointSlice => Change::Slice(rows.slices.into_iter().next()?),
        Kind::Node => Change::Node(rows.nodes.into_iter().next()?),
        Kind::Namespace => Change::Namespace(rows.namespaces.into_iter().next()?),
        _ => return None,
    };
    Some(Update::Other(change))
}

/// Returns an object in the form that [`manifest`] reads.
fn api_object<'a>(kind: Kind, name: &ObjectName, tree: &'a Value) -> ApiObject<'a> {
    let (api_version, kind_name) = kind.type_meta();
    let name = ObjectId(kind, name.clone()).shown();
    ApiObject { name, api_version, kind: kind_name, tree, is_newcomer: true }
}

#[cfg(test)]
#[path = "object_cache_tests.rs"]
mod tests;
