//! The kinds of objects that are read, and kinds that are probably misspelt.

use crate::config::resources::ResourceKind;
use crate::spelling::nearest;

/// The kinds that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ObjectKind {
    ConfigMap,
    Service,
    EndpointSlice,
    Endpoints,
    Node,
    Namespace,
    Secret,
    Resource(ResourceKind),
}

impl ObjectKind {
    /// The kinds of Kubernetes itself.
    const CORE: [Self; 7] = [
        Self::ConfigMap,
        Self::Service,
        Self::Endpoints,
        Self::Node,
        Self::Namespace,
        Self::Secret,
        Self::EndpointSlice,
    ];

    /// Returns the kind of an object, if it is read.
    pub(super) fn of(api_version: &str, kind: &str) -> Option<Self> {
        let core = Self::CORE.into_iter();
        core.chain(ResourceKind::ALL.map(Self::Resource))
            .find(|it| it.api_version() == api_version && it.name() == kind)
    }

    /// Returns the API version.
    fn api_version(self) -> &'static str {
        match self {
            Self::EndpointSlice => "discovery.k8s.io/v1",
            Self::ConfigMap
            | Self::Service
            | Self::Endpoints
            | Self::Node
            | Self::Namespace
            | Self::Secret => "v1",
            Self::Resource(kind) => kind.api_version(),
        }
    }

    /// Returns the kind as Kubernetes spells it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Endpoints => "Endpoints",
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::Secret => "Secret",
            Self::Resource(kind) => kind.name(),
        }
    }

    /// Returns true if objects of the kind belong to no namespace.
    pub(super) fn is_cluster_scoped(self) -> bool {
        matches!(self, Self::Node | Self::Namespace)
    }
}

/// Returns true if a kind is one of MetalLB's statuses, which are not configuration.
pub(super) fn is_status(api_version: &str, kind: &str) -> bool {
    api_version.starts_with("metallb.io/")
        && matches!(kind, "ServiceBGPStatus" | "ServiceL2Status" | "ConfigurationState")
}

/// Returns true if a kind that is not read is probably a misspelt one that is.
pub(crate) fn is_misspelt_kind(api_version: &str, kind: &str) -> bool {
    ObjectKind::of(api_version, kind).is_none()
        && matches!(UnknownKind::of(api_version, kind), UnknownKind::Misspelt(_))
}

/// A kind that is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum UnknownKind {
    /// A mistake in the kind, its group or its version, with the message of the error. kubectl would refuse the object, or a
    /// pool would be ignored.
    Misspelt(String),
    /// A kind that does not concern FerroLB.
    Foreign {
        /// The end of the warning.
        hint: &'static str,
    },
}

impl UnknownKind {
    /// Classifies a kind that is not read.
    pub(super) fn of(api_version: &str, kind: &str) -> Self {
        let (group, _) = api_version.rsplit_once('/').unwrap_or(("", api_version));

        if is_metallb_group(group) {
            return Self::of_metallb(api_version, kind);
        }
        if let Some(resource) = resource_named(kind)
            && group.is_empty()
        {
            return Self::wrong_version(resource, api_version);
        }
        // Other projects have kinds of these names, in groups of their own.
        if resource_named(kind).is_some() {
            return Self::Foreign { hint: "" };
        }

        match (api_version, kind) {
            ("discovery.k8s.io/v1beta1", "EndpointSlice") => {
                return Self::Foreign { hint: ", expected discovery.k8s.io/v1" };
            }
            ("bitnami.com/v1alpha1", "SealedSecret") | (_, "ExternalSecret") => {
                return Self::Foreign { hint: ", only the Secret that is created from it" };
            }
            _ => {}
        }

        let core = ObjectKind::CORE.iter().filter(|it| it.api_version() == api_version);
        match nearest(kind, core.map(|it| it.name())) {
            Some(nearest) if !SIMILAR_KINDS.contains(&kind) => Self::Misspelt(format!(
                "no kind of {api_version} is {kind:?}, did you mean {nearest}?"
            )),
            _ => Self::Foreign { hint: "" },
        }
    }

