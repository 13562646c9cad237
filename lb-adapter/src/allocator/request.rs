//! The request of a Service, read from its fields and annotations.
//!
//! Owns the reading of a Service. The ledger decides whether a request can be met.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{IpFamily, IpFamilyPolicy, Service, ServiceType, Timestamp};

use super::annotation::{self, ADDRESS_POOL, LOAD_BALANCER_IPS};
use super::refusal::{AddressFamilies, ClearReason, Refusal};
use super::sharing::SharingTerms;

/// The reason why an allocator does not serve a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the crates above match every case")]
pub enum NotServed {
    /// The Service is not of type LoadBalancer.
    Type(ServiceType),
    /// The Service's `loadBalancerClass` is not the one served.
    Class {
        /// The class of the Service.
        found: Option<String>,
        /// The class that is served.
        served: Option<String>,
    },
}

/// Checks that a Service is served: it must be of type LoadBalancer and have exactly this class, or none if `class` is
/// none.
///
/// # Errors
///
/// The reason why it is not served.
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

/// The creation time of a Service, in a form that sorts the oldest first and those without a time last.
pub(super) type Age = (bool, Option<Timestamp>);

/// The age of a Service that was created at this time.
pub(super) fn age(created: Option<Timestamp>) -> Age {
    (created.is_none(), created)
}

/// The request of a Service. It does not name the Service, so that many Services can share one request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServiceRequest {
    pub(super) terms: Arc<SharingTerms>,
    /// The wanted addresses. The error is for a request that no pools can meet.
    pub(super) wanted: Result<AddressRequest, Box<Refusal>>,
    pub(super) pinned: PinnedPools,
    /// The annotations that the Service has under the deprecated prefix.
    pub(super) deprecated: Box<[&'static str]>,
}

/// The restricted pools that admit a Service, by index, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PinnedPools(pub(super) Box<[usize]>);

/// The addresses that a Service wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct AddressRequest {
    pub(super) families: FamilyRequirement,
    /// The requested addresses; if empty, any will do.
    pub(super) addresses: Box<[IpAddr]>,
    /// The requested pool.
    pub(super) pool: Option<Box<str>>,
}

/// The families of the addresses that a Service wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FamilyRequirement {
    /// One address of either family.
    Any,
    /// One address of this family.
    One(IpFamily),
    /// One address of each family.
    Both {
        /// The family of the address that is listed first.
        first: IpFamily,
        /// True if one address alone does not suffice.
        required: bool,
    },
}

impl ServiceRequest {
    /// Reads the request of a Service that these pools admit.
    pub(super) fn of(service: &Service, pinned: PinnedPools) -> Self {
        Self {
            terms: Arc::new(SharingTerms::of(service)),
            wanted: address_request(service).map_err(Box::new),
            pinned,
            deprecated: annotation::deprecated(service),
        }
    }

    /// The addresses that a valid request names.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        self.wanted.as_ref().map_or(&[], |wanted| &wanted.addresses)
    }
}

impl AddressRequest {
    /// Returns the addresses, out of these held ones of a pool, that the request lets a Service keep.
    pub(super) fn keeps(&self, held: &[IpAddr], pool: &str) -> Result<Vec<IpAddr>, ClearReason> {
        let mut families: Vec<IpFamily> = held.iter().map(|it| IpFamily::of(*it)).collect();
        families.sort();
        if families.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(ClearReason::TooMany);
        }

        let kept = self.families.sorted(held);
        if kept.is_empty()
            && let FamilyRequirement::One(family) = self.families
            && let Some(&address) = held.first()
        {
            let families = AddressFamilies::One(family);
            return Err(ClearReason::NotAllowed(Refusal::OtherFamily { address, families }));
        }

        if !self.addresses.is_empty() && !kept.iter().all(|it| self.addresses.contains(it)) {
            return Err(ClearReason::OtherAddressRequested(self.addresses.to_vec()));
        }

        match &self.pool {
            Some(requested) if **requested != *pool => {
                Err(ClearReason::OtherPoolRequested(requested.to_string()))
            }
            _ => Ok(kept),
        }
    }

    /// The requested address of a family.
    pub(super) fn address_of(&self, family: IpFamily) -> Option<IpAddr> {
        self.addresses.iter().copied().find(|address| IpFamily::of(*address) == family)
    }

    /// The family that is missing for a Service that holds these addresses.
    pub(super) fn missing(&self, held: &[IpAddr]) -> Option<IpFamily> {
        let FamilyRequirement::Both { .. } = self.families else { return None };
        let &[address] = held else { return None };
        Some(IpFamily::of(address).other())
    }
}

