//! The contract of `--jsonl`, the page for people, and real files.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;

const MARKER: &str = "ffffffffffffffffffffffffffffffff";

/// The answer to one message, its marker left out, in the context given as JSON.
fn ask(message: &str, ctx: &Value) -> Value {
    let line = json!({"id": 7, "hex": format!("{MARKER}{message}"), "ctx": ctx}).to_string();
    let mut answer = jsonl::answer(line.as_bytes());
    let id = answer.as_object_mut().and_then(|answer| answer.remove("id"));
    assert_eq!(id, Some(json!(7)));
    answer
}

/// An UPDATE with these attributes and routes, as hexadecimal digits without marker.
fn update(attributes: &str, nlri: &str) -> String {
    let digits = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (attributes, nlri) = (digits(attributes), digits(nlri));
    let (inner, outer) = (attributes.len() / 2, nlri.len() / 2);
    format!("{:04x}020000{inner:04x}{attributes}{nlri}", 23 + inner + outer)
}

#[test]
fn the_examples_of_the_contract_are_answered_so() {
    let keepalive = ask("001304", &json!({}));
    assert_eq!(
        keepalive,
        json!({"outcome": "ok", "notification": null, "decoded": {"type": "keepalive"}})
    );
    let end_of_rib = ask("00170200000000", &json!({}));
    assert_eq!(end_of_rib["decoded"]["eor"], "1/1");
    assert_eq!(end_of_rib["decoded"]["nlri"], json!([]));
    assert_eq!(end_of_rib["decoded"]["withdrawn"], json!([]));
    let notification = ask("0015030602", &json!({}));
    assert_eq!(
        notification["decoded"],
        json!({"type": "notification", "code": 6, "subcode": 2, "data": ""})
    );
    let long_keepalive = ask("00140400", &json!({}));
    assert_eq!(long_keepalive["outcome"], "session-reset");
    assert_eq!(long_keepalive["notification"], json!([1, 2]));
    assert_eq!(long_keepalive["notification_data"], "0014");
    assert_eq!(long_keepalive["decoded"], Value::Null);
}

#[test]
fn an_update_tells_all_its_attributes() {
    let message = update(
        "40010100 4002060201 0000fc7c 400304ac16231a c0080c fc7b0064ffffff01 00010002
         c0200c 0000fc7b0000000100000002 c01008 0002fc7b00000001 c01e02abcd",
        "20ac162346",
    );
    let answer = ask(&message, &json!({}));
    assert_eq!(answer["outcome"], "ok");
    let decoded = &answer["decoded"];
    assert_eq!(decoded["nlri"], json!([{"prefix": "172.22.35.70/32"}]));
    assert_eq!(decoded["origin"], "igp");
    assert_eq!(decoded["as_path"], json!([{"type": "sequence", "asns": [64636]}]));
    assert_eq!(decoded["next_hop"], "172.22.35.26");
    assert_eq!(decoded["communities"], json!(["64635:100", "65535:65281", "1:2"]));
    assert_eq!(decoded["large_communities"], json!(["64635:1:2"]));
    assert_eq!(decoded["ext_communities"], json!(["0002fc7b00000001"]));
    assert_eq!(decoded["unknown_attrs"], json!([{"code": 30, "flags": 192, "hex": "abcd"}]));
    assert_eq!(decoded["attr_codes"], json!([1, 2, 3, 8, 32, 16, 30]));
    assert_eq!(decoded.get("med"), None);
}

#[test]
fn what_is_discarded_is_left_out_and_named() {
    let local_pref = "40010100 4002060201 0000fc7c 400304ac16231a 40050400000064";
    let answer = ask(&update(local_pref, "20ac162346"), &json!({"peer": "ebgp"}));
    assert_eq!(answer["outcome"], "attribute-discard");
    assert_eq!(answer["discarded"], json!([5]));
    assert_eq!(answer["decoded"].get("local_pref"), None);
    assert_eq!(answer["decoded"]["attr_codes"], json!([1, 2, 3, 5]));
    let answer = ask(&update(local_pref, "20ac162346"), &json!({"peer": "ibgp"}));
    assert_eq!((&answer["outcome"], &answer["decoded"]["local_pref"]), (&json!("ok"), &json!(100)));
}

