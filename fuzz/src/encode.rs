//! Attributes that do not come from a message: any route of a RIB is encoded within the limit, and reads back.

use bgp_core::wire::{
    Aggregator, AsPath, AsPathSegment, AttributeCode, AttributeFlags, Community, ExtendedCommunity,
    Ipv6ExtendedCommunity, LargeCommunity, NextHop, Origin, PathAttributes, RawAttribute,
    SegmentType, WireContext,
};
use bgp_core::{AfiSafi, Asn, BgpIdentifier, IpNet, Ipv4Net, Ipv6Net, PeerType};
use bytes::Bytes;

use crate::input::{FAMILIES, Input, is_set};
use crate::round_trip::{Group, Prefixes, judge_group, judge_withdrawal};

/// The input has two octets of context, one for the family, the attributes, and the prefixes.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    let cx = input.context();
    let family = FAMILIES[usize::from(input.octet() % 4)];
    // A family that is not negotiated does not read back.
    let cx = cx.multiprotocol(family, true);

    let attributes = attributes(&mut input, family, cx);
    let prefixes = prefixes(&mut input, family, cx);
    judge_withdrawal(family, &prefixes, cx);
    judge_group(&Group::new(family, attributes, prefixes), cx);
}

/// Chooses a number of elements: mostly few, sometimes enough to fill a message, rarely far more. Inputs can be short,
/// because an input continues with zeros after its end.
fn many(input: &mut Input<'_>) -> usize {
    let octet = input.octet();
    match octet {
        0..=0xdf => usize::from(octet % 8),
        0xe0..=0xfb => usize::from(octet - 0xdf) * 40,
        _ => usize::from(octet - 0xfb) * 5_000,
    }
}

fn attributes(input: &mut Input<'_>, family: AfiSafi, cx: WireContext) -> PathAttributes {
    let present = input.two_octets();
    let internal = cx.peer_type() == PeerType::Internal;
    let origin = [Origin::Igp, Origin::Egp, Origin::Incomplete][usize::from(input.octet() % 3)];

    PathAttributes {
        origin,
        as_path: if is_set(present, 0) { as_path(input, cx) } else { AsPath::new() },
        next_hop: Some(next_hop(input, family, cx)),
        med: is_set(present, 1).then(|| input.four_octets()),
        local_pref: is_set(present, 2).then(|| input.four_octets()),
        atomic_aggregate: is_set(present, 3),
        aggregator: is_set(present, 4)
            .then(|| Aggregator { asn: asn(input), address: input.four_octets().into() }),
        communities: list(input, is_set(present, 5), |input| Community(input.four_octets())),
        extended_communities: list(input, is_set(present, 6), |input| {
            ExtendedCommunity(input.array())
        }),
        ipv6_extended_communities: list(input, is_set(present, 7), |input| {
            Ipv6ExtendedCommunity(input.array())
        }),
        large_communities: list(input, is_set(present, 8), |input| {
            LargeCommunity::new(input.four_octets(), input.four_octets(), input.four_octets())
        }),
        originator_id: (is_set(present, 9) && internal)
            .then(|| BgpIdentifier::from(input.four_octets())),
        cluster_list: list(input, is_set(present, 10) && internal, |input| {
            input.four_octets().into()
        }),
        only_to_customer: is_set(present, 11).then(|| asn(input)),
        unknown: if is_set(present, 12) { unknown(input) } else { Vec::new() },
    }
}

fn list<T>(
    input: &mut Input<'_>,
    present: bool,
    mut element: impl FnMut(&mut Input<'_>) -> T,
) -> Vec<T> {
    let count = if present { many(input) } else { 0 };
    (0..count).map(|_| element(input)).collect()
}

/// An AS number other than 0, which no path may have (RFC 7607).
fn asn(input: &mut Input<'_>) -> Asn {
    Asn(input.four_octets().max(1))
}

/// A path that reads back unchanged: segments have at most 255 AS numbers, and those of a confederation come first and only
/// if they are allowed.
fn as_path(input: &mut Input<'_>, cx: WireContext) -> AsPath {
    let confederation = cx.peer_type() == PeerType::Internal;
    let mut segments = Vec::new();
    for _ in 0..input.octet() % 5 {
        let kind = match input.octet() % 4 {
            0 => SegmentType::Set,
            1 if confederation => SegmentType::ConfedSequence,
            2 if confederation => SegmentType::ConfedSet,
            _ => SegmentType::Sequence,
        };

        let mut asns = list(input, true, asn);
        if kind.is_confederation() && !cx.is_four_octet_as() {
            // AS4_PATH has no confederation segments, so their four-octet AS numbers are lost (RFC 6793 section 4.2.2).
            for asn in &mut asns {
                *asn = asn.to_two_octets().into();
            }
        }

        for chunk in asns.chunks(255) {
            segments.push(AsPathSegment { kind, asns: chunk.to_vec() });
        }
    }

    segments.sort_by_key(|segment| !segment.kind.is_confederation());
    AsPath { segments }
}

fn next_hop(input: &mut Input<'_>, family: AfiSafi, cx: WireContext) -> NextHop {
    let v4 = family.afi == AfiSafi::IPV4_UNICAST.afi;
    let form = input.octet();
    if v4 && !(cx.has_extended_next_hop() && form & 1 != 0) {
        return NextHop::V4(input.four_octets().into());
    }
    let global = input.array::<16>().into();
    let link_local = (form & 2 != 0).then(|| input.array::<16>().into());
    NextHop::V6 { global, link_local }
}

/// Unknown optional transitive attributes, each code once.
fn unknown(input: &mut Input<'_>) -> Vec<RawAttribute> {
    let flags =
        AttributeFlags::OPTIONAL.with(AttributeFlags::TRANSITIVE).with(AttributeFlags::PARTIAL);
    let mut all = Vec::new();
    for _ in 0..input.octet() % 4 {
        let code = AttributeCode([0, 11, 99, 255][usize::from(input.octet() % 4)]);
        let length = many(input) * usize::from(input.octet());
        let mut value = input.take(length).to_vec();
        value.resize(length, 0);
        all.push(RawAttribute { code, flags, value: Bytes::from(value) });
    }

    all.sort_by_key(|raw| raw.code);
    all.dedup_by_key(|raw| raw.code);
    all
}

fn prefixes(input: &mut Input<'_>, family: AfiSafi, cx: WireContext) -> Prefixes {
    let v4 = family.afi == AfiSafi::IPV4_UNICAST.afi;
    let mut prefixes = Prefixes::new();
    for _ in 0..many(input) {
        let id = if cx.has_add_path(family) { input.four_octets() } else { 1 };
        let prefix = if v4 {
            let length = input.octet() % 33;
            IpNet::V4(Ipv4Net::new_assert(input.four_octets().into(), length).trunc())
        } else {
            let length = input.octet() % 129;
            IpNet::V6(Ipv6Net::new_assert(input.array::<16>().into(), length).trunc())
        };
        prefixes.push((id, prefix));
    }
    prefixes
}
