//! The objects of an installation of MetalLB, with the names and fields that the steps of the page use.

use serde_json::{Value, json};

use super::page::Mode;

/// The namespace in which MetalLB is installed.
pub(crate) const SYSTEM: &str = "metallb-system";
const DEFINITIONS: &str = include_str!("../../../../deploy/kustomize/crds/metallb.io.yaml");

fn object(api_version: &str, kind: &str, name: &str, more: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    if let Value::Object(more) = more {
        object.as_object_mut().unwrap().extend(more);
    }
    object
}

fn within(mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(SYSTEM);
    object
}

/// Everything that the installation creates, except for the configuration.
pub(crate) fn installed(mode: Mode) -> Vec<Value> {
    let mut objects = vec![object("v1", "Namespace", SYSTEM, json!({}))];
    if !mode.config_map {
        objects.extend(definitions(mode));
    }

    objects.extend(accounts(mode));
    objects.push(within(object(
        "v1",
        "Secret",
        "memberlist",
        json!({"data": {"secretkey": "YQ=="}}),
    )));
    objects.push(workload(&mode.name("daemonset/speaker"), json!({})));
    objects.push(workload(&mode.name("deployment/controller"), json!({})));

    if !mode.config_map {
        objects.push(within(object("v1", "Secret", "metallb-webhook-cert", json!({}))));
        objects.push(webhook_service("metallb-webhook-service"));
        let resources = [
            ("bgppeers", "v1beta2"),
            ("ipaddresspools", "v1beta1"),
            ("bgpadvertisements", "v1beta1"),
        ];
        objects.push(webhooks(
            "metallb-webhook-configuration",
            "metallb-webhook-service",
            "metallb.io",
            &resources,
        ));
    }

    if mode.frr_k8s {
        objects.extend(frr_k8s(mode));
    }

    if mode.helm {
        let labels = json!({"owner": "helm", "name": "metallb", "status": "deployed"});
        let mut release = within(object(
            "v1",
            "Secret",
            "sh.helm.release.v1.metallb.v1",
            json!({"type": "helm.sh/release.v1"}),
        ));
        release["metadata"]["labels"] = labels;
        objects.push(release);
        for object in &mut objects {
            object["metadata"]["annotations"]["meta.helm.sh/release-name"] = json!("metallb");
        }
    }
    objects
}

/// The objects of FRR-K8s.
fn frr_k8s(mode: Mode) -> Vec<Value> {
    // The one DaemonSet with an affinity of its own.
    let affinity = json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
            {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}]}}}});
    let mut objects = vec![
        workload(&mode.name("daemonset/frr-k8s-daemon"), affinity),
        workload(&mode.name("deployment/frr-k8s-statuscleaner"), json!({})),
        within(object("v1", "Secret", "frr-k8s-webhook-server-cert", json!({}))),
        webhook_service("frr-k8s-webhook-service"),
        webhooks(
            "frr-k8s-validating-webhook-configuration",
            "frr-k8s-webhook-service",
            "frrk8s.metallb.io",
            &[("frrconfigurations", "v1beta1")],
        ),
    ];

    if !mode.helm {
        objects.push(webhook_service("frr-k8s-metrics-service"));
    }
    objects
}

/// A DaemonSet or a Deployment, by `type/name`.
fn workload(name: &str, pod: Value) -> Value {
    let (kind, name) = name.split_once('/').unwrap();
    let labels = json!({"app": "metallb", "component": name});
    let mut spec = json!({"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
        "spec": {"nodeSelector": {"kubernetes.io/os": "linux"}, "hostNetwork": true,
            "containers": [{"name": name, "image": format!("quay.io/metallb/{name}"), "args": ["--log-level=info"]}]}}});

    if let Value::Object(more) = pod {
        spec["template"]["spec"].as_object_mut().unwrap().extend(more);
    }
    let kind = match kind {
        "daemonset" => {
            // The default that the API server stores.
            spec["updateStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
            "DaemonSet"
        }
        _ => {
            spec["replicas"] = json!(1);
            "Deployment"
        }
    };
    within(object("apps/v1", kind, name, json!({"spec": spec})))
}

fn webhook_service(name: &str) -> Value {
    within(object(
        "v1",
        "Service",
        name,
        json!({"spec": {"ports": [{"port": 443}], "selector": {"component": name}}}),
    ))
}

fn webhooks(name: &str, service: &str, group: &str, resources: &[(&str, &str)]) -> Value {
    let webhook = |(resource, version): &(&str, &str)| {
        json!({"name": format!("{resource}validationwebhook.metallb.io"), "failurePolicy": "Fail",
            "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"service": {"name": service, "namespace": SYSTEM}},
            "rules": [{"apiGroups": [group], "apiVersions": [version], "resources": [resource],
                "operations": ["CREATE", "UPDATE"]}]})
    };
    let webhooks: Vec<_> = resources.iter().map(webhook).collect();
    object(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        name,
        json!({"webhooks": webhooks}),
    )
}

