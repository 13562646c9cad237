//! `--jsonl`: one line in, one line out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use serde::Serialize;
use serde_json::value::RawValue;
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

/// What is answered to one line.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    /// As it was written: a number comes back with every digit, however long it is.
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The keys of a line, each as it was written; of those of one name the last counts.
type Keys<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The answer to one line.
#[must_use]
pub(super) fn answer<'a>(line: &'a [u8], context: &Context) -> Answer<'a> {
    let refused = |why| Map::from_iter([("error".to_owned(), Value::String(why))]);
    match keys(line) {
        Ok(keys) => Answer {
            id: keys.get("id").copied(),
            rest: judge(&keys, context).unwrap_or_else(refused),
        },
        Err(why) => Answer { id: None, rest: refused(why) },
    }
}

fn keys(line: &[u8]) -> Result<Keys<'_>, String> {
    let no_json = |error| format!("no JSON: {error}");
    let whole: &RawValue = serde_json::from_slice(line).map_err(no_json)?;
    if whole.get().starts_with('{') {
        serde_json::from_str(whole.get()).map_err(no_json)
    } else {
        Err(wrong("the line", "an object", &value(whole)?))
    }
}

fn value(raw: &RawValue) -> Result<Value, String> {
    serde_json::from_str(raw.get()).map_err(|error| format!("no JSON: {error}"))
}

/// Reads a request, judges its message and responds; or says what is wrong with the request.
fn judge(keys: &Keys<'_>, context: &Context) -> Result<Map<String, Value>, String> {
    let key = |key| keys.get(key).map(|raw| value(raw)).transpose();
    let digits = match key("hex")? {
        Some(Value::String(digits)) => digits,
        Some(other) => return Err(wrong("hex", "a string of hexadecimal digits", &other)),
        None => return Err("hex is missing: expected the octets of one message".to_owned()),
    };
    let context = context.clone().with_json(&key("ctx")?.unwrap_or_default())?;
    let octets = hex::parse(&digits).map_err(|why| format!("hex: {why}"))?;
    let judged = Judged::one(&octets, context.wire()).map_err(|why| format!("hex: {why}"))?;
    Ok(respond(&judged))
}

/// What the decoder made of a message, but for the id of whoever asked.
pub(super) fn respond(judged: &Judged<'_>) -> Map<String, Value> {
    let mut out = Map::new();
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
