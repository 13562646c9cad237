//! The per-peer header (RFC 7854 section 4.2), with the flags of RFC 8671 and RFC 9069.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use bytes::{BufMut, BytesMut};

use crate::types::{Asn, BgpIdentifier};
use crate::wire::input::{Parsed, four_octets, octet, truncated};

/// The length of the per-peer header.
pub const PER_PEER_HEADER_LENGTH: usize = 42;

/// The type of a peer, from IANA's registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BmpPeerType(pub u8);

impl BmpPeerType {
    /// A peer in the global routing table.
    pub const GLOBAL: Self = Self(0);
    /// A peer in a table that the distinguisher names, a route distinguisher.
    pub const RD: Self = Self(1);
    /// A peer in a table whose distinguisher only means something to the router.
    pub const LOCAL: Self = Self(2);
    /// No peer but the Loc-RIB (RFC 9069).
    pub const LOC_RIB: Self = Self(3);
}

/// The flags of a per-peer header. The first bit depends on the type of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerFlags(pub u8);

impl PeerFlags {
    /// V: the address is an IPv6 address.
    pub const IPV6: Self = Self(0x80);
    /// L: the routes are those after the policy.
    pub const POST_POLICY: Self = Self(0x40);
    /// A: the AS paths have two-octet AS numbers.
    pub const TWO_OCTET_AS: Self = Self(0x20);
    /// O: the routes are those of the Adj-RIB-Out (RFC 8671).
    pub const ADJ_RIB_OUT: Self = Self(0x10);
    /// F, for the Loc-RIB: not all of its routes are shown (RFC 9069).
    pub const FILTERED: Self = Self(0x80);

    /// Returns true if all of these flags are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// The union of both sets of flags.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }
}

/// The peer and the RIB that a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "RFC 7854 section 4.2 has these fields")]
pub struct PerPeerHeader {
    /// The type of the peer.
    pub peer_type: BmpPeerType,
    /// The flags. Those that follow from the address are added when the header is encoded.
    pub flags: PeerFlags,
    /// The table of the peer; 0 for the global one.
    pub distinguisher: u64,
    /// The address of the peer; `0.0.0.0` for the Loc-RIB.
    pub address: IpAddr,
    /// The AS of the peer; the router's own for the Loc-RIB.
    pub asn: Asn,
    /// The BGP Identifier of the peer; the router's own for the Loc-RIB.
    pub identifier: BgpIdentifier,
    /// The time since 1970, to the microsecond; zero if it is unknown. For routes, the time at which the router got them.
    pub timestamp: Duration,
}

impl PerPeerHeader {
    /// The Adj-RIB-In of a peer in the global routing table, before policy.
    #[must_use]
    pub fn new(address: IpAddr, asn: Asn, identifier: BgpIdentifier, timestamp: Duration) -> Self {
        let flags = match address {
            IpAddr::V4(_) => PeerFlags::default(),
            IpAddr::V6(_) => PeerFlags::IPV6,
        };
        let peer_type = BmpPeerType::GLOBAL;
        Self { peer_type, flags, distinguisher: 0, address, asn, identifier, timestamp }
    }

    /// The Loc-RIB of the global routing table of a router with this AS and BGP Identifier (RFC 9069 section 4.1).
    #[must_use]
    pub fn loc_rib(asn: Asn, identifier: BgpIdentifier, timestamp: Duration) -> Self {
        let peer_type = BmpPeerType::LOC_RIB;
        let address = Ipv4Addr::UNSPECIFIED.into();
        let flags = PeerFlags::default();
        Self { peer_type, flags, distinguisher: 0, address, asn, identifier, timestamp }
    }

    /// The RIB after policy instead.
    #[must_use]
    pub const fn post_policy(self) -> Self {
        self.with(PeerFlags::POST_POLICY)
    }

    /// The Adj-RIB-Out instead (RFC 8671).
    #[must_use]
    pub const fn adj_rib_out(self) -> Self {
        self.with(PeerFlags::ADJ_RIB_OUT)
    }

    /// The same with more flags.
    #[must_use]
    pub const fn with(mut self, flags: PeerFlags) -> Self {
        self.flags = self.flags.with(flags);
        self
    }

    /// The same at another time, which is the time since 1970.
    #[must_use]
    pub const fn at(mut self, timestamp: Duration) -> Self {
        self.timestamp = timestamp;
        self
    }

    /// Returns true if the header is about the Loc-RIB.
    #[must_use]
    pub fn is_loc_rib(&self) -> bool {
        self.peer_type == BmpPeerType::LOC_RIB
    }

    /// Appends the header. Seconds that do not fit into four octets become the maximum.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.peer_type.0);
        out.put_u8(self.flags().0);
        out.put_u64(self.distinguisher);
        put_address(self.address, out);

        out.put_u32(self.asn.0);
        out.put_u32(self.identifier.into());
        out.put_u32(u32::try_from(self.timestamp.as_secs()).unwrap_or(u32::MAX));
        out.put_u32(self.timestamp.subsec_micros());
    }

    /// The flags with V as the address demands. The Loc-RIB has another flag in its place.
    fn flags(&self) -> PeerFlags {
        match self.address {
            _ if self.is_loc_rib() => self.flags,
            IpAddr::V4(_) => self.flags.without(PeerFlags::IPV6),
            IpAddr::V6(_) => self.flags.with(PeerFlags::IPV6),
        }
    }

    /// Returns true if addresses in the message are IPv6 addresses.
    pub(super) fn is_ipv6(&self) -> bool {
        !self.is_loc_rib() && self.flags.contains(PeerFlags::IPV6)
    }
}

/// Appends an address. An IPv4 address is in the last four of sixteen octets.
pub(super) fn put_address(address: IpAddr, out: &mut BytesMut) {
    match address {
        IpAddr::V4(address) => {
            out.put_bytes(0, 12);
            out.put_slice(&address.octets());
        }
        IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
}

/// Reads an address as [`put_address`] writes it.
pub(super) fn address(input: &[u8], ipv6: bool) -> Parsed<'_, IpAddr> {
    let (octets, rest) = input.split_first_chunk::<16>().ok_or_else(truncated)?;
    let address = Ipv6Addr::from(*octets);
    if ipv6 {
        return Ok((rest, address.into()));
    }
    let [.., a, b, c, d] = *octets;
    Ok((rest, Ipv4Addr::new(a, b, c, d).into()))
}

pub(super) fn per_peer_header(input: &[u8]) -> Parsed<'_, PerPeerHeader> {
    let (input, peer_type) = octet(input)?;
    let (input, flags) = octet(input)?;
    let (peer_type, flags) = (BmpPeerType(peer_type), PeerFlags(flags));
    let (distinguisher, input) = input.split_first_chunk().ok_or_else(truncated)?;

    let has_v_flag = peer_type != BmpPeerType::LOC_RIB;
    let (input, address) = address(input, has_v_flag && flags.contains(PeerFlags::IPV6))?;
    let (input, asn) = four_octets(input)?;
    let (input, identifier) = four_octets(input)?;
    let (input, seconds) = four_octets(input)?;
    let (input, microseconds) = four_octets(input)?;

    // A fraction of a second or more makes no sense.
    let fraction = Duration::from_micros(u64::from(microseconds.min(999_999)));
    let header = PerPeerHeader {
        peer_type,
        flags,
        distinguisher: u64::from_be_bytes(*distinguisher),
        address,
        asn: Asn(asn),
        identifier: identifier.into(),
        timestamp: Duration::from_secs(u64::from(seconds)) + fraction,
    };
    Ok((input, header))
}
