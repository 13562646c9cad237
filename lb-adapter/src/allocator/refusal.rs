//! Why a Service has no address, or lost the one it had, in an operator's words.
//!
//! Owns the sentences. Decides nothing.

use std::fmt;
use std::net::IpAddr;

use crate::model::{IpFamily, ServiceType};

use super::terms::InUse;

/// Why a Service was given no address.
///
/// Its text is a sentence for the Service's event: lower case, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The configuration has no pool at all.
    NoPools,
    /// The annotation `address-pool` names no pool.
    UnknownPool {
        /// The name in the annotation.
        pool: String,
        /// The pools there are.
        known: Vec<String>,
    },
    /// The Service names no pool, and none is for such Services.
    NoAutoAssign {
        /// The pools there are, all with `auto-assign: false`.
        known: Vec<String>,
    },
    /// None of the pools that the Service may use has addresses of its family.
    NoneOfFamily {
        /// The pools looked at.
        pools: Vec<String>,
        /// The family of the Service.
        family: IpFamily,
    },
    /// All addresses of the pools that the Service may use are taken, and none can be shared.
    Exhausted {
        /// The pools looked at.
        pools: Vec<String>,
        /// The family of the Service, if it has one.
        family: Option<IpFamily>,
    },
    /// An address lies in no pool.
    InNoPool(IpAddr),
    /// An address ends in .0 or .255, and its pool avoids those.
    Avoided {
        /// The address.
        address: IpAddr,
        /// Its pool, which has `avoid-buggy-ips: true`.
        pool: String,
    },
    /// An address is held by a Service with which it cannot be shared.
    InUse {
        /// The address.
        address: IpAddr,
        /// Who holds it, and why it cannot be shared.
        by: InUse,
    },
    /// The requested address lies in another pool than the requested one.
    OtherPool {
        /// The requested address.
        address: IpAddr,
        /// The pool it lies in.
        lies_in: String,
        /// The pool the annotation names.
        requested: String,
    },
    /// An address is not of the Service's family.
    OtherFamily {
        /// The address.
        address: IpAddr,
        /// The family of the Service.
        family: IpFamily,
    },
    /// What asks for an address is none.
    NotAnAddress {
        /// Where it stands: a field or an annotation.
        source: String,
        /// What stands there.
        text: String,
    },
    /// Both `spec.loadBalancerIP` and the annotation ask for an address.
    RequestedTwice {
        /// The annotation's whole name.
        annotation: String,
    },
    /// The Service wants addresses of both families.
    DualStack,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPools => f.write_str("no address pool is configured"),
            Self::UnknownPool { pool, known } => {
                write!(f, "there is no pool {pool:?}, only {}", list(known))
            }
            Self::NoAutoAssign { known } => {
                write!(
                    f,
                    "no pool is assigned automatically, the Service must name one of {}",
                    list(known)
                )
            }
            Self::NoneOfFamily { pools, family } => {
                write!(f, "no {family} addresses in {}", list(pools))
            }
            Self::Exhausted { pools, family: None } => {
                write!(f, "no address is left in {}", list(pools))
            }
            Self::Exhausted { pools, family: Some(family) } => {
                write!(f, "no {family} address is left in {}", list(pools))
            }
            Self::InNoPool(address) => write!(f, "{address} is in no pool"),
            Self::Avoided { address, pool } => {
                write!(f, "{address} ends in .0 or .255, which pool {pool:?} avoids")
            }
            Self::InUse { address, by } => write!(f, "{address} is {by}"),
            Self::OtherPool { address, lies_in, requested } => write!(
                f,
                "{address} is in pool {lies_in:?}, but the Service asks for pool {requested:?}"
            ),
            Self::OtherFamily { address, family } => {
                write!(f, "{address} is not of the Service's family, {family}")
            }
            Self::NotAnAddress { source, text } => {
                write!(f, "{source}: expected an IP address, found {text:?}")
            }
            Self::RequestedTwice { annotation } => write!(
                f,
                "expected one of spec.loadBalancerIP and annotation {annotation}, found both"
            ),
            Self::DualStack => {
                f.write_str("addresses of both families for one Service are not supported yet")
            }
        }
    }
}

/// Why a Service lost the address it held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cleared {
    /// It is of another type now.
    NotLoadBalancer(ServiceType),
    /// The pools, or whom it shares with, no longer allow the address.
    NotAllowed(Refusal),
    /// It asks for another address.
    OtherAddressRequested(IpAddr),
    /// It asks for another pool.
    OtherPoolRequested(String),
    /// It held more than one address of its family.
    TooMany,
}

impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoadBalancer(_) => f.write_str("the Service is not of type LoadBalancer"),
            Self::NotAllowed(refusal) => refusal.fmt(f),
            Self::OtherAddressRequested(address) => write!(f, "the Service asks for {address}"),
            Self::OtherPoolRequested(pool) => write!(f, "the Service asks for pool {pool:?}"),
            Self::TooMany => f.write_str("the Service has one family and takes one address"),
        }
    }
}

/// Names of pools for a sentence: `pool "a"`, `pools "a", "b"`.
fn list(pools: &[String]) -> String {
    let names: Vec<_> = pools.iter().map(|pool| format!("{pool:?}")).collect();
    let noun = if names.len() == 1 { "pool" } else { "pools" };
    format!("{noun} {}", names.join(", "))
}
