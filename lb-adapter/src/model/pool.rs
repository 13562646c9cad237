//! A pool of addresses and how its addresses are announced.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{AddressRange, Community, IpFamily};

/// Addresses to give to Services.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pool {
    /// Unique in the configuration.
    pub name: String,
    /// How its addresses become reachable.
    pub protocol: Protocol,
    /// Its addresses, in the order written, which is the order they are tried in.
    pub ranges: Vec<AddressRange>,
    /// Whether a Service that asks for nothing may get an address of it.
    pub auto_assign: bool,
    /// Whether addresses that end in .0 or .255 are never given out.
    pub avoid_buggy_ips: bool,
    /// What is announced for each of its addresses; none is nothing at all.
    pub advertisements: Vec<BgpAdvertisement>,
}

impl Pool {
    /// A BGP pool with MetalLB's defaults: assigned automatically, one default advertisement.
    pub fn new(name: impl Into<String>, ranges: Vec<AddressRange>) -> Self {
        Self {
            name: name.into(),
            protocol: Protocol::Bgp,
            ranges,
            auto_assign: true,
            avoid_buggy_ips: false,
            advertisements: vec![BgpAdvertisement::default()],
        }
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

/// How the addresses of a [`Pool`] become reachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "MetalLB has these two")]
pub enum Protocol {
    /// Announced to routers.
    Bgp,
    /// Answered by ARP and NDP, which FerroLB leaves to others.
    Layer2,
}

/// How one address of a pool is announced; several for one pool give several routes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BgpAdvertisement {
    /// The prefix length that an IPv4 address is announced as, at most 32.
    pub aggregation_length: u8,
    /// The prefix length that an IPv6 address is announced as, at most 128.
    pub aggregation_length_v6: u8,
    /// LOCAL_PREF for internal peers (RFC 4271 section 5.1.5); none when not configured or 0.
    pub local_pref: Option<u32>,
    /// COMMUNITIES (RFC 1997).
    pub communities: BTreeSet<Community>,
}

impl BgpAdvertisement {
    /// The prefix length for addresses of this family.
    pub fn aggregation_length_for(&self, family: IpFamily) -> u8 {
        match family {
            IpFamily::Ipv4 => self.aggregation_length,
            IpFamily::Ipv6 => self.aggregation_length_v6,
        }
    }
}

/// Host routes without attributes.
impl Default for BgpAdvertisement {
    fn default() -> Self {
        Self {
            aggregation_length: IpFamily::Ipv4.bits(),
            aggregation_length_v6: IpFamily::Ipv6.bits(),
            local_pref: None,
            communities: BTreeSet::new(),
        }
    }
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
