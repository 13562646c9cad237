//! The owners of fields, in the format of the real server's `managedFields`, and server-side apply. An apply has a
//! conflict if it changes a field that another manager owns.
//!
//! A leaf has one owner: a scalar, or a list as a whole. The real server merges some lists by key. For FerroLB's
//! objects the result is the same, since each of their lists has one writer.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::clock::now;
use crate::failure::Failure;

/// Applies an object: sets its fields, and removes those that `manager` owned before and no longer applies.
pub(crate) fn apply(
    object: Option<&Value>,
    applied: &Value,
    manager: &str,
    force: bool,
    subresource: &str,
) -> Result<Value, Failure> {
    let wanted: BTreeSet<String> = leaves(applied).into_keys().collect();

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

/// Records that `manager` has written the changed fields with an update instead of an apply. It does not become the
/// owner of fields that a request to this subresource cannot change.
pub(crate) fn record_update(
    object: &mut Value,
    before: Option<&Value>,
    manager: &str,
    subresource: &str,
) {
    let mut differences = Differences::default();
    differences.find(before, Some(object), &mut String::new());
    let Differences { set: changed, gone } = differences;
    if changed.is_empty() && gone.is_empty() && object["metadata"]["managedFields"].is_array() {
        return;
    }

    let mut owners = owners(object);
    for owner in &mut owners {
        owner.fields.retain(|path| !gone.contains(path) && !changed.contains(path));
    }

    let other_part = if subresource == "status" { "/spec" } else { "/status" };
    let mut own = changed;
    own.retain(|path| !path.starts_with(other_part));
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
        (&self.manager, &self.operation, &self.subresource)
            == (&other.manager, &other.operation, &other.subresource)
    }
}

fn owners(object: &Value) -> Vec<Owner> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let mut owners = Vec::new();
    for entry in entries.into_iter().flatten() {
        let mut fields = BTreeSet::new();
        pointers(&entry["fieldsV1"], "", &mut fields);
        let [manager, operation, subresource, time] =
            ["manager", "operation", "subresource", "time"]
                .map(|field| entry[field].as_str().unwrap_or_default().to_owned());
        owners.push(Owner { manager, operation, subresource, time, fields });
    }
    owners
}

fn write_owners(object: &mut Value, owners: &[Owner]) {
    let version = object["apiVersion"].clone();
    let mut entries = Vec::new();
    for owner in owners {
        let mut fields = json!({});
        for path in &owner.fields {
            insert(&mut fields, path);
        }

        let mut entry = json!({"manager": owner.manager, "operation": owner.operation, "apiVersion": version,
            "time": owner.time, "fieldsType": "FieldsV1", "fieldsV1": fields});
        if !owner.subresource.is_empty() {
            entry["subresource"] = json!(owner.subresource);
        }
        entries.push(entry);
    }
    object["metadata"]["managedFields"] = entries.into();
}

/// Collects the JSON pointers of a tree of fields, whose keys are `f:` and a name. Everything below a list is the list.
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

fn escaped(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) {
        name.replace('~', "~0").replace('/', "~1").into()
    } else {
        name.into()
    }
}

fn unescaped(name: &str) -> Cow<'_, str> {
    if name.contains('~') { name.replace("~1", "/").replace("~0", "~").into() } else { name.into() }
}

/// Fields that identify an object or that the server writes. They have no owner.
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

/// The fields in which two versions of an object differ, by their JSON pointers.
#[derive(Debug, Default)]
struct Differences {
    /// The fields that are new or have another value.
    set: BTreeSet<String>,
    /// The fields that are no longer there or have another value.
    gone: BTreeSet<String>,
}

impl Differences {
    /// Compares the values at a path. Equal parts of the objects cost no more than a comparison.
    fn find(&mut self, before: Option<&Value>, after: Option<&Value>, path: &mut String) {
        if before == after || UNOWNED.contains(&path.as_str()) {
            return;
        }

        // A leaf may have become an object, or the other way round.
        let [fields_before, fields_after] = [before, after].map(fields);
        if before.is_some() && fields_before.is_none() {
            self.gone.insert(path.clone());
        }
        if after.is_some() && fields_after.is_none() {
            self.set.insert(path.clone());
        }

        let missing = |key: &str| fields_after.is_none_or(|after| !after.contains_key(key));
        let old = fields_before.into_iter().flatten().filter(|(key, _)| missing(key));
        let old = old.map(|(key, value)| (key, Some(value), None));
        let new = fields_after.into_iter().flatten().map(|(key, value)| {
            (key, fields_before.and_then(|before| before.get(key)), Some(value))
        });
        for (key, before, after) in old.chain(new) {
            let length = path.len();
            path.push('/');
            path.push_str(&escaped(key));
            self.find(before, after, path);
            path.truncate(length);
        }
    }
}

