//! A recording read to its end: what there is, and not what each step made of it.
//!
//! Owns which recordings are a picture of one moment, and what of the problems on the way is one at the end. In a picture
//! the order of the objects says nothing: they are taken together, as those of files are.

use std::collections::BTreeSet;

use crate::engine::Change;

use super::args::lines;
use super::object::{Name, Object};
use super::step::{self, Step};
use super::{Replay, resources::Put};

/// What has no effect, by the number of its line.
type Problem = (usize, String);

impl Replay {
    /// Takes all lines, of a replay that waits for a sync, and returns what of them has no effect at the end, each with its line.
    pub(crate) fn take_all(&mut self, text: &[u8]) -> Vec<String> {
        let steps: Vec<_> = lines(text).map(step::read).collect();
        let problems = match self.is_picture(&steps) {
            true => self.take_picture(steps),
            false => self.take_history(text),
        };
        problems.into_iter().map(|(number, problem)| format!("line {number}: {problem}")).collect()
    }

    /// Whether nothing happens in a recording: each object is there once, and before a step `sync` if there is one.
    fn is_picture(&self, steps: &[Result<Step, Vec<String>>]) -> bool {
        let (mut names, mut synced) = (BTreeSet::new(), false);
        steps.iter().flatten().all(|step| match step {
            Step::Apply(objects) => {
                let named = |object: &Object| self.resources.placed(object.name.clone());
                !synced && objects.iter().all(|object| names.insert(named(object)))
            }
            Step::Sync => !std::mem::replace(&mut synced, true),
            Step::Session { .. } | Step::Probe { .. } => true,
            Step::Delete(_) | Step::Restart => false,
        })
    }

    fn take_picture(&mut self, steps: Vec<Result<Step, Vec<String>>>) -> Vec<Problem> {
        let (mut problems, mut configure) = (Vec::new(), Vec::new());
        for (index, step) in steps.into_iter().enumerate() {
            let number = index + 1;
            let told = |problem: String| (number, problem);
            match step {
                Err(more) => problems.extend(more.into_iter().map(told)),
                Ok(Step::Apply(objects)) => {
                    for object in objects {
                        if object.kind.configures() {
                            configure.push((number, object));
                        } else if let Err(more) = self.put_one(object) {
                            problems.extend(more.into_iter().map(told));
                        }
                    }
                }
                Ok(Step::Session { node, peer, state }) => {
                    self.sessions.insert((node, peer), *state);
                }
                Ok(Step::Probe { node, service, found }) => {
                    drop(self.engine.apply(Change::Probed { node, service, found: Some(found) }));
                }
                Ok(Step::Sync | Step::Delete(_) | Step::Restart) => {}
            }
        }

        let numbers: Vec<(usize, Name)> =
            configure.iter().map(|(number, object)| (*number, object.name.clone())).collect();
        let Put { config, refused } =
            self.resources.put_all(configure.into_iter().map(|(_, object)| object));
        drop(config.map(|config| self.engine.apply(Change::Config(config))));
        drop(self.engine.apply(Change::Synced));

        for (number, name) in numbers {
            let name = self.resources.placed(name);
            let refused = refused.get(&name).into_iter().flatten();
            problems.extend(refused.map(|problem| (number, problem.clone())));
        }
        problems.sort();
        problems
    }

    /// What is refused may be let in by what comes later: then it is no problem.
    fn take_history(&mut self, text: &[u8]) -> Vec<Problem> {
        let mut found: Vec<(usize, Vec<Name>, Vec<String>)> = Vec::new();
        if !lines(text).any(super::is_sync) {
            drop(self.engine.apply(Change::Synced));
        }
        for (index, line) in lines(text).enumerate() {
            let names = match step::read(line) {
                Ok(Step::Apply(objects)) => {
                    let configure = objects.into_iter().filter(|object| object.kind.configures());
                    configure.map(|object| self.resources.placed(object.name)).collect()
                }
                Ok(Step::Delete(name)) if name.kind.configures() => vec![name],
                _ => Vec::new(),
            };
            if let Err(problems) = self.take(line) {
                found.push((index + 1, names, problems));
            }
        }

        let stays = |names: &[Name]| {
            names.is_empty() || names.iter().any(|name| self.resources.is_waiting(name))
        };
        let found = found.into_iter().filter(|(_, names, _)| stays(names));
        found
            .flat_map(|(number, _, problems)| problems.into_iter().map(move |it| (number, it)))
            .collect()
    }
}
