//! One decoder, one stream, one pass after another: what a profiler is pointed at.
//!
//! `pass DECODER STREAM PASSES [MESSAGES]`: both names by a part of them, the stream cut to so many messages.

#![expect(
    clippy::print_stdout,
    reason = "what was seen is what keeps the pass from being left out"
)]

use benches::decoders;
use benches::streams;

fn main() {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let [decoder, stream, passes, ..] = &*words else { return usage() };
    let decoder = decoders::all().into_iter().find(|one| one.name.contains(decoder.as_str()));
    let stream = streams::all(stream).0.into_iter().next();
    let (Some(decoder), Some(mut stream), Ok(passes)) = (decoder, stream, passes.parse::<u64>())
    else {
        return usage();
    };
    if let Some(messages) = words.get(3).and_then(|word| word.parse().ok()) {
        stream.truncate(messages);
    }
    let mut seen = 0;
    for _ in 0..passes {
        seen += measured_pass(&decoder, &stream);
    }
    println!("{} on {}: {} UPDATEs, {seen} values", decoder.name, stream.name(), stream.len());
}

/// What callgrind collects, by its name.
#[inline(never)]
fn measured_pass(decoder: &decoders::Decoder, stream: &streams::Stream) -> u64 {
    let seen = (decoder.pass)(stream);
    seen.prefixes() + seen.hops.count + seen.communities.count
}

fn usage() {
    println!("usage: pass DECODER STREAM PASSES [MESSAGES]");
    for decoder in decoders::all() {
        println!("  {}", decoder.name);
    }
}
