//! What is wrong with the objects that configure, and whose business that is.
//!
//! As with MetalLB, a speaker is concerned with the peers and advertisements of its node, and with everything that is not of
//! a node; the controller with pools and communities. Owns that rule, and what there is to tell of it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ObjectReference;

use super::events::{self, Events};
use super::resource::Kind;
use super::watch::ObjectName;
use crate::config::yaml::Value;
use crate::config::{Diagnostic, resources};
use crate::manifest::{ObjectKey, Options, refers};
use crate::model::Labels;

/// An object that configures.
type Key = (Kind, ObjectName);

/// The objects with errors.
#[derive(Debug)]
pub(super) struct Problems {
    all: BTreeMap<Key, Vec<Diagnostic>>,
    scope: Scope,
    /// The objects of which an Event tells: with their errors, so that others are news.
    told: BTreeSet<(Key, String)>,
}

/// Whose business they are.
#[derive(Debug)]
enum Scope {
    Controller,
    /// Of a node with these labels, once they are known.
    Speaker(Option<Labels>),
}

/// What has not been told yet.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) warnings: Vec<Diagnostic>,
    pub(super) errors: Vec<Diagnostic>,
    /// Objects that are not in force as they are written, and why: for an Event of each.
    pub(super) invalid: Vec<(ObjectReference, String)>,
}

impl News {
    /// Tells it: in the log, and to whoever looks at the objects.
    pub(super) fn tell(self, events: &mut Events) {
        for warning in self.warnings {
            tracing::warn!("{warning}");
        }
        for error in self.errors {
            tracing::error!("{error}");
        }
        for (object, problem) in self.invalid {
            events.tell(object, events::invalid(problem));
        }
    }
}

impl Problems {
    pub(super) fn of_controller() -> Self {
        Self { all: BTreeMap::new(), scope: Scope::Controller, told: BTreeSet::new() }
    }

    pub(super) fn of_speaker() -> Self {
        Self { scope: Scope::Speaker(None), ..Self::of_controller() }
    }

    /// Takes note of all there are.
    pub(super) fn set(&mut self, all: BTreeMap<Key, Vec<Diagnostic>>) {
        self.told.retain(|(key, _)| all.contains_key(key));
        self.all = all;
    }

    /// Takes note of the labels of the node; says whether they are others.
    pub(super) fn set_node(&mut self, labels: &Labels) -> bool {
        let Scope::Speaker(known) = &mut self.scope else { return false };
        let is_another = known.as_ref() != Some(labels);
        *known = Some(labels.clone());
        is_another
    }

    /// Those that concern this program. `written` are all objects that configure.
    pub(super) fn concerning(
        &self,
        written: &BTreeMap<Key, Value>,
    ) -> BTreeMap<Key, Vec<Diagnostic>> {
        let concerns = self.all.iter().filter(|(key, _)| self.concerns(key, written));
        concerns.map(|(key, problems)| (key.clone(), problems.clone())).collect()
    }

    fn concerns(&self, key: &Key, written: &BTreeMap<Key, Value>) -> bool {
        let node = match &self.scope {
            Scope::Controller => {
                return matches!(key.0, Kind::ConfigMap | Kind::IpAddressPool | Kind::Community);
            }
            Scope::Speaker(node) => node.as_ref(),
        };
        let Some(tree) = written.get(key) else { return true };
        match key.0 {
            Kind::BgpPeer | Kind::BgpAdvertisement => resources::selects_node(tree, node),
            Kind::Secret => {
                // There are Secrets that no peer has anything to do with.
                let mut users = written.iter().filter(|(user, its)| refers(*user, its, key, tree));
                users.any(|(user, its)| {
                    user.0 != Kind::BgpPeer || resources::selects_node(its, node)
                })
            }
            _ => true,
        }
    }

    /// Those of which no Event has told, each with its first error. Of an object that several programs are concerned with
    /// one tells, as far as that can be known: of pools and communities the controller, of the rest the speakers.
    pub(super) fn invalid(
        &mut self,
        concerning: &BTreeMap<Key, Vec<Diagnostic>>,
        written: &BTreeMap<Key, Value>,
    ) -> Vec<(ObjectReference, String)> {
        let of_controller = matches!(self.scope, Scope::Controller);
        let mut invalid = Vec::new();
        for (key, problems) in concerning {
            let is_pool = matches!(key.0, Kind::IpAddressPool | Kind::Community);
            // An Event of a Secret might be read by whoever may not read Secrets.
            if is_pool != of_controller || key.0 == Kind::Secret {
                continue;
            }
            let (Some(problem), Some(tree)) = (problems.first(), written.get(key)) else {
                continue;
            };
            let message = match problem.path.as_str() {
                "" => problem.message.clone(),
                path => format!("{path}: {}", problem.message),
            };
            if self.told.insert((key.clone(), message.clone())) {
                invalid.push((reference(key, tree), message));
            }
        }
        invalid
    }
}

fn reference(key: &Key, tree: &Value) -> ObjectReference {
    let (kind, (namespace, name)) = key;
    let (api_version, kind) = kind.type_meta();
    let uid = tree.get("metadata").and_then(|it| it.get("uid")).and_then(Value::text);
    ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        namespace: Some(namespace.clone()),
        name: Some(name.clone()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}

impl ObjectKey for Key {
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
        // Nothing else is watched than what the options mean.
        self.0 != Kind::Secret
    }

    fn api_version<'a>(&'a self, _: &'a Value) -> &'a str {
        self.0.type_meta().0
    }
}

#[cfg(test)]
#[path = "problems_tests.rs"]
mod tests;
