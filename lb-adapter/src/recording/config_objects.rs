//! The objects of the configuration.
//!
//! Owns the objects as written, and the problems that each step causes. [`EffectiveObjects`] decides which objects are in
//! effect: an object with an error leaves the configuration as it was, but is kept, and is checked again whenever another
//! object is put or deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeSeed as _;

use super::object::{ObjectName, RecordedKind, RecordedObject, without_line};
use crate::config::Diagnostic;
use crate::config::json::ObjectPart;
use crate::config::tree::Value;
use crate::manifest::{ConfigPresence, EffectiveObjects, ObjectKey, Options, UpdateResult};
use crate::model::Config;

/// The objects of the configuration.
#[derive(Debug)]
pub(super) struct ConfigObjects {
    /// The configuration's namespace and ConfigMap, and the way to read objects.
    pub(super) options: Options,
    written: BTreeMap<ObjectName, Value>,
    effective: EffectiveObjects<ObjectName>,
    /// The problems of the objects that are not in force as written.
    problems: BTreeMap<ObjectName, Vec<Diagnostic>>,
    config: Option<Arc<Config>>,
}

impl ConfigObjects {
    pub(super) fn new(namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        let options = Options { namespace, config_required: false, ..Options::default() };
        Self {
            options,
            written: BTreeMap::new(),
            effective: EffectiveObjects::default(),
            problems: BTreeMap::new(),
            config: None,
        }
    }

    /// Sets the name of the configuration's ConfigMap.
    pub(super) fn set_config_map(&mut self, name: &str) {
        self.options.config_map = Some(name.to_owned());
    }

    /// Returns true if there is such an object, in force or not.
    pub(super) fn contains(&self, name: &ObjectName) -> bool {
        self.written.contains_key(name)
    }

    /// Puts an object, or deletes it. Returns the configuration if it has changed, and an error if the object is refused:
    /// it has an error, or causes one in another object.
    pub(super) fn put(
        &mut self,
        name: ObjectName,
        object: Option<RecordedObject>,
    ) -> (Option<Arc<Config>>, Result<(), Vec<String>>) {
        match object.map(to_tree) {
            Some(Ok(tree)) => {
                self.written.insert(name.clone(), tree);
            }
            Some(Err(error)) => return (None, Err(vec![format!("{name}: {error}")])),
            None => {
                self.written.remove(&name);
            }
        }

        let had_problems: Vec<ObjectName> =
            self.problems.keys().filter(|other| **other != name).cloned().collect();
        let (presence, config) = self.update();

        let mut problems = Vec::new();
        if presence == ConfigPresence::ConfigMapDeleted && name.kind == RecordedKind::ConfigMap {
            problems.push(
                "without the ConfigMap there is no configuration: it stays in force".to_owned(),
            );
        }
        for (other, diagnostics) in &self.problems {
            if !had_problems.contains(other) {
                problems.extend(diagnostics.iter().map(without_line));
            }
        }
        (config, if problems.is_empty() { Ok(()) } else { Err(problems) })
    }

    /// Puts objects together, in any order: they may refer to each other. Returns the configuration if it has changed, and
    /// the problems of each object that is refused.
    pub(super) fn put_all(
        &mut self,
        objects: impl IntoIterator<Item = RecordedObject>,
    ) -> (Option<Arc<Config>>, BTreeMap<ObjectName, Vec<String>>) {
        let mut refused = BTreeMap::new();
        for object in objects {
            let name = self.qualified(object.name.clone());
            match to_tree(object) {
                Ok(tree) => {
                    self.written.insert(name, tree);
                }
                Err(error) => {
                    refused.insert(name.clone(), vec![format!("{name}: {error}")]);
                }
            }
        }

        let (_, config) = self.update();
        refused.extend(self.refused());
        (config, refused)
    }

    /// Returns the problems of the objects that are not in force as written.
    pub(super) fn refused(&self) -> BTreeMap<ObjectName, Vec<String>> {
        let mut refused = BTreeMap::new();
        for (name, problems) in &self.problems {
            refused.insert(name.clone(), problems.iter().map(without_line).collect());
        }
        refused
    }

    /// Returns true if an object is still in force although it was deleted.
    pub(super) fn is_kept(&self, name: &ObjectName) -> bool {
        !self.written.contains_key(name) && self.effective.contains(name)
    }

    /// Returns the name with its namespace. As in a file, a resource without one is in the namespace of the configuration.
    pub(super) fn qualified(&self, name: ObjectName) -> ObjectName {
        name.qualified(&self.options.namespace)
    }

    /// Checks all objects again, as if none had been in force before.
    pub(super) fn restart(&mut self) -> Option<Arc<Config>> {
        self.effective = EffectiveObjects::default();
        self.config = None;
        self.update().1
    }

    /// Checks the objects, and returns the configuration if it has changed.
    fn update(&mut self) -> (ConfigPresence, Option<Arc<Config>>) {
        let UpdateResult { presence, config, problems, .. } =
            self.effective.update(&self.options, &self.written);
        self.problems = problems;

        let config = config.map(Arc::new).filter(|config| self.config.as_ref() != Some(config));
        if let Some(config) = &config {
            self.config = Some(Arc::clone(config));
        }
        (presence, config)
    }
}

/// Returns an object in the form that the readers of the configuration take.
fn to_tree(object: RecordedObject) -> Result<Value, serde_json::Error> {
    ObjectPart::Whole.deserialize(serde_json::Value::Object(object.fields))
}

impl ObjectKey for ObjectName {
    fn kind(&self) -> &str {
        self.kind.as_str()
    }

    fn name(&self) -> &str {
        self.as_str()
    }

    fn shown(&self) -> String {
        self.to_string()
    }

    fn configures(&self, options: &Options) -> bool {
        let is_configuration = match self.kind {
            RecordedKind::ConfigMap => match &options.config_map {
                Some(name) => self.as_str() == name,
                None => true,
            },
            RecordedKind::Resource(_) => true,
            _ => false,
        };
        is_configuration && self.is_in(&options.namespace)
    }

    fn api_version<'a>(&'a self, tree: &'a Value) -> &'a str {
        tree.get("apiVersion").and_then(Value::text).unwrap_or_default()
    }
}
