//! The state after the last line of a recording, as opposed to the state after each step.
//!
//! Owns the distinction between a snapshot and a history, and the choice of problems that still exist at the end. The order
//! of the objects in a snapshot has no meaning: they are put together, as those of files are.

use std::collections::{BTreeMap, BTreeSet};

use super::object::ObjectName;
use super::step::{self, Step};
use super::{Replay, lines};
use crate::engine::Change;

/// A problem with the number of its line.
type Problem = (usize, String);

/// A deletion with its line, and the problems that it causes in other objects.
type RefusedDeletion = (usize, ObjectName, Vec<String>);

impl Replay {
    /// Applies all lines of a recording, and returns the problems that exist at the end, each with its line. The replay must
    /// be waiting for a sync.
    pub fn apply_all(&mut self, text: &[u8]) -> Vec<String> {
        let steps: Vec<_> = lines(text).map(step::read).collect();
        let mut problems = if self.is_snapshot(&steps) {
            self.apply_snapshot(steps)
        } else {
            self.apply_history(steps)
        };

        problems.sort();
        problems.into_iter().map(|(number, problem)| format!("line {number}: {problem}")).collect()
    }

    /// Returns true if a recording shows only one moment: it has each object once, and before the step `sync` if there is
    /// one.
    fn is_snapshot(&self, steps: &[Result<Step, Vec<String>>]) -> bool {
        let mut names = BTreeSet::new();
        let mut is_synced = false;
        for step in steps.iter().flatten() {
            match step {
                Step::Apply(_) | Step::Sync if is_synced => return false,
                Step::Apply(objects) => {
                    for object in objects {
                        let name = self.config_objects.qualified(object.name.clone());
                        if !names.insert(name) {
                            return false;
                        }
                    }
                }
                Step::Sync => is_synced = true,
                Step::Session { .. } | Step::Probe { .. } | Step::Dataplane { .. } => {}
                Step::Delete(_) | Step::Restart => return false,
            }
        }
        true
    }

    fn apply_snapshot(&mut self, steps: Vec<Result<Step, Vec<String>>>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut configuration = Vec::new();
        let mut numbers: Vec<(usize, ObjectName)> = Vec::new();
        for (number, step) in (1..).zip(steps) {
            match step {
                Err(errors) => add(&mut problems, number, errors),
                Ok(Step::Apply(objects)) => {
                    for object in objects {
                        if object.kind.is_configuration() {
                            let name = self.config_objects.qualified(object.name.clone());
                            numbers.push((number, name));
                            configuration.push(object);
                        } else {
                            add(&mut problems, number, self.put_one(object).problems);
                        }
                    }
                }
                Ok(Step::Sync) => {}
                Ok(step) => add(&mut problems, number, self.apply_step(step).problems),
            }
        }

        let (config, mut refused) = self.config_objects.put_all(configuration);
        if let Some(config) = config {
            self.engine.apply(Change::Config(config));
        }
        self.engine.apply(Change::Synced);

        for (number, name) in numbers {
            add(&mut problems, number, refused.remove(&name).unwrap_or_default());
        }
        problems
    }

    /// Applies the steps one by one. A later step may resolve a problem of the configuration, or cause one, so these problems
    /// are collected once, at the end.
    fn apply_history(&mut self, steps: Vec<Result<Step, Vec<String>>>) -> Vec<Problem> {
        if !steps.iter().flatten().any(|step| matches!(step, Step::Sync)) {
            self.engine.apply(Change::Synced);
        }

        let mut problems = Vec::new();
        let mut deletions = Vec::new();
        // The last line of each object of the configuration.
        let mut numbers: BTreeMap<ObjectName, usize> = BTreeMap::new();
        for (number, step) in (1..).zip(steps) {
            match step {
                Err(errors) => add(&mut problems, number, errors),
                Ok(Step::Apply(objects)) => {
                    for object in objects {
                        let is_configuration = object.kind.is_configuration();
                        if is_configuration {
                            let name = self.config_objects.qualified(object.name.clone());
                            numbers.insert(name, number);
                        }
                        let outcome = self.put_one(object);
                        if !is_configuration {
                            add(&mut problems, number, outcome.problems);
                        }
                    }
                }
                Ok(Step::Delete(name)) if name.kind.is_configuration() => {
                    let name = self.config_objects.qualified(name);
                    numbers.insert(name.clone(), number);
                    let problems = self.delete(&name).problems;
                    if !problems.is_empty() {
                        deletions.push((number, name, problems));
                    }
                }
                Ok(step) => add(&mut problems, number, self.apply_step(step).problems),
            }
        }

        problems.extend(self.remaining_problems(&numbers, deletions));
        problems
    }

    /// Returns the problems of the configuration that exist at the end, each with the last line of its object. A problem that
    /// a deletion causes has the line of the deletion.
    fn remaining_problems(
        &self,
        numbers: &BTreeMap<ObjectName, usize>,
        deletions: Vec<RefusedDeletion>,
    ) -> Vec<Problem> {
        let mut remaining = Vec::new();
        for (number, name, problems) in deletions {
            if self.config_objects.is_kept(&name) {
                add(&mut remaining, number, problems);
            }
        }

        for (name, problems) in self.config_objects.refused() {
            let number = numbers.get(&name).copied().unwrap_or_default();
            for problem in problems {
                let is_reported = remaining.iter().any(|(_, reported)| *reported == problem);
                if !is_reported {
                    remaining.push((number, problem));
                }
            }
        }
        remaining
    }
}

fn add(problems: &mut Vec<Problem>, number: usize, errors: Vec<String>) {
    problems.extend(errors.into_iter().map(|error| (number, error)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::PlannerOptions;

    const COMMUNITY: &str = r#"{"apply": {"apiVersion": "metallb.io/v1beta1", "kind": "Community", "metadata": {"name": "all"}, "spec": {"communities": [{"name": "shops", "value": "64636:20"}]}}}"#;
    const ADVERTISEMENT: &str = r#"{"apply": {"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement", "metadata": {"name": "all"}, "spec": {"communities": ["shops"]}}}"#;

    /// Returns the only problem after the last of these steps.
    fn problem_of(steps: &[&str]) -> String {
        let mut replay = Replay::new("metallb-system", PlannerOptions::default(), true);
        let problems = replay.apply_all(steps.join("\n").as_bytes());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("shops"), "{problems:?}");
        problems[0].clone()
    }

    #[test]
    fn an_object_that_becomes_invalid_through_another_one_is_reported() {
        let changed = COMMUNITY.replace("shops", "mail");
        let problem = problem_of(&[COMMUNITY, ADVERTISEMENT, &changed]);
        assert!(problem.starts_with("line 2: "), "{problem}");
    }

    #[test]
    fn a_deletion_without_effect_is_reported_even_if_it_names_no_namespace() {
        let deleted = r#"{"delete": {"apiVersion": "metallb.io/v1beta1", "kind": "Community", "name": "all"}}"#;
        let problem = problem_of(&[COMMUNITY, ADVERTISEMENT, deleted]);
        assert!(problem.starts_with("line 3: "), "{problem}");
    }

    #[test]
    fn an_invalid_number_of_routes_is_an_error() {
        let step = r#"{"session": {"node": "kube1", "peer": "10.0.0.1:179", "up": true, "unlisted": "many"}}"#;
        let mut replay = Replay::new("metallb-system", PlannerOptions::default(), true);
        let problems = replay.apply(step.as_bytes()).problems;
        assert_eq!(problems, ["session.unlisted: expected a number, found \"many\""]);
    }
}
