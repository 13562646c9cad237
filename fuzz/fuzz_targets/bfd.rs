//! The driver of `fuzz::bfd`.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::bfd::check(input));
#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    fuzz::replay_arguments(fuzz::bfd::check)
}
