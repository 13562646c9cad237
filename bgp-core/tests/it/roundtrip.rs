//! Round trips: encoded values decode unchanged, and decoded messages encode unchanged.

use std::hash::{DefaultHasher, Hasher};

use bgp_core::wire::{
    AsPath, AttributeBlock, AttributeFlags, Frame, Message, NextHop, PathAttributes, RouteRefresh,
    RouteRefreshSubtype, Treatment, Update, UpdateWriter, WireContext,
};
use bgp_core::{AfiSafi, IpNet, PeerType};
use bytes::BytesMut;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::strategies::{
    confederation_path, context, family, notification, open, path_attributes, routes,
};

/// Encodes an UPDATE with as many prefixes as fit, and returns their number.
pub(crate) fn announce(
    attributes: &PathAttributes,
    family: AfiSafi,
    next_hop: &NextHop,
    prefixes: &[(IpNet, u32)],
    cx: WireContext,
) -> (BytesMut, usize) {
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    block.encode(attributes, cx);
    let mut writer = UpdateWriter::reach(&mut out, family, next_hop, &block, cx);
    let pushed = prefixes.iter().take_while(|(prefix, id)| writer.push_with_path_id(*prefix, *id));
    let count = pushed.count();
    assert_eq!(writer.finish(), count);
    (out, count)
}

fn only_message(octets: &[u8], cx: WireContext) -> Message<'_> {
    let frame = Frame::split(octets, cx.limit()).unwrap().unwrap();
    assert_eq!(frame.as_bytes().len(), octets.len());
    Message::decode(frame, cx).unwrap()
}

fn only_update(octets: &[u8], cx: WireContext) -> Update<'_> {
    match only_message(octets, cx) {
        Message::Update(update) => update,
        other => panic!("no UPDATE: {other:?}"),
    }
}

/// The attributes as they are sent to the peer.
fn as_sent(attributes: &PathAttributes, next_hop: NextHop, cx: WireContext) -> PathAttributes {
    let mut sent = PathAttributes { next_hop: Some(next_hop), ..attributes.clone() };
    if cx.peer_type() == PeerType::External {
        sent.local_pref = None;
        sent.originator_id = None;
        sent.cluster_list.clear();
        sent.unknown.retain(|raw| raw.flags.contains(AttributeFlags::TRANSITIVE));
    }
    sent
}

/// The context with extended next hops if the next hop needs them (RFC 8950).
fn fitting(cx: WireContext, family: AfiSafi, next_hop: &NextHop) -> WireContext {
    let mixed = family == AfiSafi::IPV4_UNICAST && matches!(next_hop, NextHop::V6 { .. });
    if mixed { cx.extended_next_hop(true) } else { cx }
}

/// Returns true if the path is the same after a session with two-octet AS numbers. AS4_PATH has as many hops as AS_PATH only
/// if each set has one AS number; nothing else is lost by RFC 6793.
fn survives_two_octets(attributes: &PathAttributes) -> bool {
    let path = &attributes.as_path;
    let loses =
        path.segments.iter().flat_map(|segment| &segment.asns).any(|asn| !asn.fits_two_octets());
    // The decoder joins adjacent sequences; the order of AS numbers is the same.
    !loses || path.segments.len() < 2
}

