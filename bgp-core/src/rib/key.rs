//! The keys of route tables: a prefix and a path identifier, in the smallest form.

use std::fmt::Debug;
use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::AfiSafi;

/// A prefix of one family and the identifier of a path to it (RFC 7911), in the order of prefixes.
pub(crate) trait Key: Copy + Ord + Debug {
    /// The family whose prefixes these are.
    const FAMILY: AfiSafi;

    /// The key of a prefix without its host bits. `None` if the prefix is of another family.
    fn new(prefix: IpNet, path_id: u32) -> Option<Self>;

    fn prefix(self) -> IpNet;

    fn path_id(self) -> u32;

    /// The same prefix with another identifier.
    fn with_path_id(self, path_id: u32) -> Self;

    /// Returns true if both are paths to one prefix.
    fn same_prefix(self, other: Self) -> bool {
        self.with_path_id(0) == other.with_path_id(0)
    }
}

/// The key of a path to an IPv4 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key4 {
    address: u32,
    length: u8,
    path_id: u32,
}

/// The key of a path to an IPv6 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key6 {
    high: u64,
    low: u64,
    length: u8,
    path_id: u32,
}

impl Key for Key4 {
    const FAMILY: AfiSafi = AfiSafi::IPV4_UNICAST;

    #[inline]
    fn new(prefix: IpNet, path_id: u32) -> Option<Self> {
        match prefix {
            IpNet::V4(prefix) => Some(Self {
                address: u32::from(prefix.network()),
                length: prefix.prefix_len(),
                path_id,
            }),
            IpNet::V6(_) => None,
        }
    }

    #[inline]
    fn prefix(self) -> IpNet {
        // The length came from a prefix.
        Ipv4Net::new(self.address.into(), self.length).unwrap_or_default().into()
    }

    #[inline]
    fn path_id(self) -> u32 {
        self.path_id
    }

    #[inline]
    fn with_path_id(self, path_id: u32) -> Self {
        Self { path_id, ..self }
    }
}

impl Key for Key6 {
    const FAMILY: AfiSafi = AfiSafi::IPV6_UNICAST;

    #[inline]
    fn new(prefix: IpNet, path_id: u32) -> Option<Self> {
        match prefix {
            IpNet::V4(_) => None,
            IpNet::V6(prefix) => {
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = prefix.network().octets();
                Some(Self {
                    high: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
                    low: u64::from_be_bytes([i, j, k, l, m, n, o, p]),
                    length: prefix.prefix_len(),
                    path_id,
                })
            }
        }
    }

    #[inline]
    fn prefix(self) -> IpNet {
        let address = u128::from(self.high) << 64 | u128::from(self.low);
        Ipv6Net::new(Ipv6Addr::from(address), self.length).unwrap_or_default().into()
    }

    #[inline]
    fn path_id(self) -> u32 {
        self.path_id
    }

    #[inline]
    fn with_path_id(self, path_id: u32) -> Self {
        Self { path_id, ..self }
    }
}
