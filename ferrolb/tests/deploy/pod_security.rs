//! The pods against the Pod Security Standards of Kubernetes: what keeps each of them from the level `restricted`.

use serde_json::{Value, json};

use crate::documents::{documents, one};
use crate::kustomize::build_with;

/// The controls of the levels `baseline` and `restricted` (Kubernetes 1.34) that a pod violates, as the standards name them.
///
/// The fields are those that the standards list for Linux. A field that is absent has the value that the API server gives it.
fn violations(pod: &Value) -> Vec<&'static str> {
    let mut violated = Vec::new();
    let mut check = |holds: bool, control: &'static str| {
        if !holds && !violated.contains(&control) {
            violated.push(control);
        }
    };
    let containers: Vec<&Value> = ["containers", "initContainers", "ephemeralContainers"]
        .iter()
        .flat_map(|list| pod[list].as_array().into_iter().flatten())
        .collect();
    assert!(!containers.is_empty());
    let of_pod = &pod["securityContext"];

    // Baseline.
    for namespace in ["hostNetwork", "hostPID", "hostIPC"] {
        check(pod[namespace] != true, "Host Namespaces");
    }
    for volume in pod["volumes"].as_array().into_iter().flatten() {
        let kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
        check(kinds.clone().all(|kind| kind != "hostPath"), "HostPath Volumes");
        check(kinds.clone().all(|kind| VOLUMES.contains(&kind.as_str())), "Volume Types");
    }
    check(of_pod["sysctls"].is_null(), "Sysctls");
    check(of_pod["seLinuxOptions"].is_null(), "SELinux");
    check(of_pod["appArmorProfile"]["type"] != "Unconfined", "AppArmor");
    for container in &containers {
        let own = &container["securityContext"];
        check(own["privileged"] != true, "Privileged Containers");
        check(own["procMount"].is_null() || own["procMount"] == "Default", "/proc Mount Type");
        check(own["seLinuxOptions"].is_null(), "SELinux");
        check(own["appArmorProfile"]["type"] != "Unconfined", "AppArmor");
        for port in container["ports"].as_array().into_iter().flatten() {
            // In the network of the node, the API server sets it to the port of the container.
            let is_free = port["hostPort"].is_null() || port["hostPort"] == 0;
            check(is_free && pod["hostNetwork"] != true, "Host Ports");
        }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            check(container[probe]["httpGet"]["host"].is_null(), "Host Probes / Lifecycle Hooks");
            check(container[probe]["tcpSocket"]["host"].is_null(), "Host Probes / Lifecycle Hooks");
        }
    }

    // Restricted.
    for container in &containers {
        let own = &container["securityContext"];
        check(own["allowPrivilegeEscalation"] == false, "Privilege Escalation");
        let effective =
            |field: &str| if own[field].is_null() { &of_pod[field] } else { &own[field] };
        check(*effective("runAsNonRoot") == true, "Running as Non-root");
        check(*effective("runAsUser") != 0, "Running as Non-root user");
        let profile = &effective("seccompProfile")["type"];
        check(*profile == "RuntimeDefault" || *profile == "Localhost", "Seccomp");

        let capabilities = &own["capabilities"];
        let drops_all =
            capabilities["drop"].as_array().is_some_and(|it| it.contains(&json!("ALL")));
        let mut added = capabilities["add"].as_array().into_iter().flatten();
        check(drops_all && added.all(|it| it == "NET_BIND_SERVICE"), "Capabilities");
    }
    violated
}

/// The kinds of volumes of the level `restricted`.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// What the network of the node costs.
const HOST_NETWORK: [&str; 2] = ["Host Namespaces", "Host Ports"];

fn pod_of(objects: &[Value], kind: &str) -> Value {
    let object = objects.iter().find(|object| object["kind"] == kind);
    object.unwrap_or_else(|| panic!("no {kind}"))["spec"]["template"]["spec"].clone()
}

#[test]
fn the_controller_is_restricted_and_the_speaker_needs_the_network_of_its_node_only() {
    for namespace in ["ferrolb-system", "metallb-system"] {
        let path = format!("deploy/manifests/{namespace}.yaml");
        let objects = documents(&path);
        assert_eq!(violations(&pod_of(&objects, "Deployment")), [""; 0], "{path}");
        assert_eq!(violations(&pod_of(&objects, "DaemonSet")), HOST_NETWORK, "{path}");
        // One of the two needs this level, and a namespace has one.
        let labels = one(&path, "Namespace")["metadata"]["labels"].clone();
        assert_eq!(labels["pod-security.kubernetes.io/enforce"], "privileged");
    }
}

#[test]
fn each_component_costs_what_its_page_says() {
    let unnumbered = ["Running as Non-root", "Running as Non-root user", "Capabilities"];
    let of_unnumbered = [&HOST_NETWORK[..], &unnumbered[..]].concat();
    let expected: [(&[&str], &[&str]); 5] = [
        (&["https"], &HOST_NETWORK),
        (&["network-policies"], &HOST_NETWORK),
        (&["unnumbered"], &of_unnumbered),
        (&["pod-network"], &[]),
        (&["https", "network-policies", "pod-network"], &[]),
    ];
    for (components, speaker) in expected {
        let Some(objects) = build_with(components) else { return };
        let of_controller = violations(&pod_of(&objects, "Deployment"));
        assert_eq!(of_controller, [""; 0], "{components:?}");
        assert_eq!(violations(&pod_of(&objects, "DaemonSet")), speaker, "{components:?}");
    }
}

#[test]
fn the_checks_find_what_the_standards_forbid() {
    let good = pod_of(&documents("deploy/manifests/ferrolb-system.yaml"), "Deployment");
    for (pointer, value, control) in [
        ("/hostPID", json!(true), "Host Namespaces"),
        ("/volumes/0/hostPath", json!({"path": "/"}), "HostPath Volumes"),
        ("/volumes/0/nfs", json!({"path": "/"}), "Volume Types"),
        ("/containers/0/ports/0/hostPort", json!(7472), "Host Ports"),
        (
            "/containers/0/livenessProbe/httpGet/host",
            json!("127.0.0.1"),
            "Host Probes / Lifecycle Hooks",
        ),
        ("/containers/0/securityContext/privileged", json!(true), "Privileged Containers"),
        (
            "/containers/0/securityContext/allowPrivilegeEscalation",
            json!(null),
            "Privilege Escalation",
        ),
        ("/containers/0/securityContext/capabilities/drop", json!(["NET_RAW"]), "Capabilities"),
        ("/containers/0/securityContext/capabilities/add", json!(["NET_RAW"]), "Capabilities"),
        ("/containers/0/securityContext/seccompProfile", json!({"type": "Unconfined"}), "Seccomp"),
        ("/securityContext/seccompProfile", json!(null), "Seccomp"),
        ("/securityContext/runAsNonRoot", json!(false), "Running as Non-root"),
        ("/securityContext/runAsUser", json!(0), "Running as Non-root user"),
    ] {
        let mut pod = good.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { &mut pod } else { pod.pointer_mut(parent).unwrap() };
        parent[field] = value;
        assert!(violations(&pod).contains(&control), "{pointer}");
    }
}
