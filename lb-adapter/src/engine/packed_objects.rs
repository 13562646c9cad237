//! Services and endpoints packed into octets: one small allocation for each of thousands.
//!
//! Owns the packed format. It never leaves the process, and may change with every version.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::model::{
    Endpoint, ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, Service, ServiceKey, ServicePort,
    ServiceType, Timestamp, TransportProtocol,
};

/// A Service without its key.
#[derive(Clone, Debug)]
pub(super) struct PackedService(Box<[u8]>);

/// The endpoints of one slice, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PackedEndpoints(Box<[u8]>);

/// The addresses of the status come first, so that they can be read without the rest.
#[derive(Serialize, Deserialize)]
struct ServiceFields<'a> {
    #[serde(borrow)]
    status_addresses: Vec<&'a str>,
    created: Option<(i64, u32)>,
    type_: ServiceType,
    load_balancer_ip: Option<&'a str>,
    load_balancer_class: Option<&'a str>,
    external_traffic_policy: ExternalTrafficPolicy,
    ports: Vec<(TransportProtocol, u16)>,
    #[serde(borrow)]
    selector: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    labels: Vec<(&'a str, &'a str)>,
    #[serde(borrow)]
    annotations: Vec<(&'a str, &'a str)>,
    ip_families: Vec<IpFamily>,
    ip_family_policy: Option<IpFamilyPolicy>,
    cluster_ips: Vec<IpAddr>,
    publish_not_ready_addresses: bool,
    health_check_node_port: Option<u16>,
}

#[derive(Serialize, Deserialize)]
struct EndpointFields<'a> {
    address: Option<IpAddr>,
    node_name: Option<&'a str>,
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
    /// As octets, since a number of this size would take more.
    target: Option<[u8; 8]>,
}

impl PackedService {
    pub(super) fn of(service: &Service) -> Self {
        // Every field is named, so that a new one cannot be forgotten.
        let Service {
            key: _,
            created,
            type_,
            load_balancer_ip,
            load_balancer_class,
            external_traffic_policy,
            ports,
            selector,
            labels,
            annotations,
            ip_families,
            ip_family_policy,
            cluster_ips,
            publish_not_ready_addresses,
            health_check_node_port,
            status_addresses,
        } = service;

        let fields = ServiceFields {
            status_addresses: status_addresses.iter().map(String::as_str).collect(),
            created: created.map(Timestamp::parts),
            type_: *type_,
            load_balancer_ip: load_balancer_ip.as_deref(),
            load_balancer_class: load_balancer_class.as_deref(),
            external_traffic_policy: *external_traffic_policy,
            ports: ports.iter().map(|entry| (entry.protocol, entry.port)).collect(),
            selector: selector.iter().collect(),
            labels: labels.iter().collect(),
            annotations: annotations.iter().collect(),
            ip_families: ip_families.clone(),
            ip_family_policy: *ip_family_policy,
            cluster_ips: cluster_ips.clone(),
            publish_not_ready_addresses: *publish_not_ready_addresses,
            health_check_node_port: *health_check_node_port,
        };

        let mut octets = Octets::new();
        append(&fields, &mut octets);
        Self(Box::from(&*octets))
    }

    /// Returns the Service with this key.
    pub(super) fn unpack(&self, key: &ServiceKey) -> Service {
        let (fields, _) = read::<ServiceFields<'_>>(&self.0);
        let mut ports = Vec::with_capacity(fields.ports.len());
        for (protocol, port) in fields.ports {
            ports.push(ServicePort { protocol, port });
        }

        Service {
            key: key.clone(),
            created: fields.created.map(Timestamp::from_parts),
            type_: fields.type_,
            load_balancer_ip: fields.load_balancer_ip.map(str::to_owned),
            load_balancer_class: fields.load_balancer_class.map(str::to_owned),
            external_traffic_policy: fields.external_traffic_policy,
            ports,
            selector: fields.selector.into_iter().collect(),
            labels: fields.labels.into_iter().collect(),
            annotations: fields.annotations.into_iter().collect(),
            ip_families: fields.ip_families,
            ip_family_policy: fields.ip_family_policy,
            cluster_ips: fields.cluster_ips,
            publish_not_ready_addresses: fields.publish_not_ready_addresses,
            health_check_node_port: fields.health_check_node_port,
            status_addresses: owned(fields.status_addresses),
        }
    }

    /// Returns the addresses of the status, as written.
    pub(super) fn status_addresses(&self) -> Vec<String> {
        owned(read::<Vec<&str>>(&self.0).0)
    }
}

