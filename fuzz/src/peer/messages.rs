//! The messages of a cooperative peer, so that a run establishes a session without guessing an OPEN.

use bgp_core::wire::{
    AddPath, AddPathMode, AsPath, AttributeBlock, Capability, GracefulRestart, NextHop, Open,
    PathAttributes, Role, UpdateWriter, WireContext, encode_end_of_rib, encode_keepalive,
};
use bgp_core::{AfiSafi, Asn, BgpIdentifier};
use bytes::BytesMut;

use crate::input::{FAMILIES, Input};
use crate::peer::prefix;

/// The expected AS of the peer.
pub const REMOTE_ASN: Asn = Asn(64_635);

/// An OPEN; most of them are acceptable.
#[must_use]
pub fn open(how: u8, input: &mut Input<'_>) -> BytesMut {
    let mut capabilities = vec![Capability::RouteRefresh];
    let asn = if how == 7 { Asn(1) } else { REMOTE_ASN };
    if how & 1 == 0 {
        capabilities.push(Capability::FourOctetAs(asn));
    }
    if how & 2 == 0 {
        capabilities.extend(FAMILIES.map(Capability::Multiprotocol));
    }

    let more = input.octet();
    if more & 1 != 0 {
        capabilities.push(Capability::ExtendedMessage);
        capabilities.push(Capability::EnhancedRouteRefresh);
    }
    if more & 2 != 0 {
        let entries = FAMILIES.map(|family| AddPath { family, mode: AddPathMode::BOTH });
        capabilities.push(Capability::AddPath(entries.to_vec()));
    }
    if more & 4 != 0 {
        let restart = GracefulRestart { restart_time: 120, ..GracefulRestart::default() };
        capabilities.push(Capability::GracefulRestart(restart));
    }
    if more & 8 != 0 {
        capabilities.push(Capability::Role(Role(more >> 6)));
    }

    let hold_time = [0, 3, 90, u16::MAX][usize::from(more >> 4 & 3)];
    let identifier = BgpIdentifier::new(10, 0, 0, 2);
    let mut out = BytesMut::new();
    Open::new(asn, hold_time, identifier, capabilities).encode(&mut out);
    out
}

/// A KEEPALIVE.
#[must_use]
pub fn keepalive() -> BytesMut {
    let mut out = BytesMut::new();
    encode_keepalive(&mut out);
    out
}

/// An UPDATE in the format of the session.
#[must_use]
pub fn update(cx: WireContext, how: u8, input: &mut Input<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    let choice = input.octet();
    let prefix = prefix(choice);
    let family = bgp_core::rib::family_of(&prefix);
    let next_hop = if family == AfiSafi::IPV4_UNICAST {
        NextHop::V4([192, 0, 2, choice >> 5].into())
    } else {
        NextHop::from(std::net::Ipv6Addr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]))
    };

    match how {
        0..=3 => {
            let first = if how == 3 { Asn(1) } else { REMOTE_ASN };
            let path = [first, if how == 2 { Asn(4_200_000_000) } else { Asn(7) }];
            let as_path = AsPath::sequence(path);
            let attributes = PathAttributes { as_path, ..PathAttributes::default() };

            let mut block = AttributeBlock::new();
            block.encode(&attributes, cx);
            let mut writer = UpdateWriter::reach(&mut out, family, &next_hop, &block, cx);
            writer.push(prefix);
            writer.finish();
        }
        4..=5 => {
            let mut writer = UpdateWriter::unreach(&mut out, family, cx);
            writer.push(prefix);
            writer.finish();
        }
        _ => encode_end_of_rib(&mut out, family),
    }
    out
}
