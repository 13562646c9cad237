//! An object of the API server, as the tree that [`lb_adapter::manifest`] reads.
//!
//! All listed and watched objects arrive in this form, without the parts that are not needed. A tree is dropped once it has
//! been decoded.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::resource::ObjectName;
use lb_adapter::config::Value;

/// An object of any kind.
#[derive(Clone, Debug)]
pub(super) struct ObjectTree {
    /// The fields that the Kubernetes client library reads.
    metadata: ObjectMeta,
    /// The whole object, including these fields.
    tree: Value,
}

impl ObjectTree {
    /// Returns the namespace and name of the object.
    pub(super) fn name(&self) -> ObjectName {
        let ObjectMeta { namespace, name, .. } = &self.metadata;
        (namespace.clone().unwrap_or_default(), name.clone().unwrap_or_default())
    }

    /// Returns the value at the end of these keys.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.tree, |value, key| value.get(key))
    }

    /// Returns the text at the end of these keys.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        self.get(path)?.text()
    }

    /// Returns the value of an annotation.
    pub(super) fn annotation(&self, name: &str) -> Option<&str> {
        self.text(&["metadata", "annotations", name])
    }

    /// Returns true if this field manager wrote the status, and no other has written `status.loadBalancer` since.
    pub(super) fn has_status_of(&self, manager: &str) -> bool {
        let writers = self.get(&["metadata", "managedFields"]).map_or(&[][..], Value::items);
        let (ours, others): (Vec<_>, Vec<_>) =
            writers.iter().partition(|writer| text_of(writer, "manager") == manager);

        // All times are in UTC and equally long, so they can be compared as text.
        let Some(last) = ours.iter().map(|writer| text_of(writer, "time")).max() else {
            return false;
        };
        let mut others = others.iter().filter(|writer| writer.get("loadBalancer").is_some());
        !others.any(|writer| text_of(writer, "time") > last)
    }

    /// Returns the whole object.
    pub(super) fn tree(&self) -> &Value {
        &self.tree
    }

    /// Returns the object without the parts that the API server and controllers add, such as its status and its version.
    pub(super) fn into_desired_state(self) -> Value {
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

fn metadata_text(tree: &Value, key: &str) -> Option<String> {
    Some(tree.get("metadata")?.get(key)?.text()?.to_owned())
}

fn text_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::text).unwrap_or_default()
}

impl<'de> Deserialize<'de> for ObjectTree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Value::deserialize(deserializer)?;
        let metadata = ObjectMeta {
            namespace: metadata_text(&tree, "namespace"),
            name: metadata_text(&tree, "name"),
            resource_version: metadata_text(&tree, "resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, tree })
    }
}

impl Serialize for ObjectTree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.tree.to_json().serialize(serializer)
    }
}

impl Resource for ObjectTree {
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
