//! The lines of a recording.
//!
//! Reads and writes steps, and applies none.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::object::{ObjectName, RecordedKind, RecordedObject};
use super::session_state::{SessionState, UnsendableReason};
use crate::model::ServiceKey;
use crate::planner::{DataplaneStatus, ProbeStatus};

/// The step on one line.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// These objects are added, or replaced as written.
    Apply(Vec<RecordedObject>),
    /// This object is deleted.
    Delete(ObjectName),
    /// A session has come up or gone down.
    Session { node: String, peer: String, state: Box<SessionState> },
    /// A node has probed a Service.
    Probe { node: String, service: ServiceKey, found: ProbeStatus },
    /// A node has observed its dataplane for a Service.
    Dataplane { node: String, service: ServiceKey, found: DataplaneStatus },
    /// The initial lists of objects are complete.
    Sync,
    /// The process restarts.
    Restart,
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Result<Step, Vec<String>> {
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return Err(vec![format!("expected JSON: {error}")]),
    };
    let Value::Object(fields) = value else {
        return Err(vec![format!("expected a JSON object with one of {STEPS}")]);
    };

    let mut steps = fields.iter().filter(|(key, _)| KEYS.contains(&key.as_str()));
    let (Some((key, value)), None) = (steps.next(), steps.next()) else {
        return Err(vec![format!("expected one of {STEPS}")]);
    };
    step(key, value).map_err(|problem| vec![problem])
}

fn step(key: &str, value: &Value) -> Result<Step, String> {
    match key {
        "apply" => apply_step(as_object(value, key)?),
        "delete" => delete_step(as_object(value, key)?),
        "session" => session_step(as_object(value, key)?),
        "probe" => probe_step(as_object(value, key)?),
        "dataplane" => dataplane_step(as_object(value, key)?),
        "sync" if *value == Value::Bool(true) => Ok(Step::Sync),
        "restart" if *value == Value::Bool(true) => Ok(Step::Restart),
        _ => Err(format!("{key}: expected true, found {value}")),
    }
}

fn apply_step(fields: &Map<String, Value>) -> Result<Step, String> {
    let mut objects = Vec::new();
    collect(fields, None, "apply", &mut objects)?;
    Ok(Step::Apply(objects))
}

fn delete_step(fields: &Map<String, Value>) -> Result<Step, String> {
    let kind = text(fields, "delete", "kind")?;
    let namespace = optional_text(fields, "delete", "namespace")?;
    let name = text(fields, "delete", "name")?;
    let api_version = optional_text(fields, "delete", "apiVersion")?;

    let kind = RecordedKind::of(api_version.as_deref(), &kind);
    Ok(Step::Delete(ObjectName::new(kind, namespace, name)))
}

fn session_step(fields: &Map<String, Value>) -> Result<Step, String> {
    let up = fields.get("up").and_then(Value::as_bool);
    let up = up.ok_or("session.up: expected true or false")?;
    let mut state = SessionState::new(up, optional_text(fields, "session", "reason")?);
    state.bfd_problem = optional_text(fields, "session", "bfdProblem")?;
    state.families = families(fields)?;
    state.unsendable = unsendable(fields)?;
    state.unlisted = unlisted(fields)?;

    Ok(Step::Session {
        node: text(fields, "session", "node")?,
        peer: text(fields, "session", "peer")?,
        state: Box::new(state),
    })
}

fn probe_step(fields: &Map<String, Value>) -> Result<Step, String> {
    let reason = optional_text(fields, "probe", "reason")?.unwrap_or_default();
    let namespace = optional_text(fields, "probe", "namespace")?;
    let namespace = namespace.as_deref().unwrap_or("default");
    let found = match text(fields, "probe", "found")?.as_str() {
        "up" => ProbeStatus::Up,
        "held" => ProbeStatus::HeldDown,
        "down" => ProbeStatus::Down(reason),
        other => {
            return Err(format!("probe.found: expected up, held or down, found {other:?}"));
        }
    };

    let node = text(fields, "probe", "node")?;
    let service = ServiceKey::new(namespace, text(fields, "probe", "name")?);
    Ok(Step::Probe { node, service, found })
}

