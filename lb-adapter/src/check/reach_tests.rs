//! Services and endpoints that no peer hears of.

use crate::check::problems;
use crate::manifest::{Options, Source};

const OBJECTS: &str = "\
apiVersion: v1
kind: Node
metadata: {name: kube1, labels: {rack: a}}
---
apiVersion: v1
kind: Node
metadata: {name: kube2, labels: {rack: b}}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: tor}
spec: {myASN: 64901, peerASN: 64902, peerAddress: 10.9.0.1}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p}
spec: {addresses: [10.0.0.0/24]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints:
- {addresses: [10.244.1.7], nodeName: kube1}
- {addresses: [10.244.2.7], nodeName: kube2}
";

/// Returns the messages about these objects and one advertisement with this spec.
fn said(objects: &str, advertisement: &str) -> Vec<String> {
    let text = format!(
        "{objects}---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: a}}\nspec: {advertisement}\n"
    );
    let options = Options { lenient: true, ..Options::default() };
    let source = Source { name: "f".to_owned(), octets: text.into_bytes() };
    problems(&options, "f", &[source]).into_iter().map(|it| it.message).collect()
}

#[test]
fn a_service_that_every_node_announces_is_not_mentioned() {
    assert_eq!(said(OBJECTS, "{}"), [""; 0]);
}

#[test]
fn a_service_that_no_node_announces_is_told_with_the_reason() {
    let found = said(OBJECTS, "{serviceSelectors: [{matchLabels: {a: b}}]}");
    let expected = "Service metallb-system/web: no Node announces it (kube1: no advertisement of pool \"p\" selects the Service)";
    assert!(found.iter().any(|it| it == expected), "{found:?}");
    let excluded = OBJECTS
        .replace("rack: a", "node.kubernetes.io/exclude-from-external-load-balancers: ''")
        .replace("rack: b", "node.kubernetes.io/exclude-from-external-load-balancers: ''");
    let found = said(&excluded, "{}");
    assert!(found.iter().any(|it| it.contains("no Node announces it (kube1: kube1 has")));
}

#[test]
fn endpoints_of_a_local_service_that_no_advertisement_reaches_are_told() {
    let from_a = "{nodeSelectors: [{matchLabels: {rack: a}}]}";
    let found = said(OBJECTS, from_a);
    let expected = "Service metallb-system/web: no peer hears of its endpoints on kube2: no advertisement of pool \"p\" selects kube2";
    assert_eq!(found, [expected]);
    let cluster = OBJECTS.replace("externalTrafficPolicy: Local, ", "");
    assert_eq!(said(&cluster, from_a), [""; 0], "traffic reaches them through kube1");
}

#[test]
fn what_is_told_of_a_pool_is_not_told_of_its_services() {
    let found = said(OBJECTS, "{ipAddressPools: [q]}");
    assert!(!found.iter().any(|it| it.contains("Service ")), "{found:?}");
}

#[test]
fn an_aggregate_beside_local_services_is_told_if_something_else_is_in_it() {
    let aggregate = "{aggregationLength: 24}";
    assert_eq!(said(OBJECTS, aggregate), [""; 0], "no other Service makes a node announce it");
    let more = format!(
        "{OBJECTS}---\napiVersion: v1\nkind: Service\nmetadata: {{name: other}}\nspec: {{type: LoadBalancer, ports: [{{port: 80}}]}}\n"
    );
    let found = said(&more, aggregate);
    let told = |found: &[String]| {
        found.iter().any(|it| it.contains("attracts its traffic by 10.0.0.0/24"))
    };
    assert!(told(&found), "{found:?}");
    let host_routes = format!(
        "{more}---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: hosts}}\n"
    );
    assert!(!told(&said(&host_routes, aggregate)));
    assert!(!told(&said(&more.replace("externalTrafficPolicy: Local, ", ""), aggregate)));
}
