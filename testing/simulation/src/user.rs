//! The users of the cluster: what they create and change, and the objects that exist from the start.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::addresses::{self, FOREIGN_CLASS};
use crate::plan::{MOST_SERVICES, NODES};
use crate::process::DRAIN;
use crate::router::{NODE_AS, ROUTER_AS};
use crate::world::{
    NAMESPACE, POOLS, World, node_address, node_name, pool, router_address, service_name,
};

/// Fills the API server: definitions, Nodes, the configuration, and Services of another controller.
pub(crate) fn set_up(world: &World) {
    let definitions = [
        ("metallb.io", "v1beta1", "BFDProfile", "bfdprofiles"),
        ("metallb.io", "v1beta1", "BGPAdvertisement", "bgpadvertisements"),
        ("metallb.io", "v1beta2", "BGPPeer", "bgppeers"),
        ("metallb.io", "v1beta1", "Community", "communities"),
        ("metallb.io", "v1beta1", "ConfigurationState", "configurationstates"),
        ("metallb.io", "v1beta1", "IPAddressPool", "ipaddresspools"),
        ("metallb.io", "v1beta1", "L2Advertisement", "l2advertisements"),
        ("metallb.io", "v1beta1", "ServiceBGPStatus", "servicebgpstatuses"),
        ("ferrolb.io", "v1alpha1", "BGPNodeStatus", "bgpnodestatuses"),
    ];
    for names in definitions {
        world.server.put(definition(names));
    }

    let namespace =
        |name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    world.server.put(namespace(NAMESPACE));
    for node in 0..NODES {
        world.server.put(
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node_name(node)},
            "status": {"addresses": [{"type": "InternalIP", "address": node_address(node)}],
                "conditions": [{"type": "Ready", "status": "True"}]}}),
        );
    }
    for router in 0..world.size.routers {
        world.server.put(json!({"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer",
            "metadata": {"namespace": NAMESPACE, "name": format!("router-{router}")},
            "spec": {"myASN": NODE_AS, "peerASN": ROUTER_AS, "peerAddress": router_address(router),
                "enableGracefulRestart": true}}));
    }
    world.server.put(json!({"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement",
        "metadata": {"namespace": NAMESPACE, "name": "all"}, "spec": {}}));
    for number in 0..POOLS.len() {
        world.server.put(pool(number));
    }
    for number in 0..2 {
        world.server.put(foreign_service(number));
    }
}

/// The definition of a kind, without a schema.
fn definition((group, version, kind, plural): (&str, &str, &str, &str)) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": true, "storage": true, "schema": schema,
                "subresources": {"status": {}}}]}})
}

/// A Service that another controller serves. FerroLB has served it before: its marks are still there.
fn foreign_service(number: usize) -> Value {
    let address = format!("203.0.113.{number}");
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"namespace": "default", "name": format!("foreign-{number}"),
            "annotations": {"metallb.io/ip-allocated-from-pool": "blue"},
            "managedFields": [{"manager": "ferrolb-controller", "operation": "Update", "apiVersion": "v1",
                "fieldsType": "FieldsV1", "time": "2025-12-31T00:00:00Z", "subresource": "status",
                "fieldsV1": {"f:status": {"f:conditions": {".": {}}, "f:loadBalancer": {"f:ingress": {}}}}}]},
        "spec": {"type": "LoadBalancer", "loadBalancerClass": FOREIGN_CLASS, "ports": [{"port": 25}]},
        "status": {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]},
            "conditions": [{"type": "ferrolb.io/AddressAssigned", "status": "True", "reason": "IPAllocated",
                "message": "from the pool blue", "lastTransitionTime": "2025-12-31T00:00:00Z"}]}})
}

/// Sends a request, and checks what it has changed.
async fn send(world: &Arc<World>, method: Method, path: &str, body: Option<Value>) {
    let before = addresses::begin(world, Some(path));
    let content =
        if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request =
        Request::builder().method(method.clone()).uri(path).header("content-type", content);
    let Ok(request) = request.body(body) else { return };

    let response = world.server.respond("admin", request).await;
    world.note(format_args!("user {method} {path}: {}", response.status().as_u16()));
    if let Some(before) = before {
        addresses::check(world, "user", &before);
    }
}

const SERVICES: &str = "/api/v1/namespaces/default/services";
const SLICES: &str = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

fn service_path(service: usize) -> String {
    format!("{SERVICES}/{}", service_name(service))
}

/// Returns a Service as the API server has it.
fn find(world: &World, service: usize) -> Option<Arc<Value>> {
    let name = service_name(service);
    world.server.objects("services").into_iter().find(|it| it["metadata"]["name"] == name)
}

/// Creates a Service whose pods are ready on all nodes.
pub(crate) async fn create(world: &Arc<World>, service: usize, local: bool, shared: bool) {
    if find(world, service).is_some() {
        return;
    }
    let mut annotations = json!({});
    if shared && !local {
        annotations["metallb.io/allow-shared-ip"] = json!("together");
    }
    let policy = if local { "Local" } else { "Cluster" };
    let object = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": service_name(service), "annotations": annotations},
        "spec": {"type": "LoadBalancer", "externalTrafficPolicy": policy, "selector": {"app": service_name(service)},
            "ports": [{"port": 8000 + service}]}});
    send(world, Method::POST, SERVICES, Some(object)).await;
    scale(world, service, 0b111).await;
}

