//! Capabilities by their octets, and as text.

use bytes::{Bytes, BytesMut};

use crate::types::{Afi, AfiSafi, Asn};

use super::*;

/// Pairs of a capability and its octets.
fn vectors() -> Vec<(Capability, &'static [u8])> {
    let v4 = AfiSafi::IPV4_UNICAST;
    let v6 = AfiSafi::IPV6_UNICAST;
    vec![
        (Capability::Multiprotocol(v6), &[1, 4, 0, 2, 0, 1]),
        (Capability::RouteRefresh, &[2, 0]),
        (
            Capability::ExtendedNextHop(vec![ExtendedNextHop { family: v4, next_hop: Afi::IPV6 }]),
            &[5, 6, 0, 1, 0, 1, 0, 2],
        ),
        (Capability::ExtendedMessage, &[6, 0]),
        (Capability::Role(Role::CUSTOMER), &[9, 1, 3]),
        (
            Capability::GracefulRestart(GracefulRestart {
                restarting: true,
                notification: true,
                restart_time: 120,
                families: vec![GracefulRestartFamily { family: v4, forwarding: true }],
            }),
            &[64, 6, 0xc0, 0x78, 0, 1, 1, 0x80],
        ),
        (Capability::FourOctetAs(Asn(4_200_000_000)), &[65, 4, 0xfa, 0x56, 0xea, 0x00]),
        (
            Capability::AddPath(vec![AddPath { family: v4, mode: AddPathMode::BOTH }]),
            &[69, 4, 0, 1, 1, 3],
        ),
        (Capability::EnhancedRouteRefresh, &[70, 0]),
        (
            Capability::LongLivedGracefulRestart(vec![LongLivedFamily {
                family: v6,
                forwarding: false,
                stale_time: 86_400,
            }]),
            &[71, 7, 0, 2, 1, 0, 0x01, 0x51, 0x80],
        ),
        (
            Capability::Fqdn { host: "kube2".into(), domain: String::new() },
            b"\x49\x07\x05kube2\x00",
        ),
        (Capability::SoftwareVersion("FerroLB/0.1".into()), b"\x4b\x0c\x0bFerroLB/0.1"),
        (Capability::Unknown { code: 128, value: Bytes::new() }, &[128, 0]),
    ]
}

#[test]
fn every_capability_reads_and_writes_its_octets() {
    for (capability, octets) in vectors() {
        let mut out = BytesMut::new();
        capability.encode(&mut out);
        assert_eq!(out.as_ref(), octets, "{capability:?}");
        assert_eq!(Capability::decode(octets[0], &octets[2..]), capability);
        assert_eq!(capability.code(), octets[0]);
    }
}

#[test]
fn a_known_capability_with_a_wrong_value_is_kept_as_unknown() {
    for (code, value) in [
        (1, &[0u8, 2, 0][..]),
        (2, &[0]),
        (5, &[0, 1, 0, 1, 0]),
        (5, &[0, 1, 1, 1, 0, 2]),
        (64, &[0]),
        (64, &[0, 120, 0, 1]),
        (65, &[0, 0, 1]),
        (65, &[0, 0, 0, 1, 0]),
        (69, &[0, 1, 1]),
        (71, &[0, 1, 1, 0, 0, 0]),
        (73, &[5, b'a']),
        (75, &[2, 0xff, 0xfe]),
    ] {
        let kept = Capability::Unknown { code, value: Bytes::copy_from_slice(value) };
        assert_eq!(Capability::decode(code, value), kept);
    }
}

#[test]
fn a_value_that_is_too_long_is_truncated_between_elements() {
    let entry = AddPath { family: AfiSafi::IPV4_UNICAST, mode: AddPathMode::SEND };
    let mut out = BytesMut::new();
    Capability::AddPath(vec![entry; 100]).encode(&mut out);
    assert_eq!((out.len(), out[1]), (2 + 252, 252));
    let mut out = BytesMut::new();
    let long = "ü".repeat(150);
    Capability::Fqdn { host: long.clone(), domain: long }.encode(&mut out);
    assert!(out.len() <= 257);
    let Capability::Fqdn { host, domain } = Capability::decode(73, &out[2..]) else {
        panic!("the cut names do not read back");
    };
    assert_eq!((host.len(), domain.len()), (252, 0));
}

#[test]
fn capabilities_print_on_one_line_by_the_names_of_the_registry() {
    let lines: Vec<_> = vectors().iter().map(|(capability, _)| capability.to_string()).collect();
    assert_eq!(
        lines,
        [
            "multiprotocol ipv6-unicast",
            "route refresh",
            "extended next hop ipv4-unicast via ipv6",
            "extended message",
            "role: customer",
            "graceful restart 120 s, restarting, notifications too, ipv4-unicast (forwarding)",
            "four-octet AS 4200000000",
            "ADD-PATH ipv4-unicast send/receive",
            "enhanced route refresh",
            "long-lived graceful restart ipv6-unicast 86400 s",
            "FQDN \"kube2\"",
            "software version \"FerroLB/0.1\"",
            "route refresh (Cisco)",
        ]
    );
    let unknown = Capability::Unknown { code: 200, value: Bytes::from_static(&[0xab, 0x01]) };
    assert_eq!(unknown.to_string(), "capability 200 ab01");
    let hostile = Capability::Fqdn { host: "a\n\u{1b}[0m".into(), domain: "b".into() };
    assert_eq!(hostile.to_string(), "FQDN \"a\\n\\u{1b}[0m\" in \"b\"");
}

/// BIRD and FRR both refuse these lengths; a length that only one of them refuses is accepted.
#[test]
fn an_open_is_refused_for_a_capability_of_an_invalid_length() {
    let open = |code: u8, value: &[u8]| {
        let mut body = vec![4, 0xfd, 0xe9, 0, 0xb4, 10, 0, 0, 2];
        let length = u8::try_from(value.len()).expect("a short value");
        body.extend_from_slice(&[length + 4, 2, length + 2, code, length]);
        body.extend_from_slice(value);
        crate::wire::Open::decode(&body).map_err(|error| error.notification(&[]))
    };

    for (code, lengths) in
        [(1, &[4][..]), (65, &[4]), (64, &[2, 6, 10]), (69, &[0, 4, 8, 12]), (5, &[0, 6, 12])]
    {
        for length in 0..13_u8 {
            let value: Vec<u8> = (0..length).map(|n| n % 4 / 3).collect();
            let outcome = open(code, &value);
            if lengths.contains(&length) {
                // An AS number of 0 is a different error.
                assert!(outcome.is_ok() || code == 65, "{code}, {length}: {outcome:?}");
            } else {
                let refused = outcome.expect_err("a wrong length");
                assert_eq!((refused.code.0, refused.subcode), (2, 0), "{code}, {length}");
            }
        }
    }

    for (code, value) in [(2, &[0][..]), (6, &[0]), (71, &[0, 1]), (73, &[9]), (200, &[1, 2, 3])] {
        assert!(open(code, value).is_ok(), "{code}");
    }
}
