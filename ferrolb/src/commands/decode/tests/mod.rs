//! The contract of `--jsonl`, the page for people, and real files.

use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::*;

mod pages;

const MARKER: &str = "ffffffffffffffffffffffffffffffff";

fn answer(line: &str, context: &Context) -> Value {
    serde_json::to_value(jsonl::answer(line.as_bytes(), context)).unwrap()
}

/// Returns the answer to one message, given without its marker, in this context.
fn ask(message: &str, ctx: &Value) -> Value {
    let line = json!({"id": 7, "hex": format!("{MARKER}{message}"), "ctx": ctx}).to_string();
    let mut answer = answer(&line, &Context::default());
    let id = answer.as_object_mut().and_then(|answer| answer.remove("id"));
    assert_eq!(id, Some(json!(7)));
    answer
}

/// Returns an UPDATE with these attributes and routes, in hexadecimal and without its marker.
fn update(attributes: &str, nlri: &str) -> String {
    let digits = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let (attributes, nlri) = (digits(attributes), digits(nlri));
    let (inner, outer) = (attributes.len() / 2, nlri.len() / 2);
    format!("{:04x}020000{inner:04x}{attributes}{nlri}", 23 + inner + outer)
}

#[test]
fn the_examples_of_the_contract_have_their_answers() {
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
fn an_update_is_decoded_with_all_its_attributes() {
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
fn discarded_attributes_are_left_out_and_listed() {
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
fn the_context_decides_how_a_message_is_read() {
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
    assert_eq!(answer["decoded"]["as_path_merged"], answer["decoded"]["as4_path"]);
    let add_path = update("40010100 4002060201 0000fc7c 400304ac16231a", "00000007 18ac1623");
    let answer = ask(&add_path, &json!({"addpath": ["1/1"]}));
    assert_eq!(answer["decoded"]["nlri"], json!([{"prefix": "172.22.35.0/24", "path_id": 7}]));
}

#[test]
fn multiprotocol_routes_and_opaque_families_are_decoded() {
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
    // Nobody looked into what was not negotiated: what is no prefix is not lost.
    let unknown = ask(&update("800f09 0002 01 20 20010db8 81", ""), &json!({"families": ["1/1"]}));
    assert_eq!(
        unknown["decoded"]["mp_unreach"],
        json!({"afi": 2, "safi": 1, "nlri": [{"prefix": "2001:db8::/32"}], "nlri_hex": "2020010db881"})
    );
    let vpn = update("800f05 0019 46 ab cd", "");
    let answer = ask(&vpn, &json!({}));
    assert_eq!(answer["decoded"]["mp_unreach"], json!({"afi": 25, "safi": 70, "nlri_hex": "abcd"}));
}

#[test]
fn an_open_is_decoded_with_its_capabilities_or_refused() {
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
fn capabilities_are_given_as_they_were_sent() {
    // Reserved bits, flags of a restart that mean nothing, a repeated capability, a second parameter.
    let capabilities = "0104 0001 ff01 4006 3078 0001 017f 0200";
    let parameters = format!("0202 0200 0210 {capabilities}");
    let open = format!("0033 01 04 fc7c 005a 0a000002 16 {parameters}");
    let open: String = open.chars().filter(|c| !c.is_whitespace()).collect();
    let answer = ask(&open, &json!({}));
    assert_eq!(
        answer["decoded"]["capabilities"],
        json!([{"code": 2, "hex": ""}, {"code": 1, "hex": "0001ff01"},
               {"code": 64, "hex": "30780001017f"}, {"code": 2, "hex": ""}]),
        "{answer}"
    );
}

#[test]
fn a_context_value_of_the_wrong_type_is_refused_with_its_key() {
    let ask = |ctx: Value| {
        let line = json!({"id": 1, "hex": format!("{MARKER}001304"), "ctx": ctx}).to_string();
        answer(&line, &Context::default())
    };
    for (ctx, error) in [
        (json!({"asn4": 1}), "ctx.asn4: expected true or false, found 1"),
        (json!({"ext_msg": "no"}), "ctx.ext_msg: expected true or false, found \"no\""),
        (json!({"ext_nh": []}), "ctx.ext_nh: expected true or false, found []"),
        (json!({"peer": "rs"}), "ctx.peer: expected \"ebgp\" or \"ibgp\", found \"rs\""),
        (
            json!({"families": "1/1"}),
            "ctx.families: expected an array such as [\"1/1\"], found \"1/1\"",
        ),
        (
            json!({"families": ["1/1", 2]}),
            "ctx.families[1]: expected AFI/SAFI, such as \"1/1\", found 2",
        ),
        (
            json!({"addpath": ["1/300"]}),
            "ctx.addpath[0]: expected AFI/SAFI, such as \"1/1\", found \"1/300\"",
        ),
        (json!([1]), "ctx: expected an object, found [1]"),
    ] {
        assert_eq!(ask(ctx), json!({"id": 1, "error": error}));
    }
    let long = ask(json!({"peer": "x".repeat(100_000)}));
    assert!(long["error"].as_str().is_some_and(|error| error.len() < 120), "{long}");
    // A null value counts as missing, and an unknown key is ignored.
    for ctx in [json!(null), json!({"asn4": null, "peer": null, "families": null}), json!({"x": 1})]
    {
        assert_eq!(ask(ctx)["outcome"], "ok");
    }
}

#[test]
fn a_wrong_request_is_refused_with_the_key_or_position() {
    let ask = |line: &str| answer(line, &Context::default());
    for (line, answer) in [
        ("[]", json!({"id": null, "error": "the line: expected an object, found []"})),
        (
            "{\"id\": [1]}",
            json!({"id": [1], "error": "hex is missing: expected the octets of one message"}),
        ),
        (
            "{\"id\": 1, \"hex\": 5}",
            json!({"id": 1, "error": "hex: expected a string of hexadecimal digits, found 5"}),
        ),
        (
            "{\"hex\": \"0g\"}",
            json!({"id": null, "error": "hex: 'g' at 1: expected a hexadecimal digit"}),
        ),
    ] {
        assert_eq!(ask(line), answer);
    }
    for line in ["", "\r\n", "{", "nul", &"[".repeat(100_000), "{\"id\": \"\u{0}\"}", "1 2"] {
        let answer = ask(line);
        assert_eq!(answer["id"], Value::Null);
        assert!(answer["error"].as_str().is_some_and(|error| error.starts_with("no JSON: ")));
    }
}

#[test]
fn a_request_has_one_message_even_if_that_is_refused() {
    // A wrong header is refused, whatever follows it. Otherwise, octets after the message are an error.
    assert_eq!(ask("00140400", &json!({}))["notification"], json!([1, 2]));
    assert_eq!(ask("ffff02", &json!({}))["notification"], json!([1, 2]));
    assert_eq!(ask("001306", &json!({}))["notification"], json!([1, 3]));
    assert_eq!(ask("001c0104fc7c005a0a000002", &json!({}))["notification"], json!([1, 2]));
    let refused = "001d0103fc7c005a0a00000200";
    assert_eq!(ask(refused, &json!({}))["outcome"], "open-error");
    let surplus = ask(&format!("{refused}00"), &json!({}));
    assert_eq!(surplus, json!({"error": "hex: surplus octets: expected 29, found 30"}));
    let long = update("40010100", "20ac162346").replacen("0020", "1001", 1);
    assert_eq!(ask(&long, &json!({}))["notification"], json!([1, 2]));
    assert!(ask(&long, &json!({"ext_msg": true}))["error"].is_string());
}

#[test]
fn the_options_supply_the_keys_that_a_line_lacks() {
    let two = Context { asn4: false, peer: PeerKind::Ibgp, ..Context::default() };
    let message = update("40010100 400204 0201 fc7c 400304ac16231a 40050400000064", "20ac162346");
    let ask = |ctx: Value| {
        let line = json!({"hex": format!("{MARKER}{message}"), "ctx": ctx}).to_string();
        answer(&line, &two)["outcome"].clone()
    };
    assert_eq!(ask(json!({})), "ok");
    assert_eq!(ask(json!({"peer": "ebgp"})), "attribute-discard");
    assert_eq!(ask(json!({"asn4": true})), "treat-as-withdraw");
}

#[test]
fn every_line_has_its_answer_in_order() {
    let input = format!(
        "{{\"id\":\"a\",\"hex\":\"{MARKER}001304\"}}\nno json\n\n{{\"id\":2}}\n\
         {{\"id\":3,\"hex\":\"abc\"}}\n{{\"id\":4,\"hex\":\"{MARKER}0014\"}}\n\
         {{\"id\":5,\"hex\":\"{MARKER}00130400\"}}\n{{\"id\":6,\"hex\":\"\",\"ctx\":{{\"families\":[\"x\"]}}}}\n\
         \"text\"\n\u{fffd}{{\"id\":7"
    );
    let mut output = Vec::new();
    lines(Cursor::new(input.replace('\u{fffd}', "")), &Context::default(), &mut output).unwrap();
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

/// Returns a file of real messages, if this machine has it.
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
        let skipped = mrt(file, OutputFormat::Json, &mut output).unwrap();
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