/// Deletes a Service and its endpoints.
pub(crate) async fn delete(world: &Arc<World>, service: usize) {
    send(world, Method::DELETE, &service_path(service), None).await;
    send(world, Method::DELETE, &format!("{SLICES}/{}", service_name(service)), None).await;
}

/// Changes a Service. If it `asks` for something else, it may lose its address.
pub(crate) async fn patch(world: &Arc<World>, service: usize, patch: Value, asks: bool) {
    let Some(object) = find(world, service) else { return };
    let uid = object["metadata"]["uid"].as_str().unwrap_or_default();
    if asks {
        addresses::note_request(world, uid);
    }
    send(world, Method::PATCH, &service_path(service), Some(patch)).await;
}

/// The annotation by which a Service asks for an address.
const ADDRESS_REQUEST: &str = "metallb.io/loadBalancerIPs";

/// Returns true if a Service asks for an address.
pub(crate) fn asks_for_address(service: &Value) -> bool {
    !service["metadata"]["annotations"][ADDRESS_REQUEST].is_null()
}

/// Lets a Service ask for the address that another one has.
pub(crate) async fn ask_for_address(world: &Arc<World>, service: usize, of: usize) {
    let held = find(world, of).map(|other| addresses::addresses(&other)).unwrap_or_default();
    if let Some(address) = held.first() {
        let annotations = json!({ADDRESS_REQUEST: address.to_string()});
        patch(world, service, json!({"metadata": {"annotations": annotations}}), true).await;
    }
}

/// Lets no Service ask for an address any more.
pub(crate) async fn withdraw_address_requests(world: &Arc<World>) {
    for service in 0..MOST_SERVICES {
        if find(world, service).is_some_and(|service| asks_for_address(&service)) {
            let annotations = json!({ADDRESS_REQUEST: null});
            patch(world, service, json!({"metadata": {"annotations": annotations}}), true).await;
        }
    }
}

/// Makes the pods of a Service ready on these nodes, given as bits, and removes the others.
pub(crate) async fn scale(world: &Arc<World>, service: usize, nodes: u8) {
    let name = service_name(service);
    let endpoints = (0..NODES).filter(|node| nodes & 1 << node != 0).map(|node| {
        json!({"addresses": [format!("10.244.{node}.{}", service + 2)], "nodeName": node_name(node),
            "conditions": {"ready": true, "serving": true, "terminating": false}})
    });
    let endpoints: Vec<_> = endpoints.collect();
    let port = json!([{"name": "", "port": 8000 + service, "protocol": "TCP"}]);
    let slices = world.server.objects("endpointslices.discovery.k8s.io");
    if slices.iter().any(|slice| slice["metadata"]["name"] == name) {
        let patch = json!({"endpoints": endpoints, "ports": port});
        send(world, Method::PATCH, &format!("{SLICES}/{name}"), Some(patch)).await;
        return;
    }
    if find(world, service).is_some() {
        let object = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
            "addressType": "IPv4", "endpoints": endpoints, "ports": port});
        send(world, Method::POST, SLICES, Some(object)).await;
    }
}

/// Creates or deletes a pool.
pub(crate) async fn set_pool(world: &Arc<World>, number: usize, exists: bool) {
    let pools = format!("/apis/metallb.io/v1beta1/namespaces/{NAMESPACE}/ipaddresspools");
    let name = POOLS[number].0;
    let objects = world.server.objects("ipaddresspools.metallb.io");
    let is_present = objects.iter().any(|object| object["metadata"]["name"] == name);
    if is_present == exists {
        return;
    }
    addresses::note_pool(world, number);
    if exists {
        send(world, Method::POST, &pools, Some(pool(number))).await;
    } else {
        send(world, Method::DELETE, &format!("{pools}/{name}"), None).await;
    }
}

/// Sets the condition `Ready` of a Node.
pub(crate) async fn set_ready(world: &Arc<World>, node: usize, ready: bool) {
    let status = if ready { "True" } else { "False" };
    let patch = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
    let path = format!("/api/v1/nodes/{}/status", node_name(node));
    send(world, Method::PATCH, &path, Some(patch)).await;
}

/// Sets or removes the label that excludes a Node from load balancers.
pub(crate) async fn exclude(world: &Arc<World>, node: usize, excluded: bool) {
    let value = if excluded { json!("") } else { Value::Null };
    let patch = json!({"metadata": {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": value}}});
    let path = format!("/api/v1/nodes/{}", node_name(node));
    send(world, Method::PATCH, &path, Some(patch)).await;
}

/// Sets or removes the annotation that drains a node.
pub(crate) async fn drain(world: &Arc<World>, node: usize, drained: bool) {
    let value = if drained { json!("true") } else { Value::Null };
    let patch = json!({"metadata": {"annotations": {DRAIN: value}}});
    let path = format!("/api/v1/nodes/{}", node_name(node));
    send(world, Method::PATCH, &path, Some(patch)).await;
}
