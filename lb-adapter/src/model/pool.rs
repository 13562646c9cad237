//! An address pool.

use std::net::IpAddr;

use super::{
    AddressRange, DataplaneGate, Health, Labels, Namespace, Permissions, Service, ServiceAllocation,
};

/// A pool of addresses for Services.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pool {
    /// Unique in the configuration.
    pub name: String,
    /// The labels, by which advertisements select pools.
    pub labels: Labels,
    /// The protocol that announces its addresses.
    pub protocol: Protocol,
    /// The ranges of addresses, in the order written, in which they are tried.
    pub ranges: Vec<AddressRange>,
    /// True if the pool serves Services that do not request a pool or an address.
    pub auto_assign: bool,
    /// True if addresses that end in .0 or .255 are never assigned.
    pub avoid_buggy_ips: bool,
    /// The Services that the pool admits. If none, it admits all, and is tried after the pools that admit only some.
    pub allocation: Option<ServiceAllocation>,
    /// The permissions of Services to set attributes of their own routes.
    pub permissions: Permissions,
    /// The health conditions of its Services, unless they set their own.
    pub health: Health,
    /// The dataplane gate of its Services; `None` leaves it to the process.
    pub dataplane_gate: Option<DataplaneGate>,
}

impl Pool {
    /// Makes a BGP pool with MetalLB's defaults: assigned automatically, for all Services.
    pub fn new(name: impl Into<String>, ranges: Vec<AddressRange>) -> Self {
        Self {
            name: name.into(),
            labels: Labels::new(),
            protocol: Protocol::Bgp,
            ranges,
            auto_assign: true,
            avoid_buggy_ips: false,
            allocation: None,
            permissions: Permissions::default(),
            health: Health::default(),
            dataplane_gate: None,
        }
    }

    /// Returns true if the pool admits this Service of this namespace; see [`ServiceAllocation::admits`].
    pub fn admits(&self, service: &Service, namespace: Option<&Namespace>) -> bool {
        self.allocation.as_ref().is_none_or(|allocation| allocation.admits(service, namespace))
    }

    /// Returns true if the pool contains the address, even if it avoids it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// Returns true if the pool never assigns the address, since it is an IPv4 address that ends in .0 or .255.
    pub(crate) fn avoids(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        self.avoid_buggy_ips && matches!(address.octets()[3], 0 | 255)
    }
}

/// The protocol that announces the addresses of a [`Pool`].
///
/// A ConfigMap names it. With resources, a pool is [`Layer2`](Self::Layer2) if an
/// [`L2Advertisement`](super::L2Advertisement) selects it and no [`BgpAdvertisement`](super::BgpAdvertisement) does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has these two")]
pub enum Protocol {
    /// Announced to routers by BGP.
    Bgp,
    /// Announced by ARP and NDP, which FerroLB leaves to other programs.
    Layer2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_end_in_0_or_255_are_avoided_only_on_request() {
        let mut pool = Pool::new("default", vec!["10.0.0.0/23".parse().unwrap()]);
        let avoided = |pool: &Pool, text: &str| pool.avoids(text.parse().unwrap());
        assert!(!avoided(&pool, "10.0.1.0"));
        pool.avoid_buggy_ips = true;
        assert!(avoided(&pool, "10.0.1.0"));
        assert!(avoided(&pool, "10.0.0.255"));
        assert!(!avoided(&pool, "10.0.0.254"));
        assert!(!avoided(&pool, "fd00::"), "IPv6 is never avoided");
    }
}
