//! The driver of `fuzz::http`.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::http::check(input));
#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    fuzz::replay_arguments(fuzz::http::check)
}
