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
    let rows: Vec<_> =
        streams.iter().filter_map(|stream| compare(stream, arguments.rounds)).collect();
    let names = decoders::all();
    let head = ["stream", "walker ns", "view ns", "M prefixes/s"].into_iter();
    let head: Vec<_> = head.chain(names.iter().skip(1).map(|decoder| decoder.name)).collect();
    println!("\n## All streams: least times, ratios to the walker of medians and of least times\n");
    print!("{}", markdown(&head, &rows));
}

/// Measures all decoders on a stream and prints what they needed, and in what they differ. Answers the row of the stream in
/// the table of all.
fn compare(stream: &Stream, rounds: usize) -> Option<Vec<String>> {
    let decoders = decoders::all();
    let seen: Vec<_> = decoders.iter().map(|decoder| (decoder.sees)(stream)).collect();
    let mut contestants: Vec<_> = decoders
        .iter()
        .map(|decoder| contestant(move || (decoder.pass)(std::hint::black_box(stream))))
        .collect();
    let measured = measure(&mut contestants, rounds);
    let (walked, limit) = (seen.first()?, measured.first()?);
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
    let view = measured.get(1)?;
    let nanoseconds =
        |measured: &Measured| format!("{:.1}", measured.least() * 1e9 / stream.len() as f64);
    let prefixes = format!("{:.0}", walked.prefixes() as f64 / view.median() / 1e6);
    let ratios = measured.iter().skip(1).map(|measured| {
        let (median, least) =
            (measured.median() / limit.median(), measured.least() / limit.least());
        format!("{median:.2} ({least:.2})")
    });
    let first = [stream.name().to_owned(), nanoseconds(limit), nanoseconds(view), prefixes];
    Some(first.into_iter().chain(ratios).collect())
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
