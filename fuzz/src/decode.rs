//! `ferrolb decode`: each line of input gets one result line, and no message can break the output.

use std::fmt::Write as _;

use ferrolb::commands::decode::{self, Context};
use ferrolb::output::OutputFormat;
use serde_json::Value;

use crate::input::{Input, is_set};

/// The first octet is the form. If it is 0, the rest is JSON lines. Otherwise an octet of context follows, and the rest is a
/// stream of octets, which are also decoded as one line.
pub fn check(input: &[u8]) {
    let mut input = Input::new(input);
    if input.octet() == 0 {
        judge_lines(input.rest());
        return;
    }

    let bits = input.octet();
    let octets = input.rest();
    let context = context(bits);

    let mut page = Vec::new();
    decode::stream(octets, &context, OutputFormat::Text, &mut page)
        .expect("a buffer takes everything");
    judge_page(&page);
    let mut answers = Vec::new();
    decode::stream(octets, &context, OutputFormat::Json, &mut answers)
        .expect("a buffer takes everything");
    read_answers(&answers);

    let mut hex = String::new();
    for octet in octets {
        write!(hex, "{octet:02x}").expect("a string takes everything");
    }
    let mut page = Vec::new();
    decode::digits(&hex, &context, &mut page).expect("these are digits");
    judge_page(&page);

    let line = format!("{{\"id\": {bits}, \"hex\": \"{hex}\"}}");
    let answer = &judge_lines(line.as_bytes())[0];
    assert_eq!(answer["id"], Value::from(bits));
    assert!(answer.get("outcome").is_some() || answer.get("error").is_some(), "{answer}");
}

fn context(bits: u8) -> Context {
    let mut context = Context {
        asn4: !is_set(bits, 0),
        ext_msg: is_set(bits, 1),
        ext_nh: is_set(bits, 2),
        peer: if is_set(bits, 3) { decode::PeerKind::Ibgp } else { decode::PeerKind::Ebgp },
        ..Context::default()
    };
    if is_set(bits, 4) {
        context.addpath = context.families.clone();
    }
    context
}

/// There are as many answers as lines, each an object with an `id`.
fn judge_lines(lines: &[u8]) -> Vec<Value> {
    let mut out = Vec::new();
    decode::lines(lines, &Context::default(), &mut out).expect("a buffer takes everything");
    let answers = read_answers(&out);
    let asked = lines.strip_suffix(b"\n").unwrap_or(lines).split(|octet| *octet == b'\n').count();
    assert_eq!(answers.len(), if lines.is_empty() { 0 } else { asked });
    answers
}

/// Returns the lines of JSON, each an object with an `id`.
pub fn read_answers(lines: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(lines).expect("JSON is UTF-8");
    let mut answers = Vec::new();
    for line in text.lines() {
        let answer: Value = serde_json::from_str(line).expect("a line is JSON");
        assert!(answer.get("id").is_some(), "{text}");
        answers.push(answer);
    }
    answers
}

/// Text for a terminal consists of lines, without other control characters.
pub fn judge_page(page: &[u8]) {
    let text = std::str::from_utf8(page).expect("text is UTF-8");
    assert!(
        !text.contains(|c: char| c.is_control() && c != '\n'),
        "{text:?} contains control characters"
    );
}
