//! Services and endpoints without a route.

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
fn warnings(objects: &str, advertisement: &str) -> Vec<String> {
    let text = format!(
        "{objects}---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: a}}\nspec: {advertisement}\n"
    );
    let options = Options { lenient: true, ..Options::default() };
    let source = Source { name: "f".to_owned(), octets: text.into_bytes() };
    problems(&options, "f", &[source]).into_iter().map(|problem| problem.message).collect()
}

#[test]
fn a_service_that_every_node_announces_causes_no_warning() {
    assert_eq!(warnings(OBJECTS, "{}"), [""; 0]);
}

#[test]
fn a_service_that_no_node_announces_causes_a_warning_with_the_reason() {
    let found = warnings(OBJECTS, "{serviceSelectors: [{matchLabels: {a: b}}]}");
    let expected = "Service metallb-system/web: no Node announces it (kube1: no advertisement of pool \"p\" selects the Service)";
    assert!(found.iter().any(|message| message == expected), "{found:?}");
    let excluded = OBJECTS
        .replace("rack: a", "node.kubernetes.io/exclude-from-external-load-balancers: ''")
        .replace("rack: b", "node.kubernetes.io/exclude-from-external-load-balancers: ''");
    let found = warnings(&excluded, "{}");
    assert!(found.iter().any(|message| message.contains("no Node announces it (kube1: kube1 has")));
}

#[test]
fn endpoints_of_a_local_service_that_no_advertisement_reaches_cause_a_warning() {
    let from_a = "{nodeSelectors: [{matchLabels: {rack: a}}]}";
    let found = warnings(OBJECTS, from_a);
    let expected = "Service metallb-system/web: no peer gets a route to its endpoints on kube2: no advertisement of pool \"p\" selects kube2";
    assert_eq!(found, [expected]);
    let cluster = OBJECTS.replace("externalTrafficPolicy: Local, ", "");
    assert_eq!(warnings(&cluster, from_a), [""; 0], "traffic reaches them through kube1");
}

#[test]
fn a_warning_about_a_pool_is_not_repeated_for_its_services() {
    let found = warnings(OBJECTS, "{ipAddressPools: [q]}");
    assert!(!found.iter().any(|message| message.contains("Service ")), "{found:?}");
}

#[test]
fn an_aggregate_of_a_local_service_causes_a_warning_if_another_service_is_in_it() {
    let aggregate = "{aggregationLength: 24}";
    assert_eq!(warnings(OBJECTS, aggregate), [""; 0], "no other Service makes a node announce it");
    let more = format!(
        "{OBJECTS}---\napiVersion: v1\nkind: Service\nmetadata: {{name: other}}\nspec: {{type: LoadBalancer, ports: [{{port: 80}}]}}\n"
    );
    let found = warnings(&more, aggregate);
    assert!(is_attracted(&found), "{found:?}");
    let host_routes = format!(
        "{more}---\napiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {{name: hosts}}\n"
    );
    assert!(!is_attracted(&warnings(&host_routes, aggregate)));
    assert!(!is_attracted(&warnings(
        &more.replace("externalTrafficPolicy: Local, ", ""),
        aggregate
    )));
}

fn is_attracted(warnings: &[String]) -> bool {
    warnings.iter().any(|message| message.contains("if it announces 10.0.0.0/24 for another"))
}
