//! The driver of `fuzz::router_advertisement`.
#![cfg_attr(fuzzing, no_main)]
#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::router_advertisement::check(input));
#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    fuzz::replay_arguments(fuzz::router_advertisement::check)
}
