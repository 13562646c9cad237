//! The binary `ferrolb`: arguments, commands and output.
//!
//! ```text
//! cli ─► commands ─► input ─► lb_adapter, ferrolb_node, ferrolb_kubernetes
//!            │         └─► client ─► a process and its ferrolb_api
//!            └─► output
//! ```
//!
//! [`cli`] owns the command line, [`commands`] has a module for each command, [`input`] reads clusters from files,
//! recordings, processes and API servers, `client` asks a running process, [`output`] writes for people and programs, and [`Failure`] has the exit codes.
//! The crates below make all decisions.
//!
//! This is a library so that the arguments and the decoder can be tested and fuzzed. Its API is not stable.

#![forbid(unsafe_code)]

pub mod cli;
mod client;
pub mod commands;
mod failure;
pub mod input;
pub mod output;

pub use failure::Failure;
