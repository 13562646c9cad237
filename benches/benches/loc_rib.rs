//! The Loc-RIB: what a change and a snapshot cost in tables of three sizes and with three numbers of paths.
//! `cargo bench -p benches --bench loc_rib [-- [--rounds N]]`.

#![expect(clippy::print_stdout, reason = "it prints the tables")]

use std::cell::RefCell;

use benches::alloc::CountingAllocator;
use benches::arguments::Arguments;
use benches::measure::{contestant, measure};
use benches::table::markdown;
use benches::tables::{path, prefix};
use bgp_core::rib::{LocRib, Path};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::SYSTEM;

/// The number of changes in one pass.
const CHANGES: u32 = 1_000;

fn main() {
    let arguments = Arguments::of_program();
    fills(arguments.rounds);
    println!();
    sizes(arguments.rounds);
    println!();
    paths(arguments.rounds);
}

/// Measures tables that are filled in the order of prefixes and in none.
fn fills(rounds: usize) {
    let mut rows = Vec::new();
    for prefixes in [10_000, 100_000, 1_000_000] {
        let mut contestants = [
            contestant(move || filled(prefixes, 1, |n| n).len()),
            contestant(move || filled(prefixes, 1, |n| scattered(n, prefixes)).len()),
        ];
        for (order, measured) in
            ["in order", "in no order"].iter().zip(measure(&mut contestants, rounds))
        {
            rows.push(vec![
                format!("{prefixes} prefixes {order}"),
                format!("{:.0}", measured.median() * 1e9 / f64::from(prefixes)),
                format!("{:.3}", measured.allocations as f64 / f64::from(prefixes)),
            ]);
        }
    }
    print!("{}", markdown(&["Loc-RIB filled", "ns a route", "allocations a route"], &rows));
}

/// Measures tables of three sizes with one path to each prefix: changes all over the table, without a snapshot and each after
/// one, and snapshots alone.
fn sizes(rounds: usize) {
    let mut rows = Vec::new();
    for prefixes in [10_000, 100_000, 1_000_000] {
        let rib = RefCell::new(filled(prefixes, 1, |n| n));
        let paths = [0, 1].map(|med| path(0, med));

        let turn = RefCell::new(0_u32);
        let change = |snapshots: bool| {
            let (mut rib, mut turn) = (rib.borrow_mut(), turn.borrow_mut());
            *turn += 1;
            for n in 0..CHANGES {
                let snapshot = snapshots.then(|| rib.clone());
                let prefix = prefix(scattered(n.wrapping_mul(977), prefixes));
                rib.insert(prefix, paths[(*turn % 2) as usize].clone());
                drop(snapshot);
            }
        };

        let snapshot = || {
            for _ in 0..CHANGES {
                std::hint::black_box(rib.borrow().clone());
            }
        };

        let mut contestants =
            [contestant(|| change(false)), contestant(|| change(true)), contestant(snapshot)];
        let measured = measure(&mut contestants, rounds);

        let names = ["a change", "a snapshot and a change", "a snapshot"];
        for (name, measured) in names.iter().zip(&measured) {
            rows.push(vec![
                format!("{name}, {prefixes} prefixes"),
                format!("{:.0}", measured.median() * 1e9 / f64::from(CHANGES)),
                format!("{:.2}", measured.allocations as f64 / f64::from(CHANGES)),
            ]);
        }
    }

    rows.sort();
    print!("{}", markdown(&["Loc-RIB", "ns", "allocations"], &rows));
}

/// Measures 100 prefixes with three numbers of paths: changes of any of the paths, and the choice of the best one after it.
fn paths(rounds: usize) {
    let mut rows = Vec::new();
    let prefixes = 100;
    for meds in [1, 50] {
        for peers in [10, 100, 1_000] {
            let mut rib = filled(prefixes, peers, |n| n);
            let all: Vec<_> = (0..peers)
                .map(|peer| [0, 1].map(|turn| path(peer, turn + 2 * (peer % meds))))
                .collect();

            let mut turn = 0;
            let mut change = || {
                turn += 1;
                let mut best = 0;
                for n in 0..CHANGES {
                    let peer = scattered(n, peers);
                    let prefix = prefix(n % prefixes);
                    // Each peer's path to a prefix differs from the one before.
                    let now = (turn + n / prefixes) % 2;
                    rib.insert(prefix, all[peer as usize][now as usize].clone());
                    best += rib.best(&prefix).map_or(0, Path::peer);
                }
                best
            };

            let mut contestants = [contestant(&mut change)];
            let measured = measure(&mut contestants, rounds);

            let name = if meds == 1 { "one MED of all" } else { "50 MEDs" };
            rows.push(vec![
                format!("{peers} paths, {name}"),
                format!("{:.0}", measured[0].median() * 1e9 / f64::from(CHANGES)),
                format!("{:.2}", measured[0].allocations as f64 / f64::from(CHANGES)),
            ]);
        }
    }
    print!("{}", markdown(&["a change and the best path", "ns", "allocations"], &rows));
}

/// A Loc-RIB in which each of the peers in turn has announced all prefixes, in this order.
fn filled(prefixes: u32, peers: u32, order: impl Fn(u32) -> u32) -> LocRib<u32> {
    let mut rib = LocRib::new();
    for peer in 0..peers {
        let path = path(peer, 0);
        for n in 0..prefixes {
            rib.insert(prefix(order(n)), path.clone());
        }
    }
    rib
}

/// Each number below `most` once, in no order.
fn scattered(n: u32, most: u32) -> u32 {
    // Coprime with powers of ten.
    let n = u64::from(n) * 7_368_787;
    u32::try_from(n % u64::from(most)).unwrap_or(0)
}
