//! FerroLB.

pub mod allocator;
pub mod args;
pub mod config;
pub mod decode;
pub mod engine;
pub mod failure;
pub mod lab;
pub mod manifest;
pub mod memory;
pub mod model;
pub mod planner;
pub mod report;
pub mod run;
pub mod sessions;
pub mod source;
pub mod state;

mod signals;
mod start;
