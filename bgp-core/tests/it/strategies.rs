//! Random values that a speaker could send.

use std::net::{Ipv4Addr, Ipv6Addr};

use bgp_core::wire::{
    AddPath, AddPathMode, Aggregator, AsPath, AsPathSegment, AttributeCode, AttributeFlags,
    Capability, CeaseSubcode, Community, ErrorCode, ExtendedCommunity, ExtendedNextHop,
    GracefulRestart, GracefulRestartFamily, Ipv6ExtendedCommunity, LargeCommunity, LongLivedFamily,
    NextHop, Notification, Open, Origin, PathAttributes, RawAttribute, Role, SegmentType,
    WireContext,
};
use bgp_core::{Afi, AfiSafi, Asn, BgpIdentifier, IpNet, Ipv4Net, Ipv6Net, PeerType, Safi};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

pub(crate) fn asn() -> impl Strategy<Value = Asn> {
    prop_oneof![1..=0xffffu32, 1..=u32::MAX].prop_map(Asn)
}

fn identifier() -> impl Strategy<Value = BgpIdentifier> {
    (1..=u32::MAX).prop_map(BgpIdentifier::from)
}

pub(crate) fn family() -> impl Strategy<Value = AfiSafi> {
    (any::<u16>(), any::<u8>()).prop_map(|(afi, safi)| AfiSafi::new(Afi(afi), Safi(safi)))
}

/// Any context with IPv4 and IPv6 unicast.
pub(crate) fn context() -> impl Strategy<Value = WireContext> {
    let peer = prop_oneof![Just(PeerType::Internal), Just(PeerType::External)];
    (peer, any::<[bool; 7]>()).prop_map(|(peer, [a, b, c, d, e, f, g])| {
        WireContext::new(peer)
            .multiprotocol(AfiSafi::IPV6_UNICAST, true)
            .four_octet_as(a)
            .extended_messages(b)
            .add_path(AfiSafi::IPV4_UNICAST, c)
            .add_path(AfiSafi::IPV6_UNICAST, d)
            .extended_next_hop(e)
            .confederation(f)
            .afi_safi_disable(g)
    })
}

/// A path that decodes unchanged: no segment is empty or has more than 255 AS numbers.
pub(crate) fn as_path() -> impl Strategy<Value = AsPath> {
    of_kinds(prop_oneof![Just(SegmentType::Set), Just(SegmentType::Sequence)])
}

/// The same with confederation segments, as sent between members of a confederation.
pub(crate) fn confederation_path() -> impl Strategy<Value = AsPath> {
    of_kinds(prop_oneof![
        Just(SegmentType::Set),
        Just(SegmentType::Sequence),
        Just(SegmentType::ConfedSequence),
        Just(SegmentType::ConfedSet),
    ])
}

fn of_kinds(kind: impl Strategy<Value = SegmentType>) -> impl Strategy<Value = AsPath> {
    let segment = (kind, vec(asn(), 1..20)).prop_map(|(kind, asns)| AsPathSegment { kind, asns });
    vec(segment, 0..4).prop_map(|segments| AsPath { segments })
}

pub(crate) fn ipv4_prefix() -> impl Strategy<Value = IpNet> {
    // Only unicast prefixes are routes.
    (0..0xe000_0000u32, 0..=32u8).prop_map(|(address, length)| {
        Ipv4Net::new(Ipv4Addr::from(address), length).unwrap().trunc().into()
    })
}

pub(crate) fn ipv6_prefix() -> impl Strategy<Value = IpNet> {
    (0..u128::MAX >> 1, 0..=128u8).prop_map(|(address, length)| {
        Ipv6Net::new(Ipv6Addr::from(address), length).unwrap().trunc().into()
    })
}

fn ipv4_next_hop() -> impl Strategy<Value = NextHop> {
    any::<u32>().prop_map(|address| NextHop::V4(address.into()))
}

fn ipv6_next_hop() -> impl Strategy<Value = NextHop> {
    (any::<u128>(), of(any::<u128>())).prop_map(|(global, link_local)| NextHop::V6 {
        global: global.into(),
        link_local: link_local.map(Ipv6Addr::from),
    })
}

/// The routes of one message: family, next hop, prefixes.
pub(crate) fn routes() -> impl Strategy<Value = (AfiSafi, NextHop, Vec<IpNet>)> {
    let v4 = (Just(AfiSafi::IPV4_UNICAST), ipv4_next_hop(), vec(ipv4_prefix(), 1..60));
    let v6 = (Just(AfiSafi::IPV6_UNICAST), ipv6_next_hop(), vec(ipv6_prefix(), 1..60));
    // An extended next hop (RFC 8950), for a context that allows it.
    let mixed = (Just(AfiSafi::IPV4_UNICAST), ipv6_next_hop(), vec(ipv4_prefix(), 1..60));
    prop_oneof![2 => v4, 2 => v6, 1 => mixed]
}

fn origin() -> impl Strategy<Value = Origin> {
    prop_oneof![Just(Origin::Igp), Just(Origin::Egp), Just(Origin::Incomplete)]
}

fn aggregator() -> impl Strategy<Value = Aggregator> {
    (asn(), any::<u32>()).prop_map(|(asn, address)| Aggregator { asn, address: address.into() })
}

