//! The discovery documents: the groups of the API, and the resources of one version of a group.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::resource::{Resource, Resources};
use crate::review;

/// The verbs of every resource but reviews.
const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Returns the `APIGroupList` at `/apis`.
pub(crate) fn group_list(resources: &Resources) -> Value {
    // The versions of each group, and the preferred one.
    let mut groups: BTreeMap<&str, (Vec<&str>, &str)> = BTreeMap::new();
    for resource in resources.iter().filter(|resource| !resource.group.is_empty()) {
        let (versions, preferred) = groups.entry(&resource.group).or_default();
        for version in &resource.versions {
            if !versions.contains(&version.as_str()) {
                versions.push(version);
            }
        }
        *preferred = &resource.version;
    }

    let groups: Vec<Value> = groups
        .into_iter()
        .map(|(name, (versions, preferred))| {
            let versions: Vec<Value> =
                versions.into_iter().map(|version| group_version(name, version)).collect();
            let preferred = group_version(name, preferred);
            json!({"name": name, "versions": versions, "preferredVersion": preferred})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// Returns the verbs of a resource: a review is only created.
fn verbs(resource: &Resource) -> &'static [&'static str] {
    let is_review = review::kind(&resource.group, &resource.plural).is_some();
    if is_review { &["create"] } else { &VERBS }
}

fn group_version(group: &str, version: &str) -> Value {
    json!({"groupVersion": format!("{group}/{version}"), "version": version})
}

/// Returns the `APIResourceList` of one version of a group; `None` if it has no resources.
pub(crate) fn resource_list(resources: &Resources, group: &str, version: &str) -> Option<Value> {
    let list: Vec<Value> = resources
        .iter()
        .filter(|resource| resource.group == group)
        .filter(|resource| resource.versions.iter().any(|served| served == version))
        .map(|resource| {
            json!({
                "name": resource.plural,
                "singularName": resource.kind.to_lowercase(),
                "namespaced": resource.namespaced,
                "kind": resource.kind,
                "verbs": verbs(resource),
            })
        })
        .collect();
    if list.is_empty() {
        return None;
    }

    let group_version =
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": list,
    }))
}
