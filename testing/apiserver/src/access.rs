//! Who may do what: tokens of service accounts, and the Roles and ClusterRoles that bind to them.
//!
//! The rules are read from the manifests that are installed in a cluster, so that a test fails where one lacks a
//! verb. No rule is assumed but what `system:authenticated` may do everywhere: discovery.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::failure::Failure;

/// What a request wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) verb: &'static str,
    pub(crate) group: String,
    /// With the subresource: `services/status`.
    pub(crate) resource: String,
    /// Empty for resources without one, and across all namespaces.
    pub(crate) namespace: String,
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
}

impl Rule {
    fn allows(&self, wish: &Wish) -> bool {
        let among =
            |list: &[String], wanted: &str| list.iter().any(|one| one == wanted || one == "*");
        among(&self.verbs, wish.verb)
            && among(&self.api_groups, &wish.group)
            && among(&self.resources, &wish.resource)
            && (self.resource_names.is_empty()
                || wish.name.as_ref().is_some_and(|name| self.resource_names.contains(name)))
    }
}

/// The service accounts and what they are bound to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// Rules of a role, by namespace (empty for a ClusterRole) and name.
    roles: BTreeMap<(String, String), Vec<Rule>>,
    /// For a service account (`namespace/name`): in which namespace (`None` for all) which role holds.
    bindings: Vec<(String, Option<String>, (String, String))>,
}

/// The token of who may do everything.
pub(crate) const ADMIN: &str = "admin";

impl Access {
    /// Learns from a Role, ClusterRole, RoleBinding or ClusterRoleBinding; other objects say nothing of access.
    pub(crate) fn learn(&mut self, object: &Value) -> Result<(), String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        let (name, namespace) = (text(&metadata["name"]), text(&metadata["namespace"]));
        match object["kind"].as_str().unwrap_or_default() {
            "Role" | "ClusterRole" => {
                let rules = serde_json::from_value(object["rules"].clone());
                let rules = rules.map_err(|error| format!("the rules of {name}: {error}"))?;
                self.roles.insert((namespace, name), rules);
            }
            "RoleBinding" | "ClusterRoleBinding" => {
                let role = &object["roleRef"];
                let of = if role["kind"] == "Role" { namespace.clone() } else { String::new() };
                let within = (object["kind"] == "RoleBinding").then_some(namespace);
                for subject in object["subjects"].as_array().into_iter().flatten() {
                    let account =
                        format!("{}/{}", text(&subject["namespace"]), text(&subject["name"]));
                    self.bindings.push((
                        account,
                        within.clone(),
                        (of.clone(), text(&role["name"])),
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the bearer of this token may do that: `admin`, or `namespace/name` of a service account.
    pub(crate) fn judge(&self, token: Option<&str>, wish: &Wish) -> Result<(), Failure> {
        let Some(token) = token else { return Err(Failure::unauthorized()) };
        if token == ADMIN {
            return Ok(());
        }
        let allowed = self.bindings.iter().any(|(account, within, role)| {
            account == token
                && within.as_ref().is_none_or(|namespace| *namespace == wish.namespace)
                && self
                    .roles
                    .get(role)
                    .is_some_and(|rules| rules.iter().any(|rule| rule.allows(wish)))
        });
        if allowed {
            return Ok(());
        }
        let Wish { verb, group, resource, namespace, .. } = wish;
        let user = format!("system:serviceaccount:{}", token.replace('/', ":"));
        let place = match namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace {namespace:?}"),
        };
        let what = wish.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
        Err(Failure::forbidden(format!(
            "{resource}{what} is forbidden: User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {place}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(verb: &'static str, resource: &str, namespace: &str, name: Option<&str>) -> Wish {
        Wish {
            verb,
            group: String::new(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn a_role_holds_in_its_namespace_and_for_its_names() {
        let mut access = Access::default();
        for object in [
            json!({"kind": "Role", "metadata": {"name": "r", "namespace": "ns"}, "rules": [
                {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["s"], "verbs": ["get"]}]}),
            json!({"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ns"},
                "roleRef": {"kind": "Role", "name": "r"},
                "subjects": [{"kind": "ServiceAccount", "namespace": "ns", "name": "speaker"}]}),
        ] {
            access.learn(&object).unwrap();
        }
        let may = |wish| access.judge(Some("ns/speaker"), &wish).is_ok();
        assert!(may(wish("get", "secrets", "ns", Some("s"))));
        assert!(!may(wish("get", "secrets", "ns", Some("other"))));
        assert!(!may(wish("list", "secrets", "ns", None)));
        assert!(!may(wish("get", "secrets", "default", Some("s"))));
        assert_eq!(access.judge(None, &wish("get", "secrets", "ns", None)).unwrap_err().code, 401);
    }

    #[test]
    fn a_cluster_role_holds_everywhere_and_subresources_are_apart() {
        let mut access = Access::default();
        for object in [
            json!({"kind": "ClusterRole", "metadata": {"name": "c"}, "rules": [
                {"apiGroups": [""], "resources": ["services/status"], "verbs": ["patch"]}]}),
            json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"},
                "roleRef": {"kind": "ClusterRole", "name": "c"},
                "subjects": [{"kind": "ServiceAccount", "namespace": "ns", "name": "controller"}]}),
        ] {
            access.learn(&object).unwrap();
        }
        let may = |wish| access.judge(Some("ns/controller"), &wish).is_ok();
        assert!(may(wish("patch", "services/status", "any", Some("a"))));
        assert!(!may(wish("patch", "services", "any", Some("a"))));
    }
}
