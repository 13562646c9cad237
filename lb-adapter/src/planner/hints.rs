//! Hints: how an operator can fix each reason why a Service is not announced.
//!
//! Owns the sentences. A hint must name only things that exist in the format of the configuration.

use crate::allocator::{ConflictReason, Refusal, SharingConflict};
use crate::model::{ConfigFormat, IpFamily};

use super::reason::{EXCLUDE_LABEL, Reason};

/// The words that the two formats spell differently.
#[derive(Clone, Copy)]
struct Vocabulary(ConfigFormat);

impl Vocabulary {
    fn pick(self, config_map: &'static str, resources: &'static str) -> &'static str {
        match self.0 {
            ConfigFormat::ConfigMap => config_map,
            ConfigFormat::Resources => resources,
        }
    }

    fn peer(self) -> &'static str {
        self.pick("an entry to peers", "a BGPPeer")
    }

    fn pool(self) -> &'static str {
        self.pick("an entry to address-pools", "an IPAddressPool")
    }

    fn advertisement(self) -> &'static str {
        self.pick("an entry to bgp-advertisements", "a BGPAdvertisement")
    }

    fn allocation(self) -> &'static str {
        self.pick("service-allocation", "serviceAllocation")
    }

    fn dual_stack(self) -> &'static str {
        self.pick("dual-stack-address-family", "dualStackAddressFamily")
    }
}

impl Reason {
    /// Returns how to fix this reason, in the words of a format of the configuration. `None` if there is nothing to do.
    pub fn hint(&self, format: ConfigFormat) -> Option<String> {
        let words = Vocabulary(format);

        let text = match self {
            Self::OtherType(_) => "set spec.type to LoadBalancer".to_owned(),
            Self::OtherClass { found, served } => other_class(found.as_deref(), served.as_deref()),
            Self::Refused(refusal) => return refused(refusal, words),
            Self::PoolGone(pool) => {
                format!("add {} named {pool:?}, or release the address", words.pool())
            }
            Self::NodeExcluded { node } => format!(
                "remove the label {EXCLUDE_LABEL} from {node}, or start FerroLB with --ignore-exclude-lb"
            ),
            Self::NoNextHop { node, family } => {
                format!("give {node} an {family} address of type InternalIP")
            }
            Self::NoPeers => format!("add {}", words.peer()),
            Self::PeerNotForNode { peer, node } => {
                format!("label {node} so that a node selector of peer {peer} selects it")
            }
            Self::Layer2(pool) => match format {
                ConfigFormat::ConfigMap => format!(
                    "give pool {pool:?} the protocol bgp, or leave it to MetalLB's layer 2 mode"
                ),
                ConfigFormat::Resources => format!(
                    "add a BGPAdvertisement for pool {pool:?}, or leave it to MetalLB's layer 2 mode"
                ),
            },
            Self::NoAdvertisement(pool) => {
                format!("add {} for pool {pool:?}", words.advertisement())
            }
            Self::NoEndpoints => {
                "check that the Service's selector matches the labels of running pods".to_owned()
            }
            Self::NoneUsable { .. } => "check why the pods are not ready".to_owned(),
            Self::NoneLocal { node, .. } => {
                format!("run a pod on {node}, or set externalTrafficPolicy to Cluster")
            }
            Self::NoConfig => "apply a ConfigMap or metallb.io resources without errors".to_owned(),
            Self::NetworkUnavailable { node } => {
                format!("check why the condition NetworkUnavailable of {node} is True")
            }
            Self::NodeNotReady { node } => {
                format!("check why the condition Ready of {node} is not True")
            }
            Self::NotFromNode { pool, node } => format!(
                "label {node} so that a node selector of an advertisement for pool {pool:?} selects it"
            ),
            Self::NotForService(pool) => format!(
                "label the Service so that a service selector of an advertisement for pool {pool:?} \
                 selects it"
            ),
            Self::NoneApplies { pool, node, .. } => format!(
                "label {node} and the Service so that one advertisement for pool {pool:?} selects both"
            ),
            Self::NotForPeer { pool, peer } => {
                format!("add {peer} to the peers of an advertisement for pool {pool:?}")
            }
            Self::Conflicting { .. } => format!(
                "set the same {} in both, or let only one of them select the Service",
                words.pick("localpref", "localPref")
            ),
            Self::TooFewReady { .. } => format!(
                "run more pods, or lower {} of the pool or the Service",
                words.pick("min-ready", "ferrolb.io/min-ready")
            ),
            Self::ProbeFailed { .. } => "check why the pods do not answer".to_owned(),
            Self::NotCarried { peer, family } => {
                format!("add an {family} peer, or set {} for {peer}", words.dual_stack())
            }
            Self::CarriedByNone { address } => {
                let family = IpFamily::of(*address);
                format!("add an {family} peer, or set {} for a peer", words.dual_stack())
            }
            Self::NoAddress => {
                "check the Service's Events: the leading controller assigns addresses".to_owned()
            }
            Self::DataplaneNotReady { node, .. } | Self::DataplaneFailed { node, .. } => format!(
                "check kube-proxy, or the program in its place, on {node}; to announce without waiting for it, set {} \
                 of the pool to off",
                words.pick("dataplane-gate", "the annotation ferrolb.io/dataplane-gate")
            ),
            Self::NotSynced
            | Self::NotProbed { .. }
            | Self::HeldDown { .. }
            | Self::Draining { .. } => return None,
        };

        Some(text)
    }
}

