//! FerroLB: address pools and Services of type LoadBalancer to BGP routes.
//!
//! ```text
//! source ─► manifest, config ─► model ─► allocator ─► planner ─► engine ─► sessions ─► bgp_session
//!                                            │            │
//!                                            └── state    └── why something is not announced
//! ```
//!
//! The library of the binary `ferrolb`. What decides is pure and can be used by itself: [`config`] and [`manifest`]
//! turn text into the [`model`] with every problem at its place, [`allocator`] gives addresses, [`planner`] says
//! which node announces what to whom, and why not. [`lab`] and [`run`] put them to work on files, [`decode`]
//! explains captured messages.
//!
//! It speaks BGP only through the public API of `bgp_session`.

pub mod allocator;
pub mod args;
pub mod ask;
pub mod check;
pub mod cluster;
pub mod config;
pub mod decode;
pub mod descriptors;
pub mod diff;
pub mod engine;
pub mod explain;
pub mod failure;
pub mod http;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
pub mod lab;
pub mod log_filter;
pub mod manifest;
pub mod memory;
pub mod metrics;
pub mod migrate;
pub mod model;
pub mod planner;
pub mod probe;
pub mod replay;
pub mod report;
pub mod router_config;
pub mod run;
pub mod sessions;
pub mod source;
pub mod state;

mod compact;
mod grace;
mod intern;
mod probing;
mod sampling;
mod signals;
mod source_address;
mod spelling;
mod start;
mod wanted;
