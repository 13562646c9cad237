//! The network policies name the ports that the programs use, and no others.

use std::collections::BTreeSet;

use ferrolb::cli::Command;
use lb_adapter::model::Peer;
use serde_json::{Value, json};

use crate::arguments::parse;
use crate::documents::{documents, one, text};
use crate::kustomize::build_with;

const CONTROLLER: &str = "deploy/kustomize/components/network-policies/controller.yaml";
const SPEAKER: &str = "deploy/kustomize/components/pod-network/networkpolicy.yaml";
/// The port of an API server, unless it is configured otherwise.
const API_SERVER: u16 = 6443;

/// The ports of a direction, as `TCP 179`.
fn ports(policy: &Value, direction: &str) -> BTreeSet<String> {
    let rules = policy["spec"][direction].as_array().unwrap().iter();
    let ports = rules.flat_map(|rule| rule["ports"].as_array().unwrap());
    let text = |port: &Value| port.as_str().map_or_else(|| port.to_string(), str::to_owned);
    ports.map(|it| format!("{} {}", it["protocol"].as_str().unwrap(), text(&it["port"]))).collect()
}

fn expected(ports: &[(&str, u16)]) -> BTreeSet<String> {
    ports.iter().map(|(protocol, port)| format!("{protocol} {port}")).collect()
}

/// The ports of BFD over one hop and over several, which only the speaker's code names.
fn bfd_ports() -> [(&'static str, u16); 2] {
    let code = text("bgp-session/src/bfd/endpoint.rs");
    ["Self::Single => ", "Self::Multi { .. } => "].map(|arm| {
        let port =
            code.split(arm).find_map(|rest| rest.split_once(',')?.0.replace('_', "").parse().ok());
        ("UDP", port.unwrap_or_else(|| panic!("no port after {arm:?}")))
    })
}

/// The name of the port that the programs listen at, which the manifests give to it.
fn http_port(kind: &str) -> BTreeSet<String> {
    let object = one("deploy/manifests/ferrolb-system.yaml", kind);
    let port = &object["spec"]["template"]["spec"]["containers"][0]["ports"][0];
    let Command::Controller(args) = parse(["controller"]) else { panic!("a controller") };
    assert_eq!(port["containerPort"], args.cluster.port);
    BTreeSet::from([format!("TCP {}", port["name"].as_str().unwrap())])
}

#[test]
fn a_controller_answers_at_its_port_and_reaches_the_api_server() {
    let policy = documents(CONTROLLER).remove(0);
    assert_eq!(ports(&policy, "ingress"), http_port("Deployment"));
    assert_eq!(ports(&policy, "egress"), expected(&[("TCP", API_SERVER)]));
}

#[test]
fn a_speaker_in_the_network_of_its_pod_has_the_ports_of_bgp_and_bfd() {
    let policy = documents(SPEAKER).remove(0);
    let bfd = bfd_ports();
    // It dials its routers and does not listen for them.
    let ingress: BTreeSet<_> = http_port("DaemonSet").into_iter().chain(expected(&bfd)).collect();
    assert_eq!(ports(&policy, "ingress"), ingress);
    let egress = [&bfd[..], &[("TCP", API_SERVER), ("TCP", Peer::DEFAULT_PORT)]].concat();
    assert_eq!(ports(&policy, "egress"), expected(&egress));
}

/// A policy that selects nothing would restrict nothing.
#[test]
fn each_policy_selects_the_pods_of_its_program() {
    for (path, kind) in [(CONTROLLER, "Deployment"), (SPEAKER, "DaemonSet")] {
        let policy = documents(path).remove(0);
        let object = one("deploy/manifests/ferrolb-system.yaml", kind);
        let labels = &object["spec"]["template"]["metadata"]["labels"];
        assert_eq!(policy["spec"]["podSelector"]["matchLabels"], *labels, "{path}");
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]), "{path}");
    }
}

/// The generated templates are the policies of kustomize with values for two fields.
#[test]
fn the_chart_has_the_policies_of_kustomize() {
    for (path, template) in [(CONTROLLER, "controller"), (SPEAKER, "speaker")] {
        let template =
            text(&format!("deploy/charts/ferrolb/templates/networkpolicy-{template}.yaml"));
        let lines: Vec<_> = template
            .lines()
            .filter(|line| !line.starts_with("{{-"))
            .map(|line| {
                line.replace("{{ .Release.Namespace }}", "ferrolb-system")
                    .replace("{{ .Values.networkpolicies.apiPort }}", &API_SERVER.to_string())
            })
            .collect();
        assert_eq!(lines, text(path).lines().collect::<Vec<_>>(), "{path}");
    }
    let values = documents("deploy/charts/ferrolb/values.yaml").remove(0);
    assert_eq!(values["networkpolicies"]["apiPort"], API_SERVER);
}

#[test]
fn a_speaker_gets_a_policy_only_in_the_network_of_its_pod() {
    let names = |objects: Vec<Value>| -> Vec<String> {
        let policies = objects.into_iter().filter(|object| object["kind"] == "NetworkPolicy");
        policies.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let Some(host) = build_with(&["network-policies"]) else { return };
    assert_eq!(names(host), ["ferrolb-controller"]);

    let pod = build_with(&["network-policies", "pod-network"]).unwrap();
    let set = pod.iter().find(|object| object["kind"] == "DaemonSet").unwrap();
    let spec = &set["spec"]["template"]["spec"];
    assert_eq!((&spec["hostNetwork"], &spec["dnsPolicy"]), (&json!(false), &json!("ClusterFirst")));
    let variables = spec["containers"][0]["env"].as_array().unwrap();
    let value = |name: &str| variables.iter().find(|it| it["name"] == name).unwrap().clone();
    let address = &value("FERROLB_HTTP_ADDRESS")["valueFrom"]["fieldRef"]["fieldPath"];
    assert_eq!(address, "status.podIP");
    assert_eq!(value("FERROLB_DATAPLANE_GATE")["value"], "off");
    assert_eq!(names(pod), ["ferrolb-controller", "ferrolb-speaker"]);
}
