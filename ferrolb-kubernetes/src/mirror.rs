//! What watches have seen, as changes for the engine.
//!
//! ```text
//! Seen ──► Mirror ──► Change (rows)          objects that configure ──► settle ──► Change::Config
//! ```
//!
//! Objects are read by [`lb_adapter::manifest`], as those of files are. Only the few that configure are kept;
//! everything else is a row of the engine and nothing more. This module does no I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::object::Object;
use super::problems::{News, Problems};
use super::resource::Kind;
use super::watch::{Names, ObjectId, ObjectName, Seen};
use lb_adapter::config::Diagnostic;
use lb_adapter::config::Value;
use lb_adapter::engine::{Change, Engine};
use lb_adapter::manifest::{
    self, ApiObject, ConfigPresence, EffectiveObjects, Manifests, ObjectKey as _, UpdateResult,
};
use lb_adapter::model::{Config, ServiceKey};

/// The objects of a cluster as far as they configure, and what is still to be listed.
#[derive(Debug)]
pub(super) struct Mirror {
    options: manifest::Options,
    /// What has not been listed for the first time.
    awaited: BTreeSet<Kind>,
    configuration: BTreeMap<ObjectId, Value>,
    /// Whether the configuration has changed since it was read last.
    changed: bool,
    in_force: EffectiveObjects<ObjectId>,
    config: Option<Arc<Config>>,
    problems: Problems,
    /// The error that the ConfigMap is gone, while it is.
    config_map_gone: Option<Diagnostic>,
    /// Whether the labels of the node have changed, and with them perhaps the problems that concern it.
    relabelled: bool,
    state: ConfigState,
    news: News,
    /// Objects that were taken in, and how often something could not be.
    counts: (u64, u64),
}

/// What became of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConfigState {
    /// Whether one has been in force.
    pub(super) loaded: bool,
    /// Errors of objects that are not in force as they are written, as far as they concern this program.
    pub(super) errors: Vec<Diagnostic>,
    /// What is odd about it.
    pub(super) warnings: Vec<Diagnostic>,
    /// Whether there is no configuration object at all.
    pub(super) is_absent: bool,
}

impl ConfigState {
    /// Returns true if something is not in force as it is written.
    pub(super) fn is_stale(&self) -> bool {
        !self.errors.is_empty()
    }
}

impl Mirror {
    /// Of a cluster whose configuration is in this namespace, once these have been listed. Where Secrets are not among
    /// them, peers are without the passwords that are in one.
    pub(super) fn new(namespace: &str, awaited: impl IntoIterator<Item = Kind>) -> Self {
        let awaited: BTreeSet<Kind> = awaited.into_iter().collect();
        // Only speakers follow a Node, their own.
        let problems = if awaited.contains(&Kind::Node) {
            Problems::of_speaker()
        } else {
            Problems::of_controller()
        };

        let options = manifest::Options {
            namespace: namespace.to_owned(),
            // One alone is watched, that of --config.
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
            in_force: EffectiveObjects::default(),
            config: None,
            problems,
            config_map_gone: None,
            relabelled: false,
            state: ConfigState::default(),
            news: News::default(),
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
    pub(super) fn news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// What the engine and this have of a resource and a list lacks: it went away while nobody watched.
    pub(super) fn missing(&self, kind: Kind, listed: &Names, engine: &Engine) -> Vec<ObjectName> {
        let of_cluster = |name: &str| (String::new(), name.to_owned());
        let mut known: Vec<ObjectName> = match kind {
            Kind::Service => {
                let keys = engine.service_keys();
                keys.map(|key| (key.namespace.to_string(), key.name.to_string())).collect()
            }
            Kind::EndpointSlice => {
                let names = engine.slices();
                names.map(|(namespace, name)| (namespace.to_owned(), name.to_owned())).collect()
            }
            Kind::Node => engine.nodes().map(|node| of_cluster(&node.name)).collect(),
            Kind::Namespace => engine.namespaces().map(|it| of_cluster(&it.name)).collect(),
            _ => {
                let keys = self.configuration.keys().filter(|id| id.0 == kind);
                keys.map(|id| id.1.clone()).collect()
            }
        };
        known.retain(|name| !listed.contains(name));
        known
    }

    /// Takes in what was seen. Of a Service, its status counts as what it holds.
    pub(super) fn take(&mut self, seen: Seen) -> Option<Change> {
        if !matches!(seen, Seen::Listed(..)) {
            self.counts.0 += 1;
        }
        match seen {
            Seen::Applied(kind, object) => self.applied(kind, *object),
            Seen::Gone(kind, name) => self.gone(kind, name),
            Seen::Listed(kind, _) => {
                self.awaited.remove(&kind);
                None
            }
        }
    }

    fn applied(&mut self, kind: Kind, object: Object) -> Option<Change> {
        let name = object.name();
        if Kind::CONFIGURATION.contains(&kind) {
            // A change of its status alone, which we write too, is no change of the configuration.
            let said = object.into_said();
            self.changed |= self.configuration.get(&ObjectId(kind, name.clone())) != Some(&said);
            self.configuration.insert(ObjectId(kind, name), said);
            return None;
        }

        let found = [found(kind, &name, object.tree())];
        match manifest::read_api_objects(&self.options, "the cluster", found) {
            Ok(rows) => {
                let change = change_of(kind, rows);
                if let Some(Change::Node(node)) = &change {
                    self.relabelled |= self.problems.set_node(&node.labels);
                }
                change
            }
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
                self.changed |=
                    self.configuration.remove(&ObjectId(kind, (namespace, name))).is_some();
                return None;
            }
        })
    }

