//! Decoding of UPDATEs from hexadecimal vectors.

mod fast_path;
mod remaining_cells;
mod to_attributes;
mod treatments;

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::types::{AfiSafi, Asn, PeerType};
use crate::wire::{
    Community, Frame, LargeCommunity, MessageLimit, NextHop, Origin, SegmentType, Treatment,
    Update, WireContext,
};

/// The octets of hexadecimal digits; white space is ignored.
pub(in crate::wire) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A complete UPDATE of these three fields, each in hexadecimal digits.
pub(in crate::wire) fn update(withdrawn: &str, attributes: &str, nlri: &str) -> Vec<u8> {
    let (withdrawn, attributes, nlri) = (hex(withdrawn), hex(attributes), hex(nlri));
    let length = 23 + withdrawn.len() + attributes.len() + nlri.len();
    let mut octets = vec![0xff; 16];
    octets.extend(u16::try_from(length).unwrap().to_be_bytes());
    octets.push(2);
    for part in [withdrawn, attributes] {
        octets.extend(u16::try_from(part.len()).unwrap().to_be_bytes());
        octets.extend(part);
    }
    octets.extend(nlri);
    octets
}

/// External, AS numbers of four octets, IPv4 and IPv6 unicast.
pub(in crate::wire) fn external() -> WireContext {
    WireContext::new(PeerType::External)
        .four_octet_as(true)
        .multiprotocol(AfiSafi::IPV6_UNICAST, true)
}

fn decode(octets: &[u8], cx: WireContext) -> Update<'_> {
    let frame = Frame::split(octets, MessageLimit::Extended).unwrap().unwrap();
    Update::decode(frame, cx).unwrap()
}

/// ORIGIN IGP, AS_PATH 64636, NEXT_HOP 172.22.35.26.
const CORE: &str = "40010100 40020602 01 0000fc7c 400304 ac16231a";

#[test]
fn an_announcement_has_its_prefixes_and_attributes() {
    let more = "800404 00000007 c00804 fc7b0064 c0200c 0000fc7b 00000001 00000002";
    let octets = update("", &format!("{CORE}{more}"), "20 ac162346 1a c8019a40");
    let update = decode(&octets, external());
    let prefixes: Vec<_> = update.nlri().map(|prefix| prefix.to_string()).collect();
    assert_eq!(prefixes, ["172.22.35.70/32", "200.1.154.64/26"]);
    assert_eq!(update.origin(), Some(Origin::Igp));
    assert_eq!(update.as_path().unwrap().to_string(), "64636");
    assert_eq!(update.next_hop(), Some(Ipv4Addr::new(172, 22, 35, 26)));
    assert_eq!(update.med(), Some(7));
    assert_eq!(update.local_pref(), None);
    assert_eq!(update.communities().collect::<Vec<_>>(), [Community::new(64_635, 100)]);
    let large = LargeCommunity::new(64_635, 1, 2);
    assert_eq!(update.large_communities().collect::<Vec<_>>(), [large]);
    assert_eq!(update.treatment(), Treatment::None);
    assert_eq!(update.reachable().count(), 2);
    assert_eq!(update.unreachable().count(), 0);
}

#[test]
fn host_bits_are_masked_and_a_default_route_is_read_from_one_octet() {
    let octets = update("08 0b 00 11 0a01ff", "", "");
    let update = decode(&octets, external());
    let prefixes: Vec<_> = update.withdrawn().map(|prefix| prefix.to_string()).collect();
    assert_eq!(prefixes, ["11.0.0.0/8", "0.0.0.0/0", "10.1.128.0/17"]);
    assert_eq!(update.unreachable().count(), 3);
}

#[test]
fn ipv6_routes_are_read_from_mp_attributes_with_one_next_hop_or_two() {
    let both = "20010db8000000000000000000000001 fe80000000000000000000000000 0001";
    let one = "20010db8000000000000000000000001";
    let link_local = "fe80::1".parse().ok();
    for (length, next_hop, link_local) in [(16, one, None), (32, both, link_local)] {
        let value =
            format!("0002 01 {length:02x} {next_hop} 00 20 20010db8 00 3b 2001066800000020");
        let length = hex(&value).len();
        let attributes = format!("80 0e {length:02x} {value} 40010100 40020602010000fc7c");
        let octets = update("", &attributes, "");
        let update = decode(&octets, external());
        let reach = update.mp_reach().unwrap();
        let prefixes: Vec<_> = reach.nlri().map(|prefix| prefix.to_string()).collect();
        assert_eq!(prefixes, ["2001:db8::/32", "::/0", "2001:668:0:20::/59"]);
        let global: Ipv6Addr = "2001:db8::1".parse().unwrap();
        assert_eq!(reach.next_hop(), Some(NextHop::V6 { global, link_local }));
        assert_eq!(update.to_attributes().next_hop, reach.next_hop());
        assert_eq!(update.reachable().count(), 3);
    }
}

