//! Decoders side by side on the same streams: `cargo bench -p benches --bench decode [-- [--rounds N] [NAME]]`.

#![expect(clippy::print_stdout, reason = "it prints the table")]

use benches::alloc::CountingAllocator;
use benches::arguments::Arguments;
use benches::decoders::{self, Decoder};
use benches::measure::{Measured, contestant, measure};
use benches::streams::{self, Stream};
use benches::table::markdown;
use benches::tally::Tally;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::SYSTEM;

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

/// Measures all decoders on a stream, and prints a table and the differences between their tallies. Returns the row of the
/// stream in the table of all streams.
fn compare(stream: &Stream, rounds: usize) -> Option<Vec<String>> {
    let decoders = decoders::all();
    let tally: Vec<_> = decoders.iter().map(|decoder| (decoder.full_pass)(stream)).collect();

    let mut contestants: Vec<_> = decoders
        .iter()
        .map(|decoder| contestant(move || (decoder.pass)(std::hint::black_box(stream))))
        .collect();
    let measured = measure(&mut contestants, rounds);

    let (walked, limit) = (tally.first()?, measured.first()?);
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

    for (decoder, tally) in decoders.iter().zip(&tally).filter(|(decoder, _)| decoder.visits) {
        let difference = tally.difference(walked);
        if !difference.is_empty() {
            println!("\n{}: {difference}", decoder.name);
        }
    }

    Some(summary(stream, walked, limit, &measured))
}

/// The row of a stream in the table of all streams.
fn summary(
    stream: &Stream,
    walked: &Tally,
    limit: &Measured,
    measured: &[Measured],
) -> Vec<String> {
    let updates = stream.len() as f64;
    let view = &measured[1];
    let mut row = vec![
        stream.name().to_owned(),
        format!("{:.1}", limit.least() * 1e9 / updates),
        format!("{:.1}", view.least() * 1e9 / updates),
        format!("{:.0}", walked.prefixes() as f64 / view.median() / 1e6),
    ];

    for measured in measured.iter().skip(1) {
        let median = measured.median() / limit.median();
        let least = measured.least() / limit.least();
        row.push(format!("{median:.2} ({least:.2})"));
    }
    row
}

const HEAD: [&str; 7] =
    ["decoder", "ns/UPDATE", "least", "to walker", "least", "M prefixes/s", "allocations/UPDATE"];

fn row(
    decoder: &Decoder,
    measured: &Measured,
    limit: &Measured,
    stream: &Stream,
    walked: &Tally,
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
