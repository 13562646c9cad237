//! Authorization: tokens of service accounts, and the Roles and ClusterRoles that are bound to the accounts.
//!
//! The rules come from the manifests that are installed in a cluster, so that a test fails if one of them lacks a
//! verb. Only discovery is allowed without a rule, as by `system:authenticated`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;

/// The token of the administrator, who may do everything.
pub(crate) const ADMIN: &str = "admin";

/// The attributes of a request that the rules decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestAttributes {
    pub(crate) verb: Cow<'static, str>,
    pub(crate) group: String,
    /// The resource, with its subresource: `services/status`.
    pub(crate) resource: String,
    /// Empty for resources without a namespace, and for requests across all namespaces.
    pub(crate) namespace: String,
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRule {
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
}

impl PolicyRule {
    fn allows(&self, request: &RequestAttributes) -> bool {
        let allows_name = self.resource_names.is_empty()
            || request.name.as_ref().is_some_and(|name| self.resource_names.contains(name));

        allows_name
            && lists(&self.verbs, &request.verb)
            && lists(&self.api_groups, &request.group)
            && lists(&self.resources, &request.resource)
    }

    /// Returns true if the rule allows a path of the server that belongs to no resource. A pattern may end with `*`.
    fn allows_path(&self, verb: &str, path: &str) -> bool {
        let is_path = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => pattern == path,
        };
        lists(&self.verbs, verb) && self.non_resource_urls.iter().any(is_path)
    }
}

/// Returns true if a list of a rule contains a value or `*`.
fn lists(list: &[String], wanted: &str) -> bool {
    list.iter().any(|value| value == wanted || value == "*")
}

/// The role of a binding: its namespace (empty for a ClusterRole) and name.
type RoleKey = (String, String);

/// A role that is bound to a service account.
#[derive(Clone, Debug)]
struct RoleBinding {
    /// `namespace/name`.
    account: String,
    /// The namespace that the binding is valid for; `None` for all.
    namespace: Option<String>,
    role: RoleKey,
}

/// The service accounts with their roles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorizer {
    roles: BTreeMap<RoleKey, Vec<PolicyRule>>,
    bindings: Vec<RoleBinding>,
}

impl Authorizer {
    /// Adds a Role, ClusterRole, RoleBinding or ClusterRoleBinding, and ignores other objects.
    pub(crate) fn add(&mut self, object: &Value) -> Result<(), String> {
        let (name, namespace) =
            (text(&object["metadata"]["name"]), text(&object["metadata"]["namespace"]));
        match object["kind"].as_str().unwrap_or_default() {
            "Role" | "ClusterRole" => {
                let rules = serde_json::from_value(object["rules"].clone());
                let rules = rules.map_err(|error| format!("the rules of {name}: {error}"))?;
                self.roles.insert((namespace, name), rules);
            }
            "RoleBinding" => self.bind(object, Some(&namespace)),
            "ClusterRoleBinding" => self.bind(object, None),
            _ => {}
        }
        Ok(())
    }

    fn bind(&mut self, binding: &Value, namespace: Option<&str>) {
        let role = &binding["roleRef"];
        let role_namespace =
            if role["kind"] == "Role" { namespace.unwrap_or_default() } else { "" };

        for subject in binding["subjects"].as_array().into_iter().flatten() {
            self.bindings.push(RoleBinding {
                account: format!("{}/{}", text(&subject["namespace"]), text(&subject["name"])),
                namespace: namespace.map(str::to_owned),
                role: (role_namespace.to_owned(), text(&role["name"])),
            });
        }
    }

    /// Allows or forbids a request with this token: `admin`, or `namespace/name` of a service account.
    pub(crate) fn authorize(
        &self,
        token: Option<&str>,
        request: &RequestAttributes,
    ) -> Result<(), Failure> {
        let Some(token) = token else { return Err(Failure::unauthorized()) };
        if token == ADMIN || self.is_allowed(token, request) {
            return Ok(());
        }

        let RequestAttributes { verb, group, resource, namespace, .. } = request;
        let user = format!("system:serviceaccount:{}", token.replace('/', ":"));
        let place = match namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let name = request.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
        Err(Failure::forbidden(format!(
            "{resource}{name} is forbidden: User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}"
        )))
    }

    /// Returns true if a service account may do this.
    pub(crate) fn is_allowed(&self, account: &str, request: &RequestAttributes) -> bool {
        self.bindings
            .iter()
            .filter(|binding| binding.account == account)
            .filter(|binding| {
                binding.namespace.as_ref().is_none_or(|namespace| *namespace == request.namespace)
            })
            .filter_map(|binding| self.roles.get(&binding.role))
            .flatten()
            .any(|rule| rule.allows(request))
    }

    /// Returns true if a service account may do this with a path that belongs to no resource. Only ClusterRoleBindings count.
    pub(crate) fn may_use_path(&self, account: &str, verb: &str, path: &str) -> bool {
        self.bindings
            .iter()
            .filter(|binding| binding.account == account && binding.namespace.is_none())
            .filter_map(|binding| self.roles.get(&binding.role))
            .flatten()
            .any(|rule| rule.allows_path(verb, path))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(
        verb: &'static str,
        resource: &str,
        namespace: &str,
        name: Option<&str>,
    ) -> RequestAttributes {
        RequestAttributes {
            verb: verb.into(),
            group: String::new(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn a_role_holds_in_its_namespace_and_for_its_names() {
        let mut authorizer = Authorizer::default();
        for object in [
            json!({"kind": "Role", "metadata": {"name": "r", "namespace": "ns"}, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"], "verbs": ["get"]}]}),
            json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns"},
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "ServiceAccount", "namespace": "ns", "name": "speaker"}]}),
        ] {
            authorizer.add(&object).unwrap();
        }

        let may = |request| authorizer.authorize(Some("ns/speaker"), &request).is_ok();
        assert!(may(request("get", "secrets", "ns", Some("s"))));
        assert!(!may(request("get", "secrets", "ns", Some("other"))));
        assert!(!may(request("list", "secrets", "ns", None)));
        assert!(!may(request("get", "secrets", "default", Some("s"))));
        assert_eq!(
            authorizer.authorize(None, &request("get", "secrets", "ns", None)).unwrap_err().code,
            401
        );
    }

    #[test]
    fn a_cluster_role_holds_everywhere_and_subresources_are_apart() {
        let mut authorizer = Authorizer::default();
        for object in [
            json!({"kind": "ClusterRole", "metadata": {"name": "c"}, "rules": [
                {"apiGroups": [""], "resources": ["services/status"], "verbs": ["patch"]}]}),
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
                "roleRef": {"kind": "ClusterRole", "name": "c"},
                "subjects": [{"kind": "ServiceAccount", "namespace": "ns", "name": "controller"}]}),
        ] {
            authorizer.add(&object).unwrap();
        }

        let may = |request| authorizer.authorize(Some("ns/controller"), &request).is_ok();
        assert!(may(request("patch", "services/status", "any", Some("a"))));
        assert!(!may(request("patch", "services", "any", Some("a"))));
    }
}
