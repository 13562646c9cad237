//! A Service, with the fields that allocation and announcement read.

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::interner::Interner;
use super::{Labels, Timestamp};

/// The namespace and name of a Service, ordered by namespace first.
///
/// Clones share the names, since a key occurs in many maps.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey(Arc<NamespacedName>);

/// The two names of a [`ServiceKey`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct NamespacedName {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name, unique in the namespace.
    pub name: Box<str>,
}

impl ServiceKey {
    /// Makes the key of `namespace/name`.
    pub fn new(namespace: impl AsRef<str>, name: impl AsRef<str>) -> Self {
        let (namespace, name) = (namespace.as_ref().into(), name.as_ref().into());
        Self(Arc::new(NamespacedName { namespace, name }))
    }

    /// Returns the same key with an interned namespace.
    pub(crate) fn intern_namespace(self, namespaces: &mut Interner<str>) -> Self {
        let NamespacedName { namespace, name } = Arc::unwrap_or_clone(self.0);
        Self(Arc::new(NamespacedName { namespace: namespaces.intern(namespace), name }))
    }
}

impl Deref for ServiceKey {
    type Target = NamespacedName;

    fn deref(&self) -> &NamespacedName {
        &self.0
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A Service. Its fields are named as in Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// The namespace and name.
    pub key: ServiceKey,
    /// `metadata.creationTimestamp`, which a manifest that was never applied does not have.
    pub created: Option<Timestamp>,
    /// `spec.type`.
    pub type_: ServiceType,
    /// `spec.loadBalancerIP` as written. The allocator checks it.
    pub load_balancer_ip: Option<String>,
    /// `spec.loadBalancerClass`.
    pub load_balancer_class: Option<String>,
    /// `spec.externalTrafficPolicy`.
    pub external_traffic_policy: ExternalTrafficPolicy,
    /// `spec.ports`, in the order written.
    pub ports: Vec<ServicePort>,
    /// `spec.selector`.
    pub selector: Labels,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.annotations`.
    pub annotations: Labels,
    /// `spec.ipFamilies`, empty if the API server is to choose.
    pub ip_families: Vec<IpFamily>,
    /// `spec.ipFamilyPolicy`.
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// `spec.clusterIPs` or `spec.clusterIP`, empty for a headless Service too.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready_addresses: bool,
    /// `spec.healthCheckNodePort`: the port at which each node reports whether it has ready endpoints of the Service. The
    /// API server assigns one to a Service with the policy Local.
    pub health_check_node_port: Option<u16>,
    /// `status.loadBalancer.ingress[]`: the `ip` of each entry, or else its `hostname`, as written.
    pub status_addresses: Vec<String>,
}

impl Service {
    /// Makes a Service of type LoadBalancer with the API server's defaults and without ports.
    pub fn new(key: ServiceKey) -> Self {
        Self {
            key,
            created: None,
            type_: ServiceType::LoadBalancer,
            load_balancer_ip: None,
            load_balancer_class: None,
            external_traffic_policy: ExternalTrafficPolicy::Cluster,
            ports: Vec::new(),
            selector: Labels::new(),
            labels: Labels::new(),
            annotations: Labels::new(),
            ip_families: Vec::new(),
            ip_family_policy: None,
            cluster_ips: Vec::new(),
            publish_not_ready_addresses: false,
            health_check_node_port: None,
            status_addresses: Vec::new(),
        }
    }
}

/// `spec.type` of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the types of the Kubernetes API")]
pub enum ServiceType {
    /// A Service that is reachable only inside the cluster.
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// A Service that is also reachable at a port of each node.
    NodePort,
    /// A Service that is also reachable at an external address, which FerroLB provides.
    LoadBalancer,
    /// An alias of a DNS name, without an address.
    ExternalName,
}

/// Displays the type as Kubernetes writes it.
impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
            Self::ExternalName => "ExternalName",
        })
    }
}

/// `spec.externalTrafficPolicy` of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the policies of the Kubernetes API")]
pub enum ExternalTrafficPolicy {
    /// Each node accepts traffic and forwards it to any endpoint.
    Cluster,
    /// A node accepts traffic only for its own endpoints.
    Local,
}

/// One entry of `spec.ports` of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    /// The transport.
    pub protocol: TransportProtocol,
    /// The port that clients connect to.
    pub port: u16,
}

impl fmt::Display for ServicePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.port, self.protocol)
    }
}

/// The transport of a [`ServicePort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the protocols of the Kubernetes API")]
#[serde(rename_all = "UPPERCASE")]
pub enum TransportProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for TransportProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum IpFamily {
    /// IPv4.
    #[serde(rename = "IPv4")]
    Ipv4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    Ipv6,
}

impl IpFamily {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The other family.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Ipv4 => Self::Ipv6,
            Self::Ipv6 => Self::Ipv4,
        }
    }

    /// The number of bits of an address, which is the prefix length of a host route.
    pub fn bits(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }
}

impl fmt::Display for IpFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// `spec.ipFamilyPolicy` of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_enums, reason = "the policies of the Kubernetes API")]
pub enum IpFamilyPolicy {
    /// One family.
    SingleStack,
    /// Both families if there are addresses of both.
    PreferDualStack,
    /// Both families or none.
    RequireDualStack,
}
