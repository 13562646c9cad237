//! Oracles: what must hold for any input, as functions over octets that panic where it does not.
//!
//! One oracle has three drivers: libFuzzer (`fuzz_targets/`, run by cargo-fuzz), the replay of `corpus/` and
//! `regressions/` on any toolchain, and proptest (both in `tests/replay.rs`). An oracle reads its choices from the front
//! of the input by [`input::Input`], calls the crate under test by its public API, and judges; it has no logic of its
//! own beyond that, and knows nothing of who drives it.

#![forbid(unsafe_code)]

pub mod config;
pub mod decode;
pub mod encode;
pub mod framer;
pub mod input;
pub mod judge;
pub mod mrt;
pub mod notification;
pub mod open;
pub mod peer;
pub mod round_trip;
pub mod route_refresh;
pub mod seeds;
pub mod text;
pub mod update;

use std::io::Write as _;
use std::process::ExitCode;

/// An oracle with the name of its target.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// Of the binary, and of its directories in `corpus/` and `regressions/`.
    pub name: &'static str,
    /// Panics where something that must hold does not.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 12] = [
    Target { name: "framer", check: framer::check },
    Target { name: "open", check: open::check },
    Target { name: "update", check: update::check },
    Target { name: "notification", check: notification::check },
    Target { name: "route_refresh", check: route_refresh::check },
    Target { name: "round_trip", check: round_trip::check },
    Target { name: "encode", check: encode::check },
    Target { name: "text", check: text::check },
    Target { name: "peer", check: peer::check },
    Target { name: "config", check: config::check },
    Target { name: "decode", check: decode::check },
    Target { name: "mrt", check: mrt::check },
];

/// What a target does when it was not built for fuzzing: it gives the files that its arguments name to the oracle, so
/// that a finding can be looked at with any toolchain and a debugger.
#[must_use]
pub fn replay_arguments(check: fn(&[u8])) -> ExitCode {
    let mut out = std::io::stderr().lock();
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        let _ = writeln!(
            out,
            "not built for fuzzing: use `cargo fuzz run TARGET`, or name files to try (see fuzz/README.md)"
        );
        return ExitCode::FAILURE;
    }
    for file in files {
        let name = file.display();
        match std::fs::read(&file) {
            Ok(input) => {
                check(&input);
                let _ = writeln!(out, "{name}: {} octets, all is as it must be", input.len());
            }
            Err(error) => {
                let _ = writeln!(out, "{name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
