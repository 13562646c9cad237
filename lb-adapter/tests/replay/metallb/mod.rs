//! MetalLB's own tests of its BGP mode, rewritten for FerroLB: its cases of the configuration, the allocator, the controller
//! and the speaker, and its end-to-end scenarios.
//!
//! Where FerroLB differs, the test asserts what `docs/services.md` and `docs/configuration.md` say under "What differs".

mod allocator;
mod configuration;
mod conflicts;
mod controller;
mod dual_stack;
mod routes;
mod selectors;
mod sessions;
mod speaker;

use serde_json::{Value, json};

use crate::world::*;

/// Returns the objects of a text. Each line has the kind, the name with its labels, and the spec:
///
/// `IPAddressPool dmz,zone=dmz {addresses: [10.0.0.0/24]}`. Secrets, Namespaces and Nodes have no spec here: the text
/// after the name is merged into the object.
pub(super) fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(object).collect()
}

fn object(line: &str) -> Value {
    let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
    let (name, body) = rest.split_once(' ').unwrap_or((rest, "{}"));
    let body: Value =
        serde_saphyr::from_str(body).unwrap_or_else(|error| panic!("{line}: {error}"));

    let mut names = name.split(',');
    let name = names.next().unwrap_or_default();
    let labels: Value = names
        .filter_map(|label| label.split_once('='))
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .collect::<serde_json::Map<_, _>>()
        .into();

    let mut object = match kind {
        "Secret" | "Namespace" => {
            let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
            if kind == "Secret" {
                object["metadata"]["namespace"] = "metallb-system".into();
            }
            object.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            object
        }
        "Node" => {
            let mut object = node(name, "172.22.35.25");
            object["metadata"]["labels"] = json!({});
            object
        }
        _ => resource(kind, name, body),
    };

    if labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        object["metadata"]["labels"] = labels;
    }
    object
}

impl World {
    /// Returns a world with these objects, which must be accepted.
    pub(super) fn of(text: &str) -> Self {
        let mut world = Self::new();
        world.have(text);
        world
    }

    /// Applies these objects, which must be accepted, and returns the answer to the last one.
    pub(super) fn have(&mut self, text: &str) -> lb_adapter::recording::StepResult {
        let answers = objects(text).into_iter().map(|object| self.applied(object));
        answers.last().expect("there is an object")
    }
}
