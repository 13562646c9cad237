//! The reasons why a Service has no address or lost the one it had.
//!
//! Owns the sentences that operators read. Decides nothing.

use std::fmt;
use std::net::IpAddr;

use crate::model::{IpFamily, ServiceType};

use super::sharing::SharingConflict;

/// The reason why a Service was not assigned an address.
///
/// Its text is a sentence for the Service's Event: in lower case, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Refusal {
    /// The configuration has no pool.
    NoPools,
    /// The annotation `address-pool` names a pool that does not exist.
    UnknownPool {
        /// The name in the annotation.
        pool: String,
        /// The configured pools.
        configured: Vec<String>,
    },
    /// The Service names no pool, and no pool is assigned automatically.
    NoAutoAssign {
        /// The configured pools, all with `auto-assign: false`.
        configured: Vec<String>,
    },
    /// All pools that are assigned automatically are for other Services.
    NoneAdmits {
        /// The configured pools.
        configured: Vec<String>,
    },
    /// The requested pool is for other Services.
    NotAdmitted {
        /// The pool, whose `serviceAllocation` does not select the Service.
        pool: String,
    },
    /// None of the pools that the Service may use has addresses of its family.
    NoneOfFamily {
        /// The pools that were searched.
        pools: Vec<String>,
        /// The families of the Service.
        families: AddressFamilies,
    },
    /// All addresses of the pools that the Service may use are taken, and none can be shared.
    Exhausted {
        /// The pools that were searched.
        pools: Vec<String>,
        /// The families of the Service.
        families: AddressFamilies,
        /// The held address that the Service could most nearly share, and the conflict that prevents it.
        nearest: Option<Box<(IpAddr, SharingConflict)>>,
    },
    /// The address is in no pool.
    InNoPool(IpAddr),
    /// The address ends in .0 or .255, and its pool avoids such addresses.
    Avoided {
        /// The address.
        address: IpAddr,
        /// Its pool, which has `avoid-buggy-ips: true`.
        pool: String,
    },
    /// Another Service holds the address and cannot share it.
    InUse {
        /// The address.
        address: IpAddr,
        /// The holder, and the reason why it cannot share the address.
        conflict: SharingConflict,
    },
    /// The requested address is in another pool than the requested one.
    OtherPool {
        /// The requested address.
        address: IpAddr,
        /// The pool of the address.
        found: String,
        /// The pool that the annotation names.
        requested: String,
    },
    /// A requested address is not of the Service's family, or is the only one although the Service has both.
    OtherFamily {
        /// The address.
        address: IpAddr,
        /// The families of the Service.
        families: AddressFamilies,
    },
    /// The two requested addresses are in different pools.
    TwoPools {
        /// The pools.
        pools: [String; 2],
    },
    /// The request contains a text that is not an IP address.
    NotAnAddress {
        /// The field or annotation.
        source: String,
        /// The invalid text.
        text: String,
    },
    /// Both `spec.loadBalancerIP` and the annotation request an address.
    RequestedTwice {
        /// The annotation's full name.
        annotation: String,
    },
    /// The request contains more than one address of a family.
    NotOneOfEach {
        /// The field or annotation.
        source: String,
        /// The invalid text.
        text: String,
    },
    /// The Service requires both families, but has a cluster IP of only one.
    NotEnoughClusterIps {
        /// The family of the cluster IP.
        family: IpFamily,
    },
}

