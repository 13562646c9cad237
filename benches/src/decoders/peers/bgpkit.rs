//! bgpkit-parser: reads `Bytes` into a tree of attributes.
//!
//! It does not have communities as numbers, so these are reassembled. Extended communities are only counted when measuring;
//! when comparing tallies, their numbers are read from the output of its encoder.

use bgpkit_parser::models::{
    AsPathSegment, AsnLength, Attribute, AttributeValue, BgpMessage, Community, NetworkPrefix,
};
use bgpkit_parser::parser::bgp::messages::parse_bgp_message;
use bytes::Bytes;
use ipnet::IpNet;

use crate::streams::Stream;
use crate::tally::{Sum, Tally};

pub(super) fn pass<const NUMBERS: bool>(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let width = if stream.cx().is_four_octet_as() { AsnLength::Bits32 } else { AsnLength::Bits16 };
    for mut message in stream.shared_messages() {
        let Ok(BgpMessage::Update(update)) = parse_bgp_message(&mut message, false, &width) else {
            break;
        };
        tally.updates += 1;

        prefixes(&update.withdrawn_prefixes, &mut tally.withdrawn);
        prefixes(&update.announced_prefixes, &mut tally.announced);
        (&update.attributes).into_iter().for_each(|value| visit::<NUMBERS>(value, &mut tally));
    }
    tally
}

fn visit<const NUMBERS: bool>(attribute: &AttributeValue, tally: &mut Tally) {
    match attribute {
        AttributeValue::AsPath(path) => {
            for segment in &path.segments {
                let (AsPathSegment::AsSequence(asns)
                | AsPathSegment::AsSet(asns)
                | AsPathSegment::ConfedSequence(asns)
                | AsPathSegment::ConfedSet(asns)) = segment;
                asns.iter().for_each(|asn| tally.hops.add(asn.to_u32().into()));
            }
        }
        AttributeValue::Communities(items) => {
            items.iter().for_each(|item| tally.communities.add(number(item).into()));
        }
        AttributeValue::ExtendedCommunities(items) => {
            let octets = if NUMBERS { encoded(attribute) } else { Bytes::new() };

            let mut numbers = octets.rchunks_exact(8).rev().take(items.len());
            for item in items {
                std::hint::black_box(item);
                let number = numbers.next().and_then(<[u8]>::first_chunk);
                tally.communities.add(number.map_or(0, |octets| u64::from_be_bytes(*octets)));
            }
        }
        AttributeValue::LargeCommunities(items) => {
            for item in items {
                let [first, second] = item.local_data;
                tally.communities.add_large(item.global_admin, first, second);
            }
        }
        AttributeValue::MpReachNlri(nlri) => prefixes(&nlri.prefixes, &mut tally.announced),
        AttributeValue::MpUnreachNlri(nlri) => prefixes(&nlri.prefixes, &mut tally.withdrawn),
        _ => {}
    }
}

/// An attribute as its encoder writes it: a header, followed by the values.
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
