//! The lines of a recording.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use super::object::{Kind, Name, Object};
use super::session_state::{SessionState, Unsent};
use crate::model::ServiceKey;
use crate::planner::ProbeStatus;

/// What one line asks for.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// These objects are there, as they are written.
    Apply(Vec<Object>),
    /// This one is there no more.
    Delete(Name),
    /// A session has come up or gone down.
    Session { node: String, peer: String, state: Box<SessionState> },
    /// A node has probed a Service.
    Probe { node: String, service: ServiceKey, found: ProbeStatus },
    /// All objects are known that there were at the start.
    Sync,
    /// The process starts again.
    Restart,
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Result<Step, Vec<String>> {
    let value = serde_json::from_slice(line);
    let value: Value = value.map_err(|error| vec![format!("expected JSON: {error}")])?;
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
    let fields = || value.as_object().ok_or_else(|| format!("{key}: expected an object"));
    match key {
        "apply" => {
            let mut objects = Vec::new();
            collect(fields()?, None, "apply", &mut objects)?;
            Ok(Step::Apply(objects))
        }
        "delete" => {
            let fields = fields()?;
            let kind = text(fields, "delete", "kind")?;
            let namespace = optional_text(fields, "delete", "namespace")?;
            let name = text(fields, "delete", "name")?;
            let api_version = optional_text(fields, "delete", "apiVersion")?;
            let kind = Kind::of(api_version.as_deref(), &kind);
            Ok(Step::Delete(Name::new(kind, namespace, name)))
        }
        "session" => session_step(fields()?),
        "probe" => probe_step(fields()?),
        "sync" | "restart" if *value == Value::Bool(true) => {
            Ok(if key == "sync" { Step::Sync } else { Step::Restart })
        }
        _ => Err(format!("{key}: expected true, found {value}")),
    }
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

/// Takes an object, or the items of a list as `kubectl get` prints it.
pub(super) fn collect(
    fields: &Map<String, Value>,
    of_list: Option<(&str, &str)>,
    path: &str,
    objects: &mut Vec<Object>,
) -> Result<(), String> {
    let own = |key: &str| optional_text(fields, path, key);
    let (api_version, kind) = match (own("apiVersion")?, own("kind")?, of_list) {
        (Some(api_version), Some(kind), _) => (api_version, kind),
        (None, None, Some((api_version, kind))) => (api_version.to_owned(), kind.to_owned()),
        (None, _, _) => return Err(format!("{path}.apiVersion: missing, expected a text")),
        (_, None, _) => return Err(format!("{path}.kind: missing, expected a text")),
    };
    if let (Some(item), Some(Value::Array(items))) =
        (kind.strip_suffix("List"), fields.get("items"))
    {
        let of_list = (!item.is_empty()).then_some((api_version.as_str(), item));
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}.items[{index}]");
            let item = item.as_object().ok_or_else(|| format!("{path}: expected an object"))?;
            collect(item, of_list, &path, objects)?;
        }
        return Ok(());
    }

    let metadata = fields.get("metadata").and_then(Value::as_object);
    let metadata =
        metadata.ok_or_else(|| format!("{path}.metadata: missing, expected an object"))?;
    let path = format!("{path}.metadata");
    let namespace = optional_text(metadata, &path, "namespace")?;
    let name = text(metadata, &path, "name")?;
    let kind = Kind::of(Some(&api_version), &kind);
    let mut fields = fields.clone();
    fields.insert("apiVersion".to_owned(), api_version.into());
    fields.insert("kind".to_owned(), kind.as_str().into());
    objects.push(Object { kind: kind.clone(), name: Name::new(kind, namespace, name), fields });
    Ok(())
}

fn text(fields: &Map<String, Value>, path: &str, key: &str) -> Result<String, String> {
    let text = optional_text(fields, path, key)?;
    text.ok_or_else(|| format!("{path}.{key}: missing, expected a text"))
}

/// An empty text counts as none, as in the API.
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

/// The families that a session carries.
fn families(session: &Map<String, Value>) -> Result<Option<Vec<String>>, String> {
    let families = match session.get("families") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(families)) => families,
        Some(other) => return Err(format!("session.families: expected a list, found {other}")),
    };
    let read = |family: &Value| match family {
        Value::String(family) => Ok(family.clone()),
        other => Err(format!("session.families: expected texts, found {other}")),
    };
    families.iter().map(read).collect::<Result<_, _>>().map(Some)
}

/// How many routes that a session cannot carry are not listed.
fn unlisted(session: &Map<String, Value>) -> Result<usize, String> {
    let count = match session.get("unlisted") {
        None | Some(Value::Null) => return Ok(0),
        Some(count) => count,
    };
    let wrong = || format!("session.unlisted: expected a number, found {count}");
    let count = count.as_u64().ok_or_else(wrong)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The routes that a session cannot carry.
fn unsendable(session: &Map<String, Value>) -> Result<BTreeMap<IpNet, Unsent>, String> {
    let path = "session.unsendable";
    let rows = match session.get("unsendable") {
        None | Some(Value::Null) => return Ok(BTreeMap::new()),
        Some(Value::Array(rows)) => rows,
        Some(other) => return Err(format!("{path}: expected a list, found {other}")),
    };

    let read = |(index, row): (usize, &Value)| {
        let path = format!("{path}[{index}]");
        let row = row.as_object().ok_or_else(|| format!("{path}: expected an object"))?;
        let prefix = text(row, &path, "prefix")?;
        let parsed: IpNet = prefix
            .parse()
            .map_err(|_| format!("{path}.prefix: expected a prefix, found {prefix:?}"))?;
        let (reason, mend) = (text(row, &path, "reason")?, optional_text(row, &path, "mend")?);
        Ok((parsed, Unsent { reason, mend }))
    };
    rows.iter().enumerate().map(read).collect()
}

/// The step that says how a session stands.
pub(super) fn session(node: &str, peer: &str, state: &SessionState) -> Value {
    let unsendable = state.unsendable.iter().map(|(prefix, unsent)| {
        json!({"prefix": prefix.to_string(), "reason": unsent.reason, "mend": unsent.mend})
    });
    let unsendable: Vec<_> = unsendable.collect();
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
    if !unsendable.is_empty() {
        step["unsendable"] = unsendable.into();
    }
    json!({ "session": step })
}

/// The step that says what a probe has found.
pub(super) fn probe(node: &str, service: &ServiceKey, found: &ProbeStatus) -> Value {
    let (found, reason) = match found {
        ProbeStatus::Up => ("up", None),
        ProbeStatus::HeldDown => ("held", None),
        ProbeStatus::Down(why) => ("down", Some(why)),
    };
    let (namespace, name) = (&*service.namespace, &*service.name);
    json!({"probe": {"node": node, "namespace": namespace, "name": name, "found": found, "reason": reason}})
}

const KEYS: [&str; 6] = ["apply", "delete", "session", "probe", "sync", "restart"];
const STEPS: &str = "apply, delete, session, probe, sync and restart";
