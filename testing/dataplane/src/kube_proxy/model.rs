//! Services and their endpoints as kube-proxy sees them. It decides which endpoints a node uses, and knows nothing of
//! rules.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

/// The namespace and the name of an object.
pub(super) type Key = (String, String);

/// The objects of a cluster that kube-proxy follows.
#[derive(Debug, Default)]
pub(super) struct Objects {
    services: BTreeMap<Key, Service>,
    slices: BTreeMap<Key, EndpointSlice>,
}

/// One port of a Service, with all that the rules need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// `namespace/service/protocol/port`, as in the names of kube-proxy's chains.
    pub(super) name: String,
    /// The protocol in lower case.
    pub(super) protocol: String,
    pub(super) port: i32,
    pub(super) node_port: Option<i32>,
    pub(super) cluster_ip: Ipv4Addr,
    /// The addresses of the load balancer that this node answers itself.
    pub(super) vips: Vec<Ipv4Addr>,
    /// True if traffic from outside goes only to endpoints of this node.
    pub(super) external_local: bool,
    /// The endpoints for traffic that may leave the node.
    pub(super) cluster_endpoints: Vec<String>,
    /// The endpoints of this node, for policy `Local`.
    pub(super) local_endpoints: Vec<String>,
    /// True if any node has a usable endpoint.
    pub(super) has_endpoints: bool,
}

impl Port {
    /// Returns true if a connection from outside reaches a pod.
    pub(super) fn serves_external(&self) -> bool {
        if self.external_local { !self.local_endpoints.is_empty() } else { self.has_endpoints }
    }
}

/// The health port of a Service with policy `Local`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HealthCheck {
    pub(super) port: u16,
    /// The number of ready endpoints on this node.
    pub(super) local_endpoints: usize,
}

impl Objects {
    /// Takes a new state of a Service. Returns true if kube-proxy would see a change.
    pub(super) fn set_service(&mut self, service: Service) -> bool {
        let key = key(&service.metadata);
        if !is_proxied(&service) {
            return self.services.remove(&key).is_some();
        }

        let seen = |service: &Service| (service.spec.clone(), service.status.clone());
        let before = self.services.insert(key.clone(), service);
        before.as_ref().map(seen) != self.services.get(&key).map(seen)
    }

    /// Forgets a Service. Returns true if it was known.
    pub(super) fn remove_service(&mut self, service: &Service) -> bool {
        self.services.remove(&key(&service.metadata)).is_some()
    }

    /// Replaces all Services, after a new list.
    pub(super) fn set_services(&mut self, services: Vec<Service>) {
        self.services.clear();
        for service in services {
            self.set_service(service);
        }
    }

    /// Takes a new state of an EndpointSlice. Returns true if kube-proxy would see a change.
    pub(super) fn set_slice(&mut self, slice: EndpointSlice) -> bool {
        let key = key(&slice.metadata);
        let seen = |slice: &EndpointSlice| (slice.endpoints.clone(), slice.ports.clone());
        let before = self.slices.insert(key.clone(), slice);
        before.as_ref().map(seen) != self.slices.get(&key).map(seen)
    }

    /// Forgets an EndpointSlice. Returns true if it was known.
    pub(super) fn remove_slice(&mut self, slice: &EndpointSlice) -> bool {
        self.slices.remove(&key(&slice.metadata)).is_some()
    }

    /// Replaces all EndpointSlices, after a new list.
    pub(super) fn set_slices(&mut self, slices: Vec<EndpointSlice>) {
        self.slices = slices.into_iter().map(|slice| (key(&slice.metadata), slice)).collect();
    }

    /// The ports of all Services, as this node serves them.
    pub(super) fn ports(&self, node: &str) -> Vec<Port> {
        let slices = self.slices_by_service();
        let mut all = Vec::new();

        for (key, service) in &self.services {
            let slices = slices.get(key).map(Vec::as_slice).unwrap_or_default();
            let spec = service.spec.as_ref();
            for port in spec.and_then(|spec| spec.ports.as_deref()).into_iter().flatten() {
                all.extend(port_of(key, service, port, slices, node));
            }
        }
        all
    }

    /// The health ports that this node serves.
    pub(super) fn health_checks(&self, node: &str) -> BTreeMap<Key, HealthCheck> {
        let slices = self.slices_by_service();
        let mut checks = BTreeMap::new();

        for (key, service) in &self.services {
            let Some(port) = health_check_node_port(service) else { continue };
            let slices = slices.get(key).map(Vec::as_slice).unwrap_or_default();
            let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter());
            let local = endpoints
                .filter(|endpoint| is_ready(endpoint) && is_on(endpoint, node))
                .flat_map(|endpoint| &endpoint.addresses);

            let mut addresses: Vec<&String> = local.collect();
            addresses.sort_unstable();
            addresses.dedup();
            checks.insert(key.clone(), HealthCheck { port, local_endpoints: addresses.len() });
        }
        checks
    }

    fn slices_by_service(&self) -> BTreeMap<Key, Vec<&EndpointSlice>> {
        let mut slices: BTreeMap<Key, Vec<&EndpointSlice>> = BTreeMap::new();
        for ((namespace, _), slice) in &self.slices {
            let labels = slice.metadata.labels.as_ref();
            let Some(service) = labels.and_then(|it| it.get("kubernetes.io/service-name")) else {
                continue;
            };
            slices.entry((namespace.clone(), service.clone())).or_default().push(slice);
        }
        slices
    }
}

