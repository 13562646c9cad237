//! What is read besides BGP: the data of RPKI caches, BMP streams and MRT files.

use std::time::{Duration, Instant};

use bgp_core::bmp::{BmpError, BmpFrame};
use bgp_core::mrt::{Record, RecordContent, Records};
use bgp_core::rpki::{Pdu, RtrClient, RtrErrorCode, RtrOutput, RtrState};
use bytes::BytesMut;

use super::hex;

#[test]
fn a_pdu_of_a_cache_that_cannot_be_is_refused_before_it_is_kept() {
    use RtrErrorCode as Code;
    for (number, octets, code) in [
        // Shorter than a header, none at all, and four gigabytes.
        ("CVE-2026-6522", "01 00 0000 00000000", Code::CORRUPT_DATA),
        ("CVE-2015-2153", "01 03 0000 00000007", Code::CORRUPT_DATA),
        ("CVE-2015-2153", "01 04 0000 ffffffff", Code::CORRUPT_DATA),
        // Lengths that are not those of their types.
        ("CVE-2025-43973", "01 04 0000 00000010 01 08 18 00 0a000000", Code::CORRUPT_DATA),
        ("CVE-2025-43973", "01 00 0000 00000008", Code::CORRUPT_DATA),
        ("CVE-2017-13050", "01 06 0000 00000014 01 20 30 00 20010db8 00000000", Code::CORRUPT_DATA),
        // An Error Report whose PDU, or whose text, is longer than itself.
        ("gobgp a550fe7b", "01 0a 0000 00000010 ffffffff 00000000", Code::CORRUPT_DATA),
        ("gobgp a550fe7b", "01 0a 0000 00000010 00000000 7fffffff", Code::CORRUPT_DATA),
        ("CVE-2017-13050", "01 0a 0000 0000000c 00000004", Code::CORRUPT_DATA),
        // Prefixes longer than addresses.
        ("gobgp 0378ad62", "01 04 0000 00000014 01 ff ff 00 0a000000 0000fde8", Code::CORRUPT_DATA),
        ("gobgp 0378ad62", "01 04 0000 00000014 01 18 10 00 0a000000 0000fde8", Code::CORRUPT_DATA),
    ] {
        let octets = hex(octets);
        assert_eq!(Pdu::decode(&octets).map_err(|it| it.code), Err(code), "{number}");
        assert_refused(&octets, number);
    }
}

/// A client that gets these octets in answer to its query ends the connection, and connects again later.
fn assert_refused(octets: &[u8], number: &str) {
    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    let mut now = Instant::now();
    let mut client = RtrClient::new(now);
    client.handle_timeout(now);
    client.connected(now);
    client.read_buffer().extend_from_slice(&hex("01 03 1234 00000008"));
    client.read_buffer().extend_from_slice(octets);
    client.received(now);

    let outputs: Vec<_> = std::iter::from_fn(|| client.poll_output()).collect();
    // CVE-2021-0281 and CVE-2024-39543: a packet of the cache, and the process was gone.
    assert!(outputs.contains(&RtrOutput::Close), "{number}: {outputs:?}");
    assert_eq!(client.state(), RtrState::Waiting, "{number}");
    assert!(client.read_buffer().is_empty(), "{number}");
    assert!(client.vrps().is_none(), "{number}");

    let due = client.poll_timeout().expect("another attempt");
    assert!(due - now <= Duration::from_secs(7_200), "{number}");
    now = due;
    client.handle_timeout(now);
    assert_eq!(client.poll_output(), Some(RtrOutput::Connect), "{number}");
}

