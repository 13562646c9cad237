//! Why a Service is not announced, in an operator's words, and what would mend it.
//!
//! Owns the gates, their order and the sentences. Decides nothing.

use std::collections::BTreeSet;
use std::fmt;

use crate::allocator::Refusal;
use crate::model::{IpFamily, ServiceType};

/// The conditions that a Service passes on its way to a peer, in the order they are looked at.
///
/// The planner itself stops a Service at those from `Type` to `Endpoints` except `Sync` and
/// `Config`; the others are for whoever runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Gate {
    /// Of type LoadBalancer.
    Type,
    /// Of the `loadBalancerClass` served here.
    Class,
    /// What there is, is known.
    Sync,
    /// There is a valid configuration.
    Config,
    /// A pool may serve it.
    Pool,
    /// It holds an address.
    Address,
    /// The node may announce.
    Node,
    /// The peer is one for the node.
    Peer,
    /// The pool's addresses are announced to the peer.
    Advertisement,
    /// There are endpoints to pass the traffic to.
    Endpoints,
    /// The node is not being drained.
    Drain,
    /// Nothing else forbids it.
    Policy,
}

impl Gate {
    /// The gate's name in machine-readable output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Class => "class",
            Self::Sync => "sync",
            Self::Config => "config",
            Self::Pool => "pool",
            Self::Address => "address",
            Self::Node => "node",
            Self::Peer => "peer",
            Self::Advertisement => "advertisement",
            Self::Endpoints => "endpoints",
            Self::Drain => "drain",
            Self::Policy => "policy",
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A Service that is not announced: to a peer, or, where `peer` is none, to any that it is not
/// said of otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAnnounced {
    /// The name of the one peer this is about.
    pub peer: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// The first condition that failed, and what it found.
///
/// Its text is a sentence: lower case, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The Service is of another type.
    OtherType(ServiceType),
    /// The Service is for another load balancer.
    OtherClass {
        /// The Service's class.
        found: Option<String>,
        /// The class served here.
        served: Option<String>,
    },
    /// The allocator refused it an address.
    Refused(Refusal),
    /// It has no address, and nothing is known of why.
    NoAddress,
    /// It has an address of a pool that the configuration does not have.
    PoolGone(String),
    /// The node's labels exclude it from load balancing.
    NodeExcluded {
        /// The node.
        node: String,
    },
    /// The node has no address that could be the route's next hop.
    NoNextHop {
        /// The node.
        node: String,
        /// The family of the address.
        family: IpFamily,
    },
    /// The configuration has no peer.
    NoPeers,
    /// The peer's node selectors pass the node over.
    PeerNotForNode {
        /// The peer.
        peer: String,
        /// The node.
        node: String,
    },
    /// The pool's addresses are for layer 2.
    Layer2(String),
    /// The pool has no advertisement.
    NoAdvertisement(String),
    /// No EndpointSlice has an endpoint of the Service.
    NoEndpoints,
    /// Endpoints there are, but none takes traffic.
    NoneUsable {
        /// How many there are.
        endpoints: usize,
    },
    /// The Service wants traffic only where its endpoints are, and none is on this node.
    NoneLocal {
        /// This node.
        node: String,
        /// The nodes that have a usable one.
        elsewhere: BTreeSet<String>,
    },
}

impl Reason {
    /// The condition that failed.
    pub fn gate(&self) -> Gate {
        match self {
            Self::OtherType(_) => Gate::Type,
            Self::OtherClass { .. } => Gate::Class,
            Self::Refused(
                Refusal::NoPools
                | Refusal::UnknownPool { .. }
                | Refusal::NoAutoAssign { .. }
                | Refusal::OtherPool { .. },
            )
            | Self::PoolGone(_) => Gate::Pool,
            Self::Refused(_) | Self::NoAddress => Gate::Address,
            Self::NodeExcluded { .. } | Self::NoNextHop { .. } => Gate::Node,
            Self::NoPeers | Self::PeerNotForNode { .. } => Gate::Peer,
            Self::Layer2(_) | Self::NoAdvertisement(_) => Gate::Advertisement,
            Self::NoEndpoints | Self::NoneUsable { .. } | Self::NoneLocal { .. } => Gate::Endpoints,
        }
    }