/// MetalLB's definitions. A webhook converts BGPPeers, and there are kinds that FerroLB does not have.
fn definitions(mode: Mode) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(DEFINITIONS).unwrap();
    let mut definitions: Vec<_> = documents.into_iter().filter(Value::is_object).collect();
    for definition in &mut definitions {
        if definition["metadata"]["name"] == "bgppeers.metallb.io" {
            definition["spec"]["conversion"] = json!({"strategy": "Webhook", "webhook": {
                "conversionReviewVersions": ["v1beta1", "v1beta2"], "clientConfig": {"service": {
                    "name": "metallb-webhook-service", "namespace": SYSTEM, "path": "/convert"}}}});
        }
    }

    definitions.push(open_definition(
        "metallb.io",
        "v1beta1",
        "ServiceL2Status",
        "servicel2statuses",
    ));
    if mode.frr_k8s {
        for (kind, plural) in [
            ("FRRConfiguration", "frrconfigurations"),
            ("FRRNodeState", "frrnodestates"),
            ("BGPSessionState", "bgpsessionstates"),
            ("FRRK8sConfiguration", "frrk8sconfigurations"),
        ] {
            definitions.push(open_definition("frrk8s.metallb.io", "v1beta1", kind, plural));
        }
    }
    definitions
}

fn open_definition(group: &str, version: &str, kind: &str, plural: &str) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &format!("{plural}.{group}"),
        json!({"spec": {
        "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
        "versions": [{"name": version, "served": true, "storage": true, "schema": schema}]}}),
    )
}

/// Accounts, roles, and ConfigMaps that are no configuration.
fn accounts(mode: Mode) -> Vec<Value> {
    let names: &[(&str, &str)] = match (mode.helm, mode.config_map) {
        (false, true) => &[
            ("ServiceAccount", "controller"),
            ("ServiceAccount", "speaker"),
            ("Role", "config-watcher"),
            ("Role", "controller"),
            ("Role", "pod-lister"),
            ("RoleBinding", "config-watcher"),
            ("RoleBinding", "controller"),
            ("RoleBinding", "pod-lister"),
            ("ClusterRole", "metallb-system:controller"),
            ("ClusterRole", "metallb-system:speaker"),
        ],
        (false, false) => &[
            ("ServiceAccount", "controller"),
            ("ServiceAccount", "speaker"),
            ("Role", "controller"),
            ("Role", "pod-lister"),
            ("RoleBinding", "controller"),
            ("RoleBinding", "pod-lister"),
            ("ClusterRole", "metallb-system:controller"),
            ("ClusterRole", "metallb-system:speaker"),
            ("ClusterRoleBinding", "metallb-system:controller"),
            ("ClusterRoleBinding", "metallb-system:speaker"),
            ("ConfigMap", "metallb-excludel2"),
        ],
        (true, _) => {
            &[("ServiceAccount", "metallb-controller"), ("ServiceAccount", "metallb-speaker")]
        }
    };

    let frr_k8s: &[(&str, &str)] = if mode.frr_k8s && !mode.helm {
        &[
            ("ServiceAccount", "frr-k8s-daemon"),
            ("Role", "frr-k8s-daemon-role"),
            ("Role", "frr-k8s-nodestate-cleaner-role"),
            ("RoleBinding", "frr-k8s-daemon-rolebinding"),
            ("RoleBinding", "frr-k8s-nodestate-cleaner-rolebinding"),
            ("ClusterRole", "frr-k8s-daemon-role"),
            ("ClusterRole", "frr-k8s-metrics-reader"),
            ("ClusterRole", "frr-k8s-proxy-role"),
            ("ClusterRoleBinding", "frr-k8s-daemon-rolebinding"),
            ("ClusterRoleBinding", "frr-k8s-proxy-rolebinding"),
            ("ConfigMap", "frr-k8s-frr-startup"),
        ]
    } else {
        &[]
    };

    let account = |(kind, name): &(&str, &str)| match *kind {
        "ServiceAccount" | "ConfigMap" => within(object("v1", kind, name, json!({}))),
        "Role" => within(object("rbac.authorization.k8s.io/v1", kind, name, json!({"rules": []}))),
        "RoleBinding" => {
            let role =
                json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name});
            within(object("rbac.authorization.k8s.io/v1", kind, name, json!({"roleRef": role})))
        }
        "ClusterRole" => object("rbac.authorization.k8s.io/v1", kind, name, json!({"rules": []})),
        _ => {
            let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name});
            object("rbac.authorization.k8s.io/v1", kind, name, json!({"roleRef": role}))
        }
    };

    names.iter().chain(frr_k8s).map(account).collect()
}

/// The configuration of one router on this port, and of one pool.
pub(crate) fn configuration(mode: Mode, port: u16) -> Vec<Value> {
    if mode.config_map {
        let text = format!(
            "peers:\n- {{my-asn: 64636, peer-asn: 64635, peer-address: 127.0.0.1, peer-port: {port}}}\n\
             address-pools:\n- name: default\n  protocol: bgp\n  addresses: [192.0.2.0/28]\n"
        );
        let name = if mode.helm { "metallb" } else { "config" };
        return vec![within(object("v1", "ConfigMap", name, json!({"data": {"config": text}})))];
    }
    let pool = json!({"spec": {"addresses": ["192.0.2.0/28"], "autoAssign": true, "avoidBuggyIPs": false}});
    let peer = json!({"spec": {"myASN": 64636, "peerASN": 64635, "peerAddress": "127.0.0.1", "peerPort": port}});
    vec![
        within(object("metallb.io/v1beta1", "IPAddressPool", "default", pool)),
        within(object("metallb.io/v1beta2", "BGPPeer", "router", peer)),
        within(object("metallb.io/v1beta1", "BGPAdvertisement", "default", json!({"spec": {}}))),
    ]
}
