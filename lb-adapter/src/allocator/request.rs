//! What a Service asks for, read from its fields and annotations.
//!
//! Owns the reading of a Service; whether what it asks for can be had is the ledger's business.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{IpFamily, IpFamilyPolicy, Service, ServiceType, Timestamp};

use super::annotation::{self, ADDRESS_POOL, LOAD_BALANCER_IPS};
use super::refusal::{AddressFamilies, ClearReason, Refusal};
use super::sharing::SharingTerms;

/// Why a Service is none that this allocator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum NotServed {
    /// It is not of type LoadBalancer.
    Type(ServiceType),
    /// Its `loadBalancerClass` is for somebody else.
    Class {
        /// The class of the Service.
        found: Option<String>,
        /// The class served here.
        served: Option<String>,
    },
}

/// Whether a Service is to be served here: type LoadBalancer and exactly this class, or none if
/// none is served.
///
/// # Errors
///
/// What it is instead.
pub fn check_served(service: &Service, class: Option<&str>) -> Result<(), NotServed> {
    if service.type_ != ServiceType::LoadBalancer {
        return Err(NotServed::Type(service.type_));
    }
    if service.load_balancer_class.as_deref() != class {
        let (found, served) = (service.load_balancer_class.clone(), class.map(str::to_owned));
        return Err(NotServed::Class { found, served });
    }
    Ok(())
}

/// When a Service was made; sorts oldest first, and last those of which nobody knows.
pub(super) type Age = (bool, Option<Timestamp>);

/// The age of a Service that was made at this time.
pub(super) fn age(created: Option<Timestamp>) -> Age {
    (created.is_none(), created)
}

/// What a Service asks for. Nothing in it is of one Service, so that many have one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServiceRequest {
    pub(super) terms: Arc<SharingTerms>,
    /// An error is a request that cannot be understood or served whatever the pools are.
    pub(super) wanted: Result<AddressRequest, Box<Refusal>>,
    pub(super) pinned: PinnedPools,
    /// The annotations under names of old.
    pub(super) deprecated: Box<[&'static str]>,
}

/// The pools for some Services that are for this one, by index, in the order they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PinnedPools(pub(super) Box<[usize]>);

/// What the addresses must be like.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressRequest {
    pub(super) families: FamilyRequirement,
    /// These addresses and no others; any if there are none.
    pub(super) addresses: Box<[IpAddr]>,
    pub(super) pool: Option<Box<str>>,
}

/// Of which families a Service wants addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FamilyRequirement {
    /// It has no family of its own: one address of either will do.
    Any,
    /// One address.
    One(IpFamily),
    /// One address of each.
    Both {
        /// The family whose address is listed first.
        first: IpFamily,
        /// Whether one alone is refused.
        required: bool,
    },
}

impl ServiceRequest {
    pub(super) fn of(service: &Service, pinned: PinnedPools) -> Self {
        Self {
            terms: Arc::new(SharingTerms::of(service)),
            wanted: wanted(service).map_err(Box::new),
            pinned,
            deprecated: annotation::deprecated(service),
        }
    }
}

impl AddressRequest {
    /// Which of these addresses, which lie in this pool, a Service that wants this keeps.
    pub(super) fn keeps(&self, held: &[IpAddr], pool: &str) -> Result<Vec<IpAddr>, ClearReason> {
        let mut families: Vec<IpFamily> = held.iter().map(|it| IpFamily::of(*it)).collect();
        families.sort();
        if families.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ClearReason::TooMany);
        }
        let kept: Vec<IpAddr> = self.families.sorted(held);
        if let (true, FamilyRequirement::One(family), Some(address)) =
            (kept.is_empty(), self.families, held.first())
        {
            let family = AddressFamilies::One(family);
            return Err(ClearReason::NotAllowed(Refusal::OtherFamily {
                address: *address,
                family,
            }));
        }
        let other =
            |address: &&IpAddr| !self.addresses.is_empty() && !self.addresses.contains(address);
        if kept.iter().any(|address| other(&address)) {
            return Err(ClearReason::OtherAddressRequested(self.addresses.to_vec()));
        }
        match &self.pool {
            Some(wanted) if **wanted != *pool => {
                Err(ClearReason::OtherPoolRequested(wanted.to_string()))
            }
            _ => Ok(kept),
        }
    }

    /// The requested address of a family.
    pub(super) fn address_of(&self, family: IpFamily) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| IpFamily::of(*address) == family)
    }

    /// The family of which a Service that holds these wants another address.
    pub(super) fn missing(&self, held: &[IpAddr]) -> Option<IpFamily> {
        let FamilyRequirement::Both { .. } = self.families else { return None };
        let &[address] = held else { return None };
        Some(IpFamily::of(address).other())
    }
}

