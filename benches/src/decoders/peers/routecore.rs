//! routecore: a view like ours, with accessors. Each accessor searches for its attribute from the first one on.

use std::net::IpAddr;

use routecore::bgp::aspath::Hop;
use routecore::bgp::message::UpdateMessage;
use routecore::bgp::message::update::SessionConfig;
use routecore::bgp::nlri::afisafi::{IsPrefix, Nlri};

use crate::streams::Stream;
use crate::tally::{Sum, Tally};

pub(super) fn pass(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let config = if stream.cx().is_four_octet_as() {
        SessionConfig::modern()
    } else {
        SessionConfig::legacy()
    };

    for message in stream.messages() {
        let Ok(update) = UpdateMessage::from_octets(message, &config) else { break };
        if visit(&update, &mut tally).is_none() {
            break;
        }
        tally.updates += 1;
    }
    tally
}

fn visit(update: &UpdateMessage<&[u8]>, tally: &mut Tally) -> Option<()> {
    if let Some(path) = update.aspath().ok()? {
        for hop in path.hops() {
            match hop {
                Hop::Asn(asn) => tally.hops.add(asn.into_u32().into()),
                Hop::Segment(segment) => {
                    segment.asns().for_each(|asn| tally.hops.add(asn.into_u32().into()));
                }
            }
        }
    }

    if let Some(items) = update.communities().ok()? {
        items.for_each(|item| tally.communities.add(item.to_u32().into()));
    }
    if let Some(items) = update.ext_communities().ok()? {
        items.for_each(|item| tally.communities.add(u64::from_be_bytes(item.to_raw())));
    }
    if let Some(items) = update.large_communities().ok()? {
        for item in items {
            let (first, second) = (item.local1(), item.local2());
            tally.communities.add_large(item.global(), first, second);
        }
    }

    for nlri in update.announcements().ok()? {
        prefix(&nlri.ok()?, &mut tally.announced);
    }
    for nlri in update.withdrawals().ok()? {
        prefix(&nlri.ok()?, &mut tally.withdrawn);
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
