//! The errors of configuration objects, and the choice of the program that reports each error.
//!
//! As with MetalLB, the errors of pools and communities concern the controller. Those of peers and advertisements concern the
//! speakers of the selected nodes, and all other errors concern every speaker. This module owns that rule, and remembers which
//! errors have been reported.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ObjectReference;

use super::events::{self, EventRecorder};
use super::resource::{Kind, ObjectId};
use lb_adapter::config::Value;
use lb_adapter::config::{Diagnostic, selects_node};
use lb_adapter::manifest::{ObjectKey, Options, refers};
use lb_adapter::model::Labels;

/// The objects with errors.
#[derive(Debug)]
pub(super) struct ConfigProblems {
    all: BTreeMap<ObjectId, Vec<Diagnostic>>,
    scope: ProblemScope,
    /// The error that the last Event about each object reports.
    reported: BTreeMap<ObjectId, String>,
}

/// The program that these errors concern.
#[derive(Debug)]
enum ProblemScope {
    Controller,
    /// The speaker of a node with these labels, once they are known.
    Speaker(Option<Labels>),
}

/// Problems that have not been reported yet.
#[derive(Debug, Default)]
pub(super) struct NewProblems {
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) errors: Vec<Diagnostic>,
    /// The invalid objects, each with the error for its Event.
    pub(super) invalid: Vec<(ObjectReference, String)>,
}

impl NewProblems {
    /// Logs the problems, and publishes Events about the objects.
    pub(super) fn report(self, events: &mut EventRecorder) {
        for warning in self.warnings {
            tracing::warn!("{warning}");
        }
        for error in self.errors {
            tracing::error!("{error}");
        }
        for (object, problem) in self.invalid {
            events.publish(object, events::invalid(problem));
        }
    }
}

impl ConfigProblems {
    /// No problems yet, for a controller.
    pub(super) fn of_controller() -> Self {
        Self { all: BTreeMap::new(), scope: ProblemScope::Controller, reported: BTreeMap::new() }
    }

    /// No problems yet, for a speaker.
    pub(super) fn of_speaker() -> Self {
        Self { scope: ProblemScope::Speaker(None), ..Self::of_controller() }
    }

    /// Replaces the errors.
    pub(super) fn set(&mut self, all: BTreeMap<ObjectId, Vec<Diagnostic>>) {
        self.reported.retain(|key, _| all.contains_key(key));
        self.all = all;
    }

    /// Notes the labels of the node. Returns true if they have changed.
    pub(super) fn set_node_labels(&mut self, labels: &Labels) -> bool {
        let ProblemScope::Speaker(known) = &mut self.scope else { return false };
        if known.as_ref() == Some(labels) {
            return false;
        }
        *known = Some(labels.clone());
        true
    }

    /// Returns the errors that concern this program. `objects` are all configuration objects.
    pub(super) fn concerning(
        &self,
        objects: &BTreeMap<ObjectId, Value>,
    ) -> BTreeMap<ObjectId, Vec<Diagnostic>> {
        let concerns = self.all.iter().filter(|(key, _)| self.concerns(key, objects));
        concerns.map(|(key, problems)| (key.clone(), problems.clone())).collect()
    }

    /// Returns true if an error of this object concerns this program.
    fn concerns(&self, key: &ObjectId, objects: &BTreeMap<ObjectId, Value>) -> bool {
        let node = match &self.scope {
            ProblemScope::Controller => {
                return matches!(key.0, Kind::ConfigMap | Kind::IpAddressPool | Kind::Community);
            }
            ProblemScope::Speaker(node) => node.as_ref(),
        };
        let Some(tree) = objects.get(key) else { return true };
        match key.0 {
            Kind::BgpPeer | Kind::BgpAdvertisement => selects_node(tree, node),
            Kind::Secret => {
                // A Secret that no object refers to concerns no speaker.
                let mut users =
                    objects.iter().filter(|(user, user_tree)| refers(*user, user_tree, key, tree));
                users.any(|(user, user_tree)| {
                    user.0 != Kind::BgpPeer || selects_node(user_tree, node)
                })
            }
            _ => true,
        }
    }

    /// Returns the objects whose first error no Event has reported yet, each with that error. The controller reports pools and
    /// communities, and the speakers report all other objects.
    pub(super) fn invalid(
        &mut self,
        concerning: &BTreeMap<ObjectId, Vec<Diagnostic>>,
        objects: &BTreeMap<ObjectId, Value>,
    ) -> Vec<(ObjectReference, String)> {
        let is_controller = matches!(self.scope, ProblemScope::Controller);
        let mut invalid = Vec::new();
        for (key, problems) in concerning {
            let is_pool = matches!(key.0, Kind::IpAddressPool | Kind::Community);
            // A user who may not read Secrets may well read Events.
            if is_pool != is_controller || key.0 == Kind::Secret {
                continue;
            }
            let (Some(problem), Some(tree)) = (problems.first(), objects.get(key)) else {
                continue;
            };

            let message = match problem.path.as_str() {
                "" => problem.message.clone(),
                path => format!("{path}: {}", problem.message),
            };
            if self.reported.get(key) != Some(&message) {
                self.reported.insert(key.clone(), message.clone());
                invalid.push((reference(key, tree), message));
            }
        }
        invalid
    }
}

fn reference(key: &ObjectId, tree: &Value) -> ObjectReference {
    let ObjectId(kind, (namespace, name)) = key;
    let (api_version, kind) = kind.type_meta();
    let uid = tree.get("metadata").and_then(|metadata| metadata.get("uid")).and_then(Value::text);
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(namespace.clone()),
        name: Some(name.clone()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}

impl ObjectKey for ObjectId {
    fn kind(&self) -> &str {
        self.0.type_meta().1
    }

    fn name(&self) -> &str {
        &self.1.1
    }

    fn shown(&self) -> String {
        let (kind, (namespace, name)) = (self.kind(), &self.1);
        let slash = if namespace.is_empty() { "" } else { "/" };
        format!("{kind} {namespace}{slash}{name}")
    }

    fn configures(&self, _: &Options) -> bool {
        // The watches select only the objects that the options name.
        self.0 != Kind::Secret
    }

    fn api_version<'a>(&'a self, _: &'a Value) -> &'a str {
        self.0.type_meta().0
    }
}

#[cfg(test)]
#[path = "config_problems_tests.rs"]
mod tests;
