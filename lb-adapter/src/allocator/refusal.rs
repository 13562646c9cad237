//! Why a Service has no address, or lost the one it had, in an operator's words.
//!
//! Owns the sentences. Decides nothing.

use std::fmt;
use std::net::IpAddr;

use crate::model::{IpFamily, ServiceType};

use super::request::FamilyRequirement;
use super::sharing::SharingConflict;

/// Why a Service was given no address.
///
/// Its text is a sentence for the Service's event: lower case, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// There are pools that are assigned automatically, and all are for other Services.
    NoneAdmits {
        /// The pools there are.
        known: Vec<String>,
    },
    /// A pool that the Service asks for is for other Services.
    NotAdmitted {
        /// The pool, whose `serviceAllocation` does not select the Service.
        pool: String,
    },
    /// None of the pools that the Service may use has addresses of its family.
    NoneOfFamily {
        /// The pools looked at.
        pools: Vec<String>,
        /// The family of the Service.
        families: AddressFamilies,
    },
    /// All addresses of the pools that the Service may use are taken, and none can be shared.
    Exhausted {
        /// The pools looked at.
        pools: Vec<String>,
        /// The family of the Service, if it has one.
        families: AddressFamilies,
        /// The address that it comes nearest to sharing, and what forbids that.
        nearest: Option<Box<(IpAddr, SharingConflict)>>,
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
        by: SharingConflict,
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
    /// An address is not of the Service's family, or is the only one of a Service that has both.
    OtherFamily {
        /// The address.
        address: IpAddr,
        /// The family of the Service.
        family: AddressFamilies,
    },
    /// Two addresses of one Service lie in two pools.
    TwoPools {
        /// The pools.
        pools: [String; 2],
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
    /// What asks for addresses has more than one of a family.
    NotOneOfEach {
        /// Where it stands: a field or an annotation.
        source: String,
        /// What stands there.
        text: String,
    },
    /// The Service requires both families, and its cluster IP is of one.
    NotEnoughClusterIps {
        /// The family of the cluster IP.
        family: IpFamily,
    },
}

/// Of which family addresses are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two families")]
pub enum AddressFamilies {
    /// Of either.
    Any,
    /// Of this one.
    One(IpFamily),
    /// One of each.
    Both,
}

impl From<FamilyRequirement> for AddressFamilies {
    fn from(families: FamilyRequirement) -> Self {
        match families {
            FamilyRequirement::Any | FamilyRequirement::Both { required: false, .. } => Self::Any,
            FamilyRequirement::One(family) => Self::One(family),
            FamilyRequirement::Both { required: true, .. } => Self::Both,
        }
    }
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
            Self::NoneAdmits { known } => {
                write!(
                    f,
                    "no pool that is assigned automatically is for this Service, of {}",
                    list(known)
                )
            }
            Self::NotAdmitted { pool } => {
                write!(f, "pool {pool:?} is not for this Service, by its serviceAllocation")
            }
            Self::NoneOfFamily { pools, families: AddressFamilies::One(family) } => {
                write!(f, "no {family} addresses in {}", list(pools))
            }
            Self::NoneOfFamily { pools, .. } => {
                write!(f, "no pool has both IPv4 and IPv6 addresses, of {}", list(pools))
            }
            Self::Exhausted { pools, families, nearest } => {
                let pools = list(pools);
                match families {
                    AddressFamilies::Any => write!(f, "no address is left in {pools}")?,
                    AddressFamilies::One(family) => {
                        write!(f, "no {family} address is left in {pools}")?;
                    }
                    AddressFamilies::Both => {
                        write!(f, "no pool has both an IPv4 and an IPv6 address left, of {pools}")?;
                    }
                }
                match nearest.as_deref() {
                    Some((address, by)) => {
                        write!(f, ", and {address} cannot be shared: it is {by}")
                    }
                    None => Ok(()),
                }
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
            Self::OtherFamily { address, family: AddressFamilies::One(family) } => {
                write!(f, "{address} is not of the Service's family, {family}")
            }
            Self::OtherFamily { address, .. } => write!(
                f,
                "expected an IPv4 and an IPv6 address, since the Service has both families, found \
                 {address}"
            ),
            Self::TwoPools { pools: [a, b] } => {
                write!(f, "expected both addresses in one pool, found pools {a:?} and {b:?}")
            }
            Self::NotAnAddress { source, text } => {
                write!(f, "{source}: expected an IP address, found {text:?}")
            }
            Self::RequestedTwice { annotation } => write!(
                f,
                "expected one of spec.loadBalancerIP and annotation {annotation}, found both"
            ),
            Self::NotOneOfEach { source, text } => {
                write!(f, "{source}: expected one address, or one of each family, found {text:?}")
            }
            Self::NotEnoughClusterIps { family } => write!(
                f,
                "not enough cluster IPs: the Service requires both families and has one of \
                 {family} only"
            ),
        }
    }
}

/// Why a Service lost the address it held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClearReason {
    /// It is of another type now.
    NotLoadBalancer(ServiceType),
    /// The pools, or whom it shares with, no longer allow the address.
    NotAllowed(Refusal),
    /// It asks for other addresses.
    OtherAddressRequested(Vec<IpAddr>),
    /// It no longer takes addresses of this one's family.
    OneFamily(IpFamily),
    /// A pool can serve both of its families, which that of its address cannot.
    BothElsewhere,
    /// Its status has what is no address.
    NoAddress,
    /// It asks for another pool.
    OtherPoolRequested(String),
    /// It held more than one address of a family, or addresses of two pools.
    TooMany,
}

impl fmt::Display for ClearReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoadBalancer(_) => f.write_str("the Service is not of type LoadBalancer"),
            Self::NotAllowed(refusal) => refusal.fmt(f),
            Self::OtherAddressRequested(addresses) => {
                write!(f, "the Service asks for {}", and(addresses))
            }
            Self::OneFamily(family) => write!(f, "the Service takes {family} only"),
            Self::BothElsewhere => f.write_str("another pool has addresses of both families"),
            Self::NoAddress => f.write_str("expected an IP address"),
            Self::OtherPoolRequested(pool) => write!(f, "the Service asks for pool {pool:?}"),
            Self::TooMany => f.write_str("a Service takes one address of a family, of one pool"),
        }
    }
}

/// Addresses for a sentence: `192.0.2.1 and 2001:db8::1`.
pub(super) fn and(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" and ")
}

/// Names of pools for a sentence: `pool "a"`, `pools "a", "b"`.
fn list(pools: &[String]) -> String {
    let names: Vec<_> = pools.iter().map(|pool| format!("{pool:?}")).collect();
    let noun = if names.len() == 1 { "pool" } else { "pools" };
    format!("{noun} {}", names.join(", "))
}