fn dataplane_step(fields: &Map<String, Value>) -> Result<Step, String> {
    let reason = optional_text(fields, "dataplane", "reason")?.unwrap_or_default();
    let namespace = optional_text(fields, "dataplane", "namespace")?;
    let namespace = namespace.as_deref().unwrap_or("default");
    let found = match text(fields, "dataplane", "found")?.as_str() {
        "ready" => DataplaneStatus::Ready,
        "held" => DataplaneStatus::Held(reason.into()),
        "depreferenced" => DataplaneStatus::Depreferenced(reason.into()),
        "withdrawn" => DataplaneStatus::Withdrawn(reason.into()),
        "leaving" => DataplaneStatus::Leaving,
        other => {
            return Err(format!(
                "dataplane.found: expected ready, held, depreferenced, withdrawn or leaving, found {other:?}"
            ));
        }
    };

    let node = text(fields, "dataplane", "node")?;
    let service = ServiceKey::new(namespace, text(fields, "dataplane", "name")?);
    Ok(Step::Dataplane { node, service, found })
}

/// Adds an object, or the items of a list as `kubectl get` prints it. `item_type` is the API version and kind of the list's
/// items, which need not repeat them.
pub(super) fn collect(
    fields: &Map<String, Value>,
    item_type: Option<(&str, &str)>,
    path: &str,
    objects: &mut Vec<RecordedObject>,
) -> Result<(), String> {
    let api_version = optional_text(fields, path, "apiVersion")?;
    let kind = optional_text(fields, path, "kind")?;
    let (api_version, kind) = match (api_version, kind, item_type) {
        (Some(api_version), Some(kind), _) => (api_version, kind),
        (None, None, Some((api_version, kind))) => (api_version.to_owned(), kind.to_owned()),
        (None, _, _) => return Err(format!("{path}.apiVersion: missing, expected a text")),
        (_, None, _) => return Err(format!("{path}.kind: missing, expected a text")),
    };

    if let (Some(item_kind), Some(Value::Array(items))) =
        (kind.strip_suffix("List"), fields.get("items"))
    {
        // The kind `List` does not say what its items are.
        let item_type = (!item_kind.is_empty()).then_some((api_version.as_str(), item_kind));
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}.items[{index}]");
            collect(as_object(item, &path)?, item_type, &path, objects)?;
        }
        return Ok(());
    }

    let metadata = fields.get("metadata").and_then(Value::as_object);
    let metadata =
        metadata.ok_or_else(|| format!("{path}.metadata: missing, expected an object"))?;
    let path = format!("{path}.metadata");
    let namespace = optional_text(metadata, &path, "namespace")?;
    let name = text(metadata, &path, "name")?;

    let kind = RecordedKind::of(Some(&api_version), &kind);
    let mut fields = fields.clone();
    fields.insert("apiVersion".to_owned(), api_version.into());
    fields.insert("kind".to_owned(), kind.as_str().into());
    let name = ObjectName::new(kind.clone(), namespace, name);
    objects.push(RecordedObject { kind, name, fields });
    Ok(())
}

fn as_object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{path}: expected an object"))
}

fn text(fields: &Map<String, Value>, path: &str, key: &str) -> Result<String, String> {
    let text = optional_text(fields, path, key)?;
    text.ok_or_else(|| format!("{path}.{key}: missing, expected a text"))
}

/// Returns a text, and `None` for an empty one as the API does.
fn optional_text(
    fields: &Map<String, Value>,
    path: &str,
    key: &str,
) -> Result<Option<String>, String> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(other) => Err(format!("{path}.{key}: expected a text, found {other}")),
    }
}

/// Returns the families that a session carries.
fn families(session: &Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    let values = match session.get("families") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) => values,
        Some(other) => return Err(format!("session.families: expected a list, found {other}")),
    };

    let mut families = Vec::with_capacity(values.len());
    for value in values {
        let Value::String(family) = value else {
            return Err(format!("session.families: expected texts, found {value}"));
        };
        families.push(family.clone());
    }
    Ok(Some(families))
}

