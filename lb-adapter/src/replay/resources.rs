//! The objects that configure, and which of them are in force.
//!
//! Owns the judgement on each: what would break the configuration is refused and leaves it as it was,
//! but stays, and is judged again whenever another one comes or goes: what it refers to may have
//! appeared.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::manifest::Options;
use crate::model::Config;

use super::object::{Kind, Name, Object, parse};

/// What came of objects that were put together.
pub(super) struct Put {
    /// The configuration, if it is another one now.
    pub(super) config: Option<Arc<Config>>,
    /// Why objects are refused, by their names.
    pub(super) refused: BTreeMap<Name, Vec<String>>,
}

/// What configures.
#[derive(Debug)]
pub(super) struct Resources {
    /// How the objects are read: which namespace and which ConfigMap count.
    pub(super) options: Options,
    in_force: BTreeMap<Name, Object>,
    /// Those that were refused, in the order they came, with nothing for one that is to be gone.
    waiting: Vec<(Name, Option<Object>)>,
    config: Option<Arc<Config>>,
}

impl Resources {
    pub(super) fn new(namespace: &str) -> Self {
        let namespace = namespace.to_owned();
        let options = Options { namespace, config_required: false, ..Options::default() };
        Self { options, in_force: BTreeMap::new(), waiting: Vec::new(), config: None }
    }

    /// The ConfigMap of this name counts.
    pub(super) fn set_config_map(&mut self, name: &str) {
        self.options.config_map = Some(name.to_owned());
    }

    /// Whether there is an object, in force or not.
    pub(super) fn contains(&self, name: &Name) -> bool {
        let waiting = self.waiting.iter().find(|(other, _)| other == name);
        match waiting {
            Some((_, object)) => object.is_some(),
            None => self.in_force.contains_key(name),
        }
    }

    /// Takes in an object, or that it is gone. Gives back the configuration, if it is another one
    /// now, and why the object is refused, if it is.
    pub(super) fn put(
        &mut self,
        name: Name,
        object: Option<Object>,
    ) -> (Option<Arc<Config>>, Result<(), Vec<String>>) {
        self.waiting.retain(|(other, _)| *other != name);
        self.waiting.push((name.clone(), object));
        let mut refused = self.judge();
        let judged = refused.remove(&name).map_or(Ok(()), Err);
        (self.renewed(), judged)
    }

    /// Takes in objects that come together, in whatever order: what one refers to may be among the others.
    pub(super) fn put_all(&mut self, objects: impl IntoIterator<Item = Object>) -> Put {
        let objects = objects.into_iter().map(|it| (self.placed(it.name.clone()), Some(it)));
        let objects: BTreeMap<_, _> = objects.collect();
        self.waiting.retain(|(name, _)| !objects.contains_key(name));
        self.waiting.extend(objects);
        let refused = self.judge();
        Put { config: self.renewed(), refused }
    }

    /// Whether an object, or its end, was refused and is not in force.
    pub(super) fn is_waiting(&self, name: &Name) -> bool {
        self.waiting.iter().any(|(other, _)| other == name)
    }

    /// The name of an object in its namespace: a resource without one is applied to the one that the configuration is
    /// in, as from a file.
    pub(super) fn placed(&self, name: Name) -> Name {
        name.placed(&self.options.namespace)
    }

    /// Forgets what was in force: everything is judged as if it were new.
    pub(super) fn restart(&mut self) -> Option<Arc<Config>> {
        let mut all: BTreeMap<_, _> = std::mem::take(&mut self.in_force)
            .into_iter()
            .map(|(name, object)| (name, Some(object)))
            .collect();
        all.extend(std::mem::take(&mut self.waiting));
        self.waiting = all.into_iter().filter(|(_, object)| object.is_some()).collect();
        self.config = None;
        self.judge();
        self.renewed()
    }

    /// Puts in force what can be: all that waits together, or else one after the other. Gives back
    /// why the others cannot.
    fn judge(&mut self) -> BTreeMap<Name, Vec<String>> {
        if self.try_put(&self.waiting.clone()).is_ok() {
            self.waiting.clear();
            return BTreeMap::new();
        }
        loop {
            let mut refused = BTreeMap::new();
            let waiting = std::mem::take(&mut self.waiting);
            let before = waiting.len();
            for change in waiting {
                if let Err(why) = self.try_put(std::slice::from_ref(&change)) {
                    refused.insert(change.0.clone(), why);
                    self.waiting.push(change);
                }
            }
            if self.waiting.len() == before || self.waiting.is_empty() {
                return refused;
            }
        }
    }

    fn try_put(&mut self, changes: &[(Name, Option<Object>)]) -> Result<(), Vec<String>> {
        let mut candidate = self.in_force.clone();
        for (name, object) in changes {
            match object {
                Some(object) => drop(candidate.insert(name.clone(), object.clone())),
                None => drop(candidate.remove(name)),
            }
        }
        parse(&self.options, candidate.values())?;
        let gone = changes.iter().any(|(name, object)| {
            object.is_none() && name.kind == Kind::ConfigMap && self.is_configuration(name)
        });
        if gone && !candidate.keys().any(|name| self.is_configuration(name)) {
            let why = "without the ConfigMap there is no configuration: it stays in force";
            return Err(vec![why.to_owned()]);
        }
        self.in_force = candidate;
        Ok(())
    }

    /// The configuration of what is in force, if it is not the one that was.
    fn renewed(&mut self) -> Option<Arc<Config>> {
        if self.config.is_none() && !self.in_force.keys().any(|name| self.is_configuration(name)) {
            return None;
        }
        // It was judged right before it came in force.
        let config = parse(&self.options, self.in_force.values()).ok()?.config;
        if self.config.as_deref() == Some(&config) {
            return None;
        }
        let config = Arc::new(config);
        self.config = Some(Arc::clone(&config));
        Some(config)
    }

    /// Whether an object makes a configuration, rather than be a part of one.
    fn is_configuration(&self, name: &Name) -> bool {
        let kind = match name.kind {
            Kind::ConfigMap => {
                self.options.config_map.as_ref().is_none_or(|wanted| name.is_called(wanted))
            }
            Kind::Resource(_) => true,
            _ => false,
        };
        kind && name.is_in(&self.options.namespace)
    }
}
