//! v1 Services.

use std::net::IpAddr;

use super::metadata::Metadata;
use super::values::{self, filled_string};
use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::{
    ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, Service, ServicePort, ServiceType,
    TransportProtocol,
};

/// Reads a Service, with the defaults of the API server.
pub(super) fn read(
    metadata: Metadata,
    object: &Mapping<'_>,
    report: &mut Report<'_>,
) -> Option<Service> {
    let mut service = Service::new(metadata.key());
    service.created = metadata.created;
    service.labels = metadata.labels;
    service.annotations = metadata.annotations;

    let spec = object.required("spec", "the Service's ports and selector", report)?;
    let spec = spec.mapping(report)?;
    read_load_balancer(&mut service, &spec, report);
    read_backends(&mut service, &spec, report);
    read_families(&mut service, &spec, report);
    service.status_addresses =
        values::optional(object, "status", report, status_addresses).unwrap_or_default();
    Some(service)
}

fn read_load_balancer(service: &mut Service, spec: &Mapping<'_>, report: &mut Report<'_>) {
    service.type_ = spec
        .get("type")
        .and_then(|field| field.choice(report, &TYPES))
        .unwrap_or(ServiceType::ClusterIp);
    service.load_balancer_ip = values::optional(spec, "loadBalancerIP", report, filled_string);
    service.load_balancer_class =
        values::optional(spec, "loadBalancerClass", report, filled_string);
    service.external_traffic_policy = spec
        .get("externalTrafficPolicy")
        .and_then(|field| field.choice(report, &TRAFFIC_POLICIES))
        .unwrap_or(ExternalTrafficPolicy::Cluster);
    // The API server writes 0 for "none" in some versions.
    service.health_check_node_port = spec
        .get("healthCheckNodePort")
        .and_then(|field| field.integer(report, 0..=u16::MAX))
        .filter(|port| *port != 0);
}

fn read_backends(service: &mut Service, spec: &Mapping<'_>, report: &mut Report<'_>) {
    service.ports = values::items(spec, "ports", report, port);
    service.selector = spec.get("selector").map(|field| field.strings(report)).unwrap_or_default();
    service.publish_not_ready_addresses =
        spec.boolean("publishNotReadyAddresses", report).unwrap_or(false);
}

fn read_families(service: &mut Service, spec: &Mapping<'_>, report: &mut Report<'_>) {
    service.ip_families = values::items(spec, "ipFamilies", report, |field, report| {
        field.choice(report, &[("IPv4", IpFamily::Ipv4), ("IPv6", IpFamily::Ipv6)])
    });
    service.ip_family_policy =
        spec.get("ipFamilyPolicy").and_then(|field| field.choice(report, &FAMILY_POLICIES));

    service.cluster_ips = values::items(spec, "clusterIPs", report, cluster_ip);
    if service.cluster_ips.is_empty() {
        let cluster_ip = values::optional(spec, "clusterIP", report, cluster_ip);
        service.cluster_ips = cluster_ip.into_iter().collect();
    }
}

fn port(field: Field<'_>, report: &mut Report<'_>) -> Option<ServicePort> {
    let mapping = field.mapping(report)?;
    let protocol = mapping.get("protocol").and_then(|field| field.choice(report, &PROTOCOLS));
    let port = mapping.required("port", "a number from 1 to 65535", report)?;
    Some(ServicePort {
        protocol: protocol.unwrap_or(TransportProtocol::Tcp),
        port: port.integer(report, 1..=u16::MAX)?,
    })
}

/// Reads a cluster address. A headless Service has the word None instead.
fn cluster_ip(field: Field<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    match field.string(report)? {
        "" | "None" => None,
        _ => values::address(field, report),
    }
}

fn status_addresses(field: Field<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let status = field.mapping(report)?;
    let balancer = status.get("loadBalancer")?.mapping(report)?;
    Some(values::items(&balancer, "ingress", report, |field, report| {
        let entry = field.mapping(report)?;
        let ip = values::optional(&entry, "ip", report, filled_string);
        ip.or_else(|| values::optional(&entry, "hostname", report, filled_string))
    }))
}

const TYPES: [(&str, ServiceType); 4] = [
    ("LoadBalancer", ServiceType::LoadBalancer),
    ("ClusterIP", ServiceType::ClusterIp),
    ("NodePort", ServiceType::NodePort),
    ("ExternalName", ServiceType::ExternalName),
];

const TRAFFIC_POLICIES: [(&str, ExternalTrafficPolicy); 2] =
    [("Cluster", ExternalTrafficPolicy::Cluster), ("Local", ExternalTrafficPolicy::Local)];

const FAMILY_POLICIES: [(&str, IpFamilyPolicy); 3] = [
    ("SingleStack", IpFamilyPolicy::SingleStack),
    ("PreferDualStack", IpFamilyPolicy::PreferDualStack),
    ("RequireDualStack", IpFamilyPolicy::RequireDualStack),
];

const PROTOCOLS: [(&str, TransportProtocol); 3] = [
    ("TCP", TransportProtocol::Tcp),
    ("UDP", TransportProtocol::Udp),
    ("SCTP", TransportProtocol::Sctp),
];