impl FamilyRequirement {
    /// Returns the addresses of a wanted family, in the order in which they are listed.
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

impl From<FamilyRequirement> for AddressFamilies {
    fn from(families: FamilyRequirement) -> Self {
        match families {
            FamilyRequirement::Any | FamilyRequirement::Both { required: false, .. } => Self::Any,
            FamilyRequirement::One(family) => Self::One(family),
            FamilyRequirement::Both { required: true, .. } => Self::Both,
        }
    }
}

/// Reads the addresses that a Service wants.
fn address_request(service: &Service) -> Result<AddressRequest, Refusal> {
    let addresses = requested_addresses(service)?;
    let families = family_requirement(service)?;
    let families = refine_families(families, &addresses)?;

    let pool = annotation::value(service, ADDRESS_POOL).map(|(_, pool)| pool.into());
    Ok(AddressRequest { families, addresses, pool })
}

/// Checks that the requested addresses are of the Service's families. A Service without a family takes those of the
/// addresses.
fn refine_families(
    families: FamilyRequirement,
    addresses: &[IpAddr],
) -> Result<FamilyRequirement, Refusal> {
    match (families, addresses) {
        (_, []) => Ok(families),
        (FamilyRequirement::Any, [address]) => Ok(FamilyRequirement::One(IpFamily::of(*address))),
        (FamilyRequirement::Any, [first, ..]) => {
            Ok(FamilyRequirement::Both { first: IpFamily::of(*first), required: true })
        }
        (FamilyRequirement::One(family), [address]) if IpFamily::of(*address) == family => {
            Ok(families)
        }
        (FamilyRequirement::One(family), [first, ..]) => {
            let other = addresses.iter().find(|address| IpFamily::of(**address) != family);
            let (address, families) = (*other.unwrap_or(first), AddressFamilies::One(family));
            Err(Refusal::OtherFamily { address, families })
        }
        (FamilyRequirement::Both { .. }, [address]) => {
            Err(Refusal::OtherFamily { address: *address, families: AddressFamilies::Both })
        }
        (FamilyRequirement::Both { .. }, _) => Ok(families),
    }
}

/// Reads the requested addresses: none, one, or one of each family.
fn requested_addresses(service: &Service) -> Result<Box<[IpAddr]>, Refusal> {
    let field = service.load_balancer_ip.as_deref().map(str::trim).filter(|ip| !ip.is_empty());
    let (source, text) = match (field, annotation::value(service, LOAD_BALANCER_IPS)) {
        (None, None) => return Ok(Box::default()),
        (Some(_), Some((name, _))) => {
            return Err(Refusal::RequestedTwice { annotation: name.to_owned() });
        }
        (Some(text), None) => ("spec.loadBalancerIP".to_owned(), text),
        (None, Some((name, text))) => (format!("annotation {name}"), text),
    };

    let mut addresses = Vec::new();
    for item in text.split(',') {
        let Ok(address) = item.trim().parse() else {
            return Err(Refusal::NotAnAddress { source, text: item.to_owned() });
        };
        addresses.push(address);
    }

    match addresses[..] {
        [_] => Ok(addresses.into()),
        [a, b] if IpFamily::of(a) != IpFamily::of(b) => Ok(addresses.into()),
        _ => Err(Refusal::NotOneOfEach { source, text: text.to_owned() }),
    }
}

/// Reads the families that a Service requires: those of its cluster IPs or, if it has none yet, those of its spec.
fn family_requirement(service: &Service) -> Result<FamilyRequirement, Refusal> {
    let mut families: Vec<IpFamily> =
        service.cluster_ips.iter().map(|address| IpFamily::of(*address)).collect();
    let has_cluster_ips = !families.is_empty();
    if !has_cluster_ips {
        families.clone_from(&service.ip_families);
    }
    families.dedup();

    // The API server has not seen a Service without cluster IPs yet: it will choose them by the policy.
    let required = match service.ip_family_policy {
        Some(IpFamilyPolicy::RequireDualStack) => true,
        Some(IpFamilyPolicy::PreferDualStack) => false,
        Some(IpFamilyPolicy::SingleStack) | None if families.len() > 1 => true,
        Some(IpFamilyPolicy::SingleStack) | None => {
            return Ok(match families.first() {
                Some(family) => FamilyRequirement::One(*family),
                None => FamilyRequirement::Any,
            });
        }
    };

    match families[..] {
        [family] if has_cluster_ips && required => Err(Refusal::NotEnoughClusterIps { family }),
        [family] if has_cluster_ips => Ok(FamilyRequirement::One(family)),
        _ => {
            let first = service.ip_families.first().or_else(|| families.first());
            let first = first.copied().unwrap_or(IpFamily::Ipv4);
            Ok(FamilyRequirement::Both { first, required })
        }
    }
}