#[test]
fn path_identifiers_are_read_if_they_were_negotiated() {
    let cx = external().add_path(AfiSafi::IPV4_UNICAST, true);
    let octets = update("00000005 08 0a", CORE, "00000001 18 0a0001 00000002 18 0a0001");
    let update = decode(&octets, cx);
    let routes: Vec<_> =
        update.nlri().with_path_ids().map(|(id, prefix)| (id, prefix.to_string())).collect();
    let prefix = "10.0.1.0/24".to_owned();
    assert_eq!(routes, [(Some(1), prefix.clone()), (Some(2), prefix)]);
    assert_eq!(update.unreachable().with_path_ids().next().map(|(id, _)| id), Some(Some(5)));
}

#[test]
fn segment_types_are_distinguished() {
    let path = "02 02 0000fc7c 0000fc7b 01 02 00000001 00000002";
    let octets = update("", &format!("40010100 400214 {path} 400304 0a000001"), "080a");
    let update = decode(&octets, external());
    let path = update.as_path().unwrap();
    assert_eq!(path.to_string(), "64636 64635 {1 2}");
    assert_eq!(path.hop_count(), 3);
    assert_eq!((path.first_as(), path.origin_as()), (Some(Asn(64_636)), None));
    assert!(path.contains(Asn(2)) && !path.contains(Asn(3)));
    let kinds: Vec<_> = path.segments().map(|segment| segment.kind).collect();
    assert_eq!(kinds, [SegmentType::Sequence, SegmentType::Set]);
    assert_eq!(path.to_owned(), update.to_attributes().as_path);
    assert_eq!(path.to_owned().hop_count(), 3);
}

#[test]
fn an_end_of_rib_has_a_family() {
    let ipv4 = update("", "", "");
    assert_eq!(decode(&ipv4, external()).end_of_rib(), Some(AfiSafi::IPV4_UNICAST));
    let ipv6 = update("", "800f03 000201", "");
    assert_eq!(decode(&ipv6, external()).end_of_rib(), Some(AfiSafi::IPV6_UNICAST));
    for other in [
        update("080a", "", ""),
        update("", CORE, "080a"),
        update("", "800f04 000201 00", ""),
        update("", &format!("{CORE} 800f03 000201"), ""),
    ] {
        assert_eq!(decode(&other, external()).end_of_rib(), None);
    }
}

#[test]
fn routes_of_a_family_that_was_not_negotiated_are_read_but_not_used() {
    let cx = external().multiprotocol(AfiSafi::IPV6_UNICAST, false);
    let octets = update("", "800f08 000201 20 20010db8", "");
    let update = decode(&octets, cx);
    assert_eq!(update.mp_unreach().unwrap().nlri().count(), 1);
    assert_eq!(update.unreachable().count(), 0);
}

#[test]
fn multicast_prefixes_are_read_but_are_not_routes() {
    let mp = "800e1d 0002 01 10 20010db8000000000000000000000001 00 08ff 10ff02 07fe 00";
    let ipv6 = update("", &format!("{mp} 40010100 40020602010000fc7c"), "");
    let routes: Vec<_> =
        decode(&ipv6, external()).reachable().map(|prefix| prefix.to_string()).collect();
    assert_eq!(routes, ["fe00::/7", "::/0"]);
    let octets = update("", CORE, "04 e0 04 f0 08 0a 03 c0");
    let update = decode(&octets, external());
    assert_eq!(update.nlri().count(), 4);
    let routes: Vec<_> = update.reachable().map(|prefix| prefix.to_string()).collect();
    assert_eq!(routes, ["10.0.0.0/8", "192.0.0.0/3"]);
}

#[test]
fn the_route_distinguisher_before_a_vpn_next_hop_is_skipped() {
    let global = "20010db8000000000000000000000001";
    let link_local = "fe800000000000000000000000000001";
    let rd = "0000000000000000";
    for (next_hop, expected) in [
        (format!("{rd}0a000001"), "10.0.0.1"),
        (format!("{rd}{global}"), "2001:db8::1"),
        (format!("{rd}{global}{rd}{link_local}"), "2001:db8::1 (fe80::1)"),
    ] {
        let value = format!("0001 80 {:02x} {next_hop} 00 ffff", hex(&next_hop).len());
        let mp = format!("800e{:02x}{value}", hex(&value).len());
        let octets = update("", &format!("{mp} 40010100 40020602010000fc7c"), "");
        let reach = decode(&octets, external()).mp_reach().unwrap();
        assert_eq!(
            reach.next_hop().map(|next_hop| next_hop.to_string()).as_deref(),
            Some(expected)
        );
        assert_eq!((reach.nlri().count(), reach.nlri_octets()), (0, &[0xff, 0xff][..]));
    }
}

#[test]
fn ipv6_prefixes_of_every_length_are_read_and_masked() {
    for length in 0..=128u8 {
        let octets = usize::from(length.div_ceil(8));
        let field = format!("{length:02x} {}", "ff".repeat(octets));
        let value = format!("0002 01 {field}");
        let octets = update("", &format!("800f{:02x}{value}", hex(&value).len()), "");
        let prefix = decode(&octets, external()).unreachable().next().unwrap();
        let all: ipnet::IpNet =
            format!("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/{length}").parse().unwrap();
        assert_eq!(prefix, all.trunc());
        assert_eq!(prefix.addr(), all.network());
    }
}
