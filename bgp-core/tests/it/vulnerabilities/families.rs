//! Routes in MP_REACH_NLRI and MP_UNREACH_NLRI, of families that are spoken and of many that are not.

use bgp_core::wire::Treatment::{None as Fine, TreatAsWithdraw as Taw};
use bgp_core::wire::{Frame, MessageLimit, Update};
use bgp_core::{Afi, AfiSafi, Safi};

use super::{external, hex, judge, update_of};

/// AFI and SAFI, the numbers of the vulnerabilities, and NLRI that made an implementation fail.
pub(super) const UNSPOKEN: &[(u16, u8, &str, &str)] = &[
    // Labelled unicast: a label and no prefix, and more bits than octets.
    (1, 4, "CVE-2023-38407 CVE-2013-6982", "18 000011"),
    (2, 4, "CVE-2023-38407 CVE-2013-6982", "ff 000011 20010db8"),
    // Multicast VPN: a type with a length beyond the end.
    (1, 5, "CVE-2020-3397 CVE-2020-3398 CVE-2017-13043 CVE-2019-0066", "01 ff 0000fc7c"),
    // Tunnel encapsulation as a family, and VNC.
    (1, 7, "CVE-2026-37460", "20 0a0000"),
    // VPN: 255 bits, which is more than label, distinguisher and address.
    (1, 128, "CVE-2016-2342", "ff 000011 0000fc7c00000001 0a000000"),
    (2, 128, "CVE-2016-2342 CVE-2013-6982", "58 000011 0000fc7c00"),
    // Route target membership: between 1 and 31 bits, and 97.
    (1, 132, "CVE-2022-22197 CVE-2017-13053", "61 0000fc7c 0002fc7c00000001"),
    // Flow specification: a rule of no octets, one without operators, six operators in a row, and one beyond its length.
    (1, 133, "CVE-2023-38406", "00"),
    (1, 133, "CVE-2023-41909", "01 03"),
    (1, 133, "CVE-2026-37457", "0d 03 0101 0102 0103 0104 0105 8106"),
    (2, 133, "CVE-2014-6386 CVE-2019-0003", "04 01 ff 00 00"),
    (1, 134, "CVE-2020-1613 CVE-2021-0211 CVE-2021-0236", "f0 00"),
    // L2VPN: VPLS and EVPN routes that are shorter than their type.
    (25, 65, "CVE-2016-1270 CVE-2015-5359 CVE-2019-0012", "0011 0000fc7c"),
    (25, 65, "CVE-2007-3798", "0013 0000fc7c00000001 0001 0001 0008 000011 01ffff"),
    (25, 70, "CVE-2026-5107 CVE-2025-60004", "02 21 0000fc7c"),
    (25, 70, "CVE-2017-12319 CVE-2020-3479 CVE-2020-1678", "05 22 0000fc7c00000001 ff"),
    (25, 70, "CVE-2019-1849 CVE-2019-16018 CVE-2019-16019", "01 00"),
    (25, 70, "CVE-2019-16020 CVE-2019-16021 CVE-2019-16022 CVE-2019-16023", "ff ff"),
    // ISO VPN, BGP-LS with a descriptor of no octets, and SR policy with an endpoint beyond its length.
    (3, 128, "CVE-2023-44185", "ff 000011"),
    (16_388, 71, "gobgp f842cdf3", "0001 0009 03 0000000000000000 0100 0000"),
    (1, 73, "gobgp e1bf959e", "40 00000001 00000064"),
    // A family that nobody speaks.
    (0xfffe, 200, "CVE-2018-5381", "00"),
];

fn attribute(code: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[0x90, code], &length[..], value].concat()
}

/// An UPDATE with the NLRI of a family announced, or withdrawn.
pub(super) fn message(afi: u16, safi: u8, nlri: &[u8], announced: bool) -> Vec<u8> {
    let [high, low] = afi.to_be_bytes();
    let value = if announced {
        [&[high, low, safi, 4, 172, 22, 35, 26, 0], nlri].concat()
    } else {
        [&[high, low, safi], nlri].concat()
    };
    let mp = attribute(if announced { 14 } else { 15 }, &value);
    update_of(&[hex("40010100 40020602010000fc7c"), mp].concat(), &[])
}

#[test]
fn routes_of_families_that_are_not_spoken_are_never_parsed() {
    for (afi, safi, numbers, nlri) in UNSPOKEN {
        let family = AfiSafi::new(Afi(*afi), Safi(*safi));
        for announced in [true, false] {
            // No matter what the peers agree on.
            for cx in [external(), external().multiprotocol(family, true)] {
                let octets = message(*afi, *safi, &hex(nlri), announced);
                let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
                let update = Update::decode(frame, cx).expect(numbers);
                assert_eq!(update.treatment(), Fine, "{numbers}");
                assert_eq!(update.reachable().count() + update.unreachable().count(), 0);
            }
        }
    }
}

#[test]
fn an_mp_attribute_that_cannot_be_read_ends_the_session_in_order() {
    for (number, code, value) in [
        // No family, no next hop, a next hop beyond the end, one of another length, and no octet after it.
        ("CVE-2007-1995", 14, "0002"),
        ("CVE-2007-1995", 14, "0002 01 10 2001"),
        ("CVE-2007-1995", 15, "0002"),
        ("CVE-2007-1995", 15, "0002 01 ff"),
        ("CVE-2023-46752", 14, "0002 01 00 00 20 20010db8"),
        ("CVE-2023-46752", 14, "0002 01 10 20010db8000000000000000000000001"),
        ("CVE-2018-16230", 14, "0002 01 30 00"),
        ("CVE-2018-16230", 14, "0001 01 05 0a00000100 00 08 0a"),
        // Prefixes: more bits than an address has, and fewer octets than bits.
        ("CVE-2023-46752", 14, "0002 01 10 20010db8000000000000000000000001 00 81 20"),
        ("CVE-2023-46752", 14, "0002 01 10 20010db8000000000000000000000001 00 40 20010db8"),
    ] {
        let mp = attribute(code, &hex(value));
        let octets = update_of(&[hex("40010100 40020602010000fc7c"), mp].concat(), &[]);
        assert_eq!(judge(&octets, external()), Err((3, 9)), "{number}: {value}");

        // The session goes on without the family if that was configured (RFC 7606 section 2), if it can be told.
        if hex(value).len() >= 3 {
            let verdict = judge(&octets, external().afi_safi_disable(true));
            let disabled = bgp_core::wire::Treatment::AfiSafiDisable;
            assert_eq!(verdict, Ok(disabled), "{number}: {value}");
        }
    }
}

#[test]
fn a_missing_attribute_withdraws_the_routes_of_mp_reach_nlri_too() {
    // CVE-2023-46753.
    let value = hex("0002 01 10 20010db8000000000000000000000001 00 20 20010db8");
    let octets = update_of(&attribute(14, &value), &[]);
    assert_eq!(judge(&octets, external()), Ok(Taw));
}
