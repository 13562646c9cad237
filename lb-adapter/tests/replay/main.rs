//! `ferrolb replay`: each sentence of its contract, and recordings with their expected answers.
//!
//! The recordings are beside this file: `NAME.jsonl` with `NAME.expected.jsonl`.

mod contract;
mod golden;
mod metallb;
mod resources;
mod services;
mod world;
