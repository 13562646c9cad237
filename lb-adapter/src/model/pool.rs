//! A pool of addresses.

use std::net::IpAddr;

use super::{AddressRange, Health, Labels, Namespace, Permissions, Service, ServiceAllocation};

/// Addresses to give to Services.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pool {
    /// Unique in the configuration.
    pub name: String,
    /// What advertisements select pools by.
    pub labels: Labels,
    /// How its addresses become reachable.
    pub protocol: Protocol,
    /// Its addresses, in the order written, which is the order they are tried in.
    pub ranges: Vec<AddressRange>,
    /// Whether a Service that asks for nothing may get an address of it.
    pub auto_assign: bool,
    /// Whether addresses that end in .0 or .255 are never given out.
    pub avoid_buggy_ips: bool,
    /// Which Services may have its addresses; none is all, after those that are for some.
    pub allocation: Option<ServiceAllocation>,
    /// What Services may say about their own routes.
    pub permissions: Permissions,
    /// When its Services count as healthy, unless they say it themselves.
    pub health: Health,
}

impl Pool {
    /// A BGP pool with MetalLB's defaults: assigned automatically, for all Services.
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
        }
    }

    /// Whether this Service, which lies in this namespace, may have one of its addresses; see
    /// [`ServiceAllocation::admits`].
    pub fn admits(&self, service: &Service, namespace: Option<&Namespace>) -> bool {
        self.allocation.as_ref().is_none_or(|rule| rule.admits(service, namespace))
    }

    /// Whether the address lies in it; [`Pool::avoids`] is not looked at.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// Whether the address is one that this pool never gives out: IPv4, ending in .0 or .255.
    pub fn avoids(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return false };
        self.avoid_buggy_ips && matches!(address.octets()[3], 0 | 255)
    }
}

/// How the addresses of a [`Pool`] become reachable. The ConfigMap says it; of today's resources it
/// follows: [`Layer2`](Self::Layer2) is a pool that an [`L2Advertisement`](super::L2Advertisement)
/// selects and no [`BgpAdvertisement`](super::BgpAdvertisement).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has these two")]
pub enum Protocol {
    /// Announced to routers.
    Bgp,
    /// Answered by ARP and NDP, which FerroLB leaves to others.
    Layer2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_end_in_0_or_255_are_avoided_only_where_asked() {
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
