//! Recorded UPDATEs have the same numbers of attributes and prefixes as in another reader, and survive a round trip.

use std::collections::BTreeMap;
use std::fs;

use bgp_core::wire::{
    AttributeBlock, Frame, Message, MessageLimit, Treatment, Update, UpdateWriter, WireContext,
};
use bgp_core::{AfiSafi, IpNet};
use bytes::BytesMut;

use super::{for_each_message, recordings, unpacked};

fn count(counts: &mut BTreeMap<String, u64>, what: impl Into<String>, more: usize) {
    if more > 0 {
        *counts.entry(what.into()).or_default() += more as u64;
    }
}

/// Adds the counts of an UPDATE, as in `counts.json`.
fn tally(update: &Update<'_>, counts: &mut BTreeMap<String, u64>) {
    count(counts, "updates", 1);
    count(counts, "outcome_ok", usize::from(update.treatment() == Treatment::None));
    for attribute in update.attributes() {
        count(counts, format!("attr_{}", attribute.code.0), 1);
    }
    count(counts, "announced_v4", update.nlri().count());
    count(counts, "withdrawn_v4", update.withdrawn().count());
    count(counts, "announced_v6", update.mp_reach().map_or(0, |reach| reach.nlri().count()));
    count(counts, "withdrawn_v6", update.mp_unreach().map_or(0, |unreach| unreach.nlri().count()));
}

/// Encodes a decoded UPDATE and decodes it again: the routes and attributes are the same.
fn write_and_read(
    update: &Update<'_>,
    cx: WireContext,
    out: &mut BytesMut,
    block: &mut AttributeBlock,
) {
    for family in [AfiSafi::IPV4_UNICAST, AfiSafi::IPV6_UNICAST] {
        let of_family =
            |prefix: &IpNet| matches!(prefix, IpNet::V4(_)) == (family == AfiSafi::IPV4_UNICAST);
        let prefixes: Vec<_> = update.reachable().filter(of_family).collect();
        let attributes = update.to_attributes_for(family);
        let Some(next_hop) = attributes.next_hop.filter(|_| !prefixes.is_empty()) else { continue };
        out.clear();
        block.encode(&attributes, cx);
        let mut writer = UpdateWriter::reach(out, family, &next_hop, block, cx);
        assert!(prefixes.iter().all(|prefix| writer.push(*prefix)));
        writer.finish();
        let frame = Frame::split(out, MessageLimit::Standard).unwrap().unwrap();
        let again = Update::decode(frame, cx).unwrap();
        assert_eq!(again.treatment(), Treatment::None);
        assert_eq!(again.to_attributes_for(family), attributes);
        assert!(again.reachable().eq(prefixes));
    }
}

#[test]
fn recorded_updates_have_the_expected_counts_and_survive_a_round_trip() {
    let Some(directory) = recordings() else { return };
    let text = fs::read_to_string(directory.join("counts.json")).unwrap();
    let expected: BTreeMap<String, BTreeMap<String, u64>> = serde_json::from_str(&text).unwrap();
    let (mut out, mut block) = (BytesMut::new(), AttributeBlock::new());
    for (file, expected) in expected {
        let (octets, _) = unpacked(&directory.join(&file));
        let mut counts = BTreeMap::new();
        for_each_message(&octets, |cx, octets| {
            let frame = Frame::split(octets, MessageLimit::Standard).unwrap().unwrap();
            if let Message::Update(update) = Message::decode(frame, cx).unwrap() {
                tally(&update, &mut counts);
                write_and_read(&update, cx, &mut out, &mut block);
            }
        });
        assert_eq!(counts, expected, "{file}");
    }
}
