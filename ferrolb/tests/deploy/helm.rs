//! The chart as rendered by Helm, if `helm` is installed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use ferrolb::cli::Command as Subcommand;
use ferrolb::commands::kubernetes::HttpAuth;
use serde_json::{Value, json};

use crate::arguments::{arguments, parse as parse_arguments};
use crate::documents::{documents, parse, root};
use crate::manifests::not_of_its_kind;

const NAMESPACE: &str = "ferrolb-system";

/// Renders the chart with these values. Returns `None` if `helm` is not installed.
fn render(values: &Value) -> Option<Result<Vec<Value>, String>> {
    let mut command = Command::new("helm");
    command.args(["template", "ferrolb"]).arg(root().join("deploy/charts/ferrolb"));
    command.args(["--namespace", NAMESPACE, "--values", "-"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut helm = command.spawn().ok()?;
    helm.stdin.take().unwrap().write_all(values.to_string().as_bytes()).unwrap();
    let output = helm.wait_with_output().unwrap();
    if !output.status.success() {
        return Some(Err(String::from_utf8(output.stderr).unwrap()));
    }
    Some(Ok(parse(&String::from_utf8(output.stdout).unwrap()).unwrap()))
}

/// Renders the chart with values that Helm must accept.
fn rendered(values: &Value) -> Option<Vec<Value>> {
    render(values).map(|it| it.unwrap_or_else(|error| panic!("{values}: {error}")))
}

fn find<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let first = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "several {kind}");
    first
}

/// A value for every option of the chart, each different from its default.
fn everything() -> Value {
    json!({
        "loadBalancerClass": "example.com/lb",
        "configMap": "metallb",
        "rbac": {"passwordSecrets": ["tor1", "tor2"]},
        "imagePullSecrets": [{"name": "registry"}],
        "prometheus": {
            "metricsPort": 9120,
            "podMonitor": {"enabled": true, "additionalLabels": {"release": "a"},
                "tlsConfig": {"insecureSkipVerify": true}},
            "prometheusRule": {"enabled": true, "additionalLabels": {"release": "a"}},
            "dashboard": {"enabled": true},
        },
        "tls": {"controllerMetricsTLSSecret": "tls-c", "speakerMetricsTLSSecret": "tls-s"},
        "http": {"auth": "kubernetes"},
        "networkpolicies": {"enabled": true, "defaultDeny": true, "apiPort": 443},
        "controller": {
            "replicas": 3,
            "logLevel": "debug",
            "image": {"repository": "example/ferrolb", "tag": "1"},
            "tolerations": [{"operator": "Exists"}],
            "nodeSelector": {"a": "b"},
            "priorityClassName": "high",
            "podAnnotations": {"a": "b"},
            "labels": {"a": "b"},
        },
        "speaker": {
            "logLevel": "info,bgp_session=debug",
            "ignoreExcludeLB": true,
            "tolerateMaster": false,
            "hostNetwork": false,
            "bindAddress": "127.0.0.1",
            "unnumbered": true,
            "onExit": "restart",
            "drain": {"marked": "1s", "withdrawn": "2s", "annotation": "a/b", "taint": "c/d"},
            "heartbeat": "30s",
            "dataplane": {"gate": "off", "delay": "2s", "kubeProxyHealthPort": 10356},
            "nodeSelector": {"rack": "a"},
            "affinity": {"nodeAffinity": {}},
            "podAnnotations": {"a": "b"},
            "labels": {"a": "b"},
        },
    })
}

#[test]
fn without_values_the_chart_renders_the_manifest() {
    let Some(mut rendered) = rendered(&json!({})) else { return };
    for object in &mut rendered {
        match object["kind"].as_str().unwrap() {
            "CustomResourceDefinition" => {
                let metadata = object["metadata"].as_object_mut().unwrap();
                let annotations = metadata.remove("annotations");
                assert_eq!(annotations, Some(json!({"helm.sh/resource-policy": "keep"})));
            }
            // The chart writes these defaults out.
            "Deployment" | "DaemonSet" => {
                let container = &mut object["spec"]["template"]["spec"]["containers"][0];
                let policy = container.as_object_mut().unwrap().remove("imagePullPolicy");
                assert_eq!(policy, Some(json!("IfNotPresent")));
                let arguments = container["args"].as_array_mut().unwrap();
                let defaults = [
                    "--on-exit=drain",
                    "--heartbeat=60s",
                    "--dataplane-gate=auto",
                    "--dataplane-delay=1200ms",
                    "--kube-proxy-health-port=10256",
                ];
                arguments.retain(|it| !defaults.iter().any(|default| it == default));
            }
            _ => {}
        }
    }

    let mut written = documents(&format!("deploy/manifests/{NAMESPACE}.yaml"));
    // The user of the chart decides whether to create the namespace.
    written.retain(|object| object["kind"] != "Namespace");
    let name = |it: &Value| format!("{}/{}", it["kind"], it["metadata"]["name"]);
    rendered.sort_by_key(name);
    written.sort_by_key(name);
    assert_eq!(
        rendered.iter().map(name).collect::<Vec<_>>(),
        written.iter().map(name).collect::<Vec<_>>()
    );

    for (rendered, written) in rendered.iter().zip(&written) {
        assert_eq!(rendered, written, "{}", name(written));
    }
}

