//! MetalLB's cases of the configuration (`internal/config`) and of its webhooks: objects that are accepted or rejected.
//!
//! The cases are in `configuration.cases`. Each starts with a line `valid:` or `refused, WORDS:`, where the problem must
//! contain these words, followed by one object on each line.

use lb_adapter::check;
use lb_adapter::config::Severity;
use lb_adapter::manifest::{Options, Source};

use super::objects;
use crate::world::World;

const CASES: &str = include_str!("configuration.cases");

struct Case {
    title: String,
    /// Words of the expected problem. None if there must be no problem.
    problem: Option<String>,
    objects: String,
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(object) = line.strip_prefix("    ") {
            let case = cases.last_mut().expect("an object belongs to a case");
            case.objects.push_str(object);
            case.objects.push('\n');
            continue;
        }
        let (verdict, title) = line.split_once(": ").expect("a case begins with its verdict");
        let problem = verdict.strip_prefix("refused, ").map(str::to_owned);
        assert!(problem.is_some() || verdict == "valid", "{line}");
        cases.push(Case { title: title.to_owned(), problem, objects: String::new() });
    }
    cases
}

/// Checks each case in a recording, one object after the other, and with `ferrolb check` in a file.
#[test]
fn every_case_is_accepted_or_rejected_as_in_metallb() {
    let cases = cases();
    assert!(cases.len() >= 100, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for Case { title, problem, objects: text } in &cases {
        let objects = objects(text);
        let mut world = World::new();
        let refused: Vec<_> =
            objects.iter().flat_map(|object| world.apply(object.clone()).problems).collect();
        let documents: Vec<_> = objects.iter().map(ToString::to_string).collect();
        let octets = documents.join("\n---\n").into_bytes();
        let source = Source { name: "case".to_owned(), octets };
        let problems = check::problems(&Options::default(), "case", &[source]);
        let errors = problems.into_iter().filter(|problem| problem.severity == Severity::Error);
        let errors: Vec<_> = errors.map(|error| error.message).collect();

        for (by, said) in [("replay", refused), ("check", errors)] {
            let right = match problem {
                None => said.is_empty(),
                Some(words) => said.iter().any(|it| it.contains(words)),
            };
            if !right {
                let expected = problem.as_deref().unwrap_or("no problem");
                wrong.push(format!("{title}: expected {expected:?}, {by} says {said:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
