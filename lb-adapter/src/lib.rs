//! FerroLB: address pools and Services of type LoadBalancer to BGP routes, without I/O.
//!
//! ```text
//! text ─► config, manifest ─► model ─► allocator ─► planner ─► engine ─► routes for each node and peer
//!                                          │            │
//!                                     state file        └── the reason for each route that is missing
//! ```
//!
//! The library that decides, for a controller to embed. [`config`] and [`manifest`] turn text into the [`model`] and report
//! every problem with its place, [`allocator`] assigns addresses, [`planner`] says which node announces which routes to
//! which peer. [`engine`] joins them; [`recording`], [`explain`] and [`check`] answer questions about the result.
//!
//! This crate opens no socket, starts no task and reads no clock. It knows the values of BGP from `bgp_core`, and nothing of
//! Kubernetes' client.

#![forbid(unsafe_code)]

pub mod allocator;
pub mod check;
pub mod config;
pub mod engine;
pub mod explain;
pub mod manifest;
pub mod migration;
pub mod model;
pub mod planner;
pub mod recording;
pub mod state_file;

mod compact;
mod spelling;
