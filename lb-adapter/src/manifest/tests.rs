use std::path::Path;

use super::*;
use crate::config::Diagnostics;
use crate::model::{
    Config, Endpoint, ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, ServicePort, ServiceType,
    TransportProtocol,
};

pub(super) const CONFIG: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {namespace: metallb-system, name: config}
data:
  config: |
    peers: []
";

pub(super) fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), octets: text.as_bytes().to_vec() }
}

/// Reads these objects together with a configuration.
pub(super) fn beside_config(text: &str) -> Result<Manifests, Diagnostics> {
    parse("d", &[source("config", CONFIG), source("f", text)])
}

fn good(text: &str) -> Manifests {
    let manifests = beside_config(text).unwrap_or_else(|failed| panic!("{failed}"));
    assert_eq!(manifests.warnings, [], "{text}");
    manifests
}

pub(super) fn lines(result: Result<Manifests, Diagnostics>) -> Vec<String> {
    let all = match result {
        Ok(manifests) => manifests.warnings,
        Err(failed) => failed.into_iter().collect(),
    };
    all.iter().map(ToString::to_string).collect()
}

/// Returns the problems of these objects, one line each.
fn problems(text: &str) -> Vec<String> {
    lines(beside_config(text))
}

fn service(spec: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {spec}\n")
}

fn slice(rest: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: web-1, labels: {{kubernetes.io/service-name: web}}}}\n{rest}\n"
    )
}

#[test]
fn the_reference_case_is_read() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/reference");
    let manifests = read(Path::new(directory)).unwrap_or_else(|failed| panic!("{failed}"));
    assert_eq!(manifests.warnings, []);
    assert_eq!(manifests.config.peers[0].name, "172.22.35.1:179");
    assert_eq!(manifests.config.pools.len(), 2);
    let names: Vec<_> = manifests.services.iter().map(|it| it.key.to_string()).collect();
    assert_eq!(names, ["mail/smtp", "web/public-web", "web/web"]);
    let smtp = &manifests.services[0];
    assert_eq!(smtp.load_balancer_ip.as_deref(), Some("172.22.35.70"));
    assert_eq!(smtp.external_traffic_policy, ExternalTrafficPolicy::Local);
    assert_eq!(smtp.annotations.get("metallb.universe.tf/allow-shared-ip"), Some("ekvm"));
    assert_eq!(smtp.ports, [ServicePort { protocol: TransportProtocol::Tcp, port: 25 }]);
    assert_eq!(smtp.created.unwrap().to_string(), "2018-09-12T08:30:00Z");
    let on: Vec<_> = manifests.slices[0].endpoints.iter().map(|it| it.node_name.clone()).collect();
    assert_eq!(on, [Some("kube2".into())]);
    let nodes = manifests.nodes.iter().map(|it| format!("{} {}", it.name, it.addresses[0]));
    assert!(nodes.eq(["kube1 172.22.35.25", "kube2 172.22.35.26", "kube3 172.22.35.27"]));
}

#[test]
fn a_service_has_the_defaults_of_the_api_server() {
    let manifests = good(&service("{}"));
    let [service] = manifests.services.as_slice() else { panic!("{manifests:?}") };
    assert_eq!(service.key.to_string(), "default/web");
    assert_eq!(service.type_, ServiceType::ClusterIp);
    assert_eq!(service.external_traffic_policy, ExternalTrafficPolicy::Cluster);
    assert_eq!((service.created, service.ports.len()), (None, 0));
}

