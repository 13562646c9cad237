//! Counts the instructions of pieces of work at three sizes, and how their number grows.
//!
//! ```text
//! growth [PART OF A NAME]..   the tables: instructions and allocations at each size, and the slope
//! growth check                compares the checked pieces of work with the baseline
//! growth bless                writes the baseline again
//! growth run NAME SIZE        does one piece of work; this is what callgrind watches
//! ```
//!
//! Valgrind's callgrind counts while [`measured_work`] runs, in a process for each piece of work and size. This needs no more than
//! valgrind itself: the crates that wrap it (gungraun, formerly iai-callgrind) want a second program from `cargo install`, of
//! exactly their version, which `make test` would have to compile on every fresh machine.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints tables and differences")]

mod baseline;
mod callgrind;
mod report;
mod works;

use std::process::ExitCode;

use bench_growth::alloc::{self, CountingAllocator};
use dlmalloc::GlobalDlmalloc;

use works::Work;

/// An allocator that is compiled with the rest, so that its instructions do not depend on the system's library.
#[global_allocator]
static ALLOCATOR: CountingAllocator<GlobalDlmalloc> = CountingAllocator(GlobalDlmalloc);

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let done = match &*words {
        ["run", name, size] => run(name, size),
        ["check"] => report::check(),
        ["bless"] => report::bless(),
        ["-h" | "--help" | "help"] => {
            usage();
            Ok(())
        }
        parts => report::tables(parts),
    };

    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("growth: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// Does a piece of work, and prints what [`callgrind`] does not know about it.
fn run(name: &str, size: &str) -> Result<(), String> {
    let work = works::all().find(|work| work.name == name);
    let work: &Work =
        work.ok_or_else(|| format!("no work is named {name:?}, see growth --help"))?;
    let size = size.parse().map_err(|_| format!("expected a size, found {size:?}"))?;
    let mut prepared = (work.prepare)(size);

    let before = alloc::count();
    measured_work(&mut *prepared.run);
    println!("{} {}", prepared.times, alloc::count() - before);
    Ok(())
}

/// Runs a piece of work. Callgrind finds this function by its name.
#[inline(never)]
fn measured_work(run: &mut dyn FnMut()) {
    run();
}

fn usage() {
    println!("usage: growth [PART OF A NAME].. | check | bless | run NAME SIZE\n");
    for Work { name, unit, sizes: [small, middle, large], .. } in works::all() {
        println!("  {name}: {small}, {middle} and {large} {unit}");
    }
}
