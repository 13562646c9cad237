//! The reasons why a Service is not announced, in an operator's words.
//!
//! Owns the gates, their order and the sentences; `hints` says how to fix each reason. Must not decide anything.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::allocator::Refusal;
use crate::model::{IpFamily, MinReady, ServiceType};

/// The conditions that a Service must meet to be announced to a peer, in the order in which they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Gate {
    /// The Service is of type LoadBalancer.
    Type,
    /// The Service has the `loadBalancerClass` that is served.
    Class,
    /// The initial lists of objects are complete.
    Sync,
    /// There is a valid configuration.
    Config,
    /// A pool admits the Service.
    Pool,
    /// The Service holds an address.
    Address,
    /// The node may announce.
    Node,
    /// A peer's node selectors select the node.
    Peer,
    /// The pool's addresses are announced to the peer.
    Advertisement,
    /// The Service has endpoints that can take the traffic.
    Endpoints,
    /// The node's dataplane forwards to the Service.
    Dataplane,
    /// The node is not being drained.
    Drain,
    /// The sessions carry routes of the Service's address families.
    Policy,
}

impl Gate {
    /// Returns the gate's name in machine-readable output.
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
            Self::Dataplane => "dataplane",
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

/// The reason why a Service is not announced: to one peer, or, if `peer` is `None`, to all peers without a reason of
/// their own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAnnounced {
    /// The name of the peer, if the reason concerns one peer only.
    pub peer: Option<String>,
    /// The reason.
    pub reason: Reason,
}

/// The first condition that failed, with the values that it found.
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
    /// The initial lists of objects are not complete.
    NotSynced,
    /// There is no valid configuration.
    NoConfig,
    /// The allocator refused the Service an address.
    Refused(Refusal),
    /// The Service has no address, and the reason is not known here.
    NoAddress,
    /// The Service has an address of this pool, which the configuration does not have.
    PoolGone(String),
    /// The node's labels exclude it from load balancing.
    NodeExcluded {
        /// The node.
        node: String,
    },
    /// The node reports that its network is unavailable.
    NetworkUnavailable {
        /// The node.
        node: String,
    },
    /// The node is not ready, or has not reported for a while.
    NodeNotReady {
        /// The node.
        node: String,
    },
    /// The node has no address to use as the next hop.
    NoNextHop {
        /// The node.
        node: String,
        /// The family of the address.
        family: IpFamily,
    },
    /// The configuration has no peer.
    NoPeers,
    /// The peer's node selectors do not select the node.
    PeerNotForNode {
        /// The peer.
        peer: String,
        /// The node.
        node: String,
    },
    /// The pool is for layer 2.
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
        /// The advertisements whose service selectors do not select the Service.
        not_for_service: Vec<String>,
    },
    /// No advertisement of the pool names the peer.
    NotForPeer {
        /// The pool.
        pool: String,
        /// The peer.
        peer: String,
    },
    /// Two advertisements set different local preferences for one route.
    Conflicting {
        /// Their names.
        names: [String; 2],
    },
    /// No EndpointSlice has an endpoint of the Service.
    NoEndpoints,
    /// The Service has endpoints, but none takes traffic.
    NoneUsable {
        /// The number of endpoints.
        endpoints: usize,
    },
    /// The Service has the policy Local, and no endpoint on this node.
    NoneLocal {
        /// This node.
        node: String,
        /// The nodes that have a usable endpoint; of many, the first few by name.
        elsewhere: BTreeSet<String>,
        /// The number of other nodes that have one.
        more: usize,
    },
    /// Fewer endpoints are ready than the Service or its pool requires.
    TooFewReady {
        /// The number of ready endpoints.
        ready: usize,
        /// The number of all endpoints.
        all: usize,
        /// The number or share that must be ready.
        least: MinReady,
    },
    /// The node's probe of the Service has no result yet.
    NotProbed {
        /// The probe.
        probe: String,
    },
    /// The node's probe of the Service fails.
    ProbeFailed {
        /// The probe.
        probe: String,
        /// The failure.
        why: String,
    },
    /// The Service answers again, but its hold-down time is not over.
    HeldDown {
        /// The time for which it must answer before it is announced.
        hold_down: Duration,
    },
    /// The node's dataplane is not known to forward to the Service yet.
    DataplaneNotReady {
        /// The node.
        node: String,
        /// The observation.
        problem: String,
    },
    /// The node's dataplane has stopped forwarding to the Service.
    DataplaneFailed {
        /// The node.
        node: String,
        /// The observation.
        problem: String,
    },
    /// The node is being drained.
    Draining {
        /// The node.
        node: String,
    },
    /// The session with the peer carries no routes of the Service's address family.
    NotCarried {
        /// The peer.
        peer: String,
        /// The family of the Service's addresses.
        family: IpFamily,
    },
    /// No session of the node carries the family of one of the Service's two addresses.
    CarriedByNone {
        /// The address.
        address: IpAddr,
    },
}

