//! bgpkit-parser: `Bytes` in, a tree of attributes out. It has no number for a community or an extended community, so
//! that these are put together again.

use bgpkit_parser::models::{
    AsPathSegment, AsnLength, AttributeValue, BgpMessage, Community, NetworkPrefix,
};
use bgpkit_parser::parser::bgp::messages::parse_bgp_message;
use ipnet::IpNet;

use crate::seen::{Seen, Sum};
use crate::streams::Stream;

pub(super) fn pass(stream: &Stream) -> Seen {
    let mut seen = Seen::default();
    let width = if stream.cx().is_four_octet_as() { AsnLength::Bits32 } else { AsnLength::Bits16 };
    for mut message in stream.shared_messages() {
        let Ok(BgpMessage::Update(update)) = parse_bgp_message(&mut message, false, &width) else {
            break;
        };
        seen.updates += 1;
        prefixes(&update.withdrawn_prefixes, &mut seen.withdrawn);
        prefixes(&update.announced_prefixes, &mut seen.announced);
        (&update.attributes).into_iter().for_each(|value| visit(value, &mut seen));
    }
    seen
}

fn visit(attribute: &AttributeValue, seen: &mut Seen) {
    match attribute {
        AttributeValue::AsPath(path) => {
            for segment in &path.segments {
                let (AsPathSegment::AsSequence(asns)
                | AsPathSegment::AsSet(asns)
                | AsPathSegment::ConfedSequence(asns)
                | AsPathSegment::ConfedSet(asns)) = segment;
                asns.iter().for_each(|asn| seen.hops.add(asn.to_u32().into()));
            }
        }
        AttributeValue::Communities(items) => {
            items.iter().for_each(|item| seen.communities.add(number(item).into()));
        }
        AttributeValue::ExtendedCommunities(items) => {
            items.iter().for_each(|item| {
                std::hint::black_box(item);
                seen.communities.add(0);
            });
        }
        AttributeValue::LargeCommunities(items) => {
            for item in items {
                let [first, second] = item.local_data;
                seen.communities.add_large(item.global_admin, first, second);
            }
        }
        AttributeValue::MpReachNlri(nlri) => prefixes(&nlri.prefixes, &mut seen.announced),
        AttributeValue::MpUnreachNlri(nlri) => prefixes(&nlri.prefixes, &mut seen.withdrawn),
        _ => {}
    }
}

fn number(community: &Community) -> u32 {
    match community {
        Community::NoExport => 0xffff_ff01,
        Community::NoAdvertise => 0xffff_ff02,
        Community::NoExportSubConfed => 0xffff_ff03,
        Community::Custom(asn, value) => asn.to_u32() << 16 | u32::from(*value),
    }
}

fn prefixes(prefixes: &[NetworkPrefix], sum: &mut Sum) {
    for prefix in prefixes {
        match prefix.prefix {
            IpNet::V4(prefix) => sum.add_v4(prefix.addr().into(), prefix.prefix_len()),
            IpNet::V6(prefix) => sum.add_v6_address(prefix.addr(), prefix.prefix_len()),
        }
    }
}