#[test]
fn a_path_with_as_0_is_treated_as_withdrawn() {
    let answer =
        ask(&update("40010100 4002060201 00000000 400304ac16231a", "18ac1623"), &json!({}));
    assert_eq!(answer["outcome"], "treat-as-withdraw");
    assert_eq!(answer["decoded"], Value::Null);
    assert_eq!(answer["notification"], Value::Null);
    assert!(answer["reason"].as_str().is_some_and(|reason| reason.contains("AS 0")), "{answer}");
}

#[test]
fn the_context_says_how_to_read() {
    let two_octets = update(
        "40010100 400206 02 02 5ba0 fde8 400304ac16231a
                             c0110a 02 02 00010000 0000fde8",
        "18ac1623",
    );
    let answer = ask(&two_octets, &json!({"asn4": false}));
    assert_eq!(answer["decoded"]["as_path"], json!([{"type": "sequence", "asns": [23456, 65000]}]));
    assert_eq!(
        answer["decoded"]["as4_path"],
        json!([{"type": "sequence", "asns": [65536, 65000]}])
    );
    assert_eq!(answer["decoded"]["as_path_merged"], "65536 65000");
    let add_path = update("40010100 4002060201 0000fc7c 400304ac16231a", "00000007 18ac1623");
    let answer = ask(&add_path, &json!({"addpath": ["1/1"]}));
    assert_eq!(answer["decoded"]["nlri"], json!([{"prefix": "172.22.35.0/24", "path_id": 7}]));
}

#[test]
fn multiprotocol_routes_and_opaque_families_are_told() {
    let ipv6 = update(
        "40010100 4002060201 0000fc7c
                       800e1a 0002 01 10 20010db8000000000000000000000001 00 20 20010db8",
        "",
    );
    let answer = ask(&ipv6, &json!({}));
    assert_eq!(
        answer["decoded"]["mp_reach"],
        json!({"afi": 2, "safi": 1, "next_hops": ["2001:db8::1"], "nlri": [{"prefix": "2001:db8::/32"}]})
    );
    let vpn = update("800f05 0019 46 ab cd", "");
    let answer = ask(&vpn, &json!({}));
    assert_eq!(answer["decoded"]["mp_unreach"], json!({"afi": 25, "safi": 70, "nlri_hex": "abcd"}));
}

#[test]
fn an_open_is_told_with_its_capabilities_or_refused() {
    let open = "002b 01 04 5ba0 005a 0a000002 0e 020c 0104 0001 0001 4104 00010000";
    let open: String = open.chars().filter(|c| !c.is_whitespace()).collect();
    let answer = ask(&open, &json!({}));
    assert_eq!(
        answer["decoded"],
        json!({"type": "open", "version": 4, "my_as": 23456, "hold_time": 90, "bgp_id": "10.0.0.2",
               "capabilities": [{"code": 1, "hex": "00010001"}, {"code": 65, "hex": "00010000"}],
               "asn4": 65536, "extended_opt_params": false})
    );
    let refused = ask(&open.replacen("0104", "0103", 1), &json!({}));
    assert_eq!(
        (&refused["outcome"], &refused["notification"]),
        (&json!("open-error"), &json!([2, 1]))
    );
    assert_eq!(refused["notification_data"], "0004");
}

