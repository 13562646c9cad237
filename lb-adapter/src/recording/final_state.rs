//! A recording read to its end: what there is, and not what each step made of it.
//!
//! Owns which recordings are a picture of one moment, and which problems are left at the end. In a picture the order of
//! the objects says nothing: they are taken together, as those of files are.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Change;

use super::lines;
use super::object::{Name, Object};
use super::step::{self, Step};
use super::{Replay, config_objects::Put};

/// A problem with the number of its line.
type Problem = (usize, String);

impl Replay {
    /// Takes all lines of a recording, and returns the problems that are left at the end, each with its line. The replay
    /// must be waiting for a sync.
    pub fn take_all(&mut self, text: &[u8]) -> Vec<String> {
        let steps: Vec<_> = lines(text).map(step::read).collect();
        let problems = if self.is_picture(&steps) {
            self.take_picture(steps)
        } else {
            self.take_history(steps)
        };
        problems.into_iter().map(|(number, problem)| format!("line {number}: {problem}")).collect()
    }

    /// Returns true if nothing happens in a recording: each object is there once, and before the step `sync` if there is
    /// one.
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
                Ok(step @ (Step::Session { .. } | Step::Probe { .. })) => drop(self.perform(step)),
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

    /// Takes the steps one by one. An object that is refused may be let in by what comes later, or be refused only then:
    /// what is wrong with the configuration is looked at once, at the end.
    fn take_history(&mut self, steps: Vec<Result<Step, Vec<String>>>) -> Vec<Problem> {
        if !steps.iter().flatten().any(|step| matches!(step, Step::Sync)) {
            drop(self.engine.apply(Change::Synced));
        }

        let mut problems = Vec::new();
        let mut deletions = Vec::new();
        // The last line about each object that configures.
        let mut numbers: BTreeMap<Name, usize> = BTreeMap::new();
        for (index, step) in steps.into_iter().enumerate() {
            let number = index + 1;
            let told = |problem: String| (number, problem);
            match step {
                Err(more) => problems.extend(more.into_iter().map(told)),
                Ok(Step::Apply(objects)) => {
                    for object in objects {
                        let configures = object.kind.configures();
                        if configures {
                            numbers.insert(self.resources.placed(object.name.clone()), number);
                        }
                        let taken = self.put_one(object);
                        if let Err(more) = taken
                            && !configures
                        {
                            problems.extend(more.into_iter().map(told));
                        }
                    }
                }
                Ok(Step::Delete(name)) if name.kind.configures() => {
                    let name = self.resources.placed(name);
                    numbers.insert(name.clone(), number);
                    if let Err(more) = self.delete(&name) {
                        deletions.push((number, name, more));
                    }
                }
                Ok(step) => {
                    if let Err(more) = self.perform(step) {
                        problems.extend(more.into_iter().map(told));
                    }
                }
            }
        }

        problems.extend(self.left(&numbers, deletions));
        problems.sort();
        problems
    }

    /// Returns the problems of the configuration that are left at the end, each with the last line about its object. A
    /// problem that a deletion causes is reported with the deletion.
    fn left(
        &self,
        numbers: &BTreeMap<Name, usize>,
        mut deletions: Vec<(usize, Name, Vec<String>)>,
    ) -> Vec<Problem> {
        deletions.retain(|(_, name, _)| self.resources.is_kept(name));
        let mut left = Vec::new();
        for (number, _, problems) in deletions {
            left.extend(problems.into_iter().map(|problem| (number, problem)));
        }

        for (name, problems) in self.resources.refused() {
            let number = numbers.get(&name).copied().unwrap_or_default();
            for problem in problems {
                if !left.iter().any(|(_, told)| *told == problem) {
                    left.push((number, problem));
                }
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner;

    const COMMUNITY: &str = r#"{"apply": {"apiVersion": "metallb.io/v1beta1", "kind": "Community", "metadata": {"name": "all"}, "spec": {"communities": [{"name": "shops", "value": "64636:20"}]}}}"#;
    const ADVERTISEMENT: &str = r#"{"apply": {"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement", "metadata": {"name": "all"}, "spec": {"communities": ["shops"]}}}"#;

    /// Returns the only problem that is left at the end of a history.
    fn problem_of(steps: &[&str]) -> String {
        let mut replay = Replay::new("metallb-system", planner::PlannerOptions::default(), true);
        let problems = replay.take_all(steps.join("\n").as_bytes());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("shops"), "{problems:?}");
        problems[0].clone()
    }

    #[test]
    fn an_object_that_a_change_of_another_one_makes_wrong_is_reported() {
        let changed = COMMUNITY.replace("shops", "mail");
        let problem = problem_of(&[COMMUNITY, ADVERTISEMENT, &changed]);
        assert!(problem.starts_with("line 2: "), "{problem}");
    }

    #[test]
    fn a_deletion_that_has_no_effect_is_reported_without_a_namespace_too() {
        let deleted = r#"{"delete": {"apiVersion": "metallb.io/v1beta1", "kind": "Community", "name": "all"}}"#;
        let problem = problem_of(&[COMMUNITY, ADVERTISEMENT, deleted]);
        assert!(problem.starts_with("line 3: "), "{problem}");
    }

    #[test]
    fn a_number_of_routes_that_is_none_is_an_error() {
        let step = r#"{"session": {"node": "kube1", "peer": "10.0.0.1:179", "up": true, "unlisted": "many"}}"#;
        let mut replay = Replay::new("metallb-system", planner::PlannerOptions::default(), true);
        let problems = replay.take(step.as_bytes()).unwrap_err();
        assert_eq!(problems, ["session.unlisted: expected a number, found \"many\""]);
    }
}