/// Returns the hint for a Service of a class that is not served.
fn other_class(found: Option<&str>, served: Option<&str>) -> String {
    let recreate = match served {
        Some(class) => format!("recreate the Service with loadBalancerClass {class:?}"),
        None => "recreate the Service without loadBalancerClass".to_owned(),
    };
    match found {
        Some(class) => format!("{recreate}, or start FerroLB with --lb-class {class}"),
        None => format!("{recreate}, or start FerroLB without --lb-class"),
    }
}

/// Returns the hint for a Service that the allocator refused.
fn refused(refusal: &Refusal, words: Vocabulary) -> Option<String> {
    let text = match refusal {
        Refusal::NoPools => format!("add {}", words.pool()),
        Refusal::UnknownPool { .. } => {
            format!("correct the annotation address-pool, or add {} with that name", words.pool())
        }
        Refusal::NoAutoAssign { .. } => format!(
            "request a pool with the annotation metallb.io/address-pool, or set {} to true on a pool",
            words.pick("auto-assign", "autoAssign")
        ),
        Refusal::NoneOfFamily { .. } => "add addresses of that IP family to a pool".to_owned(),
        Refusal::Exhausted { nearest: None, .. } => {
            "add addresses to a pool, or let Services share an address with allow-shared-ip"
                .to_owned()
        }
        Refusal::Exhausted { nearest: Some(nearest), .. } => {
            format!("add addresses to a pool, or {}", to_share(&nearest.1))
        }
        Refusal::InNoPool(_) => {
            "request an address from a pool, or add this address to a pool".to_owned()
        }
        Refusal::Avoided { .. } => "request a different address".to_owned(),
        Refusal::InUse { conflict, .. } => {
            format!("request a different address, or {}", to_share(conflict))
        }
        Refusal::OtherPool { .. } => "request either the address or the pool, not both".to_owned(),
        Refusal::OtherFamily { .. } => "request addresses of the Service's IP families".to_owned(),
        Refusal::RequestedTwice { .. } => "remove one of the two requests".to_owned(),
        Refusal::NoneAdmits { .. } | Refusal::NotAdmitted { .. } => {
            format!("change the {} of a pool so that it selects the Service", words.allocation())
        }
        Refusal::TwoPools { .. } => "request two addresses from the same pool".to_owned(),
        Refusal::NotEnoughClusterIps { .. } => {
            "set ipFamilyPolicy to PreferDualStack, or enable both IP families in the cluster"
                .to_owned()
        }
        Refusal::NotAnAddress { .. } | Refusal::NotOneOfEach { .. } => return None,
    };

    Some(text)
}

/// Returns the hint for a Service that could share the address of another one.
fn to_share(by: &SharingConflict) -> String {
    let holder = &by.holder;
    match &by.reason {
        ConflictReason::NoKey => {
            format!(
                "set the annotation metallb.io/allow-shared-ip to the same value on this Service and {holder}"
            )
        }
        ConflictReason::OtherKey { key } => {
            format!("set the annotation metallb.io/allow-shared-ip to {key:?}, as on {holder}")
        }
        ConflictReason::OtherBackend => {
            format!("set externalTrafficPolicy to Cluster for this Service and {holder}")
        }
        ConflictReason::SamePort(port) => {
            format!("use a port other than {port}, which {holder} uses")
        }
    }
}
