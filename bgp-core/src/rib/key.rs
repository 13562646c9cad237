//! The keys of route tables: a prefix and a path identifier, in the smallest form.

use std::fmt::Debug;
use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::AfiSafi;

/// A prefix of one family and the identifier of a path to it (RFC 7911), in the order of prefixes.
pub(crate) trait Key: Copy + Ord + Debug {
    /// A prefix alone, in the order of prefixes.
    type Bare: Copy + Ord + Debug;

    /// The family whose prefixes these are.
    const FAMILY: AfiSafi;

    /// The key of a prefix without its host bits. `None` if the prefix is of another family.
    fn new(prefix: IpNet, path_id: u32) -> Option<Self>;

    /// The prefix alone.
    fn bare(self) -> Self::Bare;

    /// The key of a path to a prefix.
    fn from_bare(prefix: Self::Bare, path_id: u32) -> Self;

    fn prefix(self) -> IpNet;

    fn path_id(self) -> u32;

    /// The address at the start of 16 octets, the others of which are 0, and the length of the prefix.
    fn octets(self) -> ([u8; 16], u8);

    /// The key of a path to the prefix with these [octets](Self::octets). `None` if the length is too large.
    fn from_octets(octets: [u8; 16], length: u8, path_id: u32) -> Option<Self>;

    /// The same prefix with another identifier.
    fn with_path_id(self, path_id: u32) -> Self;

    /// Returns true if both are paths to one prefix.
    fn same_prefix(self, other: Self) -> bool {
        self.bare() == other.bare()
    }
}

/// The key of a path to an IPv4 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key4 {
    prefix: Bare4,
    path_id: u32,
}

/// An IPv4 prefix as one number: the address above its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bare4(u64);

/// The key of a path to an IPv6 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key6 {
    prefix: Bare6,
    path_id: u32,
}

/// An IPv6 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bare6 {
    high: u64,
    low: u64,
    length: u8,
}

/// A prefix in the smallest form.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bare {
    V4(Bare4),
    V6(Bare6),
}

impl Bare {
    /// The prefix without its host bits.
    #[inline]
    pub(crate) fn new(prefix: IpNet) -> Self {
        match prefix {
            IpNet::V4(prefix) => Self::V4(Bare4::new(prefix)),
            IpNet::V6(prefix) => Self::V6(Bare6::new(prefix)),
        }
    }
}

impl Bare4 {
    #[inline]
    fn new(prefix: Ipv4Net) -> Self {
        let address = u64::from(u32::from(prefix.network()));
        Self(address << 8 | u64::from(prefix.prefix_len()))
    }

    #[inline]
    pub(crate) fn net(self) -> IpNet {
        let [_, _, _, a, b, c, d, length] = self.0.to_be_bytes();
        // The length came from a prefix.
        Ipv4Net::new([a, b, c, d].into(), length).unwrap_or_default().into()
    }
}

impl Bare6 {
    #[inline]
    fn new(prefix: Ipv6Net) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = prefix.network().octets();
        Self {
            high: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            low: u64::from_be_bytes([i, j, k, l, m, n, o, p]),
            length: prefix.prefix_len(),
        }
    }

    #[inline]
    pub(crate) fn net(self) -> IpNet {
        let address = u128::from(self.high) << 64 | u128::from(self.low);
        Ipv6Net::new(Ipv6Addr::from(address), self.length).unwrap_or_default().into()
    }
}

impl Key for Key4 {
    type Bare = Bare4;

    const FAMILY: AfiSafi = AfiSafi::IPV4_UNICAST;

    #[inline]
    fn new(prefix: IpNet, path_id: u32) -> Option<Self> {
        match prefix {
            IpNet::V4(prefix) => Some(Self { prefix: Bare4::new(prefix), path_id }),
            IpNet::V6(_) => None,
        }
    }

    #[inline]
    fn bare(self) -> Self::Bare {
        self.prefix
    }

    #[inline]
    fn from_bare(prefix: Self::Bare, path_id: u32) -> Self {
        Self { prefix, path_id }
    }

    #[inline]
    fn prefix(self) -> IpNet {
        self.prefix.net()
    }

    #[inline]
    fn path_id(self) -> u32 {
        self.path_id
    }

    fn octets(self) -> ([u8; 16], u8) {
        let [_, _, _, a, b, c, d, length] = self.prefix.0.to_be_bytes();
        ([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], length)
    }

    fn from_octets(octets: [u8; 16], length: u8, path_id: u32) -> Option<Self> {
        let [a, b, c, d, ..] = octets;
        let prefix = Bare4(u64::from_be_bytes([0, 0, 0, a, b, c, d, length]));
        (length <= 32).then_some(Self { prefix, path_id })
    }

    #[inline]
    fn with_path_id(self, path_id: u32) -> Self {
        Self { path_id, ..self }
    }
}

impl Key for Key6 {
    type Bare = Bare6;

    const FAMILY: AfiSafi = AfiSafi::IPV6_UNICAST;

    #[inline]
    fn new(prefix: IpNet, path_id: u32) -> Option<Self> {
        match prefix {
            IpNet::V4(_) => None,
            IpNet::V6(prefix) => Some(Self { prefix: Bare6::new(prefix), path_id }),
        }
    }

    #[inline]
    fn bare(self) -> Self::Bare {
        self.prefix
    }

    #[inline]
    fn from_bare(prefix: Self::Bare, path_id: u32) -> Self {
        Self { prefix, path_id }
    }

    #[inline]
    fn prefix(self) -> IpNet {
        self.prefix.net()
    }

    #[inline]
    fn path_id(self) -> u32 {
        self.path_id
    }

    fn octets(self) -> ([u8; 16], u8) {
        let Bare6 { high, low, length } = self.prefix;
        ((u128::from(high) << 64 | u128::from(low)).to_be_bytes(), length)
    }

    fn from_octets(octets: [u8; 16], length: u8, path_id: u32) -> Option<Self> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        let prefix = Bare6 {
            high: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            low: u64::from_be_bytes([i, j, k, l, m, n, o, p]),
            length,
        };
        (length <= 128).then_some(Self { prefix, path_id })
    }

    #[inline]
    fn with_path_id(self, path_id: u32) -> Self {
        Self { path_id, ..self }
    }
}
