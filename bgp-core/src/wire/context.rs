//! What a session negotiated, as far as it changes how octets are read or written.

use crate::types::{Afi, AfiSafi, PeerType, Safi};

use super::frame::MessageLimit;

/// How to read, or how to write, the messages of one session. Small and `Copy`; built by chaining:
///
/// ```
/// use bgp_core::wire::WireContext;
/// use bgp_core::{AfiSafi, PeerType};
/// let cx = WireContext::new(PeerType::External)
///     .four_octet_as(true)
///     .multiprotocol(AfiSafi::IPV6_UNICAST, true);
/// assert!(cx.is_four_octet_as());
/// ```
///
/// A session has two where its directions differ (ADD-PATH): one for what is received, one for what is sent.
/// [`Default`] is an external peer with which nothing was negotiated: 2-octet AS numbers, IPv4 unicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireContext {
    bits: u16,
}

impl WireContext {
    /// A session with that kind of peer on which nothing was negotiated: IPv4 unicast, 2-octet AS numbers.
    #[must_use]
    pub const fn new(peer: PeerType) -> Self {
        let internal = match peer {
            PeerType::Internal => INTERNAL,
            PeerType::External => 0,
        };
        Self { bits: internal | FAMILY }
    }

    /// AS numbers have four octets: both sides have that capability (RFC 6793).
    #[must_use]
    pub const fn four_octet_as(self, on: bool) -> Self {
        self.with(FOUR_OCTET_AS, on)
    }

    /// Messages may have 65,535 octets: both sides have that capability (RFC 8654).
    #[must_use]
    pub const fn extended_messages(self, on: bool) -> Self {
        self.with(EXTENDED_MESSAGES, on)
    }

    /// The NLRI of the family carry path identifiers in this direction (RFC 7911). Without effect for families that
    /// are carried opaquely.
    #[must_use]
    pub const fn add_path(self, family: AfiSafi, on: bool) -> Self {
        self.with(family_bit(family) << ADD_PATH_SHIFT, on)
    }

    /// The next hop of IPv4 routes may be an IPv6 address (RFC 8950).
    #[must_use]
    pub const fn extended_next_hop(self, on: bool) -> Self {
        self.with(EXTENDED_NEXT_HOP, on)
    }

    /// Both sides have the family (RFC 4760). IPv4 unicast is on unless it is turned off. Routes of a family that is
    /// off are neither judged nor among [`Update::reachable`](super::Update::reachable).
    #[must_use]
    pub const fn multiprotocol(self, family: AfiSafi, on: bool) -> Self {
        self.with(family_bit(family), on)
    }

    /// The peer is in our confederation, so that its paths may hold confederation segments (RFC 5065). An internal
    /// peer always may.
    #[must_use]
    pub const fn confederation(self, on: bool) -> Self {
        self.with(CONFEDERATION, on)
    }

    /// An MP attribute that cannot be read disables its family and does not end the session (RFC 7606 section 2).
    #[must_use]
    pub const fn afi_safi_disable(self, on: bool) -> Self {
        self.with(AFI_SAFI_DISABLE, on)
    }

    /// The kind of peer.
    #[inline]
    #[must_use]
    pub const fn peer_type(self) -> PeerType {
        if self.has(INTERNAL) { PeerType::Internal } else { PeerType::External }
    }

    /// See [`four_octet_as`](Self::four_octet_as).
    #[inline]
    #[must_use]
    pub const fn is_four_octet_as(self) -> bool {
        self.has(FOUR_OCTET_AS)
    }

    /// See [`add_path`](Self::add_path).
    #[inline]
    #[must_use]
    pub const fn has_add_path(self, family: AfiSafi) -> bool {
        self.has(family_bit(family) << ADD_PATH_SHIFT)
    }

    /// See [`extended_next_hop`](Self::extended_next_hop).
    #[inline]
    #[must_use]
    pub const fn has_extended_next_hop(self) -> bool {
        self.has(EXTENDED_NEXT_HOP)
    }

    /// See [`multiprotocol`](Self::multiprotocol). Families that are carried opaquely always count as off.
    #[inline]
    #[must_use]
    pub const fn has_family(self, family: AfiSafi) -> bool {
        self.has(family_bit(family))
    }

    /// The longest message.
    #[inline]
    #[must_use]
    pub const fn limit(self) -> MessageLimit {
        if self.has(EXTENDED_MESSAGES) { MessageLimit::Extended } else { MessageLimit::Standard }
    }

    #[inline]
    pub(super) const fn may_hold_confederation_segments(self) -> bool {
        self.has(CONFEDERATION | INTERNAL)
    }

    pub(super) const fn may_disable_family(self) -> bool {
        self.has(AFI_SAFI_DISABLE)
    }

    #[inline]
    const fn has(self, bits: u16) -> bool {
        self.bits & bits != 0
    }

    const fn with(self, bits: u16, on: bool) -> Self {
        Self { bits: if on { self.bits | bits } else { self.bits & !bits } }
    }
}

impl Default for WireContext {
    fn default() -> Self {
        Self::new(PeerType::External)
    }
}

/// The bit of a family whose NLRI are prefixes; none for any other.
#[inline]
const fn family_bit(family: AfiSafi) -> u16 {
    match (family.afi, family.safi) {
        (Afi::IPV4, Safi::UNICAST) => FAMILY,
        (Afi::IPV6, Safi::UNICAST) => FAMILY << 1,
        (Afi::IPV4, Safi::MULTICAST) => FAMILY << 2,
        (Afi::IPV6, Safi::MULTICAST) => FAMILY << 3,
        _ => 0,
    }
}

const INTERNAL: u16 = 1;
const FOUR_OCTET_AS: u16 = 1 << 1;
const EXTENDED_MESSAGES: u16 = 1 << 2;
const EXTENDED_NEXT_HOP: u16 = 1 << 3;
const CONFEDERATION: u16 = 1 << 4;
const AFI_SAFI_DISABLE: u16 = 1 << 5;
/// Four bits for families, then four for ADD-PATH.
const FAMILY: u16 = 1 << 8;
const ADD_PATH_SHIFT: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_negotiated_is_ipv4_unicast_with_short_as_numbers() {
        let cx = WireContext::default();
        assert_eq!(cx.peer_type(), PeerType::External);
        assert!(cx.has_family(AfiSafi::IPV4_UNICAST));
        assert!(!cx.has_family(AfiSafi::IPV6_UNICAST));
        assert!(!cx.is_four_octet_as());
        assert_eq!(cx.limit().octets(), 4_096);
    }

    #[test]
    fn each_fact_is_its_own() {
        let cx = WireContext::new(PeerType::Internal)
            .add_path(AfiSafi::IPV6_UNICAST, true)
            .extended_messages(true)
            .multiprotocol(AfiSafi::IPV4_UNICAST, false);
        assert!(cx.has_add_path(AfiSafi::IPV6_UNICAST));
        assert!(!cx.has_add_path(AfiSafi::IPV4_UNICAST));
        assert!(!cx.has_family(AfiSafi::IPV6_UNICAST));
        assert!(!cx.has_family(AfiSafi::IPV4_UNICAST));
        assert_eq!(cx.limit().octets(), 65_535);
        assert_eq!(cx.extended_messages(false).limit().octets(), 4_096);
    }
}
