//! OPEN and ROUTE-REFRESH: what the octets alone decide.

use bytes::{Bytes, BytesMut};

use crate::types::{AfiSafi, Asn, BgpIdentifier};

use super::update::tests::hex;
use super::{
    Capability, DecodeError, Frame, Message, MessageLimit, Open, RouteRefresh, RouteRefreshSubtype,
    WireContext,
};

/// A message of a type with a body in hexadecimal digits.
fn message(code: u8, body: &str) -> Vec<u8> {
    let body = hex(body);
    let mut octets = vec![0xff; 16];
    octets.extend(u16::try_from(19 + body.len()).unwrap().to_be_bytes());
    octets.push(code);
    octets.extend(body);
    octets
}

fn decode(octets: &[u8]) -> Result<Message<'_>, DecodeError> {
    let frame = Frame::split(octets, MessageLimit::Extended)?.unwrap();
    Message::decode(frame, WireContext::default())
}

/// Decodes an OPEN. The error is code, subcode and data of the NOTIFICATION, and the offset.
fn open(body: &str) -> Result<Open, (u8, u8, Vec<u8>, usize)> {
    let octets = message(1, body);
    match decode(&octets) {
        Ok(Message::Open(open)) => Ok(open),
        Ok(other) => panic!("no OPEN: {other:?}"),
        Err(error) => {
            let notification = error.notification(&octets);
            let data = notification.data.to_vec();
            Err((notification.code.0, notification.subcode, data, error.offset()))
        }
    }
}

#[test]
fn an_invalid_open_is_refused() {
    for (body, subcode, data, offset) in [
        ("03 fc7c 005a 0a000002 00", 1, &[0, 4][..], 19),
        ("05 0000 0001 00000000 00", 1, &[0, 4], 19),
        ("04 0000 005a 0a000002 00", 2, &[], 20),
        ("04 fc7c 0001 0a000002 00", 6, &[], 22),
        ("04 fc7c 0002 0a000002 00", 6, &[], 22),
        ("04 fc7c 005a 00000000 00", 3, &[], 24),
        // A four-octet capability with AS 0.
        ("04 fc7c 005a 0a000002 08 02 06 41 04 00000000", 2, &[], 20),
        // Optional parameters other than capabilities.
        ("04 fc7c 005a 0a000002 04 01 02 0000", 4, &[], 29),
        ("04 fc7c 005a 0a000002 08 02 02 0200 04 02 0000", 4, &[], 33),
        // Lengths that do not match.
        ("04 fc7c 005a 0a000002 01", 0, &[], 28),
        ("04 fc7c 005a 0a000002 00 00", 0, &[], 29),
        ("04 fc7c 005a 0a000002 03 02 02 02", 0, &[], 29),
        ("04 fc7c 005a 0a000002 04 02 02 02 01", 0, &[], 31),
        ("04 fc7c 005a 0a000002 03 02 01 02", 0, &[], 31),
        ("04 fc7c 005a 0a000002 01 02", 0, &[], 29),
        // RFC 9072: the extended length counts.
        ("04 fc7c 005a 0a000002 ff ff", 0, &[], 28),
        ("04 fc7c 005a 0a000002 ff ff 0006 02 0002 0200", 0, &[], 28),
        ("04 fc7c 005a 0a000002 ff ff 0005 02 0003 0200", 0, &[], 32),
    ] {
        assert_eq!(open(body), Err((2, subcode, data.to_vec(), offset)), "{body}");
    }
}

#[test]
fn without_capabilities_the_two_octet_as_is_used() {
    let open = open("04 fc7c 0000 0a000002 00").unwrap();
    assert_eq!((open.asn, open.my_as, open.four_octet_as()), (Asn(64_636), 64_636, None));
    assert_eq!((open.hold_time, open.identifier), (0, BgpIdentifier::new(10, 0, 0, 2)));
    assert_eq!(open.capabilities, []);
}

#[test]
fn capabilities_come_in_one_parameter_or_in_many() {
    let one = open("04 5ba0 005a 0a000002 0a 02 08 0200 41 04 00011170").unwrap();
    let many = open("04 5ba0 005a 0a000002 0c 02 02 0200 02 06 41 04 00011170").unwrap();
    assert_eq!(one, many);
    assert_eq!(one.asn, Asn(70_000));
    assert_eq!(one.capabilities, [Capability::RouteRefresh, Capability::FourOctetAs(Asn(70_000))]);
    // A hundred empty parameters have no effect.
    let empty = open(&format!("04 fc7c 005a 0a000002 c8 {}", "02 00".repeat(100))).unwrap();
    assert_eq!(empty.capabilities, []);
}

