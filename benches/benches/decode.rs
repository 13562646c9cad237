//! Decoders side by side on the same streams: `cargo bench -p benches --bench decode [-- [--rounds N] [NAME]]`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use benches::alloc::Counting;
use benches::arguments::Arguments;
use benches::decoders::{self, Decoder};
use benches::measure::{Measured, contestant, measure};
use benches::seen::Seen;
use benches::streams::{self, Stream};
use benches::table::markdown;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let arguments = Arguments::of_program();
    let (streams, skipped) = streams::all(&arguments.filter);
    for line in skipped {
        println!("{line}");
    }
    for stream in streams {
        compare(&stream, arguments.rounds);
    }
}

/// Measures all decoders on a stream and prints what they needed, and in what they differ.
fn compare(stream: &Stream, rounds: usize) {
    let decoders = decoders::all();
    let seen: Vec<_> = decoders.iter().map(|decoder| (decoder.sees)(stream)).collect();
    let mut contestants: Vec<_> = decoders
        .iter()
        .map(|decoder| contestant(move || (decoder.pass)(std::hint::black_box(stream))))
        .collect();
    let measured = measure(&mut contestants, rounds);
    let (Some(walked), Some(limit)) = (seen.first(), measured.first()) else { return };
    println!(
        "\n## {}: {} UPDATEs, {} octets, {} prefixes, {} hops, {} communities\n",
        stream.name(),
        stream.len(),
        stream.octets().len(),
        walked.prefixes(),
        walked.hops.count,
        walked.communities.count,
    );
    let rows: Vec<_> = decoders
        .iter()
        .zip(&measured)
        .map(|(decoder, measured)| row(decoder, measured, limit, stream, walked))
        .collect();
    print!("{}", markdown(&HEAD, &rows));
    for (decoder, seen) in decoders.iter().zip(&seen).filter(|(decoder, _)| decoder.visits) {
        let difference = seen.difference(walked);
        if !difference.is_empty() {
            println!("\n{} saw {difference}", decoder.name);
        }
    }
}

const HEAD: [&str; 7] =
    ["decoder", "ns/UPDATE", "least", "to walker", "least", "M prefixes/s", "allocations/UPDATE"];

fn row(
    decoder: &Decoder,
    measured: &Measured,
    limit: &Measured,
    stream: &Stream,
    walked: &Seen,
) -> Vec<String> {
    let updates = stream.len() as f64;
    vec![
        decoder.name.to_owned(),
        format!("{:.1}", measured.median() * 1e9 / updates),
        format!("{:.1}", measured.least() * 1e9 / updates),
        format!("{:.2}", measured.median() / limit.median()),
        format!("{:.2}", measured.least() / limit.least()),
        format!("{:.1}", walked.prefixes() as f64 / measured.median() / 1e6),
        format!("{:.2}", measured.allocations as f64 / updates),
    ]
}
