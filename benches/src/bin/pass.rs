//! One decoder or encoder, one stream or UPDATE, one pass after another: what a profiler is pointed at.
//!
//! `pass DECODER STREAM PASSES [MESSAGES]`: both names by a part of them, the stream cut to so many messages.
//! `pass encode ENCODER TASK PASSES`: as many UPDATEs.

#![expect(
    clippy::print_stdout,
    reason = "what was seen is what keeps the pass from being left out"
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
    let mut seen = 0;
    for _ in 0..passes.parse::<u64>().ok()? {
        seen += measured_pass(&decoder, &stream);
    }
    println!("{} on {}: {} UPDATEs, {seen} values", decoder.name, stream.name(), stream.len());
    Some(())
}

fn encode(encoder: &str, task: &str, passes: &str) -> Option<()> {
    let encoder: Encoder = encoders::all().into_iter().find(|one| one.name.contains(encoder))?;
    let task = encoders::tasks().into_iter().find(|one| one.name.contains(task))?;
    let passes = passes.parse().ok()?;
    let mut ready = (encoder.ready)(&task, 8_192);
    // The buffers grow in the first.
    ready.write(1);
    measured_pass_of_encoder(&mut *ready, passes);
    let octets = ready.octets().len();
    println!("{} of {}: {passes} UPDATEs, {octets} octets", encoder.name, task.name);
    Some(())
}

/// What callgrind collects, by its name.
#[inline(never)]
fn measured_pass(decoder: &decoders::Decoder, stream: &streams::Stream) -> u64 {
    let seen = (decoder.pass)(stream);
    seen.prefixes() + seen.hops.count + seen.communities.count
}

/// The same of an encoder.
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
