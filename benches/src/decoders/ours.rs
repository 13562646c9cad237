//! bgp-core by its public API, as an embedder would call it: frames cut from the stream, every check on.

use bgp_core::wire::{Frame, OwnedUpdate, Prefixes, Update};
use bgp_core::{AfiSafi, IpNet};

use crate::seen::{Seen, Sum};
use crate::streams::Stream;

/// Calls `visit` with every UPDATE; stops at one that ends a session.
#[inline(always)]
fn updates<'a>(stream: &'a Stream, mut visit: impl FnMut(&Update<'a>, &mut Seen)) -> Seen {
    let mut seen = Seen::default();
    let mut rest: &[u8] = stream.octets();
    let cx = stream.cx();
    while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
        match Update::decode(frame, cx) {
            Ok(update) => visit(&update, &mut seen),
            Err(_) => break,
        }
        seen.updates += 1;
        rest = &rest[frame.as_bytes().len()..];
    }
    seen
}

/// The view, everything in it visited.
pub(super) fn view(stream: &Stream) -> Seen {
    updates(stream, visit)
}

/// The message in a copy of its own, everything in it visited.
pub(super) fn owned(stream: &Stream) -> Seen {
    let mut seen = Seen::default();
    let mut rest: &[u8] = stream.octets();
    let cx = stream.cx();
    while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
        let Ok(update) = OwnedUpdate::decode(frame, cx) else { break };
        visit(&update.view(), &mut seen);
        seen.updates += 1;
        rest = &rest[frame.as_bytes().len()..];
    }
    seen
}

/// The view, nothing visited but what says how many there are.
pub(super) fn decode_only(stream: &Stream) -> Seen {
    updates(stream, |update, seen| {
        std::hint::black_box(update);
        seen.hops.count += u64::from(update.treatment() as u8);
    })
}

/// The owned attributes of each message, and its prefixes.
pub(super) fn path_attributes(stream: &Stream) -> Seen {
    updates(stream, |update, seen| {
        let attributes = update.to_attributes();
        for segment in &attributes.as_path.segments {
            segment.asns.iter().for_each(|asn| seen.hops.add(asn.0.into()));
        }
        let communities = &mut seen.communities;
        attributes.communities.iter().for_each(|community| communities.add(community.0.into()));
        let extended = attributes.extended_communities.iter();
        extended.for_each(|community| communities.add(u64::from_be_bytes(community.0)));
        for community in &attributes.large_communities {
            let (first, second) = (community.local_data_1, community.local_data_2);
            communities.add_large(community.global_administrator, first, second);
        }
        prefixes(update, seen);
    })
}

#[inline(always)]
fn visit(update: &Update<'_>, seen: &mut Seen) {
    if let Some(path) = update.as_path() {
        for segment in path.segments() {
            segment.asns.for_each(|asn| seen.hops.add(asn.0.into()));
        }
    }
    let communities = &mut seen.communities;
    update.communities().for_each(|community| communities.add(community.0.into()));
    let extended = update.extended_communities();
    extended.for_each(|community| communities.add(u64::from_be_bytes(community.0)));
    update.large_communities().for_each(|community| {
        let (first, second) = (community.local_data_1, community.local_data_2);
        communities.add_large(community.global_administrator, first, second);
    });
    prefixes(update, seen);
}

#[inline(always)]
fn prefixes(update: &Update<'_>, seen: &mut Seen) {
    let v4 = |sum: &mut Sum, prefix: ipnet::Ipv4Net| {
        sum.add_v4(prefix.addr().into(), prefix.prefix_len());
    };
    update.withdrawn().for_each(|prefix| v4(&mut seen.withdrawn, prefix));
    update.nlri().for_each(|prefix| v4(&mut seen.announced, prefix));
    if let Some(reach) = update.mp_reach() {
        unicast(reach.family(), reach.nlri(), &mut seen.announced);
    }
    if let Some(unreach) = update.mp_unreach() {
        unicast(unreach.family(), unreach.nlri(), &mut seen.withdrawn);
    }
}

#[inline(always)]
fn unicast(family: AfiSafi, prefixes: Prefixes<'_>, sum: &mut Sum) {
    if family != AfiSafi::IPV4_UNICAST && family != AfiSafi::IPV6_UNICAST {
        return;
    }
    prefixes.for_each(|prefix| match prefix {
        IpNet::V4(prefix) => sum.add_v4(prefix.addr().into(), prefix.prefix_len()),
        IpNet::V6(prefix) => sum.add_v6_address(prefix.addr(), prefix.prefix_len()),
    });
}
