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

fn names<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a str> {
    let found = objects.iter().filter(|object| object["kind"] == kind);
    found.map(|object| object["metadata"]["name"].as_str().unwrap()).collect()
}

/// A value for every option of the chart, each different from its default, for speakers in the network of their node.
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
            "bindAddress": "127.0.0.1",
            "unnumbered": true,
            "onExit": "restart",
            "drain": {"marked": "1s", "withdrawn": "2s", "annotation": "a/b", "taint": "c/d"},
            "heartbeat": "30s",
            "dataplane": {"gate": "require", "delay": "2s", "kubeProxyHealthPort": 10356},
            "nodeSelector": {"rack": "a"},
            "affinity": {"nodeAffinity": {}},
            "podAnnotations": {"a": "b"},
            "labels": {"a": "b"},
        },
    })
}

/// The same for speakers in the network of their pod, which exclude some of these values.
fn everything_in_the_network_of_the_pod() -> Value {
    let mut values = everything();
    let speaker = values["speaker"].as_object_mut().unwrap();
    speaker.insert("hostNetwork".to_owned(), json!(false));
    speaker.remove("bindAddress").unwrap();
    speaker.remove("unnumbered").unwrap();
    speaker["dataplane"]["gate"] = json!("off");
    values
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

fn assert_valid(objects: &[Value]) {
    for object in objects {
        assert_eq!(not_of_its_kind(object), None, "{object}");
        let kind = object["kind"].as_str().unwrap();
        if !["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"].contains(&kind) {
            assert_eq!(object["metadata"]["namespace"], NAMESPACE, "{kind}");
        }
    }
}

#[test]
fn with_every_value_set_the_objects_are_valid_and_the_programs_start() {
    let Some(rendered) = rendered(&everything()) else { return };
    assert_valid(&rendered);

    let Subcommand::Controller(args) = parse_arguments(arguments(find(&rendered, "Deployment")))
    else {
        panic!("a controller")
    };
    assert_eq!(
        (args.cluster.port, args.cluster.lb_class.as_deref()),
        (9120, Some("example.com/lb"))
    );
    assert_eq!(args.cluster.socket.allow_host, ["ferrolb"]);

    let set = find(&rendered, "DaemonSet");
    let words = arguments(set).into_iter().chain(["--node-name=kube1".to_owned()]);
    let Subcommand::Speaker(args) = parse_arguments(words) else { panic!("a speaker") };
    assert_eq!(args.cluster.config, "metallb");
    assert_eq!(args.drain.drain_marked.as_secs() + args.drain.drain_withdrawn.as_secs(), 3);
    assert!(args.ignore_exclude_lb);

    assert_eq!(args.cluster.http_auth, HttpAuth::Kubernetes);
    assert!(args.cluster.tls_cert_file.is_some() && args.cluster.tls_private_key_file.is_some());
    assert_eq!(args.cluster.socket.allow_host, ["ferrolb"]);

    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["hostNetwork"], true);
    let probe = &pod["containers"][0]["livenessProbe"]["httpGet"];
    let expected =
        json!({"path": "/livez", "port": "http", "scheme": "HTTPS", "host": "127.0.0.1"});
    assert_eq!(*probe, expected);
    assert_eq!(names(&rendered, "NetworkPolicy").len(), 2, "a speaker's would have no effect");
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
fn in_the_network_of_the_pod_a_speaker_has_its_address_and_a_network_policy() {
    let Some(rendered) = rendered(&everything_in_the_network_of_the_pod()) else { return };
    assert_valid(&rendered);
    assert_eq!(names(&rendered, "NetworkPolicy").len(), 3);

    let set = find(&rendered, "DaemonSet");
    let words = arguments(set).into_iter().chain(["--node-name=kube1".to_owned()]);
    assert!(matches!(parse_arguments(words), Subcommand::Speaker(_)));
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&Value::Null, &Value::Null));
    let container = &pod["containers"][0];
    let expected = json!({"path": "/livez", "port": "http", "scheme": "HTTPS"});
    assert_eq!(container["livenessProbe"]["httpGet"], expected);
    let variables = container["env"].as_array().unwrap();
    let address = variables.iter().find(|it| it["name"] == "FERROLB_HTTP_ADDRESS").unwrap();
    assert_eq!(address["valueFrom"]["fieldRef"]["fieldPath"], "status.podIP");
}

/// The token has no end, so it exists only for the PodMonitor.
#[test]
fn the_token_for_prometheus_comes_with_the_pod_monitor() {
    const READER: &str = "ferrolb-metrics-reader";
    for (pod_monitor, create) in [(true, true), (true, false), (false, true)] {
        let values = json!({"rbac": {"create": create}, "http": {"auth": "kubernetes"},
            "tls": {"controllerMetricsTLSSecret": "a", "speakerMetricsTLSSecret": "a"},
            "prometheus": {"podMonitor": {"enabled": pod_monitor}}});
        let Some(rendered) = rendered(&values) else { return };
        let has = |kind| names(&rendered, kind).contains(&READER);
        for kind in ["ServiceAccount", "Secret", "ClusterRoleBinding"] {
            assert_eq!(has(kind), pod_monitor && create, "{kind}: {values}");
        }
        // A Prometheus with a configuration of its own is bound to it.
        assert_eq!(has("ClusterRole"), create, "{values}");
    }
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
        json!({"speaker": {"hostNetwork": false, "bindAddress": "127.0.0.1",
            "dataplane": {"gate": "off"}}}),
        json!({"tls": {"speakerMetricsTLSSecret": "a"}}),
        json!({"tls": {"controllerMetricsTLSSecret": "a"}}),
    ] {
        let Some(rendered) = render(&wrong) else { return };
        let error = rendered.err().unwrap_or_else(|| panic!("{wrong} is taken"));
        assert!(error.contains("schema"), "{error}");
    }
}