#[test]
fn long_parameters_are_read_and_written_as_in_rfc_9072() {
    // The length before the marker does not matter unless it is 0.
    for length in ["ff", "01"] {
        let body = format!("04 fc7c 005a 0a000002 {length} ff 0005 02 0002 0200");
        let open = open(&body).unwrap();
        assert_eq!(open.capabilities, [Capability::RouteRefresh]);
        assert!(open.extended_parameters);
    }
    let long = Capability::Unknown { code: 200, value: Bytes::from(vec![7; 250]) };
    for (count, total) in [(1, 29 + 2 + 252), (2, 29 + 6 + 504), (16, 29 + 6 + 4_032)] {
        let sent = Open::new(Asn(1), 90, BgpIdentifier::new(1, 1, 1, 1), vec![long.clone(); count]);
        let mut out = BytesMut::new();
        sent.encode(&mut out);
        assert_eq!(out.len(), total);
        let Ok(Message::Open(read)) = decode(&out) else { panic!("no OPEN") };
        assert_eq!(read.capabilities, sent.capabilities);
        assert_eq!(read.extended_parameters, count > 1);
    }
    let sent = Open::new(Asn(1), 90, BgpIdentifier::new(1, 1, 1, 1), vec![long; 17]);
    let mut out = BytesMut::new();
    sent.encode(&mut out);
    let Ok(Message::Open(read)) = decode(&out) else { panic!("no OPEN") };
    assert_eq!(read.capabilities.len(), 16, "what exceeds 4,096 octets stays out");
}

#[test]
fn capabilities_are_shown_as_sent_from_any_parameter() {
    let views = |body: &str| -> Vec<(u8, Vec<u8>)> {
        let octets = message(1, body);
        let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
        frame.capabilities().unwrap().map(|view| (view.code.0, view.value.to_vec())).collect()
    };
    // A reserved octet that is not 0 has no meaning, but is in the value.
    let octets = message(1, "04 fc7c 005a 0a000002 0a 02 06 01 04 0001 ff 01 02 00");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    let view = frame.capabilities().unwrap().next().unwrap();
    assert_eq!(view.value, [0, 1, 0xff, 1]);
    assert_eq!(view.read(), Capability::Multiprotocol(AfiSafi::IPV4_UNICAST));
    // Several parameters, including an unknown one, in the extended format.
    let expected = [(2, vec![]), (65, vec![0, 1, 0x11, 0x70])];
    assert_eq!(
        views("04 fc7c 005a 0a000002 10 02 02 0200 07 00 02 06 4104 00011170 02 00"),
        expected
    );
    assert_eq!(views("04 fc7c 005a 0a000002 ff ff 000b 02 0008 0200 4104 00011170"), expected);
    // A truncated one ends the list; another type of message has none.
    assert_eq!(views("04 fc7c 005a 0a000002 06 02 04 0200 41 04"), expected[..1]);
    let keepalive = message(4, "");
    let frame = Frame::split(&keepalive, MessageLimit::Standard).unwrap().unwrap();
    assert!(frame.capabilities().is_none() && frame.update_fields().is_none());
}

#[test]
fn the_fields_of_a_refused_update_can_be_shown() {
    let octets = message(2, "0002 08 0a 0005 40010100 40 ff");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    assert!(Message::decode(frame, WireContext::default()).is_err());
    let fields = frame.update_fields().unwrap();
    assert_eq!((fields.withdrawn, fields.nlri), (&[8, 10][..], &[0xff][..]));
    assert_eq!(fields.attributes().map(|attribute| attribute.code.0).collect::<Vec<_>>(), [1]);
    let octets = message(2, "0009 08 0a");
    let frame = Frame::split(&octets, MessageLimit::Standard).unwrap().unwrap();
    assert_eq!(frame.update_fields(), None);
}

#[test]
fn a_route_refresh_has_a_family_and_a_subtype() {
    for (body, subtype) in
        [("0002 00 01", 0), ("0002 01 01", 1), ("0002 02 01", 2), ("0002 ff 01", 255)]
    {
        let octets = message(5, body);
        let Ok(Message::RouteRefresh(refresh)) = decode(&octets) else { panic!("{body}") };
        let subtype = RouteRefreshSubtype(subtype);
        assert_eq!(refresh, RouteRefresh { family: AfiSafi::IPV6_UNICAST, subtype });
        let mut out = BytesMut::new();
        refresh.encode(&mut out);
        assert_eq!(out, octets);
    }
    // Filters after a request are ignored; after a mark they are an error with the message as data.
    assert!(decode(&message(5, "0001 00 01 01 80 0000")).is_ok());
    let octets = message(5, "0001 01 01 00");
    let notification = decode(&octets).unwrap_err().notification(&octets);
    assert_eq!((notification.code.0, notification.subcode), (7, 1));
    assert_eq!(notification.data, octets);
    // A mark that is too short already fails the check of the header.
    assert!(Frame::split(&message(5, "0001 01"), MessageLimit::Standard).is_err());
}

#[test]
fn a_notification_reads_back() {
    let octets = message(3, "06 02 03 627965");
    let Ok(Message::Notification(notification)) = decode(&octets) else { panic!() };
    assert_eq!(notification.to_string(), "Cease: administrative shutdown: \"bye\"");
    let mut out = BytesMut::new();
    notification.encode(&mut out);
    assert_eq!(out, octets);
}
