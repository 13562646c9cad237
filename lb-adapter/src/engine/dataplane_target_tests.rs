use crate::manifest::{Source, parse};
use crate::planner::PlannerOptions;

use super::super::Change;
use super::*;

/// Returns the target of kube1 for the first Service, with this `spec` and these endpoints.
fn target(spec: &str, endpoints: &str) -> Option<DataplaneTarget> {
    let engine = engine(spec, endpoints, "");
    engine.dataplane_target("kube1", &key("web"))
}

fn key(name: &str) -> ServiceKey {
    ServiceKey::new("default", name)
}

fn engine(spec: &str, endpoints: &str, more: &str) -> Engine {
    let text = format!(
        "
apiVersion: v1
kind: ConfigMap
metadata: {{namespace: metallb-system, name: config}}
data:
  config: |
    peers: [{{my-asn: 64636, peer-asn: 64635, peer-address: 192.0.2.254}}]
    address-pools:
    - {{name: default, protocol: bgp, addresses: [192.0.2.0/28]}}
    - {{name: plain, protocol: bgp, addresses: [192.0.2.16/28], auto-assign: false, dataplane-gate: 'off'}}
---
{{apiVersion: v1, kind: Node, metadata: {{name: kube1}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: LoadBalancer, {spec}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
endpoints: [{endpoints}]
{more}"
    );
    let source = Source { name: "all.yaml".to_owned(), octets: text.into_bytes() };
    let options =
        PlannerOptions { dataplane_gate: Some(DataplaneGate::Auto), ..PlannerOptions::default() };
    let mut engine = Engine::new(options, Some("kube1".to_owned()));
    engine.load(parse("all.yaml", &[source]).unwrap());
    engine
}

const LOCAL: &str = "externalTrafficPolicy: Local, healthCheckNodePort: 31234, ports: [{port: 53, protocol: UDP}, {port: 25}]";
const HERE: &str = "{addresses: [10.0.0.1], nodeName: kube1}";
const THERE: &str = "{addresses: [10.0.0.2], nodeName: kube2}";
const TERMINATING: &str = "{addresses: [10.0.0.1], nodeName: kube1, conditions: {ready: false, serving: true, terminating: true}}";

#[test]
fn a_target_has_the_ports_and_addresses_that_are_checked() {
    let target = target(LOCAL, HERE).unwrap();
    assert_eq!(target.gate, DataplaneGate::Auto);
    assert_eq!((target.health_check_node_port, target.tcp_port), (Some(31_234), Some(25)));
    assert_eq!(target.addresses, ["192.0.2.0".parse::<IpAddr>().unwrap()]);
    assert_eq!((target.demand, target.has_other_nodes), (RouteDemand::Serving, false));
    assert_eq!(target.remote_endpoints, Vec::<IpAddr>::new());
}

#[test]
fn the_demand_follows_the_endpoints() {
    let demand = |spec, endpoints: &[&str]| target(spec, &endpoints.join(", ")).unwrap().demand;
    assert_eq!(demand(LOCAL, &[HERE, THERE]), RouteDemand::Serving);
    assert_eq!(demand(LOCAL, &[TERMINATING, THERE]), RouteDemand::Terminating);
    assert_eq!(demand(LOCAL, &[THERE]), RouteDemand::Elsewhere);
    assert_eq!(demand(LOCAL, &[]), RouteDemand::None);
    let cluster = target("ports: [{port: 25}]", &[HERE, THERE].join(", ")).unwrap();
    assert_eq!(cluster.remote_endpoints, ["10.0.0.2".parse::<IpAddr>().unwrap()]);
    assert_eq!(demand("ports: [{port: 25}]", &[THERE]), RouteDemand::Serving);
    assert_eq!(demand("ports: [{port: 25}]", &[]), RouteDemand::None);
}

#[test]
fn a_pool_without_a_gate_and_a_process_without_one_have_no_targets() {
    let plain = "loadBalancerIP: 192.0.2.17, ports: [{port: 25}]";
    assert_eq!(target(plain, HERE), None);
    let mut engine = engine(LOCAL, HERE, "");
    engine.options.dataplane_gate = None;
    assert_eq!(engine.dataplane_target("kube1", &key("web")), None);
}

#[test]
fn only_the_endpoints_that_the_node_forwards_to_change_the_fingerprint() {
    let fingerprint =
        |spec, endpoints: &[&str]| target(spec, &endpoints.join(", ")).unwrap().fingerprint;
    assert_eq!(fingerprint(LOCAL, &[HERE]), fingerprint(LOCAL, &[HERE, THERE]));
    assert_ne!(fingerprint(LOCAL, &[HERE]), fingerprint(LOCAL, &[TERMINATING]));
    let cluster = "ports: [{port: 25}]";
    assert_ne!(fingerprint(cluster, &[HERE]), fingerprint(cluster, &[HERE, THERE]));
    assert_ne!(fingerprint(cluster, &[HERE]), fingerprint("ports: [{port: 26}]", &[HERE]));
}

#[test]
fn a_service_shares_its_routes_if_another_one_has_them_at_full_preference() {
    let shared = "metadata: {name: api, annotations: {metallb.io/allow-shared-ip: a}}
spec: {type: LoadBalancer, loadBalancerIP: 192.0.2.3, ports: [{port: 443}]}";
    let more = format!(
        "---\napiVersion: v1\nkind: Service\n{shared}\n---\n{}",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: api-1, labels: \
         {kubernetes.io/service-name: api}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.9], nodeName: kube2}]}"
    );
    let spec = "loadBalancerIP: 192.0.2.3, ports: [{port: 25}]";
    let mut engine = engine(spec, HERE, &more);
    let mut web = engine.service_of(&key("web")).unwrap();
    web.annotations = [("metallb.io/allow-shared-ip", "a")].into_iter().collect();
    engine.apply(Change::Service { service: Box::new(web), status: None });

    let shares =
        |engine: &Engine| engine.dataplane_target("kube1", &key("web")).unwrap().shares_routes;
    let observe = |engine: &mut Engine, found| {
        let (node, service) = ("kube1".to_owned(), key("api"));
        engine.apply(Change::Dataplane { node, service, found: Some(found) });
    };
    assert!(!shares(&engine), "the other one is held back, too");
    observe(&mut engine, DataplaneStatus::Ready);
    assert!(shares(&engine));
    observe(&mut engine, DataplaneStatus::Depreferenced("it failed".into()));
    assert!(!shares(&engine));
}

#[test]
fn an_excluded_node_leaves_its_services_to_others() {
    let mut engine = engine("ports: [{port: 25}]", THERE, "");
    let mut node = engine.nodes().next().unwrap().clone();
    node.labels =
        [("node.kubernetes.io/exclude-from-external-load-balancers", "")].into_iter().collect();
    engine.apply(Change::Node(node));
    let target = engine.dataplane_target("kube1", &key("web")).unwrap();
    assert_eq!(target.demand, RouteDemand::Elsewhere);
}
