//! The types of objects that the page names, as `kubectl` would learn them from the server.

use serde_json::Value;

/// A type of objects.
#[derive(Debug)]
pub(crate) struct Type {
    /// Its names on a command line.
    names: &'static [&'static str],
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) namespaced: bool,
}

const fn namespaced(
    names: &'static [&'static str],
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Type {
    Type { names, group, version, kind, plural, namespaced: true }
}

const fn clustered(
    names: &'static [&'static str],
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
) -> Type {
    Type { names, group, version: "v1", kind, plural, namespaced: false }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const METALLB: &str = "metallb.io";

static TYPES: [Type; 31] = [
    namespaced(&["services", "service"], "", "v1", "Service", "services"),
    namespaced(&["configmaps", "configmap"], "", "v1", "ConfigMap", "configmaps"),
    namespaced(&["secrets", "secret"], "", "v1", "Secret", "secrets"),
    namespaced(&["pods", "pod"], "", "v1", "Pod", "pods"),
    namespaced(&["serviceaccount"], "", "v1", "ServiceAccount", "serviceaccounts"),
    namespaced(&["daemonset"], "apps", "v1", "DaemonSet", "daemonsets"),
    namespaced(&["deployment"], "apps", "v1", "Deployment", "deployments"),
    namespaced(&["lease"], "coordination.k8s.io", "v1", "Lease", "leases"),
    namespaced(&["role"], RBAC, "v1", "Role", "roles"),
    namespaced(&["rolebinding"], RBAC, "v1", "RoleBinding", "rolebindings"),
    namespaced(&["ipaddresspools"], METALLB, "v1beta1", "IPAddressPool", "ipaddresspools"),
    namespaced(
        &["bgppeers", "bgppeers.v1beta2.metallb.io"],
        METALLB,
        "v1beta2",
        "BGPPeer",
        "bgppeers",
    ),
    namespaced(&["bgpadvertisements"], METALLB, "v1beta1", "BGPAdvertisement", "bgpadvertisements"),
    namespaced(&["l2advertisements"], METALLB, "v1beta1", "L2Advertisement", "l2advertisements"),
    namespaced(&["communities"], METALLB, "v1beta1", "Community", "communities"),
    namespaced(&["bfdprofiles"], METALLB, "v1beta1", "BFDProfile", "bfdprofiles"),
    namespaced(
        &["configurationstates"],
        METALLB,
        "v1beta1",
        "ConfigurationState",
        "configurationstates",
    ),
    namespaced(
        &["servicebgpstatuses"],
        METALLB,
        "v1beta1",
        "ServiceBGPStatus",
        "servicebgpstatuses",
    ),
    namespaced(&["bgpnode"], "ferrolb.io", "v1alpha1", "BGPNodeStatus", "bgpnodestatuses"),
    namespaced(
        &["frrconfiguration"],
        "frrk8s.metallb.io",
        "v1beta1",
        "FRRConfiguration",
        "frrconfigurations",
    ),
    namespaced(&["frrnodestates"], "frrk8s.metallb.io", "v1beta1", "FRRNodeState", "frrnodestates"),
    namespaced(&["endpointslices"], "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    clustered(&["nodes", "node"], "", "Node", "nodes"),
    clustered(&["namespaces"], "", "Namespace", "namespaces"),
    clustered(
        &["crds", "crd"],
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    ),
    clustered(&["clusterrole"], RBAC, "ClusterRole", "clusterroles"),
    clustered(&["clusterrolebinding"], RBAC, "ClusterRoleBinding", "clusterrolebindings"),
    clustered(
        &["validatingwebhookconfiguration"],
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
    namespaced(&["endpoints"], "", "v1", "Endpoints", "endpoints"),
    namespaced(&["events"], "events.k8s.io", "v1", "Event", "events"),
    namespaced(
        &["bgpsessionstates"],
        "frrk8s.metallb.io",
        "v1beta1",
        "BGPSessionState",
        "bgpsessionstates",
    ),
];

/// The type of this name on a command line.
pub(crate) fn of_word(word: &str) -> Result<&'static Type, String> {
    let found = TYPES.iter().find(|kind| kind.names.contains(&word));
    found.ok_or_else(|| format!("the server doesn't have a resource type {word:?} here"))
}

/// The type of an object.
pub(crate) fn of_object(object: &Value) -> Result<&'static Type, String> {
    let (version, kind) = (&object["apiVersion"], &object["kind"]);
    let group = version.as_str().and_then(|it| it.split_once('/')).map_or("", |(group, _)| group);
    let found = TYPES.iter().find(|it| it.kind == kind && it.group == group);
    found.ok_or_else(|| format!("no type of {version} {kind} is known here"))
}
