//! What an embedder sees of `bgp-core` and `bgp-session`.

mod examples;
mod public_api;
mod serialized;