#[test]
fn with_every_value_set_the_objects_are_valid_and_the_programs_start() {
    let Some(rendered) = rendered(&everything()) else { return };
    for object in &rendered {
        assert_eq!(not_of_its_kind(object), None, "{object}");
        let kind = object["kind"].as_str().unwrap();
        if !["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"].contains(&kind) {
            assert_eq!(object["metadata"]["namespace"], NAMESPACE, "{kind}");
        }
    }

    let Subcommand::Controller(args) = parse_arguments(arguments(find(&rendered, "Deployment")))
    else {
        panic!("a controller")
    };
    assert_eq!(
        (args.cluster.port, args.cluster.lb_class.as_deref()),
        (9120, Some("example.com/lb"))
    );

    let set = find(&rendered, "DaemonSet");
    let words = arguments(set).into_iter().chain(["--node-name=kube1".to_owned()]);
    let Subcommand::Speaker(args) = parse_arguments(words) else { panic!("a speaker") };
    assert_eq!(args.cluster.config, "metallb");
    assert_eq!(args.drain.drain_marked.as_secs() + args.drain.drain_withdrawn.as_secs(), 3);
    assert!(args.ignore_exclude_lb);

    assert_eq!(args.cluster.http_auth, HttpAuth::Kubernetes);
    assert!(args.cluster.tls_cert_file.is_some() && args.cluster.tls_private_key_file.is_some());

    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["hostNetwork"], Value::Null);
    let probe = &pod["containers"][0]["livenessProbe"]["httpGet"];
    let expected =
        json!({"path": "/livez", "port": "http", "scheme": "HTTPS", "host": "127.0.0.1"});
    assert_eq!(*probe, expected);
    let policies = rendered.iter().filter(|object| object["kind"] == "NetworkPolicy");
    assert_eq!(policies.count(), 3);
    assert_eq!(pod["tolerations"], Value::Null);
    assert_eq!(pod["securityContext"]["runAsUser"], 0);
    let capabilities = &pod["containers"][0]["securityContext"]["capabilities"];
    assert_eq!(*capabilities, json!({"drop": ["ALL"], "add": ["NET_RAW"]}));
    assert_eq!(pod["containers"][0]["ports"][0]["containerPort"], 9120);

    let board = find(&rendered, "ConfigMap")["data"].as_object().unwrap().values().next().unwrap();
    let board: Value = serde_json::from_str(board.as_str().unwrap()).unwrap();
    assert_eq!(board["title"], "FerroLB");
    assert!(find(&rendered, "PrometheusRule")["spec"]["groups"][0]["rules"].is_array());
}

#[test]
fn disabled_objects_are_not_rendered() {
    let off = json!({"rbac": {"create": false}, "crds": {"enabled": false},
        "controller": {"enabled": false}});
    let Some(rendered) = rendered(&off) else { return };
    let kinds: Vec<_> = rendered.iter().map(|object| object["kind"].clone()).collect();
    assert_eq!(kinds, ["DaemonSet"]);
}

#[test]
fn helm_rejects_values_that_the_schema_rejects() {
    for wrong in [
        json!({"speaker": {"drain": {"marked": "soon"}}}),
        json!({"speaker": {"onexit": "drain"}}),
        json!({"crds": {"enable": true}}),
        json!({"http": {"auth": "kubernetes"}}),
        json!({"speaker": {"hostNetwork": false}}),
    ] {
        let Some(rendered) = render(&wrong) else { return };
        let error = rendered.err().unwrap_or_else(|| panic!("{wrong} is taken"));
        assert!(error.contains("schema"), "{error}");
    }
}
