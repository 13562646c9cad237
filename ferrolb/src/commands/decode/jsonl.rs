//! `--jsonl`: an answer for each line.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};

use bgp_session::wire::{Message, Treatment};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::context::{Context, unexpected};
use super::verdict::{JudgedMessage, Outcome};
use super::{hex, message_json};

/// Answers each line of `input` by one line on `output`, in order. `context` supplies the keys that the context of a line
/// lacks. A client that sends the next line only after the last answer gets each answer at once: the output is flushed
/// when no further input is buffered.
///
/// # Errors
///
/// The errors of reading and writing. A wrong line is no error.
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

/// The answer to a line.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    /// The id as it was written, so that a number keeps all its digits.
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    response: Map<String, Value>,
}

/// The keys of a line with their values as they were written. If a key is repeated, the last one counts.
type Keys<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Returns the answer to a line.
#[must_use]
pub(super) fn answer<'a>(line: &'a [u8], context: &Context) -> Answer<'a> {
    match parse_keys(line) {
        Ok(keys) => Answer {
            id: keys.get("id").copied(),
            response: decode(&keys, context).unwrap_or_else(error_response),
        },
        Err(error) => Answer { id: None, response: error_response(error) },
    }
}

fn error_response(error: String) -> Map<String, Value> {
    Map::from_iter([("error".to_owned(), Value::String(error))])
}

fn parse_keys(line: &[u8]) -> Result<Keys<'_>, String> {
    let object: &RawValue = serde_json::from_slice(line).map_err(json_error)?;
    if !object.get().starts_with('{') {
        return Err(unexpected("the line", "an object", &parse_value(object)?));
    }
    serde_json::from_str(object.get()).map_err(json_error)
}

fn parse_value(raw: &RawValue) -> Result<Value, String> {
    serde_json::from_str(raw.get()).map_err(json_error)
}

fn json_error(error: serde_json::Error) -> String {
    format!("no JSON: {error}")
}

/// Decodes the message of a request.
fn decode(keys: &Keys<'_>, context: &Context) -> Result<Map<String, Value>, String> {
    let hex = match value_of(keys, "hex")? {
        Some(Value::String(hex)) => hex,
        Some(other) => return Err(unexpected("hex", "a string of hexadecimal digits", &other)),
        None => return Err("hex is missing: expected the octets of one message".to_owned()),
    };
    let ctx = value_of(keys, "ctx")?.unwrap_or_default();
    let context = context.clone().with_json(&ctx)?;

    let octets = hex::parse(&hex).map_err(|error| format!("hex: {error}"))?;
    let message = JudgedMessage::one(&octets, context.wire());
    let message = message.map_err(|error| format!("hex: {error}"))?;
    Ok(response(&message))
}

fn value_of(keys: &Keys<'_>, key: &str) -> Result<Option<Value>, String> {
    keys.get(key).map(|raw| parse_value(raw)).transpose()
}

/// Returns the keys of an answer without the id.
pub(super) fn response(judged: &JudgedMessage<'_>) -> Map<String, Value> {
    let mut keys = Map::new();
    keys.insert("outcome".into(), judged.outcome.to_string().into());

    let notification = judged.notification.as_ref();
    let codes = notification.map(|notification| json!([notification.code.0, notification.subcode]));
    keys.insert("notification".into(), codes.unwrap_or_default());
    if let Some(notification) = notification.filter(|notification| !notification.data.is_empty()) {
        keys.insert("notification_data".into(), hex::print(&notification.data).into());
    }

    if let Some(error) = &judged.error {
        keys.insert("reason".into(), error.to_string().into());
        keys.insert("offset".into(), error.offset().into());
    }

    if let Some(Message::Update(update)) = &judged.message {
        let discarded: Vec<_> = update.discarded().map(|attribute| attribute.code.0).collect();
        if !discarded.is_empty() && judged.outcome != Outcome::Treated(Treatment::SessionReset) {
            keys.insert("discarded".into(), discarded.into());
        }
    }

    let decoded = match (judged.frame, &judged.message) {
        (Some(frame), Some(message)) if judged.is_used() => message_json::message(frame, message),
        _ => Value::Null,
    };
    keys.insert("decoded".into(), decoded);
    keys
}
