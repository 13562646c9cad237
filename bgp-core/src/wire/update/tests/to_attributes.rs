//! Conversion to owned attributes: omissions, and the merge of RFC 6793.

use crate::types::{AfiSafi, Asn};
use crate::wire::{Frame, MessageLimit, NextHop, PathAttributes, Update, WireContext};

use super::{CORE, external, hex, update};

fn own(octets: &[u8], cx: WireContext) -> PathAttributes {
    let frame = Frame::split(octets, MessageLimit::Extended).unwrap().unwrap();
    Update::decode(frame, cx).unwrap().to_attributes()
}

/// Merges an AS_PATH with two-octet AS numbers and an AS4_PATH in a message with these other attributes.
fn merged(path: &str, as4: &str, more: &str) -> PathAttributes {
    let (path_length, as4_length) = (hex(path).len(), hex(as4).len());
    let attributes = format!(
        "40010100 4002{path_length:02x}{path} 400304 0a000001 {more} c011{as4_length:02x}{as4}"
    );
    own(&update("", &attributes, "08 0a"), external().four_octet_as(false))
}

#[test]
fn as4_path_fills_in_what_as_trans_hides() {
    let cases = [
        ("02 03 0001 5ba0 5ba0", "02 02 00011170 00011171", "1 70000 70001"),
        // Equal lengths: AS4_PATH replaces all.
        ("02 02 5ba0 5ba0", "02 02 00011170 00011171", "70000 70001"),
        // Longer than AS_PATH: ignored.
        ("02 01 5ba0", "02 02 00011170 00011171", "23456"),
        // A set counts as one and is taken as a whole.
        ("01 02 0001 0002 02 01 5ba0", "02 01 00011170", "{1 2} 70000"),
        ("02 01 0001 01 02 5ba0 5ba0", "01 02 00011170 00011171", "1 {70000 70001}"),
        // A sequence is truncated where AS4_PATH takes over.
        ("02 03 0001 0002 5ba0 01 01 0003", "02 01 00011170 01 01 00000003", "1 2 70000 {3}"),
        // Confederation segments inside AS4_PATH are dropped.
        ("02 02 0001 5ba0", "03 01 00000009 02 01 00011170", "1 70000"),
    ];
    for (path, as4, expected) in cases {
        assert_eq!(merged(path, as4, "").as_path.to_string(), expected, "{path} + {as4}");
    }
}

#[test]
fn an_aggregator_that_is_not_as_trans_makes_the_as4_attributes_void() {
    let (path, as4) = ("02 02 0001 5ba0", "02 01 00011170");
    let as4_aggregator = "c01208 00011171 0a000009";
    let fresh = merged(path, as4, &format!("c00706 5ba0 0a000008 {as4_aggregator}"));
    assert_eq!(fresh.as_path.to_string(), "1 70000");
    assert_eq!(fresh.aggregator.map(|a| (a.asn, a.address.octets()[3])), Some((Asn(70_001), 9)));
    let stale = merged(path, as4, &format!("c00706 fc7c 0a000008 {as4_aggregator}"));
    assert_eq!(stale.as_path.to_string(), "1 23456");
    assert_eq!(stale.aggregator.map(|a| (a.asn, a.address.octets()[3])), Some((Asn(64_636), 8)));
    // AS4_AGGREGATOR alone has no effect.
    assert_eq!(merged(path, as4, as4_aggregator).aggregator, None);
    // AGGREGATOR alone does not invalidate AS4_PATH.
    let alone = merged(path, as4, "c00706 fc7c 0a000008");
    assert_eq!(alone.as_path.to_string(), "1 70000");
}

#[test]
fn unknown_attributes_are_carried_if_transitive_and_marked_partial() {
    let attributes = format!(
        "{CORE} 806302 abcd c06401 01 d0650001 02 c01704 00080000 801a0b 01000b0000000000000064"
    );
    let octets = update("", &attributes, "08 0a");
    let carried: Vec<_> = own(&octets, external())
        .unknown
        .iter()
        .map(|raw| (raw.flags.0, raw.code.0, raw.value.len()))
        .collect();
    // Known ones are unchanged; 99 is dropped; the others only lose the extended length.
    assert_eq!(carried, [(0xc0, 23, 4), (0x80, 26, 11), (0xe0, 100, 1), (0xe0, 101, 1)]);
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, external()).unwrap();
    assert_eq!(update.unknown().map(|raw| raw.code.0).collect::<Vec<_>>(), [99, 100, 101]);
    assert_eq!(update.aigp(), Some(100));
}

#[test]
fn discarded_attributes_are_not_owned() {
    let attributes = format!("{CORE} 400504 000000c8 400601 00 c00804 fc7b0064 c00804 00000001");
    let owned = own(&update("", &attributes, "08 0a"), external());
    assert_eq!((owned.local_pref, owned.atomic_aggregate), (None, false));
    assert_eq!(
        owned.communities.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["64635:100"]
    );
}

#[test]
fn repeated_large_communities_are_owned_once_in_their_order() {
    let (one, two) = ("0000fc7b 00000002 00000001", "0000fc7b 00000001 00000001");
    let octets = update("", &format!("{CORE} c02030 {one} {two} {one} {two}"), "08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, external()).unwrap();
    assert_eq!(update.large_communities().len(), 4);
    let owned = update.to_attributes().large_communities;
    let owned: Vec<_> = owned.iter().map(ToString::to_string).collect();
    assert_eq!(owned, ["64635:2:1", "64635:1:1"]);
}

#[test]
fn each_family_in_a_message_has_its_own_next_hop() {
    let mp = "800e1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8";
    let octets = update("", &format!("{mp}{CORE}"), "08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let update = Update::decode(frame, external()).unwrap();
    let v4 = Some(NextHop::V4([172, 22, 35, 26].into()));
    let v6 = Some(NextHop::V6 { global: "2001:db8::1".parse().unwrap(), link_local: None });
    assert_eq!(update.to_attributes_for(AfiSafi::IPV4_UNICAST).next_hop, v4);
    assert_eq!(update.to_attributes_for(AfiSafi::IPV6_UNICAST).next_hop, v6);
    assert_eq!(update.to_attributes().next_hop, v4);
    assert_eq!(update.reachable().count(), 2);
}

#[test]
fn joining_two_paths_keeps_segments_within_255_numbers() {
    let old = format!("02 02 00010002 02 fe {}", "5ba0".repeat(254));
    let as4 = format!("02 fe {}", "00011170".repeat(254));
    let (old_length, as4_length) = (hex(&old).len(), hex(&as4).len());
    let attributes =
        format!("40010100 5002{old_length:04x}{old} 400304 0a000001 d011{as4_length:04x}{as4}");
    let owned = own(&update("", &attributes, "08 0a"), external().four_octet_as(false));
    let lengths: Vec<_> = owned.as_path.segments.iter().map(|segment| segment.asns.len()).collect();
    assert_eq!(lengths, [2, 254]);
}
