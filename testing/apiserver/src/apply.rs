//! Owners of fields, in the form of the real server's `managedFields`; and server-side apply, which meets a conflict where
//! it changes a field that another manager owns.
//!
//! Ownership is by leaf: a scalar, or a list as a whole. The real server merges some lists by key. The result is the same
//! for the objects of FerroLB's own, whose lists are written by one owner.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::write::now;

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
    let me = Owner::new(manager, "Apply", subresource);
    for owner in owners.iter_mut().filter(|owner| !owner.is(&me)) {
        let contested: Vec<String> = wanted.intersection(&owner.fields).cloned().collect();
        for path in contested {
            if result.pointer(&path) == applied.pointer(&path) {
                continue;
            }
            if !force {
                return Err(Failure::apply_conflict(format!(
                    "Apply failed with 1 conflict: conflict with {:?}: {}",
                    owner.manager,
                    path.replace('/', ".")
                )));
            }
            owner.fields.remove(&path);
        }
    }

    let before = owners.iter().find(|owner| owner.is(&me)).cloned().unwrap_or_else(|| me.clone());
    for path in before.fields.difference(&wanted) {
        let others = owners.iter().any(|owner| !owner.is(&me) && owner.fields.contains(path));
        if !others {
            remove(&mut result, path);
        }
    }
    merge(&mut result, applied);

    let is_as_before = before.fields == wanted && object == Some(&result);
    owners.retain(|owner| !owner.is(&me) && !owner.fields.is_empty());
    let time = if is_as_before { before.time } else { now() };
    owners.push(Owner { fields: wanted, time, ..me });
    write_owners(&mut result, &owners);
    Ok(result)
}

/// Notes that `manager` has written these fields in another way than by apply. It does not own the fields that a request
/// to this subresource cannot change.
pub(crate) fn own(object: &mut Value, before: Option<&Value>, manager: &str, subresource: &str) {
    let (mut is, mut was) = (BTreeSet::new(), BTreeSet::new());
    leaves(object, String::new(), &mut is);
    if let Some(before) = before {
        leaves(before, String::new(), &mut was);
    }
    let changed: BTreeSet<String> = is
        .iter()
        .filter(|path| {
            !was.contains(*path)
                || before.is_some_and(|it| it.pointer(path) != object.pointer(path))
        })
        .cloned()
        .collect();

    let mut owners = owners(object);
    for owner in &mut owners {
        owner.fields.retain(|path| is.contains(path) && !changed.contains(path));
    }
    let of_others = if subresource == "status" { "/spec" } else { "/status" };
    let mut own = changed;
    own.retain(|path| !path.starts_with(of_others));
    if !own.is_empty() {
        let me = Owner::new(manager, "Update", subresource);
        match owners.iter_mut().find(|owner| owner.is(&me)) {
            Some(owner) => {
                owner.fields.extend(own);
                owner.time = now();
            }
            None => owners.push(Owner { fields: own, ..me }),
        }
    }
    owners.retain(|owner| !owner.fields.is_empty());
    write_owners(object, &owners);
}

/// One entry of `managedFields`.
#[derive(Clone, Debug)]
struct Owner {
    manager: String,
    /// `Apply` or `Update`.
    operation: String,
    subresource: String,
    time: String,
    /// JSON pointers.
    fields: BTreeSet<String>,
}

impl Owner {
    fn new(manager: &str, operation: &str, subresource: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            operation: operation.to_owned(),
            subresource: subresource.to_owned(),
            time: now(),
            fields: BTreeSet::new(),
        }
    }

    /// Returns true if both are entries of one manager for one way of writing.
    fn is(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.manager.clone(), it.operation.clone(), it.subresource.clone());
        key(self) == key(other)
    }
}

fn owners(object: &Value) -> Vec<Owner> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = entries.into_iter().flatten().map(|entry| {
        let mut fields = BTreeSet::new();
        pointers(&entry["fieldsV1"], "", &mut fields);
        Owner {
            manager: text(&entry["manager"]),
            operation: text(&entry["operation"]),
            subresource: text(&entry["subresource"]),
            time: text(&entry["time"]),
            fields,
        }
    });
    entries.collect()
}

fn write_owners(object: &mut Value, owners: &[Owner]) {
    let version = object["apiVersion"].clone();
    let entries = owners.iter().map(|owner| {
        let mut fields = json!({});
        owner.fields.iter().for_each(|path| insert(&mut fields, path));
        let mut entry = json!({"manager": owner.manager, "operation": owner.operation, "apiVersion": version,
            "time": owner.time, "fieldsType": "FieldsV1", "fieldsV1": fields});
        if !owner.subresource.is_empty() {
            entry["subresource"] = json!(owner.subresource);
        }
        entry
    });
    object["metadata"]["managedFields"] = entries.collect();
}

/// The JSON pointers of a tree of fields, whose keys are `f:` and a name. What is below a list counts as the list.
fn pointers(fields: &Value, path: &str, into: &mut BTreeSet<String>) {
    let keys = fields.as_object().into_iter().flatten();
    let named: Vec<_> =
        keys.filter_map(|(key, value)| Some((key.strip_prefix("f:")?, value))).collect();
    if named.is_empty() && !path.is_empty() {
        into.insert(path.to_owned());
    }
    for (name, value) in named {
        pointers(value, &format!("{path}/{}", escaped(name)), into);
    }
}

/// Adds a JSON pointer to a tree of fields.
fn insert(fields: &mut Value, path: &str) {
    let mut at = fields;
    for name in path.split('/').skip(1) {
        at = &mut at[format!("f:{}", unescaped(name))];
        if at.is_null() {
            *at = json!({});
        }
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
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
                leaves(value, format!("{path}/{}", escaped(key)), into);
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
    let key = unescaped(key);
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

    #[test]
    fn managed_fields_name_the_writer_of_the_status_as_on_a_real_server() {
        let mut created = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
            "spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}});
        own(&mut created, None, "kubectl", "");
        let mut written = created.clone();
        written["metadata"]["annotations"] = json!({"example.com/pool": "a"});
        written["status"]["loadBalancer"] = json!({"ingress": [{"ip": "192.0.2.1"}]});
        own(&mut written, Some(&created), "controller", "status");

        let entries = written["metadata"]["managedFields"].as_array().unwrap();
        let [kubectl, controller] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(kubectl["fieldsV1"], json!({"f:spec": {"f:type": {}}}));
        assert!(kubectl.get("subresource").is_none());
        assert_eq!(controller["subresource"], "status");
        assert_eq!(controller["operation"], "Update");
        let expected = json!({"f:metadata": {"f:annotations": {"f:example.com/pool": {}}},
            "f:status": {"f:loadBalancer": {"f:ingress": {}}}});
        assert_eq!(controller["fieldsV1"], expected);

        // The next one takes what it changes, and what is as it was has no other owner.
        let mut again = written.clone();
        again["status"]["loadBalancer"] = json!({"ingress": [{"ip": "192.0.2.2"}]});
        own(&mut again, Some(&written), "ferrolb-controller", "status");
        let of = |manager: &str| {
            let entries = again["metadata"]["managedFields"].as_array().unwrap();
            entries.iter().find(|it| it["manager"] == manager).unwrap()["fieldsV1"].clone()
        };
        assert_eq!(
            of("controller"),
            json!({"f:metadata": {"f:annotations": {"f:example.com/pool": {}}}})
        );
        assert_eq!(
            of("ferrolb-controller"),
            json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}})
        );
        let mut same = again.clone();
        own(&mut same, Some(&again), "another", "status");
        assert_eq!(same, again);
    }
}
