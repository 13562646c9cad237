//! `ferrolb decode`: captured messages, with the verdict of the decoder that sessions use.
//!
//! ```text
//! hexadecimal, stream, MRT file, capture ─► JudgedMessage ─► page for people, or a line of JSON
//! JSON lines                             ─► JudgedMessage ─► JSON lines
//! ```
//!
//! Owns the forms of input and output. The codec decodes the messages and finds their errors.

mod args;
mod attribute_text;
#[cfg(feature = "captures")]
mod capture;
mod compressed;
mod context;
mod hex;
mod jsonl;
mod location;
mod message_json;
mod mrt;
mod page;
mod verdict;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

pub use args::DecodeArgs;
#[cfg(feature = "captures")]
pub use capture::SkippedPackets;
pub use context::{Context, Family, PeerKind};
pub use mrt::SkippedRecords;

#[cfg(feature = "captures")]
use capture::CaptureItem;
use location::Location;
use verdict::{JudgedMessage, NotOneMessage};
use writer::MessageWriter;

use crate::Failure;
use crate::output::OutputFormat;

/// Decodes the input that the arguments name.
///
/// # Errors
///
/// Something cannot be read or written, HEX is not hexadecimal, or it is not one message.
pub fn run(args: &DecodeArgs) -> Result<(), Failure> {
    let output = BufWriter::new(io::stdout().lock());
    match decode(args, output) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Undecoded),
        // The reader of stdout has seen enough.
        Err(NamedError { error, .. }) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(NamedError { name, error }) => Err(Failure::Unusable(format!("{name}: {error}"))),
    }
}

/// An error with the name of its input or output.
struct NamedError {
    name: String,
    error: io::Error,
}

/// Adds the name of an input or output to its error.
fn named<T>(name: &str, result: io::Result<T>) -> Result<T, NamedError> {
    result.map_err(|error| NamedError { name: name.to_owned(), error })
}

/// Decodes the input; returns false if HEX is not one message.
fn decode(args: &DecodeArgs, mut output: impl Write) -> Result<bool, NamedError> {
    let context = args.context();
    let format = if args.jsonl { OutputFormat::Json } else { OutputFormat::Text };
    let mut is_one_message = true;

    if let Some(path) = &args.mrt {
        let name = path.display().to_string();
        let input = named(&name, open(path))?;
        let skipped = named(&name, mrt(input, format, &mut output))?;
        warn_about_skipped(&name, skipped);
    } else if let Some(path) = &args.pcap {
        let name = path.display().to_string();
        named(&name, decode_capture(args, path, format, &mut output))?;
    } else if let Some(path) = &args.raw {
        let name = path.display().to_string();
        let input = named(&name, open(path))?;
        named(&name, stream(input, &context, format, &mut output))?;
    } else if args.jsonl {
        named("stdin", lines(io::stdin().lock(), &context, &mut output))?;
    } else {
        let text = named("stdin", args.read_hex())?;
        let result = digits(&text, &context, &mut output);
        is_one_message = named("HEX", result.map_err(|error| with_hint(args, error)))?;
    }

    named("stdout", output.flush())?;
    Ok(is_one_message)
}

/// Adds the options that read a file, if HEX is the name of one.
fn with_hint(args: &DecodeArgs, error: io::Error) -> io::Error {
    match args.hex.as_slice() {
        [only] if error.kind() == io::ErrorKind::InvalidInput && Path::new(only).is_file() => {
            let hint = format!("{error}. To read the file {only}, use --pcap, --mrt or --raw");
            io::Error::new(error.kind(), hint)
        }
        _ => error,
    }
}

/// Logs the parts of an MRT file that have no answer.
fn warn_about_skipped(file: &str, skipped: SkippedRecords) {
    if skipped.malformed_records > 0 {
        tracing::warn!("{file}: {} records do not match their length", skipped.malformed_records);
    }
    if skipped.cut {
        tracing::warn!("{file}: ends within a record");
    }
}

#[cfg(feature = "captures")]
fn decode_capture(
    args: &DecodeArgs,
    path: &Path,
    format: OutputFormat,
    output: impl Write,
) -> io::Result<()> {
    let skipped = capture(open(path)?, &args.ports, &args.context(), format, output)?;
    for warning in skipped.warnings(&args.ports) {
        tracing::warn!("{}: {warning}", path.display());
    }
    Ok(())
}

