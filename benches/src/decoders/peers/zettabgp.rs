//! zettabgp: a `Vec` of attributes; communities are `BTreeSet`s, without repeated ones.

use std::net::Ipv4Addr;

use zettabgp::prelude::{
    BgpASitem, BgpAddrs, BgpAttrItem, BgpMessage, BgpSessionParams, BgpTransportMode,
    BgpUpdateMessage,
};

use crate::streams::Stream;
use crate::tally::{Sum, Tally};

pub(super) fn pass(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let router_id = Ipv4Addr::new(192, 0, 2, 1);
    let mut session =
        BgpSessionParams::new(64_512, 180, BgpTransportMode::IPv4, router_id, Vec::new());
    session.has_as32bit = stream.cx().is_four_octet_as();

    let mut rest: &[u8] = stream.octets();
    while let Ok((_, length)) = session.decode_message_head(rest) {
        let mut update = BgpUpdateMessage::new();
        let Some(body) = rest.get(19..19 + length) else { break };
        if update.decode_from(&session, body).is_err() {
            break;
        }

        tally.updates += 1;
        prefixes(&update.withdraws, &mut tally.withdrawn);
        prefixes(&update.updates, &mut tally.announced);
        update.attrs.iter().for_each(|attribute| visit(attribute, &mut tally));
        rest = &rest[19 + length..];
    }
    tally
}

fn visit(attribute: &BgpAttrItem, tally: &mut Tally) {
    match attribute {
        BgpAttrItem::ASPath(path) => {
            for item in &path.value {
                match item {
                    BgpASitem::Seq(asns) => {
                        asns.value.iter().for_each(|asn| tally.hops.add(asn.value.into()));
                    }
                    BgpASitem::Set(asns) => {
                        asns.value.iter().for_each(|asn| tally.hops.add(asn.value.into()));
                    }
                }
            }
        }
        BgpAttrItem::CommunityList(list) => {
            list.value.iter().for_each(|item| tally.communities.add(item.value.into()));
        }
        BgpAttrItem::ExtCommunityList(list) => {
            for item in &list.value {
                let head = u64::from(item.ctype) << 56 | u64::from(item.subtype) << 48;
                tally.communities.add(head | u64::from(item.a) << 32 | u64::from(item.b));
            }
        }
        BgpAttrItem::LargeCommunityList(list) => {
            for item in &list.value {
                tally.communities.add_large(item.ga, item.ldp1, item.ldp2);
            }
        }
        BgpAttrItem::MPUpdates(updates) => prefixes(&updates.addrs, &mut tally.announced),
        BgpAttrItem::MPWithdraws(withdraws) => prefixes(&withdraws.addrs, &mut tally.withdrawn),
        _ => {}
    }
}

fn prefixes(addresses: &BgpAddrs, sum: &mut Sum) {
    match addresses {
        BgpAddrs::IPV4U(prefixes) => {
            prefixes.iter().for_each(|prefix| sum.add_v4(prefix.addr.into(), prefix.prefixlen));
        }
        BgpAddrs::IPV6U(prefixes) => {
            prefixes.iter().for_each(|prefix| sum.add_v6_address(prefix.addr, prefix.prefixlen));
        }
        _ => {}
    }
}
