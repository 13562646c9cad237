//! Objects from a directory, or from a recording: what is there when all its steps are done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::Failure;
use crate::input::ConfigurationArgs;
use crate::input::InputFiles;
use crate::input::ProcessArgs;
use crate::output::Problems;
use lb_adapter::manifest::Source;

/// The objects as files.
pub(super) fn sources(from: &Path) -> Result<Vec<Source>, Failure> {
    let input = InputFiles::read(&[from.to_owned()])?;
    match input.sources.as_slice() {
        [one] if !from.is_dir() => Ok(objects(one).unwrap_or_else(|| vec![one.clone()])),
        _ => Ok(input.sources),
    }
}

/// The objects that a process knows, as files, and the namespace of a cluster's configuration.
pub(super) fn asked(
    process: &ProcessArgs,
    configuration: &ConfigurationArgs,
    problems: Problems,
) -> Result<(Vec<Source>, Option<String>), Failure> {
    let asked = process.fetch(configuration, &BTreeSet::new(), problems)?;
    let recording = Source { name: process.name(), octets: asked.recording };
    let objects = objects(&recording);
    let objects = objects
        .ok_or_else(|| Failure::Unusable(format!("{}: expected a recording", process.name())))?;
    Ok((objects, asked.namespace))
}

/// The objects that a recording leaves behind; `None` for a file that is none.
fn objects(file: &Source) -> Option<Vec<Source>> {
    let text = std::str::from_utf8(&file.octets).ok()?;
    let mut objects: BTreeMap<[String; 3], Source> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let step: Value = serde_json::from_str(line).ok()?;
        let step = step.as_object()?;
        if let Some(object) = step.get("apply") {
            let name = format!("{} line {number}", file.name);
            let source = Source { name, octets: object.to_string().into_bytes() };
            objects.insert(identity(object, object.get("metadata")?), source);
        } else if let Some(object) = step.get("delete") {
            objects.remove(&identity(object, object));
        } else if !["session", "probe", "sync", "restart"].iter().any(|key| step.contains_key(*key))
        {
            return None;
        }
    }
    Some(objects.into_values().collect())
}

fn identity(object: &Value, named: &Value) -> [String; 3] {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    [text(object, "kind"), text(named, "namespace"), text(named, "name")]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "f".to_owned(), octets: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_recording_is_what_its_steps_leave_behind() {
        let node = |name: &str| {
            format!(
                "{{\"apply\": {{\"kind\": \"Node\", \"metadata\": {{\"name\": \"{name}\"}}}}}}\n"
            )
        };
        let text = format!(
            "{}{}{}{{\"sync\": true}}\n{{\"delete\": {{\"kind\": \"Node\", \"name\": \"a\"}}}}\n",
            node("a"),
            node("b"),
            node("b")
        );
        let left = objects(&source(&text)).unwrap();
        let names: Vec<_> = left.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["f line 3"]);
        assert!(objects(&source("apiVersion: v1\n")).is_none());
        assert!(objects(&source("{\"kind\": \"Node\"}")).is_none());
    }
}