impl FamilyRequirement {
    /// Those of the addresses that are of a wanted family, in the order they are listed in.
    pub(super) fn sorted(self, addresses: &[IpAddr]) -> Vec<IpAddr> {
        let mut addresses = addresses.to_vec();
        addresses.sort();
        match self {
            Self::Any => {}
            Self::One(family) => addresses.retain(|it| IpFamily::of(*it) == family),
            Self::Both { first, .. } => addresses.sort_by_key(|it| IpFamily::of(*it) != first),
        }
        addresses
    }
}

fn wanted(service: &Service) -> Result<AddressRequest, Refusal> {
    let addresses = wanted_addresses(service)?;
    let mut families = wanted_families(service)?;
    match (families, &*addresses) {
        (_, []) => {}
        (FamilyRequirement::Any, [address]) => {
            families = FamilyRequirement::One(IpFamily::of(*address));
        }
        (FamilyRequirement::Any, [first, ..]) => {
            families = FamilyRequirement::Both { first: IpFamily::of(*first), required: true };
        }
        (FamilyRequirement::One(family), [address]) if IpFamily::of(*address) == family => {}
        (FamilyRequirement::One(family), [_, ..]) => {
            let address = addresses.iter().find(|it| IpFamily::of(**it) != family);
            let (address, family) =
                (*address.unwrap_or(&addresses[0]), AddressFamilies::One(family));
            return Err(Refusal::OtherFamily { address, family });
        }
        (FamilyRequirement::Both { .. }, [address]) => {
            return Err(Refusal::OtherFamily { address: *address, family: AddressFamilies::Both });
        }
        (FamilyRequirement::Both { .. }, _) => {}
    }
    let pool = annotation::value(service, ADDRESS_POOL).map(|(_, pool)| pool.into());
    Ok(AddressRequest { families, addresses, pool })
}

/// The addresses that are asked for: none, one, or one of each family.
fn wanted_addresses(service: &Service) -> Result<Box<[IpAddr]>, Refusal> {
    let field = service.load_balancer_ip.as_deref().map(str::trim).filter(|ip| !ip.is_empty());
    let (source, text) = match (field, annotation::value(service, LOAD_BALANCER_IPS)) {
        (None, None) => return Ok(Box::default()),
        (Some(_), Some((name, _))) => {
            return Err(Refusal::RequestedTwice { annotation: name.to_owned() });
        }
        (Some(text), None) => ("spec.loadBalancerIP".to_owned(), text),
        (None, Some((name, text))) => (format!("annotation {name}"), text),
    };
    let parse = |text: &str| match text.trim().parse() {
        Ok(address) => Ok(address),
        Err(_) => Err(Refusal::NotAnAddress { source: source.clone(), text: text.to_owned() }),
    };
    let addresses: Box<[IpAddr]> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    match addresses[..] {
        [_] => Ok(addresses),
        [a, b] if IpFamily::of(a) != IpFamily::of(b) => Ok(addresses),
        _ => Err(Refusal::NotOneOfEach { source, text: text.to_owned() }),
    }
}

/// The families of the cluster IPs; of a Service without them, those it asks for.
fn wanted_families(service: &Service) -> Result<FamilyRequirement, Refusal> {
    let given = service.cluster_ips.iter().map(|address| IpFamily::of(*address));
    let mut families: Vec<IpFamily> = given.collect();
    let known = !families.is_empty();
    if !known {
        families.clone_from(&service.ip_families);
    }
    families.dedup();
    // A Service that the API server has not seen yet gets its cluster IPs by its policy.
    let required = match service.ip_family_policy {
        Some(IpFamilyPolicy::RequireDualStack) => true,
        Some(IpFamilyPolicy::PreferDualStack) => false,
        Some(IpFamilyPolicy::SingleStack) | None if families.len() > 1 => true,
        Some(IpFamilyPolicy::SingleStack) | None => {
            let only = families.first().copied();
            return Ok(only.map_or(FamilyRequirement::Any, FamilyRequirement::One));
        }
    };
    let first = service.ip_families.first().or_else(|| families.first()).copied();
    match families[..] {
        [family] if known && required => Err(Refusal::NotEnoughClusterIps { family }),
        [family] if known => Ok(FamilyRequirement::One(family)),
        _ => Ok(FamilyRequirement::Both { first: first.unwrap_or(IpFamily::Ipv4), required }),
    }
}
