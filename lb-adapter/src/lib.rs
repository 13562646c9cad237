//! FerroLB.

pub mod allocator;
pub mod config;
pub mod manifest;
pub mod model;
pub mod planner;
pub mod state;