/// Attributes that are carried as octets: unknown optional transitive ones, as passed on by a speaker, and known ones without
/// a typed form.
fn carried() -> impl Strategy<Value = Vec<RawAttribute>> {
    let raw = |code, flags, value: Vec<u8>| RawAttribute {
        code: AttributeCode(code),
        flags: AttributeFlags(flags),
        value: value.into(),
    };
    let unknown = (200..=255u8, vec(any::<u8>(), 0..300))
        .prop_map(move |(code, value)| raw(code, 0xe0, value));
    let sub_tlv = (0..128u8, vec(any::<u8>(), 0..20))
        .prop_map(|(kind, value)| [vec![kind, u8::try_from(value.len()).unwrap()], value].concat());
    let tunnel = (any::<u16>(), vec(sub_tlv, 0..4)).prop_map(move |(kind, sub_tlvs)| {
        let value = sub_tlvs.concat();
        let length = u16::try_from(value.len()).unwrap();
        raw(23, 0xc0, [&kind.to_be_bytes()[..], &length.to_be_bytes(), &value].concat())
    });
    let aigp = any::<u64>()
        .prop_map(move |metric| raw(26, 0x80, [&[1, 0, 11][..], &metric.to_be_bytes()].concat()));
    let prefix_sid = any::<u32>().prop_map(move |label| {
        raw(40, 0xc0, [&[1, 0, 7, 0, 0, 0][..], &label.to_be_bytes()].concat())
    });
    let pmsi = vec(any::<u8>(), 5..30).prop_map(move |value| raw(22, 0xc0, value));
    let attribute = prop_oneof![4 => unknown, 1 => tunnel, 1 => aigp, 1 => prefix_sid, 1 => pmsi];
    vec(attribute, 0..4).prop_map(|mut all| {
        all.sort_by_key(|attribute| attribute.code);
        all.dedup_by_key(|attribute| attribute.code);
        all
    })
}

pub(crate) fn path_attributes() -> impl Strategy<Value = PathAttributes> {
    let basic =
        (origin(), as_path(), of(any::<u32>()), of(any::<u32>()), any::<bool>(), of(aggregator()));
    let large = (any::<u32>(), any::<u32>(), any::<u32>())
        .prop_map(|(global, first, second)| LargeCommunity::new(global, first, second));
    let communities = (
        vec(any::<u32>().prop_map(Community), 0..80),
        vec(any::<[u8; 8]>().prop_map(ExtendedCommunity), 0..6),
        vec(any::<[u8; 20]>().prop_map(Ipv6ExtendedCommunity), 0..3),
        vec(large, 0..30),
    );
    let more = (of(identifier()), vec(identifier(), 0..4), of(asn()), carried());
    (basic, communities, more).prop_map(|(basic, communities, more)| PathAttributes {
        origin: basic.0,
        as_path: basic.1,
        next_hop: None,
        med: basic.2,
        local_pref: basic.3,
        atomic_aggregate: basic.4,
        aggregator: basic.5,
        communities: communities.0,
        extended_communities: communities.1,
        ipv6_extended_communities: communities.2,
        large_communities: communities.3,
        originator_id: more.0,
        cluster_list: more.1,
        only_to_customer: more.2,
        unknown: more.3,
    })
}

fn capability() -> impl Strategy<Value = Capability> {
    let restart_family = (family(), any::<bool>())
        .prop_map(|(family, forwarding)| GracefulRestartFamily { family, forwarding });
    let restart = (any::<bool>(), any::<bool>(), 0..0x1000u16, vec(restart_family, 0..4)).prop_map(
        |(restarting, notification, restart_time, families)| {
            let restart = GracefulRestart { restarting, notification, restart_time, families };
            Capability::GracefulRestart(restart)
        },
    );
    let long_lived = (family(), any::<bool>(), 0..0x0100_0000u32).prop_map(
        |(family, forwarding, stale_time)| LongLivedFamily { family, forwarding, stale_time },
    );
    let add_path = (family(), any::<u8>())
        .prop_map(|(family, mode)| AddPath { family, mode: AddPathMode(mode) });
    let next_hop = (family(), any::<u16>())
        .prop_map(|(family, afi)| ExtendedNextHop { family, next_hop: Afi(afi) });
    let unknown = (128..=255u8, vec(any::<u8>(), 0..=255))
        .prop_map(|(code, value)| Capability::Unknown { code, value: value.into() });

    prop_oneof![
        family().prop_map(Capability::Multiprotocol),
        Just(Capability::RouteRefresh),
        vec(next_hop, 0..5).prop_map(Capability::ExtendedNextHop),
        Just(Capability::ExtendedMessage),
        any::<u8>().prop_map(|role| Capability::Role(Role(role))),
        restart,
        vec(add_path, 0..5).prop_map(Capability::AddPath),
        Just(Capability::EnhancedRouteRefresh),
        vec(long_lived, 0..5).prop_map(Capability::LongLivedGracefulRestart),
        ("[a-zé]{0,60}", "[a-z.]{0,60}")
            .prop_map(|(host, domain)| Capability::Fqdn { host, domain }),
        "[ -~]{0,80}".prop_map(Capability::SoftwareVersion),
        unknown,
    ]
}

pub(crate) fn open() -> impl Strategy<Value = Open> {
    let hold_time = prop_oneof![Just(0), 3..=u16::MAX];
    (asn(), any::<bool>(), hold_time, identifier(), vec(capability(), 0..12)).prop_map(
        |(asn, four_octets, hold_time, identifier, mut capabilities)| {
            if four_octets || !asn.fits_two_octets() {
                capabilities.push(Capability::FourOctetAs(asn));
            }
            Open::new(asn, hold_time, identifier, capabilities)
        },
    )
}

pub(crate) fn notification() -> impl Strategy<Value = Notification> {
    let any_parts = (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..300))
        .prop_map(|(code, subcode, data)| Notification::new(ErrorCode(code), subcode, data.into()));
    let words = ".{0,200}".prop_map(|text| {
        Notification::cease_with_message(CeaseSubcode::ADMINISTRATIVE_SHUTDOWN, &text)
    });
    prop_oneof![any_parts, words]
}