proptest! {
    #[test]
    fn an_encoded_update_decodes_unchanged(
        attributes in path_attributes(),
        (family, next_hop, prefixes) in routes(),
        ids in any::<u32>(),
        cx in context(),
    ) {
        let cx = fitting(cx, family, &next_hop);
        let prefixes: Vec<_> = prefixes.into_iter().zip(ids..=u32::MAX).collect();
        let (out, count) = announce(&attributes, family, &next_hop, &prefixes, cx);
        prop_assume!(count > 0);
        let update = only_update(&out, cx);
        prop_assert_eq!(update.treatment(), Treatment::None);
        prop_assert_eq!(update.findings().count(), 0);
        let read: Vec<_> = update.reachable().with_path_ids().collect();
        let ids = cx.has_add_path(family);
        let sent: Vec<_> =
            prefixes[..count].iter().map(|(prefix, id)| (ids.then_some(*id), *prefix)).collect();
        prop_assert_eq!(read, sent);
        if cx.is_four_octet_as() || survives_two_octets(&attributes) {
            prop_assert_eq!(update.to_attributes(), as_sent(&attributes, next_hop, cx));
        }
    }

    #[test]
    fn an_update_has_the_attributes_that_are_read_from_it_and_no_others(
        attributes in path_attributes(),
        other in path_attributes(),
        (family, next_hop, prefixes) in routes(),
        cx in context(),
    ) {
        let cx = fitting(cx, family, &next_hop);
        let prefixes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, 7)).collect();
        let (octets, count) = announce(&attributes, family, &next_hop, &prefixes, cx);
        prop_assume!(count > 0);
        let update = only_update(&octets, cx);
        let own = update.to_attributes_for(family);
        prop_assert!(update.has_attributes(family, &own));

        let PathAttributes { med, local_pref, aggregator, only_to_customer, .. } = other;
        let PathAttributes { origin, atomic_aggregate, originator_id, .. } = other;
        let changed = [
            PathAttributes { origin, ..own.clone() },
            PathAttributes { as_path: other.as_path, ..own.clone() },
            PathAttributes { next_hop: None, ..own.clone() },
            PathAttributes { med, ..own.clone() },
            PathAttributes { local_pref, ..own.clone() },
            PathAttributes { atomic_aggregate, ..own.clone() },
            PathAttributes { aggregator, ..own.clone() },
            PathAttributes { communities: other.communities, ..own.clone() },
            PathAttributes { extended_communities: other.extended_communities, ..own.clone() },
            PathAttributes {
                ipv6_extended_communities: other.ipv6_extended_communities,
                ..own.clone()
            },
            PathAttributes { large_communities: other.large_communities, ..own.clone() },
            PathAttributes { originator_id, ..own.clone() },
            PathAttributes { cluster_list: other.cluster_list, ..own.clone() },
            PathAttributes { only_to_customer, ..own.clone() },
            PathAttributes { unknown: other.unknown, ..own.clone() },
        ];
        for changed in changed {
            prop_assert_eq!(update.has_attributes(family, &changed), changed == own);
        }

        let (octets, _) = announce(&attributes, family, &next_hop, &prefixes[..1], cx);
        let hash = |update: Update<'_>| {
            let mut hasher = DefaultHasher::new();
            update.hash_attributes(family, &mut hasher);
            hasher.finish()
        };
        prop_assert_eq!(hash(update), hash(only_update(&octets, cx)), "other prefixes");
    }

    #[test]
    fn a_decoded_update_encodes_to_the_same_octets(
        attributes in path_attributes(),
        (family, next_hop, prefixes) in routes(),
        cx in context(),
    ) {
        prop_assume!(cx.is_four_octet_as() || survives_two_octets(&attributes));
        let cx = fitting(cx, family, &next_hop);
        let prefixes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, 7)).collect();
        let (canonical, count) = announce(&attributes, family, &next_hop, &prefixes, cx);
        prop_assume!(count > 0);
        let update = only_update(&canonical, cx);
        let owned = update.to_attributes();
        let routes: Vec<_> = update.reachable().map(|prefix| (prefix, 7)).collect();
        let (again, _) = announce(&owned, family, &owned.next_hop.unwrap(), &routes, cx);
        prop_assert_eq!(again, canonical);
    }

    #[test]
    fn the_owned_form_equals_the_view(
        attributes in path_attributes(),
        (family, next_hop, prefixes) in routes(),
        cx in context().prop_map(|cx| cx.four_octet_as(true)),
    ) {
        let cx = fitting(cx, family, &next_hop);
        let prefixes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, 7)).collect();
        let (out, count) = announce(&attributes, family, &next_hop, &prefixes, cx);
        prop_assume!(count > 0);
        let view = only_update(&out, cx);
        let owned = view.to_attributes();
        prop_assert_eq!(view.origin(), Some(owned.origin));

        let path = view.as_path().unwrap();
        prop_assert_eq!(path.to_string(), owned.as_path.to_string());
        prop_assert_eq!(path.hop_count(), owned.as_path.hop_count());
        prop_assert_eq!((path.first_as(), path.origin_as()), (owned.as_path.first_as(), owned.as_path.origin_as()));
        prop_assert_eq!((view.med(), view.local_pref()), (owned.med, owned.local_pref));
        prop_assert_eq!(view.aggregator(), owned.aggregator);
        prop_assert!(view.communities().eq(owned.communities.iter().copied()));
        prop_assert_eq!(view.communities().len(), owned.communities.len());
        prop_assert!(view.extended_communities().eq(owned.extended_communities.iter().copied()));
        prop_assert!(view.large_communities().eq(owned.large_communities.iter().copied()));
        prop_assert!(view.cluster_list().eq(owned.cluster_list.iter().copied()));
        prop_assert!(view.ipv6_extended_communities().eq(owned.ipv6_extended_communities.iter().copied()));
        prop_assert_eq!(view.originator_id(), owned.originator_id);
        prop_assert_eq!(view.only_to_customer(), owned.only_to_customer);
        prop_assert_eq!(view.aigp(), owned.aigp());

        let known = owned.unknown.iter().filter(|raw| raw.code.name().is_some()).count();
        prop_assert_eq!(view.unknown().count(), owned.unknown.len() - known);
        let next_hop = view.mp_reach().and_then(|reach| reach.next_hop());
        prop_assert_eq!(next_hop.or_else(|| view.next_hop().map(NextHop::V4)), owned.next_hop);
    }

    #[test]
    fn confederation_paths_survive_a_round_trip_within_the_confederation(
        as_path in confederation_path(),
        (family, next_hop, prefixes) in routes(),
        cx in context().prop_map(|cx| cx.four_octet_as(true).confederation(true)),
    ) {
        let cx = fitting(cx, family, &next_hop);
        let attributes = PathAttributes { as_path, ..PathAttributes::default() };
        let prefixes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix, 7)).collect();
        let (out, _) = announce(&attributes, family, &next_hop, &prefixes, cx);
        let update = only_update(&out, cx);
        prop_assert_eq!(update.treatment(), Treatment::None);
        prop_assert_eq!(update.to_attributes().as_path, attributes.as_path);
        // As text as well, except for the borders between sequences.
        let path = update.as_path().unwrap().to_string();
        prop_assert_eq!(path.parse::<AsPath>().map(|path| path.to_string()), Ok(path));
    }

    #[test]
    fn nlri_of_other_families_survive_a_round_trip_as_octets(
        attributes in path_attributes(),
        family in family(),
        nlri in vec(any::<u8>(), 1..200),
        cx in context().prop_map(|cx| cx.four_octet_as(true)),
    ) {
        let of_prefixes = matches!((family.afi.0, family.safi.0), (1 | 2, 1 | 2));
        prop_assume!(!of_prefixes);
        let next_hop = NextHop::V4([10, 0, 0, 1].into());
        let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
        block.encode(&attributes, cx);
        let mut writer = UpdateWriter::reach(&mut out, family, &next_hop, &block, cx);
        prop_assume!(writer.push_opaque(&nlri));
        prop_assert_eq!(writer.finish(), 1);

        let mut writer = UpdateWriter::unreach(&mut out, family, cx);
        prop_assert!(writer.push_opaque(&nlri));
        writer.finish();
        let first = Frame::split(&out, cx.limit()).unwrap().unwrap().as_bytes().len();
        let (reach, unreach) = (only_update(&out[..first], cx), only_update(&out[first..], cx));
        prop_assert_eq!((reach.treatment(), unreach.treatment()), (Treatment::None, Treatment::None));

        let mp = reach.mp_reach().unwrap();
        prop_assert_eq!((mp.family(), mp.nlri_octets()), (family, &nlri[..]));
        prop_assert_eq!((reach.reachable().count(), unreach.unreachable().count()), (0, 0));
        prop_assert_eq!(unreach.mp_unreach().unwrap().nlri_octets(), &nlri[..]);
    }

    #[test]
    fn many_prefixes_at_once_are_written_like_one_by_one(
        attributes in path_attributes(),
        (family, next_hop, prefixes) in routes(),
        more in 1..2_000usize,
        cx in context(),
    ) {
        // Sometimes more than fit in a message.
        let prefixes: Vec<_> = prefixes.iter().copied().cycle().take(more).collect();
        let numbered: Vec<_> = prefixes.iter().map(|prefix| (*prefix, 1)).collect();
        let (one_by_one, count) = announce(&attributes, family, &next_hop, &numbered, cx);
        let (mut out, mut block) = (BytesMut::from(&b"before"[..]), AttributeBlock::new());
        block.encode(&attributes, cx);
        let mut writer = UpdateWriter::reach(&mut out, family, &next_hop, &block, cx);
        prop_assert_eq!(writer.push_all(&prefixes), count);
        prop_assert_eq!(writer.finish(), count);
        prop_assert_eq!(&out[6..], &one_by_one[..]);
    }

    #[test]
    fn directly_encoded_attributes_are_the_same_as_those_of_a_block(
        attributes in path_attributes(),
        (family, next_hop, prefixes) in routes(),
        more in 1..2_000usize,
        (at_once, cx) in (any::<bool>(), context()),
    ) {
        let prefixes: Vec<_> = prefixes.iter().copied().cycle().take(more).collect();
        let numbered: Vec<_> = prefixes.iter().map(|prefix| (*prefix, 1)).collect();
        let (by_block, count) = announce(&attributes, family, &next_hop, &numbered, cx);
        let mut out = BytesMut::from(&b"before"[..]);
        let mut writer = UpdateWriter::reach_with(&mut out, family, &next_hop, &attributes, cx);
        let pushed = if at_once {
            writer.push_all(&prefixes)
        } else {
            prefixes.iter().take_while(|prefix| writer.push(**prefix)).count()
        };
        prop_assert_eq!(writer.finish(), pushed);
        // The estimate includes repeated large communities and attributes that are not sent.
        let exact = attributes.large_communities.len() < 2 && attributes.unknown.is_empty();
        prop_assert!(pushed <= count && (pushed == count || !exact), "{} of {}", pushed, count);
        let again = announce(&attributes, family, &next_hop, &numbered[..pushed], cx).0;
        prop_assert_eq!(&out[6..], if pushed == count { &by_block[..] } else { &again[..] });
    }

    #[test]
    fn encoded_withdrawals_decode_unchanged((family, _, prefixes) in routes(), cx in context()) {
        let mut out = BytesMut::new();
        let mut writer = UpdateWriter::unreach(&mut out, family, cx);
        let pushed = prefixes.iter().take_while(|prefix| writer.push(**prefix)).count();
        prop_assert_eq!(writer.finish(), pushed);
        prop_assert_eq!(pushed, prefixes.len());
        let update = only_update(&out, cx);
        prop_assert!(update.unreachable().eq(prefixes));
        prop_assert_eq!(update.reachable().count(), 0);
    }

    #[test]
    fn an_encoded_open_decodes_unchanged(open in open(), cx in context()) {
        let mut out = BytesMut::new();
        open.encode(&mut out);
        let Message::Open(mut read) = only_message(&out, cx) else { panic!("no OPEN") };
        read.extended_parameters = false;
        prop_assert_eq!(read, open);
    }

    #[test]
    fn the_other_encoded_messages_decode_unchanged(
        notification in notification(),
        family in family(),
        subtype in any::<u8>(),
        cx in context(),
    ) {
        let mut out = BytesMut::new();
        notification.encode(&mut out);
        let Message::Notification(read) = only_message(&out, cx) else { panic!("no NOTIFICATION") };
        // Any message prints on one line.
        prop_assert!(!read.to_string().contains(|c: char| c.is_control()));
        prop_assert_eq!(read, notification);

        let refresh = RouteRefresh { family, subtype: RouteRefreshSubtype(subtype) };
        let mut out = BytesMut::new();
        refresh.encode(&mut out);
        let Message::RouteRefresh(read) = only_message(&out, cx) else { panic!("no ROUTE-REFRESH") };
        prop_assert_eq!(read, refresh);
    }
}
