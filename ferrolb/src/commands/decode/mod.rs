//! `ferrolb decode`: captured messages explained, by the decoder that sessions use.
//!
//! Owns the ways in (hexadecimal digits, a stream, an MRT file, JSON lines) and the ways out (text for people, JSON
//! lines). What a message means and what is wrong with it is decided by the codec, and nowhere here.

mod args;
mod context;
mod hex;
mod json;
mod jsonl;
mod mrt;
mod place;
mod text;
mod value;
mod verdict;

#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Read, Write};

pub use args::{DecodeArgs, run};
pub use context::{Context, Family, Peer};
pub use mrt::Skipped;

use place::Place;
use verdict::{Judged, NotOneMessage};

/// In which form messages are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "for people or for programs")]
pub enum Form {
    /// A page for each message.
    Text,
    /// A line of JSON for each message, as for `--jsonl`, with a running number as `id`, and where it was found.
    Json,
}

/// Answers JSON lines by JSON lines. What the context of a line does not say is as in `context`.
///
/// # Errors
///
/// What reading or writing says.
pub fn lines(input: impl Read, context: &Context, output: impl Write) -> io::Result<()> {
    jsonl::run(input, context, output)
}

/// Explains one message given as hexadecimal digits; `false` where they are less or more than one, which is told too.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] where the digits are none; else what writing says.
pub fn digits(digits: &str, context: &Context, mut output: impl Write) -> io::Result<bool> {
    let octets =
        hex::parse(digits).map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    match Judged::one(&octets, context.wire()) {
        Ok(judged) => text::explain(&judged, &mut output).map(|()| true),
        Err(why) => text::explain_fragment(&octets, why, &mut output).map(|()| false),
    }
}

/// Tells every message of a stream: octets as they went over TCP, in one direction.
///
/// # Errors
///
/// What reading or writing says.
pub fn stream(
    mut input: impl Read,
    context: &Context,
    form: Form,
    mut output: impl Write,
) -> io::Result<()> {
    let mut octets = Vec::new();
    input.read_to_end(&mut octets)?;
    let mut rest = octets.as_slice();
    let mut teller = Teller { form, told: 0, output: &mut output };
    while !rest.is_empty() {
        let place = Place::Octet(octets.len() - rest.len());
        let Some(judged) = Judged::first(rest, context.wire()) else {
            let why = NotOneMessage::truncated(rest);
            return teller.fragment(rest, why, place);
        };
        teller.tell(&judged, place)?;
        if judged.frame.is_none() {
            // Where this message ends nobody knows, nor where another begins.
            return Ok(());
        }
        rest = rest.get(judged.octets.len()..).unwrap_or_default();
    }
    Ok(())
}

/// Tells every message of an MRT file, gzip and bzip2 included.
///
/// # Errors
///
/// What reading or writing says.
pub fn mrt(input: impl BufRead, form: Form, mut output: impl Write) -> io::Result<Skipped> {
    let input = mrt::decompressed(input)?;
    let mut teller = Teller { form, told: 0, output: &mut output };
    mrt::read(input, |entry| match Judged::one(entry.message, entry.context) {
        Ok(judged) => teller.tell(&judged, entry.place),
        Err(why) => teller.fragment(entry.message, why, entry.place),
    })
}

/// Tells messages one after the other.
struct Teller<'a, W> {
    form: Form,
    told: u64,
    output: &'a mut W,
}

impl<W: Write> Teller<'_, W> {
    fn tell(&mut self, judged: &Judged<'_>, place: Place) -> io::Result<()> {
        self.told += 1;
        match self.form {
            Form::Text => {
                writeln!(self.output, "# message {}, {place}", self.told)?;
                text::explain(judged, self.output)?;
            }
            Form::Json => {
                let mut answer = jsonl::respond(judged);
                answer.insert("id".into(), self.told.into());
                place.tell(&mut answer);
                serde_json::to_writer(&mut *self.output, &answer)?;
            }
        }
        writeln!(self.output)
    }

    fn fragment(&mut self, octets: &[u8], why: NotOneMessage, place: Place) -> io::Result<()> {
        self.told += 1;
        match self.form {
            Form::Text => {
                writeln!(self.output, "# message {}, {place}", self.told)?;
                text::explain_fragment(octets, why, self.output)?;
            }
            Form::Json => {
                let mut answer = serde_json::Map::new();
                answer.insert("id".into(), self.told.into());
                answer.insert("error".into(), why.to_string().into());
                place.tell(&mut answer);
                serde_json::to_writer(&mut *self.output, &answer)?;
            }
        }
        writeln!(self.output)
    }
}
