//! The resources of the server: the built-in ones that FerroLB uses, and those of CustomResourceDefinitions.
//!
//! Owns names, scopes and versions. Has no objects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

/// One resource, in all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) group: String,
    /// The version that objects are stored in.
    pub(crate) version: String,
    /// Every version served.
    pub(crate) versions: Vec<String>,
    pub(crate) plural: String,
    pub(crate) kind: String,
    pub(crate) namespaced: bool,
    /// True if `/status` is an endpoint of its own, so that the main endpoint does not change the status.
    pub(crate) has_status: bool,
    /// True if a CustomResourceDefinition defines it.
    pub(crate) custom: bool,
    /// The Service (namespace and name) of the webhook that converts versions. While it has no endpoint, only the
    /// stored version is served.
    pub(crate) converter: Option<(String, String)>,
}

impl Resource {
    fn built_in(group: &str, plural: &str, kind: &str, namespaced: bool, has_status: bool) -> Self {
        Self {
            group: group.to_owned(),
            version: "v1".to_owned(),
            versions: vec!["v1".to_owned()],
            plural: plural.to_owned(),
            kind: kind.to_owned(),
            namespaced,
            has_status,
            custom: false,
            converter: None,
        }
    }

    /// The `apiVersion` of its objects in this version.
    pub(crate) fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// Its unambiguous name: `services`, `bgppeers.metallb.io`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// Its unambiguous kind, as in errors: `Service`, `BGPPeer.metallb.io`.
    pub(crate) fn qualified_kind(&self) -> String {
        if self.group.is_empty() {
            self.kind.clone()
        } else {
            format!("{}.{}", self.kind, self.group)
        }
    }

    /// An object in this version.
    pub(crate) fn present<'a>(&self, version: &str, object: &'a Value) -> Cow<'a, Value> {
        let api_version = self.api_version(version);
        if object["apiVersion"] == api_version && object["kind"] == self.kind {
            return Cow::Borrowed(object);
        }
        let mut object = object.clone();
        object["apiVersion"] = json!(api_version);
        object["kind"] = json!(self.kind);
        Cow::Owned(object)
    }

    /// A list of these objects in this version.
    pub(crate) fn list<'a>(
        &self,
        version: &str,
        metadata: Value,
        objects: &'a [Arc<Value>],
    ) -> ObjectList<'a> {
        ObjectList {
            api_version: self.api_version(version),
            kind: format!("{}List", self.kind),
            metadata,
            items: objects.iter().map(|object| self.list_item(version, object)).collect(),
        }
    }

    /// An item of a list in this version. As in the responses of the real server, items of built-in types have no `kind`.
    fn list_item<'a>(&self, version: &str, object: &'a Value) -> Cow<'a, Value> {
        let mut object = self.present(version, object);
        if !self.custom
            && let Some(fields) = object.to_mut().as_object_mut()
        {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
        object
    }

    pub(crate) fn is_service(&self) -> bool {
        self.group.is_empty() && self.kind == "Service"
    }
}

/// The answer to a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ObjectList<'a> {
    api_version: String,
    kind: String,
    metadata: Value,
    items: Vec<Cow<'a, Value>>,
}

/// The resources of a server.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    /// By group and plural name.
    known: BTreeMap<(String, String), Arc<Resource>>,
}