#[cfg(not(feature = "captures"))]
fn decode_capture(
    _args: &DecodeArgs,
    _path: &Path,
    _format: OutputFormat,
    _output: impl Write,
) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this ferrolb was built without the feature `captures`: build it with \
         `cargo build -p ferrolb`, or with `--no-default-features --features captures`",
    ))
}

fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    Ok(Box::new(BufReader::new(File::open(path)?)))
}

/// Answers JSON lines by JSON lines. `context` supplies the keys that the context of a line lacks.
///
/// # Errors
///
/// The errors of reading and writing.
pub fn lines(input: impl Read, context: &Context, output: impl Write) -> io::Result<()> {
    jsonl::run(input, context, output)
}

/// Explains a message in hexadecimal. Returns false if it is less or more than one message, which is printed too.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] if the text is not hexadecimal, and the errors of writing.
pub fn digits(digits: &str, context: &Context, mut output: impl Write) -> io::Result<bool> {
    let octets =
        hex::parse(digits).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    match JudgedMessage::one(&octets, context.wire()) {
        Ok(message) => {
            page::explain(&message, &mut output)?;
            Ok(true)
        }
        Err(error) => {
            page::explain_fragment(&octets, error, &mut output)?;
            Ok(false)
        }
    }
}

/// Decodes the messages of a stream: octets sent over TCP in one direction.
///
/// # Errors
///
/// The errors of reading and writing.
pub fn stream(
    mut input: impl Read,
    context: &Context,
    format: OutputFormat,
    mut output: impl Write,
) -> io::Result<()> {
    let mut octets = Vec::new();
    input.read_to_end(&mut octets)?;

    let mut rest = octets.as_slice();
    let mut writer = MessageWriter::new(format, &mut output);
    while !rest.is_empty() {
        let location = Location::Stream { offset: octets.len() - rest.len() };
        let Some(message) = JudgedMessage::first(rest, context.wire()) else {
            let error = NotOneMessage::truncated(rest);
            return writer.write_fragment(rest, error, location);
        };

        writer.write(&message, location)?;
        if message.frame.is_none() {
            // The header is wrong, so that the start of the next message is unknown.
            return Ok(());
        }
        rest = rest.get(message.octets.len()..).unwrap_or_default();
    }
    Ok(())
}

/// Decodes the messages of an MRT file, plain or in gzip or bzip2.
///
/// # Errors
///
/// The errors of reading and writing.
pub fn mrt(
    input: impl BufRead,
    format: OutputFormat,
    mut output: impl Write,
) -> io::Result<SkippedRecords> {
    let input = compressed::decompressed(input)?;
    let mut writer = MessageWriter::new(format, &mut output);
    mrt::read(input, |found| match JudgedMessage::one(found.octets, found.context) {
        Ok(message) => writer.write(&message, found.location),
        Err(error) => writer.write_fragment(found.octets, error, found.location),
    })
}

/// Decodes the messages of a capture, pcap or pcapng, plain or in gzip or bzip2: those of TCP connections with one of these
/// ports. `context` is for sessions whose OPENs are not in the capture.
///
/// # Errors
///
/// The errors of reading and writing, and [`io::ErrorKind::InvalidData`] for octets that are no capture.
#[cfg(feature = "captures")]
pub fn capture(
    input: impl BufRead,
    ports: &[u16],
    context: &Context,
    format: OutputFormat,
    mut output: impl Write,
) -> io::Result<SkippedPackets> {
    let input = compressed::decompressed(input)?;
    let mut writer = MessageWriter::new(format, &mut output);
    capture::read(input, ports, context, |item, location| match item {
        CaptureItem::Message(octets, context) => match JudgedMessage::first(octets, context) {
            Some(message) => writer.write(&message, location),
            None => writer.write_fragment(octets, NotOneMessage::truncated(octets), location),
        },
        CaptureItem::Fragment(octets) => {
            writer.write_fragment(octets, NotOneMessage::truncated(octets), location)
        }
        CaptureItem::Problem(problem) => writer.write_problem(problem, location),
    })
}
