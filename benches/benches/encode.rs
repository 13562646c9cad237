//! Encoders side by side: the object is ready, the buffer is reused, one UPDATE of 1, 5 and 200 prefixes.
//! `cargo bench -p benches --bench encode [-- [--rounds N] [TASK]]`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use benches::alloc::Counting;
use benches::arguments::Arguments;
use benches::encoders::{self, Encoder, Task};
use benches::measure::{Measured, contestant, measure};
use benches::table::markdown;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// UPDATEs in one pass.
const UPDATES: usize = 10_000;
/// Octets of a buffer, the same for every contestant. What is allocated after a buffer has its addresses moved by its
/// size, and processors take loads and stores whose addresses end alike for the same: so that no one size decides, the
/// middle one of them all is told.
const BUFFERS: [usize; 5] = [4_096, 4_096 + 464, 4_096 + 1_000, 4_096 + 2_048, 4_096 + 3_184];

fn main() {
    let arguments = Arguments::of_program();
    let encoders = encoders::all();
    let mut rows = Vec::new();
    let mut differences = Vec::new();
    for task in encoders::tasks().iter().filter(|task| task.name.contains(&arguments.filter)) {
        let written: Vec<_> = encoders.iter().map(|encoder| written(encoder, task)).collect();
        for (encoder, octets) in encoders.iter().zip(&written) {
            let difference = task.difference(octets);
            differences
                .extend(difference.map(|it| format!("{}, {}: {it}", encoder.name, task.name)));
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

/// The UPDATE as this encoder writes it.
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
    let of = |time: fn(&Measured) -> f64| middle(by_size.each_ref().map(|all| time(&all[index])));
    let to_append = |time: fn(&Measured) -> f64| {
        middle(by_size.each_ref().map(|all| time(&all[index]) / time(&all[0])))
    };
    let allocations = by_size.iter().map(|all| all[index].allocations).max().unwrap_or(0);
    vec![
        name,
        format!("{:.1}", of(Measured::median) * 1e9 / UPDATES as f64),
        format!("{:.1}", of(Measured::least) * 1e9 / UPDATES as f64),
        format!("{:.2}", to_append(Measured::median)),
        format!("{:.2}", to_append(Measured::least)),
        octets.to_string(),
        format!("{:.2}", allocations as f64 / UPDATES as f64),
    ]
}

/// The value in the middle.
fn middle(mut values: [f64; BUFFERS.len()]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
