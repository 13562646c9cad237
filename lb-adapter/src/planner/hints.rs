//! Hints: for each reason why a Service is not announced, the step that an operator can take.
//!
//! Owns the sentences. A hint names only what exists in the format of the configuration.

use crate::allocator::{ConflictReason, Refusal, SharingConflict};
use crate::model::ConfigFormat;

use super::reason::{EXCLUDE_LABEL, Reason};

/// Words that the two formats spell differently.
#[derive(Clone, Copy)]
struct Words(ConfigFormat);

impl Words {
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
        self.pick("an entry of bgp-advertisements", "a BGPAdvertisement")
    }

    fn allocation(self) -> &'static str {
        self.pick("service-allocation", "serviceAllocation")
    }

    fn dual_stack(self) -> &'static str {
        self.pick("dual-stack-address-family", "dualStackAddressFamily")
    }
}

impl Reason {
    /// Returns the step that removes this reason, in the words of a format of the configuration. None if there is none to
    /// take.
    pub fn mend(&self, format: ConfigFormat) -> Option<String> {
        let words = Words(format);

        let text = match self {
            Self::OtherType(_) => "set spec.type to LoadBalancer".to_owned(),
            Self::OtherClass { found, served } => other_class(found.as_deref(), served.as_deref()),
            Self::Refused(refusal) => return refused(refusal, words),
            Self::PoolGone(pool) => {
                format!("add {} named {pool:?}, or free the address", words.pool())
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
            Self::NoConfig => {
                "apply the ConfigMap, or metallb.io resources, without errors".to_owned()
            }
            Self::NetworkUnavailable { node } => {
                format!("see why the condition NetworkUnavailable of {node} is true")
            }
            Self::NodeNotReady { node } => {
                format!("see why the condition Ready of {node} is not true")
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
                format!("name {peer} among the peers of an advertisement for pool {pool:?}")
            }
            Self::Conflicting { .. } => format!(
                "give both the same {}, or let only one of them select the Service",
                words.pick("localpref", "localPref")
            ),
            Self::TooFewReady { .. } => format!(
                "run more pods, or lower {} where the pool or the Service has it",
                words.pick("min-ready", "ferrolb.io/min-ready")
            ),
            Self::ProbeFailed { .. } => "check why the pods do not answer".to_owned(),
            Self::NotCarried { peer, .. } => {
                format!("add a peer of that family, or set {} for {peer}", words.dual_stack())
            }
            Self::CarriedByNone { .. } => {
                format!("add a peer of that family, or set {} for one", words.dual_stack())
            }
            Self::NoAddress => {
                "see the Service's events: addresses come from the controller that leads".to_owned()
            }
            Self::NotSynced
            | Self::NotProbed { .. }
            | Self::HeldDown { .. }
            | Self::Draining { .. } => return None,
        };

        Some(text)
    }
}

/// Returns the step for a Service of a class that is not served.
fn other_class(found: Option<&str>, served: Option<&str>) -> String {
    let again = match served {
        Some(class) => format!("create the Service again with loadBalancerClass {class:?}"),
        None => "create the Service again without loadBalancerClass".to_owned(),
    };
    match found {
        Some(class) => format!("{again}, or start FerroLB with --lb-class {class}"),
        None => format!("{again}, or start FerroLB without --lb-class"),
    }
}

/// Returns the step for a Service that the allocator refused.
fn refused(refusal: &Refusal, words: Words) -> Option<String> {
    let text = match refusal {
        Refusal::NoPools => format!("add {}", words.pool()),
        Refusal::UnknownPool { .. } => {
            format!("correct the annotation address-pool, or add {} of that name", words.pool())
        }
        Refusal::NoAutoAssign { .. } => format!(
            "add the annotation metallb.io/address-pool, or set {} to true on a pool",
            words.pick("auto-assign", "autoAssign")
        ),
        Refusal::NoneOfFamily { .. } => "add addresses of that family to a pool".to_owned(),
        Refusal::Exhausted { nearest: None, .. } => {
            "add addresses to a pool, or let Services share one by allow-shared-ip".to_owned()
        }
        Refusal::Exhausted { nearest: Some(nearest), .. } => {
            format!("add addresses to a pool, or {}", to_share(&nearest.1))
        }
        Refusal::InNoPool(_) => "ask for an address of a pool, or add it to one".to_owned(),
        Refusal::Avoided { .. } => "ask for another address".to_owned(),
        Refusal::InUse { conflict, .. } => {
            format!("ask for another address, or {}", to_share(conflict))
        }
        Refusal::OtherPool { .. } => "ask for the address or for the pool, not for both".to_owned(),
        Refusal::OtherFamily { .. } => "ask for addresses of the Service's families".to_owned(),
        Refusal::RequestedTwice { .. } => "remove one of the two".to_owned(),
        Refusal::NoneAdmits { .. } | Refusal::NotAdmitted { .. } => {
            format!("let the {} of a pool select the Service", words.allocation())
        }
        Refusal::TwoPools { .. } => "ask for two addresses of one pool".to_owned(),
        Refusal::NotEnoughClusterIps { .. } => {
            "set ipFamilyPolicy to PreferDualStack, or let the cluster have both families"
                .to_owned()
        }
        Refusal::NotAnAddress { .. } | Refusal::NotOneOfEach { .. } => return None,
    };

    Some(text)
}

/// Returns the step that lets a Service share the address of another one.
fn to_share(by: &SharingConflict) -> String {
    let holder = &by.holder;
    match &by.reason {
        ConflictReason::NoKey => {
            format!(
                "give both Services the same value of the annotation metallb.io/allow-shared-ip, this one and {holder}"
            )
        }
        ConflictReason::OtherKey { key } => {
            format!(
                "write {key:?} in the annotation metallb.io/allow-shared-ip, as {holder} has it"
            )
        }
        ConflictReason::OtherBackend => {
            format!("set externalTrafficPolicy to Cluster for this Service and {holder}")
        }
        ConflictReason::SamePort(port) => {
            format!("use another port than {port}, which {holder} has")
        }
    }
}