    /// What would mend it, where that can be said: a sentence as the reason is one.
    pub fn mend(&self) -> Option<String> {
        let text = match self {
            Self::OtherType(_) => "set spec.type to LoadBalancer".to_owned(),
            Self::OtherClass { served: None, .. } => {
                "make the Service anew without loadBalancerClass".to_owned()
            }
            Self::OtherClass { served: Some(class), .. } => {
                format!("make the Service anew with loadBalancerClass {class:?}")
            }
            Self::Refused(refusal) => return mend_refusal(refusal).map(str::to_owned),
            Self::NodeExcluded { node } => format!("remove the label {EXCLUDE_LABEL} from {node}"),
            Self::NoNextHop { node, family } => {
                format!("give {node} an {family} address of type InternalIP")
            }
            Self::NoPeers => "add a peer to the configuration".to_owned(),
            Self::PeerNotForNode { peer, node } => {
                format!("label {node} as a node selector of peer {peer} wants it")
            }
            Self::Layer2(pool) => {
                format!(
                    "give pool {pool:?} the protocol bgp, or leave it to MetalLB's layer 2 mode"
                )
            }
            Self::NoAdvertisement(pool) => format!("add an advertisement for pool {pool:?}"),
            Self::NoEndpoints => {
                "check that the Service's selector matches the labels of running pods".to_owned()
            }
            Self::NoneUsable { .. } => "check why the pods are not ready".to_owned(),
            Self::NoneLocal { node, .. } => {
                format!("run a pod on {node}, or set externalTrafficPolicy to Cluster")
            }
            Self::NoAddress | Self::PoolGone(_) => return None,
        };
        Some(text)
    }
}

fn mend_refusal(refusal: &Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::NoPools => Some("add a pool to the configuration"),
        Refusal::UnknownPool { .. } => Some("correct the annotation address-pool, or add the pool"),
        Refusal::NoAutoAssign { .. } => {
            Some("add the annotation metallb.io/address-pool, or set auto-assign on a pool")
        }
        Refusal::NoneOfFamily { .. } => Some("add addresses of that family to a pool"),
        Refusal::Exhausted { .. } => {
            Some("add addresses to a pool, or let Services share one by allow-shared-ip")
        }
        Refusal::InNoPool(_) => Some("ask for an address of a pool, or add it to one"),
        Refusal::Avoided { .. } => Some("ask for another address"),
        Refusal::InUse { .. } => {
            Some("ask for another address, or let both Services share it by allow-shared-ip")
        }
        Refusal::OtherPool { .. } => Some("ask for the address or for the pool, not for both"),
        Refusal::OtherFamily { .. } => Some("ask for an address of the Service's family"),
        Refusal::RequestedTwice { .. } => Some("remove one of the two"),
        Refusal::DualStack => Some("make one Service for each family"),
        Refusal::NotAnAddress { .. } => None,
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherType(type_) => write!(f, "the Service is of type {type_:?}"),
            Self::OtherClass { found, served } => {
                let class = |class: &Option<String>| match class {
                    Some(class) => format!("the class {class:?}"),
                    None => "no class".to_owned(),
                };
                let (found, served) = (class(found), class(served));
                write!(f, "the Service has {found}, and Services with {served} are served here")
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NoAddress => f.write_str("the Service has no address"),
            Self::PoolGone(pool) => {
                write!(f, "the Service's address is of pool {pool:?}, which is not configured")
            }
            Self::NodeExcluded { node } => write!(f, "{node} has the label {EXCLUDE_LABEL}"),
            Self::NoNextHop { node, family } => {
                write!(f, "{node} has no {family} address to be the next hop")
            }
            Self::NoPeers => f.write_str("no peer is configured"),
            Self::PeerNotForNode { peer, node } => {
                write!(f, "no node selector of peer {peer} matches the labels of {node}")
            }
            Self::Layer2(pool) => {
                write!(f, "pool {pool:?} is for layer 2, which is not announced by FerroLB")
            }
            Self::NoAdvertisement(pool) => write!(f, "pool {pool:?} has no advertisement"),
            Self::NoEndpoints => f.write_str("the Service has no endpoints"),
            Self::NoneUsable { endpoints: 1 } => {
                f.write_str("the Service's one endpoint is not ready")
            }
            Self::NoneUsable { endpoints } => {
                write!(f, "none of the Service's {endpoints} endpoints is ready")
            }
            Self::NoneLocal { node, elsewhere } => {
                write!(f, "externalTrafficPolicy is Local and no ready endpoint is on {node}")?;
                let nodes: Vec<_> = elsewhere.iter().map(String::as_str).collect();
                if nodes.is_empty() { Ok(()) } else { write!(f, ", only on {}", nodes.join(", ")) }
            }
        }
    }
}

/// A node with this label, whatever its value, takes no traffic of load balancers.
pub(super) const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