#[test]
fn every_line_gets_its_answer_in_order_whatever_it_is() {
    let input = format!(
        "{{\"id\":\"a\",\"hex\":\"{MARKER}001304\"}}\nno json\n\n{{\"id\":2}}\n\
         {{\"id\":3,\"hex\":\"abc\"}}\n{{\"id\":4,\"hex\":\"{MARKER}0014\"}}\n\
         {{\"id\":5,\"hex\":\"{MARKER}00130400\"}}\n{{\"id\":6,\"hex\":\"\",\"ctx\":{{\"families\":[\"x\"]}}}}\n\
         \"text\"\n\u{fffd}{{\"id\":7"
    );
    let mut output = Vec::new();
    lines(Cursor::new(input.replace('\u{fffd}', "")), &mut output).unwrap();
    let answers: Vec<Value> = output
        .split(|o| *o == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let ids: Vec<_> = answers.iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(
        ids,
        [
            json!("a"),
            json!(null),
            json!(null),
            json!(2),
            json!(3),
            json!(4),
            json!(5),
            json!(6),
            json!(null),
            json!(null)
        ]
    );
    for answer in &answers[1..] {
        assert!(answer["error"].is_string(), "{answer}");
    }
    assert_eq!(answers[5]["error"], "hex: truncated: expected 20 octets, found 18");
    assert_eq!(answers[6]["error"], "hex: surplus octets: expected 19, found 20");
}

#[test]
fn a_person_is_shown_where_everything_stands_and_what_is_wrong() {
    let page = |message: &str| {
        let mut page = Vec::new();
        digits(&format!("{MARKER}{message}"), &Context::default(), &mut page).unwrap();
        String::from_utf8(page).unwrap()
    };
    insta::assert_snapshot!(page(&update(
        "40010100 4002060201 0000fc7c 400304ac16231a c00804fc7b0064",
        "20ac162346"
    )), @r"
    UPDATE, 55 octets
        0  ffffffffffffffffffffff.. marker
       16  0037                     length 55
       18  02                       type 2, UPDATE
       19  0000                     withdrawn routes: none
       21  001b                     path attributes, 27 octets
       23  40010100                 ORIGIN igp
       27  40020602010000fc7c       AS_PATH 64636
       36  400304ac16231a           NEXT_HOP 172.22.35.26
       43  c00804fc7b0064           COMMUNITIES 64635:100
       50  20ac162346               routes: 172.22.35.70/32
    verdict: ok
    ");
    insta::assert_snapshot!(page(&update("40010103 400200 400304ac16231a", "20ac162346")), @r"
    UPDATE, 42 octets
        0  ffffffffffffffffffffff.. marker
       16  002a                     length 42
       18  02                       type 2, UPDATE
       19  0000                     withdrawn routes: none
       21  000e                     path attributes, 14 octets
       23  40010103                 ORIGIN 03
       27  400200                   AS_PATH empty
       30  400304ac16231a           NEXT_HOP 172.22.35.26
       37  20ac162346               routes: 172.22.35.70/32
       23  wrong                    ORIGIN: the origin is none of 0, 1 and 2 (octet 23) -> treat-as-withdraw
    verdict: treat-as-withdraw
    ");
    insta::assert_snapshot!(page("00140400"), @r"
    KEEPALIVE, 20 octets
        0  ffffffffffffffffffffff.. marker
       16  0014                     length 20
       18  04                       type 4, KEEPALIVE
       16  00140400                 wrong: the message has a length that its type cannot have (octet 16)
    verdict: session-reset
    the session ends with NOTIFICATION 1/2, Message header error: bad message length, data 0014
    ");
}

/// A file of real messages, if there are any on this machine.
fn real(name: &str) -> Option<BufReader<File>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mrt").join(name);
    File::open(path).ok().map(BufReader::new)
}

#[test]
fn real_mrt_files_are_read_to_their_end_with_a_verdict_on_each_message() {
    let files = [
        ("ris-updates.20160811.1600.gz", 17_000),
        ("routeviews-jinx-updates.20150401.0000.bz2", 1_700),
        ("bview.ipv6_unicast_add_path.gz", 31),
    ];
    for (name, at_least) in files {
        let Some(file) = real(name) else { continue };
        let mut output = Vec::new();
        let skipped = mrt(file, Form::Json, &mut output).unwrap();
        assert_eq!((skipped.malformed_records, skipped.cut), (0, false), "{name}");
        let answers = output.split(|octet| *octet == b'\n').filter(|line| !line.is_empty());
        let answers: Vec<Value> =
            answers.map(|line| serde_json::from_slice(line).unwrap()).collect();
        assert!(answers.len() >= at_least, "{name}: {}", answers.len());
        let bad = answers.iter().find(|it| {
            it["error"].is_string()
                || it["outcome"] == "session-reset"
                || it["outcome"] == "open-error"
        });
        assert_eq!(bad, None, "{name}");
    }
}