#[test]
fn every_field_of_a_service_is_read() {
    let manifests = good(
        "\
apiVersion: v1
kind: Service
metadata:
  namespace: ns
  name: web
  creationTimestamp: 2018-09-12T08:30:00Z
  annotations: {a/b: c}
  managedFields: [{x: {}}]
spec:
  type: LoadBalancer
  loadBalancerIP: 10.0.0.1
  loadBalancerClass: example.com/lb
  externalTrafficPolicy: Local
  ports:
  - {port: 53, protocol: UDP, targetPort: dns}
  - {port: 80}
  selector: {app: web}
  ipFamilies: [IPv6, IPv4]
  ipFamilyPolicy: PreferDualStack
  clusterIP: fd00::1
  clusterIPs: ['fd00::1', 10.96.0.1]
  publishNotReadyAddresses: true
status:
  loadBalancer:
    ingress: [{ip: 10.0.0.1}, {hostname: a.example}, {}]
",
    );
    let service = &manifests.services[0];
    assert_eq!(service.load_balancer_ip.as_deref(), Some("10.0.0.1"));
    assert_eq!(service.load_balancer_class.as_deref(), Some("example.com/lb"));
    assert_eq!(service.ports[0].to_string(), "53/UDP");
    assert_eq!(service.ports[1].to_string(), "80/TCP");
    assert_eq!(service.selector.get("app"), Some("web"));
    assert_eq!(service.annotations.get("a/b"), Some("c"));
    assert_eq!(service.ip_families, [IpFamily::Ipv6, IpFamily::Ipv4]);
    assert_eq!(service.ip_family_policy, Some(IpFamilyPolicy::PreferDualStack));
    assert_eq!(service.cluster_ips.len(), 2);
    assert!(service.publish_not_ready_addresses);
    assert_eq!(service.status_addresses, ["10.0.0.1", "a.example"]);
}

#[test]
fn a_headless_service_has_no_cluster_address() {
    for spec in ["{clusterIP: None}", "{clusterIPs: [None]}", "{clusterIP: ''}"] {
        assert_eq!(good(&service(spec)).services[0].cluster_ips.len(), 0, "{spec}");
    }
    assert_eq!(good(&service("{clusterIP: 10.0.0.1}")).services[0].cluster_ips.len(), 1);
}

#[test]
fn values_that_the_api_server_refuses_are_errors_at_their_place() {
    for (spec, expected) in [
        ("[]", "4:7: error: spec: expected a mapping, found a list"),
        (
            "{type: Loadbalancer}",
            "4:14: error: spec.type: expected LoadBalancer, ClusterIP, NodePort or ExternalName, found \"Loadbalancer\"",
        ),
        ("{ports: {port: 80}}", "4:15: error: spec.ports: expected a list, found a mapping"),
        (
            "{ports: [{port: 65536}]}",
            "4:23: error: spec.ports[0].port: expected a number from 1 to 65535, found 65536",
        ),
        (
            "{ports: [{port: '80'}]}",
            "4:23: error: spec.ports[0].port: expected a number from 1 to 65535, found \"80\"",
        ),
        (
            "{ports: [{protocol: TCP}]}",
            "4:16: error: spec.ports[0].port: missing, expected a number from 1 to 65535",
        ),
        (
            "{ports: [{port: 80, protocol: tcp}]}",
            "4:37: error: spec.ports[0].protocol: expected TCP, UDP or SCTP, found \"tcp\"",
        ),
        (
            "{externalTrafficPolicy: local}",
            "4:31: error: spec.externalTrafficPolicy: expected Cluster or Local, found \"local\"",
        ),
        (
            "{selector: {app: yes}}",
            "4:24: error: spec.selector.app: expected a string, found yes: write \"yes\"",
        ),
        (
            "{clusterIP: 10}",
            "4:19: error: spec.clusterIP: expected a string, found 10: write \"10\"",
        ),
        ("{clusterIP: web}", "4:19: error: spec.clusterIP: expected an IP address, found \"web\""),
        (
            "{publishNotReadyAddresses: 1}",
            "4:34: error: spec.publishNotReadyAddresses: expected true or false, found 1",
        ),
    ] {
        assert_eq!(problems(&service(spec)), [format!("f:{expected}")], "{spec}");
    }
    let text = "apiVersion: v1\nkind: Service\nmetadata:\n  name: 12\n  creationTimestamp: yesterday\n  annotations: {metallb.universe.tf/x: 1}\nspec: {}\n";
    assert_eq!(
        problems(text),
        [
            "f:4:9: error: metadata.name: expected a string, found 12: write \"12\"",
            "f:5:22: error: metadata.creationTimestamp: expected a time such as 2018-09-12T08:30:00Z, found \"yesterday\"",
            "f:6:40: error: metadata.annotations[\"metallb.universe.tf/x\"]: expected a string, found 1: write \"1\"",
        ]
    );
}