impl Reason {
    /// Returns the condition that failed.
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
            Self::DataplaneNotReady { .. } | Self::DataplaneFailed { .. } => Gate::Dataplane,
            Self::Draining { .. } => Gate::Drain,
            Self::NotCarried { .. } | Self::CarriedByNone { .. } => Gate::Policy,
        }
    }
}

impl Reason {
    /// Returns the reason in the words for several nodes that have it in common: "the node" instead of a name.
    #[must_use]
    pub(crate) fn for_any_node(mut self) -> Self {
        if let Self::NodeExcluded { node }
        | Self::NetworkUnavailable { node }
        | Self::NodeNotReady { node }
        | Self::NoNextHop { node, .. }
        | Self::PeerNotForNode { node, .. }
        | Self::NotFromNode { node, .. }
        | Self::NoneApplies { node, .. }
        | Self::NoneLocal { node, .. }
        | Self::DataplaneNotReady { node, .. }
        | Self::DataplaneFailed { node, .. }
        | Self::Draining { node } = &mut self
        {
            "the node".clone_into(node);
        }
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherType(type_) => write!(f, "the Service is of type {type_}"),
            Self::OtherClass { found, served } => {
                let (found, served) = (class(found.as_deref()), class(served.as_deref()));
                write!(f, "the Service has {found}, but FerroLB serves Services with {served}")
            }
            Self::Refused(refusal) => refusal.fmt(f),
            Self::NoAddress => f.write_str("the Service has no address"),
            Self::PoolGone(pool) => {
                write!(f, "the Service's address belongs to pool {pool:?}, which is not configured")
            }
            Self::NodeExcluded { node } => write!(f, "{node} has the label {EXCLUDE_LABEL}"),
            Self::NoNextHop { node, family } => {
                write!(f, "{node} has no {family} address to use as the next hop")
            }
            Self::NoPeers => f.write_str("no peer is configured"),
            Self::PeerNotForNode { peer, node } => {
                write!(f, "no node selector of peer {peer} matches the labels of {node}")
            }
            Self::Layer2(pool) => {
                write!(f, "pool {pool:?} is for layer 2, which FerroLB does not announce")
            }
            Self::NoAdvertisement(pool) => write!(f, "pool {pool:?} has no advertisement"),
            Self::NotSynced => f.write_str("the initial lists of objects are not complete yet"),
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
                "no advertisement of pool {pool:?} selects both {node} and the Service: {} does not select \
                 {node}, {} does not select the Service",
                not_from_node.join(" or "),
                not_for_service.join(" or ")
            ),
            Self::NotForPeer { pool, peer } => {
                write!(f, "no advertisement of pool {pool:?} is for peer {peer}")
            }
            Self::Conflicting { names: [a, b] } => {
                write!(f, "advertisements {a} and {b} set different localPref for the same route")
            }
            Self::TooFewReady { ready, all, least } => {
                write!(f, "{ready} of {all} endpoints are ready, but at least {least} must be")
            }
            Self::NotProbed { probe } => write!(f, "the probe {probe} has no result yet"),
            Self::ProbeFailed { probe, why } => write!(f, "the probe {probe} fails: {why}"),
            Self::HeldDown { hold_down } => {
                write!(
                    f,
                    "the Service answers again, but must keep answering for {hold_down:?} first"
                )
            }
            Self::DataplaneNotReady { node, problem } => {
                write!(f, "the dataplane of {node} does not forward to the Service yet: {problem}")
            }
            Self::DataplaneFailed { node, problem } => {
                write!(f, "the dataplane of {node} no longer forwards to the Service: {problem}")
            }
            Self::Draining { node } => write!(f, "{node} is being drained"),
            Self::NotCarried { peer, family } => {
                write!(f, "the session with peer {peer} carries no {family} routes")
            }
            Self::CarriedByNone { address } => {
                let family = IpFamily::of(*address);
                write!(
                    f,
                    "no session of the node carries {family} routes, so {address} is not announced"
                )
            }
            Self::NoEndpoints => f.write_str("the Service has no endpoints"),
            Self::NoneUsable { endpoints: 1 } => {
                f.write_str("the Service's only endpoint is not ready")
            }
            Self::NoneUsable { endpoints } => {
                write!(f, "none of the Service's {endpoints} endpoints is ready")
            }
            Self::NoneLocal { node, elsewhere, more } => {
                write!(f, "externalTrafficPolicy is Local and no ready endpoint is on {node}")?;
                if elsewhere.is_empty() {
                    return Ok(());
                }
                let elsewhere: Vec<_> = elsewhere.iter().map(String::as_str).collect();
                write!(f, ", only on {}", elsewhere.join(", "))?;
                match more {
                    0 => Ok(()),
                    1 => f.write_str(" and 1 more node"),
                    more => write!(f, " and {more} more nodes"),
                }
            }
        }
    }
}

fn class(class: Option<&str>) -> String {
    match class {
        Some(class) => format!("the class {class:?}"),
        None => "no class".to_owned(),
    }
}

/// A node with this label takes no traffic from load balancers, for any value of the label.
pub(super) const EXCLUDE_LABEL: &str = "node.kubernetes.io/exclude-from-external-load-balancers";
