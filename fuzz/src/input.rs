//! The input of an oracle, which reads its choices from the front.

use bgp_core::wire::WireContext;
use bgp_core::{AfiSafi, PeerType};

/// The remaining octets. After the end, numbers are 0 and slices are short, so that every input is valid.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    octets: &'a [u8],
}

impl<'a> Input<'a> {
    /// Creates an input of these octets.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { octets }
    }

    /// Returns true if nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Reads one octet.
    pub fn octet(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// Reads a big-endian number of two octets.
    pub fn two_octets(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    /// Reads a big-endian number of four octets.
    pub fn four_octets(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    /// Reads `N` octets, with zeros after the end.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let octets = self.take(N);
        array[..octets.len()].copy_from_slice(octets);
        array
    }

    /// Reads up to `most` octets.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (octets, rest) = self.octets.split_at(most.min(self.octets.len()));
        self.octets = rest;
        octets
    }

    /// Reads everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Reads the context of a session: two octets with a bit for each feature. See [`CONTEXT_BITS`].
    pub fn context(&mut self) -> WireContext {
        let bits = self.two_octets();
        let peer = if is_set(bits, 0) { PeerType::Internal } else { PeerType::External };
        let mut cx = WireContext::new(peer)
            .four_octet_as(is_set(bits, 1))
            .extended_messages(is_set(bits, 2))
            .extended_next_hop(is_set(bits, 3))
            .confederation(is_set(bits, 4))
            .afi_safi_disable(is_set(bits, 5));

        for (family, bit) in FAMILIES.into_iter().zip([6, 8, 10, 12]) {
            // The bit of IPv4 unicast turns the family off.
            let family_on = is_set(bits, bit) != (family == AfiSafi::IPV4_UNICAST);
            cx = cx.multiprotocol(family, family_on).add_path(family, is_set(bits, bit + 1));
        }
        cx
    }
}

/// Returns true if a bit is set; bit 0 is the lowest.
#[must_use]
pub fn is_set(bits: impl Into<u32>, bit: u32) -> bool {
    bits.into() & 1 << bit != 0
}

/// The families whose NLRI are prefixes.
pub const FAMILIES: [AfiSafi; 4] = [
    AfiSafi::IPV4_UNICAST,
    AfiSafi::IPV6_UNICAST,
    AfiSafi::IPV4_MULTICAST,
    AfiSafi::IPV6_MULTICAST,
];

/// The meanings of the bits of a [context](Input::context), from bit 0.
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
