//! Headers, OPENs, capabilities, NOTIFICATIONs and ROUTE-REFRESHes.

use bgp_core::wire::{Capability, Frame, Message, MessageLimit, WireContext};
use bgp_core::{Afi, AfiSafi, Safi};

use super::{hex, message};

/// An OPEN of AS 64636 whose octets after the identifier are these.
fn open(parameters: &str) -> Vec<u8> {
    message(1, &hex(&format!("04 fc7c 005a 0a000002 {parameters}")))
}

/// The capabilities of an OPEN, or code and subcode of the NOTIFICATION.
fn capabilities(octets: &[u8]) -> Result<Vec<Capability>, (u8, u8)> {
    match read(octets)? {
        Message::Open(open) => Ok(open.capabilities),
        other => panic!("{other:?}"),
    }
}

fn read(octets: &[u8]) -> Result<Message<'_>, (u8, u8)> {
    let refused = |error: bgp_core::wire::DecodeError| {
        let notification = error.notification(octets);
        (notification.code.0, notification.subcode)
    };
    let frame = Frame::split(octets, MessageLimit::Standard).map_err(refused)?;
    Message::decode(frame.expect("a whole message"), WireContext::default()).map_err(refused)
}

/// Code and subcode of the NOTIFICATION that refuses a message.
fn refusal(octets: &[u8]) -> (u8, u8) {
    read(octets).expect_err("a refusal")
}

#[test]
fn parameters_that_do_not_fit_their_lengths_are_refused() {
    for (number, parameters) in [
        // A first parameter of type 255, and too few octets for the lengths of RFC 9072.
        ("CVE-2022-40302", "01 ff"),
        ("CVE-2022-40302", "03 ff 00 01"),
        ("CVE-2022-40302", "ff ff 0002 02 00"),
        ("CVE-2022-40318", "ff ff 0005 02 0003 41 04"),
        // The message ends with the length of the parameters, or of a parameter.
        ("CVE-2022-43681", "02"),
        ("CVE-2022-43681", "02 02 06"),
        ("CVE-2022-43681", "ff ff 0003 02 0006"),
        // A parameter that ends within the four-octet AS.
        ("CVE-2022-36440", "04 02 02 41 04"),
        ("CVE-2022-36440", "01 02"),
        // A four-octet AS of two octets, and of none before another capability.
        ("CVE-2012-0255", "06 02 04 41 02 0001"),
        ("CVE-2026-49837", "08 02 06 41 00 02 00 46 00"),
        ("CVE-2026-49837", "08 02 06 01 00 02 00 46 00"),
        // A family of two octets, a restart time of one.
        ("CVE-2018-14467", "06 02 04 01 02 0001"),
        ("CVE-2018-14881", "05 02 03 40 01 00"),
        // A capability that exceeds its parameter.
        ("CVE-2007-4826", "06 02 04 02 04 0000"),
    ] {
        assert_eq!(capabilities(&open(parameters)), Err((2, 0)), "{number}: {parameters}");
    }
}

#[test]
fn an_optional_parameter_of_another_type_is_refused() {
    // Authentication information (RFC 4271 section 4.2), and a type that never existed.
    for (number, parameters) in [("CVE-2007-4826", "02 01 00"), ("CVE-2017-2314", "03 fe 01 00")] {
        assert_eq!(capabilities(&open(parameters)), Err((2, 4)), "{number}");
    }
}

#[test]
fn a_capability_with_a_strange_value_is_kept_and_never_used() {
    for (number, code, value) in [
        // Outbound route filters: five that are not there.
        ("CVE-2012-1820", 3, "0001 00 01 05"),
        ("CVE-2012-1820", 130, "0001 00 01 01 40"),
        // A family of long-lived graceful restart that is too short.
        ("CVE-2023-31489", 71, "0001 01"),
        // A version that is longer than its capability, and names that are.
        ("CVE-2023-41361", 75, "ff 41"),
        ("CVE-2026-49837", 73, "09 41"),
    ] {
        let value = hex(value);
        let length = value.len();
        let parameters =
            format!("{:02x} 02 {:02x} {code:02x} {length:02x}", length + 4, length + 2);
        let octets = open(&format!("{parameters} {}", digits(&value)));
        let expected = Capability::Unknown { code, value: value.into() };
        assert_eq!(capabilities(&octets), Ok(vec![expected]), "{number}");
    }

    // CVE-2025-43971: a version without a letter.
    let octets = open("05 02 03 4b 01 00");
    assert_eq!(capabilities(&octets), Ok(vec![Capability::SoftwareVersion(String::new())]));
    // CVE-2018-5381: a family that nobody knows.
    let octets = open("08 02 06 01 04 fffe 00 c8");
    let family = AfiSafi::new(Afi(0xfffe), Safi(200));
    assert_eq!(capabilities(&octets), Ok(vec![Capability::Multiprotocol(family)]));
}

