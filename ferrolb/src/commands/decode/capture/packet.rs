//! The TCP segment in a captured packet: link layer, VLAN tags, IPv4 or IPv6, TCP. `etherparse` reads the headers.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    EtherType, IpNumber, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice, ip_number,
};

/// A TCP segment with its addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct TcpSegment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    /// The number of the next octet that the sender expects.
    pub(super) acknowledgment: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    /// The captured octets of the stream. If the packet was cut, they are not all.
    pub(super) octets: &'a [u8],
    /// True if the capture has only the beginning of the packet.
    pub(super) is_cut: bool,
    /// True if the packet is the first fragment of several.
    pub(super) is_fragment: bool,
}

/// The content of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum PacketContent<'a> {
    /// A TCP segment.
    Segment(TcpSegment<'a>),
    /// A fragment of a TCP segment without its header.
    Fragment,
    /// A TCP segment whose header is not complete.
    Headless,
    /// Anything else.
    Other,
    /// The link type is unknown.
    UnknownLink,
}

// Numbers of link types: https://www.tcpdump.org/linktypes.html
const NULL: u32 = 0;
const ETHERNET: u32 = 1;
const RAW: u32 = 101;
const CISCO_HDLC: u32 = 104;
const LOOP: u32 = 108;
const LINUX_SLL: u32 = 113;
const IPV4: u32 = 228;
const IPV6: u32 = 229;
const LINUX_SLL2: u32 = 276;

/// The number of RAW in files of OpenBSD, and in those of other systems.
const OTHER_RAW: [u32; 2] = [14, 12];

/// Reads a packet of a link type.
pub(super) fn content(link_type: u32, octets: &[u8]) -> PacketContent<'_> {
    let packet = match link_type {
        ETHERNET => LaxSlicedPacket::from_ethernet(octets).ok(),
        CISCO_HDLC => behind_ether_type(octets, 2, 4),
        LINUX_SLL => behind_ether_type(octets, 14, 16),
        LINUX_SLL2 => behind_ether_type(octets, 0, 20),
        // The address family differs from system to system; the version of the IP header says the same.
        NULL | LOOP => octets.get(4..).and_then(|octets| LaxSlicedPacket::from_ip(octets).ok()),
        RAW | IPV4 | IPV6 => LaxSlicedPacket::from_ip(octets).ok(),
        other if OTHER_RAW.contains(&other) => LaxSlicedPacket::from_ip(octets).ok(),
        _ => return PacketContent::UnknownLink,
    };
    let Some(packet) = packet else { return PacketContent::Other };
    match behind_labels(&packet) {
        Some(packet) => of_packet(&packet),
        None => of_packet(&packet),
    }
}

/// Reads the packet behind a stack of MPLS labels (RFC 3032), if there is one.
fn behind_labels<'a>(packet: &LaxSlicedPacket<'a>) -> Option<LaxSlicedPacket<'a>> {
    const MPLS: [EtherType; 2] = [EtherType(0x8847), EtherType(0x8848)];
    /// The bit of the last entry, in the third of its four octets.
    const BOTTOM_OF_STACK: u8 = 1;

    let payload = packet.ether_payload().filter(|it| MPLS.contains(&it.ether_type))?.payload;
    let is_bottom = |entry: &[u8]| entry.get(2).is_some_and(|bits| bits & BOTTOM_OF_STACK != 0);
    let above = payload.chunks_exact(4).position(is_bottom)?;
    LaxSlicedPacket::from_ip(payload.get(4 * (above + 1)..)?).ok()
}

/// Reads the payload of a header with an EtherType.
fn behind_ether_type(
    octets: &[u8],
    ether_type: usize,
    header_length: usize,
) -> Option<LaxSlicedPacket<'_>> {
    let [high, low] = *octets.get(ether_type..)?.first_chunk()?;
    let ether_type = EtherType(u16::from_be_bytes([high, low]));
    Some(LaxSlicedPacket::from_ether_type(ether_type, octets.get(header_length..)?))
}

fn of_packet<'a>(packet: &LaxSlicedPacket<'a>) -> PacketContent<'a> {
    let (from, to, payload, is_later_fragment) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let addresses = (header.source_addr().into(), header.destination_addr().into());
            let is_later = header.fragments_offset().value() > 0;
            (addresses.0, addresses.1, ip.payload(), is_later)
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let addresses = (header.source_addr().into(), header.destination_addr().into());
            let extensions = ip.extensions();
            let is_later = extensions
                .first_header()
                .is_some_and(|first| has_later_fragment(first, extensions.slice()));
            (addresses.0, addresses.1, ip.payload(), is_later)
        }
        _ => return PacketContent::Other,
    };
    if payload.ip_number != ip_number::TCP {
        return PacketContent::Other;
    }
    if is_later_fragment {
        return PacketContent::Fragment;
    }

    let tcp = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => tcp.clone(),
        // Of a first fragment, only the beginning of the segment is here.
        _ => match TcpSlice::from_slice(payload.payload) {
            Ok(tcp) => tcp,
            Err(_) => return PacketContent::Headless,
        },
    };
    PacketContent::Segment(segment(from, to, &tcp, payload.incomplete, payload.fragmented))
}

/// Returns true if a fragment header of IPv6 is that of a later fragment. (The iterator of `etherparse` 0.21 reads beyond the
/// end of extension headers that are not complete.)
fn has_later_fragment(first: IpNumber, mut extensions: &[u8]) -> bool {
    let mut kind = first;
    while let [next, length, high, low, ..] = *extensions {
        let length = match kind {
            ip_number::IPV6_FRAG if u16::from_be_bytes([high, low]) >> 3 > 0 => return true,
            ip_number::IPV6_FRAG => 8,
            ip_number::AUTH => 4 * (usize::from(length) + 2),
            _ => 8 * (usize::from(length) + 1),
        };
        extensions = extensions.get(length..).unwrap_or_default();
        kind = IpNumber(next);
    }
    false
}

fn segment<'a>(
    from: IpAddr,
    to: IpAddr,
    tcp: &TcpSlice<'a>,
    is_incomplete: bool,
    is_fragment: bool,
) -> TcpSegment<'a> {
    TcpSegment {
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledgment: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        octets: tcp.payload(),
        is_cut: is_incomplete,
        is_fragment,
    }
}