    /// The configuration, if it has changed and is valid. Call it when nothing more is waiting, so that objects
    /// that belong together take effect together.
    pub(super) fn settle(&mut self) -> Option<Change> {
        if std::mem::take(&mut self.relabelled) {
            self.note_problems();
        }
        if !self.changed || Kind::CONFIGURATION.iter().any(|kind| self.awaited.contains(kind)) {
            return None;
        }
        self.changed = false;
        let UpdateResult { presence: found, config, warnings, problems } =
            self.in_force.update(&self.options, &self.configuration);
        self.state.is_absent = found == ConfigPresence::Absent;
        self.state.loaded |= config.is_some();

        let new_warnings = warnings.iter().filter(|it| !self.state.warnings.contains(it));
        self.news.warnings.extend(new_warnings.cloned());
        self.state.warnings = warnings;

        self.config_map_gone = (found == ConfigPresence::ConfigMapDeleted).then(|| {
            let message = "the ConfigMap is gone; the last configuration stays in force".to_owned();
            Diagnostic::file_error("the cluster", message)
        });
        self.problems.set(problems);
        self.note_problems();

        let config = config.map(Arc::new).filter(|config| self.config.as_ref() != Some(config))?;
        self.config = Some(Arc::clone(&config));
        Some(Change::Config(config))
    }

    /// Notes the problems that concern this program, which depend on the labels of its node.
    fn note_problems(&mut self) {
        let concerning = self.problems.concerning(&self.configuration);
        let errors: Vec<_> = match &self.config_map_gone {
            Some(gone) => vec![gone.clone()],
            None => concerning.values().flatten().cloned().collect(),
        };

        let known = self.news.errors.len();
        let new = errors.iter().filter(|it| !self.state.errors.contains(it));
        self.news.errors.extend(new.cloned());
        if self.news.errors.len() > known {
            self.counts.1 += 1;
        }

        self.news.invalid.extend(self.problems.invalid(&concerning, &self.configuration));
        self.state.errors = errors;
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

/// An object for [`manifest`].
fn found<'a>(kind: Kind, name: &ObjectName, tree: &'a Value) -> ApiObject<'a> {
    let (api_version, kind_name) = kind.type_meta();
    let name = ObjectId(kind, name.clone()).shown();
    ApiObject { name, api_version, kind: kind_name, tree, is_newcomer: true }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
