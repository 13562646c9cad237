//! The rights of the pods on their nodes, and the reasons to restart them.

use serde_json::{Value, json};

use crate::documents::{documents, one, parse, plain_yaml, text};

fn pods() -> Vec<(String, Value)> {
    let mut pods = Vec::new();
    for namespace in ["ferrolb-system", "metallb-system"] {
        let path = format!("deploy/manifests/{namespace}.yaml");
        for kind in ["Deployment", "DaemonSet"] {
            let object = one(&path, kind);
            pods.push((kind.to_owned(), object["spec"]["template"]["spec"].clone()));
        }
    }
    pods
}

#[test]
fn pods_have_only_the_rights_that_they_need() {
    for (kind, pod) in pods() {
        let expected = json!({"runAsNonRoot": true, "runAsUser": 65534, "runAsGroup": 65534,
            "seccompProfile": {"type": "RuntimeDefault"}});
        assert_eq!(pod["securityContext"], expected, "{kind}");
        let containers = pod["containers"].as_array().unwrap();
        assert_eq!(containers.len(), 1);
        let container = &containers[0];
        let expected = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]}});
        assert_eq!(container["securityContext"], expected, "{kind}");
        for path in
            ["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"]
        {
            assert!(container.pointer(path).is_some_and(Value::is_string), "{kind} {path}");
        }
        assert_eq!(container["ports"], json!([{"name": "http", "containerPort": 7472}]));
        assert_eq!(
            container["livenessProbe"]["httpGet"],
            json!({"path": "/livez", "port": "http"})
        );
        assert_eq!(
            container["readinessProbe"]["httpGet"],
            json!({"path": "/readyz", "port": "http"})
        );
        // The main loop has two seconds to answer.
        for probe in ["livenessProbe", "readinessProbe"] {
            assert!(container[probe]["timeoutSeconds"].as_u64().unwrap() > 2, "{kind}");
        }
        assert!(pod["hostPID"].is_null(), "{kind}");
        // The socket for commands needs a place, and nothing else may be mounted.
        assert_eq!(pod["volumes"], json!([{"name": "run", "emptyDir": {}}]), "{kind}");
        let mounts = json!([{"name": "run", "mountPath": "/run/ferrolb"}]);
        assert_eq!(container["volumeMounts"], mounts, "{kind}");
    }
}

#[test]
fn speakers_run_on_every_node_and_are_replaced_one_at_a_time() {
    for namespace in ["ferrolb-system", "metallb-system"] {
        let set = one(&format!("deploy/manifests/{namespace}.yaml"), "DaemonSet");
        let strategy = &set["spec"]["updateStrategy"];
        assert_eq!(strategy["rollingUpdate"]["maxUnavailable"], 1);
        let pod = &set["spec"]["template"]["spec"];
        assert_eq!(pod["hostNetwork"], true);
        assert_eq!(pod["dnsPolicy"], "ClusterFirstWithHostNet");
        assert_eq!(pod["priorityClassName"], "system-node-critical");
        assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux"}));
        let tolerated: Vec<_> = pod["tolerations"].as_array().unwrap().iter().collect();
        assert!(tolerated.iter().any(|it| it["key"] == "node-role.kubernetes.io/control-plane"));
        let environment = pod["containers"][0]["env"].as_array().unwrap();
        let from = |name: &str| {
            let variable = environment.iter().find(|it| it["name"] == name);
            variable.unwrap_or_else(|| panic!("{name}"))["valueFrom"]["fieldRef"]["fieldPath"]
                .clone()
        };
        assert_eq!(from("METALLB_NODE_NAME"), "spec.nodeName");
        assert_eq!(from("POD_NAME"), "metadata.name");
        assert_eq!(from("POD_NAMESPACE"), "metadata.namespace");
        assert_eq!(from("FERROLB_HTTP_ADDRESS"), "status.hostIP");
    }
}

#[test]
fn two_controllers_share_the_lease_named_in_their_role() {
    let path = "deploy/manifests/ferrolb-system.yaml";
    let deployment = one(path, "Deployment");
    assert_eq!(deployment["spec"]["replicas"], 2);
    let labels = &deployment["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&deployment["spec"]["selector"]["matchLabels"], labels);
    let leases = documents(path).into_iter().find_map(|object| {
        let rules = object["rules"].as_array()?.clone();
        rules.into_iter().find(|rule| rule["resourceNames"] == json!(["ferrolb-controller"]))
    });
    assert_eq!(leases.unwrap()["verbs"], json!(["get", "update"]));
}

#[test]
fn only_the_unnumbered_profile_grants_a_capability() {
    let component =
        documents("deploy/kustomize/components/unnumbered/kustomization.yaml").remove(0);
    let patch = parse(component["patches"][0]["patch"].as_str().unwrap()).unwrap().remove(0);
    let container = &patch["spec"]["template"]["spec"]["containers"][0];
    let expected = json!({"drop": ["ALL"], "add": ["NET_RAW"]});
    assert_eq!(container["securityContext"]["capabilities"], expected);
    let path = "deploy/kustomize/components/monitoring/kustomization.yaml";
    assert!(!documents(path)[0].to_string().contains("capabilities"));
}

/// The label of docs/migrating-from-metallb.md. Every speaker's pod has it, so that neither the start nor
/// the end of a migration makes the DaemonSet replace its pods.
#[test]
fn a_label_keeps_speakers_off_a_node() {
    let expected = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": "ferrolb.io/speaker",
            "operator": "NotIn", "values": ["metallb", "none"]}]}]}}});
    for namespace in ["ferrolb-system", "metallb-system"] {
        let set = one(&format!("deploy/manifests/{namespace}.yaml"), "DaemonSet");
        assert_eq!(set["spec"]["template"]["spec"]["affinity"], expected, "{namespace}");
    }
    let values = documents("deploy/charts/ferrolb/values.yaml").remove(0);
    assert_eq!(values["speaker"]["affinity"], expected);
}

/// Server-side apply owns a `fieldRef` as a whole. Without the `apiVersion` that the API server adds, an apply on the
/// server after one by the client is a conflict.
#[test]
fn field_references_have_the_form_that_the_api_server_stores() {
    let mut checked = 0;
    for path in plain_yaml().into_iter().chain([
        "deploy/charts/ferrolb/templates/controller.yaml".to_owned(),
        "deploy/charts/ferrolb/templates/speaker.yaml".to_owned(),
    ]) {
        for line in text(&path).lines().filter(|line| line.contains("fieldRef")) {
            assert!(line.contains("fieldRef: {apiVersion: v1, fieldPath: "), "{path}: {line}");
            checked += 1;
        }
    }
    assert!(checked >= 18, "{checked}");
}