/// Returns the number of routes that a session cannot carry and the step does not list.
fn unlisted(session: &Map<String, Value>) -> Result<usize, String> {
    let count = match session.get("unlisted") {
        None | Some(Value::Null) => return Ok(0),
        Some(count) => count,
    };

    match count.as_u64() {
        Some(count) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        None => Err(format!("session.unlisted: expected a number, found {count}")),
    }
}

/// Returns the routes that a session cannot carry, with the reasons.
fn unsendable(session: &Map<String, Value>) -> Result<BTreeMap<IpNet, UnsendableReason>, String> {
    let path = "session.unsendable";
    let rows = match session.get("unsendable") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Array(rows)) => rows,
        Some(other) => return Err(format!("{path}: expected a list, found {other}")),
    };

    let mut routes = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let row = as_object(row, &path)?;
        let prefix = text(row, &path, "prefix")?;
        let Ok(prefix) = prefix.parse() else {
            return Err(format!("{path}.prefix: expected a prefix, found {prefix:?}"));
        };

        let reason = text(row, &path, "reason")?;
        let hint = optional_text(row, &path, HINT)?;
        routes.insert(prefix, UnsendableReason { reason, hint });
    }
    Ok(routes)
}

/// Writes the step for the state of a session.
pub(super) fn session(node: &str, peer: &str, state: &SessionState) -> Value {
    let mut step = json!({ "node": node, "peer": peer, "up": state.up });
    if let Some(reason) = &state.reason {
        step["reason"] = reason.as_str().into();
    }
    if let Some(problem) = &state.bfd_problem {
        step["bfdProblem"] = problem.as_str().into();
    }
    if let Some(families) = &state.families {
        step["families"] = families.as_slice().into();
    }
    if state.unlisted > 0 {
        step["unlisted"] = state.unlisted.into();
    }

    let mut unsendable = Vec::with_capacity(state.unsendable.len());
    for (prefix, UnsendableReason { reason, hint }) in &state.unsendable {
        unsendable.push(json!({ "prefix": prefix.to_string(), "reason": reason, HINT: hint }));
    }
    if !unsendable.is_empty() {
        step["unsendable"] = unsendable.into();
    }
    json!({ "session": step })
}

/// Writes the step for the result of a probe.
pub(super) fn probe(node: &str, service: &ServiceKey, found: &ProbeStatus) -> Value {
    let (found, reason) = match found {
        ProbeStatus::Up => ("up", None),
        ProbeStatus::HeldDown => ("held", None),
        ProbeStatus::Down(reason) => ("down", Some(reason)),
    };
    let (namespace, name) = (&*service.namespace, &*service.name);
    json!({"probe": {"node": node, "namespace": namespace, "name": name, "found": found, "reason": reason}})
}

/// Writes the step for an observation of a node's dataplane.
pub(super) fn dataplane(node: &str, service: &ServiceKey, found: &DataplaneStatus) -> Value {
    let (found, reason) = match found {
        DataplaneStatus::Ready => ("ready", None),
        DataplaneStatus::Held(reason) => ("held", Some(reason)),
        DataplaneStatus::Depreferenced(reason) => ("depreferenced", Some(reason)),
        DataplaneStatus::Withdrawn(reason) => ("withdrawn", Some(reason)),
        DataplaneStatus::Leaving => ("leaving", None),
    };
    let (namespace, name) = (&*service.namespace, &*service.name);
    json!({"dataplane": {"node": node, "namespace": namespace, "name": name, "found": found, "reason": reason}})
}

const KEYS: [&str; 7] = ["apply", "delete", "session", "probe", "dataplane", "sync", "restart"];
const STEPS: &str = "apply, delete, session, probe, dataplane, sync and restart";
/// The key of a hint, which recordings of earlier versions have too.
const HINT: &str = "mend";
