//! The driver of `fuzz::recording`.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::recording::check(input));
#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    fuzz::replay_arguments(fuzz::recording::check)
}
