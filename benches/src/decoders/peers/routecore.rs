//! routecore: a view like ours, by its accessors. Each accessor looks for its attribute from the first one on.

use std::net::IpAddr;

use routecore::bgp::aspath::Hop;
use routecore::bgp::message::UpdateMessage;
use routecore::bgp::message::update::SessionConfig;
use routecore::bgp::nlri::afisafi::{IsPrefix, Nlri};

use crate::seen::{Seen, Sum};
use crate::streams::Stream;

pub(super) fn pass(stream: &Stream) -> Seen {
    let mut seen = Seen::default();
    let config = if stream.cx().is_four_octet_as() {
        SessionConfig::modern()
    } else {
        SessionConfig::legacy()
    };
    for message in stream.messages() {
        let Ok(update) = UpdateMessage::from_octets(message, &config) else { break };
        if visit(&update, &mut seen).is_none() {
            break;
        }
        seen.updates += 1;
    }
    seen
}

fn visit(update: &UpdateMessage<&[u8]>, seen: &mut Seen) -> Option<()> {
    if let Some(path) = update.aspath().ok()? {
        for hop in path.hops() {
            match hop {
                Hop::Asn(asn) => seen.hops.add(asn.into_u32().into()),
                Hop::Segment(segment) => {
                    segment.asns().for_each(|asn| seen.hops.add(asn.into_u32().into()));
                }
            }
        }
    }
    if let Some(items) = update.communities().ok()? {
        items.for_each(|item| seen.communities.add(item.to_u32().into()));
    }
    if let Some(items) = update.ext_communities().ok()? {
        items.for_each(|item| seen.communities.add(u64::from_be_bytes(item.to_raw())));
    }
    if let Some(items) = update.large_communities().ok()? {
        for item in items {
            let (first, second) = (item.local1(), item.local2());
            seen.communities.add_large(item.global(), first, second);
        }
    }
    for nlri in update.announcements().ok()? {
        prefix(&nlri.ok()?, &mut seen.announced);
    }
    for nlri in update.withdrawals().ok()? {
        prefix(&nlri.ok()?, &mut seen.withdrawn);
    }
    Some(())
}

fn prefix(nlri: &Nlri<&[u8]>, sum: &mut Sum) {
    let prefix = match nlri {
        Nlri::Ipv4Unicast(nlri) => nlri.prefix(),
        Nlri::Ipv6Unicast(nlri) => nlri.prefix(),
        _ => return,
    };
    match prefix.addr() {
        IpAddr::V4(address) => sum.add_v4(address.into(), prefix.len()),
        IpAddr::V6(address) => sum.add_v6_address(address, prefix.len()),
    }
}