    fn of_metallb(api_version: &str, kind: &str) -> Self {
        if kind == "AddressPool" {
            let message = "AddressPool is a kind of MetalLB before 0.15, expected an IPAddressPool and \
                           a BGPAdvertisement";
            return Self::Misspelt(message.to_owned());
        }
        if let Some(resource) = resource_named(kind) {
            return Self::wrong_version(resource, api_version);
        }

        let nearest = nearest(kind, ResourceKind::ALL.iter().map(|it| it.name()));
        let Some(resource) = nearest.and_then(resource_named) else {
            return Self::Foreign { hint: "" };
        };
        let (name, version) = (resource.name(), resource.api_version());
        Self::Misspelt(format!(
            "no kind of metallb.io is {kind:?}, did you mean {name} ({version})?"
        ))
    }

    fn wrong_version(resource: ResourceKind, found: &str) -> Self {
        let (name, version) = (resource.name(), resource.api_version());
        Self::Misspelt(format!("{name} has apiVersion {version}, found {found:?}"))
    }
}

/// Returns the resource of this name, in the version that is stored.
fn resource_named(name: &str) -> Option<ResourceKind> {
    // The stored version of BGPPeer comes before the old one.
    ResourceKind::ALL.into_iter().find(|it| it.name() == name)
}

/// Returns true if a group is metallb.io, or probably meant to be.
fn is_metallb_group(group: &str) -> bool {
    group == METALLB_GROUP
        || group == "metallb.universe.tf"
        || nearest(group, std::iter::once(METALLB_GROUP)).is_some()
}

const METALLB_GROUP: &str = "metallb.io";

/// Kinds of Kubernetes that resemble a kind that is read, and are not misspelt.
const SIMILAR_KINDS: [&str; 2] = ["Pod", "Event"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_kinds_are_errors_with_a_suggestion() {
        for (api_version, kind, expected) in [
            (
                "metallb.io/v1beta2",
                "IPAddressPool",
                "IPAddressPool has apiVersion metallb.io/v1beta1",
            ),
            ("metallb.io/v1", "BGPPeer", "BGPPeer has apiVersion metallb.io/v1beta2"),
            ("metallb.io/v1beta1", "BGPAdvertisment", "did you mean BGPAdvertisement (metallb.io"),
            ("metallb.io/v1beta1", "bgppeer", "did you mean BGPPeer (metallb.io/v1beta2)"),
            ("metallb.io/v1alpha1", "AddressPool", "expected an IPAddressPool"),
            ("metallb.io/v1beta2", "AddressPool", "expected an IPAddressPool"),
            (
                "metalb.io/v1beta1",
                "IPAddressPool",
                "IPAddressPool has apiVersion metallb.io/v1beta1",
            ),
            ("v1beta1", "IPAddressPool", "IPAddressPool has apiVersion metallb.io/v1beta1"),
            ("v1", "Sevice", "did you mean Service?"),
            ("v1", "endpoints", "did you mean Endpoints?"),
            ("discovery.k8s.io/v1", "EndpointSlices", "did you mean EndpointSlice?"),
        ] {
            let UnknownKind::Misspelt(message) = UnknownKind::of(api_version, kind) else {
                panic!("{kind}")
            };
            assert!(message.contains(expected), "{api_version} {kind}: {message}");
        }
    }

    #[test]
    fn kinds_of_other_projects_are_not_errors() {
        for (api_version, kind) in [
            ("apps/v1", "Deployment"),
            ("v1", "Pod"),
            ("v1", "Event"),
            ("v1", "ServiceAccount"),
            ("v1", "PersistentVolume"),
            ("projectcalico.org/v3", "BGPPeer"),
            ("crd.projectcalico.org/v1", "BGPPeer"),
            ("cilium.io/v2", "CiliumBGPAdvertisement"),
            ("serving.knative.dev/v1", "Service"),
            ("frrk8s.metallb.io/v1beta1", "FRRConfiguration"),
            ("metallb.io/v1beta1", "MetalLB"),
            ("discovery.k8s.io/v1beta1", "EndpointSlice"),
            ("bitnami.com/v1alpha1", "SealedSecret"),
        ] {
            let unknown = UnknownKind::of(api_version, kind);
            assert!(
                matches!(unknown, UnknownKind::Foreign { .. }),
                "{api_version} {kind}: {unknown:?}"
            );
        }
    }

    #[test]
    fn the_versions_are_those_that_are_read() {
        for kind in ResourceKind::ALL {
            let found = ObjectKind::of(kind.api_version(), kind.name());
            assert_eq!(found, Some(ObjectKind::Resource(kind)));
        }
    }
}
