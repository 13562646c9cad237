//! Oracles: functions over any octets that panic if an invariant is violated.
//!
//! An oracle has three drivers: libFuzzer (`fuzz_targets/`, run by cargo-fuzz), the replay of `corpus/` and `regressions/`
//! on any toolchain, and proptest (both in `tests/replay.rs`). An oracle reads its choices from the front of the input by
//! [`input::Input`], calls the public API of the crate under test, and checks the results. It has no other logic, and does
//! not depend on its driver.

#![forbid(unsafe_code)]

pub mod bfd;
pub mod bmp;
pub mod capture;
pub mod config;
pub mod decode;
pub mod encode;
pub mod framer;
pub mod health_port;
pub mod http;
pub mod input;
pub mod judge;
pub mod memory;
pub mod mrt;
pub mod notification;
pub mod objects;
pub mod open;
pub mod peer;
pub mod recording;
pub mod round_trip;
pub mod route_refresh;
pub mod router_advertisement;
pub mod rtr;
pub mod seeds;
pub mod speakers;
pub mod state_file;
pub mod text;
pub mod update;

use std::io::Write as _;
use std::process::ExitCode;

/// An oracle with the name of its target.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Target {
    /// The name of the binary, and of its directories in `corpus/` and `regressions/`.
    pub name: &'static str,
    /// The oracle, which panics if an invariant is violated.
    pub check: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 23] = [
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
    Target { name: "bmp", check: bmp::check },
    Target { name: "capture", check: capture::check },
    Target { name: "rtr", check: rtr::check },
    Target { name: "bfd", check: bfd::check },
    Target { name: "router_advertisement", check: router_advertisement::check },
    Target { name: "http", check: http::check },
    Target { name: "objects", check: objects::check },
    Target { name: "recording", check: recording::check },
    Target { name: "state_file", check: state_file::check },
    Target { name: "health_port", check: health_port::check },
    Target { name: "speakers", check: speakers::check },
];

/// Runs the oracle on the files in the arguments. This is the main function of a target that was not built for fuzzing, to
/// debug a crash with any toolchain.
#[must_use]
pub fn replay_arguments(check: fn(&[u8])) -> ExitCode {
    let mut out = std::io::stderr().lock();
    let files: Vec<_> = std::env::args_os().skip(1).collect();
    if files.is_empty() {
        let _ = writeln!(
            out,
            "not built for fuzzing: use `cargo fuzz run TARGET`, or pass files to replay (see fuzz/README.md)"
        );
        return ExitCode::FAILURE;
    }

    for file in files {
        let name = file.display();
        match std::fs::read(&file) {
            Ok(input) => {
                check(&input);
                let _ = writeln!(out, "{name}: {} octets, ok", input.len());
            }
            Err(error) => {
                let _ = writeln!(out, "{name}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
