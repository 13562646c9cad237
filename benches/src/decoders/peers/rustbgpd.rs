//! rustbgpd-wire: a message is three `Bytes`; parsed, it is a `Vec` of attributes.

use bytes::Buf;
use rustbgpd_wire::attribute::AsPathSegment;
use rustbgpd_wire::{MAX_MESSAGE_LEN, Message, NlriEntry, PathAttribute, Prefix, decode_message};

use crate::streams::Stream;
use crate::tally::{Sum, Tally};

pub(super) fn pass(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let mut rest = stream.octets().clone();
    let four_octet_as = stream.cx().is_four_octet_as();
    while rest.has_remaining() {
        let Ok(Message::Update(update)) = decode_message(&mut rest, MAX_MESSAGE_LEN) else { break };
        let Ok(parsed) = update.parse_revised(four_octet_as, false, false, &[]) else { break };
        tally.updates += 1;

        for entry in &parsed.update.withdrawn {
            tally.withdrawn.add_v4(entry.prefix.addr.into(), entry.prefix.len);
        }
        for entry in &parsed.update.announced {
            tally.announced.add_v4(entry.prefix.addr.into(), entry.prefix.len);
        }

        parsed.update.attributes.iter().for_each(|attribute| visit(attribute, &mut tally));
    }
    tally
}

fn visit(attribute: &PathAttribute, tally: &mut Tally) {
    match attribute {
        PathAttribute::AsPath(path) => {
            for segment in &path.segments {
                let (AsPathSegment::AsSet(asns) | AsPathSegment::AsSequence(asns)) = segment;
                asns.iter().for_each(|asn| tally.hops.add((*asn).into()));
            }
        }
        PathAttribute::Communities(items) | PathAttribute::CommunitiesPartial(items) => {
            items.iter().for_each(|item| tally.communities.add((*item).into()));
        }
        PathAttribute::ExtendedCommunities(items)
        | PathAttribute::ExtendedCommunitiesPartial(items) => {
            items.iter().for_each(|item| tally.communities.add(item.as_u64()));
        }
        PathAttribute::LargeCommunities(items) | PathAttribute::LargeCommunitiesPartial(items) => {
            for item in items {
                tally.communities.add_large(item.global_admin, item.local_data1, item.local_data2);
            }
        }
        PathAttribute::MpReachNlri(reach) => prefixes(&reach.announced, &mut tally.announced),
        PathAttribute::MpUnreachNlri(unreach) => prefixes(&unreach.withdrawn, &mut tally.withdrawn),
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
