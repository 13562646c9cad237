//! An object as the API server has it, while it is being read.
//!
//! Of what is listed and watched nothing else is made than this: the tree that [`lb_adapter::manifest`] reads, without
//! what says nothing here. It lives until its row is made.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::watch::ObjectName;
use lb_adapter::config::Value;

/// An object of whatever kind.
#[derive(Clone, Debug)]
pub(super) struct Object {
    /// What the client must know.
    metadata: ObjectMeta,
    /// All of it.
    tree: Value,
}

impl Object {
    /// Namespace and name.
    pub(super) fn name(&self) -> ObjectName {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (text(&self.metadata.namespace), text(&self.metadata.name))
    }

    /// The value at the end of these keys.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.tree, |value, key| value.get(key))
    }

    /// The text at the end of these keys.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        self.get(path)?.text()
    }

    /// An annotation's value.
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.text(&["metadata", "annotations", name])
    }

    /// Returns true if this field manager wrote the status, and no other has written the addresses of a load balancer since.
    pub(super) fn has_status_of(&self, manager: &str) -> bool {
        let writers = self.get(&["metadata", "managedFields"]).map_or(&[][..], Value::items);
        let (ours, others): (Vec<_>, Vec<_>) =
            writers.iter().partition(|it| text_of(it, "manager") == manager);

        // Times are in UTC and of one length, so that they compare as texts.
        let Some(last) = ours.iter().map(|it| text_of(it, "time")).max() else { return false };
        let mut others = others.iter().filter(|it| it.get("loadBalancer").is_some());
        !others.any(|it| text_of(it, "time") > last)
    }

    /// All of it.
    pub(super) fn tree(&self) -> &Value {
        &self.tree
    }

    /// Returns the object without what the API server and controllers add, such as its status and its version.
    pub(super) fn into_said(self) -> Value {
        let mut tree = self.tree;
        tree.remove("status");
        if let Some(metadata) = tree.get_mut("metadata") {
            metadata.remove("resourceVersion");
            metadata.remove("generation");
            metadata.remove("managedFields");
        }
        tree
    }
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::text).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Value::deserialize(deserializer)?;
        let text = |key: &str| Some(tree.get("metadata")?.get(key)?.text()?.to_owned());
        let metadata = ObjectMeta {
            namespace: text("namespace"),
            name: text("name"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, tree })
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tree.to_json().serialize(serializer)
    }
}

impl Resource for Object {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
