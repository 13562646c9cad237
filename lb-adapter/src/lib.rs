//! FerroLB.

pub mod allocator;
pub mod model;
