//! v1 Service.

use std::net::IpAddr;

use super::object::{self, Metadata};
use crate::config::field::{Field, Mapping};
use crate::config::report::Report;
use crate::model::{
    ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, Service, ServicePort, ServiceType,
    TransportProtocol,
};

/// Reads a Service; defaults are those of the API server.
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
    spec_fields(&mut service, &spec.mapping(report)?, report);
    service.status_addresses =
        object::optional(object, "status", report, status_addresses).unwrap_or_default();
    Some(service)
}

fn spec_fields(service: &mut Service, spec: &Mapping<'_>, report: &mut Report<'_>) {
    service.type_ =
        object::optional(spec, "type", report, |field, report| field.choice(report, &TYPES))
            .unwrap_or(ServiceType::ClusterIp);
    service.load_balancer_ip = object::optional(spec, "loadBalancerIP", report, object::filled);
    service.load_balancer_class =
        object::optional(spec, "loadBalancerClass", report, object::filled);
    service.external_traffic_policy =
        object::optional(spec, "externalTrafficPolicy", report, |field, report| {
            field.choice(report, &TRAFFIC_POLICIES)
        })
        .unwrap_or(ExternalTrafficPolicy::Cluster);
    service.ports = object::items(spec, "ports", report, port);
    service.selector = spec.get("selector").map(|field| field.strings(report)).unwrap_or_default();
    service.ip_families = object::items(spec, "ipFamilies", report, |field, report| {
        field.choice(report, &[("IPv4", IpFamily::Ipv4), ("IPv6", IpFamily::Ipv6)])
    });
    service.ip_family_policy = object::optional(spec, "ipFamilyPolicy", report, |field, report| {
        field.choice(report, &FAMILY_POLICIES)
    });
    service.cluster_ips = object::items(spec, "clusterIPs", report, cluster_ip);
    if service.cluster_ips.is_empty() {
        service.cluster_ips =
            object::optional(spec, "clusterIP", report, cluster_ip).into_iter().collect();
    }
    service.publish_not_ready_addresses =
        object::optional(spec, "publishNotReadyAddresses", report, |field, report| {
            field.boolean(report)
        })
        .unwrap_or(false);
}

fn port(field: Field<'_>, report: &mut Report<'_>) -> Option<ServicePort> {
    let mapping = field.mapping(report)?;
    let protocol = object::optional(&mapping, "protocol", report, |field, report| {
        field.choice(report, &PROTOCOLS)
    });
    let port = mapping.required("port", "a number from 1 to 65535", report)?;
    Some(ServicePort {
        protocol: protocol.unwrap_or(TransportProtocol::Tcp),
        port: port.integer(report, 1..=u16::MAX)?,
    })
}

/// A cluster address; a headless Service has the word None instead.
fn cluster_ip(field: Field<'_>, report: &mut Report<'_>) -> Option<IpAddr> {
    match field.string(report)? {
        "" | "None" => None,
        _ => object::address(field, report),
    }
}

fn status_addresses(field: Field<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let status = field.mapping(report)?;
    let balancer = status.get("loadBalancer")?.mapping(report)?;
    Some(object::items(&balancer, "ingress", report, |field, report| {
        let entry = field.mapping(report)?;
        let ip = object::optional(&entry, "ip", report, object::filled);
        ip.or_else(|| object::optional(&entry, "hostname", report, object::filled))
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
