//! The building blocks of the tests: objects as `kubectl get -o json` prints them, and steps.

use lb_adapter::planner::PlannerOptions;
use lb_adapter::recording::{Replay, RouteRow, ServiceRow, StepResult, WithheldRow};
use serde_json::{Value, json};

/// A replay, in which addresses are assigned from the first step on.
pub(crate) struct World(pub(crate) Replay);

impl World {
    pub(crate) fn new() -> Self {
        Self(Replay::new("metallb-system", PlannerOptions::default(), false))
    }

    /// Returns a world that waits for a step `sync`.
    pub(crate) fn before_sync() -> Self {
        Self(Replay::new("metallb-system", PlannerOptions::default(), true))
    }

    /// Returns a world with the reference configuration and its three nodes.
    pub(crate) fn reference() -> Self {
        let mut world = Self::new();
        world.set_up();
        world
    }

    pub(crate) fn set_up(&mut self) -> StepResult {
        for (name, address) in
            [("kube1", "172.22.35.25"), ("kube2", "172.22.35.26"), ("kube3", "172.22.35.27")]
        {
            self.apply(node(name, address));
        }
        self.apply(config_map(REFERENCE))
    }

    pub(crate) fn step(&mut self, step: Value) -> StepResult {
        self.0.step(step.to_string().as_bytes())
    }

    pub(crate) fn apply(&mut self, object: Value) -> StepResult {
        self.step(json!({"apply": object}))
    }

    /// Applies an object, which must be accepted.
    pub(crate) fn applied(&mut self, object: Value) -> StepResult {
        let answer = self.apply(object);
        assert!(answer.ok, "{:?}", answer.problems);
        answer
    }

    pub(crate) fn delete(&mut self, kind: &str, namespace: &str, name: &str) -> StepResult {
        self.step(json!({"delete": {"kind": kind, "namespace": namespace, "name": name}}))
    }
}

/// The rows of an answer, found by their names.
pub(crate) trait Rows {
    fn service(&self, name: &str) -> &ServiceRow;
    /// `kube1 172.22.35.70/32`, a line for each route.
    fn routes(&self) -> Vec<String>;
    fn route(&self, node: &str, prefix: &str) -> &RouteRow;
    /// `kube1 endpoints`, a line for each node that does not announce a Service.
    fn gates(&self, service: &str) -> Vec<String>;
    fn withheld(&self, node: &str, service: &str) -> &WithheldRow;
    /// The reasons of the events of a Service.
    fn events(&self, service: &str) -> Vec<&'static str>;
}

impl Rows for StepResult {
    fn service(&self, name: &str) -> &ServiceRow {
        self.services.iter().find(|row| row.name == name).expect("we serve the Service")
    }

    fn routes(&self) -> Vec<String> {
        self.routes.iter().map(|row| format!("{} {}", row.node, row.prefix)).collect()
    }

    fn route(&self, node: &str, prefix: &str) -> &RouteRow {
        let mut rows = self.routes.iter();
        rows.find(|row| row.node == node && row.prefix == prefix).expect("the route is announced")
    }

    fn gates(&self, service: &str) -> Vec<String> {
        let rows = self.not_announced.iter().filter(|row| row.service == service);
        rows.map(|row| format!("{} {}", row.node, row.gate)).collect()
    }

    fn withheld(&self, node: &str, service: &str) -> &WithheldRow {
        let mut rows = self.not_announced.iter();
        rows.find(|row| row.node == node && row.service == service).expect("it is not announced")
    }

    fn events(&self, service: &str) -> Vec<&'static str> {
        self.service(service).events.iter().map(|event| event.reason).collect()
    }
}

pub(crate) fn config_map(text: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": "metallb-system", "name": "config"},
        "data": {"config": text},
    })
}

/// A `metallb.io` resource, of its storage version.
pub(crate) fn resource(kind: &str, name: &str, spec: Value) -> Value {
    let version = if kind == "BGPPeer" { "v1beta2" } else { "v1beta1" };
    json!({
        "apiVersion": format!("metallb.io/{version}"), "kind": kind,
        "metadata": {"namespace": "metallb-system", "name": name},
        "spec": spec,
    })
}

pub(crate) fn node(name: &str, address: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    })
}

/// A Service of type LoadBalancer in `default`, as the API server completes it.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "type": "LoadBalancer", "externalTrafficPolicy": "Cluster", "selector": {"app": name},
            "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"],
            "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"],
            "ports": [{"port": 80, "protocol": "TCP"}],
        },
    })
}

/// One ready endpoint of a Service on each of these nodes.
pub(crate) fn slice(service: &str, nodes: &[&str]) -> Value {
    let mut endpoints = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        let address = format!("10.244.0.{number}");
        endpoints
            .push(json!({"addresses": [address], "nodeName": node, "conditions": {"ready": true}}));
    }
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "namespace": "default", "name": format!("{service}-1"),
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
    })
}

/// Returns the object with one value changed: `with(service, "/spec/type", "ClusterIP")`.
pub(crate) fn with(mut object: Value, path: &str, value: impl Into<Value>) -> Value {
    let (parent, key) = path.rsplit_once('/').expect("a path starts with a slash");
    let parent = object.pointer_mut(parent).expect("the parent exists");
    parent[key.replace("~1", "/")] = value.into();
    object
}

/// Returns the Service with one more annotation.
pub(crate) fn annotated(mut service: Value, name: &str, value: &str) -> Value {
    service["metadata"]["annotations"][name] = value.into();
    service
}

/// Returns the Service with these addresses in its status.
pub(crate) fn holding(service: Value, addresses: &[&str]) -> Value {
    let ingress: Vec<_> = addresses.iter().map(|ip| json!({"ip": ip})).collect();
    with(service, "/status", json!({"loadBalancer": {"ingress": ingress}}))
}

pub(crate) const REFERENCE: &str = "
peers:
- peer-address: 172.22.35.1
  peer-asn: 64635
  my-asn: 64636
address-pools:
- name: default
  protocol: bgp
  addresses: [172.22.35.64/26]
  bgp-advertisements:
  - aggregation-length: 32
    localpref: 100
    communities:
- name: public
  protocol: bgp
  addresses: [200.1.154.64/26]
  auto-assign: false
";
