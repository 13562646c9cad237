//! `--jsonl`: one line in, one line out.

use std::io::{self, BufRead, Write};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::context::Context;
use super::verdict::{Judged, Outcome};
use super::{hex, json};
use bgp_session::wire::{Message, Treatment};

/// Answers each line of `input` by one line on `output`, in order.
///
/// # Errors
///
/// What reading or writing says; nothing in a line is an error.
pub(super) fn run(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return output.flush();
        }
        serde_json::to_writer(&mut output, &answer(&line))?;
        output.write_all(b"\n")?;
    }
}

#[derive(Deserialize)]
struct Request {
    hex: String,
    #[serde(default)]
    ctx: Context,
}

/// The answer to one line.
#[must_use]
pub(super) fn answer(line: &[u8]) -> Value {
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return json!({"id": null, "error": format!("no JSON: {error}")}),
    };
    let id = value.get("id").cloned().unwrap_or_default();
    let failed = |why: String| json!({"id": id, "error": why});
    let request: Request = match serde_json::from_value(value) {
        Ok(request) => request,
        Err(error) => return failed(error.to_string()),
    };
    let octets = match hex::parse(&request.hex) {
        Ok(octets) => octets,
        Err(error) => return failed(format!("hex: {error}")),
    };
    match Judged::one(&octets, request.ctx.wire()) {
        Ok(judged) => respond(id, &judged),
        Err(error) => failed(format!("hex: {error}")),
    }
}

pub(super) fn respond(id: Value, judged: &Judged<'_>) -> Value {
    let mut out = Map::new();
    out.insert("id".into(), id);
    out.insert("outcome".into(), judged.outcome.to_string().into());
    let notification = judged.notification.as_ref();
    let codes = notification.map(|it| json!([it.code.0, it.subcode]));
    out.insert("notification".into(), codes.unwrap_or_default());
    if let Some(notification) = notification.filter(|it| !it.data.is_empty()) {
        out.insert("notification_data".into(), hex::print(&notification.data).into());
    }
    if let Some(error) = &judged.error {
        out.insert("reason".into(), error.to_string().into());
        out.insert("offset".into(), error.offset().into());
    }
    if let Some(Message::Update(update)) = &judged.message {
        let discarded: Vec<_> = update.discarded().map(|attribute| attribute.code.0).collect();
        if !discarded.is_empty() && judged.outcome != Outcome::Treated(Treatment::SessionReset) {
            out.insert("discarded".into(), discarded.into());
        }
    }
    let decoded = judged.message.as_ref().filter(|_| judged.is_used()).map(json::message);
    out.insert("decoded".into(), decoded.unwrap_or_default());
    out.into()
}
