//! The commands: one module each, with its arguments.

pub mod check;
pub mod decode;
pub mod diff;
pub mod explain;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod lab;
pub mod migrate;
pub mod replay;
pub mod router_config;
pub mod run;