fn key(metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta) -> Key {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// Returns true unless kube-proxy ignores the Service: a headless one, or one of another proxy.
fn is_proxied(service: &Service) -> bool {
    let labels = service.metadata.labels.as_ref();
    let other =
        labels.is_some_and(|it| it.contains_key("service.kubernetes.io/service-proxy-name"));
    !other && cluster_ip(service).is_some()
}

fn cluster_ip(service: &Service) -> Option<Ipv4Addr> {
    service.spec.as_ref()?.cluster_ip.as_ref()?.parse().ok()
}

fn is_external_local(service: &Service) -> bool {
    let Some(spec) = &service.spec else { return false };
    let external = matches!(spec.type_.as_deref(), Some("LoadBalancer" | "NodePort"));
    external && spec.external_traffic_policy.as_deref() == Some("Local")
}

fn health_check_node_port(service: &Service) -> Option<u16> {
    let spec = service.spec.as_ref()?;
    let is_load_balancer = spec.type_.as_deref() == Some("LoadBalancer");
    let port = spec.health_check_node_port.filter(|port| *port != 0)?;
    (is_load_balancer && is_external_local(service)).then(|| port.try_into().ok())?
}

/// The addresses that kube-proxy answers itself: those with `ipMode` `VIP`, which is the default.
fn vips(service: &Service) -> Vec<Ipv4Addr> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = status.and_then(|status| status.ingress.as_deref()).unwrap_or_default();
    let vips = ingress.iter().filter(|entry| entry.ip_mode.as_deref() != Some("Proxy"));
    vips.filter_map(|entry| entry.ip.as_ref()?.parse().ok()).collect()
}

fn port_of(
    key: &Key,
    service: &Service,
    port: &ServicePort,
    slices: &[&EndpointSlice],
    node: &str,
) -> Option<Port> {
    let (namespace, name) = key;
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    let port_name = port.name.as_deref().unwrap_or_default();
    let external_local = is_external_local(service);

    let mut endpoints = Vec::new();
    for slice in slices.iter().filter(|slice| slice.address_type == "IPv4") {
        let target = slice.ports.iter().flatten().find(|it| is_port(it, port_name, protocol));
        let Some(target) = target.and_then(|it| it.port) else { continue };
        for endpoint in slice.endpoints.iter() {
            let address = endpoint.addresses.first()?;
            endpoints.push((endpoint, format!("{address}:{target}")));
        }
    }

    let cluster_endpoints = usable(&endpoints);
    endpoints.retain(|(endpoint, _)| is_on(endpoint, node));
    let local_endpoints = if external_local { usable(&endpoints) } else { Vec::new() };

    Some(Port {
        name: format!("{namespace}/{name}/{}/{port_name}", protocol.to_lowercase()),
        protocol: protocol.to_lowercase(),
        port: port.port,
        node_port: port.node_port.filter(|port| *port != 0),
        cluster_ip: cluster_ip(service)?,
        vips: vips(service),
        external_local,
        has_endpoints: !cluster_endpoints.is_empty(),
        cluster_endpoints,
        local_endpoints,
    })
}

fn is_port(port: &EndpointPort, name: &str, protocol: &str) -> bool {
    port.name.as_deref().unwrap_or_default() == name
        && port.protocol.as_deref().unwrap_or("TCP") == protocol
}

/// The ready endpoints or, if there is none, those that still serve while they terminate.
fn usable(endpoints: &[(&Endpoint, String)]) -> Vec<String> {
    let matching = |wanted: fn(&Endpoint) -> bool| -> Vec<String> {
        let found = endpoints.iter().filter(|(endpoint, _)| wanted(endpoint));
        found.map(|(_, target)| target.clone()).collect()
    };

    let mut found = matching(is_ready);
    if found.is_empty() {
        found = matching(is_serving_and_terminating);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|it| it.ready).unwrap_or(true)
}

fn is_serving_and_terminating(endpoint: &Endpoint) -> bool {
    let Some(conditions) = &endpoint.conditions else { return false };
    let serving = conditions.serving.or(conditions.ready).unwrap_or(true);
    serving && conditions.terminating.unwrap_or(false)
}

fn is_on(endpoint: &Endpoint, node: &str) -> bool {
    endpoint.node_name.as_deref() == Some(node)
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
