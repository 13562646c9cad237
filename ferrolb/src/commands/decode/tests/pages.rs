//! The page for people.

use super::{MARKER, update};
use crate::commands::decode::{Context, digits, mrt, stream};
use crate::output::OutputFormat;

fn page(message: &str) -> String {
    let mut page = Vec::new();
    let is_one = digits(&format!("{MARKER}{message}"), &Context::default(), &mut page);
    assert!(is_one.is_ok_and(|is_one| is_one), "{message}");
    String::from_utf8(page).unwrap()
}

#[test]
fn each_part_is_shown_with_its_offset() {
    insta::assert_snapshot!(page(&update(
        "40010100 4002060201 0000fc7c 400304ac16231a c00804fc7b0064 c06301ff",
        "20ac162346"
    )), @r"
    UPDATE, 59 octets
        0  ffffffffffffffffffffff.. marker
       16  003b                     length 59
       18  02                       type 2, UPDATE
       19  0000                     withdrawn routes, 0 octets
       21  001f                     path attributes, 31 octets
       23  40010100                 ORIGIN igp
       27  40020602010000fc7c       AS_PATH 64636
       36  400304ac16231a           NEXT_HOP 172.22.35.26
       43  c00804fc7b0064           COMMUNITIES 64635:100
       50  c06301ff                 attribute 99 (optional transitive) ff
       54  20ac162346               routes: 172.22.35.70/32
    verdict: ok
    ");
}

#[test]
fn errors_are_shown_with_their_consequences() {
    insta::assert_snapshot!(page(&update(
        "40010103 400200 400304ac16231a 40050400000064 c00805",
        "20ac162346"
    )), @r"
    UPDATE, 52 octets
        0  ffffffffffffffffffffff.. marker
       16  0034                     length 52
       18  02                       type 2, UPDATE
       19  0000                     withdrawn routes, 0 octets
       21  0018                     path attributes, 24 octets
       23  40010103                 ORIGIN (well-known transitive) 03
       27  400200                   AS_PATH empty
       30  400304ac16231a           NEXT_HOP 172.22.35.26
       37  40050400000064           LOCAL_PREF (well-known transitive) 00000064
       44  c00805                   truncated attribute, 3 octets
       47  20ac162346               routes: 172.22.35.70/32
       23  wrong                    ORIGIN: the origin is none of 0, 1 and 2 (octet 23) -> treat-as-withdraw
       37  wrong                    LOCAL_PREF: the attribute does not belong on this session (octet 37) -> attribute-discard
       44  wrong                    COMMUNITIES: the attribute exceeds the attributes of its message (octet 44) -> treat-as-withdraw
    verdict: treat-as-withdraw: the session stays, these routes count as withdrawn: 172.22.35.70/32
    ");
    insta::assert_snapshot!(page(&update(
        "40010100 4002060201 0000fc7c 400304ac16231a 40050400000064",
        "20ac162346"
    )), @r"
    UPDATE, 55 octets
        0  ffffffffffffffffffffff.. marker
       16  0037                     length 55
       18  02                       type 2, UPDATE
       19  0000                     withdrawn routes, 0 octets
       21  001b                     path attributes, 27 octets
       23  40010100                 ORIGIN igp
       27  40020602010000fc7c       AS_PATH 64636
       36  400304ac16231a           NEXT_HOP 172.22.35.26
       43  40050400000064           LOCAL_PREF (well-known transitive) 00000064
       50  20ac162346               routes: 172.22.35.70/32
       43  wrong                    LOCAL_PREF: the attribute does not belong on this session (octet 43) -> attribute-discard
    verdict: attribute-discard: the attribute is discarded, the routes and the session stay
    ");
    insta::assert_snapshot!(page("00140400"), @r"
    KEEPALIVE, 20 octets
        0  ffffffffffffffffffffff.. marker
       16  0014                     length 20
       18  04                       type 4, KEEPALIVE
       16  wrong                    the message has a length that its type cannot have (octet 16)
    verdict: session-reset
    the session ends with NOTIFICATION 1/2, Message header error: bad message length, data 0014
    ");
}

#[test]
fn a_message_that_ends_the_session_is_shown_too() {
    insta::assert_snapshot!(page(&update("40010100 800e08 0002 01 04 0a000001 ff", "")), @r"
    UPDATE, 39 octets
        0  ffffffffffffffffffffff.. marker
       16  0027                     length 39
       18  02                       type 2, UPDATE
       19  0000                     withdrawn routes, 0 octets
       21  0010                     path attributes, 16 octets
       23  40010100                 ORIGIN (well-known transitive) 00
       27  800e08000201040a000001   MP_REACH_NLRI (optional non-transitive) 000201040a000001
       38  ff                       truncated attribute, 1 octet
       27  wrong                    MP_REACH_NLRI: the attribute has a length that it cannot have (octet 27)
    verdict: session-reset
    the session ends with NOTIFICATION 3/9, UPDATE message error: optional attribute error, data 800e08000201040a000001
    ");
    insta::assert_snapshot!(page("002b01045ba000010a0000020e020c01040001ff014104000100ff"), @r"
    OPEN, 43 octets
        0  ffffffffffffffffffffff.. marker
       16  002b                     length 43
       18  01                       type 1, OPEN
       19  04                       version 4
       20  5ba0                     AS 23456
       22  0001                     hold time 1 s
       24  0a000002                 BGP identifier 10.0.0.2
       28  0e                       optional parameters
       31  01040001ff01             capability 1, multiprotocol ipv4-unicast
       37  4104000100ff             capability 65, four-octet AS 65791
       22  wrong                    the hold time is neither 0 nor at least 3 seconds (octet 22)
    verdict: open-error
    the session ends with NOTIFICATION 2/6, OPEN message error: unacceptable hold time
    ");
}

#[test]
fn short_messages_are_shown_in_words() {
    insta::assert_snapshot!(page("001903060203627965"), @r#"
    NOTIFICATION, 25 octets
        0  ffffffffffffffffffffff.. marker
       16  0019                     length 25
       18  03                       type 3, NOTIFICATION
       19  0602                     code 6, subcode 2: Cease: administrative shutdown: "bye"
       21  03627965                 data, 4 octets
    verdict: ok
    "#);
    insta::assert_snapshot!(page("00170500020201"), @r"
    ROUTE-REFRESH, 23 octets
        0  ffffffffffffffffffffff.. marker
       16  0017                     length 23
       18  05                       type 5, ROUTE-REFRESH
       19  00020201                 ipv6-unicast: end of route refresh (RFC 7313)
    verdict: ok
    ");
}

#[test]
fn octets_that_are_not_one_message_are_shown_as_far_as_possible() {
    let page = |message: &str| {
        let mut page = Vec::new();
        let is_one = digits(message, &Context::default(), &mut page);
        assert!(is_one.is_ok_and(|is_one| !is_one));
        String::from_utf8(page).unwrap()
    };
    insta::assert_snapshot!(page(&format!("{MARKER}00210200")), @r"
    UPDATE, 20 of 33 octets
        0  ffffffffffffffffffffff.. marker
       16  0021                     length 33
       18  02                       type 2, UPDATE
       19  00                       1 octet
    not one message: truncated: expected 33 octets, found 20
    ");
    insta::assert_snapshot!(page(&format!("{MARKER}001304ff")), @r"
    KEEPALIVE, 20 of 19 octets
        0  ffffffffffffffffffffff.. marker
       16  0013                     length 19
       18  04                       type 4, KEEPALIVE
       19  ff                       1 octet
    not one message: surplus octets: expected 19, found 20
    ");
    insta::assert_snapshot!(page(""), @r"
    message, 0 of 19 octets
    not one message: truncated: expected 19 octets, found 0
    ");
}

#[test]
fn a_stream_is_decoded_up_to_a_truncated_message() {
    let octets = [&[0xff; 16][..], &[0, 19, 4], &[0xff; 16], &[0, 23, 2]].concat();
    let mut page = Vec::new();
    stream(&octets[..], &Context::default(), OutputFormat::Json, &mut page).unwrap();
    insta::assert_snapshot!(String::from_utf8(page).unwrap(), @r#"
    {"decoded":{"type":"keepalive"},"id":1,"notification":null,"outcome":"ok","stream_offset":0}
    {"error":"truncated: expected 23 octets, found 19","id":2,"stream_offset":19}
    "#);
}

#[test]
fn a_recorded_message_has_its_time_and_its_peer() {
    // BGP4MP_ET with a KEEPALIVE that was sent, and microseconds.
    let keepalive = [&[0xff; 16][..], &[0, 19, 4]].concat();
    let session = [0, 0, 0xfc, 0x7b, 0, 0, 0xfc, 0x7c, 0, 0, 0, 1, 10, 0, 0, 1, 10, 0, 0, 2];
    let head = [0x60, 0, 0, 0, 0, 17, 0, 7, 0, 0, 0, 43, 0, 1, 0xe2, 0x40];
    let file = [&head[..], &session, &keepalive].concat();
    let decoded = |format| {
        let mut page = Vec::new();
        mrt(&file[..], format, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    };
    let page = decoded(OutputFormat::Text);
    assert!(
        page.starts_with("# message 1, time 1610612736.123456 to 10.0.0.1, AS 64635\n"),
        "{page}"
    );
    let answer: serde_json::Value = serde_json::from_str(&decoded(OutputFormat::Json)).unwrap();
    let expected = serde_json::json!({
        "id": 1, "outcome": "ok", "notification": null, "decoded": {"type": "keepalive"},
        "time": 1_610_612_736, "microseconds": 123_456, "peer": "10.0.0.1", "peer_as": 64_635, "sent": true,
    });
    assert_eq!(answer, expected);
}
