//! Server-side apply: fields have owners, and who applies another's field meets a conflict.
//!
//! Ownership is by leaf: a scalar, or a list as a whole; the real server merges some lists by key. What is merged
//! is the same for the objects of FerroLB's own, whose lists are written by one owner.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// What `manager` owned before and no longer applies is removed, and what it applies is set.
pub(crate) fn apply(
    object: Option<&Value>,
    applied: &Value,
    manager: &str,
    force: bool,
    subresource: &str,
) -> Result<Value, Failure> {
    let mut wanted = BTreeSet::new();
    leaves(applied, String::new(), &mut wanted);
    let mut result = object.cloned().unwrap_or_else(|| json!({"metadata": {}}));
    let mut owners = owners(&result);
    for (owner, fields) in &mut owners {
        if owner.0 == manager && owner.1 == subresource {
            continue;
        }
        let contested: Vec<String> = wanted.intersection(fields).cloned().collect();
        for path in contested {
            if result.pointer(&path) == applied.pointer(&path) {
                continue;
            }
            if !force {
                return Err(Failure::apply_conflict(format!(
                    "Apply failed with 1 conflict: conflict with {:?}: {}",
                    owner.0,
                    path.replace('/', ".")
                )));
            }
            fields.remove(&path);
        }
    }
    let mine = (manager.to_owned(), subresource.to_owned());
    let before = owners.iter().find(|(owner, _)| *owner == mine).map(|(_, fields)| fields.clone());
    for path in before.unwrap_or_default().difference(&wanted) {
        let others = owners.iter().any(|(owner, fields)| *owner != mine && fields.contains(path));
        if !others {
            remove(&mut result, path);
        }
    }
    merge(&mut result, applied);
    owners.retain(|(owner, fields)| *owner != mine && !fields.is_empty());
    owners.push((mine, wanted));
    write_owners(&mut result, &owners);
    Ok(result)
}

/// Notes that `manager` has written these fields by another way than apply.
pub(crate) fn own(object: &mut Value, before: Option<&Value>, manager: &str, subresource: &str) {
    let (mut now, mut then) = (BTreeSet::new(), BTreeSet::new());
    leaves(object, String::new(), &mut now);
    if let Some(before) = before {
        leaves(before, String::new(), &mut then);
    }
    let changed: BTreeSet<String> = now
        .iter()
        .filter(|path| {
            !then.contains(*path)
                || before.is_some_and(|it| it.pointer(path) != object.pointer(path))
        })
        .cloned()
        .collect();
    let mut owners = owners(object);
    for (_, fields) in &mut owners {
        fields.retain(|path| now.contains(path) && !changed.contains(path));
    }
    let mine = (manager.to_owned(), subresource.to_owned());
    match owners.iter_mut().find(|(owner, _)| *owner == mine) {
        Some((_, fields)) => fields.extend(changed),
        None => owners.push((mine, changed)),
    }
    owners.retain(|(_, fields)| !fields.is_empty());
    write_owners(object, &owners);
}

type Owners = Vec<((String, String), BTreeSet<String>)>;

fn owners(object: &Value) -> Owners {
    let fields = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = fields.into_iter().flatten().map(|entry| {
        let fields =
            entry["fieldsV1"].as_object().into_iter().flat_map(Map::keys).cloned().collect();
        ((text(&entry["manager"]), text(&entry["subresource"])), fields)
    });
    entries.collect()
}

fn write_owners(object: &mut Value, owners: &Owners) {
    let entries = owners.iter().map(|((manager, subresource), fields)| {
        let fields: Map<String, Value> = fields.iter().map(|path| (path.clone(), json!({}))).collect();
        json!({"manager": manager, "subresource": subresource, "fieldsType": "FieldsV1", "fieldsV1": fields})
    });
    object["metadata"]["managedFields"] = entries.collect();
}

/// Fields that identify an object or that the server writes: nobody owns them.
const UNOWNED: [&str; 9] = [
    "/apiVersion",
    "/kind",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/resourceVersion",
    "/metadata/uid",
    "/metadata/creationTimestamp",
    "/metadata/generation",
    "/metadata/managedFields",
];

fn leaves(value: &Value, path: String, into: &mut BTreeSet<String>) {
    match value {
        _ if UNOWNED.contains(&path.as_str()) => {}
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                leaves(
                    value,
                    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
                    into,
                );
            }
        }
        _ if path.is_empty() => {}
        _ => {
            into.insert(path);
        }
    }
}

fn merge(into: &mut Value, applied: &Value) {
    match (into, applied) {
        (Value::Object(into), Value::Object(applied)) => {
            for (key, value) in applied {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, applied) => *into = applied.clone(),
    }
}

fn remove(object: &mut Value, path: &str) {
    let Some((parent, key)) = path.rsplit_once('/') else { return };
    let key = key.replace("~1", "/").replace("~0", "~");
    if let Some(Value::Object(fields)) = object.pointer_mut(parent) {
        fields.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_longer_applied_goes_and_what_others_own_stays() {
        let first = apply(None, &json!({"spec": {"a": 1, "b": 2}}), "one", false, "").unwrap();
        let both = apply(Some(&first), &json!({"spec": {"c": 3}}), "two", false, "").unwrap();
        let less = apply(Some(&both), &json!({"spec": {"a": 1}}), "one", false, "").unwrap();
        assert_eq!(less["spec"], json!({"a": 1, "c": 3}));
    }

    #[test]
    fn anothers_field_is_a_conflict_unless_forced() {
        let first = apply(None, &json!({"spec": {"a": 1}}), "one", false, "").unwrap();
        assert_eq!(
            apply(Some(&first), &json!({"spec": {"a": 2}}), "two", false, "").unwrap_err().code,
            409
        );
        assert!(apply(Some(&first), &json!({"spec": {"a": 1}}), "two", false, "").is_ok());
        let forced = apply(Some(&first), &json!({"spec": {"a": 2}}), "two", true, "").unwrap();
        assert_eq!(forced["spec"]["a"], 2);
        assert_eq!(
            apply(Some(&forced), &json!({"spec": {"a": 1}}), "one", false, "").unwrap_err().code,
            409
        );
    }

    #[test]
    fn an_update_takes_the_fields_that_it_changes() {
        let first = apply(None, &json!({"spec": {"a": 1, "b": 1}}), "one", false, "").unwrap();
        let mut updated = first.clone();
        updated["spec"]["a"] = json!(5);
        own(&mut updated, Some(&first), "editor", "");
        assert_eq!(
            apply(Some(&updated), &json!({"spec": {"a": 1, "b": 1}}), "one", false, "")
                .unwrap_err()
                .code,
            409
        );
    }
}
