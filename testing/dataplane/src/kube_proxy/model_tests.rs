use serde_json::{Value, json};

use super::*;

const READY: [bool; 3] = [true, true, false];
const TERMINATING: [bool; 3] = [false, true, true];
const GONE: [bool; 3] = [false, false, true];

/// The objects of one Service with these endpoints: the last number of the address, the node, and the conditions.
fn objects(policy: &str, endpoints: &[(u8, &str, [bool; 3])]) -> Objects {
    let service = json!({
        "metadata": {"namespace": "mail", "name": "smtp"},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.25", "externalTrafficPolicy": policy,
            "healthCheckNodePort": 31025, "ports": [{"name": "smtp", "port": 25, "nodePort": 30025}]},
        "status": {"loadBalancer": {"ingress": [
            {"ip": "172.22.35.70", "ipMode": "VIP"}, {"ip": "172.22.35.71", "ipMode": "Proxy"}]}},
    });

    let endpoint = |(number, node, [ready, serving, terminating]): &(u8, &str, [bool; 3])| {
        json!({"addresses": [format!("10.244.0.{number}")], "nodeName": node,
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating}})
    };
    let slice = json!({
        "metadata": {"namespace": "mail", "name": "smtp-1", "labels": {"kubernetes.io/service-name": "smtp"}},
        "addressType": "IPv4",
        "ports": [{"name": "smtp", "port": 2525, "protocol": "TCP"}],
        "endpoints": endpoints.iter().map(endpoint).collect::<Vec<Value>>(),
    });

    let mut objects = Objects::default();
    assert!(objects.set_service(serde_json::from_value(service).unwrap()));
    assert!(objects.set_slice(serde_json::from_value(slice).unwrap()));
    objects
}

fn port(policy: &str, endpoints: &[(u8, &str, [bool; 3])]) -> Port {
    let mut ports = objects(policy, endpoints).ports("kube1");
    assert_eq!(ports.len(), 1);
    ports.remove(0)
}

#[test]
fn ready_endpoints_come_before_those_that_terminate() {
    let both = port("Cluster", &[(1, "kube1", TERMINATING), (2, "kube2", READY)]);
    assert_eq!(both.cluster_endpoints, ["10.244.0.2:2525"]);
    assert_eq!(both.vips, [Ipv4Addr::new(172, 22, 35, 70)], "not one of another proxy");

    let one = port("Cluster", &[(1, "kube1", TERMINATING), (2, "kube2", GONE)]);
    assert_eq!(one.cluster_endpoints, ["10.244.0.1:2525"]);
    assert!(one.serves_external());
}

#[test]
fn with_policy_local_a_node_goes_on_with_its_own_pod_that_terminates() {
    let local = port("Local", &[(1, "kube1", TERMINATING), (2, "kube2", READY)]);
    assert_eq!(local.local_endpoints, ["10.244.0.1:2525"]);
    assert_eq!(local.cluster_endpoints, ["10.244.0.2:2525"]);
    assert!(local.serves_external());
}

#[test]
fn with_policy_local_a_node_without_a_pod_serves_nobody_outside() {
    let elsewhere = port("Local", &[(2, "kube2", READY)]);
    assert!(elsewhere.has_endpoints && !elsewhere.serves_external());
    assert!(!port("Local", &[]).has_endpoints);
}

#[test]
fn the_health_port_counts_ready_endpoints_only() {
    let count = |endpoints: &[(u8, &str, [bool; 3])]| {
        let checks = objects("Local", endpoints).health_checks("kube1");
        checks.into_values().map(|it| (it.port, it.local_endpoints)).collect::<Vec<_>>()
    };
    assert_eq!(
        count(&[(1, "kube1", READY), (2, "kube1", READY), (3, "kube2", READY)]),
        [(31025, 2)]
    );
    assert_eq!(count(&[(1, "kube1", TERMINATING)]), [(31025, 0)]);
    assert!(objects("Cluster", &[(1, "kube1", READY)]).health_checks("kube1").is_empty());
}

#[test]
fn a_change_of_nothing_starts_no_sync() {
    let mut objects = objects("Local", &[(1, "kube1", READY)]);
    let mut service = objects.services.values().next().unwrap().clone();
    service.metadata.annotations = Some([("a".to_owned(), "b".to_owned())].into());
    assert!(!objects.set_service(service.clone()));

    service.spec.as_mut().unwrap().cluster_ip = Some("None".to_owned());
    assert!(objects.set_service(service), "a headless Service is none for kube-proxy");
    assert!(objects.ports("kube1").is_empty());
}
