//! FerroLB.

pub mod model;
