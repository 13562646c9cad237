//! The driver of `fuzz::health_port`.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::health_port::check(input));
#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    fuzz::replay_arguments(fuzz::health_port::check)
}
