//! Encoders side by side, with prepared objects and reused buffers: one UPDATE with 1, 5 and 200 prefixes.
//! `cargo bench -p benches --bench encode [-- [--rounds N] [TASK]]`.

#![expect(clippy::print_stdout, reason = "it prints the table")]

use benches::alloc::CountingAllocator;
use benches::arguments::Arguments;
use benches::encoders::{self, Encoder, Task};
use benches::measure::{Measured, contestant, measure};
use benches::table::markdown;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::SYSTEM;

/// The number of UPDATEs in one pass.
const UPDATES: usize = 10_000;
/// The sizes of the buffers, the same for every contestant. The size shifts the addresses of later allocations, and
/// processors can mistake loads and stores for each other if the low bits of their addresses are equal. The median over all
/// sizes is reported, so that no single size decides.
const BUFFERS: [usize; 5] = [4_096, 4_096 + 464, 4_096 + 1_000, 4_096 + 2_048, 4_096 + 3_184];

fn main() {
    let arguments = Arguments::of_program();
    let encoders = encoders::all();
    let (mut rows, mut differences) = (Vec::new(), Vec::new());
    for task in encoders::tasks().iter().filter(|task| task.name.contains(&arguments.filter)) {
        let written: Vec<_> = encoders.iter().map(|encoder| written(encoder, task)).collect();
        for (encoder, octets) in encoders.iter().zip(&written) {
            if let Some(difference) = task.difference(octets) {
                differences.push(format!("{}, {}: {difference}", encoder.name, task.name));
            }
        }

        let by_size = BUFFERS.map(|size| {
            let ready = encoders.iter().map(|encoder| (encoder.ready)(task, size));
            let mut contestants: Vec<_> =
                ready.map(|mut encoder| contestant(move || encoder.write(UPDATES))).collect();
            measure(&mut contestants, arguments.rounds)
        });

        for (index, (encoder, octets)) in encoders.iter().zip(&written).enumerate() {
            let name = format!("{}, {}", encoder.name, task.name);
            rows.push(row(name, &by_size, index, octets.len()));
        }
    }

    print!("{}", markdown(&HEAD, &rows));
    for difference in differences {
        println!("\n{difference}");
    }
}

const HEAD: [&str; 7] =
    ["encoder", "ns/UPDATE", "least", "to append", "least", "octets", "allocations/UPDATE"];

/// The UPDATE that an encoder writes.
fn written(encoder: &Encoder, task: &Task) -> Vec<u8> {
    let mut encoder = (encoder.ready)(task, 4_096);
    encoder.write(1);
    encoder.octets().to_vec()
}

fn row(
    name: String,
    by_size: &[Vec<Measured>; BUFFERS.len()],
    index: usize,
    octets: usize,
) -> Vec<String> {
    let mine = by_size.each_ref().map(|all| &all[index]);
    let append = by_size.each_ref().map(|all| &all[0]);
    let median = middle(mine.map(Measured::median));
    let least = middle(mine.map(Measured::least));

    let ratios: [_; BUFFERS.len()] =
        std::array::from_fn(|size| mine[size].median() / append[size].median());
    let least_ratios: [_; BUFFERS.len()] =
        std::array::from_fn(|size| mine[size].least() / append[size].least());
    let allocations = mine.iter().map(|measured| measured.allocations).max().unwrap_or(0);

    vec![
        name,
        format!("{:.1}", median * 1e9 / UPDATES as f64),
        format!("{:.1}", least * 1e9 / UPDATES as f64),
        format!("{:.2}", middle(ratios)),
        format!("{:.2}", middle(least_ratios)),
        octets.to_string(),
        format!("{:.2}", allocations as f64 / UPDATES as f64),
    ]
}

/// The median.
fn middle(mut values: [f64; BUFFERS.len()]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
