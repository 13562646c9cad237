//! All oracles on any toolchain: the corpora, past crashes, and mutations of them by proptest.

use std::fs;
use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};
use proptest::prelude::*;

/// The files of a target in one of the two trees.
fn files(tree: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(tree).join(target);
    let Ok(entries) = fs::read_dir(&directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a readable directory").path());
    paths.map(|path| (path.clone(), fs::read(&path).expect("a readable file"))).collect()
}

fn replay(tree: &str) -> usize {
    let mut count = 0;
    for target in TARGETS {
        for (path, octets) in files(tree, target.name) {
            let outcome = std::panic::catch_unwind(|| (target.check)(&octets));
            assert!(outcome.is_ok(), "{} fails on {}", target.name, path.display());
            count += 1;
        }
    }
    count
}

#[test]
fn every_target_holds_on_its_corpus() {
    assert!(replay("corpus") > 0);
}

#[test]
fn no_past_crash_comes_back() {
    replay("regressions");
}

#[test]
fn the_committed_seeds_are_what_the_generator_writes() {
    for target in TARGETS {
        let seeds = fuzz::seeds::of(target.name);
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        let committed = files("corpus", target.name);
        for (name, octets) in seeds {
            let name = format!("seed-{name}");
            let found = committed.iter().find(|(path, _)| path.ends_with(&name));
            let same = found.is_some_and(|(_, committed)| *committed == octets);
            assert!(same, "{}/{name}: run `cargo run -p fuzz --example seeds`", target.name);
        }
    }
}

#[test]
fn every_target_is_a_binary_in_the_manifest() {
    let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let manifest = manifest.expect("a manifest");
    for target in TARGETS {
        let path = format!("path = \"fuzz_targets/{}.rs\"", target.name);
        assert!(manifest.contains(&path), "{} has no binary", target.name);
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}

#[test]
fn every_dictionary_is_that_of_a_target() {
    let entries = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/dictionaries"));
    for entry in entries.expect("a readable directory") {
        let path = entry.expect("a readable directory").path();
        let is_known = TARGETS.iter().any(|target| path.ends_with(format!("{}.dict", target.name)));
        assert!(is_known, "{} is of no target", path.display());

        // As libFuzzer reads it: a comment, or a word in quotation marks.
        for line in fs::read_to_string(&path).expect("a text").lines() {
            let is_word = line.len() > 2 && line.starts_with('"') && line.ends_with('"');
            assert!(is_word || line.starts_with('#'), "{}: {line}", path.display());
        }
    }
}

/// A mutation of an input, as by a fuzzer.
#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Flip(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = 0..300_usize;
    let octet = prop_oneof![Just(0x00_u8), Just(0xff), any::<u8>()];
    prop_oneof![
        4 => (at.clone(), octet).prop_map(|(at, octet)| Mutation::Set(at, octet)),
        4 => (at.clone(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip(at, 1 << bit)),
        1 => (at.clone(), 1..9_usize).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (at.clone(), prop::collection::vec(any::<u8>(), 1..9))
            .prop_map(|(at, octets)| Mutation::Insert(at, octets)),
        1 => (at, 1..40_usize).prop_map(|(at, count)| Mutation::Repeat(at, count)),
    ]
}

fn mutate(octets: &mut Vec<u8>, mutation: &Mutation) {
    let length = octets.len();
    let place = |at: &usize| at.checked_rem(length).unwrap_or(0);
    match mutation {
        Mutation::Set(at, octet) => {
            octets.iter_mut().skip(place(at)).take(1).for_each(|o| *o = *octet);
        }
        Mutation::Flip(at, bit) => {
            octets.iter_mut().skip(place(at)).take(1).for_each(|o| *o ^= bit);
        }
        Mutation::Remove(at, count) => {
            octets.drain(place(at)..(place(at) + count).min(length));
        }
        Mutation::Insert(at, more) => {
            octets.splice(place(at)..place(at), more.iter().copied());
        }
        Mutation::Repeat(at, count) => {
            let again = octets[place(at)..(place(at) + count).min(length)].to_vec();
            octets.splice(place(at)..place(at), again);
        }
    }
}

/// An input of a target: a file of the corpus with a few mutations, or random octets.
fn inputs(target: &Target) -> impl Strategy<Value = Vec<u8>> + use<> {
    let corpus: Vec<_> =
        files("corpus", target.name).into_iter().map(|(_, octets)| octets).collect();
    let changed = (prop::sample::select(corpus), prop::collection::vec(mutation(), 0..12));
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..400),
        4 => changed.prop_map(|(mut octets, mutations)| {
            for mutation in &mutations {
                mutate(&mut octets, mutation);
            }
            octets
        }),
    ]
}

/// Runs the oracle of one target on such inputs.
///
/// A failing input belongs in `regressions/`, where every driver finds it.
fn hold(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let config =
        ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(octets in inputs(target))| {
        (target.check)(&octets);
    });
}

/// A test for each target, so that they run in parallel and fail by name.
macro_rules! targets_hold_on_changed_inputs {
    ($($test:ident => $target:literal;)+) => {$(
        #[test]
        fn $test() {
            hold($target);
        }
    )+

        #[test]
        fn every_target_has_such_a_test() {
            let tested = [$($target),+];
            assert!(TARGETS.iter().all(|target| tested.contains(&target.name)));
            assert_eq!(tested.len(), TARGETS.len());
        }
    };
}

targets_hold_on_changed_inputs! {
    framer_holds_on_changed_inputs => "framer";
    open_holds_on_changed_inputs => "open";
    update_holds_on_changed_inputs => "update";
    notification_holds_on_changed_inputs => "notification";
    route_refresh_holds_on_changed_inputs => "route_refresh";
    round_trip_holds_on_changed_inputs => "round_trip";
    encode_holds_on_changed_inputs => "encode";
    text_holds_on_changed_inputs => "text";
    peer_holds_on_changed_inputs => "peer";
    config_holds_on_changed_inputs => "config";
    decode_holds_on_changed_inputs => "decode";
    mrt_holds_on_changed_inputs => "mrt";
    bmp_holds_on_changed_inputs => "bmp";
    capture_holds_on_changed_inputs => "capture";
    rtr_holds_on_changed_inputs => "rtr";
    bfd_holds_on_changed_inputs => "bfd";
    router_advertisement_holds_on_changed_inputs => "router_advertisement";
    http_holds_on_changed_inputs => "http";
    objects_holds_on_changed_inputs => "objects";
    recording_holds_on_changed_inputs => "recording";
    state_file_holds_on_changed_inputs => "state_file";
    health_port_holds_on_changed_inputs => "health_port";
    speakers_hold_on_changed_inputs => "speakers";
}
