//! The objects that configure, and which of them are in force.
//!
//! Owns the objects as they are written, and the answer to each step. [`EffectiveObjects`] decides which of them are in force: an
//! object with an error leaves the configuration as it was, but stays, and is judged again whenever another object comes
//! or goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeSeed as _;

use super::object::{Kind, Name, Object, shown};
use crate::config::Diagnostic;
use crate::config::json::ObjectPart;
use crate::config::tree::Value;
use crate::manifest::{ConfigPresence, EffectiveObjects, ObjectKey, Options, UpdateResult};
use crate::model::Config;

/// The result of putting objects together.
pub(super) struct Put {
    /// The configuration, if it has changed.
    pub(super) config: Option<Arc<Config>>,
    /// Why objects are refused, by their names.
    pub(super) refused: BTreeMap<Name, Vec<String>>,
}

/// What configures.
#[derive(Debug)]
pub(super) struct Resources {
    /// The namespace and the ConfigMap that count, and how objects are read.
    pub(super) options: Options,
    written: BTreeMap<Name, Value>,
    in_force: EffectiveObjects<Name>,
    /// The problems of the objects that are not in force as they are written.
    problems: BTreeMap<Name, Vec<Diagnostic>>,
    config: Option<Arc<Config>>,
}

impl Resources {
    pub(super) fn new(namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        let options = Options { namespace, config_required: false, ..Options::default() };
        Self {
            options,
            written: BTreeMap::new(),
            in_force: EffectiveObjects::default(),
            problems: BTreeMap::new(),
            config: None,
        }
    }

    /// Sets the name of the ConfigMap that counts.
    pub(super) fn set_config_map(&mut self, name: &str) {
        self.options.config_map = Some(name.to_owned());
    }

    /// Whether there is an object, in force or not.
    pub(super) fn contains(&self, name: &Name) -> bool {
        self.written.contains_key(name)
    }

    /// Takes in an object, or its deletion. Returns the configuration, if it has changed, and why the object is refused,
    /// if it is: it has an error, or causes one in another object.
    pub(super) fn put(
        &mut self,
        name: Name,
        object: Option<Object>,
    ) -> (Option<Arc<Config>>, Result<(), Vec<String>>) {
        match object.map(tree) {
            Some(Ok(tree)) => drop(self.written.insert(name.clone(), tree)),
            Some(Err(error)) => return (None, Err(vec![format!("{name}: {error}")])),
            None => drop(self.written.remove(&name)),
        }

        let before: Vec<Name> = self.problems.keys().filter(|it| **it != name).cloned().collect();
        let (found, config) = self.judge();
        let mut why = Vec::new();
        if found == ConfigPresence::ConfigMapDeleted && name.kind == Kind::ConfigMap {
            why.push(
                "without the ConfigMap there is no configuration: it stays in force".to_owned(),
            );
        }
        let news = self.problems.iter().filter(|(of, _)| !before.contains(of));
        why.extend(news.flat_map(|(_, problems)| problems.iter().map(shown)));
        (config, if why.is_empty() { Ok(()) } else { Err(why) })
    }

    /// Takes in objects that come together, in any order: they may refer to each other.
    pub(super) fn put_all(&mut self, objects: impl IntoIterator<Item = Object>) -> Put {
        let mut refused = BTreeMap::new();
        for object in objects {
            let name = self.placed(object.name.clone());
            match tree(object) {
                Ok(tree) => drop(self.written.insert(name, tree)),
                Err(error) => drop(refused.insert(name.clone(), vec![format!("{name}: {error}")])),
            }
        }

        let (_, config) = self.judge();
        refused.extend(self.refused());
        Put { config, refused }
    }

    /// Returns why objects are not in force as they are written, by their names.
    pub(super) fn refused(&self) -> BTreeMap<Name, Vec<String>> {
        let refused = self.problems.iter();
        refused.map(|(name, why)| (name.clone(), why.iter().map(shown).collect())).collect()
    }

    /// Returns true if an object is in force although it was deleted.
    pub(super) fn is_kept(&self, name: &Name) -> bool {
        !self.written.contains_key(name) && self.in_force.contains(name)
    }

    /// Returns the name with its namespace: a resource without one is in that of the configuration, as from a file.
    pub(super) fn placed(&self, name: Name) -> Name {
        name.placed(&self.options.namespace)
    }

    /// Forgets what was in force: everything is judged as if it were new.
    pub(super) fn restart(&mut self) -> Option<Arc<Config>> {
        (self.in_force, self.config) = (EffectiveObjects::default(), None);
        self.judge().1
    }

    /// Puts in force what can be, and returns the configuration if it has changed.
    fn judge(&mut self) -> (ConfigPresence, Option<Arc<Config>>) {
        let UpdateResult { presence: found, config, problems, .. } =
            self.in_force.update(&self.options, &self.written);
        self.problems = problems;
        let config = config.map(Arc::new).filter(|config| self.config.as_ref() != Some(config));
        if let Some(config) = &config {
            self.config = Some(Arc::clone(config));
        }
        (found, config)
    }
}

/// An object as the readers take it.
fn tree(object: Object) -> Result<Value, serde_json::Error> {
    ObjectPart::Whole.deserialize(serde_json::Value::Object(object.fields))
}

impl ObjectKey for Name {
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
        let kind = match self.kind {
            Kind::ConfigMap => {
                options.config_map.as_ref().is_none_or(|wanted| self.is_called(wanted))
            }
            Kind::Resource(_) => true,
            _ => false,
        };
        kind && self.is_in(&options.namespace)
    }

    fn api_version<'a>(&'a self, tree: &'a Value) -> &'a str {
        tree.get("apiVersion").and_then(Value::text).unwrap_or_default()
    }
}
