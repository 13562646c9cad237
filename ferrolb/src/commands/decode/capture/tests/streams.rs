//! Two routers that talk, segment by segment.

use std::net::SocketAddr;

use bgp_session::wire::{
    AddPath, AddPathMode, AsPath, AttributeBlock, Capability, Notification, Open, PathAttributes,
    UpdateWriter, WireContext, encode_keepalive,
};
use bgp_session::{AfiSafi, Asn, BgpIdentifier, CeaseSubcode, NextHop, PeerType};
use bytes::BytesMut;

use super::packets::{Packet, Segment};

/// The ends of a connection and its packets so far.
pub(super) struct Talk {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    /// The next sequence number of each end, the client first.
    pub(super) next: [u32; 2],
    pub(super) segments: Vec<Segment>,
}

impl Talk {
    /// A connection without a handshake.
    pub(super) fn in_the_middle() -> Self {
        Self {
            client: "172.22.35.25:40001".parse().unwrap(),
            server: "172.22.35.1:179".parse().unwrap(),
            // Sequence numbers wrap.
            next: [u32::MAX - 20, 7_000],
            segments: Vec::new(),
        }
    }

    /// A connection with its handshake.
    pub(super) fn start() -> Self {
        Self::in_the_middle().handshake()
    }

    pub(super) fn ipv6() -> Self {
        let middle = Self {
            client: "[2001:db8::25]:40001".parse().unwrap(),
            server: "[2001:db8::1]:179".parse().unwrap(),
            ..Self::in_the_middle()
        };
        middle.handshake()
    }

    fn handshake(mut self) -> Self {
        self.send(0, "S", &[]);
        self.segments[0].acknowledgment = None;
        self.send(1, "S", &[]);
        self.send(0, "", &[]);
        self
    }

    /// The end 0, the client, or 1, the server, sends a segment.
    pub(super) fn send(&mut self, end: usize, flags: &'static str, octets: &[u8]) -> &mut Self {
        let (from, to) = match end {
            0 => (self.client, self.server),
            _ => (self.server, self.client),
        };
        self.segments.push(Segment {
            from,
            to,
            sequence: self.next[end],
            acknowledgment: Some(self.next[1 - end]),
            flags,
            octets: octets.to_vec(),
        });
        let counted = octets.len() + flags.matches(['S', 'F']).count();
        self.next[end] = self.next[end].wrapping_add(u32::try_from(counted).unwrap());
        self
    }

    pub(super) fn packets(&self) -> Vec<Packet> {
        self.segments.iter().map(Segment::ethernet).collect()
    }
}

fn encoded(write: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    write(&mut out);
    out.to_vec()
}

pub(super) fn open(asn: u32, mut capabilities: Vec<Capability>) -> Vec<u8> {
    capabilities.insert(0, Capability::Multiprotocol(AfiSafi::IPV4_UNICAST));
    let identifier = BgpIdentifier::new(10, 0, 0, 1);
    encoded(|out| Open::new(Asn(asn), 90, identifier, capabilities).encode(out))
}

pub(super) fn four_octet(asn: u32) -> Capability {
    Capability::FourOctetAs(Asn(asn))
}

pub(super) fn path_ids() -> Capability {
    let family = AfiSafi::IPV4_UNICAST;
    Capability::AddPath(vec![AddPath { family, mode: AddPathMode::BOTH }])
}

pub(super) fn keepalive() -> Vec<u8> {
    encoded(encode_keepalive)
}

pub(super) fn cease() -> Vec<u8> {
    encoded(|out| Notification::cease(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN).encode(out))
}

pub(super) fn context() -> WireContext {
    WireContext::new(PeerType::External).four_octet_as(true)
}

/// An UPDATE with this many routes, 10.N.0.0/16 and so on from `first`.
pub(super) fn update(context: WireContext, first: u8, count: u8) -> Vec<u8> {
    let as_path = AsPath::sequence([Asn(64_636), Asn(64_637)]);
    let mut block = AttributeBlock::new();
    block.encode(&PathAttributes { as_path, ..PathAttributes::default() }, context);

    let next_hop = NextHop::V4([172, 22, 35, 25].into());
    encoded(|out| {
        let family = AfiSafi::IPV4_UNICAST;
        let mut writer = UpdateWriter::reach(out, family, &next_hop, &block, context);
        for number in first..first + count {
            let prefix = format!("10.{number}.0.0/16").parse().unwrap();
            assert!(writer.push_with_path_id(prefix, 7));
        }
        writer.finish();
    })
}