#[test]
fn objects_need_metadata_and_spec() {
    assert_eq!(
        problems(
            "{apiVersion: v1, kind: Service}\n---\n{apiVersion: v1, kind: Node, metadata: {}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: a}}\n"
        ),
        [
            "f:1:1: error: metadata: missing, expected at least the object's name",
            "f:1:1: error: spec: missing, expected the Service's ports and selector",
            "f:3:40: error: metadata.name: missing, expected the object's name",
            "f:5:1: error: spec: missing, expected the Service's ports and selector",
        ]
    );
}

#[test]
fn names_are_those_of_kubernetes() {
    let named =
        |name: &str| problems(&format!("apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\n"));
    for name in ["a", "kube-1.example.org", "'1a'"] {
        assert_eq!(named(name), [""; 0], "{name}");
    }
    let empty = service("{}").replace("{name: web}", "{name: web, namespace: ''}");
    assert_eq!(good(&empty).services[0].key.to_string(), "default/web");
    for name in ["Kube1", "-a", "a_b", "a/b", "\"a\\eb\"", &"a".repeat(254)] {
        let problems = named(name);
        assert!(
            problems.len() == 1 && problems[0].starts_with("f:3:18: error: metadata.name: "),
            "{problems:?}"
        );
        assert!(problems[0].contains("expected a name of lower case letters"), "{problems:?}");
    }
}

#[test]
fn slices_keep_their_conditions_as_given() {
    let text = slice(
        "addressType: IPv4\nendpoints:\n- {addresses: [10.0.0.1], nodeName: kube1}\n\
         - {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: null}}",
    );
    let manifests = good(&text);
    let slice = &manifests.slices[0];
    assert_eq!((slice.name.as_str(), slice.service.to_string().as_str()), ("web-1", "default/web"));
    let mut first = Endpoint::new("10.0.0.1".parse::<std::net::IpAddr>().unwrap());
    first.node_name = Some("kube1".into());
    let mut second = Endpoint::new("10.0.0.2".parse::<std::net::IpAddr>().unwrap());
    (second.ready, second.serving) = (Some(false), Some(true));
    assert_eq!(slice.endpoints, [first, second]);
    assert_eq!(good(&slice_of_null()).slices[0].endpoints, []);
}

fn slice_of_null() -> String {
    slice("addressType: IPv4\nendpoints: null")
}

#[test]
fn unusable_slices_get_a_warning() {
    assert_eq!(
        problems(&slice("addressType: FQDN\nendpoints: []")),
        ["f:4:14: warning: addressType: FQDN endpoints are on no node, the slice is ignored"]
    );
    assert_eq!(
        problems(&slice_of_null().replace("service-name", "other")),
        [
            "f:1:1: warning: the label kubernetes.io/service-name is missing, expected the Service's name"
        ]
    );
}

#[test]
fn mistakes_in_slices_are_errors() {
    for (rest, expected) in [
        ("endpoints: []", "1:1: error: addressType: missing, expected IPv4 or IPv6"),
        (
            "addressType: IPv4\nendpoints: [{}]",
            "5:13: error: endpoints[0].addresses: missing, expected the endpoint's addresses",
        ),
        (
            "addressType: IPv4\nendpoints: [{addresses: [kube1]}]",
            "5:26: error: endpoints[0].addresses[0]: expected an IP address, found \"kube1\"",
        ),
        (
            "addressType: IPv4\nendpoints: [{addresses: [], conditions: {ready: 'true'}}]",
            "5:49: error: endpoints[0].conditions.ready: expected true or false, found \"true\"",
        ),
    ] {
        assert_eq!(problems(&slice(rest)), [format!("f:{expected}")], "{rest}");
    }
}

