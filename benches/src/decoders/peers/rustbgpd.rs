//! rustbgpd-wire: a message is three `Bytes`, and its parsed form a `Vec` of attributes.

use bytes::Buf;
use rustbgpd_wire::attribute::AsPathSegment;
use rustbgpd_wire::{MAX_MESSAGE_LEN, Message, NlriEntry, PathAttribute, Prefix, decode_message};

use crate::seen::{Seen, Sum};
use crate::streams::Stream;

pub(super) fn pass(stream: &Stream) -> Seen {
    let mut seen = Seen::default();
    let mut rest = stream.octets().clone();
    let four_octet_as = stream.cx().is_four_octet_as();
    while rest.has_remaining() {
        let Ok(Message::Update(update)) = decode_message(&mut rest, MAX_MESSAGE_LEN) else { break };
        let Ok(parsed) = update.parse_revised(four_octet_as, false, false, &[]) else { break };
        seen.updates += 1;
        for entry in &parsed.update.withdrawn {
            seen.withdrawn.add_v4(entry.prefix.addr.into(), entry.prefix.len);
        }
        for entry in &parsed.update.announced {
            seen.announced.add_v4(entry.prefix.addr.into(), entry.prefix.len);
        }
        parsed.update.attributes.iter().for_each(|attribute| visit(attribute, &mut seen));
    }
    seen
}

fn visit(attribute: &PathAttribute, seen: &mut Seen) {
    match attribute {
        PathAttribute::AsPath(path) => {
            for segment in &path.segments {
                let (AsPathSegment::AsSet(asns) | AsPathSegment::AsSequence(asns)) = segment;
                asns.iter().for_each(|asn| seen.hops.add((*asn).into()));
            }
        }
        PathAttribute::Communities(items) | PathAttribute::CommunitiesPartial(items) => {
            items.iter().for_each(|item| seen.communities.add((*item).into()));
        }
        PathAttribute::ExtendedCommunities(items)
        | PathAttribute::ExtendedCommunitiesPartial(items) => {
            items.iter().for_each(|item| seen.communities.add(item.as_u64()));
        }
        PathAttribute::LargeCommunities(items) | PathAttribute::LargeCommunitiesPartial(items) => {
            for item in items {
                seen.communities.add_large(item.global_admin, item.local_data1, item.local_data2);
            }
        }
        PathAttribute::MpReachNlri(reach) => prefixes(&reach.announced, &mut seen.announced),
        PathAttribute::MpUnreachNlri(unreach) => prefixes(&unreach.withdrawn, &mut seen.withdrawn),
        _ => {}
    }
}

fn prefixes(entries: &[NlriEntry], sum: &mut Sum) {
    for entry in entries {
        match entry.prefix {
            Prefix::V4(prefix) => sum.add_v4(prefix.addr.into(), prefix.len),
            Prefix::V6(prefix) => sum.add_v6_address(prefix.addr, prefix.len),
        }
    }
}
