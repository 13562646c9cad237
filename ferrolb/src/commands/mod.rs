//! The commands: one module each, with its arguments.

mod action;
pub mod check;
#[cfg(feature = "manual")]
pub mod completions;
pub mod decode;
pub mod diff;
pub mod events;
pub mod explain;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod lab;
#[cfg(feature = "manual")]
pub mod man;
pub mod migrate;
pub mod peer;
pub mod peers;
pub mod replay;
pub mod router_config;
pub mod run;
pub mod status;
mod view;
