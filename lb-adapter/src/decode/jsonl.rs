//! `--jsonl`: one line in, one line out.

use std::io::{self, BufRead, BufReader, Read, Write};

use serde_json::{Map, Value, json};

use super::context::{Context, wrong};
use super::verdict::{Judged, Outcome};
use super::{hex, json};
use bgp_session::wire::{Message, Treatment};

/// Answers each line of `input` by one line on `output`, in order. Whoever asks line by line is answered so: nothing is
/// kept back once there is no further line at hand. Keys that a line's context does not have are as in `context`.
///
/// # Errors
///
/// What reading or writing says; nothing in a line is an error.
pub(super) fn run(input: impl Read, context: &Context, mut output: impl Write) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        if input.buffer().is_empty() {
            output.flush()?;
        }
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        serde_json::to_writer(&mut output, &answer(&line, context))?;
        output.write_all(b"\n")?;
    }
}

/// The answer to one line.
#[must_use]
pub(super) fn answer(line: &[u8], context: &Context) -> Value {
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return json!({"id": null, "error": format!("no JSON: {error}")}),
    };
    let id = value.get("id").cloned().unwrap_or_default();
    match judge(&value, context, |judged| respond(id.clone(), judged).into()) {
        Ok(answer) => answer,
        Err(why) => json!({"id": id, "error": why}),
    }
}

/// Reads a request, judges its message, and says what `respond` makes of it; or what is wrong with the request.
fn judge(
    request: &Value,
    context: &Context,
    respond: impl FnOnce(&Judged<'_>) -> Value,
) -> Result<Value, String> {
    let Value::Object(keys) = request else {
        return Err(wrong("the line", "an object", request));
    };
    let digits = match keys.get("hex") {
        Some(Value::String(digits)) => digits,
        Some(other) => return Err(wrong("hex", "a string of hexadecimal digits", other)),
        None => return Err("hex is missing: expected the octets of one message".to_owned()),
    };
    let context = context.clone().with_json(keys.get("ctx").unwrap_or(&Value::Null))?;
    let octets = hex::parse(digits).map_err(|why| format!("hex: {why}"))?;
    let judged = Judged::one(&octets, context.wire()).map_err(|why| format!("hex: {why}"))?;
    Ok(respond(&judged))
}

pub(super) fn respond(id: Value, judged: &Judged<'_>) -> Map<String, Value> {
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
    let decoded = judged.frame.zip(judged.message.as_ref()).filter(|_| judged.is_used());
    let decoded = decoded.map(|(frame, message)| json::message(frame, message));
    out.insert("decoded".into(), decoded.unwrap_or_default());
    out
}
