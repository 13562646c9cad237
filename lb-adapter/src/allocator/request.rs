//! What a Service asks for, read from its fields and annotations.
//!
//! Owns the reading of a Service; whether what it asks for can be had is the ledger's business.

use std::net::IpAddr;

use crate::model::{IpFamily, IpFamilyPolicy, Service, ServiceType, Timestamp};

use super::annotation::{self, ADDRESS_POOL, LOAD_BALANCER_IPS};
use super::refusal::{Cleared, Refusal};
use super::terms::Terms;

/// Why a Service is none that this allocator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotOurs {
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
pub fn ours(service: &Service, class: Option<&str>) -> Result<(), NotOurs> {
    if service.type_ != ServiceType::LoadBalancer {
        return Err(NotOurs::Type(service.type_));
    }
    if service.load_balancer_class.as_deref() != class {
        let (found, served) = (service.load_balancer_class.clone(), class.map(str::to_owned));
        return Err(NotOurs::Class { found, served });
    }
    Ok(())
}

/// When a Service was made; sorts oldest first, and last those of which nobody knows.
pub(super) type Age = (bool, Option<Timestamp>);

/// One Service's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) age: Age,
    pub(super) terms: Terms,
    /// An error is a request that cannot be understood or served whatever the pools are.
    pub(super) wanted: Result<Wanted, Refusal>,
}

/// What the address must be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `None` if the Service has no family of its own: any will do.
    pub(super) family: Option<IpFamily>,
    pub(super) address: Option<IpAddr>,
    pub(super) pool: Option<String>,
}

impl Request {
    pub(super) fn of(service: &Service) -> Self {
        Self {
            age: (service.created.is_none(), service.created),
            terms: Terms::of(service),
            wanted: wanted(service),
        }
    }
}

impl Wanted {
    /// Whether a Service that wants this keeps these addresses, which lie in this pool.
    pub(super) fn keeps(&self, addresses: &[IpAddr], pool: &str) -> Result<(), Cleared> {
        let &[address] = addresses else { return Err(Cleared::TooMany) };
        if let Some(family) = self.family.filter(|family| *family != IpFamily::of(address)) {
            return Err(Cleared::NotAllowed(Refusal::OtherFamily { address, family }));
        }
        if let Some(wanted) = self.address.filter(|wanted| *wanted != address) {
            return Err(Cleared::OtherAddressRequested(wanted));
        }
        match &self.pool {
            Some(wanted) if wanted != pool => Err(Cleared::OtherPoolRequested(wanted.clone())),
            _ => Ok(()),
        }
    }
}

fn wanted(service: &Service) -> Result<Wanted, Refusal> {
    let address = wanted_address(service)?;
    let family = wanted_family(service)?;
    match (address, family) {
        (Some(address), Some(family)) if IpFamily::of(address) != family => {
            return Err(Refusal::OtherFamily { address, family });
        }
        _ => {}
    }
    let pool = annotation::value(service, ADDRESS_POOL).map(|(_, pool)| pool.to_owned());
    Ok(Wanted { family, address, pool })
}

fn wanted_address(service: &Service) -> Result<Option<IpAddr>, Refusal> {
    let field = service.load_balancer_ip.as_deref().map(str::trim).filter(|ip| !ip.is_empty());
    let (source, text) = match (field, annotation::value(service, LOAD_BALANCER_IPS)) {
        (None, None) => return Ok(None),
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
    let addresses: Vec<IpAddr> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    match addresses[..] {
        [address] => Ok(Some(address)),
        _ => Err(Refusal::DualStack),
    }
}

/// The family of the cluster IPs; of a Service without them, the one it asks for.
fn wanted_family(service: &Service) -> Result<Option<IpFamily>, Refusal> {
    let mut families: Vec<IpFamily> =
        service.cluster_ips.iter().map(|address| IpFamily::of(*address)).collect();
    if families.is_empty() {
        families.clone_from(&service.ip_families);
    }
    families.dedup();
    let both = service.ip_family_policy == Some(IpFamilyPolicy::RequireDualStack);
    match families[..] {
        [] | [_] if both => Err(Refusal::DualStack),
        [] => Ok(None),
        [family] => Ok(Some(family)),
        _ => Err(Refusal::DualStack),
    }
}