#[test]
fn endpoints_objects_only_count_without_slices() {
    let endpoints = "\
apiVersion: v1
kind: Endpoints
metadata: {name: web}
subsets:
- addresses: [{ip: 10.0.0.1, nodeName: kube1}]
  notReadyAddresses: [{ip: 10.0.0.2, nodeName: kube2}]
";
    let manifests = good(endpoints);
    let ready: Vec<_> = manifests.slices[0].endpoints.iter().map(|it| it.ready).collect();
    assert_eq!(ready, [Some(true), Some(false)]);
    assert_eq!(manifests.slices[0].service.to_string(), "default/web");
    let manifests = good(&format!("{endpoints}---\n{}", slice_of_null()));
    assert_eq!(manifests.slices.len(), 1);
    assert_eq!(manifests.slices[0].name, "web-1");
}

#[test]
fn internal_addresses_of_nodes_come_first() {
    let manifests = good(
        "\
apiVersion: v1
kind: Node
metadata: {name: kube1, labels: {rack: a}}
status:
  addresses:
  - {type: ExternalIP, address: 192.0.2.1}
  - {type: Hostname, address: 10.9.9.9}
  - {type: InternalIP, address: 10.0.0.1}
  - {type: InternalIP, address: 'fd00::1'}
",
    );
    let node = &manifests.nodes[0];
    let addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.0.0.1", "fd00::1", "192.0.2.1"]);
    assert_eq!(node.labels.get("rack"), Some("a"));
}

#[test]
fn lists_of_objects_are_read_with_and_without_kinds_of_their_own() {
    let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: b}}\n- {apiVersion: v1, kind: Node, metadata: {name: a}}\n";
    let names: Vec<_> = good(list).nodes.into_iter().map(|node| node.name).collect();
    assert_eq!(names, ["a", "b"]);
    let list = "{\"apiVersion\": \"v1\", \"kind\": \"ServiceList\", \"items\": [{\"metadata\": {\"name\": \"a\"}, \"spec\": {}}]}";
    assert_eq!(good(list).services.len(), 1);
    let broken = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: b}, spec: {ports: [{port: 0}]}}\n";
    assert_eq!(
        problems(broken),
        ["f:4:78: error: items[0].spec.ports[0].port: expected a number from 1 to 65535, found 0"]
    );
}

#[test]
fn other_kinds_get_one_warning_per_file() {
    let pods = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Pod\n---\napiVersion: serving.knative.dev/v1\nkind: Service\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: web}\n";
    assert_eq!(
        problems(pods),
        [
            "f:1:1: warning: \"Pod\" of \"v1\" is not read (2 objects)",
            "f:8:1: warning: \"Service\" of \"serving.knative.dev/v1\" is not read",
        ]
    );
}

#[test]
fn a_document_that_is_not_an_object_is_an_error() {
    assert_eq!(
        problems("a: 1\n---\n- x\n---\npeers: []\n---\napiVersion: v1\n"),
        [
            "f:1:1: error: expected a Kubernetes object with apiVersion and kind",
            "f:3:1: error: expected a mapping, found a list",
            "f:5:1: error: expected a Kubernetes object: put the configuration under data.config of the ConfigMap metallb-system/config",
            "f:7:1: error: expected a Kubernetes object with apiVersion and kind",
        ]
    );
}

#[test]
fn a_duplicate_object_is_an_error_that_names_both_places() {
    let one = "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n";
    let sources = [source("config", CONFIG), source("x", one), source("y", one)];
    assert_eq!(lines(parse("d", &sources)), ["y:1:1: error: another Node is named a at x:1"]);
    let sources = [source("config", CONFIG), source("more", CONFIG)];
    assert_eq!(
        lines(parse("d", &sources)),
        ["more:1:1: error: another ConfigMap is named metallb-system/config at config:1"]
    );
    let elsewhere =
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: other}\nspec: {}\n";
    assert_eq!(good(&format!("{}---\n{elsewhere}", service("{}"))).services.len(), 2);
}

