//! `ferrolb decode`: one answer for each line, whatever it says; nothing that a message holds breaks a page.

use std::fmt::Write as _;

use ferrolb::commands::decode::{self, Context, Form};
use serde_json::Value;

use crate::input::Input;

/// One octet of form. 0: the rest is JSON lines. Else one of context, and the rest is octets of a stream, which are also
/// asked for as one line.
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
    decode::stream(octets, &context, Form::Text, &mut page).expect("a buffer takes everything");
    judge_page(&page);
    let mut answers = Vec::new();
    decode::stream(octets, &context, Form::Json, &mut answers).expect("a buffer takes everything");
    read_answers(&answers);
    let mut hex = String::new();
    octets.iter().for_each(|octet| write!(hex, "{octet:02x}").expect("a text takes everything"));
    let mut page = Vec::new();
    decode::digits(&hex, &context, &mut page).expect("these are digits");
    judge_page(&page);
    let line = format!("{{\"id\": {bits}, \"hex\": \"{hex}\"}}");
    let answer = &judge_lines(line.as_bytes())[0];
    assert_eq!(answer["id"], Value::from(bits));
    assert!(answer.get("outcome").is_some() || answer.get("error").is_some(), "{answer}");
}

fn context(bits: u8) -> Context {
    let on = |bit: u32| bits & 1 << bit != 0;
    let mut context = Context {
        asn4: !on(0),
        ext_msg: on(1),
        ext_nh: on(2),
        peer: if on(3) { decode::Peer::Ibgp } else { decode::Peer::Ebgp },
        ..Context::default()
    };
    if on(4) {
        context.addpath = context.families.clone();
    }
    context
}

/// As many answers as lines, each an object with an identity.
fn judge_lines(lines: &[u8]) -> Vec<Value> {
    let mut out = Vec::new();
    decode::lines(lines, &Context::default(), &mut out).expect("a buffer takes everything");
    let answers = read_answers(&out);
    let asked = lines.strip_suffix(b"\n").unwrap_or(lines).split(|octet| *octet == b'\n').count();
    assert_eq!(answers.len(), if lines.is_empty() { 0 } else { asked });
    answers
}

fn read_answers(lines: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(lines).expect("JSON is UTF-8");
    let read = |line| serde_json::from_str::<Value>(line).expect("a line is JSON");
    let answers: Vec<_> = text.lines().map(read).collect();
    assert!(answers.iter().all(|answer| answer.get("id").is_some()), "{text}");
    answers
}

/// Text for a terminal: lines, and nothing that steers it.
pub fn judge_page(page: &[u8]) {
    let text = std::str::from_utf8(page).expect("text is UTF-8");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?} steers a terminal");
}