#[test]
fn a_bmp_message_that_is_shorter_than_its_fields_is_refused() {
    let peer = "00 00 0000000000000000 00000000000000000000000000000000 0a000001 0000fc7c 00000000 00000000";
    for (number, kind, body) in [
        // Peer Up: no addresses, one port of two, and no OPENs.
        ("CVE-2026-7737", 3, String::new()),
        ("CVE-2026-7737", 3, format!("{peer} 0a000001")),
        ("CVE-2026-7737", 3, format!("{peer} {} 00b3", "00".repeat(16))),
        ("CVE-2026-7737", 3, format!("{peer} {} 00b3 9c40", "00".repeat(16))),
        // Statistics: no counter, and many that are not there.
        ("CVE-2026-7737", 1, peer.to_owned()),
        ("CVE-2026-7737", 1, format!("{peer} 0000")),
        ("CVE-2026-7737", 1, format!("{peer} ffffffff")),
        ("CVE-2026-7737", 1, format!("{peer} 00000001 0000 0008 00000001")),
        // A value beyond the message.
        ("gobgp a7028f38", 4, "0002 ffff 61".to_owned()),
        ("gobgp a7028f38", 2, format!("{peer} 01 ffff")),
    ] {
        let body = hex(&body);
        let length = u32::try_from(6 + body.len()).unwrap().to_be_bytes();
        let octets = [&[3], &length[..], &[kind], &body].concat();
        let frame = BmpFrame::split(&octets).unwrap().expect("a whole message");
        assert!(matches!(frame.decode(), Err(BmpError::Content(_))), "{number}, type {kind}");
    }
}

fn record(kind: u16, subtype: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[0, 0, 0, 7], &kind.to_be_bytes()[..], &subtype.to_be_bytes(), &length, body].concat()
}

#[test]
fn an_mrt_record_that_is_shorter_than_its_fields_is_an_error_and_the_next_one_is_read() {
    for (number, kind, subtype, body) in [
        // BGP4MP with fewer octets than its AS numbers, its interface and its addresses need.
        ("CVE-2025-43970", 16, 1, "fde9 fdea"),
        ("CVE-2025-43970", 16, 4, "0000fde9 0000fdea 0000"),
        ("CVE-2025-43970", 16, 4, "0000fde9 0000fdea 0000 0001 0a000001"),
        ("CVE-2025-43970", 16, 4, "0000fde9 0000fdea 0000 0002 0a000001 0a000002"),
        ("CVE-2025-43970", 16, 5, "0000fde9 0000fdea 0000 0001 0a000001 0a000002 0005"),
        // An entry whose attributes are longer than the record.
        ("CVE-2026-7736", 13, 2, "00000001 08 0a 0001 0000 00000007 ffff 40010100"),
        ("CVE-2026-7736", 13, 2, "00000001 08 0a 0001 0000 00000007"),
        ("CVE-2026-7736", 13, 2, "00000001 ff 0a 0001 0000 00000007 0000"),
        // A table of peers whose name, or whose peers, are longer than the record.
        ("gobgp b015c355", 13, 1, "0a000001 ffff 41"),
        ("gobgp b015c355", 13, 1, "0a000001 0000 ffff 02 0a000001 0a000002 0000fde9"),
    ] {
        let file = [record(kind, subtype, &hex(body)), record(48, 2, b"next")].concat();
        let mut records = Records::new(&file);
        assert!(records.next().unwrap().content().is_err(), "{number}: {body}");
        assert_eq!(records.next().unwrap().content(), Ok(RecordContent::Other), "{number}");
        assert!(records.next().is_none() && records.rest().is_empty());
    }
    assert_eq!(Record::split(&hex("00000007 000d 0001 ffffffff 00")), None);
}

#[test]
fn an_entry_whose_attribute_exceeds_its_attributes_makes_no_update() {
    // CVE-2026-7736: the length of an attribute is larger than what is left of them.
    let body = hex("00000001 08 0a 0001 0000 00000007 0008 40010100 c008ff00");
    let file = record(13, 2, &body);
    let Ok(RecordContent::Rib(rib)) = Record::split(&file).unwrap().content() else { panic!() };
    let entries: Vec<_> = rib.entries().collect();
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    let mut out = BytesMut::from(&b"before"[..]);
    assert!(!rib.encode_update(entry, &mut out));
    assert_eq!(out, &b"before"[..]);
}