#[test]
fn without_the_config_map_nothing_takes_effect() {
    for sources in [&[source("f", &service("{}"))][..], &[]] {
        assert_eq!(
            lines(parse("d", sources)),
            [
                "d: error: expected a ConfigMap metallb-system/config or metallb.io resources, found none"
            ]
        );
    }
    let other = CONFIG.replace("namespace: metallb-system, ", "");
    assert_eq!(
        lines(parse("d", &[source("f", &other)])),
        [
            "d: error: expected a ConfigMap metallb-system/config or metallb.io resources, found none but default/config at f:1 (to read it, use --namespace default)",
            "f:1:1: warning: the ConfigMap default/config is ignored, the configuration is metallb-system/config; to read default/config, use --namespace default",
        ]
    );
}

#[test]
fn a_text_whose_sections_are_all_null_is_a_configuration() {
    let options = Options { lenient: true, ..Options::default() };
    for text in ["peers:\naddress-pools:\n", "bgp-communities: null\n"] {
        let manifests = parse_with(&options, "d", &[source("f", text)]).unwrap();
        assert_eq!(manifests.config, Config::default());
    }
}

#[test]
fn problems_of_the_configuration_have_lines_of_the_file() {
    let text = CONFIG.replace("    peers: []\n", "\n    # comment\n    peers:\n    - my-asn: 1\n      peer-asn: x\n      peer-address: 10.0.0.1\n");
    assert_eq!(
        lines(parse("d", &[source("f", &text)])),
        ["f:10:17: error: peers[0].peer-asn: expected a number from 1 to 4294967295, found \"x\""]
    );
    let text = CONFIG.replace("    peers: []\n", "    peers: [\n");
    let problems = lines(parse("d", &[source("f", &text)]));
    assert!(
        problems.len() == 1 && problems[0].starts_with("f:6:12: error: invalid YAML: "),
        "{problems:?}"
    );
    let text = CONFIG.replace("config: |\n    peers: []\n", "config: \"a: 1\\nb: 2\\n\"\n");
    assert_eq!(
        lines(parse("d", &[source("f", &text)])),
        [
            "f:5:11: error: a: unknown key, expected peers, bgp-communities, address-pools or bfd-profiles (line 1 of the embedded text)",
            "f:5:11: error: b: unknown key, expected peers, bgp-communities, address-pools or bfd-profiles (line 2 of the embedded text)",
        ]
    );
}

#[test]
fn the_config_map_has_its_text_under_config() {
    let with = |data: &str| {
        let (head, _) = CONFIG.split_once("data:\n").unwrap();
        lines(parse("d", &[source("f", &format!("{head}{data}\n"))]))
    };
    assert_eq!(
        with(""),
        ["f:1:1: error: data: missing, expected the configuration under the key config"]
    );
    assert_eq!(
        with("data: {confg: ''}"),
        [
            "f:4:7: error: data.config: missing, expected the configuration as text",
            "f:4:8: error: data.confg: unknown key, did you mean config?",
        ]
    );
    assert_eq!(
        with("data: {config: {peers: []}}"),
        ["f:4:16: error: data.config: expected a string, found a mapping"]
    );
    assert_eq!(
        with("data: {config: '', extras: ''}"),
        ["f:4:28: warning: data.extras: ignored, the configuration is data.config"]
    );
    for data in ["data: {config: ''}", "data:\n  config:", "data:\n  config: |\n"] {
        assert_eq!(with(data), [""; 0], "{data}");
    }
}

#[test]
fn problems_of_all_files_come_at_once_in_order() {
    let sources = [
        source("b", "a: b: c\n---\n{apiVersion: v1, kind: Node, metadata: {name: 1}}\n"),
        source("a", "\"\n"),
        Source { name: "c".to_owned(), octets: b"a: b\n# \xc3\xa9\xff\n".to_vec() },
    ];
    let problems = lines(parse("d", &sources));
    assert_eq!(problems.len(), 4, "{problems:#?}");
    assert!(problems[0].starts_with("a:1:1: error: invalid YAML: "), "{problems:#?}");
    assert_eq!(
        problems[1],
        "b:1:5: error: invalid YAML: mapping values are not allowed in this context"
    );
    assert_eq!(
        problems[2],
        "b:3:47: error: metadata.name: expected a string, found 1: write \"1\""
    );
    assert_eq!(problems[3], "c:2:4: error: expected UTF-8 text");
}
