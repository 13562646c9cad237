//! A program for profilers: repeated passes of one decoder over a stream, or of one encoder.
//!
//! `pass DECODER STREAM PASSES [MESSAGES]`: decodes the stream, truncated to a number of messages. Parts of names suffice.
//! `pass encode ENCODER TASK PASSES`: encodes that many UPDATEs.

#![expect(
    clippy::print_stdout,
    reason = "the printed tally keeps the compiler from removing the pass"
)]

use benches::encoders::{Encode, Encoder};
use benches::{decoders, encoders, streams};

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let done = match &*words {
        ["encode", encoder, task, passes] => encode(encoder, task, passes),
        [decoder, stream, passes] => decode(decoder, stream, passes, None),
        [decoder, stream, passes, messages] => decode(decoder, stream, passes, Some(messages)),
        _ => None,
    };
    if done.is_none() {
        usage();
    }
}

fn decode(decoder: &str, stream: &str, passes: &str, messages: Option<&str>) -> Option<()> {
    let decoder = decoders::all().into_iter().find(|one| one.name.contains(decoder))?;
    let mut stream = streams::all(stream).0.into_iter().next()?;
    if let Some(messages) = messages {
        stream.truncate(messages.parse().ok()?);
    }
    let mut count = 0;
    for _ in 0..passes.parse::<u64>().ok()? {
        count += measured_pass(&decoder, &stream);
    }
    println!("{} on {}: {} UPDATEs, {count} values", decoder.name, stream.name(), stream.len());
    Some(())
}

fn encode(encoder: &str, task: &str, passes: &str) -> Option<()> {
    let encoder: Encoder = encoders::all().into_iter().find(|one| one.name.contains(encoder))?;
    let task = encoders::tasks().into_iter().find(|one| one.name.contains(task))?;
    let passes = passes.parse().ok()?;
    let mut ready = (encoder.ready)(&task, 8_192);
    // The buffers grow in the first pass.
    ready.write(1);
    measured_pass_of_encoder(&mut *ready, passes);
    let octets = ready.octets().len();
    println!("{} of {}: {passes} UPDATEs, {octets} octets", encoder.name, task.name);
    Some(())
}

/// A pass of a decoder. Callgrind collects this function by its name.
#[inline(never)]
fn measured_pass(decoder: &decoders::Decoder, stream: &streams::Stream) -> u64 {
    let tally = (decoder.pass)(stream);
    tally.prefixes() + tally.hops.count + tally.communities.count
}

/// Passes of an encoder. Callgrind collects this function by its name.
#[inline(never)]
fn measured_pass_of_encoder(encoder: &mut dyn Encode, passes: usize) {
    encoder.write(passes);
}

fn usage() {
    println!("usage: pass DECODER STREAM PASSES [MESSAGES]");
    println!("       pass encode ENCODER TASK PASSES");
    for decoder in decoders::all() {
        println!("  {}", decoder.name);
    }
    for encoder in encoders::all() {
        println!("  encode {}", encoder.name);
    }
}
