//! A recording: a list of objects that come, change and go, and what is made of each step.
//!
//! ```text
//! a line  --->  Step  --->  Resources (what configures)  --->  Engine  --->  Answer
//! ```
//!
//! Owns the steps and the form of the answers. What is decided is decided by the [`Engine`], as in a
//! cluster. There is no clock and no network: the same recording has the same answers every time.

mod step_result;
mod process_snapshot;
mod object;
mod config_objects;
mod session_state;
mod step;
mod final_state;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::allocator::HeldAddresses;
use crate::config::yaml;
use crate::engine::{Change, Effects, Engine};
use crate::planner;

use object::{Kind, Object};
use config_objects::Resources;
use step::Step;

pub use step_result::{Answer, EventRow, PeerRow, RouteRow, ServiceRow, WithheldRow};
pub use process_snapshot::{Known, PASSWORD};
pub use session_state::{Cluster, Sent, SessionState, Unsent};

/// The lines of a text; what is after the last line break is one if there is anything.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split_inclusive(|octet| *octet == b'\n');
    lines.map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}

/// Whether a line is a step at all.
pub fn is_step(line: &[u8]) -> bool {
    step::read(line).is_ok()
}

/// Returns the namespaces of the objects that configure in a text of manifests.
pub fn namespaces_of(text: &str) -> Vec<String> {
    let mut objects = Vec::new();
    for document in yaml::documents(text).0 {
        if let Value::Object(fields) = document.to_json() {
            // A document that is no object configures nothing.
            let _ = step::collect(&fields, None, "", &mut objects);
        }
    }
    let configure = objects
        .into_iter()
        .filter(|object| matches!(object.kind, Kind::Resource(_) | Kind::ConfigMap));
    configure.filter_map(|object| object.name.namespace()).collect()
}

/// Whether a line is the step after which addresses are given out.
pub fn is_sync(line: &[u8]) -> bool {
    let mentions = line.windows(6).any(|octets| octets == b"\"sync\"");
    mentions && matches!(step::read(line), Ok(Step::Sync))
}

/// A cluster that is made of the steps of a recording.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    resources: Resources,
    /// How the session of a node with a peer stands, as far as a step has said so.
    sessions: BTreeMap<(String, String), SessionState>,
    steps: usize,
}

impl Replay {
    /// Nothing has happened yet. The configuration is in this namespace. Unless a step `sync` is to
    /// come, addresses are given out from the first step on.
    pub fn new(namespace: &str, options: planner::PlannerOptions, sync_comes: bool) -> Self {
        let mut engine = Engine::new(options, None);
        if !sync_comes {
            engine.apply(Change::Synced);
        }
        let resources = Resources::new(namespace);
        Self { engine, resources, sessions: BTreeMap::new(), steps: 0 }
    }

    /// The configuration is in a ConfigMap of this name, if it is in one.
    #[must_use]
    pub fn with_config_map(mut self, name: &str) -> Self {
        self.resources.set_config_map(name);
        self
    }

    /// What Services hold that are yet to come counts before their status.
    #[must_use]
    pub fn remembering(mut self, held: HeldAddresses) -> Self {
        self.engine = self.engine.remembering(held);
        self
    }

    /// Takes one line, and says what there is after it.
    pub fn line(&mut self, line: &[u8]) -> Answer {
        let (problems, effects) = match self.take(line) {
            Ok(effects) => (Vec::new(), effects),
            Err(problems) => (problems, Effects::default()),
        };
        self.steps += 1;
        Answer::of(&self.engine, self.steps, problems, &effects)
    }

    /// Takes one line, without looking at what follows from it.
    ///
    /// # Errors
    ///
    /// Why it has no effect.
    pub fn take(&mut self, line: &[u8]) -> Result<Effects, Vec<String>> {
        self.perform(step::read(line)?)
    }

    fn perform(&mut self, step: Step) -> Result<Effects, Vec<String>> {
        match step {
            Step::Apply(objects) => self.put(objects),
            Step::Delete(object) => self.delete(&self.resources.placed(object)),
            Step::Session { node, peer, state } => {
                self.sessions.insert((node, peer), *state);
                Ok(Effects::default())
            }
            Step::Probe { node, service, found } => {
                Ok(self.engine.apply(Change::Probed { node, service, found: Some(found) }))
            }
            Step::Sync => Ok(self.engine.apply(Change::Synced)),
            Step::Restart => {
                self.engine.restart();
                let config = self.resources.restart();
                Ok(config.map(|it| self.engine.apply(Change::Config(it))).unwrap_or_default())
            }
        }
    }

    /// What is known, and what is made of it.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether the session of a node with a peer is up, as far as a step has said so.
    pub fn session(&self, node: &str, peer: &str) -> Option<bool> {
        Some(self.sessions.get(&(node.to_owned(), peer.to_owned()))?.up)
    }

    /// What there is at the end.
    pub fn into_cluster(self) -> Cluster {
        Cluster { engine: self.engine, sessions: self.sessions }
    }

    fn put(&mut self, objects: Vec<Object>) -> Result<Effects, Vec<String>> {
        let (mut effects, mut problems) = (Effects::default(), Vec::new());
        for object in objects {
            match self.put_one(object) {
                Ok(more) => effects.extend(more),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(effects) } else { Err(problems) }
    }

    fn put_one(&mut self, object: Object) -> Result<Effects, Vec<String>> {
        if object.kind.configures() {
            let name = self.resources.placed(object.name.clone());
            let (config, judged) = self.resources.put(name, Some(object));
            let effects = config.map(|it| self.engine.apply(Change::Config(it)));
            // What it is refused for may have let others in.
            return judged.map(|()| effects.unwrap_or_default());
        }
        let change = object.read(&self.resources.options)?;
        Ok(change.map(|it| self.engine.apply(it)).unwrap_or_default())
    }

    fn delete(&mut self, object: &object::Name) -> Result<Effects, Vec<String>> {
        if object.kind.configures() {
            if !self.resources.contains(object) {
                return Err(vec![format!("there is no {object}")]);
            }
            let (config, judged) = self.resources.put(object.clone(), None);
            let effects = config.map(|it| self.engine.apply(Change::Config(it)));
            return judged.map(|()| effects.unwrap_or_default());
        }
        match object.gone(&self.engine) {
            Some(change) => Ok(self.engine.apply(change)),
            None if object.kind.is_read() => Err(vec![format!("there is no {object}")]),
            None => Ok(Effects::default()),
        }
    }
}