fn digits(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn a_dynamic_capability_message_is_of_an_unknown_type() {
    // A CAPABILITY message (type 6): a family of no octets, a version that overruns, and one that does not advance.
    for (number, body) in [
        ("CVE-2018-5381", "00 01 04 fffe 00 c8"),
        ("CVE-2022-37032", "00 40"),
        ("CVE-2024-31949", "00 01 00 00 40 00"),
    ] {
        assert_eq!(refusal(&message(6, &hex(body))), (1, 3), "{number}");
    }
}

#[test]
fn a_header_that_cannot_be_is_refused_before_its_body() {
    // CVE-2015-6351, and gobgp f0f24a2a: a marker that is none.
    let mut octets = message(4, &[]);
    octets[3] = 0;
    assert_eq!(refusal(&octets), (1, 1));
    // CVE-2025-52949: lengths that contradict the type, and one that is shorter than the header itself.
    for (kind, length) in [(4, 20), (2, 22), (1, 28), (3, 20), (2, 18), (2, 0), (2, 4_097)] {
        let mut octets = message(kind, &[0; 20]);
        octets[16..18].copy_from_slice(&u16::to_be_bytes(length));
        assert_eq!(refusal(&octets), (1, 2), "type {kind}, length {length}");
    }
}

#[test]
fn a_notification_with_any_codes_and_any_text_is_printed() {
    // CVE-2018-5380 and CVE-2018-0037: codes and subcodes outside of every table.
    for code in [0, 1, 6, 8, 9, 127, 255] {
        for subcode in 0..=255 {
            let octets = message(3, &[code, subcode, 0xff, 0, 0x80]);
            let Ok(Message::Notification(notification)) = read(&octets) else { panic!("{code}") };
            assert!(!notification.to_string().is_empty());
        }
    }

    // CVE-2019-16159 and CVE-2025-59688: texts of an operator that are longer than allowed, than the message, or no text.
    for (data, text) in [
        (vec![], None),
        (vec![0], None),
        (vec![255; 2], None),
        (vec![128; 129], None),
        ([&[129][..], &[b'a'; 128]].concat(), None),
        ([&[129][..], &[b'a'; 129]].concat(), Some(129)),
        ([&[255][..], &[b'a'; 255]].concat(), Some(255)),
        ([&[1][..], &[b'a'; 255]].concat(), Some(1)),
    ] {
        for subcode in [2, 4] {
            let octets = message(3, &[&[6, subcode], &data[..]].concat());
            let Ok(Message::Notification(notification)) = read(&octets) else { panic!("{data:?}") };
            assert_eq!(notification.message().map(str::len), text, "{data:?}");
            assert!(notification.to_string().len() < 700);
        }
    }
}

#[test]
fn route_filters_in_a_route_refresh_are_not_read() {
    for (number, filters) in [
        // A filter that says it has 65,535 octets, one that overruns by its prefix, and the first octet alone.
        ("CVE-2010-2948", "01 40 ffff 00"),
        ("CVE-2010-2948", "01 40 0007 00 00000001 18 20 ff"),
        ("CVE-2023-41360", "01"),
        ("CVE-2023-41360", "01 40"),
    ] {
        let octets = message(5, &hex(&format!("0001 00 01 {filters}")));
        let Ok(Message::RouteRefresh(refresh)) = read(&octets) else { panic!("{number}") };
        assert_eq!((refresh.subtype.0, refresh.family.afi.0), (0, 1), "{number}");
    }
    assert_eq!(refusal(&message(5, &hex("0001 00"))), (1, 2));
}
