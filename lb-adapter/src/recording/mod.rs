//! A recording: a list of objects that appear, change and disappear, and the state after each step.
//!
//! ```text
//! a line  --->  Step  --->  ConfigObjects (configuration only)  --->  Engine  --->  StepResult
//! ```
//!
//! Owns the steps and the form of the results. The [`Engine`] decides, as in a cluster. There is no clock and no network:
//! the same recording always has the same results.

mod config_objects;
mod final_state;
mod object;
mod process_snapshot;
mod session_state;
mod step;
mod step_result;

use serde_json::Value;

use crate::allocator::HeldAddresses;
use crate::config::yaml;
use crate::engine::{Change, Effects, Engine};
use crate::one_line;
use crate::planner::PlannerOptions;

use config_objects::ConfigObjects;
use object::{ObjectName, RecordedKind, RecordedObject};
use step::Step;

pub use process_snapshot::{PASSWORD, ProcessSnapshot};
pub use session_state::{RouteDelivery, SessionState, SessionStates, UnsendableReason};
pub use step_result::{EventRow, PeerRow, RouteRow, ServiceRow, StepResult, WithheldRow};

/// Splits a text into lines. A line break at the end does not start another line.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|octet| *octet == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    })
}

/// Returns true if a line is a step.
pub fn is_step(line: &[u8]) -> bool {
    step::read(line).is_ok()
}

/// Returns true if a line is the step that completes the initial lists, before which no address is assigned.
pub fn is_sync(line: &[u8]) -> bool {
    // Most lines are long objects, which need not be parsed for this.
    let mentions_sync = line.windows(6).any(|octets| octets == b"\"sync\"");
    mentions_sync && matches!(step::read(line), Ok(Step::Sync))
}

/// Returns the namespaces of the configuration's objects in a text of manifests.
pub fn namespaces_of(text: &str) -> Vec<String> {
    let mut objects = Vec::new();
    for document in yaml::documents(text).0 {
        if let Value::Object(fields) = document.to_json() {
            // A document that is not an object is not part of the configuration either.
            let _ = step::collect(&fields, None, "", &mut objects);
        }
    }

    objects.retain(|object| {
        matches!(object.kind, RecordedKind::Resource(_) | RecordedKind::ConfigMap)
    });
    objects.into_iter().filter_map(|object| object.name.namespace()).collect()
}

/// The cluster at one moment: the engine's state and the sessions.
#[derive(Debug)]
pub struct Cluster {
    /// The objects, the addresses and the plans.
    pub engine: Engine,
    /// The known states of sessions.
    pub sessions: SessionStates,
}

/// What a step has done, and why it has not done the rest.
#[derive(Debug, Default)]
struct Outcome {
    effects: Effects,
    /// The reasons why an object or the whole step was refused.
    problems: Vec<String>,
}

impl From<Effects> for Outcome {
    fn from(effects: Effects) -> Self {
        Self { effects, problems: Vec::new() }
    }
}

impl Outcome {
    fn refused(problems: Vec<String>) -> Self {
        Self { effects: Effects::default(), problems }
    }

    fn extend(&mut self, more: Self) {
        self.effects.extend(more.effects);
        self.problems.extend(more.problems);
    }
}

/// A cluster that is built from the steps of a recording.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    config_objects: ConfigObjects,
    /// The states of sessions that steps have reported.
    sessions: SessionStates,
    steps: usize,
}

impl Replay {
    /// Creates an empty cluster with its configuration in this namespace. If `expects_sync`, no address is assigned before a
    /// step `sync`.
    pub fn new(namespace: &str, options: PlannerOptions, expects_sync: bool) -> Self {
        let mut engine = Engine::new(options, None);
        if !expects_sync {
            engine.apply(Change::Synced);
        }

        let config_objects = ConfigObjects::new(namespace);
        Self { engine, config_objects, sessions: SessionStates::new(), steps: 0 }
    }

    /// Sets the name of the configuration's ConfigMap.
    #[must_use]
    pub fn with_config_map(mut self, name: &str) -> Self {
        self.config_objects.set_config_map(name);
        self
    }

