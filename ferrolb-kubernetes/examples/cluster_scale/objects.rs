//! The objects of a simulated cluster, in the sizes that real ones have.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

/// The namespace of FerroLB.
pub(crate) const SYSTEM: &str = "ferrolb-system";
/// The address of the node whose speaker runs.
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(127, 22, 35, 25);

/// A Service of the cluster.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) number: u32,
    /// True for the policy Local.
    pub(crate) local: bool,
    /// The number of its pods, and the node of each: a pseudo-random one, always the same.
    pub(crate) pods: u32,
    pub(crate) nodes: u32,
}

impl Shape {
    /// The Service of this number: every other one is Local, every 20th has 50 pods, the others three.
    pub(crate) fn of(number: u32, nodes: u32) -> Self {
        let pods = if number.is_multiple_of(20) { 50 } else { 3 };
        Self { number, local: number % 2 == 1, pods, nodes }
    }

    /// Returns the node of a pod of a generation: a pod that is replaced may come up on another node.
    pub(crate) fn node_of(&self, pod: u32, generation: u32) -> u32 {
        let seed = u64::from(self.number) << 32 | u64::from(generation) << 16 | u64::from(pod);
        // The finalizer of SplitMix64.
        let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(self.nodes)).unwrap_or_default()
    }

    /// Returns the endpoints of the pods of this generation.
    pub(crate) fn endpoints(&self, generation: u32) -> Vec<Pod> {
        let pods = 0..self.pods;
        pods.map(|pod| Pod { id: pod, node: self.node_of(pod, generation), ready: true }).collect()
    }
}

/// A pod behind a Service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) id: u32,
    pub(crate) node: u32,
    /// A pod that is not ready terminates.
    pub(crate) ready: bool,
}

/// Returns the name of a node, as a cloud provider gives it.
pub(crate) fn node_name(number: u32) -> String {
    format!("ip-10-{}-{}.example.internal", number / 256, number % 256)
}

/// A Node, with the images that its kubelet reports.
pub(crate) fn node(number: u32) -> Value {
    let name = node_name(number);
    let address = if number == 0 { NODE } else { Ipv4Addr::from(0x0a00_0000 + number) };
    let images: Vec<Value> = (0..50)
        .map(|image| {
            json!({"names": [format!("registry.example.com/team/application-{image}@sha256:{:064x}", image * 7919),
                format!("registry.example.com/team/application-{image}:v1.{image}.0")], "sizeBytes": 104_857_600})
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "a"},
            "managedFields": managed("kubelet")},
        "status": {"addresses": [{"type": "InternalIP", "address": address.to_string()}],
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z"}],
            "images": images}})
}

/// The Lease that a kubelet renews every 10 s.
pub(crate) fn lease(number: u32, renewed: &str) -> Value {
    let name = node_name(number);
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"namespace": "kube-node-lease", "name": name},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": renewed}})
}

/// A Service with an address, as after a restart of both programs.
pub(crate) fn service(shape: Shape) -> Value {
    let number = shape.number;
    let mut spec = json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false,
        "selector": {"app.kubernetes.io/name": format!("app-{number}")},
        "ports": [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}]});
    if shape.local {
        spec["externalTrafficPolicy"] = "Local".into();
        spec["healthCheckNodePort"] = (10_000 + number).into();
    }
    let address = Ipv4Addr::from(0x0a40_0000 + number).to_string();
    json!({"apiVersion": "v1", "kind": "Service", "spec": spec,
        "metadata": {"namespace": namespace(number), "name": format!("service-{number}"),
            "labels": {"app.kubernetes.io/name": format!("app-{number}"), "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": format!("release-{number}")}, "managedFields": managed("helm")},
        "status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}})
}

/// The EndpointSlice of a Service.
pub(crate) fn slice(shape: Shape, generation: u32, pods: &[Pod]) -> Value {
    let number = shape.number;
    let endpoints: Vec<Value> = pods
        .iter()
        .map(|pod| {
            // A pod that is replaced has another address and another UID.
            let life = if pod.ready { generation } else { generation.saturating_sub(1) };
            let address = Ipv4Addr::from(0x6440_0000 + (number * 64 + pod.id) * 4 + life % 4);
            json!({"addresses": [address.to_string()], "nodeName": node_name(pod.node), "zone": "a",
                "conditions": {"ready": pod.ready, "serving": true, "terminating": !pod.ready},
                "targetRef": {"kind": "Pod", "namespace": namespace(number),
                    "name": format!("app-{number}-{}-{life}", pod.id),
                    "uid": format!("{number:08x}-{life:04x}-4000-8000-{:012x}", pod.id)}})
        })
        .collect();
    json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"namespace": namespace(number), "name": format!("service-{number}-abcde"),
            "labels": {"kubernetes.io/service-name": format!("service-{number}")},
            "managedFields": managed("kube-controller-manager")},
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]})
}

/// Returns the namespace of a Service, one of 100.
pub(crate) fn namespace(number: u32) -> String {
    format!("team-{}", number % 100)
}

/// The `managedFields` of an object, as the API server writes them.
fn managed(by: &str) -> Value {
    json!([{"manager": by, "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}, "f:app.kubernetes.io/managed-by": {}}},
            "f:spec": {"f:ports": {".": {}, "k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:port": {}}}}}}])
}
