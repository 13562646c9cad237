//! Why a Service is not announced, in an operator's words.
//!
//! Owns the gates, their order and the sentences. Decides nothing. The steps that would help are in `hints`.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::allocator::Refusal;
use crate::model::{IpFamily, MinReady, ServiceType};

/// The conditions that a Service passes on its way to a peer, in the order they are looked at.
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
    /// Not all objects are known yet that there were at the start.
    NotSynced,
    /// There is no valid configuration.
    NoConfig,
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
    /// The node says of itself that its network does not work.
    NetworkUnavailable {
        /// The node.
        node: String,
    },
    /// The node is not ready, or nothing has been heard of it.
    NodeNotReady {
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
    /// No advertisement of the pool selects the node.
    NotFromNode {
        /// The pool.
        pool: String,
        /// The node.
        node: String,
    },
    /// No advertisement of the pool, by its name, selects the Service.
    NotForService(String),
    /// Some advertisements of the pool do not select the node, the others do not select the Service.
    NoneApplies {
        /// The pool.
        pool: String,
        /// The node.
        node: String,
        /// The advertisements whose node selectors do not select the node.
        not_from_node: Vec<String>,
        /// The others.
        not_for_service: Vec<String>,
    },
    /// No advertisement of the pool names the peer.
    NotForPeer {
        /// The pool.
        pool: String,
        /// The peer.
        peer: String,
    },
    /// Two advertisements say different things about one route.
    Conflicting {
        /// Their names.
        names: [String; 2],
    },
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
    /// Fewer endpoints are ready than the Service, or its pool, asks for.
    TooFewReady {
        /// How many are.
        ready: usize,
        /// How many there are.
        all: usize,
        /// How many must be.
        least: MinReady,
    },
    /// The node has not heard from its probe of the Service yet.
    NotProbed {
        /// The probe.
        probe: String,
    },
    /// The node's probe of the Service fails.
    ProbeFailed {
        /// The probe.
        probe: String,
        /// In which way.
        why: String,
    },
    /// The Service answers again, and is not trusted yet.
    HeldDown {
        /// How long it must answer first.
        hold_down: Duration,
    },
    /// The node is being drained.
    Draining {
        /// The node.
        node: String,
    },
    /// The session with the peer carries routes of the other family only.
    NotCarried {
        /// The peer.
        peer: String,
        /// The family of the Service's addresses.
        family: IpFamily,
    },
    /// One of two addresses is of a family that no session of the node carries.
    CarriedByNone {
        /// The address.
        address: IpAddr,
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
                | Refusal::NoneAdmits { .. }
                | Refusal::NotAdmitted { .. }
                | Refusal::OtherPool { .. },
            )
            | Self::PoolGone(_) => Gate::Pool,
            Self::Refused(_) | Self::NoAddress => Gate::Address,
            Self::NotSynced => Gate::Sync,
            Self::NoConfig => Gate::Config,
            Self::NodeExcluded { .. }
            | Self::NetworkUnavailable { .. }
            | Self::NodeNotReady { .. }
            | Self::NoNextHop { .. } => Gate::Node,
            Self::NoPeers | Self::PeerNotForNode { .. } => Gate::Peer,
            Self::Layer2(_)
            | Self::NoAdvertisement(_)
            | Self::NotFromNode { .. }
            | Self::NotForService(_)
            | Self::NoneApplies { .. }
            | Self::NotForPeer { .. }
            | Self::Conflicting { .. } => Gate::Advertisement,
            Self::NoEndpoints
            | Self::NoneUsable { .. }
            | Self::NoneLocal { .. }
            | Self::TooFewReady { .. }
            | Self::NotProbed { .. }
            | Self::ProbeFailed { .. }
            | Self::HeldDown { .. } => Gate::Endpoints,
            Self::Draining { .. } => Gate::Drain,
            Self::NotCarried { .. } | Self::CarriedByNone { .. } => Gate::Policy,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherType(type_) => write!(f, "the Service is of type {type_}"),
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
            Self::NotSynced => f.write_str("not all objects are known yet"),
            Self::NoConfig => f.write_str("there is no valid configuration"),
            Self::NetworkUnavailable { node } => write!(f, "the network of {node} is unavailable"),
            Self::NodeNotReady { node } => write!(f, "{node} is not ready"),
            Self::NotFromNode { pool, node } => {
                write!(f, "no advertisement of pool {pool:?} selects {node}")
            }
            Self::NotForService(pool) => {
                write!(f, "no advertisement of pool {pool:?} selects the Service")
            }
            Self::NoneApplies { pool, node, not_from_node, not_for_service } => write!(
                f,
                "of the advertisements of pool {pool:?}, {} does not select {node}, and {} does not select \
                 the Service",
                not_from_node.join(" or "),
                not_for_service.join(" or ")
            ),
            Self::NotForPeer { pool, peer } => {
                write!(f, "no advertisement of pool {pool:?} is for peer {peer}")
            }
            Self::Conflicting { names: [a, b] } => {
                write!(f, "advertisements {a} and {b} have different localPref for one route")
            }
            Self::TooFewReady { ready, all, least } => {
                write!(f, "{ready} of {all} endpoints are ready, and at least {least} must be")
            }
            Self::NotProbed { probe } => write!(f, "the probe {probe} has not ended yet"),
            Self::ProbeFailed { probe, why } => write!(f, "the probe {probe} fails: {why}"),
            Self::HeldDown { hold_down } => {
                write!(f, "the Service answers again, and must do so for {hold_down:?}")
            }
            Self::Draining { node } => write!(f, "{node} is being drained"),
            Self::NotCarried { peer, family } => {
                write!(f, "the session with peer {peer} carries no {family} routes")
            }
            Self::CarriedByNone { address } => {
                write!(f, "no session of the node carries routes of the family of {address}")
            }
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
