//! bgp-core by its public API, as an application would call it: split the stream into frames, with all checks.

use bgp_core::wire::{Frame, OwnedUpdate, Prefixes, Update};
use bgp_core::{AfiSafi, IpNet};

use crate::streams::Stream;
use crate::tally::{Sum, Tally};

/// Calls `visit` for every UPDATE; stops at one that ends a session.
#[inline(always)]
fn updates<'a>(stream: &'a Stream, mut visit: impl FnMut(&Update<'a>, &mut Tally)) -> Tally {
    let mut tally = Tally::default();
    let mut rest: &[u8] = stream.octets();
    let cx = stream.cx();
    while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
        match Update::decode(frame, cx) {
            Ok(update) => visit(&update, &mut tally),
            Err(_) => break,
        }
        tally.updates += 1;
        rest = &rest[frame.as_bytes().len()..];
    }
    tally
}

/// Visits everything in a view.
pub(super) fn view(stream: &Stream) -> Tally {
    updates(stream, visit)
}

/// Visits everything in an owned copy of the message.
pub(super) fn owned(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let mut rest: &[u8] = stream.octets();
    let cx = stream.cx();
    while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
        let Ok(update) = OwnedUpdate::decode(frame, cx) else { break };
        visit(&update.view(), &mut tally);
        tally.updates += 1;
        rest = &rest[frame.as_bytes().len()..];
    }
    tally
}

/// Visits everything in an owned copy whose memory is reused for the next message.
pub(super) fn replaced(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let mut rest: &[u8] = stream.octets();
    let cx = stream.cx();
    let mut kept: Option<OwnedUpdate> = None;
    while let Ok(Some(frame)) = Frame::split(rest, cx.limit()) {
        let replaced = match &mut kept {
            Some(update) => update.replace(frame, cx),
            None => OwnedUpdate::decode(frame, cx).map(|update| kept = Some(update)),
        };
        let (Ok(()), Some(update)) = (replaced, &kept) else { break };
        visit(&update.view(), &mut tally);
        tally.updates += 1;
        rest = &rest[frame.as_bytes().len()..];
    }
    tally
}

/// Only decodes, without visiting any value.
pub(super) fn decode_only(stream: &Stream) -> Tally {
    updates(stream, |update, tally| {
        std::hint::black_box(update);
        tally.hops.count += u64::from(update.treatment() as u8);
    })
}

/// Visits the owned attributes of each message, and its prefixes.
pub(super) fn path_attributes(stream: &Stream) -> Tally {
    updates(stream, |update, tally| {
        let attributes = update.to_attributes();
        for segment in &attributes.as_path.segments {
            segment.asns.iter().for_each(|asn| tally.hops.add(asn.0.into()));
        }

        let communities = &mut tally.communities;
        attributes.communities.iter().for_each(|community| communities.add(community.0.into()));
        let extended = attributes.extended_communities.iter();
        extended.for_each(|community| communities.add(u64::from_be_bytes(community.0)));
        for community in &attributes.large_communities {
            let (first, second) = (community.local_data_1, community.local_data_2);
            communities.add_large(community.global_administrator, first, second);
        }

        prefixes(update, tally);
    })
}

#[inline(always)]
fn visit(update: &Update<'_>, tally: &mut Tally) {
    if let Some(path) = update.as_path() {
        for segment in path.segments() {
            segment.asns.for_each(|asn| tally.hops.add(asn.0.into()));
        }
    }

    let communities = &mut tally.communities;
    update.communities().for_each(|community| communities.add(community.0.into()));
    let extended = update.extended_communities();
    extended.for_each(|community| communities.add(u64::from_be_bytes(community.0)));
    update.large_communities().for_each(|community| {
        let (first, second) = (community.local_data_1, community.local_data_2);
        communities.add_large(community.global_administrator, first, second);
    });

    prefixes(update, tally);
}

#[inline(always)]
fn prefixes(update: &Update<'_>, tally: &mut Tally) {
    update.withdrawn().for_each(|prefix| {
        tally.withdrawn.add_v4(prefix.addr().into(), prefix.prefix_len());
    });
    update.nlri().for_each(|prefix| {
        tally.announced.add_v4(prefix.addr().into(), prefix.prefix_len());
    });

    if let Some(reach) = update.mp_reach() {
        unicast(reach.family(), reach.nlri(), &mut tally.announced);
    }
    if let Some(unreach) = update.mp_unreach() {
        unicast(unreach.family(), unreach.nlri(), &mut tally.withdrawn);
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
