//! bgpkit-parser: `Bytes` in, a tree of attributes out. It has no number for a community, so that these are put together
//! again; nor for an extended community: where time is measured such ones are counted only; where what was seen is
//! compared, the number is read from what its encoder makes of them.

use bgpkit_parser::models::{
    AsPathSegment, AsnLength, Attribute, AttributeValue, BgpMessage, Community, NetworkPrefix,
};
use bgpkit_parser::parser::bgp::messages::parse_bgp_message;
use bytes::Bytes;
use ipnet::IpNet;

use crate::seen::{Seen, Sum};
use crate::streams::Stream;

pub(super) fn pass<const NUMBERS: bool>(stream: &Stream) -> Seen {
    let mut seen = Seen::default();
    let width = if stream.cx().is_four_octet_as() { AsnLength::Bits32 } else { AsnLength::Bits16 };
    for mut message in stream.shared_messages() {
        let Ok(BgpMessage::Update(update)) = parse_bgp_message(&mut message, false, &width) else {
            break;
        };
        seen.updates += 1;
        prefixes(&update.withdrawn_prefixes, &mut seen.withdrawn);
        prefixes(&update.announced_prefixes, &mut seen.announced);
        (&update.attributes).into_iter().for_each(|value| visit::<NUMBERS>(value, &mut seen));
    }
    seen
}

fn visit<const NUMBERS: bool>(attribute: &AttributeValue, seen: &mut Seen) {
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
            let octets = if NUMBERS { encoded(attribute) } else { Bytes::new() };
            let mut numbers = octets.rchunks_exact(8).rev().take(items.len());
            for item in items {
                std::hint::black_box(item);
                let number = numbers.next().and_then(<[u8]>::first_chunk);
                seen.communities.add(number.map_or(0, |octets| u64::from_be_bytes(*octets)));
            }
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

/// An attribute as its encoder writes it: a header, and then the values.
fn encoded(attribute: &AttributeValue) -> Bytes {
    Attribute::from(attribute.clone()).encode(AsnLength::Bits32).expect("it was read")
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
