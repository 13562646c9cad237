use proptest::prelude::*;

use super::*;

fn vrp(prefix: &str, max_length: u8, asn: u32) -> Vrp {
    Vrp::new(prefix.parse().expect("a prefix"), Asn(asn)).max_length(max_length)
}

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)?.try_into().ok()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn rfc_8210_section_5_each_pdu_has_its_octets() {
    let timers = RtrTimers::default();
    let error = Pdu::ErrorReport {
        code: RtrErrorCode::CORRUPT_DATA,
        pdu: vec![1, 2],
        text: "no".to_owned(),
    };
    for (hex, version, pdu) in [
        ("01 00 1234 0000000c 00000007", 1, Pdu::SerialNotify { session_id: 0x1234, serial: 7 }),
        ("01 01 1234 0000000c 00000007", 1, Pdu::SerialQuery { session_id: 0x1234, serial: 7 }),
        ("00 02 0000 00000008", 0, Pdu::ResetQuery),
        ("01 03 1234 00000008", 1, Pdu::CacheResponse { session_id: 0x1234 }),
        (
            "01 04 0000 00000014 01 08 18 00 0a000000 0000fde8",
            1,
            Pdu::Prefix { is_announced: true, vrp: vrp("10.0.0.0/8", 24, 65_000) },
        ),
        (
            "00 06 0000 00000020 00 20 30 00 20010db8000000000000000000000000 0000fde8",
            0,
            Pdu::Prefix { is_announced: false, vrp: vrp("2001:db8::/32", 48, 65_000) },
        ),
        (
            "01 07 1234 00000018 00000007 00000e10 00000258 00001c20",
            1,
            Pdu::EndOfData { session_id: 0x1234, serial: 7, timers: Some(timers) },
        ),
        (
            "00 07 1234 0000000c 00000007",
            0,
            Pdu::EndOfData { session_id: 0x1234, serial: 7, timers: None },
        ),
        ("01 08 0000 00000008", 1, Pdu::CacheReset),
        ("01 0a 0000 00000014 00000002 0102 00000002 6e6f", 1, error),
    ] {
        let expected = octets(hex);
        let mut out = BytesMut::new();
        pdu.encode(version, &mut out);
        assert_eq!(out, expected, "{pdu:?}");

        let decoded = DecodedPdu { version, pdu, length: expected.len() };
        assert_eq!(Pdu::decode(&expected), Ok(Some(decoded)));
        for end in 0..expected.len() {
            assert_eq!(Pdu::decode(&expected[..end]), Ok(None), "{hex} to {end}");
        }
    }
    let key = octets("01 09 0100 00000020").into_iter().chain([0; 24]).collect::<Vec<_>>();
    assert!(matches!(Pdu::decode(&key), Ok(Some(DecodedPdu { pdu: Pdu::RouterKey, .. }))));
}

#[test]
fn octets_that_the_protocol_does_not_allow_are_refused_with_their_code() {
    use RtrErrorCode as Code;
    for (hex, code) in [
        // Too short for a header, and as long as four gigabytes.
        ("01 02 0000 00000007", Code::CORRUPT_DATA),
        ("01 09 0000 ffffffff", Code::CORRUPT_DATA),
        // Lengths that are not those of the types.
        ("01 00 0000 00000008", Code::CORRUPT_DATA),
        ("01 02 0000 00000009 00", Code::CORRUPT_DATA),
        ("01 04 0000 00000013 01 08 18 00 0a000000 0000fd", Code::CORRUPT_DATA),
        ("01 06 0000 00000014 01 08 18 00 0a000000 0000fde8", Code::CORRUPT_DATA),
        ("01 07 0000 0000000c 00000007", Code::CORRUPT_DATA),
        ("01 09 0000 00000008", Code::CORRUPT_DATA),
        ("01 0a 0000 00000010 00000001 00000000", Code::CORRUPT_DATA),
        ("01 0a 0000 00000010 ffffffff 00000000", Code::CORRUPT_DATA),
        // A prefix that is too long, and maximum lengths that are not possible.
        ("01 04 0000 00000014 01 21 21 00 0a000000 0000fde8", Code::CORRUPT_DATA),
        ("01 04 0000 00000014 01 08 07 00 0a000000 0000fde8", Code::CORRUPT_DATA),
        ("01 04 0000 00000014 01 08 21 00 0a000000 0000fde8", Code::CORRUPT_DATA),
        // Types that the version does not have, and other versions.
        ("01 05 0000 00000008", Code::UNSUPPORTED_PDU_TYPE),
        ("01 0b 0000 00000008", Code::UNSUPPORTED_PDU_TYPE),
        ("00 09 0000 00000008", Code::UNSUPPORTED_PDU_TYPE),
        ("02 03 0000 00000008", Code::UNSUPPORTED_PROTOCOL_VERSION),
    ] {
        assert_eq!(Pdu::decode(&octets(hex)).map_err(|error| error.code), Err(code), "{hex}");
    }
    let later = Pdu::decode(&octets("02 0a 0004 00000010 00000000 00000000"));
    assert!(matches!(later, Ok(Some(DecodedPdu { version: 2, .. }))));
}

#[test]
fn times_outside_the_limits_of_rfc_8210_section_6_are_moved_inside() {
    let seconds = |[refresh, retry, expire]: [u64; 3]| RtrTimers {
        refresh: Duration::from_secs(refresh),
        retry: Duration::from_secs(retry),
        expire: Duration::from_secs(expire),
    };
    for (given, used) in [
        ([0, 0, 0], [1, 1, 600]),
        ([1_000_000; 3], [86_400, 7_200, 172_800]),
        // Data must outlive the query for newer ones, and some failures.
        ([3_600, 600, 600], [3_600, 600, 5_400]),
        ([3_600, 600, 3_600], [3_600, 600, 5_400]),
        ([600, 1_200, 1_200], [600, 1_200, 4_200]),
        ([86_400, 7_200, 600], [86_400, 7_200, 108_000]),
        ([3_600, 600, 3_601], [3_600, 600, 3_601]),
        ([3_600, 600, 7_200], [3_600, 600, 7_200]),
    ] {
        assert_eq!(seconds(given).within_limits(), seconds(used));
    }
}

#[test]
fn the_text_of_a_cache_is_cut_and_has_no_control_characters() {
    let read = |text: &str| {
        let report = Pdu::ErrorReport {
            code: RtrErrorCode::INTERNAL_ERROR,
            pdu: Vec::new(),
            text: text.to_owned(),
        };
        let mut octets = BytesMut::new();
        report.encode(1, &mut octets);
        match Pdu::decode(&octets).expect("a PDU").expect("the whole PDU").pdu {
            Pdu::ErrorReport { text, .. } => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read("no data\nERROR \u{1b}[31mforged"), r"no data\nERROR \u{1b}[31mforged");
    assert_eq!(read(&"a".repeat(60_000)), "a".repeat(256));
    // A character is kept as a whole or not at all.
    assert_eq!(read(&"a\u{20ac}".repeat(100)), "a\u{20ac}".repeat(64));
    assert_eq!(read(&format!("{}\n", "a".repeat(255))), "a".repeat(255));
    let once = read(&"\n\u{20ac}".repeat(100));
    assert_eq!(read(&once), once);
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(Some(decoded)) = Pdu::decode(&octets) {
            prop_assert!(decoded.length <= octets.len());
        }
    }
}
