//! The resources of the API that this crate uses, the names of their objects, and the targets of watches.

use kube::core::{ApiResource, GroupVersionKind};

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    BfdProfile,
    BgpAdvertisement,
    BgpNodeStatus,
    BgpPeer,
    Community,
    ConfigMap,
    EndpointSlice,
    IpAddressPool,
    L2Advertisement,
    Namespace,
    Node,
    Secret,
    Service,
}

impl Kind {
    /// The resources of the configuration.
    pub(super) const CONFIGURATION: [Self; 8] = [
        Self::BfdProfile,
        Self::BgpAdvertisement,
        Self::BgpPeer,
        Self::Community,
        Self::ConfigMap,
        Self::IpAddressPool,
        Self::L2Advertisement,
        Self::Secret,
    ];

    /// Returns `apiVersion`, `kind` and the plural name.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::BfdProfile => ("metallb.io/v1beta1", "BFDProfile", "bfdprofiles"),
            Self::BgpAdvertisement => {
                ("metallb.io/v1beta1", "BGPAdvertisement", "bgpadvertisements")
            }
            Self::BgpNodeStatus => ("ferrolb.io/v1alpha1", "BGPNodeStatus", "bgpnodestatuses"),
            Self::BgpPeer => ("metallb.io/v1beta2", "BGPPeer", "bgppeers"),
            Self::Community => ("metallb.io/v1beta1", "Community", "communities"),
            Self::ConfigMap => ("v1", "ConfigMap", "configmaps"),
            Self::EndpointSlice => ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
            Self::IpAddressPool => ("metallb.io/v1beta1", "IPAddressPool", "ipaddresspools"),
            Self::L2Advertisement => ("metallb.io/v1beta1", "L2Advertisement", "l2advertisements"),
            Self::Namespace => ("v1", "Namespace", "namespaces"),
            Self::Node => ("v1", "Node", "nodes"),
            Self::Secret => ("v1", "Secret", "secrets"),
            Self::Service => ("v1", "Service", "services"),
        }
    }

    /// Returns `apiVersion` and `kind`.
    pub(super) fn type_meta(self) -> (&'static str, &'static str) {
        let (api_version, kind, _) = self.names();
        (api_version, kind)
    }

    /// Returns the plural name.
    pub(super) fn plural(self) -> &'static str {
        self.names().2
    }

    /// Returns the resource as the Kubernetes client describes it.
    pub(super) fn api_resource(self) -> ApiResource {
        let (api_version, kind, plural) = self.names();
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }

    /// Returns true if a cluster may lack its API.
    pub(super) fn is_optional(self) -> bool {
        ["metallb.io/", "ferrolb.io/"].iter().any(|group| self.names().0.starts_with(group))
    }
}

/// The namespace of an object, empty if it has none, and its name.
pub(super) type ObjectName = (String, String);

/// The kind and the name of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectId(pub(super) Kind, pub(super) ObjectName);

/// The objects of a resource to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WatchTarget {
    pub(super) kind: Kind,
    /// Only in this namespace.
    pub(super) namespace: Option<String>,
    /// Only the object of this name.
    pub(super) name: Option<String>,
    /// Only objects that these fields select.
    pub(super) fields: Option<String>,
    /// Only objects that these labels select.
    pub(super) labels: Option<String>,
}

impl WatchTarget {
    /// All objects of a resource.
    pub(super) fn all(kind: Kind) -> Self {
        Self { kind, namespace: None, name: None, fields: None, labels: None }
    }

    /// The objects in one namespace.
    pub(super) fn within(kind: Kind, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..Self::all(kind) }
    }

    /// Only the object of this name. A right with `resourceNames` is enough for that.
    pub(super) fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Returns the name of the object, if this is a single one.
    pub(super) fn object_name(&self) -> Option<ObjectName> {
        let name = self.name.clone()?;
        Some((self.namespace.clone().unwrap_or_default(), name))
    }

    /// Returns the field selector of the list and the watch.
    pub(super) fn field_selector(&self) -> Option<String> {
        let name = self.name.as_ref().map(|name| format!("metadata.name={name}"));
        let terms: Vec<_> = name.into_iter().chain(self.fields.clone()).collect();
        (!terms.is_empty()).then(|| terms.join(","))
    }

    /// Only the objects that these fields select.
    pub(super) fn with_fields(self, fields: impl Into<String>) -> Self {
        Self { fields: Some(fields.into()), ..self }
    }

    /// Only the objects that these labels select.
    pub(super) fn with_labels(self, labels: impl Into<String>) -> Self {
        Self { labels: Some(labels.into()), ..self }
    }
}
