//! The wire context: the negotiated features of a session that change how messages are read and written.

use crate::types::{Afi, AfiSafi, PeerType, Safi};

use super::header::MessageLimit;

/// The context for reading or writing the messages of one session. Small and `Copy`; built by chaining:
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
/// A session whose directions differ (ADD-PATH) has two contexts: one for received messages, one for sent ones.
/// [`Default`] is an external peer with nothing negotiated: two-octet AS numbers, IPv4 unicast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireContext {
    bits: u16,
}

impl WireContext {
    /// A session with nothing negotiated: IPv4 unicast, two-octet AS numbers.
    #[must_use]
    pub const fn new(peer: PeerType) -> Self {
        let internal = match peer {
            PeerType::Internal => INTERNAL,
            PeerType::External => 0,
        };
        Self { bits: internal | FAMILY }
    }

    /// Sets four-octet AS numbers: both sides have the capability (RFC 6793).
    #[must_use]
    pub const fn four_octet_as(self, on: bool) -> Self {
        self.with(FOUR_OCTET_AS, on)
    }

    /// Allows messages of 65,535 octets: both sides have the capability (RFC 8654).
    #[must_use]
    pub const fn extended_messages(self, on: bool) -> Self {
        self.with(EXTENDED_MESSAGES, on)
    }

    /// Sets path identifiers for the NLRI of a family in this direction (RFC 7911). It has no effect for families that are
    /// carried as octets.
    #[must_use]
    pub const fn add_path(self, family: AfiSafi, on: bool) -> Self {
        self.with(family_bit(family) << ADD_PATH_SHIFT, on)
    }

    /// Allows IPv6 next hops for IPv4 routes (RFC 8950).
    #[must_use]
    pub const fn extended_next_hop(self, on: bool) -> Self {
        self.with(EXTENDED_NEXT_HOP, on)
    }

    /// Turns a family on or off: both sides have it, or not (RFC 4760). IPv4 unicast is on by default. Routes of a family
    /// that is off are neither checked nor in [`Update::reachable`](super::Update::reachable).
    #[must_use]
    pub const fn multiprotocol(self, family: AfiSafi, on: bool) -> Self {
        self.with(family_bit(family), on)
    }

    /// Allows confederation segments in paths, because the peer is in our confederation (RFC 5065). They are always allowed
    /// from an internal peer.
    #[must_use]
    pub const fn confederation(self, on: bool) -> Self {
        self.with(CONFEDERATION, on)
    }

    /// Makes an unreadable MP attribute disable its family instead of ending the session (RFC 7606 section 2).
    #[must_use]
    pub const fn afi_safi_disable(self, on: bool) -> Self {
        self.with(AFI_SAFI_DISABLE, on)
    }

    /// The type of the peer.
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

    /// See [`multiprotocol`](Self::multiprotocol). Families that are carried as octets always count as off.
    #[inline]
    #[must_use]
    pub const fn has_family(self, family: AfiSafi) -> bool {
        self.has(family_bit(family))
    }

    /// The maximum message length.
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

/// The bit of a family whose NLRI are prefixes; 0 for any other.
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
/// The first of four bits for families; four for ADD-PATH follow.
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
    fn each_feature_is_independent() {
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
