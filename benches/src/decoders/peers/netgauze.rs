//! netgauze-bgp-pkt: boxed slices of exact size.
//!
//! It does not have extended communities as numbers. They are only counted when measuring; when comparing tallies, their
//! numbers are read from the output of its encoder.

use std::collections::HashMap;

use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::path_attribute::{AsPath, MpReach, MpUnreach, PathAttributeValue};
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;

use crate::streams::Stream;
use crate::tally::Tally;

pub(super) fn pass<const NUMBERS: bool>(stream: &Stream) -> Tally {
    let mut tally = Tally::default();
    let wide = stream.cx().is_four_octet_as();
    let none = (HashMap::new(), HashMap::new());
    let mut context = BgpParsingContext::new(wide, none.0, none.1, true, true, true, true);

    let mut reader = SliceReader::new(stream.octets());
    while reader.remaining() > 0 {
        let Ok(BgpMessage::Update(update)) = BgpMessage::parse(&mut reader, &mut context) else {
            break;
        };

        tally.updates += 1;
        for prefix in update.withdraw_routes() {
            let prefix = prefix.network().address();
            tally.withdrawn.add_v4(prefix.addr().into(), prefix.prefix_len());
        }
        for prefix in update.nlri() {
            let prefix = prefix.network().address();
            tally.announced.add_v4(prefix.addr().into(), prefix.prefix_len());
        }

        for attribute in update.path_attributes() {
            visit::<NUMBERS>(attribute.value(), &mut tally);
        }
    }
    tally
}

fn visit<const NUMBERS: bool>(value: &PathAttributeValue, tally: &mut Tally) {
    match value {
        PathAttributeValue::AsPath(AsPath::As4PathSegments(segments)) => {
            let asns = segments.iter().flat_map(|segment| segment.as_numbers());
            asns.for_each(|asn| tally.hops.add((*asn).into()));
        }
        PathAttributeValue::AsPath(AsPath::As2PathSegments(segments)) => {
            let asns = segments.iter().flat_map(|segment| segment.as_numbers());
            asns.for_each(|asn| tally.hops.add((*asn).into()));
        }
        PathAttributeValue::Communities(items) => {
            let items = items.communities().iter();
            items.for_each(|item| tally.communities.add(item.value().into()));
        }
        PathAttributeValue::ExtendedCommunities(items) => {
            for item in items.communities() {
                let mut octets = [0; 8];
                if NUMBERS {
                    item.write(&mut &mut octets[..]).expect("eight octets");
                }
                std::hint::black_box(item);
                tally.communities.add(u64::from_be_bytes(octets));
            }
        }
        PathAttributeValue::LargeCommunities(items) => {
            for item in items.communities() {
                let (first, second) = (item.local_data1(), item.local_data2());
                tally.communities.add_large(item.global_admin(), first, second);
            }
        }
        PathAttributeValue::MpReach(reach) => mp_reach(reach, tally),
        PathAttributeValue::MpUnreach(unreach) => mp_unreach(unreach, tally),
        _ => {}
    }
}

fn mp_reach(reach: &MpReach, tally: &mut Tally) {
    match reach {
        MpReach::Ipv4Unicast { nlri, .. } => {
            for prefix in nlri.iter().map(|nlri| nlri.network().address()) {
                tally.announced.add_v4(prefix.addr().into(), prefix.prefix_len());
            }
        }
        MpReach::Ipv6Unicast { nlri, .. } => {
            for prefix in nlri.iter().map(|nlri| nlri.network().address()) {
                tally.announced.add_v6_address(prefix.addr(), prefix.prefix_len());
            }
        }
        _ => {}
    }
}

fn mp_unreach(unreach: &MpUnreach, tally: &mut Tally) {
    match unreach {
        MpUnreach::Ipv4Unicast { nlri } => {
            for prefix in nlri.iter().map(|nlri| nlri.network().address()) {
                tally.withdrawn.add_v4(prefix.addr().into(), prefix.prefix_len());
            }
        }
        MpUnreach::Ipv6Unicast { nlri } => {
            for prefix in nlri.iter().map(|nlri| nlri.network().address()) {
                tally.withdrawn.add_v6_address(prefix.addr(), prefix.prefix_len());
            }
        }
        _ => {}
    }
}
