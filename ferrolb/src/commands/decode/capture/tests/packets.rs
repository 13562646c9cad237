//! Packets and capture files, built in code.

use std::net::SocketAddr;

use etherparse::PacketBuilder;

/// The numbers of link types.
pub(super) const ETHERNET: u32 = 1;

/// A packet for a file.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) octets: Vec<u8>,
    /// The number of octets on the cable, if the capture has fewer.
    pub(super) original: usize,
}

impl Packet {
    pub(super) fn of(octets: Vec<u8>) -> Self {
        let original = octets.len();
        Self { octets, original }
    }
}

/// A TCP segment, which becomes a packet of any kind.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) acknowledgment: Option<u32>,
    pub(super) flags: &'static str,
    pub(super) octets: Vec<u8>,
}

impl Segment {
    /// An IP packet.
    pub(super) fn ip(&self) -> Vec<u8> {
        let builder = match (self.from.ip(), self.to.ip()) {
            (std::net::IpAddr::V4(from), std::net::IpAddr::V4(to)) => {
                PacketBuilder::ipv4(from.octets(), to.octets(), 64)
            }
            (std::net::IpAddr::V6(from), std::net::IpAddr::V6(to)) => {
                PacketBuilder::ipv6(from.octets(), to.octets(), 64)
            }
            _ => panic!("addresses of one family"),
        };
        let mut builder = builder.tcp(self.from.port(), self.to.port(), self.sequence, u16::MAX);
        if let Some(acknowledgment) = self.acknowledgment {
            builder = builder.ack(acknowledgment);
        }
        for flag in self.flags.chars() {
            builder = match flag {
                'S' => builder.syn(),
                'F' => builder.fin(),
                'R' => builder.rst(),
                other => panic!("flag {other}"),
            };
        }
        let mut packet = Vec::new();
        builder.write(&mut packet, &self.octets).unwrap();
        packet
    }

    /// The EtherType of the packet.
    pub(super) fn ether_type(&self) -> u16 {
        if self.from.is_ipv4() { 0x0800 } else { 0x86dd }
    }

    /// An Ethernet frame, with padding if it is short.
    pub(super) fn ethernet(&self) -> Packet {
        let mut frame = vec![2; 12];
        frame.extend(self.ether_type().to_be_bytes());
        frame.extend(self.ip());
        frame.resize(frame.len().max(60), 0);
        Packet::of(frame)
    }
}

/// A pcap file in little endian, one packet each millisecond.
pub(super) fn pcap(link_type: u32, packets: &[Packet]) -> Vec<u8> {
    let mut file = Vec::new();
    for number in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link_type] {
        file.extend(number.to_le_bytes());
    }
    for (index, packet) in packets.iter().enumerate() {
        let (captured, original) = (packet.octets.len(), packet.original);
        for number in [1_600_000_000, 1_000 * index, captured, original] {
            file.extend(u32::try_from(number).unwrap().to_le_bytes());
        }
        file.extend(&packet.octets);
    }
    file
}

/// A pcapng file with one interface, in either byte order, with nanoseconds.
pub(super) fn pcapng(link_type: u16, packets: &[Packet], is_big_endian: bool) -> Vec<u8> {
    let long = |number: u32| {
        if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let short = |number: u16| {
        if is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    };
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[u8]| {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = u32::try_from(12 + body.len() + padding).unwrap();
        file.extend(long(kind));
        file.extend(long(length));
        file.extend(body);
        file.extend(vec![0; padding]);
        file.extend(long(length));
    };

    let section = [&long(0x1a2b_3c4d)[..], &short(1), &short(0), &[0xff; 8]].concat();
    block(0x0a0d_0d0a, &section);
    // if_tsresol is 9.
    let resolution = [&short(9)[..], &short(1), &[9, 0, 0, 0], &[0; 4]].concat();
    let interface = [&short(link_type)[..], &[0; 2], &long(0), &resolution].concat();
    block(1, &interface);
    for (index, packet) in packets.iter().enumerate() {
        let nanoseconds = 1_600_000_000_000_000_000 + 1_000_000 * u64::try_from(index).unwrap();
        let [high, low] = [nanoseconds >> 32, nanoseconds & 0xffff_ffff]
            .map(|half| long(u32::try_from(half).unwrap()));
        let lengths = [packet.octets.len(), packet.original]
            .map(|length| long(u32::try_from(length).unwrap()));
        let body = [&[0; 4][..], &high, &low, &lengths[0], &lengths[1], &packet.octets].concat();
        block(6, &body);
        // Statistics are no packet.
        block(5, &[0; 12]);
    }
    file
}