impl Resources {
    pub(crate) fn built_in() -> Self {
        let built_in = [
            Resource::built_in("", "services", "Service", true, true),
            Resource::built_in("", "configmaps", "ConfigMap", true, false),
            Resource::built_in(
                "authentication.k8s.io",
                "tokenreviews",
                "TokenReview",
                false,
                false,
            ),
            Resource::built_in(
                "authorization.k8s.io",
                "subjectaccessreviews",
                "SubjectAccessReview",
                false,
                false,
            ),
            Resource::built_in("", "secrets", "Secret", true, false),
            Resource::built_in("", "events", "Event", true, false),
            Resource::built_in("", "endpoints", "Endpoints", true, false),
            Resource::built_in("", "pods", "Pod", true, true),
            Resource::built_in("", "serviceaccounts", "ServiceAccount", true, false),
            Resource::built_in("", "nodes", "Node", false, true),
            Resource::built_in("", "namespaces", "Namespace", false, true),
            Resource::built_in("apps", "deployments", "Deployment", true, true),
            Resource::built_in("apps", "daemonsets", "DaemonSet", true, true),
            Resource::built_in("discovery.k8s.io", "endpointslices", "EndpointSlice", true, false),
            Resource::built_in("events.k8s.io", "events", "Event", true, false),
            Resource::built_in("networking.k8s.io", "servicecidrs", "ServiceCIDR", false, true),
            Resource::built_in("coordination.k8s.io", "leases", "Lease", true, false),
            Resource::built_in("networking.k8s.io", "servicecidrs", "ServiceCIDR", false, true),
            Resource::built_in("rbac.authorization.k8s.io", "roles", "Role", true, false),
            Resource::built_in(
                "rbac.authorization.k8s.io",
                "rolebindings",
                "RoleBinding",
                true,
                false,
            ),
            Resource::built_in(
                "rbac.authorization.k8s.io",
                "clusterroles",
                "ClusterRole",
                false,
                false,
            ),
            Resource::built_in(
                "rbac.authorization.k8s.io",
                "clusterrolebindings",
                "ClusterRoleBinding",
                false,
                false,
            ),
            Resource::built_in(
                "apiextensions.k8s.io",
                "customresourcedefinitions",
                "CustomResourceDefinition",
                false,
                true,
            ),
            Resource::built_in(
                "admissionregistration.k8s.io",
                "validatingwebhookconfigurations",
                "ValidatingWebhookConfiguration",
                false,
                false,
            ),
        ];

        let mut resources = Self { known: BTreeMap::new() };
        for resource in built_in {
            resources.insert(resource);
        }
        resources
    }

    fn insert(&mut self, resource: Resource) {
        let name = (resource.group.clone(), resource.plural.clone());
        self.known.insert(name, Arc::new(resource));
    }

    pub(crate) fn find(&self, group: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.known.get(&(group.to_owned(), plural.to_owned()))
    }

    pub(crate) fn of_kind(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        self.iter().find(|resource| {
            resource.kind == kind
                && resource
                    .versions
                    .iter()
                    .any(|version| resource.api_version(version) == api_version)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.known.values().map(|resource| &**resource)
    }

    /// Serves the resource of a CustomResourceDefinition from now on.
    pub(crate) fn define(&mut self, definition: &Value) -> Result<(), String> {
        let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
        let versions = versions.ok_or("expected a list at /spec/versions")?;
        let storage = names_with(versions, "storage");
        let storage = storage.first().ok_or("expected one version with storage: true")?;
        let has_status =
            versions.iter().any(|version| version.pointer("/subresources/status").is_some());

        self.insert(Resource {
            group: text(definition, "/spec/group")?,
            version: storage.clone(),
            versions: names_with(versions, "served"),
            plural: text(definition, "/spec/names/plural")?,
            kind: text(definition, "/spec/names/kind")?,
            namespaced: text(definition, "/spec/scope")? == "Namespaced",
            has_status,
            custom: true,
            converter: converter(definition),
        });
        Ok(())
    }

    /// Stops serving the resource of a CustomResourceDefinition.
    pub(crate) fn undefine(&mut self, definition: &Value) {
        let [group, plural] = ["/spec/group", "/spec/names/plural"]
            .map(|pointer| text(definition, pointer).unwrap_or_default());
        self.known.remove(&(group, plural));
    }
}

fn text(definition: &Value, pointer: &str) -> Result<String, String> {
    let text = definition.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| format!("expected a text at {pointer}"))
}

/// The names of the versions whose `flag` is true.
fn names_with(versions: &[Value], flag: &str) -> Vec<String> {
    let flagged = versions.iter().filter(|version| version[flag] == Value::Bool(true));
    flagged.filter_map(|version| Some(version["name"].as_str()?.to_owned())).collect()
}

/// The namespace and name of the Service that converts the versions of a CustomResourceDefinition.
fn converter(definition: &Value) -> Option<(String, String)> {
    let conversion = definition.pointer("/spec/conversion")?;
    if conversion["strategy"] != "Webhook" {
        return None;
    }
    let service = &conversion["webhook"]["clientConfig"]["service"];
    let [namespace, name] =
        ["namespace", "name"].map(|field| service[field].as_str().unwrap_or_default().to_owned());
    Some((namespace, name))
}