/// Returns the fields of an object that has any. Everything else is a leaf.
fn fields(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value?.as_object().filter(|fields| !fields.is_empty())
}

/// Returns the fields of an object that have an owner, each by its JSON pointer.
fn leaves(object: &Value) -> BTreeMap<String, &Value> {
    let mut leaves = BTreeMap::new();
    add_leaves(object, &mut String::new(), &mut leaves);
    leaves
}

fn add_leaves<'a>(value: &'a Value, path: &mut String, into: &mut BTreeMap<String, &'a Value>) {
    match value {
        _ if UNOWNED.contains(&path.as_str()) => {}
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let length = path.len();
                path.push('/');
                path.push_str(&escaped(key));
                add_leaves(value, path, into);
                path.truncate(length);
            }
        }
        _ if path.is_empty() => {}
        _ => {
            into.insert(path.clone(), value);
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
        fields.remove(&*key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apply_removes_own_fields_and_keeps_those_of_others() {
        let first = apply(None, &json!({"spec": {"a": 1, "b": 2}}), "one", false, "").unwrap();
        let both = apply(Some(&first), &json!({"spec": {"c": 3}}), "two", false, "").unwrap();
        let less = apply(Some(&both), &json!({"spec": {"a": 1}}), "one", false, "").unwrap();
        assert_eq!(less["spec"], json!({"a": 1, "c": 3}));
    }

    #[test]
    fn changing_anothers_field_is_a_conflict_unless_forced() {
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
        record_update(&mut updated, Some(&first), "editor", "");
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
        record_update(&mut created, None, "kubectl", "");
        let mut written = created.clone();
        written["metadata"]["annotations"] = json!({"example.com/pool": "a"});
        written["status"]["loadBalancer"] = json!({"ingress": [{"ip": "192.0.2.1"}]});
        record_update(&mut written, Some(&created), "controller", "status");

        let entries = written["metadata"]["managedFields"].as_array().unwrap();
        let [kubectl, controller] = &entries[..] else { panic!("{entries:?}") };
        assert_eq!(kubectl["fieldsV1"], json!({"f:spec": {"f:type": {}}}));
        assert!(kubectl.get("subresource").is_none());
        assert_eq!(controller["subresource"], "status");
        assert_eq!(controller["operation"], "Update");
        let expected = json!({"f:metadata": {"f:annotations": {"f:example.com/pool": {}}},
            "f:status": {"f:loadBalancer": {"f:ingress": {}}}});
        assert_eq!(controller["fieldsV1"], expected);

        // The next writer becomes the owner of the fields that it changes, and of no others.
        let mut again = written.clone();
        again["status"]["loadBalancer"] = json!({"ingress": [{"ip": "192.0.2.2"}]});
        record_update(&mut again, Some(&written), "ferrolb-controller", "status");

        let fields_of = |manager: &str| {
            let entries = again["metadata"]["managedFields"].as_array().unwrap();
            entries.iter().find(|entry| entry["manager"] == manager).unwrap()["fieldsV1"].clone()
        };

        assert_eq!(
            fields_of("controller"),
            json!({"f:metadata": {"f:annotations": {"f:example.com/pool": {}}}})
        );
        assert_eq!(
            fields_of("ferrolb-controller"),
            json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}})
        );

        let mut same = again.clone();
        record_update(&mut same, Some(&again), "another", "status");
        assert_eq!(same, again);

        // A field that is gone has no owner, also if another one has its place.
        let mut replaced = again.clone();
        replaced["metadata"]["annotations"] = json!({});
        replaced["spec"]["type"] = json!({"name": "ClusterIP"});
        record_update(&mut replaced, Some(&again), "kubectl", "");
        let entries = replaced["metadata"]["managedFields"].as_array().unwrap();
        let owned: Vec<_> =
            entries.iter().map(|entry| (&entry["manager"], &entry["fieldsV1"])).collect();
        let kubectl =
            json!({"f:metadata": {"f:annotations": {}}, "f:spec": {"f:type": {"f:name": {}}}});
        let controller = json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}});
        assert_eq!(
            owned,
            [(&json!("kubectl"), &kubectl), (&json!("ferrolb-controller"), &controller)]
        );
    }
}
