//! FerroLB.

pub mod allocator;
pub mod model;
pub mod planner;
pub mod state;
