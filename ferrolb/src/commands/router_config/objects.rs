//! The objects of a directory, or of a recording after its last step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lb_adapter::manifest::{self, Source};
use serde_json::Value;

use crate::Failure;
use crate::input::{ConfigurationArgs, InputFiles, ProcessArgs};
use crate::output::Problems;

/// Objects as files.
pub(super) struct Objects {
    /// The name for all of them together in diagnostics.
    pub(super) name: String,
    pub(super) sources: Vec<Source>,
    /// The namespace of a cluster's configuration.
    pub(super) namespace: Option<String>,
}

/// Reads a directory, a file or a recording.
pub(super) fn read(from: &Path) -> Result<Objects, Failure> {
    let mut sources = InputFiles::read(&[from.to_owned()])?.sources;
    if let [file] = sources.as_slice()
        && !from.is_dir()
        && let Some(objects) = recorded_objects(file)
    {
        sources = objects;
    }
    Ok(Objects { name: manifest::shown(from), sources, namespace: None })
}

/// Fetches the objects of a process or a cluster.
pub(super) fn fetch(
    process: &ProcessArgs,
    configuration: &ConfigurationArgs,
    problems: Problems,
) -> Result<Objects, Failure> {
    let fetched = process.fetch(configuration, &BTreeSet::new(), problems)?;
    let name = fetched.name;
    let recording = Source { name: name.clone(), octets: fetched.recording };
    let Some(sources) = recorded_objects(&recording) else {
        return Err(Failure::Unusable(format!("{name}: expected a recording")));
    };
    Ok(Objects { name, sources, namespace: fetched.namespace })
}

/// Returns the objects after the last step of a recording; `None` if the file is not a recording.
fn recorded_objects(file: &Source) -> Option<Vec<Source>> {
    let text = std::str::from_utf8(&file.octets).ok()?;
    let mut objects: BTreeMap<ObjectId, Source> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }

        let step: Value = serde_json::from_str(line).ok()?;
        let step = step.as_object()?;
        if let Some(object) = step.get("apply") {
            let name = format!("{} line {number}", file.name);
            let source = Source { name, octets: object.to_string().into_bytes() };
            objects.insert(object_id(object, object.get("metadata")?), source);
        } else if let Some(object) = step.get("delete") {
            objects.remove(&object_id(object, object));
        } else if !OTHER_STEPS.iter().any(|key| step.contains_key(*key)) {
            return None;
        }
    }
    Some(objects.into_values().collect())
}

/// The kind, namespace and name of an object.
type ObjectId = [String; 3];

fn object_id(object: &Value, metadata: &Value) -> ObjectId {
    [(object, "kind"), (metadata, "namespace"), (metadata, "name")]
        .map(|(value, key)| value[key].as_str().unwrap_or_default().to_owned())
}

/// The keys of the steps that change no objects.
const OTHER_STEPS: [&str; 4] = ["session", "probe", "sync", "restart"];

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "f".to_owned(), octets: text.as_bytes().to_vec() }
    }

    #[test]
    fn the_objects_of_a_recording_are_those_after_its_last_step() {
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
        let left = recorded_objects(&source(&text)).unwrap();
        let names: Vec<_> = left.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["f line 3"]);
        assert!(recorded_objects(&source("apiVersion: v1\n")).is_none());
        assert!(recorded_objects(&source("{\"kind\": \"Node\"}")).is_none());
    }
}