impl PackedEndpoints {
    pub(super) fn of(endpoints: &[Endpoint]) -> Self {
        let mut octets = Octets::new();
        for Endpoint { address, node_name, ready, serving, terminating, target } in endpoints {
            let fields = EndpointFields {
                address: *address,
                node_name: node_name.as_deref(),
                ready: *ready,
                serving: *serving,
                terminating: *terminating,
                target: target.map(u64::to_ne_bytes),
            };
            append(&fields, &mut octets);
        }
        Self(Box::from(&*octets))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Endpoint<&str>> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }

            let (fields, after) = read::<EndpointFields<'_>>(rest);
            rest = after;
            let EndpointFields { address, node_name, ready, serving, terminating, target } = fields;
            let target = target.map(u64::from_ne_bytes);
            Some(Endpoint { address, node_name, ready, serving, terminating, target })
        })
    }
}

/// A buffer for one packed object. The result is copied into an allocation of exactly its length.
type Octets = SmallVec<[u8; 512]>;

fn append(value: &impl Serialize, octets: &mut Octets) {
    if let Err(error) = postcard::to_extend(value, AppendTo(octets)) {
        unreachable!("all fields have a known length: {error}");
    }
}

/// Borrows the buffer, since the serializer takes its output by value.
struct AppendTo<'a>(&'a mut Octets);

impl Extend<u8> for AppendTo<'_> {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, octets: I) {
        self.0.extend(octets);
    }
}

/// Reads the first value. Returns it with the octets after it.
fn read<'a, T: Deserialize<'a>>(octets: &'a [u8]) -> (T, &'a [u8]) {
    let read = postcard::take_from_bytes(octets);
    read.unwrap_or_else(|error| unreachable!("packed octets are valid: {error}"))
}

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::Labels;

    use super::*;

    fn labels() -> impl Strategy<Value = Labels> {
        prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4).prop_map(Labels::from_iter)
    }

    fn service() -> impl Strategy<Value = Service> {
        use IpFamilyPolicy::{PreferDualStack, RequireDualStack, SingleStack};
        use ServiceType::{ClusterIp, ExternalName, LoadBalancer, NodePort};
        let protocol = prop::sample::select(vec![
            TransportProtocol::Tcp,
            TransportProtocol::Udp,
            TransportProtocol::Sctp,
        ]);
        let port = (protocol, any::<u16>());
        let port = port.prop_map(|(protocol, port)| ServicePort { protocol, port });
        let policy = prop::sample::select(vec![SingleStack, PreferDualStack, RequireDualStack]);

        let families = prop::sample::subsequence(vec![IpFamily::Ipv6, IpFamily::Ipv4], 0..=2);
        let texts = || prop::collection::vec(".{0,12}", 0..3);
        let plain = (
            prop::option::of((any::<i64>(), any::<u32>()).prop_map(Timestamp::from_parts)),
            prop::sample::select(vec![ClusterIp, NodePort, LoadBalancer, ExternalName]),
            prop::option::of(".{0,12}"),
            prop::option::of(".{0,12}"),
            any::<bool>(),
            any::<bool>(),
            prop::collection::vec(port, 0..4),
        );
        let others = (
            [labels(), labels(), labels()],
            families,
            prop::option::of(policy),
            prop::collection::vec(any::<IpAddr>(), 0..3),
            any::<Option<u16>>(),
            texts(),
        );

        (plain, others).prop_map(|(plain, others)| {
            let mut service = Service::new(ServiceKey::new("mail", "smtp"));
            let local;
            (
                service.created,
                service.type_,
                service.load_balancer_ip,
                service.load_balancer_class,
                local,
                service.publish_not_ready_addresses,
                service.ports,
            ) = plain;

            if local {
                service.external_traffic_policy = ExternalTrafficPolicy::Local;
            }
            (
                [service.selector, service.labels, service.annotations],
                service.ip_families,
                service.ip_family_policy,
                service.cluster_ips,
                service.health_check_node_port,
                service.status_addresses,
            ) = others;
            service
        })
    }

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        let name = prop::option::of(".{0,12}");
        let condition = || any::<Option<bool>>();
        let conditions = (condition(), condition(), condition());
        let all = (any::<Option<IpAddr>>(), name, conditions, any::<Option<u64>>());
        all.prop_map(|(address, name, (ready, serving, terminating), target)| Endpoint {
            address,
            node_name: name.map(Into::into),
            ready,
            serving,
            terminating,
            target,
        })
    }

    proptest! {
        #[test]
        fn a_service_survives_packing(service in service()) {
            let packed = PackedService::of(&service);
            prop_assert_eq!(&packed.status_addresses(), &service.status_addresses);
            prop_assert_eq!(packed.unpack(&service.key), service);
        }

        #[test]
        fn endpoints_survive_packing(endpoints in prop::collection::vec(endpoint(), 0..5)) {
            let packed = PackedEndpoints::of(&endpoints);
            let expected: Vec<Endpoint<&str>> = endpoints.iter().map(Into::into).collect();
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), expected);
        }
    }
}
