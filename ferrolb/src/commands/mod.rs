//! The commands: one module each, with its arguments.

mod action;
pub mod bfd;
pub mod check;
#[cfg(feature = "kubernetes")]
mod cluster_status;
#[cfg(feature = "manual")]
pub mod completions;
pub mod decode;
pub mod diff;
pub mod drain;
pub mod events;
pub mod explain;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod lab;
pub mod log_level;
#[cfg(feature = "manual")]
pub mod man;
pub mod migrate;
pub mod peer;
pub mod peers;
pub mod pools;
pub mod refresh;
pub mod replay;
pub mod router_config;
pub mod routes;
pub mod run;
pub mod services;
pub mod status;
#[cfg(feature = "bundle")]
pub mod support_bundle;
#[cfg(feature = "top")]
pub mod top;
mod view;
