//! Kinds that are nearly one of those that are read: there is a slip in the kind, its group or its version.

use crate::config::resources;
use crate::spelling::nearest;

/// The judgement on an object that is not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was meant to be one that is read: kubectl would refuse it, or a pool would be ignored.
    Error(String),
    /// It belongs to something else. The text is added to the warning.
    Unread(&'static str),
}

/// Returns true if an object that is not read was meant to be one that is.
pub(crate) fn is_slip(api_version: &str, kind: &str) -> bool {
    let read =
        CORE.contains(&(api_version, kind)) || resources::Kind::of(api_version, kind).is_some();
    !read && matches!(judge(api_version, kind), Verdict::Error(_))
}

/// Judges the version and kind of an object that is not read.
pub(super) fn judge(api_version: &str, kind: &str) -> Verdict {
    let (group, _) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let named = |name: &str| RESOURCES.iter().find(|(_, known)| *known == name);

    if kind == "AddressPool" && is_ours(group) {
        let message = "AddressPool is a kind of MetalLB before 0.15, expected an IPAddressPool and a \
                       BGPAdvertisement";
        return Verdict::Error(message.to_owned());
    }

    if let Some((version, kind)) = named(kind) {
        // Other projects have kinds of these names, in groups of their own.
        if !is_ours(group) && !group.is_empty() {
            return Verdict::Unread("");
        }
        return Verdict::Error(format!("{kind} is {version}, found {api_version:?}"));
    }

    if is_ours(group) {
        let meant = nearest(kind, RESOURCES.iter().map(|(_, kind)| *kind));
        return match meant.and_then(named) {
            Some((version, meant)) => Verdict::Error(format!(
                "no kind of metallb.io is {kind:?}, did you mean {meant} ({version})?"
            )),
            None => Verdict::Unread(""),
        };
    }

    match (api_version, kind) {
        ("discovery.k8s.io/v1beta1", "EndpointSlice") => {
            return Verdict::Unread(", expected discovery.k8s.io/v1");
        }
        ("bitnami.com/v1alpha1", "SealedSecret") | (_, "ExternalSecret") => {
            return Verdict::Unread(", the Secret that is made of it is");
        }
        _ => {}
    }

    let core = CORE.iter().filter(|(version, _)| *version == api_version);
    match nearest(kind, core.map(|(_, kind)| *kind)).filter(|_| !STRANGERS.contains(&kind)) {
        Some(meant) => {
            Verdict::Error(format!("no kind of {api_version} is {kind:?}, did you mean {meant}?"))
        }
        None => Verdict::Unread(""),
    }
}

/// Returns true if a group is metallb.io, or nearly so.
fn is_ours(group: &str) -> bool {
    group == OURS
        || group == "metallb.universe.tf"
        || nearest(group, std::iter::once(OURS)).is_some()
}

const OURS: &str = "metallb.io";

/// The resources of metallb.io, with the version that is stored.
const RESOURCES: [(&str, &str); 6] = [
    ("metallb.io/v1beta2", "BGPPeer"),
    ("metallb.io/v1beta1", "IPAddressPool"),
    ("metallb.io/v1beta1", "BGPAdvertisement"),
    ("metallb.io/v1beta1", "L2Advertisement"),
    ("metallb.io/v1beta1", "Community"),
    ("metallb.io/v1beta1", "BFDProfile"),
];

/// The kinds of Kubernetes that are read.
const CORE: [(&str, &str); 7] = [
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "Endpoints"),
    ("v1", "Node"),
    ("v1", "Namespace"),
    ("v1", "Secret"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
];

/// Kinds of Kubernetes that resemble one of these, and are right.
const STRANGERS: [&str; 2] = ["Pod", "Event"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_errors_that_say_what_was_meant() {
        for (api_version, kind, expected) in [
            ("metallb.io/v1beta2", "IPAddressPool", "IPAddressPool is metallb.io/v1beta1"),
            ("metallb.io/v1", "BGPPeer", "BGPPeer is metallb.io/v1beta2"),
            ("metallb.io/v1beta1", "BGPAdvertisment", "did you mean BGPAdvertisement (metallb.io"),
            ("metallb.io/v1beta1", "bgppeer", "did you mean BGPPeer (metallb.io/v1beta2)"),
            ("metallb.io/v1alpha1", "AddressPool", "expected an IPAddressPool"),
            ("metallb.io/v1beta2", "AddressPool", "expected an IPAddressPool"),
            ("metalb.io/v1beta1", "IPAddressPool", "IPAddressPool is metallb.io/v1beta1"),
            ("v1beta1", "IPAddressPool", "IPAddressPool is metallb.io/v1beta1"),
            ("v1", "Sevice", "did you mean Service?"),
            ("v1", "endpoints", "did you mean Endpoints?"),
            ("discovery.k8s.io/v1", "EndpointSlices", "did you mean EndpointSlice?"),
        ] {
            let Verdict::Error(message) = judge(api_version, kind) else { panic!("{kind}") };
            assert!(message.contains(expected), "{api_version} {kind}: {message}");
        }
    }

    #[test]
    fn other_kinds_are_not_errors() {
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
            let verdict = judge(api_version, kind);
            assert!(matches!(verdict, Verdict::Unread(_)), "{api_version} {kind}: {verdict:?}");
        }
    }

    #[test]
    fn the_versions_are_those_that_are_read() {
        for (api_version, kind) in RESOURCES {
            assert!(resources::Kind::of(api_version, kind).is_some(), "{api_version} {kind}");
        }
    }
}