/// The families of the addresses that a Service needs, in the words of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two families")]
pub enum AddressFamilies {
    /// One address of either family.
    Any,
    /// One address of this family.
    One(IpFamily),
    /// One address of each family.
    Both,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPools => f.write_str("no address pool is configured"),
            Self::UnknownPool { pool, configured } => {
                write!(f, "there is no pool {pool:?}, only {}", list(configured))
            }
            Self::NoAutoAssign { configured } => {
                let one_of = if configured.len() == 1 { "" } else { "one of " };
                let pools = list(configured);
                write!(f, "no pool is auto-assign, so the Service must name {one_of}{pools}")
            }
            Self::NoneAdmits { configured } => {
                let pools = list(configured);
                write!(f, "no auto-assign pool admits this Service (configured: {pools})")
            }
            Self::NotAdmitted { pool } => {
                write!(f, "the serviceAllocation of pool {pool:?} does not admit this Service")
            }
            Self::NoneOfFamily { pools, families: AddressFamilies::One(family) } => {
                write!(f, "no {family} addresses in {}", list(pools))
            }
            Self::NoneOfFamily { pools, .. } => {
                write!(f, "no pool has both IPv4 and IPv6 addresses (searched: {})", list(pools))
            }
            Self::Exhausted { pools, families, nearest } => {
                write_exhausted(f, &list(pools), *families)?;
                match nearest.as_deref() {
                    None => Ok(()),
                    Some((address, conflict)) => {
                        write!(f, ", and {address} cannot be shared: it is {conflict}")
                    }
                }
            }
            Self::InNoPool(address) => write!(f, "{address} is in no pool"),
            Self::Avoided { address, pool } => {
                write!(f, "{address} ends in .0 or .255, which pool {pool:?} avoids")
            }
            Self::InUse { address, conflict } => write!(f, "{address} is {conflict}"),
            Self::OtherPool { address, found, requested } => write!(
                f,
                "{address} is in pool {found:?}, but the Service asks for pool {requested:?}"
            ),
            Self::OtherFamily { address, families: AddressFamilies::One(family) } => {
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
                "expected either spec.loadBalancerIP or annotation {annotation}, found both"
            ),
            Self::NotOneOfEach { source, text } => {
                write!(f, "{source}: expected one address, or one of each family, found {text:?}")
            }
            Self::NotEnoughClusterIps { family } => write!(
                f,
                "not enough cluster IPs: the Service requires both families, but has only an \
                 {family} one"
            ),
        }
    }
}

fn write_exhausted(
    f: &mut fmt::Formatter<'_>,
    pools: &str,
    families: AddressFamilies,
) -> fmt::Result {
    match families {
        AddressFamilies::Any => write!(f, "no address is left in {pools}"),
        AddressFamilies::One(family) => write!(f, "no {family} address is left in {pools}"),
        AddressFamilies::Both => {
            write!(f, "no pool has both an IPv4 and an IPv6 address left (searched: {pools})")
        }
    }
}

/// The reason why a Service lost an address that it held.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClearReason {
    /// The Service is of another type now.
    NotLoadBalancer(ServiceType),
    /// A pool or another holder no longer allows the address.
    NotAllowed(Refusal),
    /// The Service requests other addresses.
    OtherAddressRequested(Vec<IpAddr>),
    /// The Service takes addresses of this family only.
    OneFamily(IpFamily),
    /// Another pool can serve both families, which the pool of the address cannot.
    BothElsewhere,
    /// The Service requests another pool.
    OtherPoolRequested(String),
    /// The Service held more than one address of a family, or addresses of two pools.
    TooMany,
}

impl fmt::Display for ClearReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoadBalancer(_) => f.write_str("the Service is not of type LoadBalancer"),
            Self::NotAllowed(refusal) => refusal.fmt(f),
            Self::OtherAddressRequested(addresses) => {
                write!(f, "the Service asks for {}", join_addresses(addresses))
            }
            Self::OneFamily(family) => write!(f, "the Service takes only {family}"),
            Self::BothElsewhere => f.write_str("another pool has addresses of both families"),
            Self::OtherPoolRequested(pool) => write!(f, "the Service asks for pool {pool:?}"),
            Self::TooMany => {
                f.write_str("a Service takes at most one address per family, all from one pool")
            }
        }
    }
}

/// Formats addresses for a sentence: `192.0.2.1 and 2001:db8::1`.
pub(super) fn join_addresses(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" and ")
}

/// Formats the names of pools for a sentence: `pool "a"`, `pools "a", "b"`.
fn list(pools: &[String]) -> String {
    let names: Vec<_> = pools.iter().map(|pool| format!("{pool:?}")).collect();
    let noun = if names.len() == 1 { "pool" } else { "pools" };
    format!("{noun} {}", names.join(", "))
}