    /// Sets the addresses of Services that appear later, which take precedence over the addresses in their status.
    #[must_use]
    pub fn remembering(mut self, held: HeldAddresses) -> Self {
        self.engine = self.engine.remembering(held);
        self
    }

    /// Applies one line, and returns the state after it.
    pub fn step(&mut self, line: &[u8]) -> StepResult {
        let Outcome { effects, problems } = self.apply(line);
        self.steps += 1;
        StepResult::of(&self.engine, self.steps, problems, &effects)
    }

    fn apply(&mut self, line: &[u8]) -> Outcome {
        let mut outcome = match step::read(line) {
            Ok(step) => self.apply_step(step),
            Err(problems) => Outcome::refused(problems),
        };
        for problem in &mut outcome.problems {
            *problem = one_line(problem);
        }
        outcome
    }

    fn apply_step(&mut self, step: Step) -> Outcome {
        match step {
            Step::Apply(objects) => self.put(objects),
            Step::Delete(name) => self.delete(&self.config_objects.qualified(name)),
            Step::Session { node, peer, state } => {
                self.sessions.insert((node, peer), *state);
                Outcome::default()
            }
            Step::Probe { node, service, found } => {
                self.engine.apply(Change::Probed { node, service, found: Some(found) }).into()
            }
            Step::Dataplane { node, service, found } => {
                self.engine.apply(Change::Dataplane { node, service, found: Some(found) }).into()
            }
            Step::Sync => self.engine.apply(Change::Synced).into(),
            Step::Restart => self.restart().into(),
        }
    }

    /// The objects, the addresses and the plans.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns true if the session of a node with a peer is up, and `None` if no step has reported its state.
    pub fn is_session_up(&self, node: &str, peer: &str) -> Option<bool> {
        Some(self.sessions.get(&(node.to_owned(), peer.to_owned()))?.up)
    }

    /// Returns the cluster after the last step.
    pub fn into_cluster(self) -> Cluster {
        Cluster { engine: self.engine, sessions: self.sessions }
    }

    /// Puts the objects of a step. An object that is refused keeps none of the others out.
    fn put(&mut self, objects: Vec<RecordedObject>) -> Outcome {
        let mut outcome = Outcome::default();
        for object in objects {
            outcome.extend(self.put_one(object));
        }
        outcome
    }

    fn put_one(&mut self, object: RecordedObject) -> Outcome {
        if object.kind.is_configuration() {
            let name = self.config_objects.qualified(object.name.clone());
            return self.put_configuration(name, Some(object));
        }

        match object.to_change(&self.config_objects.options) {
            Ok(Some(change)) => self.engine.apply(change).into(),
            Ok(None) => Outcome::default(),
            Err(problems) => Outcome::refused(problems),
        }
    }

    fn delete(&mut self, name: &ObjectName) -> Outcome {
        let is_absent = || Outcome::refused(vec![format!("there is no {name}")]);
        if name.kind.is_configuration() {
            if !self.config_objects.contains(name) {
                return is_absent();
            }
            return self.put_configuration(name.clone(), None);
        }

        match name.deletion(&self.engine) {
            Some(change) => self.engine.apply(change).into(),
            None if name.kind.is_known() => is_absent(),
            None => Outcome::default(),
        }
    }

    /// Puts or deletes an object of the configuration. The configuration may change even if the object is refused: other
    /// objects may be valid only without its former version.
    fn put_configuration(&mut self, name: ObjectName, object: Option<RecordedObject>) -> Outcome {
        let (config, result) = self.config_objects.put(name, object);
        let effects = config.map(|config| self.engine.apply(Change::Config(config)));
        Outcome { effects: effects.unwrap_or_default(), problems: result.err().unwrap_or_default() }
    }

    fn restart(&mut self) -> Effects {
        self.engine.restart();
        match self.config_objects.restart() {
            Some(config) => self.engine.apply(Change::Config(config)),
            None => Effects::default(),
        }
    }
}
