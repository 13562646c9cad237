//! How an oracle reads its choices from the front of its input.

use bgp_core::wire::WireContext;
use bgp_core::{AfiSafi, PeerType};

/// The octets that are left. Where there are none any more, numbers are 0 and slices are short: every input is an input.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    octets: &'a [u8],
}

impl<'a> Input<'a> {
    /// All of these octets.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { octets }
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// One octet.
    pub fn octet(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// Two octets, big-endian.
    pub fn two_octets(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// Four octets, big-endian.
    pub fn four_octets(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// As many octets as asked for, zeros where there are none.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let octets = self.take(N);
        array[..octets.len()].copy_from_slice(octets);
        array
    }

    /// At most so many octets.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (octets, rest) = self.octets.split_at(most.min(self.octets.len()));
        self.octets = rest;
        octets
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// What a session negotiated: a bit for each fact, of two octets. See [`CONTEXT_BITS`].
    pub fn context(&mut self) -> WireContext {
        let bits = self.two_octets();
        let on = |bit: u32| bits & 1 << bit != 0;
        let peer = if on(0) { PeerType::Internal } else { PeerType::External };
        let base = WireContext::new(peer)
            .four_octet_as(on(1))
            .extended_messages(on(2))
            .extended_next_hop(on(3))
            .confederation(on(4))
            .afi_safi_disable(on(5));
        FAMILIES.into_iter().zip([6, 8, 10, 12]).fold(base, |cx, (family, bit)| {
            // IPv4 unicast is on unless it is turned off.
            let family_on = on(bit) != (family == AfiSafi::IPV4_UNICAST);
            cx.multiprotocol(family, family_on).add_path(family, on(bit + 1))
        })
    }
}

/// The families whose NLRI are prefixes.
pub const FAMILIES: [AfiSafi; 4] = [
    AfiSafi::IPV4_UNICAST,
    AfiSafi::IPV6_UNICAST,
    AfiSafi::IPV4_MULTICAST,
    AfiSafi::IPV6_MULTICAST,
];

/// What the bits of a [context](Input::context) mean, from bit 0.
pub const CONTEXT_BITS: [&str; 14] = [
    "internal peer",
    "AS numbers of four octets",
    "extended messages",
    "extended next hop",
    "peer of our confederation",
    "AFI/SAFI disable",
    "IPv4 unicast off",
    "ADD-PATH for it",
    "IPv6 unicast on",
    "ADD-PATH for it",
    "IPv4 multicast on",
    "ADD-PATH for it",
    "IPv6 multicast on",
    "ADD-PATH for it",
];
