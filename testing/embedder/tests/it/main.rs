//! What an embedder sees of `bgp-core` and `bgp-session`.

mod examples;
mod packages;
mod public_api;
mod serialized;
